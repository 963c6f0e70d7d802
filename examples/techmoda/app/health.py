"""GET /health: deep, because it asks the table, and bounded, because a health check must not hang."""

from __future__ import annotations

import os
import time
from typing import Any

import catalogue
import web
from aws_lambda_powertools.event_handler import Response
from botocore.exceptions import BotoCoreError, ClientError

app = web.new_app()


def _reason(error: Exception) -> str:
    """Says what failed without the request's details: the path is open to everyone."""
    if isinstance(error, ClientError):
        return f"the table answers {error.response['Error']['Code']}"
    return f"the table cannot be reached: {type(error).__name__}"


@app.get("/health")
def health() -> Response[Any]:
    started = time.perf_counter()
    reason = None
    try:
        catalogue.probe()
    except (ClientError, BotoCoreError) as error:
        web.logger.warning("unhealthy", exc_info=error)
        reason = _reason(error)
    state = {
        "status": "unhealthy" if reason else "healthy",
        "release": os.environ.get("RELEASE", "unknown"),
        "region": os.environ.get("AWS_REGION", "unknown"),
        "table_ms": round((time.perf_counter() - started) * 1000, 1),
    }
    # A cached "healthy" would outlive the health.
    if reason:
        return web.answer(
            503,
            {**state, "reason": reason},
            Cache_Control="no-store",
            Retry_After=str(web.RETRY_AFTER_S),
        )
    return web.answer(200, state, Cache_Control="no-store")


handler = web.entry(app)
