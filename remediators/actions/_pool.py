"""The account's unreserved concurrency: what other workloads use of it, and what must stay for them. Pure.

UnreservedConcurrentExecutions is one series for the whole account in a Region, per minute, minutes late. It counts
every function without a reservation, so also the one at hand as long as that has none.
https://docs.aws.amazon.com/lambda/latest/dg/monitoring-concurrency.html
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from remediators.metrics import Series

# PutFunctionConcurrency must leave this many executions unreserved in the account.
# https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html
UNRESERVED_MINIMUM = 100
POOL, OWN = "pool", "own"


def series_of(function: str, *, reserved: bool) -> dict[str, Series]:
    """What to read; the function's own use only while it lives in the pool."""
    wanted = {POOL: Series("AWS/Lambda", "UnreservedConcurrentExecutions", {}, "Maximum")}
    if not reserved:
        wanted[OWN] = Series("AWS/Lambda", "ConcurrentExecutions", {"FunctionName": function}, "Maximum")
    return wanted


def others_peak(series: Mapping[str, Sequence[Sequence[float]]]) -> int:
    """The most executions at once that other functions used of the unreserved pool in a minute; 0 where nothing was
    published."""
    own = {start: value for start, value in series.get(OWN, ())}  # noqa: C416 - points are lists
    return math.ceil(max((value - own.get(start, 0.0) for start, value in series.get(POOL, ())), default=0.0))


def must_stay(series: Mapping[str, Sequence[Sequence[float]]], params: Mapping[str, Any], floor: int) -> int:
    """Executions that must stay unreserved: AWS's minimum, the declared floor, and what others use with a margin for
    the minutes that are not published yet."""
    margin: float = params["pool_margin"]
    used = math.ceil(max(0, others_peak(series)) * margin)
    return max(UNRESERVED_MINIMUM, floor, used)
