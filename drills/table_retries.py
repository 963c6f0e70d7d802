"""Calls to starved tables by clients' further attempts, which come one by one while a second is gone through.

What each may meet is drawn in batches before; an attempt takes the next of them, whoever it is. It is looked up in
plain lists, because single items of a numpy array cost ten times as much to touch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from drills.stalled import GIVEN_UP, TIMED_OUT, WAITING, Stalled, Tally, longest_waits
from drills.steps import STEP_MS, STEP_S, STEPS_A_SECOND

if TYPE_CHECKING:
    from drills.lambda_model import FunctionState

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

# Stands for the duration of a retry that is not known yet.
UNKNOWN_MS = -1.0
_SPARE = 64


@dataclass(slots=True)
class _Fates:
    """What attempts may meet; arrays with one item for each whose call is throttled at first.

    `number` is its place among all. `start` is the place in the step in which the invocation starts, `waits` the
    steps from there to each further attempt of the call. The call is decided after `tries` of them, for the better
    if it `passes`.
    """

    number: Ints
    lane: Ints
    start: Floats
    waits: Floats
    tries: Ints
    passes: Bools


class Retries:
    """The stalled ones among one function's further attempts."""

    def __init__(self, state: FunctionState, rng: np.random.Generator) -> None:
        self._state = state
        self._model = state.model
        self._rng = rng
        self._timeout = int(state.model.timeout_s / STEP_S)
        self._init_steps = int(state.model.cold_ms / STEP_MS)
        self._longest = longest_waits(state.model.sdk_base_s, state.model.sdk_attempts)
        self._chance = 0.0
        self._refusing: Floats = np.zeros(0)
        self._reach: Floats = np.zeros(0)
        self._a = 0
        self._batches: list[_Fates] = []
        # By number: steps to the decision (-1: the call passes at once), and whether it is for the worse.
        self._extra: list[int] = []
        self._lost: list[bool] = []
        # How many came in this second and in the last: so many are drawn at once.
        self._used, self._last = 0, 0
        # Six numbers for each that waits, one after the other: numpy reads that fastest.
        self._late: list[float] = []

    def begin_second(self, a: int, chance: float, refusing: Floats, reach: Floats) -> None:
        """A second begins at step `a` of the block; chances as in `Calls.begin_second`, `reach` summed up."""
        self._a, self._chance, self._refusing, self._reach = a, chance, refusing, reach
        self._last = self._used
        self._batches, self._extra, self._lost, self._used = [], [], [], 0

    def delay(
        self, i: int, seconds: int, samples: list[float], lengths: list[int], error_ratio: float, note: int
    ) -> dict[int, int]:
        """What becomes of clients' further attempts that start in step `i` of the block, the first `seconds` of them
        second attempts, and would take `samples` milliseconds and `lengths` steps: both are changed where a call is
        throttled. Answers the fates of those that do not succeed at once or after some waiting, by their number.
        `note` is the place that the first of them takes among the notes of retries."""
        used, many = self._used, len(samples)
        while used + many > len(self._extra):
            self._draw(_SPARE + self._last)
        self._used += many
        left, timeout_ms, met = self._a + STEPS_A_SECOND - i, self._model.timeout_s * 1000, {}
        for number, extra in enumerate(self._extra[used : used + many]):
            if extra < 0:
                continue
            if extra >= left:
                nth = 1 if number < seconds else 2
                self._late += (used + number, i, nth, samples[number], error_ratio, note + number)
                samples[number], lengths[number], met[number] = UNKNOWN_MS, self._timeout, WAITING
                continue
            samples[number] += extra * STEP_MS
            if samples[number] >= timeout_ms:
                samples[number], lengths[number], met[number] = timeout_ms, self._timeout, TIMED_OUT
                continue
            lengths[number] += extra
            if self._lost[used + number]:
                met[number] = GIVEN_UP
        return met

    def _draw(self, size: int) -> None:
        rng, further = self._rng, self._model.sdk_attempts - 1
        drawn = rng.random(size)
        hits = np.flatnonzero(drawn < self._chance)
        many = len(hits)
        lane = np.searchsorted(self._reach, drawn[hits], side="right")
        waits = np.cumsum(rng.random((many, further)) * self._longest, axis=1)
        passing = rng.random((many, further)) >= self._refusing[lane][:, None]
        passes: Bools = np.logical_or.reduce(passing, axis=1)
        tries = np.where(passes, passing.argmax(axis=1) + 1, further) if further else np.zeros(many, dtype=np.int64)
        start = rng.random(many)
        decided = start + (waits[np.arange(many), tries - 1] if further else 0.0)
        extra = np.full(size, -1, dtype=np.int64)
        extra[hits] = decided.astype(np.int64)
        lost = np.zeros(size, dtype=np.bool_)
        lost[hits] = ~passes
        self._batches.append(_Fates(hits + len(self._extra), lane, start, waits, tries, passes))
        self._extra += extra.tolist()
        self._lost += lost.tolist()

    def end_second(self, tally: Tally) -> Stalled | None:
        """The second is over: counts the calls, and answers those that wait; None when nobody does."""
        if not self._batches:
            return None
        fates = _joined(self._batches)
        came = fates.number < self._used
        refused, passes = (fates.tries + 1 - fates.passes).astype(np.float64), fates.passes.copy()
        late = self._waiting(fates, refused, passes) if self._late else None
        tally.add(fates.lane[came], refused[came], passes[came], first=True)
        return late

    def _waiting(self, fates: _Fates, refused: Floats, passes: Bools) -> Stalled:
        """Those not decided in this second; corrects what is counted of them."""
        origin, until = self._state.first_step, self._a + STEPS_A_SECOND
        numbers, steps, nth, own_ms, ratios, notes = np.array(self._late).reshape(-1, 6).T
        self._late.clear()
        which = np.searchsorted(fates.number, numbers)
        start = steps + fates.start[which]
        due = start[:, None] + fates.waits[which]
        first = (due >= until).argmax(axis=1)
        refused[which], passes[which] = first + 1, False
        cold = np.isin(notes, self._state.cold_retry)
        return Stalled.of(
            origin + start,
            own_ms,
            origin + np.minimum(due[np.arange(len(which)), first], start + self._timeout),
            fates.lane[which],
            tries=first + 1,
            nth=nth.astype(np.int64),
            fails=self._rng.random(len(which)) < ratios,
            cold=cold,
            booked=origin + steps.astype(np.int64) + self._timeout + cold * self._init_steps,
        )


def _joined(batches: list[_Fates]) -> _Fates:
    if len(batches) == 1:
        return batches[0]
    columns = ("number", "lane", "start", "waits", "tries", "passes")
    return _Fates(*(np.concatenate([getattr(one, name) for one in batches]) for name in columns))
