"""A whole regional drill: the same outage twice, once with only DNS's own health check and once with Sereno too."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from drills.engine import Happening
from drills.regions import judge, measures
from drills.regions.engine import Engine, Run
from drills.regions.ground import prepared
from drills.regions.replication import Lost
from drills.regions.scenario import RegionScenario
from drills.regions.world import HOLD, PLAIN, STANDBY_OK, SWITCH, World
from sereno.model import Json

# The world without Sereno is this part of a drill's progress, as in `drills.drill`.
ALONE = 0.2
STEP_S = 10
_TROUBLES = {
    "dark": "dark",
    "gray": "gray",
    "down": "down",
    "zone-loss": "without a zone",
    "unseen": "unseen",
    "control-plane": "without its control plane",
    "hidden": "under Block Public Access",
}
_CHECKS = {PLAIN: "the primary", SWITCH: "the switch", STANDBY_OK: "the standby", HOLD: "the hold"}
# So many lost writes are listed one by one.
LISTED = 1000


def run(
    scenario: RegionScenario,
    seed: int = 1,
    *,
    config: Path | None = None,
    watch_over: Callable[[Happening], None] = lambda _: None,
    tick: Callable[[float], None] = lambda _: None,
) -> Json:
    """Runs the scenario and answers the result. `config` is another `sereno.yaml` than the scenario's own; `tick`
    hears of the progress from 0 to 1. Raises InvalidInput."""
    service = scenario.laid_out(prepared(scenario.service, config))
    duration = float(scenario.duration_s)
    alone = scenario.world(seed, service, switched=False)
    for minute in range(60, scenario.duration_s + 1, 60):
        alone.advance(minute)
        tick(ALONE * minute / duration)
    engine = Engine(
        scenario,
        seed,
        service,
        watch_over=watch_over,
        tick=lambda at: tick(ALONE + (1 - ALONE) * min(at / duration, 1.0)),
    )
    return result_of(engine.run(), alone)


def result_of(run: Run, alone: World) -> Json:
    """The result of a run beside the world without Sereno."""
    scenario, seed = run.scenario, run.seed
    outages, dark = scenario.outages(seed), scenario.dark(seed)
    asked = [scenario.moment(one.at, seed) for one in scenario.people if one.do == "fail-back"]
    back_at = asked[0] if asked else None
    lost, lost_alone = (measures.lost_writes(one, dark) for one in (run.world, alone))
    attended = judge.Case(run, run.world, outages, dark, lost, back_at)
    unattended = judge.Case(None, alone, outages, dark, lost_alone, back_at)
    of_the_world = tuple(one for one in scenario.objectives if one.name in judge.OF_THE_WORLD)
    wanted = run.service.recovery
    assert wanted is not None
    return {
        "kind": "region",
        "scenario": scenario.name,
        "title": scenario.title,
        "story": scenario.story,
        "seed": seed,
        "service": run.service.name,
        "regions": {"primary": wanted.primary, "standby": wanted.standby, "witness": wanted.witness},
        "start": datetime.fromtimestamp(scenario.start_s, UTC).isoformat(),
        "duration_s": scenario.duration_s,
        "objectives": judge.judge(scenario.objectives, attended),
        "requests": _requests(run.world),
        "outages": [
            {
                "from_s": begins,
                "to_s": ends,
                "with": _outage(run.world, (begins, ends), run.confirmed),
                "without": _outage(alone, (begins, ends)),
            }
            for begins, ends in outages
        ],
        "troubles": [
            {"kind": one.kind, "region": one.region, "from_s": one.start, "to_s": one.end, "share": one.share}
            for one in run.world.troubles
        ],
        "lost_writes": _lost(lost, dark),
        "moves": _moves(run.world),
        "switch": [{"at_s": at, "there": there} for at, there in run.world.switchings],
        "alarms": [],
        "signals": _signals(run),
        "back": {"asked_s": back_at, "worst": _worst(run.world, back_at)},
        "calls": {
            "made": run.rules.calls,
            "forbidden": [one.to_json() for one in run.rules.forbidden],
            "refused": len(run.rules.refused),
        },
        "own_functions": {"tries": run.tries, "rounds": run.rounds, "errors": run.errors},
        "incidents": run.incidents,
        "remediations": run.remediations,
        "notifications": run.notifications,
        "without": {
            "requests": _requests(alone),
            "lost_writes": _lost(lost_alone, dark),
            "moves": _moves(alone),
            "back": {"asked_s": back_at, "worst": _worst(alone, back_at)},
            "objectives": judge.judge(of_the_world, unattended),
        },
        "series": {
            "step_s": STEP_S,
            "t": list(range(0, scenario.duration_s, STEP_S)),
            "with": _series(run.world),
            "without": _series(alone),
        },
        "closely": [_closely(run.world, alone, begins) for begins, _ in outages],
    }


def _signals(run: Run) -> list[Json]:
    """What befell the regions, and what DNS made of it, as lines of the timeline."""
    world = run.world
    told = []
    for one in world.troubles:
        seen = f"by {', '.join(one.seen_from)}" if one.seen_from else ""
        share = f"{one.share:.0%} of the calls" if one.share < 1 else ""
        told.append((one.start, one.region, _TROUBLES[one.kind], seen or share))
        told.append((one.end, one.region, f"no longer {_TROUBLES[one.kind]}", ""))
    for at, check, healthy in world.health.changes:
        if check in _CHECKS:
            told.append((at, f"DNS's check of {_CHECKS[check]}", "healthy" if healthy else "unhealthy", ""))
    wanted = run.service.recovery
    for move in world.moves:
        shares = ", ".join(f"{share:.0%} {region}" for region, share in move.chances.items() if share)
        told.append((move.at_s, wanted.name if wanted else "the name", f"answered with {shares}", ""))
    return [
        {"at_s": at, "name": name, "state": state, "reason": reason, "what": ""}
        for at, name, state, reason in sorted(told)
        if at <= world.second
    ]


def _worst(world: World, back_at: float | None) -> float | None:
    return None if back_at is None else measures.worst(world, (back_at, float(world.second)))


def _outage(world: World, outage: tuple[float, float], confirmed: list[float] | None = None) -> Json:
    found = asdict(measures.parts(world, outage, confirmed or ()))
    return {
        **{f"{name}_s": value for name, value in found.items()},
        "availability": measures.availability(world, outage),
    }


def _requests(world: World) -> Json:
    counts = world.customers.counts
    offered, failed = sum(counts.offered), sum(counts.failed)
    by_place = [sum(column) for column in zip(*counts.by_place, strict=True)]
    return {
        "offered": offered,
        "served": offered - failed,
        "failed": failed,
        "served_by": dict(zip(counts.places, by_place, strict=True)),
        "served_on_retry": counts.again,
        "writes_refused": counts.writes_refused,
        "availability": measures.availability(world),
        "p99_ms": world.customers.latency_ms(99),
    }


def _lost(lost: list[Lost], dark: tuple[tuple[float, float], ...]) -> Json:
    return {
        "count": len(lost),
        "oldest_s": measures.oldest_lost_s(lost, dark),
        "superseded": sum(one.superseded_s is not None for one in lost),
        "arrived_late": sum(one.arrived_s is not None and one.superseded_s is None for one in lost),
        "list": [
            {"id": one.id, "item": one.item, "at_s": round(one.at_s, 3), "lag_s": round(one.lag_s, 3)}
            for one in lost[:LISTED]
        ],
    }


def _moves(world: World) -> list[Json]:
    return [{"at_s": one.at_s, "chances": dict(one.chances)} for one in world.moves]


def _series(world: World, begins: int = 0, ends: int | None = None, step: int = STEP_S) -> Json:
    counts = world.customers.counts
    ends = len(counts.offered) if ends is None else ends

    def a_second(values: list[int]) -> list[float]:
        return [round(sum(values[at : min(at + step, ends)]) / step, 1) for at in range(begins, ends, step)]

    primary, standby = (list(column) for column in zip(*counts.by_place, strict=True))
    return {
        "offered": a_second(counts.offered),
        "failed": a_second(counts.failed),
        "primary": a_second(primary),
        "standby": a_second(standby),
    }


def _closely(world: World, alone: World, begins: float) -> Json:
    """The first minutes of an outage, second by second."""
    first, last = max(0, int(begins) - 60), min(world.second, int(begins) + 300)
    return {
        "from_s": first,
        "t": list(range(first, last)),
        "with": _series(world, first, last, 1),
        "without": _series(alone, first, last, 1),
    }
