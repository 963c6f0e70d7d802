"""Raise a DynamoDB table's capacity before, or soon after, its calls are throttled.

The table and its indexes are sized once, from demand and from the declared surge, each lane (reads or writes of the
table or of an index) by its own need. Where Application Auto Scaling owns a lane its minimum is raised instead of the
value that it would take back; everything else goes into one UpdateTable. An on-demand table scales by itself: only a
maximum that somebody set is raised. Pre-warming one costs a charge that is never given back, so it has to be asked
for (`warm`), is a plan of its own without an undo, and never runs by itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from remediators import limits, shared
from remediators.actions._capacity import (
    DIMENSIONS,
    MAXIMUM,
    NO_MAXIMUM,
    SCALING,
    read_series,
    settings,
    table_facts,
    target_setting,
    wanted_series,
)
from remediators.actions._capacity_after import may_release, symptom, verify
from remediators.actions._capacity_size import Need, Sizes, needs, normal_units, quota_room, size
from remediators.actions._capacity_steps import (
    capacity_step,
    maximum_step,
    on_demand_cost,
    provisioned_cost,
    target_step,
    warm_step,
)
from remediators.demand import alarmed_at, is_early
from remediators.demand import measure as concurrency
from remediators.table_demand import KINDS, Lane, LaneDemand, growth, measure
from sereno.model import Json, Plan, Reason, Refusal, Step, Verdict
from sereno.ports import Aws, Context, Param, Permission, Remediator, scalable

LOOK_BACK = timedelta(minutes=60)

TABLE_ARN = "arn:{partition}:dynamodb:{region}:{account}:table/{table}"

PARAMS: Mapping[str, Param] = {
    "headroom": Param(2.5, "times the demand measured now", 1.0, 10.0),
    "surge_headroom": Param(1.4, "times the declared surge of normal demand", 1.0, 5.0),
    "sigmas": Param(8.0, "standard deviations of chance kept above the declared surge, minute by minute", 0.0, 20.0),
    "attempts": Param(
        3.0,
        "attempts that the SDK makes of a throttled call: so many throttle events are one call",
        1.0,
        20.0,
        "https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html",
    ),
    "read_ceiling": Param(4000, "most read units ever set on a table or an index", 1, 1_000_000),
    "write_ceiling": Param(2000, "most write units ever set on a table or an index", 1, 1_000_000),
    "release_ratio": Param(0.7, "the peak of the hold must fit in this part of the value restored", 0.1, 1.0),
    "warm": Param(False, "pre-warm an on-demand table without a maximum: charged once, never given back, asks first"),
}

_SCALING_PAGE = (
    "https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsapplicationautoscaling.html"
)

PERMISSIONS = (
    Permission("dynamodb.describe_table", TABLE_ARN),
    # Global secondary indexes are changed through their table.
    Permission("dynamodb.update_table", TABLE_ARN),
    Permission(
        "cloudwatch.get_metric_data",
        "*",
        because="GetMetricData takes no resource: "
        "https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazoncloudwatch.html",
    ),
    Permission(
        "application-autoscaling.describe_scalable_targets",
        "*",
        because=f"DescribeScalableTargets takes no resource: {_SCALING_PAGE}",
    ),
    # Only targets that exist are changed, so the service-linked role is there: iam:CreateServiceLinkedRole is not
    # needed.
    Permission(
        "application-autoscaling.register_scalable_target",
        "arn:{partition}:application-autoscaling:{region}:{account}:scalable-target/*",
        condition=scalable(SCALING, *DIMENSIONS),
    ),
)


def observe(aws: Aws, context: Context) -> Json:
    """The table, who owns its lanes, the account's limits as the ledger has them, and an hour of metrics: four calls
    (three for an on-demand table)."""
    facts = table_facts(aws, context)
    series = read_series(aws, context, wanted_series(facts, context), context.now - LOOK_BACK)
    return {
        **facts,
        "limits": dict(limits.of(aws, context.service).capacity),
        "originals": _originals(aws, context, facts),
        "series": series,
    }


def _originals(aws: Aws, context: Context, facts: Json) -> Json:
    """`[before, after]` by shared setting, of a global table whose writes auto scaling owns, or with a maximum on
    demand."""
    bounded = facts["billing"] == "on-demand" and any(one["maximum"] != NO_MAXIMUM for one in facts["lanes"].values())
    owned = any(_is_shared(name, facts) for name in facts["lanes"])
    if not facts["replicas"] or not (bounded or owned):
        return {}
    known = shared.read(aws, context.service, context.target.name)
    return {setting: [original.before, original.after] for setting, original in known.items()}


def _is_shared(name: str, facts: Json) -> bool:
    """Whether a lane's scalable target is one for all Regions of the table."""
    return bool(facts["replicas"]) and Lane.named(name).kind == "write" and facts["lanes"][name]["target"] is not None


def plan(observation: Json, context: Context) -> Plan | Refusal:
    """Sizes every lane once, or refuses with a reason."""
    gates: list[tuple[str, Verdict]] = []
    demands, traffic = _demands(observation, context), _traffic(observation, context)
    for gate, verdict in (
        ("update", _not_changing(observation)),
        ("data", _measured(demands, context)),
        ("keys", _not_hot(demands, observation, context)),
        ("demand", _is_demand(demands, observation, context)),
    ):
        gates.append((gate, verdict))
        if not verdict.ok:
            return Refusal(verdict, tuple(gates))
    needed = needs(demands, context, traffic)
    if observation["billing"] == "on-demand":
        return _plan_on_demand(observation, context, needed, demands, gates)
    return _plan_provisioned(observation, context, needed, gates)


def read(aws: Aws, context: Context) -> Json:
    """The settings as they are now. Raises StillChanging while an UpdateTable is carried out."""
    return settings(table_facts(aws, context), context)


# -- planning


def _plan_provisioned(
    observation: Json, context: Context, needed: Mapping[str, Need], gates: list[tuple[str, Verdict]]
) -> Plan | Refusal:
    lanes = observation["lanes"]
    units = {name: one["units"] for name, one in lanes.items()}
    used = {kind: _newest(observation["series"].get(f"|account|{kind}", ())) for kind in KINDS}
    sizes = size(needed, units, context, quota_room(observation["limits"], units, used))
    gates += sizes.gates
    if not sizes.values:
        return Refusal(sizes.gates[-1][1], tuple(gates))
    free = {name: one["units"] for name, one in lanes.items() if not one["target"]}
    beside = [name for name in free if name in sizes.values and not _whole_part(name, lanes)]
    ours = {name: value for name, value in sizes.values.items() if name in free and name not in beside}
    owned = {name: value for name, value in sizes.values.items() if name not in free}
    if not ours and not owned:
        detail = (
            f"auto scaling owns the other half of {', '.join(beside)}, and UpdateTable sets reads and writes "
            "together: register a scalable target for it too"
        )
        verdict = Verdict.no(Reason.NO_HEADROOM, detail)
        return Refusal(verdict, (*gates, ("owner", verdict)))
    # UpdateTable goes first: a table that auto scaling has begun to change takes no other call.
    steps = [capacity_step(context, free, ours, sizes.why)] if ours else []
    steps += [_target_step(observation, context, name, value, sizes.why) for name, value in owned.items()]
    cost = provisioned_cost(units, {**ours, **owned}, len(observation["replicas"]))
    return Plan(tuple(steps), sizes.why, _risk(cost), cost, tuple(gates))


def _target_step(observation: Json, context: Context, name: str, value: int, why: str) -> Step:
    """The step of a lane that auto scaling owns. The writes of a global table are one target for all its Regions:
    what another Region has raised is not the value to go back to."""
    lane, live = Lane.named(name), observation["lanes"][name]["target"]
    if not _is_shared(name, observation):
        return target_step(context, lane, live, value, why)
    pair = observation["originals"].get(target_setting(lane))
    before = shared.original_of(live, shared.Original(*pair) if pair else None)
    return target_step(context, lane, live, value, why, before=before, shared=observation["replicas"])


def _plan_on_demand(
    observation: Json,
    context: Context,
    needed: Mapping[str, Need],
    demands: Mapping[str, LaneDemand | None],
    gates: list[tuple[str, Verdict]],
) -> Plan | Refusal:
    lanes = observation["lanes"]
    maxima = {name: one["maximum"] for name, one in lanes.items()}
    bounded = {name: need for name, need in needed.items() if maxima[name] != NO_MAXIMUM}
    free = {name: need for name, need in needed.items() if name not in bounded}
    quota = _not_at_quota(demands, observation)
    if not quota.ok:
        return Refusal(quota, (*gates, ("quota", quota)))
    if not bounded:
        return _plan_warm(observation, context, free, gates)
    sizes = _within_quota(observation, context, bounded, {name: maxima[name] for name in bounded})
    if not sizes.values and free and sizes.gates[-1][1].reason is Reason.NOTHING_TO_DO:
        return _plan_warm(observation, context, free, gates)
    gates += sizes.gates
    if not sizes.values:
        return Refusal(sizes.gates[-1][1], tuple(gates))
    cost = on_demand_cost(maxima, sizes.values, len(observation["replicas"]))
    # The maxima of a global table are one setting for all its Regions.
    # https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/V2globaltables_HowItWorks.html
    pair = observation["originals"].get(MAXIMUM)
    before = shared.original_of(maxima, shared.Original(*pair) if pair else None)
    step = maximum_step(context, maxima, sizes.values, sizes.why, before=before, shared=observation["replicas"])
    risk = f"costs up to {cost:.2f} USD a month (list price) if all of it is used all the time"
    return Plan((step,), sizes.why, risk, cost, tuple(gates))


def _plan_warm(
    observation: Json, context: Context, needed: Mapping[str, Need], gates: list[tuple[str, Verdict]]
) -> Plan | Refusal:
    warm = {name: one["warm"] for name, one in observation["lanes"].items()}
    short = {name: need for name, need in needed.items() if need.units > warm[name]}
    if not short or not context.params["warm"]:
        at_once = ", ".join(f"{name} {warm[name]}" for name in needed)
        detail = f"an on-demand table scales by itself, up to twice its previous peak, and takes {at_once} at once"
        if short:
            wanted = ", ".join(f"{name} {need.units}" for name, need in short.items())
            detail += f"; {wanted} is needed: limits.warm offers to pre-warm it, once charged and never given back"
        verdict = Verdict.no(Reason.NOTHING_TO_DO, detail)
        return Refusal(verdict, (*gates, ("on demand", verdict)))
    sizes = _within_quota(observation, context, short, {name: warm[name] for name in short})
    gates += sizes.gates
    if not sizes.values:
        return Refusal(sizes.gates[-1][1], tuple(gates))
    step = warm_step(context, warm, sizes.values, sizes.why)
    added = ", ".join(f"{name} {value - warm[name]}" for name, value in sizes.values.items())
    risk = (
        f"charged once for the units added ({added}), as https://aws.amazon.com/dynamodb/pricing/on-demand/ says; "
        "warm throughput cannot be lowered again"
    )
    return Plan((step,), f"pre-warm the table: {sizes.why}", risk, 0.0, tuple(gates))


def _within_quota(
    observation: Json, context: Context, needed: Mapping[str, Need], before: Mapping[str, int]
) -> Sizes:
    """On demand, the account's quota does not count, and the table's holds for the table and each index apart.
    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ServiceQuotas.html
    """
    quotas = {name: observation["limits"][f"table_{Lane.named(name).kind}"] for name in before}
    room = {
        name: (quotas[name] - units, f"units are left of its quota of {quotas[name]}")
        for name, units in before.items()
    }
    return size(needed, before, context, room)


def _whole_part(name: str, lanes: Mapping[str, Json]) -> bool:
    """Whether nobody owns the reads or the writes of a lane's table or index."""
    index = Lane.named(name).index
    return not any(lanes[Lane(index, kind).name]["target"] for kind in KINDS)


def _risk(cost: float) -> str:
    return f"costs {cost:.2f} USD a month (list price) while it stays; AWS takes 20 seconds to minutes over it"


# -- demand


def _demands(observation: Json, context: Context) -> dict[str, LaneDemand | None]:
    found, now = {}, context.now.timestamp()
    for name in observation["lanes"]:
        own: dict[str, list[list[float]]] = {}
        for key, points in observation["series"].items():
            lane, measure_name, *_ = key.split("|")
            if lane == name:
                own.setdefault(measure_name, []).extend(points)
        found[name] = measure(own, now, context.params["attempts"])
    return found


def _traffic(observation: Json, context: Context) -> float | None:
    asked = [
        points for key, points in observation["series"].items() if key.startswith(("|Invocations|", "|Throttles|"))
    ]
    return growth(asked, context.now.timestamp())


def _newest(points: list[list[float]]) -> float | None:
    return points[-1][1] if points else None


# -- gates


def _not_changing(observation: Json) -> Verdict:
    # A table takes one UpdateTable at a time; a scalable target takes a new minimum meanwhile.
    owned = observation["billing"] == "provisioned" and all(one["target"] for one in observation["lanes"].values())
    if observation["changing"] and owned:
        return Verdict.yes("auto scaling owns all of it, and carries a new minimum out when it can")
    if observation["changing"]:
        return Verdict.no(Reason.CHANGE_IN_PROGRESS, "; ".join(observation["changing"]))
    return Verdict.yes("nobody changes the table")


def _measured(demands: Mapping[str, LaneDemand | None], context: Context) -> Verdict:
    known = {name: one for name, one in demands.items() if one is not None}
    if not known and all(normal_units(name, context) is None for name in demands):
        return Verdict.no(Reason.NO_DATA, "no minute of the last hour shows a call to the table")
    return Verdict.yes("demand is " + ", ".join(f"{name} {one.asked:.0f}" for name, one in known.items()))


def _not_hot(demands: Mapping[str, LaneDemand | None], observation: Json, context: Context) -> Verdict:
    """Throttled with capacity to spare: more of it would not reach the key that everybody asks for."""
    if context.planned:
        return Verdict.yes("the demand is planned, and still to come")
    hot, provisioned = [], observation["billing"] == "provisioned"
    for name, demand in demands.items():
        lane = observation["lanes"][name]
        # An on-demand table that grows is throttled by its partitions too, but never so far below what it takes.
        capacity = lane["units"] if provisioned else lane["warm"]
        if demand and demand.is_hot(capacity) and (provisioned or demand.asked < capacity / 2):
            hot.append(
                f"{name} used {demand.consumed:.0f} of {capacity} and {demand.throttled:.0f} calls were throttled, "
                f"{demand.key_range:.0f} of them at one range of keys"
            )
    if hot:
        return Verdict.no(
            Reason.HOT_KEY,
            f"{'; '.join(hot)}: a partition gives 3,000 reads and 1,000 writes a second whatever the table has. A "
            "cache in front of it, or a key that spreads, would help",
        )
    return Verdict.yes("no key is asked for more than a partition gives")


def _is_demand(demands: Mapping[str, LaneDemand | None], observation: Json, context: Context) -> Verdict:
    """A function that got slow, with no throttled call here, waits for something else than this table: raising the
    table would help nobody, and feed what it waits for."""
    origin = context.signal.target if context.signal else context.target
    if context.planned or origin.kind != "function":
        return Verdict.yes("the signal is the table's own, or planned")
    if any(demand and demand.throttled > 0 for demand in demands.values()):
        return Verdict.yes("calls are throttled here")
    declared = context.service.function_named(origin.name)
    key, series = declared.key if declared else "", observation["series"]
    names = ("Invocations", "Throttles", "Duration")
    calls = concurrency(
        {name.lower(): series.get(f"|{name}|{key}", ()) for name in names},
        context.now.timestamp(),
        alarmed_at(context),
    )
    if calls and not calls.is_told and is_early(context):
        return Verdict.no(Reason.NOT_TOLD, f"{origin.name}'s minute of the alarm does not tell yet why it is short")
    if calls is None or not calls.is_slowness:
        return Verdict.yes(f"{origin.name} is asked for more")
    detail = f"{origin.name} got {calls.slowdown:.1f} times slower, and none of its calls is throttled here"
    return Verdict.no(Reason.NOT_DEMAND, detail)


def _not_at_quota(demands: Mapping[str, LaneDemand | None], observation: Json) -> Verdict:
    """An on-demand table that meets its quota cannot be helped by a higher maximum."""
    met = [name for name, demand in demands.items() if demand and demand.account > 0]
    if not met:
        return Verdict.yes("no call met a quota")
    quotas = ", ".join(f"{kind} {observation['limits'][f'table_{kind}']}" for kind in KINDS)
    return Verdict.no(Reason.NO_HEADROOM, f"calls met the quota of the table ({quotas}): {', '.join(met)}")


REMEDIATOR = Remediator(
    name="raise_capacity",
    summary="Raises a DynamoDB table's read and write capacity (and its indexes'), sized once from demand.",
    kind="table",
    params=PARAMS,
    permissions=PERMISSIONS,
    observe=observe,
    plan=plan,
    read=read,
    symptom=symptom,
    verify=verify,
    may_release=may_release,
)
