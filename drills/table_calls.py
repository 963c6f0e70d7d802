"""A function's calls to its tables while these are starved: throttled, tried again inside the invocation, given up.

An invocation whose call is throttled goes on occupying its environment while the SDK waits. What the calls of a
second meet is known when the second begins, so those that arrive in it are drawn then; those that still wait at its
end are drawn again in the second of their next attempt.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from drills.clients import FIRST_BACKOFF_S, SECOND_BACKOFF_S
from drills.function_model import stream
from drills.stalled import (
    GIVEN_UP,
    PASSED,
    SECOND,
    STEP_MS,
    STEP_S,
    TIMED_OUT,
    WAITING,
    Decided,
    Stalled,
    Tally,
    waits_s,
)
from drills.table_retries import Retries

if TYPE_CHECKING:
    from drills.lambda_model import FunctionState

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Calls:
    """The calls of one function. `tally` counts what happened in the second."""

    def __init__(self, state: FunctionState, seed: int) -> None:
        self._state = state
        self._model = state.model
        self.uses = state.model.uses
        lanes = 2 * len(self.uses)
        self._rng = stream(seed, state.model.name, "table calls")
        self.retries = Retries(state, stream(seed, state.model.name, "table calls of retries"))
        self._refusing: Floats = np.zeros(lanes)
        self._reach: Floats = np.zeros(lanes)
        self.chance = 0.0
        self.waiting = Stalled.none()
        self._arrived: tuple[Ints, Stalled, Ints] | None = None
        self.tally = Tally.of(lanes)
        self.decided: list[Decided] = []
        self._timeout_steps = int(self._model.timeout_s / STEP_S)
        self._init_steps = int(self._model.cold_ms / STEP_MS)
        self._until = 0.0

    def due(self, until: float) -> Floats:
        """By lane, how many wait for an attempt before that step."""
        ready = self.waiting.lane[self.waiting.due < until]
        return np.bincount(ready, minlength=len(self._refusing)).astype(np.float64)

    def rest(self) -> None:
        """No call is throttled, until someone looks again."""
        self.chance = 0.0

    # -- a second ------------------------------------------------------------------------------------------------

    def begin_second(self, a: int, refusing: Floats, reach: Floats) -> None:
        """A second begins at step `a` of the block. `refusing` is the chance of a call to be throttled, by lane;
        `reach` the chance of an invocation to be stopped by that lane's throttling at its first call."""
        self._refusing, self._reach = refusing, np.cumsum(reach)
        self.chance = float(self._reach[-1])
        self.tally = Tally.of(len(refusing))
        self._until = self._state.first_step + a + SECOND
        self._arrived = None
        if len(self.waiting):
            self._resume(a)
        if self.chance > 0:
            self._draw_arrivals(a)
        self.retries.begin_second(a, self.chance, refusing, self._reach)

    @property
    def busy(self) -> bool:
        """Whether any call of this second is, or was, throttled."""
        return self.chance > 0 or len(self.waiting) > 0

    def end_second(self) -> None:
        """The second is over: who was let in with a throttled call now waits."""
        if self._arrived is not None:
            self._take_in(*self._arrived)
            self._arrived = None
        late = self.retries.end_second(self.tally)
        if late is not None:
            self.waiting = self.waiting.and_also(late)

    # -- those that wait ----------------------------------------------------------------------------------------

    def _resume(self, a: int) -> None:
        ready = self.waiting.due < self._until
        if not ready.any():
            return
        going, staying = self.waiting.only(ready), self.waiting.only(~ready)
        before = going.tries.copy()
        fate = self._chase(going)
        passed = fate == PASSED
        self.tally.add(going.lane, going.tries - before - passed, passed, first=False)
        over = fate != WAITING
        if over.any():
            self._decide(a, going.only(over), fate[over])
        self.waiting = staying.and_also(going.only(~over))

    def _chase(self, some: Stalled) -> Ints:
        """Makes their attempts up to the second's end, and says what became of each."""
        fate: Ints = np.zeros(len(some), dtype=np.int64)
        deadline = some.start + self._timeout_steps
        while True:
            ready = np.flatnonzero((fate == WAITING) & (some.due < self._until))
            if not len(ready):
                return fate
            over = some.due[ready] >= deadline[ready]
            fate[ready[over]] = TIMED_OUT
            trying = ready[~over]
            some.tries[trying] += 1
            refused = self._rng.random(len(trying)) < self._refusing[some.lane[trying]]
            fate[trying[~refused]] = PASSED
            self._back_off(some, fate, trying[refused])

    def _back_off(self, some: Stalled, fate: Ints, which: Ints) -> None:
        """The SDK gives up, or waits; not beyond the function's timeout."""
        over = some.tries[which] >= self._model.sdk_attempts
        fate[which[over]] = GIVEN_UP
        again = which[~over]
        longest = waits_s(self._model.sdk_base_s, some.tries[again])
        due = some.due[again] + self._rng.random(len(again)) * longest / STEP_S
        some.due[again] = np.minimum(due, some.start[again] + self._timeout_steps)

    def _decide(self, a: int, some: Stalled, fate: Ints) -> None:
        """Books their ends, and what their clients do about failures."""
        state, origin = self._state, self._state.first_step
        ms = (some.due - some.start) * STEP_MS + some.own_ms
        late = (fate == TIMED_OUT) | (ms >= self._model.timeout_s * 1000)
        ms[late] = self._model.timeout_s * 1000
        rest = (some.own_ms / STEP_MS + self._rng.random(len(some))).astype(np.int64)
        init = np.where(some.cold, self._init_steps, 0)
        end = some.due.astype(np.int64) + rest + init
        end = np.where(late, some.booked, np.minimum(end, some.booked)) - origin
        size = len(state.ends)
        state.ends += np.bincount(end, minlength=size) - np.bincount(some.booked - origin, minlength=size)
        refused = (fate == GIVEN_UP) & ~late & self._model.refuses
        failed = late | some.fails | (fate == GIVEN_UP)
        self._disappoint(end[failed], some.nth[failed])
        state.served_on_retry += int(((some.nth > 0) & ~failed).sum())
        step = np.clip(some.due.astype(np.int64) - origin, a, a + SECOND - 1)
        self.decided.append(Decided(step, end, ms, some.cold, some.nth == 0, failed, refused))

    def _disappoint(self, end: Ints, nth: Ints) -> None:
        """Clients learn of a failure at the end, wait, and try again; third attempts give up."""
        state, size = self._state, len(self._state.failed)
        state.failed += np.bincount(end, minlength=size)
        for place, whose, longest in (
            (state.due_first, nth == 0, FIRST_BACKOFF_S),
            (state.due_second, nth == 1, SECOND_BACKOFF_S),
        ):
            again = end[whose]
            when = again + 1 + (self._rng.random(len(again)) * (longest / STEP_S)).astype(np.int64)
            place[:] += np.bincount(when, minlength=size)
            state.pending += len(again)

    # -- those that arrive --------------------------------------------------------------------------------------

    def _draw_arrivals(self, a: int) -> None:
        """Which first attempts of this second would meet a throttled call, and what would become of them. Whose
        fate is known within the second simply takes longer, or fails; the others are booked to time out."""
        state = self._state
        low, high = int(state.index[a]), int(state.index[a + SECOND])
        drawn = self._rng.random(high - low)
        met = np.flatnonzero(drawn < self.chance)
        if not len(met):
            return
        many, which = len(met), met + low
        start = state.first_step + state.step_of[which] + self._rng.random(many)
        some = Stalled(
            start=start,
            own_ms=state.ms[which],
            due=start.copy(),
            lane=np.searchsorted(self._reach, drawn[met], side="right").astype(np.int64),
            tries=np.ones(many, dtype=np.int64),
            nth=np.zeros(many, dtype=np.int64),
            fails=state.fails[which],
            cold=np.zeros(many, dtype=np.bool_),
            booked=np.zeros(many, dtype=np.int64),
        )
        fate: Ints = np.zeros(many, dtype=np.int64)
        self._back_off(some, fate, np.arange(many))
        trying = fate == WAITING
        rest = some.only(trying)
        fate[trying] = self._chase(rest)
        some.due[trying], some.tries[trying] = rest.due, rest.tries
        self._lengthen(which, some, fate)
        self._arrived = (which, some, fate)

    def _lengthen(self, which: Ints, some: Stalled, fate: Ints) -> None:
        state, timeout = self._state, self._model.timeout_s * 1000
        waiting = fate == WAITING
        ms = (some.due - some.start) * STEP_MS + some.own_ms
        late = ~waiting & ((ms >= timeout) | (fate == TIMED_OUT))
        steps = state.steps[which] + some.due.astype(np.int64) - some.start.astype(np.int64)
        steps[waiting | late] = self._timeout_steps
        steps = np.clip(steps, 1, self._timeout_steps)
        fails = ~waiting & (late | some.fails | (fate == GIVEN_UP))
        state.ms[which] = np.where(waiting, some.own_ms, np.minimum(ms, timeout))
        state.stalled[which] = waiting
        state.refused[which] = (fate == GIVEN_UP) & ~late & self._model.refuses
        state.lengthen(which, steps, fails)

    def _take_in(self, which: Ints, some: Stalled, fate: Ints) -> None:
        """Counts those that Lambda let in."""
        state = self._state
        steps = state.step_of[which]
        place = which - state.index[steps] - state.gate[steps]
        came = (place >= 0) & (place < state.admitted[steps])
        passed = fate[came] == PASSED
        self.tally.add(some.lane[came], some.tries[came] - passed, passed, first=True)
        staying = came & (fate == WAITING)
        if staying.any():
            some.cold[:] = np.isin(which, state.cold_first)
            init = np.where(some.cold, self._init_steps, 0)
            some.booked[:] = state.first_step + steps + state.steps[which] + init
            self.waiting = self.waiting.and_also(some.only(staying))
