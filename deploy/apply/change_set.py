"""A change set: made, looked at, carried out, and watched while it is.

`sleep` counts in seconds and is an argument, so that nothing here waits in a test.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

from botocore.exceptions import ClientError

from deploy.apply import states
from deploy.apply.deployed import STACK, describe
from deploy.apply.failure import Happening, mend
from sereno.errors import SerenoError
from sereno.model import Json

Sleep = Callable[[float], None]
Hear = Callable[[Happening], None]

POLL_S = 3.0
# Making a change set takes seconds, with nested stacks a minute or two.
MADE_WITHIN_S = 600.0
# A first deployment takes two or three minutes, one of hundreds of alarms longer: PutMetricAlarm takes 3 a second.
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_limits.html
DONE_WITHIN_S = 3600.0
BEGINS_WITHIN_S = 30.0
_NO_CHANGE = ("didn't contain changes", "No updates are to be performed", "no changes")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a stack shall become. `imports` takes over what exists by name outside the stack (the ledger and the
    vault that an earlier stack left), `nested` looks into nested stacks too, `reverts_drift` sets back what was
    changed by hand."""

    stack: str
    template_url: str
    parameters: Mapping[str, str]
    creates: bool
    imports: bool = False
    nested: bool = False
    reverts_drift: bool = False
    tags: Mapping[str, str] | None = None
    role_arn: str | None = None


def as_role(role_arn: str | None) -> Json:
    """The request's part that lets CloudFormation act with a service role, instead of with the caller's rights.
    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-iam-servicerole.html"""
    return {"RoleARN": role_arn} if role_arn else {}


@dataclass(frozen=True, slots=True)
class ChangeSet:
    """A change set as CloudFormation made it. `changes` are its ResourceChange structures; none: nothing to do."""

    id: str
    stack_id: str
    changes: tuple[Json, ...] = ()

    @property
    def empty(self) -> bool:
        return not self.changes

    @property
    def imported(self) -> list[str]:
        """The logical ids of resources that exist already and are taken over."""
        return [one["LogicalResourceId"] for one in self.changes if one.get("Action") == "Import"]


class CannotBeMade(SerenoError):
    """CloudFormation refused the change set; its text says why."""


class TookTooLong(SerenoError):
    """The stack still changes after a long time. It goes on by itself; nothing was undone."""


def make(client: Any, wanted: Wanted, name: str, sleep: Sleep = time.sleep) -> ChangeSet:
    """Makes a change set and waits for it. One without changes is deleted again and comes back empty.

    Raises CannotBeMade with CloudFormation's reason.
    """
    asked: Json = {
        "StackName": wanted.stack,
        "ChangeSetName": name,
        "ChangeSetType": "CREATE" if wanted.creates else "UPDATE",
        "TemplateURL": wanted.template_url,
        "Parameters": [{"ParameterKey": key, "ParameterValue": value} for key, value in wanted.parameters.items()],
        "Capabilities": ["CAPABILITY_NAMED_IAM"],
        "Tags": [{"Key": key, "Value": value} for key, value in (wanted.tags or {}).items()],
        "IncludeNestedStacks": wanted.nested,
        **as_role(wanted.role_arn),
    }
    if wanted.imports:
        # https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/import-resources-automatically.html
        asked["ImportExistingResources"] = True
    if wanted.reverts_drift:
        # https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/drift-aware-change-sets.html
        asked["DeploymentMode"] = "REVERT_DRIFT"
    answer = client.create_change_set(**asked)
    waited = 0.0
    while True:
        found = client.describe_change_set(ChangeSetName=answer["Id"])
        if found["Status"] == "CREATE_COMPLETE":
            return ChangeSet(answer["Id"], answer["StackId"], tuple(_changes(client, found)))
        if found["Status"] == "FAILED":
            reason = found.get("StatusReason") or "no reason given"
            client.delete_change_set(ChangeSetName=answer["Id"])
            if any(part in reason for part in _NO_CHANGE):
                return ChangeSet(answer["Id"], answer["StackId"])
            fix = mend(reason)
            told = f"CloudFormation refuses the change: {reason.rstrip('.')}"
            raise CannotBeMade(f"{told}\n{fix}" if fix else told)
        if waited >= MADE_WITHIN_S:
            raise TookTooLong(f"the change set {name} is still {found['Status']} after {waited:.0f} s")
        sleep(POLL_S)
        waited += POLL_S


def _changes(client: Any, first: Json) -> Iterator[Json]:
    page = first
    while True:
        yield from (one["ResourceChange"] for one in page.get("Changes", []) if "ResourceChange" in one)
        if not page.get("NextToken"):
            return
        page = client.describe_change_set(ChangeSetName=first["ChangeSetId"], NextToken=page["NextToken"])


def drop(client: Any, made: ChangeSet, *, with_stack: bool) -> None:
    """Takes a change set back that nobody wants. `with_stack`: also the empty stack that it began."""
    client.delete_change_set(ChangeSetName=made.id)
    if with_stack:
        client.delete_stack(StackName=made.stack_id)


def watch(
    client: Any,
    stack_id: str,
    begin: Callable[[], object],
    hear: Hear = lambda _: None,
    sleep: Sleep = time.sleep,
) -> tuple[str, list[Happening]]:
    """Begins an operation on a stack, tells each event once while it lasts, and gives the final status with all of
    its events, those of nested stacks included. `begin` starts it.

    Raises TookTooLong.
    """
    newest = next(events(client, stack_id), None)
    mark = newest.id if newest else ""
    heard: list[Happening] = []
    begin()
    waited = 0.0
    while True:
        status = _status(client, stack_id)
        new = list(takewhile(lambda one, mark=mark: one.id != mark, events(client, stack_id)))  # type: ignore[misc]
        for one in reversed(new):
            mark = one.id
            heard.append(one)
            hear(one)
        # The status of before may show for a moment after the beginning.
        if states.over(status) and (heard or waited >= BEGINS_WITHIN_S):
            return status, [*heard, *_of_nested(client, heard)]
        if waited >= DONE_WITHIN_S:
            raise TookTooLong(
                f"the stack is still {status} after {waited / 60:.0f} min; CloudFormation goes on alone"
            )
        sleep(POLL_S)
        waited += POLL_S


def events(client: Any, stack_id: str) -> Iterator[Happening]:
    """Events of a stack, newest first; none for a stack that is gone."""
    try:
        for page in client.get_paginator("describe_stack_events").paginate(StackName=stack_id):
            yield from map(Happening.of, page.get("StackEvents", []))
    except ClientError as error:
        if error.response["Error"]["Code"] != "ValidationError":
            raise


def last_operation(found: Iterator[Happening]) -> list[Happening]:
    """The events of the newest operation, newest first: up to the line with which it began."""
    kept = []
    for one in found:
        kept.append(one)
        if one.of_stack and one.status in ("CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS"):
            break
    return kept


def _of_nested(client: Any, heard: list[Happening]) -> list[Happening]:
    """What happened inside the nested stacks that failed: their line in the root says only that they did."""
    ids = {one.physical_id for one in heard if one.failed and one.kind == STACK and not one.of_stack}
    return [one for id in sorted(ids) if id for one in last_operation(events(client, id))]


def _status(client: Any, stack_id: str) -> str:
    found = describe(client, stack_id)
    return "DELETE_COMPLETE" if found is None else str(found["StackStatus"])
