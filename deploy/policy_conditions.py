"""What the policy linter asks of conditions: those that an action cannot do without, and whether they hold.

Some actions take no resource that can be named beforehand, or one that is far wider than the need. AWS narrows them
by condition keys instead. A condition that cannot refuse anything is as bad as none, so its form is checked too.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any

from sereno.errors import Problem
from sereno.model import Json

_CHANGED = "route53:ChangeResourceRecordSets"
NARROWED: Mapping[str, tuple[str, ...]] = {
    # A scalable target has an id that AWS gives, so no ARN of one can be written down.
    "application-autoscaling:RegisterScalableTarget": (
        "application-autoscaling:service-namespace",
        "application-autoscaling:scalable-dimension",
    ),
    # The resource is the hosted zone, with every record in it.
    "route53:ChangeResourceRecordSets": (
        f"{_CHANGED}NormalizedRecordNames",
        f"{_CHANGED}RecordTypes",
        f"{_CHANGED}Actions",
    ),
    "iam:PassRole": ("iam:PassedToService",),
}
"""The condition keys without which an action reaches too much, by action."""

SOURCE_ACCOUNT, SOURCE_ARN = "aws:SourceAccount", "aws:SourceArn"
# AWS documents the ARN that FIS passes when it assumes a role; Lambda's and AWS Backup's guides name none.
# https://docs.aws.amazon.com/fis/latest/userguide/getting-started-iam-service-role.html
SOURCES: Mapping[str, tuple[str, ...]] = {
    "lambda.amazonaws.com": (SOURCE_ACCOUNT,),
    "backup.amazonaws.com": (SOURCE_ACCOUNT,),
    "fis.amazonaws.com": (SOURCE_ACCOUNT, SOURCE_ARN),
}
"""The services that may assume a role, with the condition keys that each trust policy needs."""

_POSITIVE = re.compile(
    r"^(?:(?:ForAllValues|ForAnyValue):)?(?:String(?:Equals|Like|EqualsIgnoreCase)|Arn(?:Equals|Like))$"
)


def missing(statement: Json, keys: Iterable[str]) -> list[str]:
    """The keys that no test of the statement's condition holds to a value."""
    held = {key.lower() for key in _held(statement)}
    return [key for key in keys if key.lower() not in held]


def problems(where: str, statement: Json) -> Iterator[Problem]:
    """What is wrong with the condition of a statement that allows something."""
    actions = _listed(statement.get("Action"))
    for action in actions:
        for key in missing(statement, NARROWED.get(action, ())):
            yield Problem(where, action, f"needs a condition ({key})")
    absent = {key.lower() for key in _must_be_there(statement)}
    for operator, tests in statement.get("Condition", {}).items():
        for key, value in tests.items():
            if any(_matches_all(each) for each in _listed(value)):
                yield Problem(where, key, f"is held to {value}, which refuses nothing (name the values)")
            if operator.startswith("ForAllValues:") and key.lower() not in absent:
                fix = f'also holds when the key is absent (add "Null": {{"{key}": "false"}})'
                yield Problem(where, f"{operator} {key}", fix)
            if not key.lower().startswith("aws:") and not any(_knows(action, key) for action in actions):
                yield Problem(where, key, f"is no condition key of {', '.join(actions)} that AWS knows")


def _held(statement: Json) -> Iterator[str]:
    for operator, tests in statement.get("Condition", {}).items():
        if _POSITIVE.match(operator):
            yield from (key for key, value in tests.items() if not any(map(_matches_all, _listed(value))))


def _must_be_there(statement: Json) -> list[str]:
    return [
        key for key, value in statement.get("Condition", {}).get("Null", {}).items() if str(value).lower() == "false"
    ]


def _matches_all(value: Any) -> bool:
    return isinstance(value, str) and bool(re.fullmatch(r"[*?]+|", value))


@lru_cache(maxsize=1024)
def _knows(action: str, key: str) -> bool:
    from policy_sentry.querying.actions import get_action_data

    service, _, name = action.partition(":")
    entries = (get_action_data(service, name) or {}).get(service, ())
    known = {re.sub(r"\$\{\w+\}", "", each).lower() for entry in entries for each in entry["condition_keys"]}
    return key.lower() in known or any(one.endswith("/") and key.lower().startswith(one) for one in known)


def _listed(value: Any) -> list[Any]:
    if value is None:
        return []
    return list(value) if isinstance(value, list) else [value]
