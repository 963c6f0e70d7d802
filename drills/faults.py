"""What goes wrong in a drill: windows in which invocations fail or become slow, the gateway answers 5xx itself, one
key of a table draws the crowd, or strangers take the account's concurrency."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

Kind = Literal[
    "errors",
    "slow",
    "gateway",
    "hot-key",
    "strangers",
    "table-errors",
    "round-silent",
    "functions-fail",
    "topic-down",
    "undelivered",
    "channels-down",
]
KINDS: tuple[Kind, ...] = ("errors", "slow", "gateway", "hot-key", "strangers", "table-errors")
# What befalls the watchman, not the service.
WATCH_KINDS: tuple[Kind, ...] = ("round-silent", "functions-fail", "topic-down", "undelivered", "channels-down")


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault from `start` to `end` (seconds since the drill's start).

    * `errors`: `value` is the ratio of invocations that fail (a function error: 502 to the client).
    * `slow`: `value` multiplies the durations (a slow dependency).
    * `gateway`: `value` is the ratio of requests that API Gateway answers 5xx without invoking anything.

    * `hot-key`: `value` is the part of the requests to a table (or to `index`) that goes to one key.
    * `strangers`: `value` is the concurrency that functions outside the service take from the unreserved pool.

    * `table-errors`: `value` is the part of the calls to tables that DynamoDB answers with an error of its own. The
      SDK tries them again, so an invocation fails when all its attempts met one (see `Scenario.faults_for`).

    `function` names the function on AWS; None means every function. `table` (and `index`) name where the hot key
    lies; None means every table, and the table itself.

    Those of the watchman take neither a value nor a function: `round-silent` (its minute does not come),
    `functions-fail` (Sereno's functions end with an error), `topic-down` (SNS cannot be reached from them),
    `undelivered` (EventBridge cannot start them), `channels-down` (no channel takes what people are to be told, so it
    waits in the notifier's queue).
    """

    kind: Kind
    start: float
    end: float
    value: float
    function: str | None = None
    table: str | None = None
    index: str | None = None

    def touches(self, function: str, start: float, end: float) -> bool:
        """Whether the fault concerns the function at any time from `start` to `end`."""
        return self.function in {None, function} and self.start < end and start < self.end


def ratio_at(faults: Sequence[Fault], kind: Kind, function: str, times: Floats) -> Floats | None:
    """The ratio of failures at each time, None when there are none. Independent faults combine."""
    return _at(faults, kind, function, times, 0.0, lambda known, value: known + value - known * value)


def slowness_at(faults: Sequence[Fault], function: str, times: Floats) -> Floats | None:
    """The factor on durations at each time, None when nothing is slow."""
    return _at(faults, "slow", function, times, 1.0, lambda known, value: known * value)


def hot_share_at(faults: Sequence[Fault], table: str, index: str | None, usual: float, at: float) -> float:
    """The part of the requests that goes to one key at that time, at least `usual`."""
    shares = (
        fault.value
        for fault in faults
        if fault.kind == "hot-key"
        and fault.table in {None, table}
        and fault.index == index
        and fault.start <= at < fault.end
    )
    return max((usual, *shares))


def strangers_at(faults: Sequence[Fault], at: float) -> float:
    """The concurrency that strangers take at that time."""
    return sum(one.value for one in faults if one.kind == "strangers" and one.start <= at < one.end)


def _at(
    faults: Sequence[Fault],
    kind: Kind,
    function: str,
    times: Floats,
    calm: float,
    combine: Callable[[Floats, float], Floats],
) -> Floats | None:
    first, last = float(times[0]), float(times[-1])
    active = [fault for fault in faults if fault.kind == kind and fault.touches(function, first, last)]
    if not active:
        return None
    values = np.full(len(times), calm)
    for fault in active:
        inside = (times >= fault.start) & (times < fault.end)
        values[inside] = combine(values[inside], fault.value)
    return values
