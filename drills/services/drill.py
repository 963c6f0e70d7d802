"""A whole drill of many services: the same surge twice, with nobody to act and with a Sereno for each service."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC
from pathlib import Path
from typing import Any

from deploy.embedded_meter import Meter
from drills.engine import Happening
from drills.services import engine, members
from drills.services.engine import Party, Run
from drills.services.judge import answered_s, judge, raises, refused_for_room
from drills.services.scenario import ServicesScenario
from drills.world import TOTAL, World
from sereno.errors import InvalidInput, Problem
from sereno.model import Json


def run(
    scenario: ServicesScenario,
    seed: int = 1,
    *,
    config: Path | None = None,
    meter: Meter | None = None,
    watch_over: Callable[[Happening], None] = lambda _: None,
    tick: Callable[[float], None] = lambda _: None,
) -> Json:
    """Runs the scenario and answers its result. `meter` holds other request rates than AWS's. Raises InvalidInput."""
    if config is not None:
        fix = "names one service: leave it out, the scenario makes its own"
        raise InvalidInput("sereno drill", [Problem("--config", str(config), fix)])
    services, length = members.gather(scenario), float(scenario.duration_s)
    beside = engine.without(scenario, seed, services, lambda at: tick(min(1.0, 0.35 * at / length)))
    done = engine.Engine(
        scenario,
        seed,
        services,
        meter=meter,
        watch_over=watch_over,
        tick=lambda at: tick(min(1.0, 0.35 + 0.65 * at / length)),
    ).run()
    return result_of(done, beside)


def result_of(done: Run, beside: Sequence[World]) -> Json:
    """The result of a run beside the worlds in which nobody acted."""
    scenario = done.scenario
    rows = sorted((one for party in done.parties for one in party.rows), key=lambda one: float(one["at_s"]))
    throttle = done.throttle
    return {
        "kind": "services",
        "scenario": scenario.name,
        "title": scenario.title,
        "story": scenario.story,
        "seed": done.seed,
        "service": f"{scenario.services} services",
        "start": scenario.start.astimezone(UTC).isoformat(),
        "duration_s": scenario.duration_s,
        "objectives": judge(done, beside),
        "services": [_service(party, world) for party, world in zip(done.parties, beside, strict=True)],
        "account": {
            "concurrency": scenario.concurrency,
            "own_reserved": sum(party.member.own_reserved for party in done.parties),
            "least_unreserved": done.least_unreserved,
        },
        "limits": [
            {"name": name, "throttled": throttle.throttled[name], "given_up": throttle.given_up[name]}
            for name in sorted({*throttle.throttled, *throttle.given_up})
        ],
        "calls": dict(sorted(throttle.calls.items())),
        "requests": _requests([party.world for party in done.parties]),
        "without": {"requests": _requests(beside), "objectives": []},
        "remediations": rows,
    }


def _service(party: Party, beside: World) -> Json:
    mine, theirs = party.world.totals[TOTAL], beside.totals[TOTAL]
    steps = [step for one in raises(party) for step in one["plan"]["steps"] if step["setting"] == _LIMIT]
    return {
        "name": party.member.service.name,
        "reserved": beside.reserved(party.member.function),
        # One that had no reservation has none again where all of its raise was given back.
        "raised_to": max((int(step["after"]) for step in steps if step["after"] is not None), default=None),
        "refused_for_room": len(refused_for_room(party)),
        "answered_s": answered_s(party),
        "offered": mine.offered,
        "failed": mine.failed,
        "failed_without": theirs.failed,
        "failures": len(party.failures),
    }


_LIMIT = "reserved concurrency"


def _requests(worlds: Sequence[World]) -> Json:
    totals = [world.totals[TOTAL] for world in worlds]
    counted: dict[str, Any] = {
        name: sum(getattr(one, name) for one in totals) for name in ("offered", "served", "failed", "throttled")
    }
    return {**counted, "availability": counted["served"] / counted["offered"] if counted["offered"] else None}
