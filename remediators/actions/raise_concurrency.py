"""Raise a Lambda function's concurrency before, or soon after, its limit throttles customers.

The new limit is sized once, from demand and from the declared surge, never by doubling: a retry cannot climb. Where
provisioned concurrency is declared it follows, and where Application Auto Scaling owns that, its target is changed
instead of the value it would take back.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from remediators import metrics
from remediators.actions import _provisioned
from remediators.actions._pool import UNRESERVED_MINIMUM, grown, must_stay, others_peak, series_of
from remediators.actions._provisioned import (
    observe_provisioned,
    provisioned_state,
    provisioned_steps,
    read_provisioned,
    ready,
)
from remediators.demand import MINUTE, Demand, alarmed_at, is_early, measure
from remediators.metrics import Series, ceased
from sereno.chance import with_peaks
from sereno.model import Call, Json, Plan, Reason, Refusal, Step, Verdict
from sereno.ports import Aws, Context, Param, Permission, Remediator, scalable
from sereno.service import Function

LOOK_BACK = timedelta(minutes=60)
# How far back the use of others counts, once the change is made.
SETTLE_BACK = timedelta(minutes=5)
# What takes more than this part of the account's unreserved pool may starve everybody else's functions.
HIGH_RISK = 0.5
# A raise of less is not worth a change.
WORTHWHILE = 1.1

FUNCTION_ARN = "arn:{partition}:lambda:{region}:{account}:function:{function}"

PARAMS: Mapping[str, Param] = {
    "headroom": Param(2.5, "times the demand measured now", 1.0, 10.0),
    "surge_headroom": Param(1.4, "times the declared surge of normal demand", 1.0, 5.0),
    "sigmas": Param(
        8.0,
        "standard deviations of Poisson arrivals kept above the declared surge: six for chance, and two because new "
        "environments start cold and hold their place longer",
        0.0,
        20.0,
    ),
    "ceiling": Param(
        500, "most reserved concurrency ever set", 1, 100_000, "the account's quota bounds it too, read each time"
    ),
    "release_ratio": Param(0.7, "the peak of the hold must fit in this part of the value restored", 0.1, 1.0),
    "pool_margin": Param(
        1.25, "times what other workloads used of the unreserved pool in the last hour stays free", 1.0, 5.0
    ),
    "provisioned_ceiling": Param(None, "most provisioned concurrency ever set (none: as reserved)", 1, 100_000),
}

PERMISSIONS = (
    Permission("lambda.get_function", FUNCTION_ARN),
    Permission("lambda.get_function_concurrency", FUNCTION_ARN),
    Permission("lambda.put_function_concurrency", FUNCTION_ARN),
    Permission("lambda.delete_function_concurrency", FUNCTION_ARN),
    Permission("lambda.get_provisioned_concurrency_config", FUNCTION_ARN + ":*"),
    Permission("lambda.put_provisioned_concurrency_config", FUNCTION_ARN + ":*"),
    Permission(
        "lambda.get_account_settings",
        "*",
        because="GetAccountSettings takes no resource: "
        "https://docs.aws.amazon.com/service-authorization/latest/reference/list_awslambda.html",
    ),
    Permission(
        "cloudwatch.get_metric_data",
        "*",
        because="GetMetricData takes no resource: "
        "https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazoncloudwatch.html",
    ),
    Permission(
        "application-autoscaling.describe_scalable_targets",
        "*",
        because="DescribeScalableTargets takes no resource: https://docs.aws.amazon.com/service-authorization/"
        "latest/reference/list_awsapplicationautoscaling.html",
    ),
    Permission(
        "application-autoscaling.register_scalable_target",
        "arn:{partition}:application-autoscaling:{region}:{account}:scalable-target/*",
        condition=scalable(_provisioned.NAMESPACE, _provisioned.DIMENSION),
    ),
)


def observe(aws: Aws, context: Context) -> Json:
    """The function's settings, the account's quota, and an hour of its metrics: three calls (five with declared
    provisioned concurrency)."""
    name = context.target.name
    client = aws.client("lambda", context.target.region)
    function = client.get_function(FunctionName=name)
    limits = client.get_account_settings()["AccountLimit"]
    declared = context.service.function_named(name)
    reserved = function.get("Concurrency", {}).get("ReservedConcurrentExecutions")
    series = metrics.read(
        aws.client("cloudwatch", context.target.region),
        _wanted(name, context, declared) | series_of(name, reserved=reserved is not None),
        context.now - LOOK_BACK,
        context.now,
    )
    return {
        "reserved": reserved,
        "kind": _kind(function["Configuration"]),
        "state": function["Configuration"].get("State", "Active"),
        "update": function["Configuration"].get("LastUpdateStatus", "Successful"),
        "memory_mb": function["Configuration"].get("MemorySize", 128),
        "quota": limits["ConcurrentExecutions"],
        "unreserved": limits["UnreservedConcurrentExecutions"],
        "series": {key: [list(point) for point in points] for key, points in series.items()},
        "provisioned": observe_provisioned(aws, context, declared),
    }


def plan(observation: Json, context: Context) -> Plan | Refusal:
    """Sizes the limit once, or refuses with a reason."""
    gates: list[tuple[str, Verdict]] = []
    demand = measure(observation["series"], context.now.timestamp(), alarmed_at(context))
    for gate, verdict in (
        ("kind", _supported(observation)),
        ("operator", _not_stopped(observation)),
        ("update", _not_updating(observation)),
        ("data", _measured(demand, context)),
        ("demand", _is_demand(demand, context)),
    ):
        gates.append((gate, verdict))
        if not verdict.ok:
            return Refusal(verdict, tuple(gates))
    size = _size(observation, demand, context)
    gates += size.gates
    if size.value is None:
        return Refusal(size.gates[-1][1], tuple(gates))
    steps = (
        _reserved_step(context, observation["reserved"], size),
        *provisioned_steps(observation, context, size.value),
    )
    return Plan(
        steps=tuple(step for step, _ in steps),
        reason=size.why,
        risk=_risk(observation, size.value),
        monthly_cost=sum(cost for _, cost in steps),
        gates=tuple(gates),
        high_risk=size.value - (observation["reserved"] or 0) > HIGH_RISK * observation["unreserved"],
    )


def read(aws: Aws, context: Context) -> Json:
    """The settings as they are now."""
    client = aws.client("lambda", context.target.region)
    answer = client.get_function_concurrency(FunctionName=context.target.name)
    return {
        "reserved concurrency": answer.get("ReservedConcurrentExecutions"),
        **read_provisioned(aws, context, context.service.function_named(context.target.name)),
    }


def symptom(aws: Aws, context: Context) -> Json:
    """Throttles since the change, the peak of concurrency in the hold, what is provisioned, and for a function that
    goes back to the unreserved pool, what the pool has."""
    since = context.since or context.now
    start = min(since, context.now - timedelta(seconds=context.play.hold_s + metrics.LATE_S))
    wanted = {
        "throttles": _lambda_series(context.target.name, "Throttles", "Sum"),
        "peak": _lambda_series(context.target.name, "ConcurrentExecutions", "Maximum"),
    }
    returns = context.plan is not None and context.plan.steps[0].before is None
    if returns:
        wanted |= series_of(context.target.name, reserved=True)
    series = metrics.read(aws.client("cloudwatch", context.target.region), wanted, start, context.now)
    # A minute that has not ended shows fewer throttles than it will have.
    ended = context.now.timestamp() - MINUTE
    after = [value for moment, value in series["throttles"] if since.timestamp() <= moment <= ended]
    held = metrics.of_hold(series["peak"], context.now.timestamp(), context.play.hold_s)
    return {
        "minutes": len(after),
        "throttles_newest": after[-1] if after else None,
        "throttles": sum(after),
        "peak": max((value for _, value in held), default=0.0),
        "waited_s": (context.now - since).total_seconds(),
        "provisioned": provisioned_state(aws, context, context.service.function_named(context.target.name)),
        "pool": _pool(aws, context, series) if returns else None,
    }


def _pool(aws: Aws, context: Context, series: Mapping[str, Any]) -> Json:
    limits = aws.client("lambda", context.target.region).get_account_settings()["AccountLimit"]
    # While it has a reservation, the pool's use is that of others alone.
    since = (context.since or context.now).timestamp()
    others = {name: [point for point in points if point[0] >= since] for name, points in series.items()}
    floor = must_stay(others, context.params, context.service.unreserved_floor)
    return {"unreserved": limits["UnreservedConcurrentExecutions"], "stays": floor}


def verify(plan: Plan, symptom: Json, context: Context) -> Verdict:
    """Gone when the newest whole minute since the change saw no throttle, and what was provisioned is there."""
    first = plan.steps[0]
    if first.superseded and first.after == first.before:
        return Verdict.no(Reason.NO_HEADROOM, "the account had no room: the concurrency was given back at once")
    arrived = ready(plan, symptom.get("provisioned"))
    return ceased(symptom, "attempt") if arrived.ok else arrived


def may_release(plan: Plan, symptom: Json, context: Context) -> Verdict:
    """The hold's peak must fit in a part of the value restored: an alarm's colour says nothing about that."""
    restored = plan.steps[0].before
    if restored is None:
        return _pool_carries(plan, symptom, context)
    room = context.params["release_ratio"] * restored
    if symptom["peak"] > room:
        return Verdict.no(
            Reason.STILL_NEEDED, f"peak {symptom['peak']:.0f} in the hold, {restored} would leave room for {room:.0f}"
        )
    return Verdict.yes(f"peak {symptom['peak']:.0f} in the hold fits in {room:.0f} of {restored}")


def _pool_carries(plan: Plan, symptom: Json, context: Context) -> Verdict:
    """Without a reservation the function lives on what the pool has beside the use of others: its peak in the hold
    must fit in a part of that, or it is throttled again as soon as it is released."""
    pool = symptom["pool"]
    left = pool["unreserved"] + (plan.steps[0].after or 0) - pool["stays"]
    room = context.params["release_ratio"] * max(0, left)
    if symptom["peak"] > room:
        detail = f"peak {symptom['peak']:.0f} in the hold, the unreserved pool would leave room for {room:.0f}"
        return Verdict.no(Reason.STILL_NEEDED, detail)
    return Verdict.yes(f"peak {symptom['peak']:.0f} in the hold fits in {room:.0f} that the unreserved pool leaves")


def settle(aws: Aws, context: Context) -> Plan | None:
    """The plan with a smaller limit, where the raise took more than the account can spare; None where it fits. Others
    may have reserved in the same moment: only AWS's answer after the write says what is left. Two calls."""
    plan = context.plan
    if plan is None or not plan.steps or plan.steps[0].after == plan.steps[0].before:
        return None
    client = aws.client("lambda", context.target.region)
    left = client.get_account_settings()["AccountLimit"]["UnreservedConcurrentExecutions"]
    series = metrics.read(
        aws.client("cloudwatch", context.target.region),
        series_of(context.target.name, reserved=plan.steps[0].before is not None),
        context.now - SETTLE_BACK,
        context.now,
    )
    stays = must_stay(series, context.params, context.service.unreserved_floor, context.factor)
    return smaller(plan, left, stays)


def smaller(plan: Plan, left: int, stays: int) -> Plan | None:
    """The plan, shrunk so that `stays` executions are unreserved where `left` are now; None where nothing need be
    given back. Never below the value before, nor below what the same plan provisions: where no raise worth a change
    is left, all of it is given back."""
    step, excess = plan.steps[0], stays - left
    if excess <= 0:
        return None
    provisioned = max((one.after for one in plan.steps[1:] if isinstance(one.after, int)), default=0)
    value = max(int(step.after) - excess, provisioned)
    worthwhile = step.before is not None and value >= step.before * WORTHWHILE
    if (not worthwhile and not provisioned) or step.undo is None:
        # Where nothing was reserved, a limit below the need would be worse than the pool.
        if step.undo is None:
            return None
        given_back = replace(
            step, do=step.undo, after=step.before, superseded=(*step.superseded, step.after), echo=None
        )
        return replace(plan, steps=(given_back, *plan.steps[1:]))
    if value >= step.after:
        return None
    do = Call(step.do.service, step.do.operation, {**step.do.params, "ReservedConcurrentExecutions": value})
    less = replace(step, do=do, after=value, superseded=(*step.superseded, step.after))
    return replace(plan, steps=(less, *plan.steps[1:]))


# -- sizing


@dataclass(frozen=True, slots=True)
class Size:
    """The new limit (None: none is possible or needed), how it came about, and the gates it passed."""

    value: int | None
    why: str
    gates: tuple[tuple[str, Verdict], ...]


def _size(observation: Json, demand: Demand | None, context: Context) -> Size:
    params, before = context.params, observation["reserved"]
    needed, why = _needed(demand, context)
    gates = [("size", Verdict.yes(why))]
    if before is not None and needed < before * WORTHWHILE:
        verdict = Verdict.no(Reason.NOTHING_TO_DO, f"{before} is enough: {why}")
        return Size(None, why, (*gates, ("need", verdict)))
    ceiling = int(params["ceiling"])
    allowed = min(needed, ceiling)
    gates.append(("ceiling", Verdict.yes(f"{allowed} of {needed} under the ceiling of {ceiling}")))
    # Where nothing is reserved yet, a limit below the need would take away what the unreserved pool gives.
    short = allowed < needed if before is None else allowed < before * WORTHWHILE
    if short:
        stands = "nothing is reserved" if before is None else f"{before} is reserved"
        verdict = Verdict.no(Reason.OVER_CEILING, f"{stands}, the ceiling is {ceiling}; {needed} is needed")
        return Size(None, why, (*gates[:-1], ("ceiling", verdict)))
    floor = must_stay(observation["series"], params, context.service.unreserved_floor, context.factor)
    room = observation["unreserved"] - floor + (before or 0)
    value = min(allowed, room)
    short = value < allowed if before is None else value < before * WORTHWHILE
    if short:
        verdict = Verdict.no(
            Reason.NO_HEADROOM,
            f"{observation['unreserved']} of the account's {observation['quota']} are unreserved, {floor} must stay "
            f"({_why_stay(observation, floor, context.factor)}): room for {max(room, 0)}, {allowed} is needed",
        )
        return Size(None, why, (*gates, ("headroom", verdict)))
    left = observation["unreserved"] - (value - (before or 0))
    gates.append(("headroom", Verdict.yes(f"{left} of the account's {observation['quota']} stay unreserved")))
    if value < needed:
        why += f"; {value} is what ceiling and account allow"
    return Size(value, why, tuple(gates))


def _why_stay(observation: Json, floor: int, factor: float) -> str:
    peak = others_peak(observation["series"])
    if floor > UNRESERVED_MINIMUM and grown(observation["series"], factor) == floor:
        return f"other functions use up to {peak} at once by now and grow: as much as {factor:g} times what they used"
    if floor > UNRESERVED_MINIMUM and peak > 0:
        return f"other functions used up to {peak} at once in the last hour"
    return "AWS's minimum" if floor == UNRESERVED_MINIMUM else "the declared floor"


def _needed(demand: Demand | None, context: Context) -> tuple[int, str]:
    """max(2.5 x demand, surge x 1.4), and never less than the surge's own Poisson peaks: for a small function 1.4 x
    is less than they need. The surge is the declared one, or the planned event's."""
    params, parts, needed = context.params, [], 0.0
    if demand is not None:
        needed = params["headroom"] * demand.concurrency
        parts.append(f"{params['headroom']} x demand {demand.concurrency:.1f} = {needed:.0f}")
    normal = _normal(demand, context)
    if normal:
        surge = context.factor * normal
        from_surge = max(params["surge_headroom"] * surge, with_peaks(surge, params["sigmas"]))
        whose = "planned" if context.planned else "declared"
        parts.append(f"{whose} surge {context.factor:g} x {normal:.1f} with peaks = {from_surge:.0f}")
        needed = max(needed, from_surge)
    return math.ceil(needed), "sized to the larger of " + " and ".join(parts)


def _normal(demand: Demand | None, context: Context) -> float | None:
    """Executions at once of an ordinary busy hour: as declared, or as measured before the surge (before a planned
    one, what is measured now is the normal)."""
    declared = context.service.function_named(context.target.name)
    if declared and declared.normal:
        return declared.normal
    if demand is None:
        return None
    return demand.usual or (demand.concurrency if context.planned else None)


def _reserved_step(context: Context, before: int | None, size: Size) -> tuple[Step, float]:
    name = {"FunctionName": context.target.name}
    undo = (
        Call("lambda", "delete_function_concurrency", name)
        if before is None
        else Call("lambda", "put_function_concurrency", {**name, "ReservedConcurrentExecutions": before})
    )
    do = Call("lambda", "put_function_concurrency", {**name, "ReservedConcurrentExecutions": size.value})
    # Reserved concurrency itself costs nothing; the calls it lets through are the service's business.
    step = Step(do, size.why, "reserved concurrency", before, size.value, undo, "ReservedConcurrentExecutions")
    return step, 0.0


def _risk(observation: Json, value: int) -> str:
    taken = value - (observation["reserved"] or 0)
    return (
        f"takes {taken} executions from the account's unreserved pool; what lies behind the function gets more load"
    )


# -- gates


def _kind(configuration: Mapping[str, Any]) -> str:
    """What is special about the function (empty: nothing)."""
    if configuration.get("CapacityProviderConfig"):
        return "runs on Managed Instances"
    if configuration.get("TenancyConfig", {}).get("TenantIsolationMode"):
        return "isolates its tenants"
    return ""


def _supported(observation: Json) -> Verdict:
    """Managed Instances scale by MinExecutionEnvironments and MaxExecutionEnvironments (PutFunctionScalingConfig). A
    function with tenant isolation takes no provisioned concurrency, and keeps environments for each tenant.
    https://docs.aws.amazon.com/lambda/latest/dg/lambda-managed-instances.html
    https://docs.aws.amazon.com/lambda/latest/dg/tenant-isolation.html
    """
    kind = observation.get("kind", "")
    if kind:
        return Verdict.no(Reason.NOT_SUPPORTED, f"the function {kind}: reserved concurrency is not what limits it")
    return Verdict.yes("reserved concurrency limits the function")


def _not_stopped(observation: Json) -> Verdict:
    if observation["reserved"] == 0:
        return Verdict.no(Reason.OPERATOR_STOP, "reserved concurrency is 0: a person stopped this function")
    return Verdict.yes("nobody stopped the function")


def _not_updating(observation: Json) -> Verdict:
    # While an update is in progress Lambda refuses changes, and a release may be the cause.
    if observation["update"] == "InProgress" or observation["state"] == "Pending":
        return Verdict.no(Reason.CHANGE_IN_PROGRESS, f"the function is {observation['state']}, its update is running")
    return Verdict.yes("no update of the function is running")


def _measured(demand: Demand | None, context: Context) -> Verdict:
    if demand is None and context.planned and _normal(demand, context):
        return Verdict.yes("nothing is measured; the normal of the function is declared")
    if demand is None:
        return Verdict.no(Reason.NO_DATA, "no minute of the last ten shows an invocation")
    return Verdict.yes(f"demand is {demand.concurrency:.1f} executions at once")


def _is_demand(demand: Demand | None, context: Context) -> Verdict:
    if context.planned:
        return Verdict.yes("the demand is planned, and still to come")
    if demand is None or demand.rate_growth is None or demand.slowdown is None:
        return Verdict.yes("there is no earlier hour to compare with")
    grown = f"traffic x {demand.rate_growth:.1f}, duration x {demand.slowdown:.1f} against the hour before"
    if not demand.is_told and is_early(context):
        return Verdict.no(Reason.NOT_TOLD, f"{grown}: the minute of the alarm does not tell yet whether it is demand")
    if demand.is_slowness:
        return Verdict.no(Reason.NOT_DEMAND, f"{grown}: calls got slower, and more of them would feed the collapse")
    return Verdict.yes(grown)


# -- series


def _lambda_series(name: str, metric: str, stat: str) -> Series:
    return Series("AWS/Lambda", metric, {"FunctionName": name}, stat)


def _wanted(name: str, context: Context, declared: Function | None) -> dict[str, Series]:
    wanted = {
        "invocations": _lambda_series(name, "Invocations", "Sum"),
        "throttles": _lambda_series(name, "Throttles", "Sum"),
        "duration": _lambda_series(name, "Duration", "Average"),
    }
    if declared and declared.fast_metric:
        namespace = f"Sereno/{context.service.name}"
        wanted["work"] = Series(namespace, "DemandMs", {"FunctionName": name}, "Sum", 10)
        wanted["calls"] = Series(namespace, "DemandCalls", {"FunctionName": name}, "Sum", 10)
    return wanted


REMEDIATOR = Remediator(
    name="raise_concurrency",
    summary="Raises a function's reserved (and declared provisioned) concurrency, sized once from demand.",
    kind="function",
    params=PARAMS,
    permissions=PERMISSIONS,
    observe=observe,
    plan=plan,
    read=read,
    symptom=symptom,
    verify=verify,
    may_release=may_release,
    settle=settle,
)
