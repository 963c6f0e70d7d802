"""What a drill stands on: the scenario's world under the service's declared limits, and who scales its tables.

The same ground lies under both runs; only one of them has a Sereno.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from drills.auto_scaling import Scaled
from drills.scenario import Scenario, TableLoad
from drills.table_model import Kind, TableModel
from drills.table_updates import Lane
from drills.world import World
from sereno.errors import InvalidInput, Problem
from sereno.model import Json
from sereno.service import Service

_TARGET, _POLICY, _TABLE = (
    "AWS::ApplicationAutoScaling::ScalableTarget",
    "AWS::ApplicationAutoScaling::ScalingPolicy",
    "AWS::DynamoDB::Table",
)
# What the predefined metrics of target tracking are a percentage of.
_PERCENT = 100.0


def make_world(scenario: Scenario, seed: int, service: Service, quota: int) -> World:
    """The scenario's world. `quota` is the account's concurrency where the scenario names none. Raises InvalidInput
    where the capacity of a table under load is declared nowhere."""
    functions = service.functions.values()
    api, shared = next(iter(service.apis.values())), scenario.account
    throttle: Json = {"gateway_rps": shared.requests, "gateway_burst": shared.burst}
    return World(
        scenario.models(
            {one.name: one.reserved for one in functions}, {one.name: float(one.timeout_s) for one in functions}
        ),
        scenario.traffic(seed),
        seed,
        scenario.start_s,
        api_name=api.name,
        stage=api.stage,
        api_id=api.id if api.kind == "http" else None,
        account_limit=shared.concurrency or quota,
        reserved_elsewhere=shared.reserved,
        faults=scenario.faults_for(seed),
        fast_namespace=f"Sereno/{service.name}" if scenario.demand_metric else None,
        tables=table_models(scenario, service),
        strangers=scenario.strangers(seed),
        **{name: value for name, value in throttle.items() if value is not None},
    )


def table_models(scenario: Scenario, service: Service) -> list[TableModel]:
    """The tables under load. Raises InvalidInput, every problem at once."""
    models, problems = [], []
    for one in scenario.tables:
        declared = service.table_named(one.name)
        if declared is None:
            known = ", ".join(table.name for table in service.tables.values()) or "none"
            problems.append(Problem(f"tables.{one.key}", one.name, f"is not declared in sereno.yaml; known: {known}"))
            continue
        try:
            models.append(one.model(declared))
        except ValueError as error:
            problems.append(Problem(f"tables.{one.key}", None, f"{error} (write read: and write: there, or here)"))
    if problems:
        raise InvalidInput(f"scenario {scenario.name}", problems)
    return models


def scaled_by_template(template: Json, scenario: Scenario) -> tuple[Scaled, ...]:
    """The lanes of the scenario's tables that a template has Application Auto Scaling own, as the scenario wants them
    (see `as_wanted`). `template` is CloudFormation's own, translated already."""
    resources: Mapping[str, Json] = template["Resources"]
    names = {
        key: one["Properties"]["TableName"]
        for key, one in resources.items()
        if one["Type"] == _TABLE and isinstance(one["Properties"].get("TableName"), str)
    }
    policies = {
        one["Properties"]["ScalingTargetId"]["Ref"]: one["Properties"]["TargetTrackingScalingPolicyConfiguration"]
        for one in resources.values()
        if one["Type"] == _POLICY and "Ref" in one["Properties"].get("ScalingTargetId", {})
    }
    found = []
    for key, one in resources.items():
        if one["Type"] != _TARGET:
            continue
        facts = one["Properties"]
        lane = lane_of(_text(facts["ResourceId"], names), facts["ScalableDimension"])
        if lane is not None:
            found.append(scaled(lane, facts["MinCapacity"], facts["MaxCapacity"], policies.get(key)))
    return as_wanted(found, scenario)


def scaled(lane: Lane, minimum: int, maximum: int, policy: Mapping[str, Any] | None) -> Scaled:
    """A scalable target with its target tracking policy, as CloudFormation and the API spell it."""
    if policy is None:
        return Scaled(lane, int(minimum), int(maximum), None)
    return Scaled(
        lane,
        int(minimum),
        int(maximum),
        float(policy["TargetValue"]) / _PERCENT,
        float(policy.get("ScaleOutCooldown", 0)),
        float(policy.get("ScaleInCooldown", 0)),
    )


def lane_of(resource: str, dimension: str) -> Lane | None:
    """The lane of `table/NAME` or `table/NAME/index/NAME` and `dynamodb:table:ReadCapacityUnits`; None for what is no
    table's capacity."""
    named = re.fullmatch(r"table/([^/]+)(?:/index/([^/]+))?", resource)
    unit = re.fullmatch(r"dynamodb:(?:table|index):(Read|Write)CapacityUnits", dimension)
    if not named or not unit:
        return None
    kind: Kind = "read" if unit[1] == "Read" else "write"
    return named[1], named[2], kind


def as_wanted(found: Sequence[Scaled], scenario: Scenario) -> tuple[Scaled, ...]:
    """Only lanes of the scenario's tables that it leaves to Application Auto Scaling; a capacity that it sets itself
    is the minimum too."""
    loads = {one.name: one for one in scenario.tables}
    return tuple(_as_wanted(found, loads))


def _as_wanted(found: Sequence[Scaled], loads: Mapping[str, TableLoad]) -> Iterator[Scaled]:
    for one in found:
        table, index, kind = one.lane
        load = loads.get(table)
        if load is None or not load.auto_scaling:
            continue
        own = load if index is None else load.indexes.get(index)
        units = (own.read if kind == "read" else own.write) if own else None
        if units is None:
            yield one
        else:
            yield Scaled(one.lane, units, max(units, one.maximum), one.target, one.out_cooldown_s, one.in_cooldown_s)


def _text(value: Any, names: Mapping[str, str]) -> str:
    """A text of the template, with references to its tables filled in."""
    if isinstance(value, Mapping) and "Fn::Sub" in value:
        inner = value["Fn::Sub"]
        text = inner if isinstance(inner, str) else inner[0]
        return re.sub(r"\$\{(\w+)\}", lambda found: names.get(found[1], found[0]), text)
    return str(value)
