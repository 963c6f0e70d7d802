"""Nobody keeps the on-call page from others: not by many connections, half a request, or endless headers."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import contextmanager, suppress

import pytest
import uvicorn

from console import serve_limits
from console.serve_limits import Limits

WHOLE = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
PATIENT_S = 0.4


async def application(scope, receive, send):
    """Answers once the whole request is there."""
    if scope["type"] != "http":
        return
    more = True
    while more:
        message = await receive()
        more = message.get("more_body", False)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


@contextmanager
def served(limits):
    server = uvicorn.Server(
        serve_limits.config(application, limits=limits, port=0, log_level="critical", lifespan="off")
    )
    sock = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [sock]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield sock.getsockname()
    finally:
        server.should_exit = True
        thread.join(5)
        sock.close()


@pytest.fixture(scope="module")
def address():
    with served(Limits(connections=20, header_bytes=2048, request_s=PATIENT_S, idle_s=1)) as place:
        yield place


def opened(address, *parts):
    browser = socket.create_connection(address, timeout=5)
    for part in parts:
        browser.sendall(part)
    return browser


def end(browser):
    """All that comes until the server closes the connection."""
    answer = b""
    try:
        while part := browser.recv(4096):
            answer += part
    except ConnectionResetError:
        pass
    browser.close()
    return answer


@pytest.mark.parametrize(
    "half",
    [
        b"",
        b"GET / HT",
        b"GET / HTTP/1.1\r\nHost: a\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhalf",
        WHOLE + b"GET / HTTP/1.1\r\nX-Slow: ",
    ],
)
def test_half_a_request_is_not_waited_for(address, half):
    started = time.monotonic()
    browser = opened(address, half)
    answer = end(browser)
    assert time.monotonic() - started < PATIENT_S + 2
    assert answer.count(b"200 OK") == half.startswith(WHOLE)


def test_a_request_that_trickles_in_has_no_more_time(address):
    browser = opened(address, b"GET / HTTP/1.1\r\n")
    started = time.monotonic()
    with suppress(ConnectionError):
        while time.monotonic() - started < PATIENT_S + 5:
            browser.sendall(b"X-A: b\r\n")
            time.sleep(0.05)
    assert time.monotonic() - started < PATIENT_S + 2
    browser.close()


def test_too_many_connections_are_closed_and_the_first_are_still_served():
    with served(Limits(connections=20, request_s=30)) as address:
        crowd = [opened(address) for _ in range(60)]
        closed = 0
        for browser in crowd[20:]:
            try:
                closed += browser.recv(1) == b""
            except ConnectionResetError:
                closed += 1
        assert closed == 40
        crowd[0].sendall(WHOLE)
        assert b"200 OK" in crowd[0].recv(4096)
        for browser in crowd:
            browser.close()


def test_one_address_has_its_share_alone():
    with served(Limits(of_one_address=3, many=frozenset(), request_s=5)) as address:
        crowd = [opened(address) for _ in range(4)]
        assert end(crowd[3]) == b""
        crowd[0].sendall(WHOLE)
        assert b"200 OK" in crowd[0].recv(4096)
        for browser in crowd[:3]:
            browser.close()


def test_headers_without_end_are_refused(address):
    assert b"400" in end(opened(address, b"GET / HTTP/1.1\r\nX: " + b"a" * 4000))
