"""What a raise of a table's capacity did: is the symptom gone, and would the capacity before be enough again?"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from remediators import metrics
from remediators.actions._capacity import CAPACITY, MAXIMUM, aftermath_series, read_series, table_facts
from remediators.actions._capacity_steps import decrease_left
from remediators.demand import MINUTE, Points
from remediators.metrics import ceased
from remediators.table_demand import minute_peak
from sereno.model import Json, Plan, Reason, Verdict
from sereno.ports import Aws, Context

# ProvisionedReadCapacityUnits and its like are told every five minutes: so far back at least one stands.
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/metrics-dimensions.html
STOOD_WITHIN = timedelta(minutes=15)


def symptom(aws: Aws, context: Context) -> Json:
    """Throttles since the change, what is live now, and by lane the peak demand in the hold (units a second), with
    the capacity that stood before the change where auto scaling owns it."""
    since = context.since or context.now
    facts = table_facts(aws, context)
    start = min(since - STOOD_WITHIN, context.now - timedelta(seconds=context.play.hold_s + metrics.LATE_S))
    series = read_series(aws, context, aftermath_series(facts, context), start)
    # A minute that has not ended shows fewer throttles than it will have.
    ended = context.now.timestamp() - MINUTE
    told = [points for key, points in series.items() if not key.endswith("|stood")]
    minutes = sorted({at for points in told for at, _ in points if since.timestamp() <= at <= ended})
    throttled = [point for key, points in series.items() if key.endswith("|throttles") for point in points]
    throttles = {minute: sum(value for at, value in throttled if at == minute) for minute in minutes}
    return {
        "minutes": len(minutes),
        "throttles_newest": throttles[minutes[-1]] if minutes else None,
        "throttles": sum(throttles.values()),
        "peaks": {name: _peak(series, name, context) for name in facts["lanes"]},
        "stood": {name: _stood(series.get(f"{name}|stood", ()), since.timestamp()) for name in facts["lanes"]},
        "lanes": facts["lanes"],
        "changing": facts["changing"],
        "waited_s": (context.now - since).total_seconds(),
    }


def verify(plan: Plan, symptom: Json, context: Context) -> Verdict:
    """Gone when the newest whole minute since the change saw no throttle, and the capacity is there."""
    # Auto scaling may go on changing a table for as long as demand moves: what it owns shows at once.
    if symptom["changing"] and any(not isinstance(step.after, list) for step in plan.steps):
        return Verdict.no(Reason.CHANGE_IN_PROGRESS, "; ".join(symptom["changing"]))
    if behind := _behind(plan, symptom["lanes"]):
        return Verdict.no(Reason.CHANGE_IN_PROGRESS, f"not there yet: {behind}")
    return ceased(symptom, "call")


def may_release(plan: Plan, symptom: Json, context: Context) -> Verdict:
    """The hold's peak must fit in a part of what is restored, lane by lane, and the decrease must leave the operator
    one.

    Where auto scaling owns a lane only its minimum is restored. In ordinary hours demand may well be over that, for
    auto scaling keeps the capacity above demand by itself; but what stood before the change must be enough again, or
    the next rise would find auto scaling alone.
    """
    for name, restored in _restored(plan):
        room = max(context.params["release_ratio"] * restored, symptom["stood"].get(name, 0.0))
        peak = minute_peak(symptom["peaks"].get(name, 0.0), context.params["sigmas"])
        if peak > room:
            detail = f"{name} peaked at {peak:.0f} in the hold, {restored} would leave room for {room:.0f}"
            return Verdict.no(Reason.STILL_NEEDED, detail)
    for step in plan.steps:
        if step.setting == CAPACITY:
            verdict = decrease_left(symptom["lanes"], {"before": step.before, "after": step.after}, context.now)
            if not verdict.ok:
                return verdict
    return Verdict.yes("the peaks of the hold fit in what is restored")


def _stood(points: Points, since_s: float) -> float:
    """The capacity (units a second) last told before the change; 0 where none was."""
    before = [value for at, value in points if at < since_s]
    return before[-1] if before else 0.0


def _peak(series: Json, name: str, context: Context) -> float:
    """The busiest minute of the hold in units a second, throttled calls counted as one unit each."""
    now_s, hold_s = context.now.timestamp(), context.play.hold_s
    total: dict[float, float] = {}
    for measure_name, each in (("consumed", 1.0), ("throttles", 1.0 / context.params["attempts"])):
        for at, value in metrics.of_hold(series[f"{name}|{measure_name}"], now_s, hold_s):
            total[at] = total.get(at, 0.0) + value * each / MINUTE
    return max(total.values(), default=0.0)


def _restored(plan: Plan) -> list[tuple[str, int]]:
    """(lane, units restored) of everything that the plan raised."""
    found: list[tuple[str, int]] = []
    for step in plan.steps:
        if step.setting in (CAPACITY, MAXIMUM):
            found += [(name, units) for name, units in step.before.items() if step.after[name] != units]
        elif isinstance(step.before, list):
            found.append((step.setting.removesuffix(" target"), step.before[0]))
    return found


def _behind(plan: Plan, lanes: Mapping[str, Json]) -> str:
    """Lanes whose capacity in force is not yet what the plan set, in words."""
    behind = []
    for step in plan.steps:
        if step.setting == CAPACITY:
            wanted = dict(step.after)
        elif isinstance(step.after, list):
            wanted = {step.setting.removesuffix(" target"): step.after[0]}
        else:
            continue
        behind += [
            f"{name} is {lanes[name]['units']} of {units}"
            for name, units in wanted.items()
            if name in lanes and lanes[name]["units"] < units
        ]
    return ", ".join(behind)
