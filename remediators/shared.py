"""Settings that the Regions of a global table share: their original values, known in each Region.

The write settings that Application Auto Scaling has for a global table are one for all its Regions. Two Regions that
raise them, each from what it finds, would lose the value from before. So who raises one notes the original first:

    ORIGINAL#<table>  <setting>   the value before Sereno changed it, and the value that Sereno set

A raise that finds Sereno's value live, whichever Region set it, takes the original from the row; any other live value
is an original itself, so a row never has to be taken out. The function and the reconciler that carry out
`raise_capacity` write the row, in their own ledger and, as well as can be, in the other Region's: a Region that
cannot be reached never stops a raise.
https://docs.aws.amazon.com/prescriptive-guidance/latest/dynamodb-global-tables/throughput.html
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from remediators import evidence, items
from sereno.model import Json, Plan, Status, Step, iso
from sereno.ports import Aws, Permission
from sereno.service import Service

if TYPE_CHECKING:
    from remediators.watch import Watch
    from sereno.lifecycle import Remediation

PREFIX = "ORIGINAL#"
# While a change is active its originals are noted again in so many minutes; a Region that cannot be reached takes up
# to 20 s of the reconciler.
AGAIN_MINUTES = 10
_LEDGER = "arn:{{partition}}:dynamodb:{{{region}}}:{{account}}:table/sereno-{{service}}-ledger"

PERMISSIONS: tuple[Permission, ...] = tuple(
    Permission(
        "dynamodb.put_item",
        _LEDGER.format(region=region),
        condition={
            "ForAllValues:StringLike": {"dynamodb:LeadingKeys": [f"{PREFIX}*"]},
            "Null": {"dynamodb:LeadingKeys": "false"},
        },
    )
    for region in ("region", "primary", "standby")
)
"""What whoever raises a table needs to note originals, here and in the other Region; nothing else of that ledger."""


@dataclass(frozen=True, slots=True)
class Original:
    """`before` is the value to go back to, `after` what Sereno has set."""

    before: Any
    after: Any


def read(aws: Aws, service: Service, table: str) -> dict[str, Original]:
    """The originals of a table's shared settings, as this Region's ledger has them. Never raises: what is not known
    is no reason to raise nothing."""
    try:
        answer = aws.client("dynamodb", service.region).query(
            TableName=evidence.table_of(service),
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues=items.values(pk=f"{PREFIX}{table}"),
            ConsistentRead=True,
        )
        found = {}
        for row in answer["Items"]:
            document = json.loads(row["doc"]["S"])
            found[row["sk"]["S"]] = Original(document["before"], document["after"])
        return found
    except (ClientError, BotoCoreError, ValueError, KeyError, TypeError):
        return {}


def original_of(live: Any, known: Original | None) -> Any:
    """The value to go back to: the original, where the live value is one that Sereno has set; else the live value."""
    return known.before if known is not None and known.after == live else live


def note_here(watch: Watch, remediation: Remediation) -> None:
    """Notes a plan's originals in this Region's ledger, before anything is done. Never raises."""
    if remediation.plan is not None:
        _note(watch, remediation, remediation.plan, watch.service.region)


def note_elsewhere(watch: Watch, remediation: Remediation) -> None:
    """Notes them in the other Region's ledger, once the change is made and people know. Never raises."""
    service, plan = watch.service, remediation.plan
    if service.recovery is None or plan is None:
        return
    for region in (service.recovery.primary, service.recovery.standby):
        if region != service.region:
            _note(watch, remediation, plan, region)


def note_again(watch: Watch, remediation: Remediation) -> None:
    """Notes the originals of a change that is held in the other Region's ledger, every ten minutes: it may have been
    out of reach when the change was made. Never raises."""
    holds = remediation.status in (Status.HOLDING, Status.ESCALATED)
    if holds and watch.clock.now().minute % AGAIN_MINUTES == 0:
        note_elsewhere(watch, remediation)


def _note(watch: Watch, remediation: Remediation, plan: Plan, region: str) -> None:
    steps = [step for step in plan.steps if step.shared]
    try:
        for step in steps:
            watch.aws.client("dynamodb", region).put_item(
                TableName=evidence.table_of(watch.service), Item=_row(watch, remediation, step)
            )
    except (ClientError, BotoCoreError) as error:
        watch.telemetry.log("warning", "an original could not be noted", region=region, error=str(error))


def _row(watch: Watch, remediation: Remediation, step: Step) -> Json:
    document: Mapping[str, Any] = {
        "before": step.before,
        "after": step.after,
        "region": watch.service.region,
        "remediation": remediation.id,
        "at": iso(watch.clock.now()),
    }
    return items.item(f"{PREFIX}{remediation.target.name}", step.setting, doc=json.dumps(document))
