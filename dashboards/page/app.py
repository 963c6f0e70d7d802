"""The on-call page: a Starlette application over a `Room`."""

from __future__ import annotations

import json
import logging
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from dashboards.page import security
from dashboards.page.guard import STATIC, Guard, cookie_of
from dashboards.page.live import Live
from dashboards.page.room import INCIDENT_VERBS, PAGE, VERBS, Done, Room
from dashboards.page.security import Door
from dashboards.page.sessions import SIGNED_IN_S
from dashboards.page.views import render, words
from remediators.clients import trouble
from sereno.errors import SerenoError

log = logging.getLogger("sereno.page")
FORM_COOKIE = "sereno_form"
BODY_LIMIT = 8192
ID_LIMIT = 300
# Days are counted back and forth from these, which must stay within what a datetime can hold.
FIRST_YEAR, LAST_YEAR = 2000, 2200
SAID_LIMIT = 200
OLD_FORM = "This form is not from this page, or is old. Load the page again."
UNTOLD = "The world cannot be read just now. The page tries again by itself."
# What a person must do first, by what keeps AWS from being read.
UNREAD = {
    "expired": "The AWS credentials of this page have expired. Sign in again where the page runs, for example with "
    "aws sso login; the page then goes on.",
    "missing": "This page has no AWS credentials. Set AWS_PROFILE where the page runs and start it again.",
    "silent": "AWS does not answer. The page tries again by itself; until then use the AWS console.",
}


def create(
    room: Room,
    door: Door,
    *,
    poll_s: float = 2.0,
    quiet_s: float = 15.0,
    clock: Callable[[], float] = time.time,
) -> Starlette:
    """The application. It keeps nothing but the last answer to each browser, and the secret that binds its forms.
    `clock` gives seconds since 1970, for sign-ins: the room's own time may be a drill's."""
    page = Page(room, door, Live(room.version, poll_s, quiet_s), clock)
    get = [
        ("/", page.overview),
        ("/timeline", page.timeline),
        ("/incidents", page.incidents),
        ("/incidents/{id:path}", page.incident),
        ("/remediations/{id:path}", page.remediation),
        ("/budget", page.budget),
        ("/scorecard", page.scorecard),
        ("/drills", page.drills),
    ]
    routes: list[Any] = [Route(path, what, methods=["GET"]) for path, what in get]
    routes += [
        Route("/live", page.stream, methods=["GET"]),
        Route("/act", page.act, methods=["POST"]),
        Route("/press", page.press, methods=["POST"]),
        Route("/sign-in", page.sign_in, methods=["GET", "POST"]),
        Route("/sign-out", page.sign_out, methods=["POST"]),
        Mount("/static", StaticFiles(directory=STATIC)),
    ]
    app = Starlette(routes=routes, exception_handlers={404: page.lost, SerenoError: page.unread})
    app.add_middleware(Guard, door=door, clock=clock)
    return app


class Page:
    """The pages of one room."""

    def __init__(self, room: Room, door: Door, live: Live, clock: Callable[[], float]) -> None:
        self._room = room
        self._door = door
        self._live = live
        self._clock = clock
        self._secret = secrets.token_bytes(32)
        self._said: OrderedDict[str, Done] = OrderedDict()

    # -- pages

    def overview(self, request: Request) -> Response:
        """How things stand."""
        seen = self._room.overview()
        return self._page(request, "now", "Now", seen=seen, charts=self._room.charts())

    def timeline(self, request: Request) -> Response:
        """What was done and refused, newest first."""
        before = _day(request.query_params.get("before", ""))
        found = self._room.timeline(before)
        older = found[-1].created - timedelta(days=1) if found else None
        return self._page(request, "timeline", "Timeline", found=found, before=before, older=older, most=PAGE)

    def incidents(self, request: Request) -> Response:
        """The newest incidents."""
        return self._page(request, "incidents", "Incidents", found=self._room.incidents())

    def incident(self, request: Request) -> Response:
        """One incident."""
        given = request.path_params["id"]
        view = self._room.incident(given) if len(given) <= ID_LIMIT else None
        if view is None:
            return self._problem(request, 404, "There is no such incident.")
        return self._page(request, "incident", view.incident.title, view=view)

    def remediation(self, request: Request) -> Response:
        """One remediation."""
        given = request.path_params["id"]
        view = self._room.remediation(given) if len(given) <= ID_LIMIT else None
        if view is None:
            return self._problem(request, 404, "There is no such remediation.")
        one = view.remediation
        return self._page(
            request, "remediation", f"{words(one.remediator).capitalize()} on {one.target.name}", view=view, one=one
        )

    def budget(self, request: Request) -> Response:
        """The error budget of each API."""
        return self._page(request, "budget", "Error budget", found=self._room.budget())

    def scorecard(self, request: Request) -> Response:
        """How each remediator did."""
        return self._page(request, "scorecard", "Scorecard", found=self._room.scorecard())

    def drills(self, request: Request) -> Response:
        """The drills that were run."""
        return self._page(request, "drills", "Drills", found=self._room.drills())

    # -- live and buttons

    async def stream(self, _: Request) -> Response:
        """Server-sent events."""
        return StreamingResponse(
            self._live.stream(), media_type="text/event-stream", headers={"X-Accel-Buffering": "no"}
        )

    async def act(self, request: Request) -> Response:
        """A button of a remediation or an incident."""
        form = await self._form(request)
        if form is None:
            return PlainTextResponse(OLD_FORM, 403)
        verb, given, plan = form.get("verb", ""), form.get("id", ""), form.get("plan") or None
        if verb not in (*VERBS, *INCIDENT_VERBS) or not 0 < len(given) <= ID_LIMIT:
            return PlainTextResponse("verb: must be one of the page's buttons, id: one of its things", 400)
        actor = request.state.actor
        done = await run_in_threadpool(self._room.act, verb, given, actor=actor, plan=plan)
        return self._answer(request, form, done, verb, given)

    async def press(self, request: Request) -> Response:
        """A button of the world's own, such as a drill's surge."""
        form = await self._form(request)
        if form is None:
            return PlainTextResponse(OLD_FORM, 403)
        name = form.get("name", "")
        if name not in [known for known, _ in self._room.controls()]:
            return PlainTextResponse("name: is no button of this page", 400)
        done = await run_in_threadpool(self._room.press, name, actor=request.state.actor)
        return self._answer(request, form, done, "press", name)

    async def sign_in(self, request: Request) -> Response:
        """Asks for the token, where the page is kept by one."""
        if not self._door.token:
            return RedirectResponse("/", 303)
        if request.method == "GET":
            return self._asks()
        client, now = _client(request), self._clock()
        if wait_s := self._door.sessions.wait_s(client, now):
            answer = self._asks(f"Too many wrong tokens came from your address. Try again in {wait_s} s.", 429)
            answer.headers["Retry-After"] = str(wait_s)
            return answer
        form = parse_form(await _body(request))
        cookie, wrong = self._door.sign_in(form.get("name", ""), form.get("token", ""), now)
        if not cookie:
            self._door.sessions.note_wrong(client, now)
            log.warning(json.dumps({"event": "sign-in refused", "client": client}))
            return self._asks(wrong, 403)
        answer = RedirectResponse("/", 303)
        self._set(answer, request, security.COOKIE, cookie, SIGNED_IN_S)
        return answer

    async def sign_out(self, request: Request) -> Response:
        """Ends the session, in this browser and wherever its cookie was copied to."""
        if await self._form(request) is None:
            return PlainTextResponse(OLD_FORM, 403)
        self._door.sessions.end(cookie_of(request.headers), self._clock())
        answer = RedirectResponse("/sign-in" if self._door.token else "/", 303)
        answer.delete_cookie(security.COOKIE)
        return answer

    def _asks(self, wrong: str = "", status: int = 200) -> Response:
        return HTMLResponse(render("sign_in", title="Sign in", wrong=wrong), status)

    # -- what goes wrong

    def lost(self, request: Request, _: Exception) -> Response:
        """No such page."""
        return self._problem(request, 404, "There is no such page.")

    def unread(self, request: Request, error: Exception) -> Response:
        """The world could not be read: told without its details, which are logged."""
        log.warning(json.dumps({"event": "unreadable", "path": request.url.path, "error": str(error)}))
        return self._problem(request, 503, UNREAD.get(trouble(error), UNTOLD))

    # -- plumbing

    def _problem(self, request: Request, status: int, text: str) -> Response:
        return self._page(request, "problem", text, status=status, text=text)

    def _page(self, request: Request, name: str, title: str, *, status: int = 200, **facts: Any) -> Response:
        nonce = request.cookies.get(FORM_COOKIE, "")
        fresh = not (nonce.isascii() and 20 <= len(nonce) <= 100)
        if fresh:
            nonce = secrets.token_urlsafe(24)
        # A live look takes the page's middle only: the answer to a press waits for the page itself.
        said = None if "x-live" in request.headers else self._said.pop(nonce, None)
        text = render(
            name,
            title=title,
            room=self._room,
            now=self._room.now(),
            here=request.url.path,
            csrf=security.csrf_token(self._secret, nonce),
            actor=getattr(request.state, "actor", ""),
            signed_in=bool(self._door.token),
            said=said,
            controls=self._room.controls(),
            **facts,
        )
        answer = HTMLResponse(text, status)
        if fresh:
            self._set(answer, request, FORM_COOKIE, nonce)
        return answer

    def _set(self, answer: Response, request: Request, name: str, value: str, kept_s: int | None = None) -> None:
        host = security.name_of(request.headers.get("host", ""))
        secure = not security.is_loopback(host)
        answer.set_cookie(name, value, max_age=kept_s, httponly=True, samesite="strict", secure=secure)

    async def _form(self, request: Request) -> dict[str, str] | None:
        """The fields of a form of this page; None when it is another's."""
        form = parse_form(await _body(request))
        nonce = request.cookies.get(FORM_COOKIE, "")
        wanted = security.csrf_token(self._secret, nonce)
        return form if nonce and secrets.compare_digest(form.get("csrf", "").encode(), wanted.encode()) else None

    def _answer(self, request: Request, form: dict[str, str], done: Done, verb: str, given: str) -> Response:
        actor = request.state.actor
        log.info(json.dumps({"event": "pressed", "actor": actor, "verb": verb, "id": given, "taken": done.ok}))
        self._said[request.cookies[FORM_COOKIE]] = done
        while len(self._said) > SAID_LIMIT:
            self._said.popitem(last=False)
        return RedirectResponse(security.own_path(form.get("back", "/")), 303)


async def _body(request: Request) -> bytes:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY_LIMIT:
            return b""
    return body


def parse_form(body: bytes) -> dict[str, str]:
    """The fields of a form, the first of each name; nothing when it cannot be read."""
    try:
        fields = parse_qs(body.decode("ascii"), max_num_fields=10, errors="strict")
    except ValueError:
        return {}
    return {name: values[0] for name, values in fields.items()}


def _day(text: str) -> datetime | None:
    """The end of a day (YYYY-MM-DD); None when it is no day, or none that a ledger can know."""
    try:
        day = datetime.strptime(text, "%Y-%m-%d").replace(hour=23, minute=59, tzinfo=UTC) if text else None
    except ValueError:
        return None
    return day if day is not None and FIRST_YEAR <= day.year <= LAST_YEAR else None


def _client(request: Request) -> str:
    return request.client.host if request.client else ""
