"""Why a deployment failed: the first resource that did, with its reason and a mend. Pure.

A stack that rolls back ends in a dozen lines that say "cancelled" or "rollback requested by user". What matters is
the one line before them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from deploy.apply.deployed import STACK
from sereno.model import Json


@dataclass(frozen=True, slots=True)
class Happening:
    """One line of a stack's events. `stack` is the stack's name."""

    at: datetime
    stack: str
    logical_id: str
    physical_id: str
    kind: str
    status: str
    reason: str = ""
    id: str = ""

    @property
    def failed(self) -> bool:
        return self.status.endswith("_FAILED")

    @property
    def of_stack(self) -> bool:
        """Whether it tells of the stack itself."""
        return self.kind == STACK and self.logical_id == self.stack

    @staticmethod
    def of(event: Json) -> Happening:
        """From an answer of DescribeStackEvents."""
        return Happening(
            at=event["Timestamp"],
            stack=event["StackName"],
            logical_id=event.get("LogicalResourceId", ""),
            physical_id=event.get("PhysicalResourceId", ""),
            kind=event.get("ResourceType", ""),
            status=event.get("ResourceStatus", ""),
            reason=event.get("ResourceStatusReason") or "",
            id=event["EventId"],
        )


@dataclass(frozen=True, slots=True)
class Failure:
    """What failed first, in AWS's words, and what to do about it (empty where nobody knows)."""

    logical_id: str
    kind: str
    name: str
    reason: str
    mend: str = ""

    def __str__(self) -> str:
        name = f" ({self.name})" if self.name and self.name != self.logical_id else ""
        text = f"{self.logical_id}{name}, {self.kind}: {self.reason.rstrip('.')}"
        return f"{text}\n{self.mend}" if self.mend else text

    def to_json(self) -> Json:
        return {
            "logical_id": self.logical_id,
            "type": self.kind,
            "name": self.name,
            "reason": self.reason,
            "mend": self.mend,
        }


# What failed only because something else did.
_FOLLOWS = re.compile(r"cancelled|The following resource\(s\) failed", re.IGNORECASE)

# The first that matches counts, so the narrower ones come first.
MENDS: Sequence[tuple[str, str]] = (
    (
        r"Rule is too complex",
        "The event pattern of that rule has too many wildcards. Sereno writes patterns without wildcards since this "
        "was found: deploy with the newest version. If the rule is your own addition, match by prefix or suffix.",
    ),
    (
        r"[Pp]olicy size|quota for PolicySize|quota for PoliciesPerRole",
        "The role's policies are larger than IAM takes. The service names too many functions or tables: split it "
        "into several services, each with its own sereno.yaml.",
    ),
    (
        r"BlockPublicPolicy|Block ?Public ?Access|public policies are blocked|"
        r"(?=.*PutBucketPolicy)(?=.*(AccessDenied|Access Denied|not authorized))",
        "S3 refused a bucket policy. If the message names a permission, add s3:PutBucketPolicy to the credentials "
        "that deploy. If it names Block Public Access, the account or the organisation forbids public objects, and "
        "no permission changes that: choose a switch without a public bucket (docs/regions.md).",
    ),
    (
        r"UnreservedConcurrentExecution|ReservedConcurrentExecutions for function decreases",
        "The account has too little concurrency to spare for Sereno's own functions. Ask for more under Service "
        "Quotas, Lambda, Concurrent executions, then deploy again.",
    ),
    (
        r"Rate exceeded|Throttl|TooManyRequests|Request limit exceeded",
        "AWS throttled CloudFormation. Deploy again; resources that exist are not made twice.",
    ),
    (
        r"is not authorized to perform|AccessDenied|Access Denied|not authorized|UnauthorizedOperation",
        "The credentials that deploy (or the role given by --role-arn) lack the permission that AWS names. "
        "docs/deploy-policies.md has the policies that deploying needs.",
    ),
    (
        r"No updates are to be performed|didn't contain changes",
        "The stack is already as wanted; nothing has to be done.",
    ),
    (
        r"is in ROLLBACK_COMPLETE|ROLLBACK_COMPLETE state and can not be updated",
        "The stack's first creation failed, and CloudFormation can only delete what is left of it. `sereno deploy` "
        "offers that, and keeps the ledger.",
    ),
    (
        r"already exists|AlreadyExists|ResourceInUseException|ResourceConflict|ResourceExistenceCheck",
        "A resource of that name exists outside this stack: left over from an earlier one, or made by another "
        "service of the same name. `sereno deploy` takes over the ledger and the backup vault by itself; anything "
        "else must be deleted or renamed first. Then deploy again.",
    ),
    (
        r"NoSuchKey|NoSuchBucket|The specified key does not exist|PermanentRedirect|GetObject",
        "Lambda or CloudFormation could not read the code or a template. The bucket must be in the stack's region, "
        "and the credentials that deploy must be allowed s3:GetObject on it.",
    ),
    (
        r"KMS|kms:",
        "The customer key does not admit what uses it. Its policy must admit the services that docs/encryption.md "
        "lists.",
    ),
    (
        r"Limit ?Exceeded|limit exceeded|quota|ServiceQuota",
        "A quota of the account is used up. AWS names it above; ask for more under Service Quotas, then deploy "
        "again.",
    ),
    (
        r"composite alarm|AlarmRule",
        "The rule of a composite alarm names an alarm that is not there. If one was deleted by hand, `sereno plan` "
        "shows it as gone.",
    ),
)


def first(happenings: Sequence[Happening]) -> Failure | None:
    """The first cause among the events of one operation, those of nested stacks included; None when none failed.

    A nested stack that failed is not a cause while one of its own resources is.
    """
    failed = sorted((one for one in happenings if one.failed), key=lambda one: one.at)
    causes = [one for one in failed if not _FOLLOWS.search(one.reason)]
    resources = [one for one in causes if one.kind != STACK]
    stacks = [one for one in causes if one.kind == STACK]
    for candidates in (resources, stacks, failed):
        if candidates:
            return _told(candidates[0])
    return None


def mend(reason: str) -> str:
    """What to do about a reason; empty where nobody knows."""
    return next((text for pattern, text in MENDS if re.search(pattern, reason)), "")


def _told(one: Happening) -> Failure:
    return Failure(one.logical_id, one.kind, one.physical_id, one.reason or one.status, mend(one.reason))
