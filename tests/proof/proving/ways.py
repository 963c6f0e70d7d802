"""The ways to a region, on which it can be lost: customers' over HTTPS, and the calls of AWS's API.

Each is a real server on this machine that hands what it gets to the emulator. When a region is dark both close the
line without a word. What was called on the second is kept: who called which service of which region.
"""

from __future__ import annotations

import http.client
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from proving.papers import Papers

# Where a request is led on the emulator; an error that it is answered with; None: the line is closed.
Led = str | HTTPStatus | None
# What belongs to one line alone, and is not handed on.
OWN = frozenset({"connection", "keep-alive", "expect", "transfer-encoding", "content-length"})
ANSWERS_WITHIN_S = 65.0


@dataclass(frozen=True, slots=True)
class Called:
    """A call of AWS's API: who signed it (`eu-central-1 sereno-techmoda-prober`; the key where nobody told), the
    service and region that it is signed for, and the operation."""

    who: str
    service: str
    region: str
    operation: str


@dataclass(slots=True)
class Ways:
    """All of them. `dark` holds the regions that are lost, `failing` the paths on which one that is half dead answers
    with an error of its own; `led` says to which port a name leads."""

    api: str = ""
    emulator: str = ""
    dark: set[str] = field(default_factory=set)
    failing: dict[str, str] = field(default_factory=dict)
    led: dict[str, int] = field(default_factory=dict)
    called: list[Called] = field(default_factory=list)
    keys: Path = field(default_factory=Path)
    _servers: list[ThreadingHTTPServer] = field(default_factory=list, repr=False)

    def front(self, region: str, prefix: str, papers: Papers) -> int:
        """A server of a region that customers reach by a name; what it is asked lies below `prefix` on the emulator.
        Its port."""

        def lead(handler: _Handler, _body: bytes) -> Led:
            if region in self.failing and handler.path.startswith(self.failing[region]):
                return HTTPStatus.INTERNAL_SERVER_ERROR
            return None if region in self.dark else f"{prefix}{handler.path}"

        # Who calls is told by name here; on the emulator the path alone says what is meant.
        server = self._serve(lead, drop=frozenset({"host"}))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(papers.server)
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        return int(server.server_address[1])

    def open_api(self) -> None:
        """The way of AWS's API."""

        def lead(handler: _Handler, body: bytes) -> Led:
            called = self._read(handler, body)
            self.called.append(called)
            return None if called.region in self.dark else handler.path

        self.api = f"http://127.0.0.1:{self._serve(lead).server_address[1]}"

    def _read(self, handler: _Handler, body: bytes) -> Called:
        # https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-auth-using-authorization-header.html
        scope = handler.headers.get("Authorization", "").partition("Credential=")[2].partition(",")[0]
        key, _day, region, service, *_ = [*scope.split("/"), "", "", "", ""]
        told = self.keys / key
        who = told.read_text() if key and told.is_file() else key
        operation = handler.headers.get("X-Amz-Target", "").rpartition(".")[2]
        if not operation and body.startswith(b"Action="):
            operation = parse_qs(body.decode())["Action"][0]
        return Called(who, service, region, operation or f"{handler.command} {urlsplit(handler.path).path}")

    def _serve(
        self, lead: Callable[[_Handler, bytes], Led], drop: frozenset[str] = frozenset()
    ) -> ThreadingHTTPServer:
        server = _Server(("127.0.0.1", 0), _Handler)
        server.lead, server.ways, server.drop = lead, self, drop
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        self._servers.append(server)
        return server

    def close(self) -> None:
        """Nobody answers any more."""
        for server in self._servers:
            server.shutdown()
            server.server_close()


@contextmanager
def opened(place: Path) -> Iterator[Ways]:
    """The way of AWS's API, as long as the block lasts; those of customers are opened on it."""
    ways = Ways(keys=place / "keys")
    ways.keys.mkdir()
    ways.open_api()
    try:
        yield ways
    finally:
        ways.close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    ways: Ways
    drop: frozenset[str]
    lead: Callable[[_Handler, bytes], Led]

    def handle_error(self, request: object, client_address: object) -> None:
        """Nothing: whoever was cut off says so."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def _hand_on(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = self.server.lead(self, body)
        if path is None:
            self.close_connection = True
            return
        if isinstance(path, HTTPStatus):
            self.send_response_only(path)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        where = urlsplit(self.server.ways.emulator).netloc
        line = http.client.HTTPConnection(where, timeout=ANSWERS_WITHIN_S)
        try:
            line.putrequest(self.command, path, skip_host=True, skip_accept_encoding=True)
            for name, value in self._kept(where).items():
                line.putheader(name, value)
            line.endheaders(body)
            answer = line.getresponse()
            self._answer(answer, answer.read())
        finally:
            line.close()

    def _kept(self, where: str) -> Mapping[str, str]:
        kept = {
            name: value
            for name, value in self.headers.items()
            if name.lower() not in OWN and name.lower() not in self.server.drop
        }
        if not any(name.lower() == "host" for name in kept):
            kept["Host"] = where
        # Policies may ask for it: to the emulator, which speaks no TLS, this says that there was some.
        kept["X-Forwarded-Proto"] = "https"
        if self.command in ("POST", "PUT") or "Content-Length" in self.headers:
            kept["Content-Length"] = self.headers.get("Content-Length") or "0"
        return kept

    def _answer(self, answer: http.client.HTTPResponse, body: bytes) -> None:
        self.send_response_only(answer.status, answer.reason)
        for name, value in answer.getheaders():
            if name.lower() not in OWN:
                self.send_header(name, value)
        if answer.status not in (204, 304):
            length = answer.getheader("Content-Length") if self.command == "HEAD" else None
            self.send_header("Content-Length", length or str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_PATCH = _hand_on  # noqa: N815 - the names it calls

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: what was called is kept."""
