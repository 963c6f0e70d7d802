"""What random arrivals do to concurrency.

Requests come independently of each other, so the number in flight is Poisson around its mean, whatever the
durations: its spread is the root of the mean. A limit must hold the peaks, not the mean.
"""

from __future__ import annotations

import math
from collections.abc import Iterable


def with_peaks(mean: float, sigmas: float) -> float:
    """The concurrency that arrivals of this mean reach in their peaks, `sigmas` standard deviations up."""
    return mean + sigmas * math.sqrt(max(mean, 0.0))


def mean_within(limit: float, sigmas: float) -> float:
    """The largest mean whose peaks stay within a limit: the inverse of `with_peaks`.

    At six standard deviations a limit of 120 is exhausted by a mean of 70, one of 40 by a mean of 16: the smaller
    the limit, the smaller the part of it that can be used.
    """
    root = (math.sqrt(sigmas**2 + 4 * max(limit, 0.0)) - sigmas) / 2
    return root**2


def median(values: Iterable[float]) -> float:
    """The middle of some values, or the mean of the two in the middle. Raises ValueError where there is none.

    The standard library's `statistics` brings fractions and two more modules into every cold start.
    """
    ordered = sorted(values)
    if not ordered:
        raise ValueError("no median of nothing")
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2
