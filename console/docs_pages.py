"""The pages that follow from the house: remediators, alarms, scenarios."""

from __future__ import annotations

import importlib
import math
from collections.abc import Iterator
from functools import lru_cache

from alarms.packs import all_alarms, regions
from alarms.spec import AlarmSpec, AnySpec, CompositeSpec
from deploy import config, golden, iam
from drills import library, replay_table
from drills.faults import WATCH_KINDS, Fault
from drills.regions.narrative import MEANINGS
from drills.regions.region import KINDS
from drills.regions.scenario import RegionScenario
from drills.regions.year import YearScenario
from drills.scenario import Objective, Scenario
from drills.services.scenario import ServicesScenario
from remediators import registry
from sereno.model import instant
from sereno.ports import Param, Permission, Remediator
from sereno.service import REGION_OUT, Service

REMEDIATORS = """\
# Remediators

A remediator is one module in `remediators/actions/`. This page is read from those modules. Its *parameters* are the
names that `limits` of a play may carry beside `per_day` and `cost_per_day` (see [configuration](configuration.md));
its *permissions* become the IAM role of its function, beside what every function of the watch needs: the ledger, the
topic, the dead-letter queue, X-Ray.

How to add one: [CONTRIBUTING](../CONTRIBUTING.md#a-remediator).
"""
REPLAYED = """\
## How soon each alarm fires

CloudWatch leaves open how many datapoints an evaluation fetches (N to N + 10 are tried), how many more metric math
reads (0 to 2), how late a datapoint is (up to the newest three minutes are missing, gaps among them too), whether the
newest minute is complete, and at which second of a minute an alarm is evaluated. Each kind of alarm is replayed under
combinations of these: it fires on its incident within the stated time in all of them, counted from the begin of the
incident, and an ordinary day (`quiet-day`) fires it in none of them. `customers-hurt` fires with the first symptom
below it. `primary-out` is missing here: Route 53 reads its metric and not its state.
"""
ALARMS = """\
# Alarms

What is watched, read from the packs in `alarms/packs/` for the example
[examples/techmoda/sereno.yaml](../examples/techmoda/sereno.yaml). Another configuration gives other thresholds: each
follows from an objective or a declared limit, and its description says how.

*M of N* is how many of the newest N periods must breach. A severity of `page` wakes people: for what customers see
`customers-hurt` does it, one page an incident; self-monitoring notifies them directly. A `ticket` starts what the
playbook says, and is sent to people directly only where no rule answers it; an `info` is a part of another alarm and
notifies nobody.
"""
TWO_REGIONS = """\
What a second region adds, read from [examples/techmoda/regions.yaml](../examples/techmoda/regions.yaml): each in the
region whose metrics tell it. They are for people, and move no traffic.
"""
SCENARIOS = """\
# Scenarios

What can be rehearsed: `sereno drill NAME`. Each is a file in `drills/scenarios/`. A drill runs it twice with the same
arrivals, once unattended and once with Sereno on watch, and judges the second by the scenario's objectives.

How to add one: [CONTRIBUTING](../CONTRIBUTING.md#a-scenario). What is modelled, and how: [embedded](embedded.md).

| scenario | title | length |
|---|---|---|
"""


def cell(text: object) -> str:
    """Text that may stand in a table's cell."""
    return " ".join(str(text).split()).replace("|", "\\|")


# -- remediators


def remediators() -> str:
    """The page of remediators, in Markdown."""
    parts = [REMEDIATORS]
    for name, one in registry.all_remediators().items():
        parts.append(f"## {name}\n\n{one.summary}\n")
        parts.append(f"{importlib.import_module(f'remediators.actions.{name}').__doc__}".strip() + "\n")
        parts.append(f"Kind of target: `{one.kind}`. It answers {_answers(name)}.\n")
        parts.append("\n".join(_parameters(one)) + "\n")
        parts.append("\n".join(_permissions(one.permissions)) + "\n")
    return "\n".join(parts)


def _answers(name: str) -> str:
    first = [f"`{what}`" for what, ladder in config.USUAL_PLAYS.items() if name in ladder[0]]
    later = [f"`{what}`" for what, ladder in config.USUAL_PLAYS.items() if any(name in rung for rung in ladder[1:])]
    said = [", ".join(first)] if first else []
    if later:
        said.append(f"after another remediator, when the symptom persists, {', '.join(later)}")
    if name == config.FENCES:
        said.append(f"`{REGION_OUT}`, where `recovery.fence` names functions")
    return "; ".join(said) + " (in a playbook that writes nothing else)"


def _parameters(one: Remediator) -> Iterator[str]:
    yield "| parameter | meaning | default | limits |\n|---|---|---|---|"
    for name, param in one.params.items():
        meaning = f"{param.doc}; {param.source}" if param.source else param.doc
        default = "none" if param.default is None else f"`{param.default}`"
        yield f"| `{name}` | {cell(meaning)} | {default} | {_bounds(param)} |"


def _bounds(param: Param) -> str:
    if param.minimum is None and param.maximum is None:
        return ""
    low = "" if param.minimum is None else f"{param.minimum:g}"
    high = "" if param.maximum is None else f"{param.maximum:g}"
    return f"{low} to {high}"


def _permissions(permissions: tuple[Permission, ...]) -> Iterator[str]:
    yield "| IAM action | on | why nothing narrower |\n|---|---|---|"
    for one in permissions:
        actions = ", ".join(f"`{action}`" for action in iam.actions(one))
        yield f"| {actions} | `{one.resource}` | {cell(one.because)} |"


# -- alarms


def alarms() -> str:
    """The page of alarms, in Markdown."""
    service = Service.from_json(config.compile_config(config.load(golden.TECHMODA)))
    specs = all_alarms(service)
    own = [one for one in specs if one.name.startswith(f"{service.name}/")]
    watchman = [one for one in specs if one not in own]
    parts = [ALARMS, _replayed(), f"## The service ({len(own)} alarms)\n", *map(_alarm, own)]
    parts += [f"## The watchman himself ({len(watchman)} alarms)\n"]
    parts += ["Sereno's own alarms. No rule of the service matches their names: they never start a remediator.\n"]
    parts += map(_alarm, watchman)
    known = {one.name for one in specs}
    regional = [one for one in _of_two_regions() if one.name not in known]
    parts += [f"## Two regions ({len(regional)} alarms)\n", TWO_REGIONS, *map(_alarm, regional)]
    return "\n".join(parts)


@lru_cache(maxsize=1)
def replayed() -> tuple[replay_table.Row, ...]:
    """How late each kind of alarm fires, of one region and of two. It takes some seconds, and is done once."""
    return tuple(replay_table.table(replayable()))


def replayable() -> list[AnySpec]:
    """Every alarm of the examples, with what a faster metric, queues and a declared pause add, and of a service
    without an API."""
    compiled = config.compile_config(config.load(golden.TECHMODA))
    functions = {key: one | {"fast_metric": True} for key, one in compiled["functions"].items()}
    queues = {"orders": {"name": "techmoda-orders", "age_s": 900, "dead_letters": "techmoda-orders-dead"}}
    apis = {key: one | {"pause_s": 900} for key, one in compiled["apis"].items()}
    found = [*all_alarms(Service.from_json(compiled | {"functions": functions, "queues": queues}))]
    for other in (compiled | {"apis": apis}, compiled | {"apis": {}}):
        found += all_alarms(Service.from_json(other))
    found += _of_two_regions()
    return [one for one in found if one.what != "primary-out"]


def _replayed() -> str:
    lines = [REPLAYED, "| alarm | incident | fires within | under the assumption | quiet on `quiet-day` |"]
    lines.append("|---|---|---|---|---|")
    for row in replayed():
        within = "never" if row.seconds is None else _minutes(row.seconds)
        quiet = "says when another counts" if row.what in replay_table.CONDITIONS else row.rings or "yes"
        lines.append(f"| `{row.name}` | {row.incident} | {within} | {row.assumed} | {quiet} |")
    return "\n".join(lines) + "\n"


def _minutes(seconds: float) -> str:
    """Whole seconds below a minute, else minutes rounded up, or hours."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = math.ceil(seconds / 60)
    return f"{minutes} min" if minutes < 180 else f"{math.ceil(minutes / 60)} h"


def _of_two_regions() -> list[AnySpec]:
    """What a second region adds, each alarm once and as the first region that has it says it."""
    found: dict[str, AnySpec] = {}
    for compiled in config.watches(config.compile_config(config.load(golden.REGIONS))):
        found = {one.name: one for one in regions.alarms(Service.from_json(compiled))} | found
    return list(found.values())


def _alarm(spec: AnySpec) -> str:
    anchor = spec.runbook.rpartition("#")[2]
    facts = [f"severity {spec.severity}", f"[runbook](runbook.md#{anchor})"]
    if isinstance(spec, AlarmSpec):
        facts[1:1] = [_threshold(spec), f"missing data: {spec.treat_missing_data}"]
    elif isinstance(spec, CompositeSpec):
        facts.insert(1, f"rule: `{spec.rule}`")
    return f"### `{spec.name}`\n\n{'; '.join(facts)}\n\n{spec.description}\n"


_SIGNS = {
    "GreaterThanOrEqualToThreshold": ">=",
    "GreaterThanThreshold": ">",
    "LessThanThreshold": "<",
    "LessThanOrEqualToThreshold": "<=",
}


def _threshold(spec: AlarmSpec) -> str:
    sign, needed = _SIGNS[spec.comparison_operator], spec.datapoints_to_alarm or spec.evaluation_periods
    return (
        f"{_measure(spec)} {sign} {spec.threshold:g}, {needed} of {spec.evaluation_periods} x {spec.period_seconds} s"
    )


def _measure(spec: AlarmSpec) -> str:
    for query in spec.metrics:
        if query.return_data and query.expression:
            return f"{query.label or query.id} (`{query.expression}`)"
    return f"{spec.statistic or spec.extended_statistic} of {spec.namespace} {spec.metric_name}"


# -- scenarios


def scenarios() -> str:
    """The page of scenarios, in Markdown."""
    found = [library.load(name) for name in library.names()]
    rows = [f"| [{one.name}](#{one.name}) | {cell(one.title)} | {_span(one.duration_s)} |" for one in found]
    return SCENARIOS + "\n".join(rows) + "\n\n" + "\n".join(map(_any, found))


def _any(one: library.AnyScenario) -> str:
    if isinstance(one, RegionScenario):
        return _regional(one)
    if isinstance(one, ServicesScenario):
        return _services(one)
    return _year(one) if isinstance(one, YearScenario) else _scenario(one)


def _services(one: ServicesScenario) -> str:
    """Of many services in one account."""
    lines = [f"## {one.name}\n", f"{' '.join(one.story.split())}\n"]
    course = ", ".join(f"{factor:g}x at {_span(at)}" for at, factor in one.points)
    lines.append(
        f"* Services: {one.services}, each with {one.normal:g} requests a second; {course}; linear in between."
    )
    lines.append(f"* The account: {one.concurrency:,} concurrent executions; each service reserves {one.reserved}.")
    if one.unreserved:
        lines.append(f"* Every {one.unreserved}th service reserves nothing and lives on the unreserved pool.")
    if one.tables:
        lines.append(f"* Every {one.tables}th service has a provisioned table.")
    lines += [
        f"* The rest of the account: {rate:g} requests a second of `{name}`." for name, rate in one.others.items()
    ]
    if one.jitter_s:
        lines.append(f"* Each service's traffic is delayed by 0 to {_span(one.jitter_s)}, drawn from the seed.")
    return "\n".join([*lines, f"* Judged by: {', '.join(map(_objective, one.objectives))}."]) + "\n"


def _regional(one: RegionScenario) -> str:
    """Of the loss of a region."""
    lines = [f"## {one.name}\n", f"{' '.join(one.story.split())}\n"]
    lines.append(f"* Traffic: {one.peak:g} requests a second at the busiest hour, from four continents.")
    for each in one.troubles:
        share = f" ({each.share:.0%})" if each.share < 1 else ""
        seen = f" from the {', '.join(each.seen_from)}" if each.seen_from else ""
        lines.append(
            f"* The {each.region}: `{each.kind}`{share}{seen} from {_span(each.start)} to {_span(each.end)}: "
            f"{KINDS[each.kind]}."
        )
    for blip in one.blips:
        every, lasting = ("-".join(map(_span, pair)) for pair in (blip.every, blip.lasting))
        lines.append(
            f"* The {blip.region}: dark for {lasting} every {every}, from {_span(blip.start)} to {_span(blip.end)}."
        )
    if not one.global_control_plane:
        lines.append("* The control planes of Route 53 and IAM fail throughout.")
    lines += [f"* A person fails back at {_span(wish.at)}." for wish in one.people]
    if one.jitter_s:
        lines.append(f"* All is delayed by 0 to {_span(one.jitter_s)}, drawn from the seed.")
    return "\n".join([*lines, f"* Judged by: {', '.join(map(_objective, one.objectives))}."]) + "\n"


def _year(one: YearScenario) -> str:
    """Of a year of noise."""
    lines = [f"## {one.name}\n", f"{' '.join(one.story.split())}\n"]
    lines += [f"* Noise: `{kind}`, {count} times: {MEANINGS[kind]}." for kind, count in one.noise.items()]
    lines.append(f"* True outages: {', '.join(map(_span, one.outages))}.")
    return "\n".join([*lines, f"* Judged by: {', '.join(map(_objective, one.objectives))}."]) + "\n"


def _scenario(one: Scenario) -> str:
    lines = [f"## {one.name}\n", f"{' '.join(one.story.split())}\n"]
    if one.points:
        course = ", ".join(f"{factor:g}x at {_span(at)}" for at, factor in one.points)
        lines.append(f"* Traffic: {one.normal:g} requests a second are 1x; {course}; linear in between.")
    elif one.daily:
        lines.append(f"* Traffic: {one.daily.low:g} requests a second at 06:00, {one.daily.peak:g} at 18:00.")
    else:
        lines.append(f"* Traffic: {one.normal:g} requests a second throughout.")
    for fault in one.faults:
        lines.append(f"* Fault: `{fault.kind}`{_extent(fault)} from {_span(fault.start)} to {_span(fault.end)}.")
    lines += _ground(one)
    if one.demand_metric:
        lines.append("* The application publishes its 10-second demand metric.")
    if one.jitter_s:
        lines.append(f"* Traffic and faults are delayed by 0 to {_span(one.jitter_s)}, drawn from the seed.")
    judged = ", ".join(_objective(judge) for judge in one.objectives)
    return "\n".join([*lines, f"* Judged by: {judged}."]) + "\n"


def _extent(fault: Fault) -> str:
    """How bad a fault is, and for what; the watchman's own faults are whole."""
    if fault.kind in WATCH_KINDS:
        return ""
    if fault.kind == "strangers":
        return f" ({fault.value:g} executions at once)"
    value = f"{fault.value:g}x" if fault.kind == "slow" else f"{fault.value * 100:g} %"
    place = fault.table or fault.function or "everything"
    return f" ({value} on {place}{'/' + fault.index if fault.index else ''})"


def _ground(one: Scenario) -> Iterator[str]:
    """What the scenario has in another way than the service's own configuration says."""
    for table in one.tables:
        own = [f"{kind} {units}" for kind, units in (("read", table.read), ("write", table.write)) if units]
        own += [
            f"{name} {kind} {units}"
            for name, index in table.indexes.items()
            for kind, units in (("read", index.read), ("write", index.write))
            if units
        ]
        told = [f"{', '.join(own)} units" if own else "", "no burst credit at the start" if table.cold else ""]
        told.append("" if table.auto_scaling else "no auto scaling")
        if any(told):
            yield f"* Table {table.name}: {', '.join(part for part in told if part)}."
    if one.account.reserved:
        yield f"* Others have reserved {one.account.reserved} executions of the account's concurrency."
    if one.account.strangers:
        course = ", ".join(f"{level:g} at {_span(at)}" for at, level in one.account.strangers)
        yield f"* Others take of what nobody reserved: {course} (executions at once)."
    for event in one.events:
        begins, ends = (_span((instant(event[key]) - one.start).total_seconds()) for key in ("starts", "ends"))
        yield f"* Planned: {event['name']}, {event['factor']:g}x from {begins} to {ends}."
    if one.limits:
        yield f"* Limits of every play: {', '.join(f'{name} {value:g}' for name, value in one.limits.items())}."


def _objective(one: Objective) -> str:
    name, target = one.name, one.target
    if target is None:
        return f"{name}"
    if name in ("availability", "back-unnoticed", "back-gradually") and isinstance(target, float):
        return f"{name} {target * 100:g} %"
    if (name.endswith("-within") or name == "raised-before") and isinstance(target, float):
        return f"{name} {_span(target)}"
    return f"{name} {target} ms" if name == "p99" else f"{name} {target}"


def _span(seconds: float) -> str:
    """Seconds as `1h30m`, the way a scenario's file writes them."""
    if seconds > 3 * 86_400:
        return f"{seconds / 86_400:g}d"
    hours, rest = divmod(int(seconds), 3600)
    minutes, left = divmod(rest, 60)
    parts = ((hours, "h"), (minutes, "m"), (left, "s"))
    return "".join(f"{amount}{unit}" for amount, unit in parts if amount) or "0s"
