"""The tables of a world: what the functions ask of them, second by second where it matters, and what is counted.

While capacity and credit cover all that is asked, ten seconds are counted at once. Otherwise each second decides what
part of its calls is throttled: from what is expected of it, since what really comes follows from that. Whatever the
expectation misses goes to the bucket's account, and the next second pays for it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from drills.faults import Fault, hot_share_at
from drills.function_model import stream
from drills.lambda_model import FunctionState
from drills.metrics import MetricStore
from drills.series import RESOLUTION_S, Failures, TableRecorder, TableSeries, TableTotals, Trouble
from drills.steps import BIN, STEP_S, STEPS_A_SECOND
from drills.table_calls import Calls
from drills.table_model import KINDS, Kind, TableModel, Use
from drills.table_publishing import TablePublisher
from drills.table_state import NOTHING, Cause, Meter, Resource

Floats = NDArray[np.float64]
TOTAL = "total"
Blame = tuple[Meter, Cause, float]


@dataclass(frozen=True, slots=True)
class _Route:
    """Where the calls of one use go: the table or index, and for writes the indexes that follow."""

    use: Use
    resource: Resource
    followers: tuple[Resource, ...]

    @property
    def kinds(self) -> Iterator[tuple[Kind, float]]:
        """What one call takes (units)."""
        return ((kind, self.use.units(kind)) for kind in KINDS if self.use.units(kind) > 0)

    def passes(self, *, hot: bool) -> float:
        """The part of calls to the hottest partition (or to the others) that passes this second."""
        passing = 1.0
        for kind, _ in self.kinds:
            passage = self.resource.meters[kind].passage
            passing *= (passage.hot if hot else passage.other) * passage.capacity
        for index in self.followers:
            passing *= index.meters["write"].passage.mean
        return passing

    def blame(self, *, hot: bool) -> list[Blame]:
        """Who throttles such a call, and for which cause, by weight."""
        found: list[Blame] = []
        for kind, _ in self.kinds:
            meter = self.resource.meters[kind]
            within = meter.passage.hot if hot else meter.passage.other
            found.append((meter, "KeyRangeThroughput", 1 - within))
            found.append((meter, self.resource.shortage, within * (1 - meter.passage.capacity)))
        for index in self.followers:
            meter = index.meters["write"]
            within = index.hottest * meter.passage.hot + (1 - index.hottest) * meter.passage.other
            found.append((meter, "KeyRangeThroughput", 1 - within))
            found.append((meter, index.shortage, within * (1 - meter.passage.capacity)))
        return found


@dataclass(slots=True)
class _User:
    """A function with its routes. `let_in` is the part of attempts that Lambda let in of late."""

    state: FunctionState
    calls: Calls
    routes: tuple[_Route, ...]
    let_in: float = 1.0

    @property
    def alternatives(self) -> bool:
        """Whether an invocation makes one call at most. Otherwise it makes its calls in turn; who got past a
        throttled one makes the later ones unhindered."""
        return sum(route.use.ratio for route in self.routes) <= 1 + NOTHING

    def chances(self) -> tuple[Floats, Floats]:
        """By lane (two for each use: the other partitions, and the hottest): the chance that a call is throttled,
        and that an invocation meets this as its first throttled call."""
        lanes, left = 2 * len(self.routes), 1.0
        refusing, reach = np.zeros(lanes), np.zeros(lanes)
        for number, route in enumerate(self.routes):
            hottest = route.resource.hottest
            for hot, share in ((False, 1 - hottest), (True, hottest)):
                lane = 2 * number + hot
                refusing[lane] = max(0.0, 1 - route.passes(hot=hot))
                reach[lane] = left * route.use.ratio * share * refusing[lane]
            if not self.alternatives:
                left -= float(reach[2 * number : 2 * number + 2].sum())
        return refusing, reach

    def calls_passed(self, started: int) -> list[float]:
        """By use, how many calls passed in a second in which so many invocations started."""
        tally, reached, passed = self.calls.tally, float(started), []
        for number, route in enumerate(self.routes):
            lanes = slice(2 * number, 2 * number + 2)
            gone_on = float(tally.passed[lanes].sum() - tally.stuck[lanes].sum())
            passed.append(max(0.0, reached * route.use.ratio + gone_on))
            if not self.alternatives:
                reached += gone_on
        return passed


class Tables:
    """All tables of a world. `at` is in seconds since its start, `a` and `b` are steps of the minute under way."""

    def __init__(
        self,
        models: Sequence[TableModel],
        states: Sequence[FunctionState],
        faults: Sequence[Fault],
        seed: int,
        start: float,
        store: MetricStore,
    ) -> None:
        self._start = start
        self._faults = tuple(fault for fault in faults if fault.kind == "hot-key")
        self._resources = {one.key: one for model in models for one in _resources(model)}
        self.names = tuple(model.name for model in models)
        self._users = [
            _User(state, state.calls, tuple(self._route(state.model.name, use) for use in state.calls.uses))
            for state in states
            if state.calls is not None
        ]
        self._rng = stream(seed, TOTAL, "table causes")
        self._recorders = {key: TableRecorder() for key in self._resources}
        self._totals = {key: TableTotals() for key in self._resources}
        self._first: dict[str, float | None] = dict.fromkeys((*self._resources, TOTAL))
        self._failures = {key: Failures() for key in (*self._resources, TOTAL)}
        requests = {(r.use.table, r.use.called): 0 for user in self._users for r in user.routes}
        self._requests = dict(sorted(requests.items()))
        self._publisher = TablePublisher(store, stream(seed, TOTAL, "table metric delays"))

    def _route(self, function: str, use: Use) -> _Route:
        key = use.table if use.index is None else f"{use.table}/{use.index}"
        if key not in self._resources:
            known = ", ".join(self._resources) or "none"
            raise ValueError(f"{function} uses {key}, which is no table of this world; known: {known}")
        followers = [one for one in self._resources.values() if one.table == use.table and one.index is not None]
        return _Route(use, self._resources[key], tuple(followers) if use.write_units else ())

    # -- what may be changed and read -------------------------------------------------------------------------------

    def resource(self, table: str, index: str | None = None) -> Resource:
        """The table, or its index. Raises KeyError."""
        return self._resources[table if index is None else f"{table}/{index}"]

    def consumed(self, resource: Resource, seconds: float) -> tuple[float, float]:
        """Read and write units a second over the last `seconds`, as far as whole tens of seconds have passed."""
        return self._recorders[resource.key].mean(max(1, round(seconds / RESOLUTION_S)))

    @property
    def series(self) -> dict[str, TableSeries]:
        """By table and by `table/index`."""
        return {key: recorder.series() for key, recorder in self._recorders.items()}

    @property
    def totals(self) -> dict[str, TableTotals]:
        """By table, by `table/index`, and of all."""
        return {**self._totals, TOTAL: sum(self._totals.values(), TableTotals())}

    @property
    def first_throttle(self) -> dict[str, float | None]:
        """When the first call was throttled (epoch seconds), by table, by `table/index`, and of all."""
        return dict(self._first)

    def trouble(self, key: str, now: float, quiet: float) -> Trouble | None:
        """From the first throttled call until `quiet` seconds without one."""
        return self._failures[key].trouble(self._first[key], now, quiet)

    # -- ten seconds ------------------------------------------------------------------------------------------------

    def begin_bin(self, a: int, at: float) -> bool:
        """Ten seconds begin; whether they must be gone through second by second."""
        for one in self._resources.values():
            one.hot_share = hot_share_at(self._faults, one.table, one.index, one.usual_hot_share, at)
            for meter in one.meters.values():
                meter.rest()
        if not self._users:
            return False
        if any(len(user.calls.waiting) for user in self._users):
            return True
        wanted: dict[tuple[str, Kind], Floats] = {}
        for user in self._users:
            attempts = user.state.wanted(a, a + BIN)
            for route in user.routes:
                for kind, units in route.kinds:
                    for one in (route.resource, *(route.followers if kind == "write" else ())):
                        asked: Floats = np.multiply(attempts, route.use.ratio * units, dtype=np.float64)
                        wanted[one.key, kind] = wanted.get((one.key, kind), 0.0) + asked
        return not all(self._resources[key].suffices(kind, asked.tolist()) for (key, kind), asked in wanted.items())

    def end_bin(self, a: int, b: int, *, calm: bool) -> None:
        """Ten seconds are over; those that were calm are counted now."""
        if calm:
            for user in self._users:
                state = user.state
                started, came = int(state.started[a:b].sum()), int(state.wanted(a, b).sum())
                user.let_in = min(1.0, started / came) if came else 1.0
                for route in user.routes:
                    _consume(route, started * route.use.ratio)
            self._settle(RESOLUTION_S)
        for key, one in self._resources.items():
            read, write = one.meters["read"], one.meters["write"]
            self._recorders[key].add(read, write)
            self._totals[key].add(read, write)
            for meter in (read, write):
                meter.taken, meter.throttled = 0.0, 0

    def _settle(self, seconds: float) -> None:
        for one in self._resources.values():
            for meter in one.meters.values():
                meter.settle(seconds)

    # -- a second ---------------------------------------------------------------------------------------------------

    def begin_second(self, a: int) -> None:
        """A second begins at step `a`: says what passes in it, and tells the functions' calls."""
        self._expect(a)
        for one in self._resources.values():
            if one.index is None:
                for kind in KINDS:
                    one.look_ahead(kind)
        for one in self._resources.values():
            if one.index is not None:
                one.look_ahead("read")
                # What the table itself throttles does not come to its indexes.
                one.look_ahead("write", self._resources[one.table].meters["write"].passage.mean)
        for user in self._users:
            user.calls.begin_second(a, *user.chances())

    def _expect(self, a: int) -> None:
        for user in self._users:
            attempts = float(user.state.wanted(a, a + STEPS_A_SECOND)[0]) * user.let_in
            due = user.calls.due(user.state.first_step + a + STEPS_A_SECOND)
            for number, route in enumerate(user.routes):
                calls, hottest = attempts * route.use.ratio, route.resource.hottest
                hot = calls * hottest + due[2 * number + 1]
                other = calls * (1 - hottest) + due[2 * number]
                for kind, units in route.kinds:
                    route.resource.meters[kind].want(hot * units, other * units)
                for index in route.followers:
                    whole, share = (hot + other) * route.use.units("write"), index.hottest
                    index.meters["write"].want(whole * share, whole * (1 - share))

    def end_second(self, a: int) -> None:
        """The second that began at step `a` is over."""
        b = a + STEPS_A_SECOND
        at = 0.0
        for user in self._users:
            state, calls = user.state, user.calls
            calls.end_second()
            started = int(state.started[a:b].sum())
            came = int(state.wanted(a, b)[0])
            user.let_in = min(1.0, started / came) if came else 1.0
            at = self._start + (state.first_step + a) * STEP_S
            for number, (route, passed) in enumerate(zip(user.routes, user.calls_passed(started), strict=True)):
                _consume(route, passed)
                for hot in (False, True):
                    refused = int(calls.tally.refused[2 * number + hot])
                    if refused:
                        self._blame(route, route.blame(hot=hot), refused, at)
        self._settle(1.0)

    def _blame(self, route: _Route, blame: list[Blame], refused: int, at: float) -> None:
        """Counts throttled calls where they were throttled. One request may have several causes here, and is then
        counted under one of them."""
        weights = np.array([max(0.0, weight) for _, _, weight in blame])
        counts = self._rng.multinomial(refused, weights / weights.sum())
        for (meter, cause, _), count in zip(blame, counts.tolist(), strict=True):
            if count:
                meter.throttle(cause, count)
                for key in (meter.key, TOTAL):
                    self._first[key] = at if self._first[key] is None else self._first[key]
                    self._failures[key].add(np.array([at]))
        self._requests[route.use.table, route.use.called] += refused

    # -- a minute ---------------------------------------------------------------------------------------------------

    def end_minute(self, start: float) -> None:
        """Publishes the minute that began at `start` (epoch seconds)."""
        self._publisher.minute(start, list(self._resources.values()), self._requests)
        for one in self._resources.values():
            for kind, meter in one.meters.items():
                one.end_minute(kind, meter.minute_units / 60)
                meter.forget_minute()
        self._requests = dict.fromkeys(self._requests, 0)


def _resources(model: TableModel) -> Iterator[Resource]:
    yield Resource(
        model.name,
        None,
        (model.read, model.write),
        model.billing,
        partitions=model.partitions,
        hot_share=model.hot_share,
        cold=model.cold,
    )
    for name, capacity in model.indexes.items():
        yield Resource(
            model.name,
            name,
            capacity,
            model.billing,
            partitions=model.partitions,
            hot_share=model.index_hot_share.get(name, 0.0),
            cold=model.cold,
        )


def _consume(route: _Route, calls: float) -> None:
    for kind, units in route.kinds:
        route.resource.meters[kind].consume(calls * units, calls)
    for index in route.followers:
        index.meters["write"].consume(calls * route.use.units("write"), calls)
