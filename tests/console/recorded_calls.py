"""Every call that a command makes, held against the documented policy of whoever runs it."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any
from unittest.mock import patch

from botocore.client import BaseClient
from botocore.model import ServiceModel

from deploy import deploy_policy, iam

# Their permission is called otherwise.
OTHERWISE = {
    "HeadBucket": "s3:ListBucket",
    "HeadObject": "s3:GetObject",
    "GetPublicAccessBlock": "s3:GetBucketPublicAccessBlock",
    "ListObjectsV2": "s3:ListBucket",
    "TransactWriteItems": "dynamodb:PutItem",
}
POLICIES = {"plan": deploy_policy.reading, "deploy": deploy_policy.deploying, "destroy": deploy_policy.deploying}


@lru_cache(maxsize=8)
def allowed(command: str) -> dict[str, set[str]]:
    """Resources by action of a command's policy."""
    return deploy_policy.allowed(POLICIES[command]())


@contextmanager
def during(command: str) -> Iterator[None]:
    """While a command runs: each of its calls must be allowed. What the embedded AWS calls within one is its own."""
    if command not in POLICIES:
        yield
        return
    own, depth, refused = BaseClient._make_api_call, [0], []

    def call(self: Any, operation: str, params: Any) -> Any:
        if depth[0] == 0 and (told := problem(command, self.meta.service_model, operation, params)):
            refused.append(told)
        depth[0] += 1
        try:
            return own(self, operation, params)
        finally:
            depth[0] -= 1

    with patch.object(BaseClient, "_make_api_call", call):
        yield
    assert not refused, f"sereno {command}: {sorted(set(refused))}"


def problem(command: str, service: ServiceModel, operation: str, params: Any) -> str:
    """Why the policy does not allow a call; empty when it does."""
    needed = action(service, operation)
    places = allowed(command).get(needed)
    if places is None:
        return f"{needed} is not allowed"
    name = params.get("StackName", "") if needed.startswith("cloudformation:") else ""
    if name and not name.startswith("arn:"):
        name = f"arn:aws:cloudformation:eu-west-1:123456789012:stack/{name}/1"
    if name and not any(fnmatch.fnmatchcase(name, place) for place in places):
        return f"{needed} is not allowed on {name}"
    return ""


def action(service: ServiceModel, operation: str) -> str:
    """The IAM action of an operation."""
    if service.service_name == "s3control":
        return f"s3:{operation.replace('Public', 'AccountPublic')}"
    if operation in OTHERWISE:
        return OTHERWISE[operation]
    if service.service_name.startswith("apigateway"):
        return "apigateway:GET"
    snake = "".join(f"_{one.lower()}" if one.isupper() else one for one in operation).lstrip("_")
    known = iam.ACTIONS.get(f"{service.service_name}.{snake}")
    return known[0] if known and len(known) == 1 else f"{service.signing_name}:{operation}"
