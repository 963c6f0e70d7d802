"""What a Lambda function is asked for, and why: pure arithmetic on its metrics."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

MINUTE = 60.0
# The newest minutes describe now; those from ten minutes ago and earlier describe how it was before.
RECENT_MINUTES = 3
QUIET_BEFORE_S = 600.0
# Growth is laid to slower calls when they got at least this much slower, and more so than traffic grew.
SLOWER = 1.5

Points = Sequence[Sequence[float]]


@dataclass(frozen=True, slots=True)
class Demand:
    """`concurrency` is the mean number of executions asked for at once, throttled attempts included; `usual` the
    same before; `rate_growth` and `slowdown` are ratios to before (None where there is no before)."""

    concurrency: float
    usual: float | None
    rate_growth: float | None
    slowdown: float | None

    @property
    def is_slowness(self) -> bool:
        """Whether concurrency grew because calls got slower: raising it would feed the collapse."""
        if self.rate_growth is None or self.slowdown is None or self.slowdown < SLOWER:
            return False
        return math.log(self.slowdown) > math.log(max(self.rate_growth, 1.0))


def measure(series: Mapping[str, Points], now_s: float) -> Demand | None:
    """From minutely `invocations`, `throttles` (sums), `duration` (mean ms) and, where published, 10-second
    `work` (sums of ms): the demand now. None when nothing ran in the last ten minutes."""
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
    return Demand(
        concurrency,
        usual_rate * usual_ms / 1000,
        # The newest minute is often half published: its sum would make a surge look small, its mean is sound.
        max(rates[start] for start in newest) / usual_rate,
        slow[newest[-1]] / usual_ms if usual_ms else None,
    )


def _rates(series: Mapping[str, Points]) -> dict[float, float]:
    """Attempts per second for each minute, throttled ones included."""
    total: dict[float, float] = {}
    for name in ("invocations", "throttles"):
        for start, value in series.get(name, ()):
            total[start] = total.get(start, 0.0) + value / MINUTE
    return total
