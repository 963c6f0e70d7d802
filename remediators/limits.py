"""What AWS allows the whole account in a Region, as it was read last: DynamoDB's capacity limits and the quotas.

AWS throttles DescribeLimits when it is called more than once a minute in an account and Region, and every service of
the account shares that. So no remediation and no self-test asks: the reconciler reads once an hour, at a minute that
follows from the service's name, and keeps the answers in the service's own ledger:

    LIMITS  account   the capacity limits and the quotas, each with the time at which it was read

The reconciler writes this row (and `sereno deploy` the first one); every role reads it. What could not be read keeps
its last value; what was never read has AWS's default. Neither ever stops a remediation.
https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_DescribeLimits.html
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from remediators import evidence, items, quotas
from remediators.quotas import Quota, QuotaValue
from sereno.model import Json, instant, iso
from sereno.ports import Aws, Permission
from sereno.service import Service

if TYPE_CHECKING:
    from remediators.watch import Watch

PK, ROW = "LIMITS", "account"
# Whoever asks Service Quotas for more needs its answers; nobody else reads them.
ASKS = "request_quota"
# A reading is repeated when it is this old; a little less than an hour, so that a clock that drifts skips none.
FRESH = timedelta(minutes=55)
# What failed is tried again after this many minutes.
RETRY_MINUTES = 10
# The names here, and those in the answer of DescribeLimits.
CAPACITY: Mapping[str, str] = {
    "account_read": "AccountMaxReadCapacityUnits",
    "account_write": "AccountMaxWriteCapacityUnits",
    "table_read": "TableMaxReadCapacityUnits",
    "table_write": "TableMaxWriteCapacityUnits",
}
DEFAULTS: Mapping[str, int] = {
    **{f"account_{kind}": int(quota.default) for kind, quota in quotas.ACCOUNT.items()},
    **{f"table_{kind}": int(quota.default) for kind, quota in quotas.TABLE.items()},
}

PERMISSIONS: tuple[Permission, ...] = (
    Permission(
        "dynamodb.describe_limits",
        "*",
        because="DescribeLimits takes no resource: "
        "https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazondynamodb.html",
    ),
)
"""What the reconciler needs for the reading; Service Quotas it may ask where `request_quota` is bound."""


@dataclass(frozen=True, slots=True)
class Limits:
    """`capacity` by the names of `CAPACITY` in units, `quotas` by their codes; `read_at` says when each part
    (`capacity`, or a quota by its code) was read. What is not in `read_at` is AWS's default."""

    capacity: Mapping[str, int] = field(default_factory=lambda: dict(DEFAULTS))
    quotas: Mapping[str, QuotaValue] = field(default_factory=dict)
    read_at: Mapping[str, datetime] = field(default_factory=dict)

    def quota(self, quota: Quota) -> QuotaValue:
        """A quota as it was read last, or AWS's default."""
        return self.quotas.get(quota.code, QuotaValue(quota.default, True))

    def is_due(self, part: str, now: datetime) -> bool:
        """Whether a part has not been read for an hour."""
        return part not in self.read_at or now - self.read_at[part] >= FRESH

    def to_item(self) -> Json:
        """The ledger's row."""
        document = {
            "capacity": dict(self.capacity),
            "quotas": {code: [known.value, known.adjustable] for code, known in self.quotas.items()},
            "read_at": {part: iso(at) for part, at in self.read_at.items()},
        }
        return items.item(PK, ROW, doc=json.dumps(document, separators=(",", ":")))

    @staticmethod
    def from_item(row: Mapping[str, Any]) -> Limits:
        """The inverse of `to_item`. Raises ValueError or KeyError on a row that cannot be read."""
        document = json.loads(row["doc"]["S"])
        return Limits(
            {**DEFAULTS, **{name: int(units) for name, units in document["capacity"].items()}},
            {code: QuotaValue(float(value), bool(free)) for code, (value, free) in document["quotas"].items()},
            {part: instant(at) for part, at in document["read_at"].items()},
        )


def of(aws: Aws, service: Service) -> Limits:
    """The limits as the ledger has them. Never raises: where the row is not there, or cannot be read, they are AWS's
    defaults."""
    return _known(aws.client("dynamodb", service.region), service)


def minute_of(service: Service) -> int:
    """The minute of the hour in which this service reads: services of one account spread over the hour."""
    return zlib.crc32(service.name.encode()) % 60


def is_turn(service: Service, now: datetime) -> bool:
    """Whether this minute's reconciler looks whether something is due: at the service's minute, and every ten minutes
    after it for what failed or was never read."""
    return (now.minute - minute_of(service)) % RETRY_MINUTES == 0


def refresh(watch: Watch) -> tuple[str, ...]:
    """Reads what is an hour old, and keeps it; the parts that could not be read, which keep their last values.
    Raises what the ledger raises when the row cannot be written."""
    now, service = watch.clock.now(), watch.service
    client = watch.aws.client("dynamodb", service.region)
    known = _known(client, service)
    found, failed = _read(watch.aws, service, known, now)
    for part, error in failed.items():
        watch.telemetry.log("warning", "a limit of the account could not be read", part=part, error=str(error))
    if found != known:
        client.put_item(TableName=evidence.table_of(service), Item=found.to_item())
    return tuple(failed)


def seed(aws: Aws, service: Service, now: datetime) -> tuple[str, ...]:
    """The first reading, by who deploys: a row that is there stays. The parts that could not be read. Raises what the
    ledger raises when the row cannot be written."""
    found, failed = _read(aws, service, Limits(), now)
    client = aws.client("dynamodb", service.region)
    try:
        client.put_item(
            TableName=evidence.table_of(service),
            Item=found.to_item(),
            ConditionExpression="attribute_not_exists(pk)",
        )
    except ClientError as error:
        if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
            raise
    return tuple(failed)


def _known(client: Any, service: Service) -> Limits:
    try:
        answer = client.get_item(TableName=evidence.table_of(service), Key=items.key(PK, ROW))
        return Limits.from_item(answer["Item"]) if answer.get("Item") else Limits()
    except (ClientError, BotoCoreError, ValueError, KeyError, TypeError):
        return Limits()


def _read(aws: Aws, service: Service, known: Limits, now: datetime) -> tuple[Limits, dict[str, Exception]]:
    """(what is known afterwards, the parts that could not be read with their errors)."""
    found, failed = known, dict[str, Exception]()
    if service.tables and known.is_due("capacity", now):
        try:
            answer = aws.client("dynamodb", service.region).describe_limits()
            units = {name: int(answer[theirs]) for name, theirs in CAPACITY.items()}
            found = replace(found, capacity=units, read_at={**found.read_at, "capacity": now})
        except (ClientError, BotoCoreError) as error:
            failed["capacity"] = error
    for quota in quotas.relevant(service) if _asks(service) else ():
        if not known.is_due(quota.code, now):
            continue
        try:
            value = quotas.read(aws.client("service-quotas", service.region), quota)
            found = replace(
                found,
                quotas={**found.quotas, quota.code: value},
                read_at={**found.read_at, quota.code: now},
            )
        except (ClientError, BotoCoreError) as error:
            failed[quota.code] = error
    return found, failed


def _asks(service: Service) -> bool:
    return any(ASKS in play.remediators for play in service.playbook.values())
