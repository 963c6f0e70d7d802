"""What stands on the account: a stack as CloudFormation tells it, its nested stacks included."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

from sereno.model import Json
from sereno.ports import Aws

STACK = "AWS::CloudFormation::Stack"


@dataclass(frozen=True, slots=True)
class Deployed:
    """A stack: its name, ARN and status, the template as it was given, the values of its parameters, its outputs, and
    physical ids by logical id. `nested` holds its nested stacks by their logical id."""

    name: str
    id: str
    status: str
    template: Json
    reason: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)
    outputs: Mapping[str, str] = field(default_factory=dict)
    physical: Mapping[str, str] = field(default_factory=dict)
    nested: Mapping[str, Deployed] = field(default_factory=dict)

    def every(self) -> Iterator[tuple[str, Deployed]]:
        """This stack under an empty name, then each nested one under its logical id."""
        yield "", self
        yield from self.nested.items()


def read(aws: Aws, name: str) -> Deployed | None:
    """The stack of this name or ARN, with its nested stacks; None when there is none (or it has been deleted).

    Calls DescribeStacks, GetTemplate (the original) and ListStackResources, once for each stack.
    """
    client = aws.client("cloudformation")
    found = describe(client, name)
    if found is None or found["StackStatus"] == "DELETE_COMPLETE":
        return None
    listed = list(_resources(client, found["StackName"]))
    physical = {one["LogicalResourceId"]: one.get("PhysicalResourceId", "") for one in listed}
    nested = {}
    for one in listed:
        if one["ResourceType"] == STACK and one.get("PhysicalResourceId"):
            inner = read(aws, one["PhysicalResourceId"])
            if inner is not None:
                nested[one["LogicalResourceId"]] = inner
    return Deployed(
        name=found["StackName"],
        id=found["StackId"],
        status=found["StackStatus"],
        reason=found.get("StackStatusReason", ""),
        template=_template(client, found["StackName"]),
        parameters={one["ParameterKey"]: one.get("ParameterValue", "") for one in found.get("Parameters", [])},
        outputs={one["OutputKey"]: one["OutputValue"] for one in found.get("Outputs", [])},
        physical=physical,
        nested=nested,
    )


def describe(client: Any, name: str) -> Json | None:
    """DescribeStacks of one stack; None when CloudFormation does not know it."""
    try:
        found: list[Json] = client.describe_stacks(StackName=name)["Stacks"]
    except ClientError as error:
        # There is no error code of its own for this:
        # https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeStacks.html
        detail = error.response["Error"]
        if detail["Code"] == "ValidationError" and "does not exist" in detail["Message"]:
            return None
        raise
    return found[0] if found else None


def answer(gone: Collection[str], operation: Callable[..., Any], **params: Any) -> Json | None:
    """What AWS answers; None when it says, by one of the codes `gone`, that there is no such thing."""
    try:
        found: Json = operation(**params)
    except ClientError as error:
        if error.response["Error"]["Code"] in gone:
            return None
        raise
    return found


def _template(client: Any, name: str) -> Json:
    """The template as it was submitted; empty while the stack has none yet (REVIEW_IN_PROGRESS)."""
    try:
        body = client.get_template(StackName=name, TemplateStage="Original")["TemplateBody"]
    except ClientError as error:
        if error.response["Error"]["Code"] == "ValidationError":
            return {}
        raise
    if isinstance(body, str):
        body = json.loads(body or "{}")
    return dict(body or {})


def _resources(client: Any, name: str) -> Iterator[Json]:
    for page in client.get_paginator("list_stack_resources").paginate(StackName=name):
        yield from page.get("StackResourceSummaries", [])
