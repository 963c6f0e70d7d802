"""Invocations whose call to a table was throttled: those that wait for another attempt, and what became of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

STEP_S = 0.02
STEP_MS = STEP_S * 1000
SECOND = 50
# "MAX_BACKOFF" of botocore's standard retry mode.
LONGEST_WAIT_S = 20.0

WAITING, PASSED, GIVEN_UP, TIMED_OUT = 0, 1, 2, 3


def waits_s(base_s: float, tries: Ints) -> Floats:
    """The longest wait (seconds) after so many throttled attempts; the SDK waits a random part of it."""
    longest: Floats = np.minimum(base_s * 2.0 ** (tries - 1), LONGEST_WAIT_S)
    return longest


@dataclass(slots=True)
class Tally:
    """What happened in a second, by lane: invocations stopped at their first call (`stuck`), attempts of calls that
    were `refused`, and those after the first that `passed`."""

    stuck: Floats
    refused: Floats
    passed: Floats

    @staticmethod
    def of(lanes: int) -> Tally:
        """Nothing yet."""
        return Tally(np.zeros(lanes), np.zeros(lanes), np.zeros(lanes))

    def add(self, lane: Ints, refused: Ints, passed: Bools, *, first: bool) -> None:
        """Counts calls in: their lanes, how often each was refused, and whether it passed in the end; `first` says
        that the first attempt was among them."""
        lanes = len(self.stuck)
        if first:
            self.stuck += np.bincount(lane, minlength=lanes)
        self.refused += np.bincount(lane, weights=refused, minlength=lanes)
        self.passed += np.bincount(lane[passed], minlength=lanes)


@dataclass(slots=True)
class Stalled:
    """Invocations with a throttled call; arrays with one item for each.

    Times are steps of 20 ms since the world's start: when the invocation started and its next attempt is due, and
    where its end is booked for the time being. `lane` is twice the number of the use, plus 1 for the hottest
    partition. `tries` counts attempts of the call, `nth` those of the client before this one. `fails` says that the
    invocation will fail whatever the table does.
    """

    start: Floats
    own_ms: Floats
    due: Floats
    lane: Ints
    tries: Ints
    nth: Ints
    fails: Bools
    cold: Bools
    booked: Ints

    def __len__(self) -> int:
        return len(self.start)

    def only(self, which: Bools) -> Stalled:
        """Those of them."""
        return Stalled(*(getattr(self, one.name)[which] for one in fields(Stalled)))

    def and_also(self, more: Stalled) -> Stalled:
        """Both."""
        return Stalled(*(np.concatenate([getattr(self, f.name), getattr(more, f.name)]) for f in fields(Stalled)))

    @staticmethod
    def none() -> Stalled:
        """Nobody."""
        number, truth = np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.bool_)
        real = np.zeros(0)
        return Stalled(real, real, real, number, number, number, truth, truth, number)


@dataclass(frozen=True, slots=True)
class Decided:
    """Stalled invocations whose outcome became known; arrays with one item for each. `step` is when, counted in the
    block, `end` the step in which they end."""

    step: Ints
    end: Ints
    ms: Floats
    cold: Bools
    first: Bools
    failed: Bools
    refused: Bools

    @staticmethod
    def together(some: Sequence[Decided]) -> Decided:
        """All of them as one."""
        return Decided(*(np.concatenate([getattr(one, f.name) for one in some]) for f in fields(Decided)))
