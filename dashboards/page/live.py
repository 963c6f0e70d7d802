"""News for the viewers: one poller a process asks the world whether anything has changed, however many look on."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import AsyncIterator, Callable

from sereno.errors import SerenoError

log = logging.getLogger("sereno.page")
RETRY_MS = 3000
# A comment now and then keeps proxies from closing a quiet stream, and finds viewers that are gone.
QUIET_S = 15.0


class Live:
    """Polls `version` every `every_s` seconds while somebody looks, and hands its digest to all of them."""

    def __init__(self, version: Callable[[], str], every_s: float = 2.0, quiet_s: float = QUIET_S) -> None:
        self._version = version
        self._every_s = every_s
        self._quiet_s = quiet_s
        self._viewers: set[asyncio.Queue[str]] = set()
        self._poller: asyncio.Task[None] | None = None
        self._current = ""

    @property
    def viewers(self) -> int:
        """How many look on."""
        return len(self._viewers)

    async def stream(self) -> AsyncIterator[str]:
        """Server-sent events: `version` at once and upon each change. A viewer who was away learns of what it missed
        from the first one. https://html.spec.whatwg.org/multipage/server-sent-events.html"""
        mine: asyncio.Queue[str] = asyncio.Queue(maxsize=1)
        self._viewers.add(mine)
        if self._poller is None or self._poller.done():
            self._poller = asyncio.create_task(self._poll())
        try:
            yield f"retry: {RETRY_MS}\n\n"
            if self._current:
                yield _event(self._current)
            while True:
                try:
                    yield _event(await asyncio.wait_for(mine.get(), self._quiet_s))
                except TimeoutError:
                    yield ": still here\n\n"
        finally:
            self._viewers.discard(mine)

    async def _poll(self) -> None:
        while self._viewers:
            try:
                seen = await asyncio.to_thread(self._version)
            except SerenoError as error:
                seen = f"unreadable: {error}"
            except Exception:
                # Whatever else is wrong with one look, the next one may be well: the stream must outlive it.
                log.exception("the world could not be looked at")
                seen = "unreadable"
            digest = hashlib.sha256(seen.encode()).hexdigest()[:16]
            if digest != self._current:
                self._current = digest
                for viewer in self._viewers:
                    if viewer.full():
                        viewer.get_nowait()
                    viewer.put_nowait(digest)
            await asyncio.sleep(self._every_s)
        # What is known grows old while nobody looks.
        self._current = ""


def _event(version: str) -> str:
    return f"event: version\nid: {version}\ndata: {version}\n\n"
