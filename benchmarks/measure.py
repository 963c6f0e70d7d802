"""Pairs and rows. A millisecond says something of one machine in one minute; a ratio carries over."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

Json = dict[str, object]
Run = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Size:
    """How much to measure: pairs of runs, and the part (0-1] of a bench's full load."""

    pairs: int = 9
    load: float = 1.0


FULL = Size()
TINY = Size(pairs=1, load=0.1)


@dataclass(frozen=True, slots=True)
class Target:
    """What must hold of the row's medians: the figure at most, or the ratio to the peer at most."""

    figure: float | None = None
    ratio: float | None = None

    def met(self, figure: float, ratio: float) -> bool:
        """Whether both limits hold."""
        return (self.figure is None or figure <= self.figure) and (self.ratio is None or ratio <= self.ratio)

    def text(self, unit: str) -> str:
        """For the table."""
        parts = [f"<= {self.figure:g} {unit}"] if self.figure is not None else []
        return ", ".join([*parts, f"ratio <= {self.ratio:g}"] if self.ratio is not None else parts)


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table. `ours` and `theirs` are the pairs' values in `unit`; less is better. `note` puts the
    figure into other words."""

    name: str
    unit: str
    ours: tuple[float, ...]
    theirs: tuple[float, ...]
    peer: str
    target: Target | None = None
    note: str = ""

    @property
    def figure(self) -> float:
        """The median of ours."""
        return median(self.ours)

    @property
    def ratio(self) -> float:
        """The median of the pairs' ratios: whatever slows the machine for a while slows both of a pair."""
        return median(one / other for one, other in zip(self.ours, self.theirs, strict=True))

    @property
    def met(self) -> bool | None:
        """Whether the target is met; None without one."""
        return None if self.target is None else self.target.met(self.figure, self.ratio)

    def to_json(self) -> Json:
        """For machines."""
        return {
            "name": self.name,
            "unit": self.unit,
            "median": self.figure,
            "min": min(self.ours),
            "max": max(self.ours),
            "peer": self.peer,
            "peer_median": median(self.theirs),
            "ratio": self.ratio,
            "target": self.target.text(self.unit) if self.target else "",
            "met": self.met,
            "note": self.note,
        }


def paired(pairs: int, ours: Run, theirs: Run, *, warm: bool = True) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Runs both in turn, after one of each that does not count (files come into memory, caches fill; without `warm`
    it is left out, for what takes seconds). The order changes from pair to pair, so that neither always finds the
    machine warm."""
    if warm:
        ours()
        theirs()
    found: list[tuple[float, float]] = []
    for number in range(pairs):
        if number % 2:
            other = theirs()
            found.append((ours(), other))
        else:
            one = ours()
            found.append((one, theirs()))
    return tuple(one for one, _ in found), tuple(other for _, other in found)


def milliseconds(work: Callable[[], object], times: int = 1) -> Run:
    """A run that does the work so many times and tells the mean processor time of one, in ms. Processor time,
    because what else runs on this machine is not the work's doing."""

    def run() -> float:
        gc.collect()
        begin = time.process_time()
        for _ in range(times):
            work()
        return (time.process_time() - begin) / times * 1000

    return run
