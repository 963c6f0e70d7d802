"""May the switch's object be public? Block Public Access of the account or of the bucket would refuse or hide it."""

from __future__ import annotations

from collections.abc import Iterator

from botocore.exceptions import ClientError

from deploy.apply.deployed import answer
from deploy.config_recovery import HEALTH_SWITCH
from sereno.errors import Problem
from sereno.model import Json
from sereno.ports import Aws
from sereno.service import Recovery, Service

# The two settings that concern a bucket policy: the first refuses to put it, the second hides what it makes public.
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html
REFUSES, HIDES = "BlockPublicPolicy", "RestrictPublicBuckets"
_NOT_SET = frozenset({"NoSuchPublicAccessBlockConfiguration"})
_OTHERWISE = "or write strategy: metric-switch, which needs no public object"


def look(aws: Aws, service: Service) -> Iterator[tuple[bool, Problem]]:
    """What keeps the switch's object from being public, and whether the stack's creation would fail for it.

    Nothing where no public object is used. Reads only; raises what AWS raises.
    """
    recovery = service.recovery
    if recovery is None or not recovery.bucket or not service.is_standby:
        return
    blocked = _account(aws, service)
    there, own = _bucket(aws, recovery)
    if blocked:
        fix = (
            f"needs a public object, which {_settings(blocked)} of account {service.account} {_forbids(blocked)}: "
            "set on the account or by a policy of the organisation, AWS does not say which "
            f"(turn {_settings(blocked)} off there, {_OTHERWISE})"
        )
        yield not there, Problem("recovery.strategy", HEALTH_SWITCH, fix)
    if own:
        fix = (
            f"needs a public object, which {_settings(own)} of bucket {recovery.bucket} {_forbids(own)} (turn "
            f"{_settings(own)} off for that bucket, {_OTHERWISE})"
        )
        yield False, Problem("recovery.bucket", recovery.bucket, fix)


def _account(aws: Aws, service: Service) -> tuple[str, ...]:
    """The settings of the account that are on. AWS answers the effective ones, the organisation's included.
    https://docs.aws.amazon.com/AmazonS3/latest/API/API_control_GetPublicAccessBlock.html"""
    client = aws.client("s3control")
    return _on(answer(_NOT_SET, client.get_public_access_block, AccountId=service.account))


def _bucket(aws: Aws, recovery: Recovery) -> tuple[bool, tuple[str, ...]]:
    """Whether the bucket exists, and its own settings that are on. The stack makes it with both off."""
    try:
        return True, _on(aws.client("s3").get_public_access_block(Bucket=recovery.bucket))
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code in _NOT_SET:
            return True, ()
        if code == "NoSuchBucket":
            return False, ()
        raise


def _on(found: Json | None) -> tuple[str, ...]:
    settings = (found or {}).get("PublicAccessBlockConfiguration", {})
    return tuple(name for name in (REFUSES, HIDES) if settings.get(name))


def _settings(on: tuple[str, ...]) -> str:
    return " and ".join(on)


def _forbids(on: tuple[str, ...]) -> str:
    """What the settings do, in the number of their verb."""
    verbs = {REFUSES: "refuse", HIDES: "hide"}
    each = "s" if len(on) == 1 else ""
    return " and ".join(f"{verbs[name]}{each}" for name in on)
