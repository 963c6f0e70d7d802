"""S3 Block Public Access on the embedded AWS, which moto stores and does not enforce.

- A new bucket has all four settings on.
  https://docs.aws.amazon.com/AmazonS3/latest/userguide/configuring-block-public-access-bucket.html
- BlockPublicPolicy, of the bucket or of its account, refuses PutBucketPolicy with a public policy (AccessDenied).
- RestrictPublicBuckets, of either, hides what a public policy shows; it may be turned on at any later time.
  https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import lru_cache, wraps
from typing import Any

# As `PublicAccessBlockConfiguration` orders them.
SETTINGS = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
_ATTRIBUTES = {"BlockPublicPolicy": "block_public_policy", "RestrictPublicBuckets": "restrict_public_buckets"}
_WITHOUT_TLS = {"Bool": {"aws:SecureTransport": "false"}}


@lru_cache(maxsize=1)
def install() -> None:
    """Makes moto enforce it, for this process."""
    from moto.s3.models import FakeBucket, S3Backend

    S3Backend.create_bucket = _made(S3Backend.create_bucket)
    S3Backend.put_bucket_policy = _checked(S3Backend.put_bucket_policy)
    FakeBucket.get_permission = _hidden(FakeBucket.get_permission)
    own = FakeBucket.create_from_cloudformation_json.__func__
    FakeBucket.create_from_cloudformation_json = classmethod(_configured(own))


def _made(own: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(own)
    def create_bucket(self: Any, bucket_name: str, *args: Any, **kwargs: Any) -> Any:
        bucket = own(self, bucket_name, *args, **kwargs)
        self.put_public_access_block(bucket_name, dict.fromkeys(SETTINGS, True))
        return bucket

    return create_bucket


def _configured(own: Callable[..., Any]) -> Callable[..., Any]:
    """What the template says of the settings; moto's CloudFormation drops it."""

    @wraps(own)
    def create(
        cls: Any, resource_name: str, cloudformation_json: Any, account_id: str, region_name: str, **kwargs: Any
    ) -> Any:
        bucket = own(cls, resource_name, cloudformation_json, account_id, region_name, **kwargs)
        wanted = cloudformation_json.get("Properties", {}).get("PublicAccessBlockConfiguration")
        if wanted:
            from moto.s3.models import s3_backends

            flags = {name: str(wanted.get(name, False)).lower() == "true" for name in SETTINGS}
            s3_backends[account_id]["aws"].put_public_access_block(bucket.name, flags)
        return bucket

    return create


def _checked(own: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(own)
    def put_bucket_policy(self: Any, bucket_name: str, policy: bytes) -> Any:
        if is_public(policy) and in_force(self.get_bucket(bucket_name), "BlockPublicPolicy"):
            raise _access_denied()
        return own(self, bucket_name, policy)

    return put_bucket_policy


def _hidden(own: Callable[..., Any]) -> Callable[..., Any]:
    """A policy that is public permits nothing to those without a signature while it is restricted.

    moto takes no condition into account. Here every call is made over TLS, so a statement about calls that are not
    says nothing of them."""

    @wraps(own)
    def get_permission(self: Any, action: str, resource: str) -> Any:
        from moto.iam.access_control import IAMPolicy, PermissionResult

        if self.policy is None:
            return own(self, action, resource)
        policy = json.loads(self.policy)
        kept = [one for one in _statements(policy) if one.get("Condition") != _WITHOUT_TLS]
        if not kept:
            return PermissionResult.NEUTRAL
        found = IAMPolicy(json.dumps({**policy, "Statement": kept})).is_action_permitted(action, resource)
        restricted = is_public(self.policy) and in_force(self, "RestrictPublicBuckets")
        return PermissionResult.NEUTRAL if restricted and found == PermissionResult.PERMITTED else found

    return get_permission


def _statements(policy: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    found = policy.get("Statement", [])
    return found if isinstance(found, list) else [found]


def in_force(bucket: Any, setting: str) -> bool:
    """Whether a setting is on for a bucket: the more restrictive of its own and its account's."""
    from moto.s3control.models import s3control_backends

    name = _ATTRIBUTES[setting]
    account = s3control_backends[bucket.account_id]["aws"].public_access_block
    return any(_flag(block, name) for block in (bucket.public_access_block, account) if block is not None)


def _flag(block: Any, name: str) -> bool:
    return str(getattr(block, name)).lower() == "true"


def is_public(policy: bytes | str) -> bool:
    """Whether a bucket policy lets everybody in: it allows something to `*` under no condition."""
    try:
        found = json.loads(policy)
    except ValueError:
        return False  # moto refuses it in AWS's words
    return any(map(_open, _statements(found)))


def _open(statement: Mapping[str, Any]) -> bool:
    principal = statement.get("Principal")
    named = principal.get("AWS") if isinstance(principal, Mapping) else principal
    everybody = "*" in (named if isinstance(named, list) else [named])
    return statement.get("Effect") == "Allow" and everybody and not statement.get("Condition")


def _access_denied() -> Exception:
    """The words in which S3 refuses a public policy."""
    from moto.s3.exceptions import S3ClientError

    refusal: Exception = S3ClientError(
        "AccessDenied",
        "User is not authorized to perform: s3:PutBucketPolicy on resource because public policies are prevented by "
        "the BlockPublicPolicy setting in S3 Block Public Access.",
    )
    return refusal
