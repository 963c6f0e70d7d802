"""The calls that change a table's capacity, their undo, and what they cost. All pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from remediators.actions._capacity import (
    CAPACITY,
    MAXIMUM,
    MAXIMUM_UNIT,
    SCALING,
    UNIT,
    WARM,
    WARM_UNIT,
    dimension,
    resource_id,
    target_setting,
)
from remediators.table_demand import KINDS, Lane
from sereno.model import Call, Json, Reason, Step, Verdict, instant
from sereno.ports import Context

Units = Mapping[str, int]

# USD for a unit of provisioned capacity in an hour: list prices of eu-west-1, standard table class, without reserved
# capacity; us-east-1 is an eighth cheaper, other regions differ. https://aws.amazon.com/dynamodb/pricing/provisioned/
USD_PER_UNIT_HOUR = {"read": 0.000147, "write": 0.000735}
HOURS_IN_A_MONTH = 30 * 24
# USD for a request unit of an on-demand table, list prices as above. https://aws.amazon.com/dynamodb/pricing/on-demand/
USD_PER_REQUEST_UNIT = {"read": 0.1415e-6, "write": 0.7068e-6}
SECONDS_IN_A_MONTH = HOURS_IN_A_MONTH * 3600

# A day (UTC) has four decreases of a table or an index at any time, and one more for each hour without one: 27.
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ServiceQuotas.html
DECREASES_AT_ONCE = 4

# Where UpdateTable has a setting, and what it calls its units.
_FIELDS: Mapping[str, tuple[str, Mapping[str, str]]] = {
    CAPACITY: ("ProvisionedThroughput", UNIT),
    MAXIMUM: ("OnDemandThroughput", MAXIMUM_UNIT),
    WARM: ("WarmThroughput", WARM_UNIT),
}


def capacity_step(context: Context, before: Units, values: Units, why: str) -> Step:
    """Every lane that Application Auto Scaling does not own, in one call: while it is carried out, the table takes no
    other."""
    return _table_step(context, before, values, why, CAPACITY)


def maximum_step(
    context: Context,
    live: Units,
    values: Units,
    why: str,
    *,
    before: Units | None = None,
    shared: Sequence[str] = (),
) -> Step:
    """The most that an on-demand table and its indexes may use.

    `live` is what stands; `before` is what to go back to, where another Region of a global table (`shared`) has
    raised it already.
    """
    original = live if before is None else before
    step = _table_step(context, live, values, why, MAXIMUM)
    raised = {Lane.named(name).index for name, units in step.after.items() if units != original.get(name)}
    superseded = () if original == live else (dict(live),)
    undo = _update(context, original, raised, MAXIMUM)
    return replace(step, before=dict(original), undo=undo, superseded=superseded, shared=tuple(shared))


def warm_step(context: Context, before: Units, values: Units, why: str) -> Step:
    """What an on-demand table takes at once. It cannot be lowered again, so there is no undo.
    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/warm-throughput.html"""
    return replace(_table_step(context, before, values, why, WARM), undo=None)


def _table_step(context: Context, before: Units, values: Units, why: str, setting: str) -> Step:
    after = {**before, **values}
    changed = {Lane.named(name).index for name in values}
    return Step(
        do=_update(context, after, changed, setting),
        why=why,
        setting=setting,
        before=dict(before),
        after=after,
        undo=_update(context, before, changed, setting),
    )


def target_step(
    context: Context,
    lane: Lane,
    live: list[int],
    units: int,
    why: str,
    *,
    before: list[int] | None = None,
    shared: Sequence[str] = (),
) -> Step:
    """A higher minimum, and a maximum that lets it be. Application Auto Scaling adjusts the capacity at once:
    https://docs.aws.amazon.com/autoscaling/application/APIReference/API_RegisterScalableTarget.html

    `live` is what stands; `before` is what to go back to, where another Region of a global table (`shared`) has
    raised it already.
    """
    original = live if before is None else before
    after = [units, max(live[1], units)]

    def register(bounds: list[int]) -> Call:
        return Call(
            "application-autoscaling",
            "register_scalable_target",
            {
                "ServiceNamespace": SCALING,
                "ResourceId": resource_id(context, lane),
                "ScalableDimension": dimension(lane),
                "MinCapacity": bounds[0],
                "MaxCapacity": bounds[1],
            },
        )

    superseded = () if original == live else (live,)
    return Step(
        register(after),
        why,
        target_setting(lane),
        original,
        after,
        register(original),
        superseded=superseded,
        shared=tuple(shared),
    )


def provisioned_cost(before: Units, values: Units, replicas: int = 0) -> float:
    """USD a month of the units added. Every replica of a global table pays its own writes:
    https://docs.aws.amazon.com/prescriptive-guidance/latest/dynamodb-global-tables/throughput.html"""
    return sum(
        (units - before[name]) * USD_PER_UNIT_HOUR[Lane.named(name).kind] * HOURS_IN_A_MONTH * _paid(name, replicas)
        for name, units in values.items()
    )


def on_demand_cost(before: Units, values: Units, replicas: int = 0) -> float:
    """USD a month if all that is allowed more were used all the time: the most it can cost. Every replica of a global
    table pays its own writes."""
    return sum(
        (units - before[name])
        * USD_PER_REQUEST_UNIT[Lane.named(name).kind]
        * SECONDS_IN_A_MONTH
        * _paid(name, replicas)
        for name, units in values.items()
    )


def _paid(name: str, replicas: int) -> int:
    """How many times a unit of a lane is paid for."""
    return 1 + replicas if Lane.named(name).kind == "write" else 1


def decrease_left(lanes: Mapping[str, Json], changed: Mapping[str, Units], now: datetime) -> Verdict:
    """Whether a decrease of these lanes leaves one to the operator at once. `lanes` are the facts by lane, `changed`
    holds `before` and `after` of the capacity step."""
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    fewest = DECREASES_AT_ONCE
    for name, units in changed["before"].items():
        if units >= changed["after"][name] or name not in lanes:
            continue
        last = lanes[name]["last_decrease"]
        # AWS counts from midnight; a count of yesterday is none.
        today = lanes[name]["decreases"] if last is None or instant(last) >= midnight else 0
        fewest = min(fewest, DECREASES_AT_ONCE - today)
    if fewest <= 1:
        until = f"{midnight + timedelta(days=1):%d %B %H:%M} UTC"
        return Verdict.no(
            Reason.NO_DECREASE_LEFT,
            f"AWS allows {DECREASES_AT_ONCE} decreases a day at any time, {max(fewest, 0)} is left: it is the "
            f"operator's; looked at again, at the latest after {until}",
        )
    return Verdict.yes(f"{fewest - 1} decreases are left today")


def _update(context: Context, units: Units, changed: set[str], setting: str) -> Call:
    """One UpdateTable for the table and its indexes, as far as they change. It names reads and writes of each both:
    that is how AWS wants provisioned throughput."""
    field, unit = _FIELDS[setting]
    params: Json = {"TableName": context.target.name}
    for index in sorted(changed):
        values = {unit[kind]: units[Lane(index, kind).name] for kind in KINDS if Lane(index, kind).name in units}
        if index:
            update = {"Update": {"IndexName": index, field: values}}
            params.setdefault("GlobalSecondaryIndexUpdates", []).append(update)
        else:
            params[field] = values
    return Call("dynamodb", "update_table", params)
