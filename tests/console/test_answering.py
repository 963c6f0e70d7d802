"""An AWS that does not answer, or refuses the credentials, is told by its first call."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from remediators import clients

CONFIG = """\
service: shop
account: "123456789012"
region: eu-west-1
resources: {functions: {read: {name: shop-read}}}
"""
COMMANDS = [("plan",), ("deploy", "--yes"), ("destroy", "--yes"), ("notify", "test"), ("status",)]


@pytest.fixture
def config(tmp_path, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "y")
    path = tmp_path / "sereno.yaml"
    path.write_text(CONFIG, encoding="utf-8")
    return path


@contextmanager
def mute() -> Iterator[tuple[str, list[Any]]]:
    """A server that takes connections and never answers."""
    held: list[Any] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def take() -> None:
            while True:
                try:
                    held.append(server.accept()[0])
                except OSError:
                    return

        threading.Thread(target=take, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}", held
        server.shutdown(socket.SHUT_RDWR)
    for connection in held:
        connection.close()


class Expired(BaseHTTPRequestHandler):
    """STS and DynamoDB after the credentials have expired."""

    def do_POST(self) -> None:
        self.server.asked.append(self.path)  # type: ignore[attr-defined]
        sts = "X-Amz-Target" not in self.headers
        text = (
            "<ErrorResponse><Error><Code>ExpiredToken</Code><Message>old</Message></Error></ErrorResponse>"
            if sts
            else '{"__type": "ExpiredTokenException", "message": "old"}'
        )
        self.send_response(403 if sts else 400)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: Any) -> None: ...


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_an_endpoint_that_hangs_is_told_after_one_call(command, config, monkeypatch, arguments):
    hasty = clients.QUICK.merge(clients.Config(connect_timeout=0.2, read_timeout=0.1))
    for module in ("console.answering", "console.operate"):
        monkeypatch.setattr(f"{module}.QUICK", hasty)
    with mute() as (url, held):
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        answer = command(*arguments, *option(arguments, config))
        assert answer.exit_code == 2, answer.output
        assert "is there a way to AWS from here" in answer.stderr.replace("\n", " ")
        assert len(held) == 2, "two attempts of one call"


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_expired_credentials_are_told_after_one_call(command, config, monkeypatch, arguments):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Expired)
    server.asked = []  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
    try:
        answer = command(*arguments, *option(arguments, config))
    finally:
        server.shutdown()
        server.server_close()
    assert answer.exit_code == 2, answer.output
    assert "credentials" in answer.stderr
    assert "expired" in answer.stderr
    assert len(server.asked) == 1  # type: ignore[attr-defined]


def option(arguments: tuple[str, ...], config: Any) -> list[object]:
    """The configuration, as each command takes it."""
    return ["--config", config] if arguments[0] in ("notify", "status") else [config]


def test_a_quick_call_ends_within_five_seconds():
    """Two attempts, and the pause before the second: at most 1 s in standard mode.
    https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html"""
    options = clients.QUICK
    assert options.retries["total_max_attempts"] == 2
    assert 2 * max(options.read_timeout, options.connect_timeout) + 1 <= 5
