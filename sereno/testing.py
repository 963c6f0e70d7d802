"""The fakes, shipped: for Sereno's own tests, its drills, and for whoever writes a remediator."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sereno.ports import Aws


@dataclass(slots=True)
class ManualClock:
    """A clock that stands still until it is moved."""

    moment: datetime

    def now(self) -> datetime:
        """The moment it was set to."""
        return self.moment

    def forward(self, seconds: float) -> datetime:
        """Moves on, and tells the new moment."""
        self.moment += timedelta(seconds=seconds)
        return self.moment


@dataclass(slots=True)
class CollectedTelemetry:
    """Keeps what was logged and counted."""

    logs: list[tuple[str, str, Mapping[str, Any]]] = field(default_factory=list)
    counts: list[tuple[str, float, Mapping[str, str]]] = field(default_factory=list)

    def log(self, level: str, message: str, **facts: Any) -> None:
        """Keeps a line."""
        self.logs.append((level, message, facts))

    def count(self, metric: str, value: float = 1, **dimensions: str) -> None:
        """Keeps a count."""
        self.counts.append((metric, value, dimensions))

    def flush(self) -> None:
        """Nothing to write."""

    def total(self, metric: str) -> float:
        """The sum of one metric."""
        return sum(value for name, value, _ in self.counts if name == metric)


class Crash(BaseException):
    """The process dies. No `except Exception` may catch it, as none survives the end of a process."""


Meddler = Callable[[int, str], BaseException | None]


@dataclass(slots=True)
class WatchedAws:
    """Passes every call on to another `Aws`, counts it, and lets a test meddle.

    `before(number, "service.operation")` and `after(...)` may answer an exception to raise: before the call was
    made, or after it took effect. Numbers start at 1.
    """

    inner: Aws
    before: Meddler | None = None
    after: Meddler | None = None
    calls: list[str] = field(default_factory=list)

    def client(self, service: str, region: str | None = None) -> Any:
        """A client whose calls are watched."""
        return _WatchedClient(self, self.inner.client(service, region), service)

    def mutating(self) -> list[str]:
        """The calls that changed something outside the ledger and the topic."""
        quiet = ("dynamodb.", "sns.")
        verbs = ("put_", "delete_", "update_", "create_", "register_")
        return [call for call in self.calls if not call.startswith(quiet) and call.split(".")[1].startswith(verbs)]


class _WatchedClient:
    def __init__(self, watched: WatchedAws, client: Any, service: str) -> None:
        self._watched = watched
        self._client = client
        self._service = service

    def __getattr__(self, operation: str) -> Any:
        function = getattr(self._client, operation)
        watched, label = self._watched, f"{self._service}.{operation}"

        def call(**params: Any) -> Any:
            watched.calls.append(label)
            number = len(watched.calls)
            _raise_if(watched.before, number, label)
            answer = function(**params)
            _raise_if(watched.after, number, label)
            return answer

        return call


def _raise_if(meddler: Meddler | None, number: int, label: str) -> None:
    error = meddler(number, label) if meddler else None
    if error is not None:
        raise error
