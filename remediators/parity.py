"""Whether the standby is as large as the primary was declared to be: checked all year, for in the night there is no
time. Only the standby's own region is asked."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from remediators import copies, evidence, items, partitions, region_settings
from remediators.copies import Copies
from remediators.watch import Watch
from sereno.model import Json, instant, iso
from sereno.ports import Permission
from sereno.service import Function, Service, Table

EVERY_MINUTES = 5
ROW = "parity"
_FUNCTION = "arn:{partition}:lambda:{region}:{account}:function:{function}"
_TABLE = "arn:{partition}:dynamodb:{region}:{account}:table/{table}"

PERMISSIONS: tuple[Permission, ...] = (
    Permission("lambda.get_function_concurrency", _FUNCTION),
    *region_settings.LOOKS,
    Permission("dynamodb.describe_table", _TABLE),
    Permission("dynamodb.describe_continuous_backups", _TABLE),
    # Where it notes what it found, and the share of the records; what a person asked for is taken out once answered.
    *partitions.may_put(partitions.EVIDENCE),
    *partitions.may_delete(partitions.ASK),
    Permission("s3.put_object", "arn:{partition}:s3:::{bucket}/{service}/switch-readable"),
    *copies.PERMISSIONS,
)
"""What the round of the standby asks, beside what its remediators do."""


@dataclass(frozen=True, slots=True)
class Part:
    """One thing that the standby must have: `ok` is None where it could not be asked."""

    name: str
    ok: bool | None
    detail: str

    def to_json(self) -> list[Any]:
        return [self.name, self.ok, self.detail]


@dataclass(frozen=True, slots=True)
class Parity:
    """What was found, and when."""

    at: datetime
    parts: tuple[Part, ...]

    @property
    def missing(self) -> tuple[Part, ...]:
        return tuple(one for one in self.parts if one.ok is False)


def due(now: datetime) -> bool:
    """Whether this minute's round looks."""
    return now.minute % EVERY_MINUTES == 0


def check(watch: Watch) -> Parity:
    """Looks at every declared function and table in this region, notes and counts what is missing. Raises what AWS
    raises when it cannot be noted."""
    now = watch.clock.now()
    found = Parity(now, tuple(_parts(watch, now)))
    doc = json.dumps({"at": iso(now), "parts": [one.to_json() for one in found.parts]}, separators=(",", ":"))
    row = items.item(evidence.PK, ROW, doc=doc)
    watch.aws.client("dynamodb").put_item(TableName=evidence.table_of(watch.service), Item=row)
    watch.telemetry.count("ParityMissing", len(found.missing))
    for one in found.missing:
        watch.telemetry.log("error", "the standby is smaller than declared", part=one.name, detail=one.detail)
    return found


def read(client: Any, service: Service) -> Parity | None:
    """What was found last; None before the first look. Raises what AWS raises."""
    key = items.key(evidence.PK, ROW)
    answer = client.get_item(TableName=evidence.table_of(service), Key=key, ConsistentRead=True)
    if "Item" not in answer:
        return None
    data = json.loads(answer["Item"]["doc"]["S"])
    return Parity(instant(data["at"]), tuple(Part(*one) for one in data["parts"]))


def _parts(watch: Watch, now: datetime) -> Iterator[Part]:
    service, age = watch.service, 0.0
    yield from (_asked(f"function {one.name}", _function, watch, one) for one in service.functions.values())
    yield _asked("concurrency of the account", _account, watch, service)
    yield from _as_in_the_first(watch, now)
    for table in service.tables.values():
        yield _asked(f"table {table.name}", _table, watch, table)
        part, old = _restorable(watch, table, now)
        age = max(age, old)
        yield part
    if service.tables:
        watch.telemetry.count("RestorableAge", age)
        yield from _copied(watch, now)


def _as_in_the_first(watch: Watch, now: datetime) -> Iterator[Part]:
    """Quotas and event sources, held against what the first region told last."""
    service = watch.service
    try:
        known = region_settings.told(watch.aws, service)
        here = region_settings.collect(watch.aws, service)
    except region_settings.UNKNOWN as error:
        yield Part("settings of the first region", None, f"could not be compared: {type(error).__name__}")
        return
    if known is None or now - known[0] > region_settings.KEPT:
        yield Part("settings of the first region", None, "it has not told them in a week")
        return
    yield from (Part(*one) for one in region_settings.compare(known[1], here))


def _copied(watch: Watch, now: datetime) -> Iterator[Part]:
    """The copy of each table in this region's vault."""
    service, oldest = watch.service, 0.0
    found: Copies | str
    try:
        found = copies.read(watch.aws.client("backup"), service, now)
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        # AWS Backup gives one answer for a vault that is absent and for one that may not be read.
        absent = (
            f"; or the vault sereno-{service.name} is absent: deploy the standby again"
            if "AccessDenied" in code
            else ""
        )
        found = f"could not be asked: {code}{absent}"
    except BotoCoreError as error:
        found = f"could not be asked: {type(error).__name__}"
    for table in service.tables.values():
        name = f"copy of {table.name}"
        if isinstance(found, str):
            yield Part(name, None, found)
            continue
        ok, detail, age = found.judged(table.name, now)
        oldest = max(oldest, age)
        yield Part(name, ok, detail)
    if oldest:
        watch.telemetry.count("BackupAge", oldest)


def _asked(name: str, look: Any, watch: Watch, what: Any) -> Part:
    try:
        ok, detail = look(watch, what)
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        missing = code in ("ResourceNotFoundException", "TableNotFoundException")
        return Part(name, False if missing else None, "is not there" if missing else f"could not be asked: {code}")
    except BotoCoreError as error:
        return Part(name, None, f"could not be asked: {type(error).__name__}")
    return Part(name, ok, detail)


def _function(watch: Watch, function: Function) -> tuple[bool, str]:
    answer: Json = watch.aws.client("lambda").get_function_concurrency(FunctionName=function.name)
    live = answer.get("ReservedConcurrentExecutions")
    if function.reserved is None:
        return live is None, "unreserved" if live is None else f"reserved {live}, declared unreserved"
    if live is None:
        return False, f"unreserved, declared {function.reserved}"
    return live >= function.reserved, f"reserved {live}, declared {function.reserved}"


def _account(watch: Watch, service: Service) -> tuple[bool, str]:
    limit = region_settings.concurrency(watch.aws.client("lambda"))
    return limit >= service.quotas.concurrency, f"{limit} executions, declared {service.quotas.concurrency}"


def _table(watch: Watch, table: Table) -> tuple[bool, str]:
    found: Json = watch.aws.client("dynamodb").describe_table(TableName=table.name)["Table"]
    status = found["TableStatus"]
    if status not in ("ACTIVE", "UPDATING"):
        return False, f"is {status}"
    on_demand = found.get("BillingModeSummary", {}).get("BillingMode") == "PAY_PER_REQUEST"
    if on_demand or not table.provisioned:
        # On demand bears what is provisioned, and never the other way round.
        return on_demand, "on demand" if on_demand else "provisioned, declared on demand"
    units = found["ProvisionedThroughput"]
    short = [
        f"{live} {kind} units, declared {wanted}"
        for kind, live, wanted in (
            ("read", units["ReadCapacityUnits"], table.read),
            ("write", units["WriteCapacityUnits"], table.write),
        )
        if wanted is not None and live < wanted
    ]
    return not short, "; ".join(short) or "as large as declared"


def _restorable(watch: Watch, table: Table, now: datetime) -> tuple[Part, float]:
    """Point-in-time recovery, and how old (seconds) the newest restorable moment is. It lies about five minutes back.
    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Point-in-time-recovery.html"""
    name = f"recovery of {table.name}"
    try:
        answer = watch.aws.client("dynamodb").describe_continuous_backups(TableName=table.name)
    except (ClientError, BotoCoreError) as error:
        return Part(name, None, f"could not be asked: {type(error).__name__}"), 0.0
    found = answer["ContinuousBackupsDescription"].get("PointInTimeRecoveryDescription", {})
    if found.get("PointInTimeRecoveryStatus") != "ENABLED":
        return Part(name, False, "point-in-time recovery is off"), 0.0
    newest = found.get("LatestRestorableDateTime")
    age = (now - newest).total_seconds() if newest else 0.0
    rpo = watch.service.objectives.rpo_s
    return Part(name, age <= rpo, f"restorable until {age:.0f} s ago, promised {rpo} s"), age
