"""What a regional drill measures: when customers were served again, what each part of it took, and what was lost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from drills.regions.replication import Lost, recovery_point
from drills.regions.world import BOTH, PLAIN, SWITCH, World

# Customers are served again when no more than this part of their calls fails, over so many seconds, for good.
FAILING, OVER_S = 0.01, 5
# The worst stretch of failing back.
STRETCH_S = 10


@dataclass(frozen=True, slots=True)
class Parts:
    """What the way to the standby took, in seconds since the outage began (None: it did not happen).

    `confirmed` is when two vantages had agreed, `switched` when the object was written, `switch_seen` when the name
    servers knew of it, `plain_seen` when they knew from the plain check, `answered` when they first answered with the
    standby, `served` when 99 % of the calls were served again."""

    confirmed: float | None = None
    switched: float | None = None
    switch_seen: float | None = None
    plain_seen: float | None = None
    answered: float | None = None
    served: float | None = None


def failing(world: World) -> NDArray[np.float64]:
    """The part of the calls that fails, by second; 0 where there is none."""
    counts = world.customers.counts
    offered, failed = np.array(counts.offered, dtype=float), np.array(counts.failed, dtype=float)
    found: NDArray[np.float64] = np.divide(failed, offered, out=np.zeros_like(failed), where=offered > 0)
    return found


def parts(world: World, outage: tuple[float, float], confirmed: Sequence[float] = ()) -> Parts:
    """What one outage's way to the standby took."""
    begins, ends = outage

    def since(moments: Sequence[float]) -> float | None:
        return next((moment - begins for moment in moments if begins <= moment < ends), None)

    unhealthy = {
        name: [at for at, check, healthy in world.health.changes if check == name and not healthy]
        for name in (PLAIN, SWITCH, BOTH)
    }
    away = [one.at_s for one in world.moves if one.chances.get(world.place.standby, 0.0) == 1.0]
    return Parts(
        confirmed=since(confirmed),
        switched=since([at for at, there in world.switchings if there]),
        switch_seen=since(unhealthy[SWITCH]),
        plain_seen=since(unhealthy[PLAIN]),
        answered=since(away),
        served=served_again(world, outage),
    )


def served_again(world: World, outage: tuple[float, float]) -> float | None:
    """Seconds from the outage's beginning until 99 % of the calls are served, and stay so until it ends."""
    begins, ends = int(outage[0]), min(int(outage[1]), world.second)
    over = np.ones(OVER_S) / OVER_S
    mean = np.convolve(failing(world)[begins:ends], over)[: ends - begins]
    bad = np.flatnonzero(mean > FAILING)
    if not len(bad):
        return 0.0
    last = int(bad[-1])
    return None if last >= ends - begins - 1 else float(last + 1 + begins - outage[0])


def availability(world: World, stretch: tuple[float, float] | None = None) -> float | None:
    """Served by offered, in all or in a stretch."""
    counts = world.customers.counts
    where = slice(int(stretch[0]), int(stretch[1])) if stretch else slice(None)
    offered, failed = sum(counts.offered[where]), sum(counts.failed[where])
    return (offered - failed) / offered if offered else None


def worst(world: World, stretch: tuple[float, float]) -> float | None:
    """The part that is served in the worst ten seconds of a stretch; None for an empty one."""
    found = failing(world)[int(stretch[0]) : int(stretch[1])]
    if len(found) < STRETCH_S:
        return None
    mean = np.convolve(found, np.ones(STRETCH_S) / STRETCH_S, "valid")
    return float(1 - mean.max())


def lost_writes(world: World, dark: Sequence[tuple[float, float]]) -> list[Lost]:
    """The writes that were on their way when the primary went dark."""
    return world.journal.closed().lost(0, dark)


def oldest_lost_s(lost: Sequence[Lost], dark: Sequence[tuple[float, float]]) -> float:
    """How long before its outage the oldest lost write was made (seconds)."""
    return max(
        (recovery_point([one for one in lost if one.at_s < begins], begins) for begins, _ in dark[:1]), default=0.0
    )


def away_s(world: World, until: float | None = None) -> float:
    """For how many seconds the name servers sent anybody to the standby."""
    ends = float(world.second) if until is None else until
    total, since = 0.0, None
    for one in world.moves:
        elsewhere = one.chances.get(world.place.standby, 0.0) > 0
        if elsewhere and since is None:
            since = one.at_s
        if not elsewhere and since is not None:
            total, since = total + one.at_s - since, None
    return total + (ends - since if since is not None else 0.0)


def arrivals(world: World, until: float = float("inf")) -> int:
    """How often the name servers began to send everybody to the standby, up to a moment."""
    found, there = 0, False
    for one in world.moves:
        if one.at_s >= until:
            break
        all_there = one.chances.get(world.place.standby, 0.0) == 1.0
        found += 1 if all_there and not there else 0
        there = all_there
    return found


def largest_step(world: World, since: float) -> float | None:
    """The largest share of the customers that was given back to the primary at once, since a moment; None where
    nobody was."""
    # At first all of them are there.
    primary, before, found = world.place.primary, 1.0, None
    for one in world.moves:
        now = one.chances.get(primary, 0.0)
        if one.at_s >= since and now > before:
            found = max(found or 0.0, now - before)
        before = now
    return found
