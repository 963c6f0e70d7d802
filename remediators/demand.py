"""What a Lambda function is asked for, and why: pure arithmetic on its metrics."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sereno.chance import median
from sereno.ports import Context

MINUTE = 60.0
# The newest minutes describe now; those from ten minutes ago and earlier describe how it was before.
RECENT_MINUTES = 3
QUIET_BEFORE_S = 600.0
# Growth is laid to slower calls when they got at least this much slower, and more so than traffic grew.
SLOWER = 1.5
# Calls that are slower by less than this are as fast as ever; between the two a minute may be half slow, half not.
AS_FAST = 1.1
# Traffic that grew this much explains a surge by itself: slower calls would have to be slower still.
GROWN = 3.0

# How long a decision waits for metrics that tell demand from slowness: Lambda's come within two minutes or so.
PATIENCE_S = 180.0
FAST_S = 10.0
# No metric of a minute is there sooner after its end.
SOONEST_S = 5.0

Points = Sequence[Sequence[float]]


@dataclass(frozen=True, slots=True)
class Demand:
    """`concurrency` is the mean number of executions asked for at once, throttled attempts included; `usual` the
    same before; `rate_growth` and `slowdown` are ratios to before (None where there is no before). `is_current` says
    whether the length of calls is known for the minute that was asked about."""

    concurrency: float
    usual: float | None
    rate_growth: float | None
    slowdown: float | None
    is_current: bool = True

    @property
    def is_slowness(self) -> bool:
        """Whether concurrency grew because calls got slower: raising it would feed the collapse."""
        if self.rate_growth is None or self.slowdown is None or self.slowdown < SLOWER:
            return False
        return math.log(self.slowdown) > math.log(max(self.rate_growth, 1.0))

    @property
    def is_told(self) -> bool:
        """Whether the metrics tell demand from slowness yet. Each of them comes with a delay of its own: an alarm may
        speak of a minute whose calls are not counted, nor their length known."""
        if self.rate_growth is None or self.slowdown is None or self.is_slowness or self.rate_growth >= GROWN:
            return True
        return self.is_current and self.slowdown < AS_FAST


def measure(series: Mapping[str, Points], now_s: float, alarmed_s: float | None = None) -> Demand | None:
    """From minutely `invocations`, `throttles` (sums), `duration` (mean ms) and, where published, 10-second
    `work` (sums of ms) and `calls` (their number): the demand now. `alarmed_s` is when the alarm went off, which
    spoke of a minute before that. None when nothing ran in the last ten minutes."""
    rates = _rates(series)
    slow = {start: value for start, value in series.get("duration", ())}  # noqa: C416 - points are lists
    minutes = sorted(start for start in rates if start in slow and start > now_s - QUIET_BEFORE_S)
    work = [value / 10_000 for start, value in series.get("work", ()) if start > now_s - 2 * MINUTE]
    if not minutes:
        return Demand(max(work), None, None, None) if work else None
    newest = minutes[-RECENT_MINUTES:]
    asked = [rates[start] * slow[start] / 1000 for start in newest]
    earlier = [start for start in rates if start in slow and start <= now_s - QUIET_BEFORE_S and rates[start] > 0]
    concurrency = max([*asked, *work])
    if not earlier:
        return Demand(concurrency, None, None, None)
    usual_rate, usual_ms = median(rates[start] for start in earlier), median(slow[start] for start in earlier)
    # The newest minute is often half published: its sum would make a surge look small, its mean is sound.
    rate = max(rates[start] for start in sorted(rates)[-RECENT_MINUTES:])
    last = max(slow)
    length, current = slow[last], alarmed_s is None or _tells_of(last, series, alarmed_s)
    # A minute with more calls than usual that are no slower is how a surge begins.
    current = current or rates.get(last, 0.0) >= SLOWER * usual_rate
    fast = _fast(series, now_s)
    if fast and fast[-1][0] >= last + MINUTE:
        rate, length = max(rate, *(one[1] for one in fast)), fast[-1][2]
        current = current or alarmed_s is None or fast[-1][0] + 2 * FAST_S > alarmed_s
    return Demand(
        concurrency,
        usual_rate * usual_ms / 1000,
        rate / usual_rate,
        length / usual_ms if usual_ms else None,
        current,
    )


def _fast(series: Mapping[str, Points], now_s: float) -> list[tuple[float, float, float]]:
    """(start, calls a second, their mean ms) of the ten-second periods of the last two minutes, oldest first."""
    work = {start: value for start, value in series.get("work", ())}  # noqa: C416 - points are lists
    calls = [(start, value) for start, value in series.get("calls", ()) if start > now_s - 2 * MINUTE and value > 0]
    return [(start, value / FAST_S, work[start] / value) for start, value in calls if start in work]


def alarmed_at(context: Context) -> float | None:
    """When the signal's alarm went off, in epoch seconds."""
    return context.signal.at.timestamp() if context.signal else None


def is_early(context: Context) -> bool:
    """Whether to wait for metrics that are on their way is better than to act on what is known."""
    return context.signal is not None and (context.now - context.signal.at).total_seconds() < PATIENCE_S


def _tells_of(minute: float, series: Mapping[str, Points], alarmed_s: float) -> bool:
    """Whether the minute is the last that the alarm can have seen, or shows what it is about: throttles."""
    throttled = any(start == minute and value > 0 for start, value in series.get("throttles", ()))
    return throttled or minute + 2 * MINUTE + SOONEST_S > alarmed_s


def _rates(series: Mapping[str, Points]) -> dict[float, float]:
    """Attempts per second for each minute, throttled ones included."""
    total: dict[float, float] = {}
    for name in ("invocations", "throttles"):
        for start, value in series.get(name, ()):
            total[start] = total.get(start, 0.0) + value / MINUTE
    return total
