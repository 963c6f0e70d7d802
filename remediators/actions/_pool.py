"""The account's unreserved concurrency: what other workloads use of it, and what must stay for them. Pure.

UnreservedConcurrentExecutions is one series for the whole account in a Region, per minute, minutes late. It counts
every function without a reservation, so also the one at hand as long as that has none.
https://docs.aws.amazon.com/lambda/latest/dg/monitoring-concurrency.html

A surge seldom comes to one service alone. Where the use of others has begun to grow, as much stays as they need when
they grow like this service; where it is steady, what they used stays with a margin.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from remediators.metrics import Series
from sereno.chance import median, with_peaks

# PutFunctionConcurrency must leave this many executions unreserved in the account.
# https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html
UNRESERVED_MINIMUM = 100
POOL, OWN = "pool", "own"
# Others grow when the larger of so many newest minutes is more than any before, and this many times the usual.
NEWEST, GROWING = 2, 1.3
# What a minute's most leaves out: with more arrivals the peaks of the busiest minute are higher above the usual one.
SIGMAS = 2.0
Points = Mapping[str, Sequence[Sequence[float]]]


def series_of(function: str, *, reserved: bool) -> dict[str, Series]:
    """What to read; the function's own use only while it lives in the pool."""
    wanted = {POOL: Series("AWS/Lambda", "UnreservedConcurrentExecutions", {}, "Maximum")}
    if not reserved:
        wanted[OWN] = Series("AWS/Lambda", "ConcurrentExecutions", {"FunctionName": function}, "Maximum")
    return wanted


def others(series: Points) -> list[tuple[float, float]]:
    """(epoch seconds, executions at once that other functions used of the unreserved pool), a point a minute, oldest
    first. `series` is as `series_of` reads it; each series whose name begins with `own` is a function's own use."""
    own: dict[float, float] = {}
    for name, points in series.items():
        if name.startswith(OWN):
            for start, value in points:
                own[start] = own.get(start, 0.0) + value
    return [
        (start, max(0.0, value - own.get(start, 0.0))) for start, value in sorted(map(tuple, series.get(POOL, ())))
    ]


def others_peak(series: Points) -> int:
    """The most executions at once that other functions used of the unreserved pool in a minute; 0 where nothing was
    published."""
    return math.ceil(max((value for _, value in others(series)), default=0.0))


def grown(series: Points, factor: float) -> int:
    """What others will use once they have grown by the factor, if they have begun to grow; 0 where their use is
    steady, or too little of it is published to say."""
    values = [value for _, value in others(series)]
    earlier, newest = values[:-NEWEST], values[-NEWEST:]
    if len(earlier) < NEWEST:
        return 0
    usual = median(earlier)
    if max(newest) <= max(earlier) or max(newest) < GROWING * usual:
        return 0
    return math.ceil(with_peaks(usual * factor, SIGMAS))


def must_stay(series: Points, params: Mapping[str, Any], floor: int, factor: float = 1.0) -> int:
    """Executions that must stay unreserved: AWS's minimum, the declared floor, what others use with a margin for the
    minutes that are not published yet, and what they will use where they grow too, by `factor` at most."""
    margin: float = params["pool_margin"]
    used = math.ceil(others_peak(series) * margin)
    return max(UNRESERVED_MINIMUM, floor, used, grown(series, factor))
