"""Global tables in provisioned mode, which moto does not have: replicated write settings, and replicas that are told.

While `global_tables` holds, the settings of Application Auto Scaling for a table's writes (minimum, maximum, target)
are one for all its Regions: a call in one is made in all. The write capacity itself stays each Region's own.
UpdateTable does not set it: that is auto scaling's business.
https://docs.aws.amazon.com/prescriptive-guidance/latest/dynamodb-global-tables/throughput.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from deploy.embedded_throttling import exempt

Regions = Mapping[str, tuple[str, ...]]
"""The Regions of each global table, by its name."""

# What is replicated, and how each operation is called by boto3.
_REPLICATED = {
    "RegisterScalableTarget": "register_scalable_target",
    "DeregisterScalableTarget": "deregister_scalable_target",
    "PutScalingPolicy": "put_scaling_policy",
    "DeleteScalingPolicy": "delete_scaling_policy",
}
# Clients with this in their user agent are AWS's own: nothing is replicated or refused for them.
AWS_ITSELF = "replication"
_tables: list[Regions] = []
_taught = False


@contextmanager
def global_tables(regions: Regions) -> Iterator[None]:
    """While this holds, these tables are global for every botocore session made since the first such call."""
    _teach_botocore()
    _tables.append(regions)
    try:
        yield
    finally:
        _tables.remove(regions)


def others(table: str, region: str) -> tuple[str, ...]:
    """The other Regions of a global table; none of one that is not global."""
    known = _tables[-1].get(table, ()) if _tables else ()
    return tuple(one for one in known if one != region)


def replicas(table: str, region: str, regions: Regions) -> list[dict[str, str]]:
    """`Replicas` as DescribeTable in a Region gives it: the other Regions."""
    return [{"RegionName": one, "ReplicaStatus": "ACTIVE"} for one in regions.get(table, ()) if one != region]


def paid_writes(units: float, table: str, regions: Regions) -> float:
    """Write units that are paid for when so many are provisioned, or written: every replica pays its own."""
    return units * max(1, len(regions.get(table, ())))


def replicated(resource: str, dimension: str) -> str | None:
    """The table whose write settings a scalable target is, its indexes' too; None of anything else."""
    named = re.match(r"table/([^/]+)", resource)
    return named[1] if named and dimension.endswith(":WriteCapacityUnits") else None


def _teach_botocore() -> None:
    global _taught
    if _taught:
        return
    from botocore import handlers

    for name in _REPLICATED:
        handlers.BUILTIN_HANDLERS += [
            (f"before-parameter-build.application-auto-scaling.{name}", _keep),
            (f"after-call.application-auto-scaling.{name}", _replicate),
        ]
    handlers.BUILTIN_HANDLERS += [
        ("before-parameter-build.dynamodb.DescribeTable", _keep),
        ("after-call.dynamodb.DescribeTable", _tell_replicas),
        ("before-parameter-build.dynamodb.UpdateTable", _keep),
        ("before-call.dynamodb.UpdateTable", _refuse_writes),
    ]
    _taught = True


def _keep(params: Any, context: Any, **_: Any) -> None:
    context["global_params"] = params


def _replicate(model: Any, http_response: Any, context: Any, **_: Any) -> None:
    """Makes the call in the table's other Regions; a call that is made so is not made again."""
    params, region = context["global_params"], str(context["client_region"])
    table = replicated(params["ResourceId"], params["ScalableDimension"])
    if table is None or http_response.status_code >= 300 or context["client_config"].user_agent_extra == AWS_ITSELF:
        return
    import boto3
    from botocore.config import Config

    for one in others(table, region):
        client = boto3.client("application-autoscaling", region_name=one, config=Config(user_agent_extra=AWS_ITSELF))
        with exempt():
            getattr(client, _REPLICATED[model.name])(**params)


def _tell_replicas(parsed: Any, context: Any, **_: Any) -> None:
    name = context["global_params"]["TableName"].rsplit("/", 1)[-1]
    if _tables and "Table" in parsed and name in _tables[-1]:
        parsed["Table"]["Replicas"] = replicas(name, str(context["client_region"]), _tables[-1])


def _refuse_writes(context: Any, **_: Any) -> Any:
    """Raises ClientError for a write capacity that UpdateTable would set."""
    from botocore.exceptions import ClientError

    params, region = context["global_params"], str(context["client_region"])
    if not others(params["TableName"], region) or context["client_config"].user_agent_extra == AWS_ITSELF:
        return
    parts = [params, *(one.get("Update", {}) for one in params.get("GlobalSecondaryIndexUpdates", ()))]
    asked = [one["ProvisionedThroughput"]["WriteCapacityUnits"] for one in parts if "ProvisionedThroughput" in one]
    if not asked:
        return
    import boto3

    with exempt():
        table = boto3.client("dynamodb", region_name=region).describe_table(TableName=params["TableName"])["Table"]
    now = {None: table, **{one["IndexName"]: one for one in table.get("GlobalSecondaryIndexes") or ()}}
    for one in parts:
        units = one.get("ProvisionedThroughput", {}).get("WriteCapacityUnits")
        part = now.get(one.get("IndexName"), {}).get("ProvisionedThroughput", {})
        if units is not None and units != part.get("WriteCapacityUnits"):
            said = "Table write capacity should either be Pay-Per-Request or AutoScaled."
            raise ClientError({"Error": {"Code": "ValidationException", "Message": said}}, "UpdateTable")
