"""The world under a drill: clients, API Gateway and Lambda, and the metrics they would publish.

The world goes on by itself; whoever drives it changes limits between two calls of `advance`. Nothing here knows of
alarms, remediators, or any AWS API.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from drills.clients import Traffic
from drills.faults import Fault
from drills.function_model import FunctionModel, stream
from drills.harvest import GATEWAY_MS, INVOKE_MS, Harvest, harvest
from drills.lambda_model import (
    BIN,
    BLOCK,
    STEP_S,
    STEPS_A_SECOND,
    FunctionState,
)
from drills.metrics import Histogram, MetricStore
from drills.publishing import FunctionMinute, Minute, Publisher
from drills.series import Failures, Recorder, Series, Totals, Trouble

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

TOTAL = "total"
# Provisioned concurrency is allocated after a minute or two (Lambda developer guide): it is no instant remedy.
PROVISIONING_S = 120.0


@dataclass(frozen=True, slots=True)
class _Awaited:
    """Provisioned environments that are being made."""

    function: str
    value: int
    ready: int


class World:
    """A serverless API from `start` (epoch seconds, a whole minute) on.

    `account_limit` is the account's concurrency, of which `reserved_elsewhere` is reserved by functions outside
    this world (Sereno's own). With `fast_namespace` (such as `Sereno/techmoda`) the application publishes the
    10-second metric DemandMs there.
    """

    def __init__(
        self,
        functions: Sequence[FunctionModel],
        traffic: Traffic,
        seed: int,
        start: float,
        *,
        api_name: str,
        stage: str,
        account_limit: int = 1000,
        reserved_elsewhere: int = 0,
        faults: Sequence[Fault] = (),
        fast_namespace: str | None = None,
    ) -> None:
        if start % 60:
            raise ValueError(f"start {start} is no whole minute: CloudWatch's slots would not fit")
        self.start = float(start)
        self.account_limit = account_limit
        self.reserved_elsewhere = reserved_elsewhere
        self.store = MetricStore()
        self._latency = Histogram()
        self._states = {one.name: FunctionState(one, seed, traffic, faults) for one in functions}
        self._publisher = Publisher(
            self.store,
            stream(seed, api_name, "metric delays"),
            api_name=api_name,
            stage=stage,
            functions=list(self._states),
            fast_namespace=fast_namespace,
        )
        self._fast = fast_namespace is not None
        self._recorders = {name: Recorder() for name in (*self._states, TOTAL)}
        self._totals = {name: Totals() for name in self._states}
        self._first_throttle: dict[str, float | None] = dict.fromkeys((*self._states, TOTAL))
        self._failures = {name: Failures() for name in (*self._states, TOTAL)}
        self._minute = Minute({name: FunctionMinute() for name in self._states})
        self._awaited: list[_Awaited] = []
        self._step = 0
        self._settled = 0

    # -- what may be changed ------------------------------------------------------------------------------------

    def set_reserved(self, function: str, value: int | None) -> None:
        """Sets the reserved concurrency, at once (None: the function draws from the unreserved pool; 0: stopped).
        Executions in flight go on. Raises KeyError for an unknown function, ValueError below 0."""
        if value is not None and value < 0:
            raise ValueError(f"{function}: reserved concurrency {value} is below 0")
        self._states[function].reserved = value

    def set_provisioned(self, function: str, value: int) -> None:
        """Sets the provisioned concurrency: more is there after two minutes, less at once."""
        state = self._states[function]
        if value < 0 or (state.reserved is not None and value > state.reserved):
            raise ValueError(f"{function}: provisioned concurrency {value} is not within 0..reserved")
        self._awaited = [one for one in self._awaited if one.function != function]
        if value <= state.provisioned:
            state.provisioned = value
        else:
            ready = self._step + round(PROVISIONING_S / STEP_S)
            self._awaited.append(_Awaited(function, value, ready))

    # -- what may be read ---------------------------------------------------------------------------------------

    @property
    def now(self) -> float:
        """Epoch seconds."""
        return self.start + self._step * STEP_S

    @property
    def functions(self) -> tuple[str, ...]:
        return tuple(self._states)

    @property
    def series(self) -> dict[str, Series]:
        """Counts by ten seconds for each function and for `total`, as far as whole tens of seconds have passed."""
        self._settle()
        return {name: recorder.series() for name, recorder in self._recorders.items()}

    @property
    def totals(self) -> dict[str, Totals]:
        """Sums for each function and for `total`, as far as whole tens of seconds have passed."""
        self._settle()
        return {**self._totals, TOTAL: sum(self._totals.values(), Totals())}

    @property
    def first_throttle(self) -> dict[str, float | None]:
        """When the first attempt was throttled (epoch seconds), for each function and for `total`."""
        self._settle()
        return dict(self._first_throttle)

    @property
    def failed_times(self) -> dict[str, Floats]:
        """The moments with failed attempts (epoch seconds), for each function and for `total`."""
        self._settle()
        return {name: failures.times for name, failures in self._failures.items()}

    @property
    def latency(self) -> Histogram:
        """Milliseconds that first attempts took at the API, of those that succeeded."""
        self._settle()
        return self._latency

    def trouble(self, name: str = TOTAL, quiet: float = 30.0) -> Trouble | None:
        """From the first throttle until `quiet` seconds passed without a failed attempt; None without throttle."""
        self._settle()
        settled = self.start + self._settled * STEP_S
        return self._failures[name].trouble(self._first_throttle[name], settled, quiet)

    def reserved(self, function: str) -> int | None:
        """The reserved concurrency in force."""
        return self._states[function].reserved

    def provisioned(self, function: str) -> int:
        """The provisioned concurrency in force."""
        return self._states[function].provisioned

    def limit(self, function: str) -> int:
        """How many executions of the function Lambda would allow at most: its reserve, or the unreserved pool."""
        reserved = self._states[function].reserved
        return self._pool() if reserved is None else reserved

    def _pool(self) -> int:
        reserved = sum(state.reserved or 0 for state in self._states.values())
        return max(0, self.account_limit - self.reserved_elsewhere - reserved)

    # -- the passing of time ------------------------------------------------------------------------------------

    def advance(self, until: float) -> None:
        """Lets time pass until `until` (epoch seconds; rounded to 20 ms). The past is no error: nothing happens."""
        target = round((until - self.start) / STEP_S)
        while self._step < target:
            place = self._step % BLOCK
            if place == 0:
                for state in self._states.values():
                    state.begin_block(self._step // BLOCK)
            end = min(place - place % BIN + BIN, place + target - self._step)
            if place % BIN == 0:
                if end % BIN:
                    self._settle()  # the notes of a bin begun must not mix with those before
                self._begin_bin()
            for limit, group in self._groups():
                _run(group, place, end, limit)
            self._step += end - place
            if self._step % BIN == 0:
                self._end_bin(end)

    def _begin_bin(self) -> None:
        for one in [one for one in self._awaited if one.ready <= self._step]:
            self._states[one.function].provisioned = one.value
            self._awaited.remove(one)
        for state in self._states.values():
            state.begin_bin()

    def _groups(self) -> list[tuple[int, list[FunctionState]]]:
        """Functions that share a limit: each with a reserve for itself, all others the unreserved pool."""
        alone = [(one.reserved, [one]) for one in self._states.values() if one.reserved is not None]
        sharing = [one for one in self._states.values() if one.reserved is None]
        return [*alone, (self._pool(), sharing)] if sharing else alone

    def _end_bin(self, end: int) -> None:
        for name, state in self._states.items():
            state.note_peak(end - BIN, end)
            limit = np.array([self.limit(name)])
            self._recorders[name].add(limit=limit)
        self._recorders[TOTAL].add(limit=np.array([self.account_limit]))
        if end == BLOCK or self._fast:
            self._settle()

    # -- counting -----------------------------------------------------------------------------------------------

    def _settle(self) -> None:
        """Counts the whole tens of seconds since the last count; they lie in one block. Counting a minute at once
        is cheaper than each ten seconds of it, so it waits until someone looks or the minute ends."""
        if self._step == self._settled or self._step % BIN:
            return
        bins = (self._step - self._settled) // BIN
        block = (self._settled // BLOCK) * BLOCK
        a, b = self._settled - block, self._step - block
        parts = {name: harvest(state, a, b) for name, state in self._states.items()}
        for name, part in parts.items():
            self._count(name, part, block, a, b)
        self._count_total(parts, block, a, b)
        if self._fast:
            for number in range(self._settled // BIN, self._settled // BIN + bins):
                self._publisher.fast(number, self.start + number * BIN * STEP_S)
        self._settled = self._step
        if b == BLOCK:
            self._publish(block)

    def _count(self, name: str, part: Harvest, block: int, a: int, b: int) -> None:
        state, totals = self._states[name], self._totals[name]
        self._recorders[name].add(
            offered=part.offered,
            served=part.served,
            failed=part.failed,
            throttled=part.throttled,
            peak=part.peak,
        )
        totals.offered += int(part.offered.sum())
        totals.served += int(part.served.sum())
        totals.failed += int(part.failed.sum())
        totals.throttled += int(part.throttled.sum())
        totals.rejected += int(part.rejected.sum())
        totals.invocations += int(part.started.sum())
        totals.errors += part.errors
        totals.served_on_retry = state.served_on_retry
        totals.cold_starts = state.cold_starts
        if self._first_throttle[name] is None and part.throttled.any():
            step = block + a + int(np.flatnonzero(state.throttled[a:b])[0])
            self._first_throttle[name] = self.start + step * STEP_S
        self._failures[name].add(self._moments(state.failed[a:b], block + a))
        self._minute.add(name, part)
        self._latency.add(part.answer_ms[part.answered] + (INVOKE_MS + GATEWAY_MS))
        if self._fast:
            self._publisher.note_demand(name, part.end_bin + block // BIN, part.run_ms)

    def _moments(self, failed: Ints, first: int) -> Floats:
        moments: Floats = np.add(self.start, (np.flatnonzero(failed) + first) * STEP_S, dtype=np.float64)
        return moments

    def _count_total(self, parts: Mapping[str, Harvest], block: int, a: int, b: int) -> None:
        states, some = self._states.values(), list(parts.values())
        in_flight, _ = self._in_flight(a, b)
        nothing = np.zeros((b - a) // BIN, dtype=np.int64)
        self._recorders[TOTAL].add(
            offered=sum((part.offered for part in some), nothing),
            served=sum((part.served for part in some), nothing),
            failed=sum((part.failed for part in some), nothing),
            throttled=sum((part.throttled for part in some), nothing),
            peak=in_flight.reshape(-1, BIN).max(axis=1),
        )
        if self._first_throttle[TOTAL] is None:
            known = [at for at in self._first_throttle.values() if at is not None]
            self._first_throttle[TOTAL] = min(known, default=None)
        failed: Ints = sum((state.failed[a:b] for state in states), np.zeros(b - a, dtype=np.int64))
        self._failures[TOTAL].add(self._moments(failed, block + a))

    def _in_flight(self, a: int, b: int) -> tuple[Ints, Ints]:
        """The most executions in flight in each step: of all functions, and of those that share the pool. Two
        functions reach their highest within a step at different moments, so only one of them counts with it."""
        nothing = np.zeros(b - a, dtype=np.int64)
        level, above, shared, shared_above = nothing, nothing, nothing, nothing
        for state in self._states.values():
            now, most = state.level[a:b], state.peak[a:b]
            level = level + now
            if state.reserved is None:
                shared, shared_above = shared + now, np.maximum(shared_above, most - now)
            else:
                above = np.maximum(above, most - now)
        unreserved = np.maximum(np.minimum(shared + shared_above, self._pool()), shared)
        return level + np.maximum(above, unreserved - shared), unreserved

    def _publish(self, block: int) -> None:
        in_flight, unreserved = self._in_flight(0, BLOCK)
        free = [name for name, state in self._states.items() if state.reserved is None]
        # Unreserved executions plus all reserved plus all provisioned concurrency: claimed even when idle.
        reserved = sum(state.reserved or 0 for state in self._states.values()) + self.reserved_elsewhere
        provisioned = sum(self._states[name].provisioned for name in free)
        account = {
            "ConcurrentExecutions": in_flight,
            "UnreservedConcurrentExecutions": unreserved,
            "ClaimedAccountConcurrency": unreserved + reserved + provisioned,
        }
        concurrency = {name: state.peak for name, state in self._states.items()}
        self._publisher.minute(self.start + block * STEP_S, self._minute, concurrency, account)
        self._minute = Minute({name: FunctionMinute() for name in self._states})


def _run(group: Sequence[FunctionState], a: int, b: int, limit: int) -> None:
    """Lets the functions that share `limit` go through the steps a..b of one ten seconds."""
    while a < b:
        if not any(state.is_exact(limit) for state in group):
            a = _run_calm(group, a, b, limit)
        if a < b:
            end = min(b, a - a % STEPS_A_SECOND + STEPS_A_SECOND)
            if len(group) == 1:
                group[0].exact(a, end, limit, limit)
            else:
                _run_together(group, a, end, limit)
            a = end


def _run_calm(group: Sequence[FunctionState], a: int, b: int, limit: int) -> int:
    """Accepts the forecasts up to the first step that needs a closer look, and returns that step."""
    forecasts = [state.forecast(a, b) for state in group]
    calm = min(state.calm_until(a, b) for state in group)
    most = [highest for _, highest in forecasts]
    excess = _claimed(group, most) - limit
    for state, highest in zip(group, most, strict=True):
        np.maximum(excess, highest - state.warm, out=excess)
    unsettled = np.flatnonzero(excess > 0)
    if len(unsettled):
        calm = min(calm, a + int(unsettled[0]))
    for state, (after, highest) in zip(group, forecasts, strict=True):
        state.accept(a, calm, after, highest)
    return calm


def _claimed(group: Sequence[FunctionState], most: Sequence[Ints]) -> Ints:
    """What a group takes of its limit. Provisioned environments are claimed from the shared pool, busy or not."""
    if len(group) == 1:
        return most[0]
    claimed = np.zeros_like(most[0])
    for state, highest in zip(group, most, strict=True):
        claimed += np.maximum(highest, state.provisioned)
    return claimed


def _run_together(group: Sequence[FunctionState], a: int, b: int, limit: int) -> None:
    """Functions of the unreserved pool, step by step in turns: whoever comes first takes the last place."""
    for step in range(a, b):
        turn = step % len(group)
        turbulent = False
        for state in (*group[turn:], *group[:turn]):
            others = sum(max(one.busy, one.provisioned) for one in group if one is not state)
            state.exact(step, step + 1, max(0, limit - others), limit)
            turbulent |= state.turbulent
        for state in group:
            state.turbulent = turbulent
