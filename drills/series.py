"""What a world keeps of itself: counts by ten seconds, totals, and when it was unwell."""

from __future__ import annotations

from dataclasses import dataclass, field, fields

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

RESOLUTION_S = 10


@dataclass(frozen=True, slots=True)
class Series:
    """One item for each ten seconds since the start.

    `offered` (first attempts) = `served` + `failed`; `throttled` counts attempts, retries too; `peak` is the most
    executions in flight, `limit` the concurrency allowed (for the total: the account's).
    """

    offered: Ints
    served: Ints
    failed: Ints
    throttled: Ints
    peak: Ints
    limit: Ints


class Recorder:
    """Collects the parts of a series."""

    def __init__(self) -> None:
        self._parts: dict[str, list[Ints]] = {one.name: [] for one in fields(Series)}
        self._joined: Series | None = None

    def add(self, **parts: Ints) -> None:
        for name, part in parts.items():
            self._parts[name].append(part)
        self._joined = None

    def series(self) -> Series:
        if self._joined is None:
            self._joined = Series(**{name: _joined(parts) for name, parts in self._parts.items()})
        return self._joined


def _joined(parts: list[Ints]) -> Ints:
    whole: Ints = np.concatenate(parts) if parts else np.zeros(0, dtype=np.int64)
    if len(parts) > 1:
        parts[:] = [whole]
    return whole


@dataclass(slots=True)
class Totals:
    """Sums over a function's, or the world's, life. `offered` = `served` + `failed`."""

    offered: int = 0
    served: int = 0
    failed: int = 0
    served_on_retry: int = 0
    throttled: int = 0
    rejected: int = 0
    invocations: int = 0
    errors: int = 0
    cold_starts: int = 0

    @property
    def attempts(self) -> int:
        """Requests that reached the API, retries included."""
        return self.invocations + self.throttled + self.rejected

    @property
    def availability(self) -> float:
        """The part of first attempts that succeeded; 1 when nothing was asked."""
        return self.served / self.offered if self.offered else 1.0

    def __add__(self, other: Totals) -> Totals:
        return Totals(*(getattr(self, one.name) + getattr(other, one.name) for one in fields(Totals)))


@dataclass(frozen=True, slots=True)
class Trouble:
    """From the first throttle until `quiet` seconds passed without a failed attempt. `ended` is the time of the
    last failed attempt before that quiet, None when it did not come."""

    began: float
    ended: float | None

    @property
    def seconds(self) -> float | None:
        return None if self.ended is None else self.ended - self.began


@dataclass(slots=True)
class Failures:
    """The moments (epoch seconds, start of a 20 ms step) in which attempts failed, in order."""

    _parts: list[Floats] = field(default_factory=list)

    def add(self, times: Floats) -> None:
        if len(times):
            self._parts.append(times)

    @property
    def times(self) -> Floats:
        if len(self._parts) > 1:
            self._parts = [np.concatenate(self._parts)]
        return self._parts[0] if self._parts else np.zeros(0)

    def trouble(self, began: float | None, now: float, quiet: float) -> Trouble | None:
        """The trouble that began then, seen at `now`; None when there was none."""
        if began is None:
            return None
        times = self.times
        after = np.append(times[times >= began], now)
        gaps = np.flatnonzero(np.diff(after) >= quiet)
        return Trouble(began, float(after[gaps[0]]) if len(gaps) else None)
