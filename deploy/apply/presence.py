"""Does what `sereno.yaml` names exist on the account? A watch on a misspelt function is a watch on nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from deploy.apply import fencing, public_access
from deploy.apply.deployed import answer, describe
from deploy.config_recovery import APEX
from deploy.synth import witness
from sereno.errors import Problem
from sereno.ports import Aws
from sereno.service import Api, Function, Service, Table

# https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/accelerated-recovery.html
_SLOW = (
    "has no accelerated recovery: with it records can be edited again within about 60 minutes of an outage of "
    "us-east-1, for which a failback waits"
)
_ACCELERATE = "aws route53 update-hosted-zone-features --enable-accelerated-recovery --hosted-zone-id"
_GONE = frozenset({"ResourceNotFoundException", "NotFoundException", "NoSuchEntity", "NoSuchHostedZone"})


@dataclass(frozen=True, slots=True)
class Presence:
    """What the account says to the configuration: `missing` is not there at all, `otherwise` is there with another
    setting than is declared, which thresholds rest on, `advice` is well and could be better. All by their place in
    `sereno.yaml`."""

    missing: tuple[Problem, ...] = ()
    otherwise: tuple[Problem, ...] = ()
    advice: tuple[Problem, ...] = ()


def look(aws: Aws, service: Service) -> Presence:
    """Holds the configuration against the account. Reads only. With another account's credentials that alone is
    told: nothing else could be true."""
    found = aws.client("sts").get_caller_identity()["Account"]
    if found != service.account:
        mend = f"is not the account of these credentials, {found} (choose another profile, or mend the file)"
        return Presence((Problem("account", service.account, mend),))
    if witness.is_witness(service):
        return Presence()  # of the service nothing is there: that region only looks
    zone = tuple(_zone(aws, service))
    seen = [
        *(one for function in service.functions.values() for one in _function(aws, function)),
        *(one for table in service.tables.values() for one in _table(aws, table)),
        *((True, one) for one in _apis(aws, service.apis)),
        *((True, one) for one in _stack(aws, service)),
        *((True, one) for advises, one in zone if not advises),
        *((True, one) for one in fencing.look(aws, service)),
        *public_access.look(aws, service),
    ]
    return Presence(
        tuple(problem for missing, problem in seen if missing),
        tuple(problem for missing, problem in seen if not missing),
        tuple(problem for advises, problem in zone if advises),
    )


def _function(aws: Aws, one: Function) -> Iterator[tuple[bool, Problem]]:
    """What is reserved is no finding: raising it is what a remediator does."""
    client, path = aws.client("lambda"), f"resources.functions.{one.key}"
    live = answer(_GONE, client.get_function_configuration, FunctionName=one.name)
    if live is None:
        yield True, Problem(f"{path}.name", one.name, "is no function in this account and region")
        return
    if one.alias and answer(_GONE, client.get_alias, FunctionName=one.name, Name=one.alias) is None:
        yield True, Problem(f"{path}.alias", one.alias, f"is no alias of {one.name}")
    for field, declared, actual, unit in (
        ("timeout", one.timeout_s, live.get("Timeout"), "s"),
        ("memory", one.memory_mb, live.get("MemorySize"), " MB"),
    ):
        if actual is not None and declared != actual:
            yield False, Problem(f"{path}.{field}", f"{declared}{unit}", f"is {actual}{unit} on the account")


def _table(aws: Aws, one: Table) -> Iterator[tuple[bool, Problem]]:
    path = f"resources.tables.{one.key}"
    live = answer(_GONE, aws.client("dynamodb").describe_table, TableName=one.name)
    if live is None:
        yield True, Problem(f"{path}.name", one.name, "is no table in this account and region")
        return
    table = live["Table"]
    there = {index["IndexName"] for index in table.get("GlobalSecondaryIndexes", [])}
    for index in (key for key, declared in one.indexes.items() if declared.name not in there):
        yield True, Problem(f"{path}.indexes.{index}", None, f"is no index of {one.name}")
    on_demand = table.get("BillingModeSummary", {}).get("BillingMode") == "PAY_PER_REQUEST"
    if on_demand == one.provisioned:
        mend = f"is {'on-demand' if on_demand else 'provisioned'} on the account"
        yield False, Problem(f"{path}.billing", one.billing, mend)


def _apis(aws: Aws, apis: Mapping[str, Api]) -> Iterator[Problem]:
    rest = [one for one in apis.values() if one.kind == "rest"]
    by_name = _rest_apis(aws.client("apigateway")) if rest else {}
    for one in rest:
        path, ids = f"resources.apis.{one.key}", by_name.get(one.name, [])
        if not ids:
            yield Problem(f"{path}.name", one.name, "is no REST API in this account and region")
        elif not any(_stage(aws.client("apigateway").get_stage, restApiId=id, stageName=one.stage) for id in ids):
            yield Problem(f"{path}.stage", one.stage, f"is no stage of {one.name}")
    for one in apis.values():
        if one.kind == "rest":
            continue
        path, client = f"resources.apis.{one.key}", aws.client("apigatewayv2")
        if answer(_GONE, client.get_api, ApiId=one.id) is None:
            yield Problem(f"{path}.id", one.id, "is no HTTP API in this account and region")
        elif not _stage(client.get_stage, ApiId=one.id, StageName=one.stage):
            yield Problem(f"{path}.stage", one.stage, f"is no stage of {one.name}")


def _rest_apis(client: Any) -> dict[str, list[str]]:
    """Ids by name: a name may stand for several."""
    found: dict[str, list[str]] = {}
    for page in client.get_paginator("get_rest_apis").paginate():
        for one in page.get("items", []):
            found.setdefault(one["name"], []).append(one["id"])
    return found


def _stage(operation: Any, **params: Any) -> bool:
    return answer(_GONE, operation, **params) is not None


def _zone(aws: Aws, service: Service) -> Iterator[tuple[bool, Problem]]:
    """(whether it is advice alone, what is to be said) of the hosted zone of the switch's records, which the
    standby's stack makes. Its name is known to Route 53 alone, so only here is it seen whether a CNAME may stand at
    the customers' name."""
    recovery = service.recovery
    if recovery is None or not recovery.zone or not service.is_standby:
        return
    found = answer(_GONE, aws.client("route53").get_hosted_zone, Id=recovery.zone)
    if found is None:
        yield False, Problem("recovery.zone", recovery.zone, "is no hosted zone of this account")
        return
    zone = found["HostedZone"]["Name"].rstrip(".").lower()
    name = recovery.name.rstrip(".").lower()
    if name == zone:
        yield False, Problem("recovery.url", recovery.url, APEX)
    elif not name.endswith(f".{zone}"):
        fix = f"is a name outside the hosted zone {recovery.zone}, which is {zone} (name the zone that holds it)"
        yield False, Problem("recovery.url", recovery.url, fix)
    status = found["HostedZone"].get("Features", {}).get("AcceleratedRecoveryStatus", "DISABLED")
    if status not in ("ENABLED", "ENABLING"):
        yield True, Problem("recovery.zone", recovery.zone, f"{_SLOW} ({_ACCELERATE} {recovery.zone})")


def _stack(aws: Aws, service: Service) -> Iterator[Problem]:
    if service.stack is None:
        return
    if describe(aws.client("cloudformation"), service.stack) is None:
        yield Problem("stack", service.stack, "is no stack in this account and region")
