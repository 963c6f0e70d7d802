"""The tables of the embedded account: prepared as a scenario wants them, and read back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from drills import ground
from drills.auto_scaling import Scaled
from drills.cloud import Cloud
from drills.scenario import Scenario
from drills.table_model import KINDS, TableModel
from drills.table_shims import UNITS
from drills.table_updates import Lane
from sereno.model import Json

SCALING = "dynamodb"
# The function that stands for all of the account that is not the service and has reserved concurrency.
STRANGER = "somebody-elses-function"


def prepare(cloud: Cloud, scenario: Scenario) -> None:
    """Gives tables the capacity and the owner that the scenario wants, and strangers what they have reserved."""
    models = ground.table_models(scenario, cloud.service)
    for model in models:
        if model.billing == "provisioned":
            cloud.clients("dynamodb").update_table(**_capacity_call(model))
    wanted = {one.lane: one for one in ground.as_wanted(scaled(cloud), scenario)}
    names = {model.name for model in models}
    for one in scaled(cloud):
        if one.lane[0] in names and one.lane not in wanted:
            cloud.clients("application-autoscaling").deregister_scalable_target(**_named(one.lane))
        elif one.lane in wanted and wanted[one.lane] != one:
            bounds = {"MinCapacity": wanted[one.lane].minimum, "MaxCapacity": wanted[one.lane].maximum}
            cloud.clients("application-autoscaling").register_scalable_target(**_named(one.lane), **bounds)
    if scenario.account.reserved:
        _reserve(cloud, scenario.account.reserved)


def scaled(cloud: Cloud) -> tuple[Scaled, ...]:
    """The lanes that Application Auto Scaling owns, as the account has them now."""
    client = cloud.clients("application-autoscaling")
    policies = {
        (one["ResourceId"], one["ScalableDimension"]): one["TargetTrackingScalingPolicyConfiguration"]
        for one in client.describe_scaling_policies(ServiceNamespace=SCALING)["ScalingPolicies"]
        if "TargetTrackingScalingPolicyConfiguration" in one
    }
    found = []
    for page in client.get_paginator("describe_scalable_targets").paginate(ServiceNamespace=SCALING):
        for one in page["ScalableTargets"]:
            place = (one["ResourceId"], one["ScalableDimension"])
            lane = ground.lane_of(*place)
            if lane is not None:
                found.append(ground.scaled(lane, one["MinCapacity"], one["MaxCapacity"], policies.get(place)))
    return tuple(found)


def settings(cloud: Cloud, tables: Sequence[str]) -> dict[str, Any]:
    """What somebody has set, by `table read` or `table/index write`: [minimum, maximum] where auto scaling owns the
    capacity (its value is the policy's business), the capacity itself elsewhere."""
    owned = {one.lane: [one.minimum, one.maximum] for one in scaled(cloud)}
    found: dict[str, Any] = {}
    for name in tables:
        table = cloud.clients("dynamodb").describe_table(TableName=name)["Table"]
        if table.get("BillingModeSummary", {}).get("BillingMode") == "PAY_PER_REQUEST":
            continue
        for lane, units in _lanes(name, table):
            found[label(lane)] = owned.get(lane, units)
    return found


def label(lane: Lane) -> str:
    """A lane as people read it: `techmoda-products/by-category read`."""
    table, index, kind = lane
    return f"{table}/{index} {kind}" if index else f"{table} {kind}"


def _lanes(name: str, table: Json) -> Iterator[tuple[Lane, int]]:
    parts: Mapping[str | None, Json] = {
        None: table,
        **{one["IndexName"]: one for one in table.get("GlobalSecondaryIndexes") or ()},
    }
    for index, part in parts.items():
        for kind in KINDS:
            yield (name, index, kind), int(part["ProvisionedThroughput"][UNITS[kind]])


def _capacity_call(model: TableModel) -> Json:
    def throughput(pair: tuple[float, float]) -> Json:
        return {UNITS[kind]: int(units) for kind, units in zip(KINDS, pair, strict=True)}

    params: Json = {"TableName": model.name, "ProvisionedThroughput": throughput((model.read, model.write))}
    if model.indexes:
        params["GlobalSecondaryIndexUpdates"] = [
            {"Update": {"IndexName": name, "ProvisionedThroughput": throughput(pair)}}
            for name, pair in model.indexes.items()
        ]
    return params


def _named(lane: Lane) -> Json:
    table, index, kind = lane
    return {
        "ServiceNamespace": SCALING,
        "ResourceId": f"table/{table}/index/{index}" if index else f"table/{table}",
        "ScalableDimension": f"dynamodb:{'index' if index else 'table'}:{UNITS[kind]}",
    }


def _reserve(cloud: Cloud, reserved: int) -> None:
    """Somebody else's function, with what it has reserved."""
    client = cloud.clients("lambda")
    own = client.get_function_configuration(FunctionName=next(iter(cloud.service.functions.values())).name)
    client.create_function(
        FunctionName=STRANGER,
        Runtime=own["Runtime"],
        Role=own["Role"],
        Handler="nobody.runs_it",
        Code={"ZipFile": b"never run"},
    )
    client.put_function_concurrency(FunctionName=STRANGER, ReservedConcurrentExecutions=reserved)
