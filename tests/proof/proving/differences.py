"""Where the emulator is not AWS: what a template says otherwise for it, and what is made past its CloudFormation.

All that is not listed here goes to the emulator as Sereno synthesised it. `test_contract.py` holds each of these: one
that the emulator has outgrown is to be taken out.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Resource = dict[str, Any]
ClientOf = Callable[[str], Any]

# Stands for aws.cloudwatch on the bus: PutEvents refuses a source of AWS's own, here as on AWS.
BELL = "proof.cloudwatch"
FUNCTION, ALIAS, RULE = "AWS::Lambda::Function", "AWS::Lambda::Alias", "AWS::Events::Rule"
ROLE = "AWS::IAM::Role"
ALARM, COMPOSITE = "AWS::CloudWatch::Alarm", "AWS::CloudWatch::CompositeAlarm"
SELECTION, GLOBAL_TABLE = "AWS::Backup::BackupSelection", "AWS::DynamoDB::GlobalTable"
CHECK, RECORD = "AWS::Route53::HealthCheck", "AWS::Route53::RecordSet"
SCALING = ("AWS::ApplicationAutoScaling::ScalableTarget", "AWS::ApplicationAutoScaling::ScalingPolicy")


@dataclass(frozen=True, slots=True)
class Change:
    """What a template says otherwise here: why, which resources it is about, and the change in place."""

    why: str
    about: Callable[[Resource], bool]
    make: Callable[[Resource], None]


@dataclass(frozen=True, slots=True)
class Past:
    """What the emulator's CloudFormation refuses (then the resource is taken out of the template) or drops in silence
    (then it stays): why, which resources, and the API calls that make it, which answer what `Ref` gives. None: it
    cannot be made at all."""

    why: str
    about: Callable[[Resource], bool]
    make: Callable[[Mapping[str, Any], ClientOf], str | None] | None
    refused: bool = True


# -- changes


def _starts_sereno(resource: Resource) -> bool:
    return resource["Type"] == FUNCTION and "SERENO_CONFIG" in _variables(resource)


def _variables(function: Resource) -> dict[str, Any]:
    variables: dict[str, Any] = function["Properties"].get("Environment", {}).get("Variables", {})
    return variables


def _relative_config(function: Resource) -> None:
    variables = _variables(function)
    variables["SERENO_CONFIG"] = variables["SERENO_CONFIG"].removeprefix("/var/task/")


def _hears_alarms(resource: Resource) -> bool:
    pattern = resource["Properties"].get("EventPattern", {}) if resource["Type"] == RULE else {}
    return pattern.get("source") == ["aws.cloudwatch"]


# What the bell's event says, with the source that it stands for.
_AS_AWS_SENDS = """{
 "version": "0", "id": <id>, "detail-type": <type>, "source": "aws.cloudwatch", "account": <account>,
 "time": <time>, "region": <region>, "resources": <resources>, "detail": <detail>
}"""
_PARTS = {
    "id": "$.id",
    "type": "$.detail-type",
    "account": "$.account",
    "time": "$.time",
    "region": "$.region",
    "resources": "$.resources",
    "detail": "$.detail",
}


def _hears_the_bell(rule: Resource) -> None:
    properties = rule["Properties"]
    properties["EventPattern"] = {**properties["EventPattern"], "source": [BELL]}
    for target in properties["Targets"]:
        target["InputTransformer"] = {"InputPathsMap": _PARTS, "InputTemplate": _AS_AWS_SENDS}


def _is_the_minute(resource: Resource) -> bool:
    return resource["Type"] == RULE and "ScheduleExpression" in resource["Properties"]


def _rests(rule: Resource) -> None:
    rule["Properties"]["State"] = "DISABLED"


def _is_alias(resource: Resource) -> bool:
    return bool(resource["Type"] == ALIAS)


def _to_latest(alias: Resource) -> None:
    alias["Properties"]["FunctionVersion"] = "$LATEST"


def _is_unnamed_role(resource: Resource) -> bool:
    return bool(resource["Type"] == ROLE and "RoleName" not in resource["Properties"])


def _named_by_region(role: Resource) -> None:
    content = hashlib.sha256(json.dumps(role, sort_keys=True).encode()).hexdigest()[:12]
    role["Properties"]["RoleName"] = {"Fn::Sub": f"${{AWS::StackName}}-{content}-${{AWS::Region}}"}


CHANGES = (
    Change(
        "the emulator unpacks a zip into a folder of its own, in which the function starts; there is no /var/task",
        _starts_sereno,
        _relative_config,
    ),
    Change(
        "the emulator tells of no alarm by itself, and takes no event of aws.cloudwatch from others: the rule hears "
        "a source that stands for it, and its target puts the right one back",
        _hears_alarms,
        _hears_the_bell,
    ),
    Change("the story counts its rounds; the schedule has a test of its own", _is_the_minute, _rests),
    Change("a published version knows no limit here; the function itself does", _is_alias, _to_latest),
    Change(
        "it names a role by stack and logical id alone, so that the stack of a second region would take it over: the "
        "name says the region too",
        _is_unnamed_role,
        _named_by_region,
    ),
)


# -- past CloudFormation


def _is_math(resource: Resource) -> bool:
    return resource["Type"] == ALARM and "Metrics" in resource["Properties"]


def _put_alarm(properties: Mapping[str, Any], client: ClientOf) -> str | None:
    client("cloudwatch").put_metric_alarm(**properties)
    return str(properties["AlarmName"])


def _is_composite(resource: Resource) -> bool:
    return resource["Type"] == COMPOSITE


def _put_composite(properties: Mapping[str, Any], client: ClientOf) -> str | None:
    client("cloudwatch").put_composite_alarm(**properties)
    return str(properties["AlarmName"])


def _is_reserved(resource: Resource) -> bool:
    return resource["Type"] == FUNCTION and "ReservedConcurrentExecutions" in resource["Properties"]


def _reserve(properties: Mapping[str, Any], client: ClientOf) -> str | None:
    client("lambda").put_function_concurrency(
        FunctionName=properties["FunctionName"],
        ReservedConcurrentExecutions=properties["ReservedConcurrentExecutions"],
    )
    return None


def _is_scaling(resource: Resource) -> bool:
    return resource["Type"] in SCALING


def _is_selection(resource: Resource) -> bool:
    return bool(resource["Type"] == SELECTION)


def _select(properties: Mapping[str, Any], client: ClientOf) -> str | None:
    selection = dict(properties["BackupSelection"])
    selection["IamRoleArn"] = client("iam").get_role(RoleName=selection["IamRoleArn"])["Role"]["Arn"]
    made = client("backup").create_backup_selection(**{**properties, "BackupSelection": selection})
    return str(made["SelectionId"])


def _is_check(resource: Resource) -> bool:
    return bool(resource["Type"] == CHECK)


def _put_check(properties: Mapping[str, Any], client: ClientOf) -> str | None:
    config = properties["HealthCheckConfig"]
    reference = hashlib.sha256(json.dumps(config, sort_keys=True).encode()).hexdigest()
    made = client("route53").create_health_check(CallerReference=reference, HealthCheckConfig=config)
    return str(made["HealthCheck"]["Id"])


def _asks_a_check(resource: Resource) -> bool:
    return resource["Type"] == RECORD and "HealthCheckId" in resource["Properties"]


def _put_record(properties: Mapping[str, Any], client: ClientOf) -> str | None:
    record = {key: value for key, value in properties.items() if key != "HostedZoneId"}
    record |= {"TTL": int(record["TTL"]), "ResourceRecords": [{"Value": one} for one in record["ResourceRecords"]]}
    client("route53").change_resource_record_sets(
        HostedZoneId=properties["HostedZoneId"],
        ChangeBatch={"Changes": [{"Action": "CREATE", "ResourceRecordSet": record}]},
    )
    return str(record["Name"])


def _is_global(resource: Resource) -> bool:
    return bool(resource["Type"] == GLOBAL_TABLE)


def _replicate(properties: Mapping[str, Any], client: ClientOf) -> str | None:
    dynamodb, name = client("dynamodb"), properties["TableName"]
    own, *others = sorted(properties["Replicas"], key=lambda one: bool(one["Region"] != dynamodb.meta.region_name))
    reads = {one["IndexName"]: one for one in own["GlobalSecondaryIndexes"]}
    dynamodb.update_table(
        TableName=name,
        ProvisionedThroughput=_units(own, properties),
        GlobalSecondaryIndexUpdates=[
            {"Update": {"IndexName": index, "ProvisionedThroughput": _units(reads[index], one)}}
            for one in properties["GlobalSecondaryIndexes"]
            for index in (one["IndexName"],)
        ],
    )
    for one in others:
        dynamodb.update_table(TableName=name, ReplicaUpdates=[{"Create": {"RegionName": one["Region"]}}])
    return None


def _units(reads: Mapping[str, Any], writes: Mapping[str, Any]) -> dict[str, int]:
    """What is there before auto scaling has raised anything. A replica has reads of its own; writes are the same for
    all."""
    read = reads["ReadProvisionedThroughputSettings"]["ReadCapacityAutoScalingSettings"]["MinCapacity"]
    write = writes["WriteProvisionedThroughputSettings"]["WriteCapacityAutoScalingSettings"]["MinCapacity"]
    return {"ReadCapacityUnits": read, "WriteCapacityUnits": write}


PAST = (
    Past("its CloudFormation takes no alarm on metric math; its API does, and keeps the state", _is_math, _put_alarm),
    Past("its CloudFormation knows no composite alarm; its API does", _is_composite, _put_composite),
    Past("its CloudFormation drops ReservedConcurrentExecutions", _is_reserved, _reserve, refused=False),
    Past("it has no Application Auto Scaling: a table has the capacity that it was given", _is_scaling, None),
    Past("its CloudFormation selects nothing for a backup plan; its API does", _is_selection, _select),
    Past("its CloudFormation knows no health check; its API keeps them", _is_check, _put_check),
    Past("a record that asks such a check is made after it", _asks_a_check, _put_record),
    Past(
        "its CloudFormation makes neither replicas of a global table nor the capacity they declare; its API does",
        _is_global,
        _replicate,
        refused=False,
    ),
)


def adapted(template: Mapping[str, Any]) -> dict[str, Any]:
    """The template as the emulator takes it; the one given stays as it is."""
    found: dict[str, Any] = json.loads(json.dumps(template))
    found["Resources"] = {
        logical_id: resource
        for logical_id, resource in found["Resources"].items()
        if not any(one.refused and one.about(resource) for one in PAST)
    }
    for resource in found["Resources"].values():
        for change in CHANGES:
            if change.about(resource):
                change.make(resource)
    return found
