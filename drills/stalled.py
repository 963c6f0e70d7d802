"""Invocations whose call to a table was throttled: those that wait for another attempt, and what became of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from drills.steps import STEP_S

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

# "MAX_BACKOFF" of botocore's standard retry mode.
LONGEST_WAIT_S = 20.0

WAITING, PASSED, GIVEN_UP, TIMED_OUT = 0, 1, 2, 3


def longest_waits(base_s: float, attempts: int) -> Floats:
    """By the number of throttled attempts, from 1 on: the longest wait (steps of 20 ms) before the next one. The SDK
    waits a random part of it."""
    longest: Floats = np.minimum(base_s * 2.0 ** np.arange(attempts - 1), LONGEST_WAIT_S) / STEP_S
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

    def add(self, lane: Ints, refused: Floats, passed: Bools, *, first: bool) -> None:
        """Counts calls in: their lanes, how often each was refused, and whether it passed in the end; `first` says
        that the first attempt was among them."""
        lanes = len(self.stuck)
        if first:
            self.stuck += np.bincount(lane, minlength=lanes)
        self.refused += np.bincount(lane, weights=refused, minlength=lanes)
        self.passed += np.bincount(lane, weights=passed, minlength=lanes)


class Stalled:
    """Invocations with a throttled call; each property has one item for each, and may be written to.

    All lie in one array, so that choosing and joining are one operation.
    """

    __slots__ = ("_rows",)
    _ROWS = 9

    def __init__(self, rows: Floats) -> None:
        self._rows = rows

    @staticmethod
    def of(
        start: Floats,
        own_ms: Floats,
        due: Floats,
        lane: Ints,
        *,
        tries: Ints | int = 1,
        nth: Ints | int = 0,
        fails: Bools | bool = False,
        cold: Bools | bool = False,
        booked: Ints | int = 0,
    ) -> Stalled:
        """Some. Times are steps since the world's start."""
        rows = np.empty((Stalled._ROWS, len(start)))
        for number, row in enumerate((start, own_ms, due, lane, tries, nth, fails, cold, booked)):
            rows[number] = row
        return Stalled(rows)

    @staticmethod
    def none() -> Stalled:
        """Nobody."""
        return Stalled(np.zeros((Stalled._ROWS, 0)))

    def __len__(self) -> int:
        return len(self._row(0))

    def _row(self, number: int) -> Floats:
        row: Floats = self._rows[number]
        return row

    def only(self, which: Bools | Ints | slice) -> Stalled:
        """Those of them."""
        return Stalled(self._rows[:, which])

    def and_also(self, more: Stalled) -> Stalled:
        """Both."""
        return Stalled(np.concatenate([self._rows, more._rows], axis=1))

    @property
    def start(self) -> Floats:
        """When the invocation started."""
        return self._row(0)

    @property
    def own_ms(self) -> Floats:
        """How long it takes besides waiting."""
        return self._row(1)

    @property
    def due(self) -> Floats:
        """When the next attempt of the call is made; when it was decided, for those that are."""
        return self._row(2)

    @property
    def lane(self) -> Ints:
        """Twice the number of the use, plus 1 for the partition of the hottest key; a copy."""
        return self._row(3).astype(np.int64)

    @property
    def tries(self) -> Floats:
        """Attempts of the call so far."""
        return self._row(4)

    @property
    def nth(self) -> Floats:
        """Attempts of the client before this one."""
        return self._row(5)

    @property
    def fails(self) -> Bools:
        """Whether it will fail whatever the table does; a copy."""
        fails: Bools = self._row(6) > 0
        return fails

    @property
    def cold(self) -> Floats:
        """1 for those that began with the init of an environment."""
        return self._row(7)

    @property
    def booked(self) -> Floats:
        """The step in which its end is booked for the time being: when it times out."""
        return self._row(8)


@dataclass(frozen=True, slots=True)
class Decided:
    """Stalled invocations whose outcome became known; arrays with one item for each. `step` is when, counted in the
    block, `end` the step in which they end."""

    step: Ints
    end: Ints
    ms: Floats
    cold: Floats
    first: Bools
    failed: Bools
    refused: Bools

    @staticmethod
    def together(some: Sequence[Decided]) -> Decided:
        """All of them as one."""
        return Decided(*(np.concatenate([getattr(one, f.name) for one in some]) for f in fields(Decided)))
