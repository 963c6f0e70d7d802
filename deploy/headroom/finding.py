"""One limit against one need, and how the two are held against each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from deploy.account import Account
from deploy.on_paper import Paper
from remediators.watch import parameters
from sereno.model import Signal
from sereno.service import Play, Service

RAISE = {"function": "raise_concurrency", "table": "raise_capacity"}


class State(StrEnum):
    """How a limit stands to a need. LOOK: it holds, but something about it should be known."""

    HOLDS = "holds"
    SHORT = "short"
    UNKNOWN = "unknown"
    LOOK = "look"


@dataclass(frozen=True, slots=True)
class Surge:
    """What must be held: the objective, or a planned event with its signal; `plays` are those that raise for it."""

    name: str
    factor: float
    plays: tuple[Play, ...]
    signal: Signal | None = None

    def raising(self, kind: str) -> tuple[Play, ...]:
        """The plays that raise a function's or a table's limits."""
        return tuple(play for play in self.plays if RAISE[kind] in play.first)


@dataclass(frozen=True, slots=True)
class Finding:
    """`need` and `limit` are in `unit` (None: not known, or not set). `whose` says where the limit comes from, `mend`
    the number to change and to what."""

    surge: str
    factor: float
    where: str
    what: str
    unit: str
    need: float | None
    limit: float | None
    state: State
    whose: str = ""
    mend: str = ""


@dataclass(frozen=True, slots=True)
class Look:
    """One surge upon one service in one account."""

    surge: Surge
    paper: Paper

    @property
    def service(self) -> Service:
        return self.paper.service

    @property
    def account(self) -> Account:
        return self.paper.account

    def holds(
        self, where: str, what: str, unit: str, need: float, limit: float | None, *, whose: str, mend: str
    ) -> Finding:
        """Short, with its mend, where the limit is below the need."""
        state = State.SHORT if limit is not None and need > limit else State.HOLDS
        return self.say(state, where, what, unit, need, limit, whose, mend if state is State.SHORT else "")

    def unknown(self, where: str, what: str, unit: str, limit: float | None, mend: str) -> Finding:
        """Nothing tells how much is normal."""
        return self.say(State.UNKNOWN, where, what, unit, None, limit, "", mend)

    def say(
        self,
        state: State,
        where: str,
        what: str,
        unit: str,
        need: float | None,
        limit: float | None,
        whose: str,
        mend: str,
    ) -> Finding:
        """A finding of this surge."""
        return Finding(self.surge.name, self.surge.factor, where, what, unit, need, limit, state, whose, mend)

    def ceiling(self, kind: str, limit: str, where: str, what: str, unit: str, need: int) -> Finding:
        """The lowest ceiling among the plays that raise it: any of them may come first."""
        plays = self.surge.raising(kind)
        ceilings = {one.what: int(parameters(self.paper.remediators[RAISE[kind]], one)[limit]) for one in plays}
        lowest = min(ceilings, key=lambda name: ceilings[name])
        return self.holds(
            where,
            what,
            unit,
            need,
            ceilings[lowest],
            whose=f"ceiling of {lowest}",
            mend=_raised(limit, {name: value for name, value in ceilings.items() if value < need}, need),
        )


def _raised(limit: str, short: dict[str, int], need: int) -> str:
    if not short:
        return ""
    (first, value), *others = short.items()
    also = f" (also of {_listed([name for name, _ in others])})" if others else ""
    return f"playbook.{first}.limits.{limit}: {value} -> {need}{also}"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names)
