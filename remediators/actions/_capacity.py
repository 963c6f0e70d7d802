"""What AWS tells of a table's capacity: its lanes, who owns them, whether a change is under way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from remediators import metrics
from remediators.metrics import Series
from remediators.table_demand import KINDS, Lane, lanes
from sereno.errors import StillChanging
from sereno.model import Json, iso
from sereno.ports import Aws, Context

NAMESPACE = "AWS/DynamoDB"
SCALING = "dynamodb"
# Names of settings that one UpdateTable changes for all lanes at once: a table takes one call at a time.
CAPACITY, MAXIMUM, WARM = "capacity", "on-demand maximum", "warm throughput"
NO_MAXIMUM = -1  # OnDemandThroughput: no limit
UNIT = {"read": "ReadCapacityUnits", "write": "WriteCapacityUnits"}
MAXIMUM_UNIT = {"read": "MaxReadRequestUnits", "write": "MaxWriteRequestUnits"}
WARM_UNIT = {"read": "ReadUnitsPerSecond", "write": "WriteUnitsPerSecond"}
# The cause that CloudWatch tells of a throttled call, by what it is called here.
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/throttling-diagnosing-workflow.html
CAUSES = {
    "key_range": ("KeyRangeThroughput",),
    "capacity": ("ProvisionedThroughput", "MaxOnDemandThroughput"),
    "account": ("AccountLimit",),
}


def target_setting(lane: Lane) -> str:
    """The setting of a lane that Application Auto Scaling owns: `[minimum, maximum]`."""
    return f"{lane.name} target"


def table_facts(aws: Aws, context: Context) -> Json:
    """Billing, lanes and changes under way of the target: one call, and one for who owns the lanes where capacity
    is provisioned."""
    table = _described(aws, context)
    provisioned = table.get("BillingModeSummary", {}).get("BillingMode", "PROVISIONED") == "PROVISIONED"
    parts = _parts(table)
    known = lanes(name for name in parts if name)
    owners = _owners(aws, context, known) if provisioned else {}
    return {
        "billing": "provisioned" if provisioned else "on-demand",
        "changing": _changing(table),
        "replicas": _replicas(table, context),
        "lanes": {lane.name: _lane(lane, parts[lane.index], owners) for lane in known},
    }


def settings(facts: Json, context: Context) -> Json:
    """The settings that steps change, as they are now. Raises StillChanging while AWS carries out a change that it
    does not show yet: until UpdateTable is done, DescribeTable tells the values before."""
    by_lane: Mapping[str, Json] = facts["lanes"]
    found: Json = {target_setting(Lane.named(n)): one["target"] for n, one in by_lane.items() if one["target"]}
    if facts["billing"] == "provisioned":
        found[CAPACITY] = {name: one["units"] for name, one in by_lane.items() if not one["target"]}
    else:
        found[MAXIMUM] = {name: one["maximum"] for name, one in by_lane.items()}
        found[WARM] = {name: one["warm"] for name, one in by_lane.items()}
    # Where scalable targets own every lane, all that is changed shows at once.
    if facts["changing"] and found.get(CAPACITY) != {}:
        raise StillChanging(f"{context.target.name}: {', '.join(facts['changing'])}")
    return found


def wanted_series(facts: Json, context: Context) -> dict[str, Series]:
    """The series to read, by `<lane>|<measure>`; then the traffic of the functions that use the table, and what of
    the account's capacity is used."""
    wanted: dict[str, Series] = {}
    for name in facts["lanes"]:
        lane = Lane.named(name)
        consumed = f"Consumed{lane.kind.capitalize()}CapacityUnits"
        wanted[f"{name}|consumed"] = _series(context, lane, consumed, "Sum")
        wanted[f"{name}|calls"] = _series(context, lane, consumed, "SampleCount")
        wanted[f"{name}|throttles"] = _series(context, lane, f"{lane.kind.capitalize()}ThrottleEvents", "Sum")
        for measure, causes in CAUSES.items():
            for number, cause in enumerate(causes):
                metric = f"{lane.kind.capitalize()}{cause}ThrottleEvents"
                wanted[f"{name}|{measure}|{number}"] = _series(context, lane, metric, "Sum")
    for key, function in context.service.functions.items():
        if _uses(context, function.tables):
            where = {"FunctionName": function.name}
            for metric in ("Invocations", "Throttles"):
                wanted[f"|{metric}|{key}"] = Series("AWS/Lambda", metric, where, "Sum")
            if context.signal and context.signal.target.name == function.name:
                # Of the function whose signal led here it counts whether its calls got slower.
                wanted[f"|Duration|{key}"] = Series("AWS/Lambda", "Duration", where, "Average")
    for kind in KINDS:
        metric = f"AccountProvisioned{kind.capitalize()}CapacityUtilization"
        wanted[f"|account|{kind}"] = Series(NAMESPACE, metric, {}, "Maximum")
    return wanted


def aftermath_series(facts: Json, context: Context) -> dict[str, Series]:
    """What tells whether the symptom is gone, and the demand in the hold."""
    wanted: dict[str, Series] = {}
    for name in facts["lanes"]:
        lane = Lane.named(name)
        kind = lane.kind.capitalize()
        wanted[f"{name}|consumed"] = _series(context, lane, f"Consumed{kind}CapacityUnits", "Sum")
        wanted[f"{name}|throttles"] = _series(context, lane, f"{kind}ThrottleEvents", "Sum")
        if facts["lanes"][name]["target"]:
            wanted[f"{name}|stood"] = _series(context, lane, f"Provisioned{kind}CapacityUnits", "Maximum")
    return wanted


def read_series(aws: Aws, context: Context, wanted: Mapping[str, Series], start: datetime) -> Json:
    """The series by their own names: GetMetricData knows ids of letters and digits only."""
    ids = {f"m{number}": name for number, name in enumerate(wanted)}
    client = aws.client("cloudwatch", context.target.region)
    found = metrics.read(client, {one: wanted[name] for one, name in ids.items()}, start, context.now)
    return {ids[one]: [list(point) for point in points] for one, points in found.items()}


def _uses(context: Context, tables: tuple[str, ...]) -> bool:
    return any(context.service.tables[key].name == context.target.name for key in tables)


def _series(context: Context, lane: Lane, metric: str, stat: str) -> Series:
    where = {"TableName": context.target.name}
    if lane.index:
        where["GlobalSecondaryIndexName"] = lane.index
    return Series(NAMESPACE, metric, where, stat)


def _described(aws: Aws, context: Context) -> Json:
    answer = aws.client("dynamodb", context.target.region).describe_table(TableName=context.target.name)
    return dict(answer["Table"])


def _parts(table: Json) -> dict[str, Json]:
    """The table under the empty name, and its global secondary indexes. (Local ones share the table's capacity.)"""
    return {"": table, **{one["IndexName"]: one for one in table.get("GlobalSecondaryIndexes", ())}}


def _replicas(table: Json, context: Context) -> list[str]:
    """The other Regions of a global table."""
    return sorted({one["RegionName"] for one in table.get("Replicas") or ()} - {context.target.region})


def _changing(table: Json) -> list[str]:
    found = []
    for name, part in _parts(table).items():
        status = part.get("IndexStatus" if name else "TableStatus", "ACTIVE")
        warming = part.get("WarmThroughput", {}).get("Status", "ACTIVE")
        what = f"index {name}" if name else "the table"
        if status != "ACTIVE":
            found.append(f"{what} is {status}")
        elif warming != "ACTIVE":
            found.append(f"the warm throughput of {what} is {warming}")
    return found


def _lane(lane: Lane, part: Json, owners: Mapping[str, list[int]]) -> Json:
    throughput = part.get("ProvisionedThroughput", {})
    last = throughput.get("LastDecreaseDateTime")
    maximum = part.get("OnDemandThroughput", {}).get(MAXIMUM_UNIT[lane.kind], NO_MAXIMUM)
    return {
        "units": int(throughput.get(UNIT[lane.kind], 0)),
        "maximum": int(maximum),
        "warm": int(part.get("WarmThroughput", {}).get(WARM_UNIT[lane.kind], 0)),
        "target": owners.get(lane.name),
        "decreases": int(throughput.get("NumberOfDecreasesToday", 0)),
        "last_decrease": iso(last) if last is not None else None,
    }


def resource_id(context: Context, lane: Lane) -> str:
    """As Application Auto Scaling names a table or an index."""
    table = f"table/{context.target.name}"
    return f"{table}/index/{lane.index}" if lane.index else table


def dimension(lane: Lane) -> str:
    """As Application Auto Scaling names a lane."""
    return f"{SCALING}:{'index' if lane.index else 'table'}:{UNIT[lane.kind]}"


DIMENSIONS = tuple(f"{SCALING}:{owner}:{unit}" for owner in ("table", "index") for unit in UNIT.values())
"""Every scalable dimension that `dimension` can give."""


def _owners(aws: Aws, context: Context, known: Sequence[Lane]) -> dict[str, list[int]]:
    """`[minimum, maximum]` by lane that has a scalable target. A table has at most 20 indexes, so all its resources
    fit in one call (50): https://docs.aws.amazon.com/autoscaling/application/APIReference/API_DescribeScalableTargets.html
    """
    by_id = {(resource_id(context, lane), dimension(lane)): lane.name for lane in known}
    client = aws.client("application-autoscaling", context.target.region)
    token: Json = {}
    found: dict[str, list[int]] = {}
    while True:
        answer = client.describe_scalable_targets(
            ServiceNamespace=SCALING, ResourceIds=list(dict.fromkeys(one for one, _ in by_id)), **token
        )
        for target in answer["ScalableTargets"]:
            lane = by_id.get((target["ResourceId"], target["ScalableDimension"]))
            if lane:
                found[lane] = [int(target["MinCapacity"]), int(target["MaxCapacity"])]
        if not answer.get("NextToken"):
            return found
        token = {"NextToken": answer["NextToken"]}
