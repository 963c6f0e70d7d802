"""What a world keeps of itself and its tables: counts by ten seconds, totals, and when it was unwell."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from drills.table_state import Meter

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

RESOLUTION_S = 10


@dataclass(frozen=True, slots=True)
class Series:
    """One item for each ten seconds since the start.

    `offered` (first attempts) = `served` + `failed`, but for those that wait for a table: they count there once it
    is known. `throttled` counts attempts, retries too; `peak` is the most
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
    """Sums over a function's, or the world's, life. `offered` = `served` + `failed` + `waiting`.

    `rejected` attempts the gateway answered 5xx, `limited` ones 429; `errors` are invocations that failed for Lambda,
    `refusals` those that answered 5xx for a table's sake."""

    offered: int = 0
    served: int = 0
    failed: int = 0
    served_on_retry: int = 0
    throttled: int = 0
    rejected: int = 0
    invocations: int = 0
    errors: int = 0
    cold_starts: int = 0
    limited: int = 0
    refusals: int = 0

    @property
    def attempts(self) -> int:
        """Requests that reached the API, retries included."""
        return self.invocations + self.throttled + self.rejected + self.limited

    @property
    def waiting(self) -> int:
        """First attempts whose call to a table was throttled, and will be made again."""
        return self.offered - self.served - self.failed

    @property
    def availability(self) -> float:
        """The part of first attempts that succeeded, of those whose outcome is known; 1 when nothing was asked."""
        known = self.served + self.failed
        return self.served / known if known else 1.0

    def __add__(self, other: Totals) -> Totals:
        return Totals(*(getattr(self, one.name) + getattr(other, one.name) for one in fields(Totals)))


@dataclass(frozen=True, slots=True)
class TableSeries:
    """One item for each ten seconds since the start, of a table or an index.

    `read` and `write` are the units consumed a second, `read_throttled` and `write_throttled` the throttled calls
    (attempts of the SDK), `read_capacity` and `write_capacity` the units a second in force at the end.
    """

    read: Floats
    write: Floats
    read_throttled: Ints
    write_throttled: Ints
    read_capacity: Floats
    write_capacity: Floats


class TableRecorder:
    """Collects a table's series."""

    def __init__(self) -> None:
        self._rows: list[tuple[float, ...]] = []
        self._whole: TableSeries | None = None

    def add(self, read: Meter, write: Meter) -> None:
        """Ten seconds are over."""
        self._rows.append(
            (
                read.taken / RESOLUTION_S,
                write.taken / RESOLUTION_S,
                read.throttled,
                write.throttled,
                read.bucket.rate,
                write.bucket.rate,
            )
        )
        self._whole = None

    def series(self) -> TableSeries:
        if self._whole is None:
            columns = np.array(self._rows, dtype=np.float64).reshape(-1, len(fields(TableSeries))).T
            read, write, read_throttled, write_throttled, read_capacity, write_capacity = columns
            self._whole = TableSeries(
                read,
                write,
                read_throttled.astype(np.int64),
                write_throttled.astype(np.int64),
                read_capacity,
                write_capacity,
            )
        return self._whole

    def mean(self, slots: int) -> tuple[float, float]:
        """Read and write units a second over the last so many ten seconds."""
        rows = self._rows[-slots:]
        if not rows:
            return 0.0, 0.0
        return sum(row[0] for row in rows) / len(rows), sum(row[1] for row in rows) / len(rows)


@dataclass(slots=True)
class TableTotals:
    """Sums over a table's, or an index's, life: units consumed and calls throttled."""

    read_units: float = 0.0
    write_units: float = 0.0
    read_throttled: int = 0
    write_throttled: int = 0

    @property
    def throttled(self) -> int:
        """Throttled calls of both kinds."""
        return self.read_throttled + self.write_throttled

    def add(self, read: Meter, write: Meter) -> None:
        """Ten seconds are over."""
        self.read_units += read.taken
        self.write_units += write.taken
        self.read_throttled += read.throttled
        self.write_throttled += write.throttled

    def __add__(self, other: TableTotals) -> TableTotals:
        return TableTotals(*(getattr(self, one.name) + getattr(other, one.name) for one in fields(TableTotals)))


@dataclass(frozen=True, slots=True)
class Trouble:
    """From the first throttle until `quiet` seconds passed without a failed attempt (of a client; or of a call to a
    table). `ended` is the time of the
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
