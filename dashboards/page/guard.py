"""Stands before every page: who asks, by which name, from where; and what the browser may do with the answer."""

from __future__ import annotations

import time
from collections.abc import Callable
from http.cookies import CookieError, SimpleCookie
from pathlib import Path

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dashboards.page.security import COOKIE, HEADERS, Door, from_here

STATIC = Path(__file__).parent / "static"
# Whole paths: a prefix would open whatever is mounted below it one day.
OPEN_TO_ALL = frozenset({"/sign-in", *(f"/static/{file.name}" for file in STATIC.iterdir())})


class Guard:
    """ASGI middleware. Leaves the name of who asks in `state.actor`."""

    def __init__(self, app: ASGIApp, door: Door, clock: Callable[[], float] = time.time) -> None:
        self._app = app
        self._door = door
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
            await send(message)

        refusal = self._refusal(scope)
        await (refusal or self._app)(scope, receive, guarded)

    def _refusal(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        if len(headers.getlist("host")) != 1 or not self._door.knows_host(headers["host"]):
            return PlainTextResponse("This page does not answer to that name.", 421)
        if scope["method"] not in ("GET", "HEAD") and not from_here(headers):
            return PlainTextResponse("A press of a button must come from the page itself.", 403)
        client = (scope.get("client") or ("", 0))[0]
        named = [_text(value) for value in headers.getlist(self._door.header)] if self._door.header else []
        actor = self._door.who(named, client, cookie_of(headers), self._clock())
        scope.setdefault("state", {})["actor"] = actor
        if actor or scope["path"] in OPEN_TO_ALL:
            return None
        if self._door.token and scope["method"] == "GET" and scope["path"] != "/live":
            return RedirectResponse("/sign-in", 303)
        return PlainTextResponse("Nobody vouches for who you are.", 401)


def _text(value: str) -> str:
    """A header's text: proxies write names in UTF-8, and ASGI reads every header as Latin-1."""
    try:
        return value.encode("latin-1").decode()
    except UnicodeError:
        return value


def cookie_of(headers: Headers) -> str:
    """The value of the sign-in cookie; nothing when there is none, or it cannot be read."""
    try:
        jar = SimpleCookie(headers.get("cookie", ""))
    except CookieError:
        return ""
    return jar[COOKIE].value if COOKIE in jar else ""
