"""What the on-call page's server takes from one browser, and from all of them: connections, headers, patience.

Behind no proxy, the page is a small server on a machine that people need at 3 a.m. Whoever opens many connections, or
sends half a request and waits, must not keep it from them.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import h11
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol


@dataclass(frozen=True, slots=True)
class Limits:
    """`connections` at once in all, and `of_one_address`; a browser with a live view holds one or two. A request's
    line and headers have `header_bytes` at most, and a whole request arrives within `request_s` seconds. An idle
    connection is closed after `idle_s` seconds. `many` are addresses that speak for many people: a proxy's, and this
    machine's. The limit of one address does not hold for them."""

    connections: int = 200
    of_one_address: int = 50
    header_bytes: int = 16 * 1024
    request_s: float = 10.0
    idle_s: int = 5
    many: frozenset[str] = frozenset({"127.0.0.1", "::1"})


LIMITS = Limits()
# The states of h11 in which a whole request is here.
_ARRIVED = (h11.DONE, h11.MUST_CLOSE, h11.CLOSED, h11.ERROR)


def protocol(limits: Limits) -> type[H11Protocol]:
    """The protocol of a server that holds these limits."""

    class Limited(H11Protocol):
        """Turns away what is over the limits, and closes a connection whose request does not arrive in time."""

        _patience: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            address = self.client[0] if self.client else ""
            of_address = [other for other in self.connections if getattr(other, "client", ("",))[0] == address]
            if len(self.connections) > limits.connections or (
                len(of_address) > limits.of_one_address and address not in limits.many
            ):
                transport.abort()
                return
            self._wait()

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            if self.conn.their_state in _ARRIVED:
                self._stop_waiting()
            elif self._patience is None:
                self._wait()

        def on_response_complete(self) -> None:
            super().on_response_complete()
            self._stop_waiting()

        def connection_lost(self, exc: Exception | None) -> None:
            self._stop_waiting()
            super().connection_lost(exc)

        def _wait(self) -> None:
            self._patience = self.loop.call_later(limits.request_s, self.transport.abort)

        def _stop_waiting(self) -> None:
            if self._patience is not None:
                self._patience.cancel()
                self._patience = None

    return Limited


def config(app: Any, *, limits: Limits = LIMITS, **more: Any) -> Config:
    """The configuration of a server that holds these limits."""
    return Config(
        app,
        http=protocol(limits),
        ws="none",
        h11_max_incomplete_event_size=limits.header_bytes,
        timeout_keep_alive=limits.idle_s,
        **more,
    )
