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

SEED = 1
PLENTY = 40_000.0  # what a table may have at most, unless its quota is raised


def run(size: Size) -> list[Row]:
    """Nobody is on watch in any world here: what the watch itself takes is in `drill`. Nobody scales the tables
    either: they suffice, or they starve, which is the dearest a world can be."""
    found = scenario.load("surge-ramp")
    whole = replace(found, duration_s=_whole_minutes(found.duration_s * size.load))
    half = replace(found, duration_s=_whole_minutes(found.duration_s * size.load / 2))
    return [
        _row("world", whole, size, worlds=2, starved=False),
        _row("world, tables starved", half, size, worlds=1, starved=True),
    ]


def _whole_minutes(seconds: float) -> int:
    return max(120, round(seconds) // 60 * 60)


def _row(name: str, found: Scenario, size: Size, *, worlds: int, starved: bool) -> Row:
    service = Service.from_json(compiled())

    def live() -> int:
        """The worlds to their end; how many requests came."""
        living = [make_world(found, SEED, service, QUOTA) for _ in range(worlds)]
        for world in living if not starved else ():
            _give_plenty(world)
        for moment in range(60, found.duration_s + 1, 60):
            for world in living:
                world.advance(found.start_s + moment)
        return sum(world.totals[TOTAL].offered for world in living)

    requests = live()

    def floor() -> None:
        rng = np.random.default_rng(SEED)
        rng.poisson(requests / found.duration_s / 100, found.duration_s * 100)
        rng.lognormal(5.0, 0.5, requests)

    pairs = max(1, size.pairs // 4)
    # `live` has run once already, to count.
    ours, theirs = paired(pairs, milliseconds(live), milliseconds(floor), warm=False)
    row = Row(name, "ms", ours, theirs, "drawing its arrivals and durations")
    speed = worlds * found.duration_s / row.figure * 1000
    note = f"{speed:,.0f} simulated s/s, {requests:,} requests"
    return replace(row, note=note)


def _give_plenty(world: World) -> None:
    for key in world.table_series:
        table, _, index = key.partition("/")
        world.set_capacity(table, read=PLENTY, write=PLENTY, index=index or None)
