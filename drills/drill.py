"""A whole drill: the same surge twice, once unattended and once with Sereno on watch, and the result as JSON."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from alarms.spec import AnySpec
from deploy import config as configuration
from deploy.config_model import Config, EventConfig
from drills import ground, twin
from drills.auto_scaling import Scaled
from drills.cloud import translated
from drills.engine import QUOTA, Delays, Engine, Happening, Run, once
from drills.judge import Case, availability, judge, recovered_s, table_recovered_s
from drills.scenario import Scenario
from drills.series import RESOLUTION_S
from drills.table_model import KINDS
from drills.world import TOTAL, World
from remediators import registry
from sereno.errors import InvalidInput, Problem
from sereno.model import Json, instant
from sereno.service import Service

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
# What can be told of a twin: the others speak of a watch that it does not have.
OF_THE_WORLD = (
    "availability",
    "p99",
    "zero-throttles",
    "zero-table-throttles",
    "recovered-within",
    "table-recovered-within",
)


def run(
    scenario: Scenario,
    seed: int = 1,
    *,
    config: Path | None = None,
    delays: Delays = once,
    watch_over: Callable[[Happening], None] = lambda _: None,
    tick: Callable[[float], None] = lambda _: None,
    keep: Callable[[Json, Run, Json], None] = lambda _result, _run, _compiled: None,
) -> Json:
    """Runs the scenario and answers the result (see `drills.contract`). `config` is another `sereno.yaml` than the
    scenario's own. `tick` hears of the progress from 0 to 1. `keep` is handed the result, the run and the compiled
    configuration, for who keeps more of a drill than its result. Raises InvalidInput."""
    compiled, service = prepared(scenario, config)
    duration = float(scenario.duration_s)
    scaled = _scaled(scenario, service)
    unattended = twin.run(scenario, seed, service, QUOTA, scaled, lambda at: tick(0.2 * at / duration))
    engine = Engine(
        scenario,
        seed,
        service,
        compiled,
        template_of(scenario),
        delays=delays,
        watch_over=watch_over,
        tick=lambda at: tick(0.2 + 0.8 * at / duration),
    )
    done = engine.run()
    result = result_of(done, unattended)
    keep(result, done, compiled)
    return result


def template_of(scenario: Scenario) -> Path:
    """The SAM template of the scenario's service."""
    return EXAMPLES / scenario.service / "template.yaml"


def _scaled(scenario: Scenario, service: Service) -> tuple[Scaled, ...]:
    """What Application Auto Scaling owns of the scenario's tables."""
    if not scenario.tables:
        return ()
    return ground.scaled_by_template(translated(template_of(scenario), service, fast=False), scenario)


def prepared(scenario: Scenario, path: Path | None = None) -> tuple[Json, Service]:
    """The compiled configuration and its service, as the scenario wants them. Raises InvalidInput."""
    config = configuration.load(path or EXAMPLES / scenario.service / "sereno.yaml")
    compiled = configuration.compile_config(_with_events(config, scenario))
    for play in compiled["playbook"].values():
        _limit(play, scenario)
    _declare(compiled["tables"], scenario)
    if scenario.demand_metric:
        for one in compiled["functions"].values():
            one["fast_metric"] = True
    service = Service.from_json(compiled)
    declared = {one.name for one in service.functions.values()}
    unknown = [one.name for one in scenario.functions if one.name not in declared]
    if unknown or not service.apis:
        mend = f"is not among the functions of {service.name} ({', '.join(sorted(declared))})"
        problems = [Problem("functions", name, mend) for name in unknown]
        if not service.apis:
            problems.append(Problem("resources.apis", None, "is empty: a drill needs the API that customers call"))
        raise InvalidInput(f"scenario {scenario.name}", problems)
    return compiled, service


def _with_events(config: Config, scenario: Scenario) -> Config:
    """The configuration with the scenario's planned events instead of its own."""
    if not scenario.events:
        return config
    planned = [
        EventConfig.model_validate(
            {
                "name": one["name"],
                "from": one["starts"],
                "to": one["ends"],
                "factor": f"{one['factor']:g}x",
                "prewarm": f"{one['prewarm_s']}s",
            }
        )
        for one in scenario.events
    ]
    return config.model_copy(update={"events": planned})


def _declare(tables: Json, scenario: Scenario) -> None:
    """Declares the tables that the scenario has in another size."""
    for one in scenario.tables:
        if one.normal is None or one.key not in tables:
            continue
        declared = tables[one.key]
        for kind in KINDS:
            declared[kind] = getattr(one, kind) or declared[kind]
            declared[f"normal_{kind}"] = one.normal[kind]
            for name, index in one.indexes.items():
                if name in declared["indexes"] and getattr(index, kind):
                    declared["indexes"][name][kind] = getattr(index, kind)


def _limit(play: Json, scenario: Scenario) -> None:
    """Gives a play the scenario's hold and limits."""
    if scenario.hold_s is not None:
        play["hold_s"] = scenario.hold_s
    for name, value in scenario.limits.items():
        if name in {"cost_per_day", "per_day"}:
            play[name] = value
        elif any(name in registry.load(one).params for rung in play["rungs"] for one in rung):
            play["params"][name] = value


def result_of(run: Run, beside: World) -> Json:
    """The result of a run beside its unattended twin's world."""
    scenario, world = run.scenario, run.world
    attended, unattended = Case(run, world, beside), Case(None, beside, beside)
    of_the_world = tuple(one for one in scenario.objectives if one.name in OF_THE_WORLD)
    start = scenario.start_s
    return {
        "scenario": scenario.name,
        "title": scenario.title,
        "story": scenario.story,
        "seed": run.seed,
        "service": run.service.name,
        "start": datetime.fromtimestamp(start, UTC).isoformat(),
        "duration_s": scenario.duration_s,
        "objectives": judge(scenario.objectives, attended),
        "requests": _requests(world),
        "without": {
            "requests": _requests(beside),
            "first_throttle_s": _since(beside.first_throttle[TOTAL], start),
            "recovered_s": recovered_s(beside),
            **_tables_of(beside, start),
            "objectives": judge(of_the_world, unattended),
        },
        "first_throttle_s": _since(world.first_throttle[TOTAL], start),
        "raised_s": _since(_raised(run, beside), start),
        "recovered_s": recovered_s(world),
        **_tables_of(world, start),
        "capacity_changes": run.capacity_changes,
        "planned_events": _planned(run.service, start),
        "incidents": run.incidents,
        "own_functions": {"runs": run.own_runs, "throttled": run.own_throttled},
        "signals": run.signals,
        "alarms": _alarms(run),
        "remediations": run.remediations,
        "notifications": run.notifications,
        "dead_letters": run.dead_letters,
        "limits": {"before": run.limits_before, "after": run.limits_after},
        "series": {
            "step_s": RESOLUTION_S,
            "t": list(range(0, scenario.duration_s, RESOLUTION_S)),
            "with": _series(world, scenario.duration_s),
            "without": _series(beside, scenario.duration_s),
        },
    }


def _planned(service: Service, start: float) -> list[Json]:
    """The events that the service's configuration knows beforehand, in seconds since the start."""
    return [
        {
            "name": one.name,
            "from_s": instant(one.starts).timestamp() - start,
            "to_s": instant(one.ends).timestamp() - start,
            "factor": one.factor,
        }
        for one in service.events
    ]


def _tables_of(world: World, start: float) -> Json:
    """What is told of the tables, apart from Lambda's throttles; nothing without tables."""
    if not world.tables:
        return {}
    totals = world.table_totals[TOTAL]
    return {
        "tables": {
            "throttled_calls": totals.throttled,
            "first_throttle_s": _since(world.first_table_throttle[TOTAL], start),
            "recovered_s": table_recovered_s(world),
        }
    }


def _raised(run: Run, beside: World) -> float | None:
    """When the limit was raised of the function that throttles first without Sereno; of any, if none does."""
    first = {name: at for name, at in beside.first_throttle.items() if name in run.raised_at and at is not None}
    if first:
        return run.raised_at[min(first, key=lambda name: first[name])]
    return min(run.raised_at.values(), default=None)


def _since(moment: float | None, start: float) -> float | None:
    return None if moment is None else round(moment - start, 3)


def _requests(world: World) -> Json:
    totals = world.totals[TOTAL]
    return {
        "offered": totals.offered,
        "served": totals.served,
        "failed": totals.failed,
        "throttled_attempts": totals.throttled,
        "served_on_retry": totals.served_on_retry,
        "p99_ms": world.latency.percentile(99),
        "availability": availability(world),
    }


def _alarms(run: Run) -> list[Json]:
    specs = [bell.spec for bell in run.belfry.bells]
    every: list[AnySpec] = [*specs, *(one.spec for one in run.belfry.composites.values())]
    return [
        {
            "name": spec.name,
            "what": spec.what,
            "severity": spec.severity,
            "transitions": run.transitions.get(spec.name, []),
        }
        for spec in sorted(every, key=lambda one: one.name)
    ]


def _series(world: World, duration_s: int) -> Json:
    series, slots = world.series, duration_s // RESOLUTION_S
    total = series[TOTAL]
    a_second = {
        name: [round(value / RESOLUTION_S, 1) for value in getattr(total, name)[:slots].tolist()]
        for name in ("offered", "served", "failed")
    }
    functions = {
        name: {"concurrency": series[name].peak[:slots].tolist(), "limit": series[name].limit[:slots].tolist()}
        for name in world.functions
    }
    tables = {
        name: {
            kind: {
                "consumed": [round(value, 1) for value in getattr(one, kind)[:slots].tolist()],
                "capacity": getattr(one, f"{kind}_capacity")[:slots].tolist(),
                "throttled": getattr(one, f"{kind}_throttled")[:slots].tolist(),
            }
            for kind in KINDS
        }
        for name, one in world.table_series.items()
    }
    return {**a_second, "functions": functions, "tables": tables}
