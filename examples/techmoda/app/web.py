"""What the three functions share: the resolver, the answers to errors, logs, metrics and traces."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import catalogue
import demand
from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.event_handler import APIGatewayRestResolver, Response
from aws_lambda_powertools.logging import correlation_paths
from aws_lambda_powertools.metrics import MetricUnit
from botocore.exceptions import BotoCoreError, ClientError
from products import Fault

Handler = Callable[[dict[str, Any], Any], dict[str, Any]]

# DynamoDB takes items of 400 KB; a product is far smaller, and a large body is a mistake or an attack.
MAX_BODY_BYTES = 32_768
RETRY_AFTER_S = 1

logger = Logger()
metrics = Metrics()


class Refused(Exception):
    """A request that is answered with an error of the caller's making."""

    def __init__(self, status: int, error: str, faults: list[Fault] | None = None) -> None:
        super().__init__(error)
        self.status = status
        self.error = error
        self.faults = faults or []


def answer(status: int, body: dict[str, Any] | None, **headers: str) -> Response[Any]:
    """A JSON answer; `headers` are written with `_` for `-`."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    text = "" if body is None else json.dumps(body, separators=(",", ":"))
    return Response(status, "application/json", text, headers=named)


def new_app() -> APIGatewayRestResolver:
    """A resolver that turns every error into the answer it deserves."""
    app = APIGatewayRestResolver()

    @app.exception_handler(Refused)
    def refused(error: Refused) -> Response[Any]:
        logger.info("refused", status=error.status, error=error.error)
        problems = [fault.to_json() for fault in error.faults]
        return answer(error.status, {"error": error.error, **({"problems": problems} if problems else {})})

    @app.exception_handler([ClientError, BotoCoreError])
    def table_failed(error: Exception) -> Response[Any]:
        if not catalogue.is_passing(error):
            raise error
        logger.warning("the table is not answering", exc_info=error)
        metrics.add_metric(name="TableUnavailable", unit=MetricUnit.Count, value=1)
        return answer(503, {"error": "the catalogue is busy, try again shortly"}, Retry_After=str(RETRY_AFTER_S))

    @app.not_found
    def no_route(_error: Exception) -> Response[Any]:
        return answer(404, {"error": "no such path"})

    return app


def json_body(app: APIGatewayRestResolver) -> dict[str, Any]:
    """The request's JSON object. Raises Refused with 413, 415 or 400."""
    event = app.current_event
    media = (event.headers.get("content-type") or "").partition(";")[0].strip().lower()
    if media != "application/json":
        fault = Fault("header Content-Type", media or None, "must be application/json")
        raise Refused(415, "unsupported media type", [fault])
    try:
        text = event.decoded_body or ""
        size = len(text.encode())
    except ValueError as error:
        raise Refused(400, "invalid body", [Fault("body", None, "is not base64 of UTF-8 text")]) from error
    if size > MAX_BODY_BYTES:
        fault = Fault("body", f"{size} bytes", f"must be at most {MAX_BODY_BYTES} bytes")
        raise Refused(413, "body too large", [fault])
    try:
        body = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Refused(400, "invalid body", [Fault("body", text, "is not JSON")]) from error
    if not isinstance(body, dict):
        raise Refused(400, "invalid body", [Fault("body", body, "must be a JSON object")])
    return body


def entry(app: APIGatewayRestResolver) -> Handler:
    """The Lambda handler of an app: correlation id on every log line, metrics flushed, demand measured."""
    meter = demand.from_environment()

    @logger.inject_lambda_context(correlation_id_path=correlation_paths.API_GATEWAY_REST, clear_state=True)
    @metrics.log_metrics(capture_cold_start_metric=True)
    def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
        metrics.add_metric(name="Requests", unit=MetricUnit.Count, value=1)
        with meter.measured() if meter else nullcontext():
            return app.resolve(event, context)

    return _traced(handler)


def _traced(handler: Handler) -> Handler:
    """Lambda's own segment comes for free; subsegments cost 0.5 s of cold start (the X-Ray SDK), so the SDK is
    imported only where TRACE_CALLS=1 asks for it."""
    if os.environ.get("TRACE_CALLS") != "1":
        return handler
    from aws_lambda_powertools import Tracer

    return Tracer().capture_lambda_handler(handler, capture_response=False)
