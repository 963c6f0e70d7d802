"""Roles within IAM's sizes: what an inline policy cannot hold goes to managed policies of the same stack.

Sizes are counted as IAM counts them: without white space, and with the values that `Fn::GetAtt` and `Ref` will have.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from sereno.errors import SerenoError
from sereno.model import Json
from sereno.partition import partition
from sereno.service import Service

# All inline policies of a role together; each managed policy; managed policies attached to a role.
INLINE_LIMIT, MANAGED_LIMIT, ATTACHED_LIMIT = 10_240, 6_144, 10
ROLE, MANAGED = "AWS::IAM::Role", "AWS::IAM::ManagedPolicy"
# arn:aws-us-gov:kms:ap-southeast-1:123456789012:key/mrk-0123456789abcdef0123456789abcdef has 90 characters. Names of
# other resources end in a suffix that CloudFormation draws, and are at most 256 characters long with their ARN.
_KEY_ARN, _UNKNOWN = 100, 256


class TooLarge(SerenoError):
    """A role's statements do not fit even with managed policies: its logical id and the characters that they need."""

    def __init__(self, role: str, size: int) -> None:
        self.role, self.size = role, size
        super().__init__(
            f"{role} needs {size:,} characters of policy; IAM takes {INLINE_LIMIT:,} in the role and "
            f"{ATTACHED_LIMIT} managed policies of {MANAGED_LIMIT:,}"
        )


def fit(service: Service, resources: Json) -> Json:
    """The resources, with every role within IAM's sizes.

    A role that is small enough stays as it is. Of another the statements fill its inline policy and then managed
    policies without names, which the role attaches: CloudFormation then makes them before the role and deletes them
    after it. Raises TooLarge.
    """
    fitted: Json = {}
    for logical_id, resource in resources.items():
        fitted |= _fit_role(service, resources, logical_id) if resource["Type"] == ROLE else {logical_id: resource}
    return fitted


def size(service: Service, resources: Json, document: Json) -> int:
    """The characters that IAM will count of a policy document."""
    return len(_packed(_resolved(service, resources, document)))


def _fit_role(service: Service, resources: Json, role_id: str) -> Json:
    role = resources[role_id]
    properties = role["Properties"]
    inline: list[Json] = properties.get("Policies", [])
    total = sum(size(service, resources, policy["PolicyDocument"]) for policy in inline)
    if total <= INLINE_LIMIT:
        return {role_id: role}
    statements = [one for policy in inline for one in policy["PolicyDocument"]["Statement"]]
    documents = list(_filled(service, resources, role_id, statements))
    attached = properties.get("ManagedPolicyArns", [])
    if len(documents) - 1 > ATTACHED_LIMIT - len(attached):
        raise TooLarge(role_id, total)
    first, *rest = documents
    managed = {
        f"{role_id}More{number}": {
            "Type": MANAGED,
            **({"Metadata": role["Metadata"]} if "Metadata" in role else {}),
            "Properties": {
                "Description": f"More of what {role_id} may do, past the size of an inline policy",
                "PolicyDocument": document,
            },
        }
        for number, document in enumerate(rest, start=1)
    }
    kept = {"PolicyName": inline[0]["PolicyName"], "PolicyDocument": first}
    arns = [*attached, *({"Ref": one} for one in managed)]
    return {**managed, role_id: {**role, "Properties": {**properties, "Policies": [kept], "ManagedPolicyArns": arns}}}


def _filled(service: Service, resources: Json, role_id: str, statements: list[Json]) -> Iterator[Json]:
    """Policy documents that hold the statements in order: the first as large as an inline policy may be, the others
    as managed ones. A statement that does not fit whole is divided by its resources."""
    # A whole statement under Fn::If cannot be divided, so those come first.
    waiting = sorted(statements, key=lambda one: "Fn::If" not in one)
    limit, document = INLINE_LIMIT, _document([])
    while waiting:
        statement = waiting[0]
        room = limit - size(service, resources, document) - bool(document["Statement"])
        needed = size(service, resources, statement)
        if needed <= room:
            document["Statement"].append(waiting.pop(0))
            continue
        part, rest = _divided(service, resources, statement, room)
        if part:
            document["Statement"].append(part)
            waiting[0] = rest
        elif not document["Statement"]:
            raise TooLarge(role_id, needed)
        yield document
        limit, document = MANAGED_LIMIT, _document([])
    yield document


def _divided(service: Service, resources: Json, statement: Json, room: int) -> tuple[Json, Json]:
    """The statement on as many of its resources as fit, and on the others; the first is empty when none fits."""
    named = statement.get("Resource")
    if not isinstance(named, list) or len(named) < 2:
        return {}, statement
    used = size(service, resources, {**statement, "Resource": []})
    taken = 0
    for one in named[:-1]:  # one at least is left for the rest, or the statement would fit whole
        used += size(service, resources, one) + bool(taken)
        if used > room:
            break
        taken += 1
    if not taken:
        return {}, statement
    return {**statement, "Resource": named[:taken]}, {**statement, "Resource": named[taken:]}


def _document(statements: list[Json]) -> Json:
    return {"Version": "2012-10-17", "Statement": statements}


def _packed(document: Any) -> str:
    return json.dumps(document, separators=(",", ":"))


def _resolved(service: Service, resources: Json, node: Any) -> Any:
    """The node with text of the right length where CloudFormation puts a value."""
    if isinstance(node, list):
        return [_resolved(service, resources, one) for one in node]
    if not isinstance(node, dict):
        return node
    if len(node) == 1:
        ((function, inner),) = node.items()
        if function == "Fn::If":  # the longer branch counts
            return max((_resolved(service, resources, one) for one in inner[1:]), key=lambda one: len(_packed(one)))
        if function == "Ref" or function.startswith("Fn::"):
            return "x" * _length(service, resources, function, inner)
    return {name: _resolved(service, resources, inner) for name, inner in node.items()}


def _length(service: Service, resources: Json, function: str, inner: Any) -> int:
    if function == "Ref":
        return {"AWS::NoValue": 0, "KmsKeyArn": _KEY_ARN}.get(str(inner), _UNKNOWN)
    target = resources.get(inner[0], {}) if function == "Fn::GetAtt" else {}
    name = target.get("Properties", {}).get("LogGroupName")
    if name and inner[1] == "Arn":
        place = f"{partition(service.region)}:logs:{service.region}:{service.account}"
        return len(f"arn:{place}:log-group:{name}:*")
    return _UNKNOWN
