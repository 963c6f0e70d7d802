"""Stands in for what Sereno calls and the emulator has not: who owns a table's capacity.

The functions reach it by botocore's own setting of a service's endpoint, so their calls are signed and sent as ever.
No role is held against what comes here: what a role must allow is held by `tests/remediators/test_permissions.py`.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Json = dict[str, Any]
# The settings that lead a service's calls here.
# https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html
SETTINGS = ("AWS_ENDPOINT_URL_APPLICATION_AUTO_SCALING",)


@dataclass(slots=True)
class StandIn:
    """What was asked, by operation."""

    asked: list[str] = field(default_factory=list)
    url: str = ""

    def answer(self, operation: str, request: Json) -> Json | None:
        """None for an operation that nobody knows here."""
        self.asked.append(operation)
        known: dict[str, Callable[[Json], Json]] = {
            "AnyScaleFrontendService.DescribeScalableTargets": lambda _: {"ScalableTargets": []},
        }
        return known[operation](request) if operation in known else None


@contextmanager
def standing_in() -> Iterator[StandIn]:
    """Answers on a free port of this machine as long as the block lasts."""
    stand_in = StandIn()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            operation = self.headers.get("X-Amz-Target", "")
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            answer = stand_in.answer(operation, request)
            body = json.dumps({"__type": "InvalidAction"} if answer is None else answer).encode()
            self.send_response(400 if answer is None else 200)
            self.send_header("Content-Type", "application/x-amz-json-1.1")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Nothing: what was asked is kept."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    stand_in.url = f"http://127.0.0.1:{server.server_address[1]}"
    serving = threading.Thread(target=server.serve_forever, daemon=True)
    serving.start()
    try:
        yield stand_in
    finally:
        server.shutdown()
        server.server_close()
        serving.join()
