"""Taking a watch away: never while it holds changes on the service, and never its record unless that is asked for.

What is deleted is what the stack made. The bucket of the code stays: it may serve other services.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from deploy.apply.change_set import Hear, Sleep, as_role
from deploy.apply.deployed import Deployed, answer
from deploy.apply.rollout import ledger_exists, to_its_end
from deploy.synth import names
from remediators.ledger import Ledger
from sereno.errors import SerenoError
from sereno.lifecycle import Remediation
from sereno.model import Mode
from sereno.ports import Aws
from sereno.service import Service

_GONE = frozenset({"ResourceNotFoundException", "NoSuchBucket"})


class LeasesInForce(SerenoError):
    """Changes are in force which nobody would take back once the watch is gone."""

    def __init__(self, leases: list[Remediation]) -> None:
        self.leases = leases
        lines = [f"  {one.id}  {one.status}  {one.target.name}" for one in leases]
        count = "1 change is" if len(leases) == 1 else f"{len(leases)} changes are"
        mend = "Take each back (sereno revert ID) or keep it for good (sereno keep ID), then come again."
        super().__init__("\n".join([f"{count} in force, and nobody would take them back:", *lines, mend]))


@dataclass(frozen=True, slots=True)
class Stop:
    """The watch was stopped for its removal; `before` is the bound that an operator had set (None: none)."""

    ledger: Ledger
    before: Mode | None
    by: str

    def undo(self, now: datetime) -> None:
        """The watch goes on as before."""
        self.ledger.set_mode("*", self.before or Mode.AUTO, self.by, now)


def leases(ledger: Ledger) -> list[Remediation]:
    """The remediations whose change is in force, or may be."""
    return sorted((one for one in ledger.open() if one.active), key=lambda one: one.created)


def stop(ledger: Ledger, by: str, now: datetime) -> Stop:
    """Lets nothing new begin, then looks once more: a remediation may have started while a person was thinking.

    Raises LeasesInForce, with the bound put back.
    """
    before = ledger.modes().get("*")
    stopped = Stop(ledger, before, by)
    ledger.set_mode("*", Mode.OFF, by, now)
    if held := leases(ledger):
        stopped.undo(now)
        raise LeasesInForce(held)
    return stopped


def delete_stack(
    aws: Aws,
    deployed: Deployed,
    hear: Hear = lambda _: None,
    sleep: Sleep = time.sleep,
    *,
    role_arn: str | None = None,
) -> None:
    """Deletes the stack, or what a failed first creation left of it, and watches it go. The ledger stays, for its
    deletion policy is Retain, and is taken over by a later deployment. Raises Failed."""
    client = aws.client("cloudformation")

    def begin() -> object:
        return client.delete_stack(StackName=deployed.id, **as_role(role_arn))

    wanted = "DELETE_COMPLETE"
    to_its_end(client, (deployed.name, deployed.id), begin, lambda status: status == wanted, hear, sleep)


def empty_switch(aws: Aws, service: Service) -> Callable[[], None]:
    """Empties the bucket of the switch, which the standby's stack holds: CloudFormation deletes no bucket with an
    object in it, and the prober writes one each minute, so its rule is disabled first. Gives what enables it again,
    for a removal that does not come off."""
    recovery = service.recovery
    if recovery is None or not recovery.bucket or not service.is_standby:
        return lambda: None
    events, rule = aws.client("events"), names.prober_rule(service)
    if answer(_GONE, events.disable_rule, Name=rule) is None:
        return lambda: None
    store = aws.client("s3")
    asked = {"Bucket": recovery.bucket, "ExpectedBucketOwner": service.account}
    listed = answer(_GONE, store.list_objects_v2, Prefix=f"{service.name}/", **asked) or {}
    for one in listed.get("Contents", []):
        store.delete_object(Key=one["Key"], **asked)
    return lambda: events.enable_rule(Name=rule)


def delete_ledger(aws: Aws, service: Service) -> bool:
    """Deletes the ledger's table, its protection first. False when there is none."""
    if not ledger_exists(aws, service):
        return False
    client = aws.client("dynamodb")
    client.update_table(TableName=names.ledger(service), DeletionProtectionEnabled=False)
    # A table that is being updated cannot be deleted.
    client.get_waiter("table_exists").wait(TableName=names.ledger(service))
    client.delete_table(TableName=names.ledger(service))
    return True
