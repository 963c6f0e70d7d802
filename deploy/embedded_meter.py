"""Token buckets for the request rates of an emulated account, on whatever clock the caller has.

A handler of a drill runs in one go, though in the account it overlaps with others: its calls come with moments that
lie between those of calls counted already. A bucket therefore keeps the moments of its requests and judges each as of
its own moment.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Mapping
from typing import Any

from deploy.embedded_rates import LIMITS, SIZES, RateLimit, SizeLimit, limit_of

# An invocation of Sereno's lasts a minute at most (the prober): no call is counted later than that behind others.
KEPT_S = 60.0


class TokenBucket:
    """`rate` requests a second; `burst` at once after a pause."""

    def __init__(self, rate: float, burst: float) -> None:
        self._rate, self._burst = rate, burst
        self._taken: list[float] = []
        # What was in the bucket at that moment, with all requests until then counted.
        self._level, self._since = burst, float("-inf")

    def take(self, at: float) -> bool:
        """Whether a request at that moment (seconds) is let through; it is counted if so. A request that is turned
        away costs nothing."""
        level, since = self._level, self._since
        for moment in self._taken:
            if moment > at:
                break
            level, since = min(self._burst, level + (moment - since) * self._rate) - 1, moment
        if min(self._burst, level + max(0.0, at - since) * self._rate) < 1 - 1e-9:
            return False
        insort(self._taken, at)
        self._forget()
        return True

    def _forget(self) -> None:
        old = self._taken[-1] - KEPT_S
        while self._taken[0] < old:
            moment = self._taken.pop(0)
            self._level = min(self._burst, self._level + (moment - self._since) * self._rate) - 1
            self._since = moment


class Meter:
    """What an account's callers have asked for, by limit and Region."""

    def __init__(self, limits: tuple[RateLimit, ...] = LIMITS, sizes: tuple[SizeLimit, ...] = SIZES) -> None:
        self._limits, self._sizes = limits, sizes
        self._buckets: dict[tuple[str, str], TokenBucket] = {}
        self._limit_of: dict[tuple[str, str], RateLimit | None] = {}

    def take(self, service: str, operation: str, region: str, at: float) -> RateLimit | None:
        """Counts a request at that moment (epoch seconds); answers the limit that turns it away, or None."""
        limit = self.limit(service, operation)
        if limit is None:
            return None
        key = (limit.name, "" if limit.everywhere else region)
        if key not in self._buckets:
            self._buckets[key] = TokenBucket(limit.rate, limit.burst)
        return None if self._buckets[key].take(at) else limit

    def limit(self, service: str, operation: str) -> RateLimit | None:
        """The limit that the operation counts against."""
        key = (service, operation)
        if key not in self._limit_of:
            self._limit_of[key] = limit_of(service, operation, self._limits)
        return self._limit_of[key]

    def too_large(self, service: str, operation: str, params: Mapping[str, Any]) -> SizeLimit | None:
        """The limit that a request is too large for, or None."""
        for limit in self._sizes:
            if (limit.service, limit.operation) == (service, operation) and _largest(params, limit.path) > limit.most:
                return limit
        return None


def _largest(value: Any, path: tuple[str, ...]) -> int:
    """The most elements of a list at the path."""
    if not path:
        return len(value) if isinstance(value, (list, tuple)) else 0
    step, *rest = path
    if step == "*":
        return max((_largest(inner, tuple(rest)) for inner in value or ()), default=0)
    return _largest(value.get(step), tuple(rest)) if isinstance(value, Mapping) else 0
