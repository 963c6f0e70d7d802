"""A function's calls to its tables while these are starved: throttled, tried again inside the invocation, given up.

An invocation whose call is throttled goes on occupying its environment while the SDK waits. What the calls of a
second meet is known when the second begins, so those that arrive in it are drawn then; those that still wait at its
end are drawn again in the second of their next attempt.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from drills.clients import FIRST_BACKOFF_S, SECOND_BACKOFF_S
from drills.function_model import stream
from drills.stalled import GIVEN_UP, PASSED, TIMED_OUT, WAITING, Decided, Stalled, Tally, longest_waits
from drills.steps import STEP_MS, STEP_S, STEPS_A_SECOND
from drills.table_retries import Retries

if TYPE_CHECKING:
    from drills.lambda_model import FunctionState

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(slots=True)
class _Arrived:
    """First attempts of a second whose call is throttled, if Lambda lets them in: their numbers in the block."""

    which: Ints
    some: Stalled
    fate: Ints


class Calls:
    """The calls of one function. `tally` counts what happened in the second, `decided` whose fate became known."""

    def __init__(self, state: FunctionState, seed: int) -> None:
        self._state = state
        self._model = state.model
        self.uses = state.model.uses
        lanes = 2 * len(self.uses)
        self._rng = stream(seed, state.model.name, "table calls")
        self.retries = Retries(state, stream(seed, state.model.name, "table calls of retries"))
        self.waiting = Stalled.none()
        self.decided: list[Decided] = []
        self.tally = Tally.of(lanes)
        self.chance = 0.0
        self._refusing: Floats = np.zeros(lanes)
        self._reach: Floats = np.zeros(lanes)
        self._arrived: _Arrived | None = None
        self._longest = longest_waits(state.model.sdk_base_s, state.model.sdk_attempts)
        self._timeout_steps = int(state.model.timeout_s / STEP_S)
        self._timeout_ms = state.model.timeout_s * 1000
        self._init_steps = int(state.model.cold_ms / STEP_MS)
        self._until = 0

    def due(self, until: float) -> Floats:
        """By lane, how many wait for an attempt before that step (counted from the world's start)."""
        ready = self.waiting.lane[self.waiting.due < until]
        return np.bincount(ready, minlength=len(self._refusing)).astype(np.float64)

    def rest(self) -> None:
        """No call is throttled, until someone looks again."""
        self.chance = 0.0

    @property
    def busy(self) -> bool:
        """Whether any call of this second is, or was, throttled."""
        return self.chance > 0 or len(self.waiting) > 0

    # -- a second ------------------------------------------------------------------------------------------------

    def begin_second(self, a: int, refusing: Floats, reach: Floats) -> None:
        """A second begins at step `a` of the block. `refusing` is the chance of a call to be throttled, by lane;
        `reach` the chance of an invocation to be stopped by that lane's throttling at its first call."""
        self._refusing, self._reach = refusing, np.cumsum(reach)
        self.chance = float(self._reach[-1])
        self.tally = Tally.of(len(refusing))
        self._until = self._state.first_step + a + STEPS_A_SECOND
        ready = self.waiting.due < self._until
        going, which = self.waiting.only(ready), self._stopped(a)
        old, new = len(going), len(which)
        self._arrived = None
        if old or new:
            before = going.tries.copy()
            some, fate = going.and_also(self._met(which)), np.full(old + new, WAITING)
            self._back_off(some, fate, np.arange(old, old + new))
            self._chase(some, fate)
            if old:
                self._resume(a, some.only(slice(0, old)), fate[:old], before, self.waiting.only(~ready))
            if new:
                self._arrived = _Arrived(which, some.only(slice(old, None)), fate[old:])
                self._lengthen(self._arrived)
        self.retries.begin_second(a, self.chance, refusing, self._reach)

    def end_second(self) -> None:
        """The second is over: who was let in with a throttled call now waits."""
        if self._arrived is not None:
            self._take_in(self._arrived)
            self._arrived = None
        late = self.retries.end_second(self.tally)
        if late is not None:
            self.waiting = self.waiting.and_also(late)

    # -- attempts of the SDK ------------------------------------------------------------------------------------

    def _chase(self, some: Stalled, fate: Ints) -> None:
        """Makes the attempts up to the second's end of those that wait, and says what became of each."""
        lane, due, deadline = some.lane, some.due, some.start + self._timeout_steps
        while True:
            ready = np.flatnonzero((fate == WAITING) & (due < self._until))
            if not len(ready):
                return
            over = due[ready] >= deadline[ready]
            if over.any():
                fate[ready[over]] = TIMED_OUT
                ready = ready[~over]
            some.tries[ready] += 1
            refused = self._rng.random(len(ready)) < self._refusing[lane[ready]]
            fate[ready[~refused]] = PASSED
            self._back_off(some, fate, ready[refused])

    def _back_off(self, some: Stalled, fate: Ints, which: Ints) -> None:
        """The SDK gives up, or waits; not beyond the function's timeout."""
        tries = some.tries[which].astype(np.int64)
        over = tries >= self._model.sdk_attempts
        if over.any():
            fate[which[over]] = GIVEN_UP
            which, tries = which[~over], tries[~over]
        if len(which):
            due = some.due[which] + self._rng.random(len(which)) * self._longest[tries - 1]
            some.due[which] = np.minimum(due, some.start[which] + self._timeout_steps)

    # -- those that wait ----------------------------------------------------------------------------------------

    def _resume(self, a: int, going: Stalled, fate: Ints, before: Floats, staying: Stalled) -> None:
        passed = fate == PASSED
        self.tally.add(going.lane, going.tries - before - passed, passed, first=False)
        over = fate != WAITING
        if over.any():
            self._decide(a, going.only(over), fate[over])
        self.waiting = staying.and_also(going.only(~over))

    def _decide(self, a: int, some: Stalled, fate: Ints) -> None:
        """Books their ends, and what their clients do about failures."""
        state, origin = self._state, self._state.first_step
        decided = some.due.astype(np.int64)
        ms = (some.due - some.start) * STEP_MS + some.own_ms
        late = (fate == TIMED_OUT) | (ms >= self._timeout_ms)
        ms[late] = self._timeout_ms
        rest = (some.own_ms / STEP_MS + self._rng.random(len(some))).astype(np.int64)
        booked = some.booked.astype(np.int64) - origin
        end = np.minimum(decided - origin + rest + (some.cold * self._init_steps).astype(np.int64), booked)
        end[late] = booked[late]
        np.subtract.at(state.ends, booked, 1)
        np.add.at(state.ends, end, 1)
        given_up = fate == GIVEN_UP
        failed, nth = late | some.fails | given_up, some.nth
        self._disappoint(end[failed], nth[failed])
        state.served_on_retry += int(((nth > 0) & ~failed).sum())
        step = np.clip(decided - origin, a, a + STEPS_A_SECOND - 1)
        refused = given_up & ~late & self._model.refuses
        self.decided.append(Decided(step, end, ms, some.cold, nth == 0, failed, refused))

    def _disappoint(self, end: Ints, nth: Floats) -> None:
        """Clients learn of a failure at the end, wait, and try again; third attempts give up."""
        state = self._state
        np.add.at(state.failed, end, 1)
        for place, whose, longest in (
            (state.due_first, nth == 0, FIRST_BACKOFF_S),
            (state.due_second, nth == 1, SECOND_BACKOFF_S),
        ):
            again = end[whose]
            when = again + 1 + (self._rng.random(len(again)) * (longest / STEP_S)).astype(np.int64)
            np.add.at(place, when, 1)
            state.pending += len(again)

    # -- those that arrive --------------------------------------------------------------------------------------

    def _stopped(self, a: int) -> Ints:
        """Which first attempts of this second would meet a throttled call; draws for each whatever it meets."""
        self._drawn: Floats = np.zeros(0)
        if self.chance <= 0:
            return np.zeros(0, dtype=np.int64)
        low, high = int(self._state.index[a]), int(self._state.index[a + STEPS_A_SECOND])
        drawn = self._rng.random(high - low)
        met = np.flatnonzero(drawn < self.chance)
        self._drawn = drawn[met]
        which: Ints = met + low
        return which

    def _met(self, which: Ints) -> Stalled:
        """These as they are after their first, throttled, call."""
        state = self._state
        start = state.first_step + state.step_of[which] + self._rng.random(len(which))
        lane = np.searchsorted(self._reach, self._drawn, side="right")
        return Stalled.of(start, state.ms[which], start, lane, fails=state.fails[which])

    def _lengthen(self, arrived: _Arrived) -> None:
        """Whose fate is known within the second simply takes longer, or fails; the others are booked to time out."""
        state, which, some, fate = self._state, arrived.which, arrived.some, arrived.fate
        waiting, given_up = fate == WAITING, fate == GIVEN_UP
        ms = (some.due - some.start) * STEP_MS + some.own_ms
        late = ~waiting & ((ms >= self._timeout_ms) | (fate == TIMED_OUT))
        steps = state.steps[which] + some.due.astype(np.int64) - some.start.astype(np.int64)
        steps[waiting | late] = self._timeout_steps
        np.minimum(steps, self._timeout_steps, out=steps)
        state.ms[which] = np.where(waiting, some.own_ms, np.minimum(ms, self._timeout_ms))
        state.stalled[which] = waiting
        state.refused[which] = given_up & ~late & self._model.refuses
        state.lengthen(which, steps, ~waiting & (late | some.fails | given_up))

    def _take_in(self, arrived: _Arrived) -> None:
        """Counts those that Lambda let in."""
        state, which = self._state, arrived.which
        steps = state.step_of[which]
        place = which - state.index[steps] - state.gate[steps]
        came = (place >= 0) & (place < state.admitted[steps])
        which, some, fate = which[came], arrived.some.only(came), arrived.fate[came]
        passed = fate == PASSED
        self.tally.add(some.lane, some.tries - passed, passed, first=True)
        staying = fate == WAITING
        if staying.any():
            if state.cold_first:
                some.cold[:] = np.isin(which, state.cold_first)
            some.booked[:] = state.first_step + steps[came] + self._timeout_steps + some.cold * self._init_steps
            self.waiting = self.waiting.and_also(some.only(staying))
