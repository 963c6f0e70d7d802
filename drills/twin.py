"""The unattended twin: the same traffic on the same ground, with what AWS does by itself and nothing else."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence

from drills.auto_scaling import AutoScaling, Scaled
from drills.function_model import stream
from drills.ground import make_world
from drills.scenario import Scenario
from drills.table_updates import TableUpdates
from drills.world import World
from sereno.service import Service

MINUTE_S = 60.0


def scaling_phase(seed: int) -> float:
    """At which second of each minute Application Auto Scaling looks; the same in both runs."""
    return float(stream(seed, "auto scaling", "phase").uniform(0, MINUTE_S))


def run(
    scenario: Scenario,
    seed: int,
    service: Service,
    quota: int,
    scaled: Sequence[Scaled] = (),
    tick: Callable[[float], None] = lambda _: None,
) -> World:
    """The world at the scenario's end. `tick` hears of the progress (seconds since the start)."""
    world = make_world(scenario, seed, service, quota)
    calendar: list[tuple[float, int, Callable[[], None]]] = []
    number = 0

    def at(moment: float, action: Callable[[], None]) -> None:
        nonlocal number
        number += 1
        heapq.heappush(calendar, (moment, number, action))

    start, end = scenario.start_s, scenario.start_s + scenario.duration_s
    updates = TableUpdates(world, seed, at, takes=scenario.update_table_s)
    scaling = AutoScaling(lambda: scaled, world.store, updates)

    def minute(moment: float) -> None:
        scaling.look(moment)
        tick(moment - start)
        at(moment + MINUTE_S, lambda: minute(moment + MINUTE_S))

    first = start + scaling_phase(seed)
    at(first, lambda: minute(first))
    while calendar and calendar[0][0] <= end:
        moment, _, action = heapq.heappop(calendar)
        world.advance(moment)
        action()
    world.advance(end)
    tick(end - start)
    return world
