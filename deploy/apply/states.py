"""What a stack's status means for whoever wants to deploy to it. Pure.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/view-stack-events.html
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Way(StrEnum):
    """What has to happen before, or instead of, a change set."""

    CREATE = "create"
    UPDATE = "update"
    RECREATE = "recreate"
    CONTINUE_ROLLBACK = "continue rollback"
    WAIT = "wait"
    REFUSE = "refuse"


@dataclass(frozen=True, slots=True)
class Advice:
    """The way from a status, and its why for a person."""

    way: Way
    why: str


_UPDATABLE = frozenset(
    {"CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "IMPORT_COMPLETE", "IMPORT_ROLLBACK_COMPLETE"}
)
# The first creation failed: nothing runs, and CloudFormation offers no other way than to delete the remains.
_REMAINS = frozenset({"ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED"})


def advice(status: str | None) -> Advice:
    """How to deploy to a stack in this status; None for no stack."""
    if status is None:
        return Advice(Way.CREATE, "there is no stack yet")
    if status == "REVIEW_IN_PROGRESS":
        return Advice(Way.CREATE, "a first change set was made and never carried out")
    if status in _UPDATABLE:
        return Advice(Way.UPDATE, f"the stack is {status}")
    if status in _REMAINS:
        why = f"the stack is {status}: its first creation failed, and it can only be deleted and created anew"
        return Advice(Way.RECREATE, why)
    if status == "UPDATE_ROLLBACK_FAILED":
        why = "the stack is UPDATE_ROLLBACK_FAILED: it hangs between two versions until its rollback goes on"
        return Advice(Way.CONTINUE_ROLLBACK, why)
    if status.endswith("_IN_PROGRESS"):
        return Advice(Way.WAIT, f"the stack is {status}: somebody else is changing it (try again when that is over)")
    why = f"the stack is {status}: look at its events in the console, and delete it by hand if need be"
    return Advice(Way.REFUSE, why)


def over(status: str) -> bool:
    """Whether nothing more happens to the stack by itself."""
    return not status.endswith("_IN_PROGRESS")


def well(status: str) -> bool:
    """Whether the last operation did what it was asked for."""
    return status in ("CREATE_COMPLETE", "UPDATE_COMPLETE", "IMPORT_COMPLETE", "DELETE_COMPLETE")
