"""What the first region allows and reads, held against the standby: quotas of the account and event source mappings.

The standby asks nothing of the first region. So the reconciler there leaves word in the standby's ledger every five
minutes, and the standby's reconciler compares its own with what was told last, which stays when the first
region is out.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from remediators import evidence, items, limits, partitions
from remediators.watch import Watch
from sereno.model import Json, instant, iso
from sereno.ports import Aws, Permission
from sereno.service import Service

NAME, ROW = "settings", "WORD"
# What a look may raise that says nothing of the standby.
UNKNOWN = (ClientError, BotoCoreError, ValueError, KeyError, TypeError)
# Older than this, it says nothing of today.
KEPT = timedelta(days=7)

LOOKS: tuple[Permission, ...] = (
    Permission(
        "lambda.get_account_settings",
        "*",
        because="https://docs.aws.amazon.com/service-authorization/latest/reference/list_awslambda.html",
    ),
    Permission(
        "lambda.list_event_source_mappings",
        "*",
        because="https://docs.aws.amazon.com/service-authorization/latest/reference/list_awslambda.html",
    ),
)
"""What the reconcilers of both regions read."""
TELLS: tuple[Permission, ...] = (*LOOKS, *partitions.may_put(evidence.place(NAME), ledger=partitions.STANDBY_LEDGER))
"""What the reconciler of the first region needs beside what its remediators do."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What a region allows and reads: Lambda's concurrent executions in the account, DynamoDB's capacity limits in
    units by the names of `limits.CAPACITY` (empty: never read), and by function the state of each event source
    mapping (`Enabled`, `Disabled` ...) by its source without region and account."""

    concurrency: int
    capacity: Mapping[str, int]
    mappings: Mapping[str, Mapping[str, str]]

    def to_json(self) -> Json:
        return {
            "concurrency": self.concurrency,
            "capacity": dict(self.capacity),
            "mappings": {name: dict(states) for name, states in self.mappings.items()},
        }

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> Settings:
        return Settings(
            int(data["concurrency"]),
            {name: int(units) for name, units in data["capacity"].items()},
            {name: {source: str(state) for source, state in one.items()} for name, one in data["mappings"].items()},
        )


def collect(aws: Aws, service: Service) -> Settings:
    """The settings of this region. Raises what AWS raises."""
    client = aws.client("lambda")
    known = limits.of(aws, service)
    return Settings(
        concurrency(client),
        known.capacity if "capacity" in known.read_at else {},
        {one.key: dict(_mappings(client, one.name, one.alias)) for one in service.functions.values()},
    )


def concurrency(client: Any) -> int:
    """Lambda's concurrent executions that the account may have in a region. Raises what AWS raises."""
    return int(client.get_account_settings()["AccountLimit"]["ConcurrentExecutions"])


def _mappings(client: Any, name: str, alias: str | None) -> Iterator[tuple[str, str]]:
    for function in (name, f"{name}:{alias}") if alias else (name,):
        asked: Json = {"FunctionName": function}
        while True:
            answer = client.list_event_source_mappings(**asked)
            for one in answer["EventSourceMappings"]:
                if arn := one.get("EventSourceArn"):
                    yield source_of(arn), str(one.get("State", ""))
            if not answer.get("NextMarker"):
                break
            asked["Marker"] = answer["NextMarker"]


def source_of(arn: str) -> str:
    """A source by its name in every region: `sqs:orders`, `dynamodb:table/products`, `kafka:cluster/shop`."""
    _, _, service, _, _, name = arn.split(":", 5)
    if service == "dynamodb":
        return f"dynamodb:{name.split('/stream/')[0]}"
    return f"{service}:{'/'.join(name.split('/')[:2])}" if service == "kafka" else f"{service}:{name}"


def tells(service: Service) -> bool:
    """Whether this is the first region of a service with a second one."""
    return service.recovery is not None and service.region == service.recovery.primary


def tell(watch: Watch) -> None:
    """Leaves word of this region's settings in the standby's ledger. Never raises what AWS raises: a standby that
    cannot be reached keeps what it was told before."""
    recovery = watch.service.recovery
    if recovery is None:
        return
    try:
        doc = {"at": iso(watch.clock.now()), **collect(watch.aws, watch.service).to_json()}
        row = items.item(evidence.place(NAME), ROW, doc=json.dumps(doc, separators=(",", ":")))
        client = watch.aws.client("dynamodb", recovery.standby)
        client.put_item(TableName=evidence.table_of(watch.service), Item=row)
    except UNKNOWN as error:
        watch.telemetry.log(
            "warning", "the standby cannot be told of settings", error=f"{type(error).__name__}: {error}"
        )


def told(aws: Aws, service: Service) -> tuple[datetime, Settings] | None:
    """What the first region told last, and when; None before that. Raises what AWS raises, and ValueError or KeyError
    on a row that cannot be read."""
    key = items.key(evidence.place(NAME), ROW)
    answer = aws.client("dynamodb", service.region).get_item(TableName=evidence.table_of(service), Key=key)
    if "Item" not in answer:
        return None
    data = json.loads(answer["Item"]["doc"]["S"])
    return instant(data["at"]), Settings.from_json(data)


def compare(there: Settings, here: Settings) -> Iterator[tuple[str, bool | None, str]]:
    """(what, whether the standby has as much, what it has and what the first region has). None where nobody can say:
    a stream of a global table brings each write in both regions, so there a mapping may be left off on purpose."""
    yield (
        "concurrency as in the first region",
        here.concurrency >= there.concurrency,
        f"{here.concurrency} executions, {there.concurrency} there",
    )
    for name in sorted(there.capacity.keys() & here.capacity.keys()):
        own, wanted = here.capacity[name], there.capacity[name]
        yield f"DynamoDB quota {name}", own >= wanted, f"{own} units, {wanted} there"
    for key, sources in sorted(there.mappings.items()):
        for source, state in sorted(sources.items()):
            if state not in ("Enabled", "Enabling"):
                continue
            own_state = here.mappings.get(key, {}).get(source, "not there")
            ok: bool | None = own_state in ("Enabled", "Enabling", "Updating")
            if not ok and source.startswith("dynamodb:"):
                ok = None
            yield f"events of {key} from {source}", ok, f"{own_state}, {state} in the first region"
