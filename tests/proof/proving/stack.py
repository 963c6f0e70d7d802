"""A CloudFormation stack on the emulator: what its CloudFormation takes, and then the rest through the API."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from proving.differences import PAST, Past, Resource, adapted
from proving.emulator import Emulator

DONE_WITHIN_S = 30.0


class StackFailed(Exception):
    """A stack did not come to stand; the text names each resource at fault and what was said of it."""


@dataclass(frozen=True, slots=True)
class Stack:
    """What stands: outputs, and by logical id what `Ref` gives."""

    name: str
    outputs: Mapping[str, str]
    physical: Mapping[str, str]


def create(emulator: Emulator, name: str, template: Mapping[str, Any], **parameters: str) -> Stack:
    """Creates every resource of a template. Raises StackFailed, and the emulator's errors."""
    stands = create_as_it_is(emulator, name, adapted(template), **parameters)
    given = {key: one["Default"] for key, one in template.get("Parameters", {}).items() if "Default" in one}
    apart: dict[str, str] = {}
    known = {**given, **parameters, **stands.physical, "AWS::Region": emulator.region}
    for logical_id, past, resource in _in_order(template["Resources"]):
        if past.make is not None:
            made = past.make(resolved(resource["Properties"], known), emulator.client)
            known |= {logical_id: made} if made else {}
            apart |= {logical_id: made} if made else {}
    return replace(stands, physical={**stands.physical, **apart})


def create_as_it_is(emulator: Emulator, name: str, template: Mapping[str, Any], **parameters: str) -> Stack:
    """As `create`, by the emulator's CloudFormation alone."""
    cloudformation = emulator.client("cloudformation")
    # By way of a bucket: the template is larger than the 51,200 bytes that CreateStack takes in its body.
    # https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html
    upload(emulator, f"{name}.template.json", json.dumps(template).encode())
    cloudformation.create_stack(
        StackName=name,
        TemplateURL=f"{emulator.url}/{bucket(emulator)}/{name}.template.json",
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
        Capabilities=["CAPABILITY_NAMED_IAM"],
    )
    outputs = _outputs(cloudformation, name)
    there = cloudformation.describe_stack_resources(StackName=name)["StackResources"]
    return Stack(name, outputs, {one["LogicalResourceId"]: one["PhysicalResourceId"] for one in there})


def bucket(emulator: Emulator) -> str:
    """The bucket that code and templates come from: Lambda takes code from its own region alone."""
    return f"code-{emulator.region}"


def upload(emulator: Emulator, key: str, body: bytes) -> None:
    """Puts a file into that bucket."""
    s3, name = emulator.client("s3"), bucket(emulator)
    if not any(one["Name"] == name for one in s3.list_buckets()["Buckets"]):
        s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": emulator.region})
    s3.put_object(Bucket=name, Key=key, Body=body)


def zip_up(emulator: Emulator, key: str, path: Path) -> dict[str, str]:
    """Puts a function's zip into the bucket; where it lies, as a template says it."""
    upload(emulator, key, path.read_bytes())
    return {"S3Bucket": bucket(emulator), "S3Key": key}


def _outputs(cloudformation: Any, name: str) -> dict[str, str]:
    until = time.monotonic() + DONE_WITHIN_S
    while True:
        found = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
        if found["StackStatus"] == "CREATE_COMPLETE":
            return {one["OutputKey"]: one["OutputValue"] for one in found.get("Outputs", ())}
        if not found["StackStatus"].endswith("CREATE_IN_PROGRESS") or time.monotonic() > until:
            break
        time.sleep(0.1)
    events = cloudformation.describe_stack_events(StackName=name)["StackEvents"]
    faults = [
        f"{one['LogicalResourceId']} ({one['ResourceType']}): {one.get('ResourceStatusReason')}"
        for one in events
        if one["ResourceStatus"].endswith("FAILED")
    ]
    raise StackFailed("\n".join([f"stack {name} is {found['StackStatus']}", *faults]))


def _in_order(resources: Mapping[str, Resource]) -> Iterator[tuple[str, Past, Resource]]:
    """What is made past CloudFormation, a resource after those it depends on."""
    waiting = {
        logical_id: (past, resource)
        for logical_id, resource in resources.items()
        for past in PAST
        if past.about(resource)
    }
    while waiting:
        free = [logical_id for logical_id, (_, one) in waiting.items() if not waiting.keys() & _before(one)]
        if not free:
            raise StackFailed(f"each of {', '.join(sorted(waiting))} waits for another")
        for logical_id in free:
            yield logical_id, *waiting.pop(logical_id)


def _before(resource: Resource) -> set[str]:
    named = resource.get("DependsOn", [])
    return ({named} if isinstance(named, str) else set(named)) | set(_references(resource["Properties"]))


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if value.keys() == {"Ref"}:
            yield value["Ref"]
        elif value.keys() == {"Fn::GetAtt"}:
            yield value["Fn::GetAtt"][0]
        value = list(value.values())
    if isinstance(value, list):
        for inner in value:
            yield from _references(inner)


def resolved(value: Any, physical: Mapping[str, str]) -> Any:
    """References to what stands are resolved; that is all which these resources need. Of attributes they ask for the
    id alone."""
    if isinstance(value, dict):
        if value.keys() == {"Ref"}:
            return physical.get(value["Ref"], value)
        if value.keys() == {"Fn::GetAtt"}:
            return physical.get(value["Fn::GetAtt"][0], value)
        return {key: resolved(inner, physical) for key, inner in value.items()}
    if isinstance(value, list):
        return [resolved(inner, physical) for inner in value]
    return value
