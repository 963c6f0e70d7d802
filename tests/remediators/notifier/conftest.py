"""Slack and PagerDuty as they document themselves, on loopback: strict about what they take, and able to fail."""

from __future__ import annotations

import json
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlparse

import pytest

from remediators.incidents import IncidentBook
from remediators.notifier.book import Book
from remediators.notifier.notifier import Notifier
from remediators.testing import MemoryTable
from sereno.service import Notices
from sereno.testing import CollectedTelemetry, ManualClock

NOON = datetime(2026, 9, 29, 12, 0, tzinfo=UTC)
TOKEN, SIGNING, ROUTING = "xoxb-planted-token", "planted-signing-secret", "R0" + "ab12" * 7 + "cd"
CHANNEL = "C0123456789"
PLANTED = (TOKEN, SIGNING, ROUTING)


class Server:
    """A local server. `trouble` holds what the next requests meet, one each: a status (429 with `Retry-After: 7`,
    500), `hang` (done, and no answer), `cut` (the connection ends before anything is done), or `late` (done, and then
    cut)."""

    def __init__(self) -> None:
        self.trouble: list[int | str] = []
        self.requests: list[str] = []
        self._lock = threading.Lock()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                outer.meet(self)

            do_GET = do_POST  # noqa: N815 - so http.server calls it

            def log_message(self, *_: Any) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.http.server_port}/"

    def close(self) -> None:
        self.http.shutdown()
        self.http.server_close()

    def meet(self, request: BaseHTTPRequestHandler) -> None:
        body = request.rfile.read(int(request.headers.get("Content-Length") or 0))
        with self._lock:
            self.requests.append(request.path)
            trouble = self.trouble.pop(0) if self.trouble else None
            if trouble == 429:
                return _send(request, 429, {"ok": False, "error": "ratelimited"}, {"Retry-After": "7"})
            if isinstance(trouble, int):
                return _send(request, trouble, {"status": "trouble"})
            if trouble == "cut":
                return _cut(request)
            status, answer = self.answer(request, body)
            if trouble == "late":
                return _cut(request)
            if trouble != "hang":
                return _send(request, status, answer)
        request.connection.recv(1)  # silent, until whoever waits has had enough and hangs up
        return _cut(request)

    def answer(self, request: BaseHTTPRequestHandler, body: bytes) -> tuple[int, Any]:
        raise NotImplementedError


def _send(request: BaseHTTPRequestHandler, status: int, answer: Any, headers: dict[str, str] | None = None) -> None:
    data = json.dumps(answer).encode()
    request.send_response(status)
    request.send_header("Content-Type", "application/json")
    request.send_header("Content-Length", str(len(data)))
    for name, value in (headers or {}).items():
        request.send_header(name, value)
    request.end_headers()
    request.wfile.write(data)


def _cut(request: BaseHTTPRequestHandler) -> None:
    request.close_connection = True
    with suppress(OSError):
        request.connection.shutdown(socket.SHUT_RDWR)


class SlackServer(Server):
    """https://docs.slack.dev: chat.postMessage, chat.update, conversations.history and .replies."""

    def __init__(self) -> None:
        super().__init__()
        self.messages: dict[str, dict[str, Any]] = {}
        self.posted: list[dict[str, Any]] = []  # as they were before any edit
        self.refused: dict[str, str] = {}  # by method, the error that Slack answers
        self.refused_blocks: dict[str, str] = {}  # likewise, to what has blocks

    def answer(self, request: BaseHTTPRequestHandler, body: bytes) -> tuple[int, Any]:
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return 200, {"ok": False, "error": "invalid_auth"}
        place = urlparse(request.path)
        asked = dict(parse_qsl(place.query))
        if body and "json" in request.headers.get("Content-Type", ""):
            asked |= json.loads(body)
        elif body:
            asked |= dict(parse_qsl(body.decode()))
        if asked.get("channel") != CHANNEL:
            return 200, {"ok": False, "error": "channel_not_found"}
        method = place.path.strip("/").replace(".", "_")
        if method in self.refused:
            return 200, {"ok": False, "error": self.refused[method]}
        if method in self.refused_blocks and asked.get("blocks", "[]") not in ("[]", []):
            return 200, {"ok": False, "error": self.refused_blocks[method]}
        return 200, getattr(self, method)(asked)

    def chat_postMessage(self, asked: dict[str, Any]) -> dict[str, Any]:
        wrong = _wrong_message(asked)
        if wrong:
            return wrong
        if asked.get("thread_ts") and asked["thread_ts"] not in self.messages:
            return {"ok": False, "error": "thread_not_found"}
        ts = f"1790000000.{len(self.messages):06d}"
        self.messages[ts] = {**asked, "ts": ts}
        self.posted.append(dict(self.messages[ts]))
        return {"ok": True, "ts": ts, "channel": CHANNEL}

    def chat_update(self, asked: dict[str, Any]) -> dict[str, Any]:
        wrong = _wrong_message(asked)
        if wrong:
            return wrong
        if asked.get("ts") not in self.messages:
            return {"ok": False, "error": "message_not_found"}
        self.messages[asked["ts"]] |= {name: asked[name] for name in ("text", "blocks", "metadata") if name in asked}
        return {"ok": True, "ts": asked["ts"], "channel": CHANNEL}

    def conversations_history(self, asked: dict[str, Any]) -> dict[str, Any]:
        return _page([one for one in self.messages.values() if not one.get("thread_ts")][::-1], asked)

    def conversations_replies(self, asked: dict[str, Any]) -> dict[str, Any]:
        found = [one for one in self.messages.values() if asked["ts"] in (one["ts"], one.get("thread_ts"))]
        return _page(found, asked)

    @property
    def heads(self) -> list[dict[str, Any]]:
        return [one for one in self.messages.values() if not one.get("thread_ts")]

    @property
    def replies(self) -> list[dict[str, Any]]:
        return [one for one in self.messages.values() if one.get("thread_ts")]


def _page(messages: list[dict[str, Any]], asked: dict[str, Any]) -> dict[str, Any]:
    """At most `limit` of them, from the cursor on. https://docs.slack.dev/apis/web-api/pagination"""
    start, limit = int(asked.get("cursor") or 0), min(int(asked.get("limit", 100)), 999)
    cursor = {"next_cursor": str(start + limit) if start + limit < len(messages) else ""}
    return {"ok": True, "messages": messages[start : start + limit], "response_metadata": cursor}


TEXTS = {"plain_text", "mrkdwn"}


def _wrong_message(asked: dict[str, Any]) -> dict[str, Any] | None:
    blocks = asked.get("blocks", [])
    blocks = json.loads(blocks) if isinstance(blocks, str) else blocks
    wrong = [said for block in blocks for said in _wrong_block(block)]
    if len(blocks) > 50:
        wrong.append("no more than 50 items allowed")
    if not asked.get("text"):
        return {"ok": False, "error": "no_text"}
    metadata = asked.get("metadata")
    if metadata is not None:
        metadata = json.loads(metadata) if isinstance(metadata, str) else metadata
        if not re.fullmatch(r"[a-z0-9_]+", metadata.get("event_type", "")) or "event_payload" not in metadata:
            return {"ok": False, "error": "invalid_metadata_format"}
        asked["metadata"] = metadata
    asked["blocks"] = blocks
    return {"ok": False, "error": "invalid_blocks", "response_metadata": {"messages": wrong}} if wrong else None


def _wrong_block(block: dict[str, Any]) -> Iterator[str]:
    kind = block.get("type")
    if kind == "header":
        yield from _wrong_text(block.get("text"), 150, {"plain_text"})
    elif kind == "section":
        if "text" not in block and not block.get("fields"):
            yield "section: text or fields"
        if "text" in block:
            yield from _wrong_text(block["text"], 3000, TEXTS)
        if len(block.get("fields", [])) > 10:
            yield "section: more than 10 fields"
        for one in block.get("fields", []):
            yield from _wrong_text(one, 2000, TEXTS)
    elif kind == "actions":
        if not 1 <= len(block.get("elements", [])) <= 25 or len(block.get("block_id", "")) > 255:
            yield "actions: 1 to 25 elements"
        for one in block.get("elements", []):
            yield from _wrong_text(one.get("text"), 75, {"plain_text"})
            if len(one.get("value", "")) > 2000 or not 1 <= len(one.get("action_id", "")) <= 255:
                yield "button: value or action_id"
            if one.get("style", "primary") not in ("primary", "danger"):
                yield "button: style"
    elif kind == "context":
        if not 1 <= len(block.get("elements", [])) <= 10:
            yield "context: 1 to 10 elements"
        for one in block.get("elements", []):
            yield from _wrong_text(one, 3000, TEXTS)
    else:
        yield f"unsupported type: {kind}"


def _wrong_text(text: Any, limit: int, kinds: set[str]) -> Iterator[str]:
    if not isinstance(text, dict) or text.get("type") not in kinds or not 1 <= len(text.get("text", "")) <= limit:
        yield f"text of {limit} characters at most: {str(text)[:60]}"


class PagerDutyServer(Server):
    """https://developer.pagerduty.com/docs/send-alert-event. `alerts` by dedup key: their state and every trigger."""

    def __init__(self) -> None:
        super().__init__()
        self.alerts: dict[str, dict[str, Any]] = {}

    def answer(self, request: BaseHTTPRequestHandler, body: bytes) -> tuple[int, Any]:
        event = json.loads(body)
        wrong = self._wrong(event)
        if wrong:
            return 400, {"status": "invalid event", "message": "Event object is invalid", "errors": wrong}
        alert = self.alerts.setdefault(event["dedup_key"], {"state": "none", "triggers": []})
        if event["event_action"] == "trigger":
            alert["triggers"].append(event["payload"]["summary"])
            alert["state"] = "acknowledged" if alert["state"] == "acknowledged" else "triggered"
        else:
            alert["state"] = {"acknowledge": "acknowledged", "resolve": "resolved"}[event["event_action"]]
        return 202, {"status": "success", "dedup_key": event["dedup_key"]}

    def _wrong(self, event: dict[str, Any]) -> list[str]:
        wrong = []
        if event.get("routing_key") != ROUTING:
            wrong.append("routing_key is invalid")
        if event.get("event_action") not in ("trigger", "acknowledge", "resolve"):
            wrong.append("event_action is invalid")
        if not 1 <= len(event.get("dedup_key", "")) <= 255:
            wrong.append("dedup_key is invalid")
        if event.get("event_action") == "trigger":
            payload = event.get("payload", {})
            if not 1 <= len(payload.get("summary", "")) <= 1024 or not payload.get("source"):
                wrong.append("payload.summary or payload.source is invalid")
            if payload.get("severity") not in ("critical", "error", "warning", "info"):
                wrong.append("payload.severity is invalid")
        return wrong


@pytest.fixture
def slack_server() -> Iterator[SlackServer]:
    server = SlackServer()
    yield server
    server.close()


@pytest.fixture
def pagerduty_server() -> Iterator[PagerDutyServer]:
    server = PagerDutyServer()
    yield server
    server.close()


class PaperSecrets:
    """A Secrets Manager client that knows what a test planted."""

    def __init__(self, **secrets: Any) -> None:
        self.secrets = secrets
        self.read = 0

    def get_secret_value(self, **asked: str) -> dict[str, str]:
        self.read += 1
        return {"SecretString": json.dumps(self.secrets[asked["SecretId"]])}


@dataclass
class Desk:
    """A notifier on the table in memory, with the channels that a test gives it."""

    channels: dict[str, Any]
    notices: Notices = field(default_factory=Notices)
    emails: tuple[str, ...] = ()
    clock: ManualClock = field(default_factory=lambda: ManualClock(NOON))
    table: MemoryTable = field(default_factory=MemoryTable)
    telemetry: CollectedTelemetry = field(default_factory=CollectedTelemetry)
    left_s: float = 300.0

    def notifier(self, owner: str = "one", client: Any = None) -> Notifier:
        """One invocation of it."""
        table = client or self.table
        return Notifier(
            notices=self.notices,
            emails=self.emails,
            channels=self.channels,
            book=Book(table, "ledger", owner),
            incidents=IncidentBook(table, "ledger", "techmoda"),
            clock=self.clock,
            telemetry=self.telemetry,
            time_left=lambda: self.left_s,
        )


@pytest.fixture
def desk() -> type[Desk]:
    return Desk


@pytest.fixture
def paper_secrets() -> type[PaperSecrets]:
    return PaperSecrets


@pytest.fixture
def planted() -> tuple[str, ...]:
    return PLANTED


def body(status: str = "VERIFYING", sequence: int = 3, **changed: Any) -> dict[str, Any]:
    """A message as the outbox publishes it."""
    own = {"ESCALATED": "page", "FAILED": "page", "AWAITING_APPROVAL": "page", "SKIPPED": "ticket"}
    one = changed.get("id", "20260929T120000-raise-concurrency-f06dac3982")
    found = {
        "version": 1,
        "kind": "remediation",
        "subject": "[techmoda] techmoda-read",
        "key": f"{one}#{sequence:06d}",
        "sequence": sequence,
        "at": "2026-09-29T12:00:00.000Z",
        "service": "techmoda",
        "severity": own.get(status, "info"),
        "id": one,
        "incident": "incident-20260929T120000-2f57e983ab",
        "remediator": "raise_concurrency",
        "target": {"kind": "function", "name": "techmoda-read", "region": "eu-west-1", "account": "123456789012"},
        "what": "exhaustion",
        "alarm": "techmoda/read/exhaustion",
        "status": status,
        "mode": "auto",
        "urgent": False,
        "reason": "sized to the larger of ...",
        "code": "OK",
        "detail": "reserved concurrency: 120 -> 240",
        "changes": [{"setting": "reserved concurrency", "before": 120, "after": 240}],
        "events": [],
        "do": f"sereno why {one}",
        "plan": "0123456789abcdef" if status == "AWAITING_APPROVAL" else None,
        "expires": "2026-09-29T12:30:00.000Z" if status == "AWAITING_APPROVAL" else None,
        "high_risk": False,
    }
    return {**found, **changed}


def incident_body(status: str = "RESOLVED", sequence: int = 1, **changed: Any) -> dict[str, Any]:
    """Likewise, of an incident."""
    one = changed.get("incident", "incident-20260929T120000-2f57e983ab")
    found = {
        "version": 1,
        "kind": "incident",
        "subject": "[techmoda] techmoda-read: exhaustion",
        "key": f"{one}#{sequence:06d}",
        "sequence": sequence,
        "at": "2026-09-29T12:20:00.000Z",
        "service": "techmoda",
        "severity": "info",
        "incident": one,
        "title": "techmoda-read: exhaustion",
        "region": "eu-west-1",
        "account": "123456789012",
        "status": status,
        "urgent": False,
        "phase": status,
        "by": "sereno",
        "owner": "",
        "detail": "nothing has been red since 12:15 UTC",
        "opened": "2026-09-29T12:00:00.000Z",
        "alarms": ["techmoda/read/exhaustion"],
        "remediations": [],
    }
    return {**found, **changed}


@pytest.fixture
def message() -> Any:
    return body


@pytest.fixture
def incident_message() -> Any:
    return incident_body
