"""The world under a drill: clients, API Gateway, Lambda and DynamoDB, and the metrics they would publish.

The world goes on by itself; whoever drives it changes limits between two calls of `advance`. Nothing here knows of
alarms, remediators, or any AWS API.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from drills.account import Concurrency, Profile, Throttle
from drills.clients import Traffic
from drills.faults import Fault
from drills.function_model import FunctionModel, stream
from drills.harvest import GATEWAY_MS, INVOKE_MS, Harvest, harvest
from drills.lambda_model import FunctionState
from drills.metrics import Histogram, MetricStore
from drills.publishing import FunctionMinute, Minute, Publisher
from drills.running import run
from drills.series import Failures, Recorder, Series, TableSeries, TableTotals, Totals, Trouble
from drills.steps import BIN, BLOCK, STEP_S, STEPS_A_SECOND
from drills.table_model import TableModel
from drills.tables import Tables

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
    10-second metric DemandMs there. `tables` are those that the functions use. `strangers` is the concurrency that
    functions outside this world take from the unreserved pool over time (seconds since the start). `gateway_rps` and
    `gateway_burst` are API Gateway's throttle for the account in a Region. With `api_id` it is an HTTP API.
    https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html

    Raises ValueError for a start between two minutes, and for a use of a table that is not here.
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
        tables: Sequence[TableModel] = (),
        strangers: Profile | None = None,
        gateway_rps: float = 10_000,
        gateway_burst: int = 5_000,
        api_id: str | None = None,
    ) -> None:
        if start % 60:
            raise ValueError(f"start {start} is no whole minute: CloudWatch's slots would not fit")
        self.start = float(start)
        self._account = Concurrency(account_limit, reserved_elsewhere, strangers, faults)
        self._gateway = Throttle(gateway_rps, gateway_burst)
        self.store = MetricStore()
        self._latency = Histogram()
        self._states = {one.name: FunctionState(one, seed, traffic, faults) for one in functions}
        self._all = list(self._states.values())
        self._tables = Tables(tables, self._all, faults, seed, self.start, self.store)
        self._publisher = Publisher(
            self.store,
            stream(seed, api_name, "metric delays"),
            api_name=api_name,
            stage=stage,
            functions=list(self._states),
            fast_namespace=fast_namespace,
            api_id=api_id,
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
        self._starved = False
        self._gated = False

    # -- what may be changed ------------------------------------------------------------------------------------

    def meddle(self, traffic: Traffic, faults: Sequence[Fault]) -> None:
        """Other traffic and other faults of the functions from the next minute on: for a game day, in which people
        decide what happens. Faults of tables and of the account stay as they were."""
        for state in self._states.values():
            state.traffic, state.faults = traffic, tuple(faults)

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

    def set_capacity(
        self, table: str, *, read: float | None = None, write: float | None = None, index: str | None = None
    ) -> None:
        """Sets capacity of a table, or of its index (units a second), at once; None leaves it as it is. Raises
        KeyError for an unknown table, ValueError below 1 or on an on-demand table."""
        resource = self._tables.resource(table, index)
        if read is not None:
            resource.set_capacity("read", read)
        if write is not None:
            resource.set_capacity("write", write)

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
        return self._account.pool(self._all) if reserved is None else reserved

    @property
    def account_limit(self) -> int:
        """The account's concurrency; it may be set."""
        return self._account.limit

    @account_limit.setter
    def account_limit(self, value: int) -> None:
        self._account.limit = value

    @property
    def reserved_elsewhere(self) -> int:
        """What functions outside this world have reserved of it; it may be set."""
        return self._account.reserved_elsewhere

    @reserved_elsewhere.setter
    def reserved_elsewhere(self, value: int) -> None:
        self._account.reserved_elsewhere = value

    @property
    def strangers(self) -> int:
        """The concurrency that strangers hold in this ten seconds."""
        return self._account.strangers

    @property
    def unreserved_left(self) -> int:
        """How many executions the unreserved pool could still begin now."""
        sharing = [one for one in self._all if one.reserved is None]
        return max(0, self._account.pool(self._all) - sum(max(one.busy, one.provisioned) for one in sharing))

    @property
    def pool_in_use(self) -> int:
        """Executions of functions without a reservation that are in flight now."""
        return sum(max(one.busy, one.provisioned) for one in self._all if one.reserved is None)

    def share_pool(self, others: Profile) -> None:
        """From now on `others` says what functions outside this world take of the unreserved pool."""
        self._account.take_from_pool(others)

    # -- what may be read of the tables -------------------------------------------------------------------------

    @property
    def tables(self) -> tuple[str, ...]:
        return self._tables.names

    def capacity(self, table: str, index: str | None = None) -> tuple[float, float]:
        """Read and write capacity in force (units a second); of an on-demand table what it takes at once."""
        return self._tables.resource(table, index).capacity

    def consumed(self, table: str, index: str | None = None, seconds: float = 60) -> tuple[float, float]:
        """Read and write units consumed a second over the last `seconds`, by whole tens of seconds."""
        return self._tables.consumed(self._tables.resource(table, index), seconds)

    @property
    def table_series(self) -> dict[str, TableSeries]:
        """By ten seconds for each `table` and each `table/index`."""
        return self._tables.series

    @property
    def table_totals(self) -> dict[str, TableTotals]:
        """Sums for each `table`, each `table/index`, and for `total`."""
        return self._tables.totals

    @property
    def first_table_throttle(self) -> dict[str, float | None]:
        """When the first call was throttled (epoch seconds, a whole second), for each `table`, each `table/index`,
        and for `total`. Lambda's throttles are apart, in `first_throttle`."""
        return self._tables.first_throttle

    def table_trouble(self, key: str = TOTAL, quiet: float = 30.0) -> Trouble | None:
        """From the first throttled call until `quiet` seconds passed without one; None without any."""
        return self._tables.trouble(key, self.now, quiet)

    # -- the passing of time ------------------------------------------------------------------------------------

    def advance(self, until: float) -> None:
        """Lets time pass until `until` (epoch seconds; rounded to 20 ms). The past is no error: nothing happens."""
        target = round((until - self.start) / STEP_S)
        while self._step < target:
            place = self._step % BLOCK
            if place == 0:
                for state in self._all:
                    state.begin_block(self._step // BLOCK)
            if place % BIN == 0 and place + target - self._step < place + BIN:
                self._settle()  # the notes of a bin begun must not mix with those before
            if place % BIN == 0:
                self._begin_bin(place)
            length = STEPS_A_SECOND if self._starved or self._gated else BIN
            if place % length == 0:
                self._begin_second(place)
            end = min(place - place % length + length, place + target - self._step)
            for limit, group in self._account.groups(self._all):
                run(group, place, end, limit)
            self._step += end - place
            if end % STEPS_A_SECOND == 0:
                self._end_second(end)
            if end % BIN == 0:
                self._end_bin(end)

    def _begin_bin(self, a: int) -> None:
        for one in [one for one in self._awaited if one.ready <= self._step]:
            self._states[one.function].provisioned = one.value
            self._awaited.remove(one)
        for state in self._all:
            state.begin_bin()
        at = self._step * STEP_S
        self._account.begin_bin(self._all, a, at)
        self._starved = self._tables.begin_bin(a, at)
        self._gated = self._gateway.begin_bin(self._all, a)

    def _begin_second(self, a: int) -> None:
        if self._gated:
            self._gateway.begin_second(self._all, a)
        if self._starved:
            self._tables.begin_second(a)

    def _end_second(self, end: int) -> None:
        if self._gated:
            self._gateway.settle(self._all, end - STEPS_A_SECOND, end)
        if self._starved:
            self._tables.end_second(end - STEPS_A_SECOND)

    def _end_bin(self, end: int) -> None:
        for name, state in self._states.items():
            state.note_peak(end - BIN, end)
            limit = np.array([self.limit(name)])
            self._recorders[name].add(limit=limit)
        self._recorders[TOTAL].add(limit=np.array([self.account_limit]))
        self._tables.end_bin(end - BIN, end, calm=not self._starved)
        if not self._gated:
            self._gateway.settle(self._all, end - BIN, end)
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
        totals.limited += int(part.limited.sum())
        totals.invocations += int(part.started.sum())
        totals.errors += part.errors
        totals.refusals += part.refusals
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
        some = list(parts.values())
        in_flight, _ = self._account.in_flight(self._all, a, b)
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
        failed: Ints = sum((state.failed[a:b] for state in self._all), np.zeros(b - a, dtype=np.int64))
        self._failures[TOTAL].add(self._moments(failed, block + a))

    def _publish(self, block: int) -> None:
        start = self.start + block * STEP_S
        concurrency = {name: state.peak for name, state in self._states.items()}
        gauges = self._account.gauges(self._all)
        self._publisher.minute(start, self._minute, concurrency, gauges, strangers=self._account.met_strangers)
        self._tables.end_minute(start)
        self._minute = Minute({name: FunctionMinute() for name in self._states})
