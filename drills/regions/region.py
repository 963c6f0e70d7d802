"""How a region is: dark, gray, cut off, short of a zone, or without its control plane. Pure, and told in advance.

Time is seconds since the drill's start. What is told of a region holds for whoever looks; `unseen` is a line that is
cut, between two places only.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

# What can befall a region, and what it means.
KINDS = {
    "dark": "nothing in it answers, and nothing in it runs",
    "gray": "its health check is fine, and a part of the customers' calls fails however often they are tried",
    "down": "its service answers every call with an error, its health check too; all else in it is well",
    "control-plane": "its APIs that change things fail; what serves goes on",
    "unseen": "it cannot be reached from a place, and is well",
    "hidden": "Block Public Access is on for it: nobody reads a public object there without credentials",
    "zone-loss": "a zone is gone: for a moment that part of the calls fails, and is served when tried again",
}
# "Customers", "checkers": those outside any region.
CUSTOMERS, CHECKERS = "customers", "checkers"
# A load balancer, API Gateway and Lambda leave a lost zone to itself within seconds. No number is published.
LEFT_ALONE_S = 15.0
# What customers feel more of where a part is gone.
SLOWER = 1.6


@dataclass(frozen=True, slots=True)
class Trouble:
    """What befalls a region from `start` to `end` (seconds). `share` is the part of the calls that fails (`gray`) or
    of the region that is gone (`zone-loss`); `seen_from` the places that cannot reach it (`unseen`)."""

    kind: str
    region: str
    start: float
    end: float
    share: float = 1.0
    seen_from: tuple[str, ...] = ()

    @property
    def out(self) -> bool:
        """Whether customers of the region are not served: an outage, if it lasts."""
        return self.kind in ("dark", "gray", "down")


@dataclass(frozen=True, slots=True)
class Condition:
    """How a region is at a moment. `fails` is the part of the customers' calls that fails for good, `first_fails`
    the part whose first try fails, `slower` the factor on what they wait; `hidden` says that its public
    objects cannot be read."""

    dark: bool = False
    down: bool = False
    fails: float = 0.0
    first_fails: float = 0.0
    slower: float = 1.0
    control_plane: bool = True
    unseen_from: frozenset[str] = frozenset()
    hidden: bool = False

    @property
    def well(self) -> bool:
        return self == Condition()

    @property
    def ill(self) -> bool:
        """Whether it fails its customers, all of them or a part."""
        return self.dark or self.down or self.fails > 0


WELL = Condition()


class Regions:
    """The condition of each region at any moment."""

    def __init__(self, names: Sequence[str], troubles: Sequence[Trouble]) -> None:
        self.names = tuple(names)
        self.troubles = tuple(sorted(troubles, key=lambda one: one.start))
        self._edges: dict[str, list[float]] = {}
        self._stretches: dict[str, list[Condition]] = {}
        for name in names:
            own = [one for one in self.troubles if one.region == name]
            edges = sorted(
                {moment for one in own for moment in (one.start, one.end)}
                | {min(one.start + LEFT_ALONE_S, one.end) for one in own if one.kind == "zone-loss"}
            )
            self._edges[name] = edges
            self._stretches[name] = [WELL, *(_condition(own, edge) for edge in edges)]

    def at(self, name: str, moment: float) -> Condition:
        """How a region is. Raises KeyError."""
        return self._stretches[name][bisect_right(self._edges[name], moment)]

    def reachable(self, name: str, place: str, moment: float) -> bool:
        """Whether a region answers at all to who calls from a place; a dark region calls nobody either."""
        condition = self.at(name, moment)
        if condition.dark or place in condition.unseen_from:
            return False
        return place not in self._edges or not self.at(place, moment).dark

    @property
    def edges(self) -> list[float]:
        """Every moment at which anything changes."""
        return sorted({edge for edges in self._edges.values() for edge in edges})


def _condition(troubles: Sequence[Trouble], moment: float) -> Condition:
    now = [one for one in troubles if one.start <= moment < one.end]
    if not now:
        return WELL
    lost = [one for one in now if one.kind == "zone-loss"]
    fresh = [one.share for one in lost if moment < one.start + LEFT_ALONE_S]
    return Condition(
        dark=any(one.kind == "dark" for one in now),
        down=any(one.kind == "down" for one in now),
        fails=max(
            (1.0 if one.kind == "down" else one.share for one in now if one.kind in ("gray", "down")), default=0.0
        ),
        first_fails=max(fresh, default=0.0),
        slower=SLOWER if lost else 1.0,
        control_plane=not any(one.kind in ("control-plane", "dark") for one in now),
        unseen_from=frozenset(place for one in now for place in one.seen_from),
        hidden=any(one.kind == "hidden" for one in now),
    )
