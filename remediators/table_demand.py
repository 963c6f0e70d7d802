"""What a DynamoDB table and its indexes are asked for: pure arithmetic on their metrics.

A table and each of its global secondary indexes have a capacity of their own for reads and for writes. One of these
is called a *lane* here; its name is `read` or `write` for the table, `<index> read` or `<index> write` for an index.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from remediators.demand import MINUTE, QUIET_BEFORE_S, RECENT_MINUTES
from sereno.chance import median, with_peaks

KINDS = ("read", "write")
# Throttled calls are laid to a hot key when at least this part of them is.
MOSTLY = 0.5
# Throttled below this part of the capacity, a table is not short of it.
WELL_UNDER = 0.5

Points = Sequence[Sequence[float]]


@dataclass(frozen=True, slots=True, order=True)
class Lane:
    """The reads or the writes of a table (`index` is empty) or of one of its indexes."""

    index: str
    kind: str

    @property
    def name(self) -> str:
        """As settings and messages call it."""
        return f"{self.index} {self.kind}".lstrip()

    @staticmethod
    def named(name: str) -> Lane:
        """The lane of a name; the inverse of `name`."""
        index, _, kind = name.rpartition(" ")
        return Lane(index, kind)


def lanes(indexes: Iterable[str]) -> tuple[Lane, ...]:
    """The lanes of a table with these indexes, the table's own first."""
    return tuple(Lane(index, kind) for index in ("", *sorted(indexes)) for kind in KINDS)


@dataclass(frozen=True, slots=True)
class LaneDemand:
    """Units a second: `asked` in the busiest of the newest minutes, throttled calls included; `consumed` the same
    without them; `usual` before (None: there is no before). `throttled` are the events of the last ten minutes:
    `key_range` those laid to one range of keys, `account` to a quota; `known` are those with any cause told."""

    asked: float
    consumed: float
    usual: float | None
    throttled: float = 0.0
    key_range: float = 0.0
    account: float = 0.0
    known: float = 0.0

    def is_hot(self, capacity: float) -> bool:
        """Whether calls are throttled though the capacity suffices: one key, or a few, take more than a partition
        gives. A table that tells no cause is judged by what it consumed."""
        if self.throttled <= 0:
            return False
        if self.known > 0:
            return self.key_range >= MOSTLY * self.known
        return self.consumed < WELL_UNDER * capacity


def measure(series: Mapping[str, Points], now_s: float, attempts: float) -> LaneDemand | None:
    """From minutely sums of one lane: `consumed` units, `calls` that consumed, `throttles`, and those of them whose
    cause is told (`key_range`, `capacity`, `account`). None when nothing was consumed or throttled in the last hour.

    A throttled call consumes nothing, so consumption never shows more than the capacity. Its SDK tries it `attempts`
    times before it gives up, and each attempt is an event: events / attempts calls were turned away at least.
    """
    consumed, throttles = _by_minute(series.get("consumed", ())), _by_minute(series.get("throttles", ()))
    if not consumed and not throttles:
        return None
    each = _units_of_a_call(consumed, _by_minute(series.get("calls", ())))
    minutes = sorted(set(consumed) | set(throttles))
    recent = [start for start in minutes if start > now_s - QUIET_BEFORE_S]
    newest = recent[-RECENT_MINUTES:]
    asked = [(consumed.get(one, 0.0) + each * throttles.get(one, 0.0) / attempts) / MINUTE for one in newest]
    earlier = [consumed[one] / MINUTE for one in consumed if one <= now_s - QUIET_BEFORE_S]
    causes = {
        cause: sum(value for start, value in series.get(cause, ()) if start > now_s - QUIET_BEFORE_S)
        for cause in ("key_range", "capacity", "account")
    }
    known = sum(causes.values())
    return LaneDemand(
        asked=max(asked, default=0.0),
        consumed=max((consumed.get(one, 0.0) / MINUTE for one in newest), default=0.0),
        usual=median(earlier) if earlier else None,
        # Each metric comes with a delay of its own: a cause may be told before its event, or after.
        throttled=max(sum(throttles[one] for one in recent if one in throttles), known),
        key_range=causes["key_range"],
        account=causes["account"],
        known=known,
    )


def growth(invocations: Sequence[Points], now_s: float) -> float | None:
    """How many times more calls the table's functions get than in the hour before; None where there is no before.

    Their traffic tells of demand that has not reached the table yet: their own limit may still hold it back.
    """
    total: dict[float, float] = {}
    for points in invocations:
        for start, value in points:
            total[start] = total.get(start, 0.0) + value
    recent = [total[one] for one in sorted(total) if one > now_s - QUIET_BEFORE_S][-RECENT_MINUTES:]
    earlier = [value for start, value in total.items() if start <= now_s - QUIET_BEFORE_S and value > 0]
    return max(recent) / median(earlier) if recent and earlier else None


def minute_peak(mean: float, sigmas: float) -> float:
    """The units a second of a minute that is busy by chance, `sigmas` standard deviations up.

    Shorter peaks do not count: what a table leaves unused in five minutes it may use in a burst.
    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/burst-adaptive-capacity.html
    """
    return with_peaks(mean * MINUTE, sigmas) / MINUTE


def _by_minute(points: Points) -> dict[float, float]:
    return {start: value for start, value in points}  # noqa: C416 - points are lists


def _units_of_a_call(consumed: Mapping[float, float], calls: Mapping[float, float]) -> float:
    """The mean over the hour; 1 where it is not told."""
    total = sum(calls.values())
    return sum(consumed.values()) / total if total > 0 and consumed else 1.0
