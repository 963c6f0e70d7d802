"""What an earlier stack left behind, and the next one takes over: resources of a fixed name that are kept.

CloudFormation imports such a resource by a change set that asks for it: its type must be importable, its name static
in the template and its deletion policy Retain. A table, a vault and a log group can be; a KMS key has no own name.
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/import-resources-automatically.html
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/resource-import-supported-resources.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from deploy.apply.deployed import Deployed, answer
from sereno.model import Json
from sereno.ports import Aws

TABLE, VAULT, LOG_GROUP = "AWS::DynamoDB::Table", "AWS::Backup::BackupVault", "AWS::Logs::LogGroup"
# The property that names a resource, which is the primary identifier of its type too.
NAMED_BY: Mapping[str, str] = {TABLE: "TableName", VAULT: "BackupVaultName", LOG_GROUP: "LogGroupName"}
KEPT = ("Retain", "RetainExceptOnCreate")
_GONE = frozenset({"ResourceNotFoundException"})


@dataclass(frozen=True, slots=True)
class Difference:
    """A property of an imported resource that is not as its template says."""

    logical_id: str
    path: str
    expected: str
    actual: str

    def __str__(self) -> str:
        return f"{self.logical_id}{self.path} is {self.actual}, and the template says {self.expected}"


def left_behind(aws: Aws, template: Json, deployed: Deployed | None) -> list[str]:
    """The logical ids that a deployment of the template would add and that exist on the account already."""
    there = deployed.physical if deployed is not None else {}
    return [
        logical_id
        for logical_id, resource in template["Resources"].items()
        if logical_id not in there and _is_importable(resource) and _exists(aws, resource)
    ]


def differences(client: Any, stack: str, imported: list[str]) -> list[Difference]:
    """What of the imported resources differs from the template: CloudFormation takes them over as they are.

    Calls DetectStackResourceDrift once for each.
    """
    found: list[Difference] = []
    for logical_id in imported:
        drift = client.detect_stack_resource_drift(StackName=stack, LogicalResourceId=logical_id)[
            "StackResourceDrift"
        ]
        if drift["StackResourceDriftStatus"] == "DELETED":
            found.append(Difference(logical_id, "", "that it exists", "gone"))
        found += [
            Difference(logical_id, one["PropertyPath"], one.get("ExpectedValue", ""), one.get("ActualValue", ""))
            for one in drift.get("PropertyDifferences", [])
        ]
    return found


def _is_importable(resource: Json) -> bool:
    named_by = NAMED_BY.get(resource["Type"])
    return (
        named_by is not None
        and resource.get("DeletionPolicy") in KEPT
        and isinstance(resource["Properties"].get(named_by), str)
    )


def _exists(aws: Aws, resource: Json) -> bool:
    name = resource["Properties"][NAMED_BY[resource["Type"]]]
    if resource["Type"] == TABLE:
        return answer(_GONE, aws.client("dynamodb").describe_table, TableName=name) is not None
    if resource["Type"] == VAULT:
        # DescribeBackupVault answers AccessDeniedException for a vault that is not there, also to those who may.
        pages = aws.client("backup").get_paginator("list_backup_vaults").paginate()
        return name in {one["BackupVaultName"] for page in pages for one in page["BackupVaultList"]}
    groups = aws.client("logs").describe_log_groups(logGroupNamePrefix=name)["logGroups"]
    return name in {one["logGroupName"] for one in groups}
