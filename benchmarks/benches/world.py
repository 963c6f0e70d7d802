"""The surge in both worlds of a drill, against drawing as many arrivals and durations and nothing more."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from benchmarks.measure import Row, Size, milliseconds, paired
from benchmarks.techmoda import compiled
from drills import scenario
from drills.engine import QUOTA
from drills.ground import make_world
from drills.scenario import Scenario
from drills.world import TOTAL, World
from sereno.service import Service

WORLDS = 2
SEED = 1
PLENTY = 40_000.0  # what a table may have at most, unless its quota is raised


def run(size: Size) -> list[Row]:
    """Nobody is on watch in any world here: what the watch itself takes is in `drill`. Nobody scales the tables
    either: they suffice, or they starve, which is the dearest a world can be."""
    found = scenario.load("surge-ramp")
    found = replace(found, duration_s=max(120, round(found.duration_s * size.load) // 60 * 60))
    return [_row("world", found, size, starved=False), _row("world, tables starved", found, size, starved=True)]


def _row(name: str, found: Scenario, size: Size, *, starved: bool) -> Row:
    service = Service.from_json(compiled())

    def live() -> int:
        """Both worlds to their end; how many requests came."""
        worlds = [make_world(found, SEED, service, QUOTA) for _ in range(WORLDS)]
        for world in worlds if not starved else ():
            _give_plenty(world)
        for moment in range(60, found.duration_s + 1, 60):
            for world in worlds:
                world.advance(found.start_s + moment)
        return sum(world.totals[TOTAL].offered for world in worlds)

    requests = live()

    def floor() -> None:
        rng = np.random.default_rng(SEED)
        rng.poisson(requests / found.duration_s / 100, found.duration_s * 100)
        rng.lognormal(5.0, 0.5, requests)

    pairs = max(1, size.pairs // 4)
    # `live` has run once already, to count.
    ours, theirs = paired(pairs, milliseconds(live), milliseconds(floor), warm=False)
    row = Row(name, "ms", ours, theirs, "drawing its arrivals and durations")
    speed = WORLDS * found.duration_s / row.figure * 1000
    note = f"{speed:,.0f} simulated s/s, {requests:,} requests"
    return replace(row, note=note)


def _give_plenty(world: World) -> None:
    for key in world.table_series:
        table, _, index = key.partition("/")
        world.set_capacity(table, read=PLENTY, write=PLENTY, index=index or None)
