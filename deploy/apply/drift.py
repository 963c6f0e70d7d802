"""What was changed by hand: the watch's own alarms, rules and functions as they are, against what was deployed.

Read live, property by property. CloudFormation's own drift detection takes minutes for a stack of this size, does not
look into nested stacks and knows no composite alarms.
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-cfn-stack-drift.html

A mode set by `sereno mode` is no drift, and neither is a change that a remediator has made to the watched service:
both stand in the ledger, not in the stack.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from alarms.spec import AlarmSpec, CompositeSpec
from deploy.apply import resolve
from deploy.apply.deployed import Deployed, answer
from deploy.apply.difference import ABSENT, Difference, compare
from sereno.errors import InvalidInput
from sereno.model import Json
from sereno.ports import Aws

ALARMS: Mapping[str, type[AlarmSpec] | type[CompositeSpec]] = {
    AlarmSpec.resource_type: AlarmSpec,
    CompositeSpec.resource_type: CompositeSpec,
}
RULE, FUNCTION = "AWS::Events::Rule", "AWS::Lambda::Function"
# DescribeAlarms takes 100 names: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DescribeAlarms.html
NAMES_A_CALL = 100
# Properties that DescribeAlarms does not tell.
_UNTOLD = ("Tags",)
_FUNCTION_FIELDS = ("Runtime", "Handler", "Timeout", "MemorySize", "Architectures")
_GONE = frozenset({"ResourceNotFoundException", "ResourceNotFound"})


@dataclass(frozen=True, slots=True)
class Drift:
    """One resource that is not as it was deployed. No differences: it is gone."""

    logical_id: str
    kind: str
    name: str
    differences: tuple[Difference, ...] = ()

    @property
    def gone(self) -> bool:
        return not self.differences

    def to_json(self) -> Json:
        return {
            "logical_id": self.logical_id,
            "type": self.kind,
            "name": self.name,
            "gone": self.gone,
            "differences": [one.to_json() for one in self.differences],
        }


def look(aws: Aws, deployed: Deployed) -> list[Drift]:
    """Every alarm, rule and function of the stack that is not as CloudFormation left it. Reads only: DescribeAlarms,
    DescribeRule, GetFunctionConfiguration and GetFunctionConcurrency."""
    wanted: dict[str, Json] = {}
    for _, part in deployed.every():
        known = {**deployed.physical, **part.physical}
        wanted |= resolve.resources(part.template, part.parameters, known)
    return sorted(
        [*_alarms(aws, wanted), *_rules(aws, wanted), *_functions(aws, wanted)],
        key=lambda one: (one.kind, one.name),
    )


def _of(wanted: Mapping[str, Json], *kinds: str) -> Iterator[tuple[str, str, Json]]:
    for logical_id, one in wanted.items():
        if one["Type"] in kinds:
            yield logical_id, one["Type"], one["Properties"]


def _alarms(aws: Aws, wanted: Mapping[str, Json]) -> Iterator[Drift]:
    own = list(_of(wanted, *ALARMS))
    names = [properties["AlarmName"] for _, _, properties in own]
    live: dict[str, Json] = {}
    client = aws.client("cloudwatch")
    for start in range(0, len(names), NAMES_A_CALL):
        answer = client.describe_alarms(
            AlarmNames=names[start : start + NAMES_A_CALL],
            AlarmTypes=["MetricAlarm", "CompositeAlarm"],
            MaxRecords=NAMES_A_CALL,
        )
        found = [*answer.get("MetricAlarms", []), *answer.get("CompositeAlarms", [])]
        live |= {one["AlarmName"]: one for one in found}
    for logical_id, kind, properties in own:
        name = properties["AlarmName"]
        if name not in live:
            yield Drift(logical_id, kind, name)
        elif different := tuple(_known(compare(_as_set(kind, properties), _as_set(kind, live[name])))):
            yield Drift(logical_id, kind, name, different)


def _as_set(kind: str, alarm: Json) -> Json:
    """An alarm's configuration with every default in place, whichever way it was written."""
    try:
        found = dict(ALARMS[kind].from_api(alarm).to_api())
    except InvalidInput:
        # Somebody has made it into what Sereno would not write: compared as it stands.
        found = dict(alarm)
    return {name: value for name, value in found.items() if name not in _UNTOLD}


def _rules(aws: Aws, wanted: Mapping[str, Json]) -> Iterator[Drift]:
    client = aws.client("events")
    for logical_id, kind, properties in _of(wanted, RULE):
        live = answer(_GONE, client.describe_rule, Name=properties["Name"])
        if live is None:
            yield Drift(logical_id, kind, properties["Name"])
            continue
        expected: Json = {
            name: properties[name] for name in ("State", "ScheduleExpression", "EventPattern") if name in properties
        }
        actual: Json = {name: live[name] for name in expected if name in live}
        if "EventPattern" in actual:
            actual["EventPattern"] = json.loads(actual["EventPattern"])
        targets = client.list_targets_by_rule(Rule=properties["Name"])["Targets"]
        expected["Targets"] = [one["Id"] for one in properties["Targets"]]
        actual["Targets"] = [one["Id"] for one in targets]
        if different := tuple(compare(expected, actual)):
            yield Drift(logical_id, kind, properties["Name"], different)


def _functions(aws: Aws, wanted: Mapping[str, Json]) -> Iterator[Drift]:
    client = aws.client("lambda")
    for logical_id, kind, properties in _of(wanted, FUNCTION):
        name = properties["FunctionName"]
        live = answer(_GONE, client.get_function_configuration, FunctionName=name)
        if live is None:
            yield Drift(logical_id, kind, name)
            continue
        fields = [one for one in _FUNCTION_FIELDS if one in properties and one in live]
        expected = {one: properties[one] for one in fields}
        actual = {one: live[one] for one in fields}
        reserved = client.get_function_concurrency(FunctionName=name).get("ReservedConcurrentExecutions")
        expected["ReservedConcurrentExecutions"] = properties.get("ReservedConcurrentExecutions", ABSENT)
        actual["ReservedConcurrentExecutions"] = ABSENT if reserved is None else reserved
        expected["Environment"] = properties.get("Environment", {}).get("Variables", {})
        actual["Environment"] = live.get("Environment", {}).get("Variables", {})
        if different := tuple(_known(compare(expected, actual))):
            yield Drift(logical_id, kind, name, different)


def _known(differences: Iterator[Difference]) -> Iterator[Difference]:
    """Without those whose expected value CloudFormation alone knows."""
    return (one for one in differences if not resolve.is_open(one.before))
