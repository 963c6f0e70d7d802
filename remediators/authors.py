"""Who changed a value between Sereno's write and its revert, as CloudTrail's event history tells.

Best effort: the history is read after the remediation has ended, it blocks nothing, and an answer that comes late is
shown when it comes. CloudTrail delivers within about 15 minutes, keeps management events of 90 days without a trail,
and answers LookupEvents twice a second for an account and Region.
https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_LookupEvents.html
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from remediators.record import tell
from remediators.watch import Watch
from sereno.lifecycle import Remediation
from sereno.model import Status
from sereno.ports import Permission

# How long the history is asked: what CloudTrail has not told by then, it hardly tells at all.
WITHIN = timedelta(minutes=20)
EACH = timedelta(minutes=2)
NAME_LIMIT = 128
# Under which names CloudTrail keeps the writes of a setting; Lambda's carry their API's date.
# https://docs.aws.amazon.com/lambda/latest/dg/logging-using-cloudtrail.html
_NAMES: Mapping[str, tuple[str, ...]] = {
    "application-autoscaling.register_scalable_target": ("RegisterScalableTarget", "DeregisterScalableTarget"),
    "dynamodb.update_table": ("UpdateTable",),
    "lambda.delete_function_concurrency": ("PutFunctionConcurrency20171031", "DeleteFunctionConcurrency20171031"),
    "lambda.put_function_concurrency": ("PutFunctionConcurrency20171031", "DeleteFunctionConcurrency20171031"),
    "lambda.put_provisioned_concurrency_config": (
        "PutProvisionedConcurrencyConfig20190930",
        "DeleteProvisionedConcurrencyConfig20190930",
    ),
}

PERMISSIONS: tuple[Permission, ...] = (
    Permission(
        "cloudtrail.lookup_events",
        "*",
        "LookupEvents takes no resource: "
        "https://docs.aws.amazon.com/service-authorization/latest/reference/list_awscloudtrail.html",
    ),
)
"""What the reconciler asks of CloudTrail."""


@dataclass(frozen=True, slots=True)
class Author:
    """Who wrote, by which call, and when."""

    name: str
    call: str
    at: datetime


def findable(watch: Watch, remediation: Remediation) -> bool:
    """Whether CloudTrail's event history holds writes of what this remediation changed."""
    return bool(watch.service.account and _names_of(remediation))


def _names_of(remediation: Remediation) -> list[str]:
    steps = remediation.plan.steps if remediation.plan else ()
    calls = [f"{step.do.service}.{step.do.operation}" for step in steps]
    return list(dict.fromkeys(name for call in calls for name in _NAMES.get(call, ())))


def follow(watch: Watch, remediation: Remediation) -> Remediation:
    """One look for who wrote it: shown when found, given up in silence when the time is over. Raises
    LedgerUnavailable and VersionConflict."""
    now = watch.clock.now()
    author = find(watch, remediation, now)
    if author is None:
        over = remediation.author_until is None or now >= remediation.author_until
        later = replace(
            remediation,
            author_until=None if over else remediation.author_until,
            due_at=None if over else now + EACH,
        )
        return watch.ledger.save(later, before=remediation, now=now)
    said = f"{remediation.detail}; written by {author.name} ({author.call}, {author.at:%H:%M:%S} UTC)"
    moved = remediation.move(
        Status.KEPT, now, said, data={"author": author.name, "call": author.call, "source": "cloudtrail"}
    )
    return tell(watch, replace(moved, author_until=None, due_at=now), remediation)


def find(watch: Watch, remediation: Remediation, now: datetime) -> Author | None:
    """The newest write of the target by anybody but Sereno since the change; None where none is known, or the history
    cannot be read."""
    since = remediation.applied_at or remediation.created
    found: list[Author] = []
    try:
        client = watch.aws.client("cloudtrail", remediation.target.region)
        for name in _names_of(remediation):
            answer = client.lookup_events(
                LookupAttributes=[{"AttributeKey": "EventName", "AttributeValue": name}],
                StartTime=since,
                EndTime=now,
                MaxResults=50,
            )
            found += [
                author
                for event in answer.get("Events", ())
                if (author := _author(event, remediation.target.name, watch.service.name)) is not None
            ]
    except Exception as error:  # whatever keeps it from being read, the remediation has ended without it
        watch.telemetry.log("info", "CloudTrail could not be read", id=remediation.id, error=str(error))
    return max(found, key=lambda author: author.at, default=None)


def _author(event: Mapping[str, Any], target: str, service: str) -> Author | None:
    """Who an event names, if it succeeded, is of this target, and not Sereno's own."""
    try:
        whole = json.loads(event.get("CloudTrailEvent") or "{}")
    except ValueError:
        return None
    user = str(event.get("Username") or whole.get("userIdentity", {}).get("arn") or "")[:NAME_LIMIT]
    own = user.startswith(f"sereno-{service}-")
    if whole.get("errorCode") or own or not user or not _names_target(whole.get("requestParameters"), target):
        return None
    return Author(user, str(event["EventName"])[:NAME_LIMIT], event["EventTime"])


def _names_target(parameters: Any, target: str) -> bool:
    """Whether a call's parameters name the target: by its name, its ARN, or as a scalable target."""
    values = parameters.values() if isinstance(parameters, Mapping) else ()
    texts = [value for value in values if isinstance(value, str)]
    return any(target in (text, *text.replace("/", ":").split(":")) for text in texts)
