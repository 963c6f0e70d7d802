"""Three regions on paper: a table, a bucket and clocks of their own, for stories by the thousand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from botocore.exceptions import EndpointConnectionError

from remediators.ledger import Ledger
from remediators.outbox import Outbox
from remediators.testing import MemoryTable
from remediators.watch import Watch
from sereno.testing import CollectedTelemetry, ManualClock
from tests.remediators.regions.conftest import LEDGER, NOON, PRIMARY, STANDBY, WITNESS, World, service


@dataclass
class Table:
    """DynamoDB of a region: the ledger, and other tables by their items' ids."""

    ledger: MemoryTable = field(default_factory=MemoryTable)
    others: dict[str, dict[str, Any]] = field(default_factory=dict)

    def put_item(self, **params: Any) -> Any:
        """Into the ledger, or whole."""
        if params["TableName"] == LEDGER:
            return self.ledger.put_item(**params)
        self.others[params["Item"]["id"]["S"]] = params["Item"]
        return {}

    def get_item(self, **params: Any) -> Any:
        """From either."""
        if params["TableName"] == LEDGER:
            return self.ledger.get_item(**params)
        found = self.others.get(params["Key"]["id"]["S"])
        return {"Item": found} if found else {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self.ledger, name)


@dataclass
class Bucket:
    """S3 of a region."""

    objects: set[str] = field(default_factory=set)

    def list_objects_v2(self, **_: Any) -> Any:
        return {"Contents": [{"Key": one} for one in sorted(self.objects)]}

    def put_object(self, **params: Any) -> Any:
        self.objects.add(params["Key"])
        return {}

    def delete_object(self, **params: Any) -> Any:
        self.objects.discard(params["Key"])
        return {}


class Quiet:
    """Everything else answers that there is nothing."""

    def __getattr__(self, name: str) -> Callable[..., Any]:
        return lambda **_: {"MessageId": "1", "MetricAlarms": []}


@dataclass
class Skewed:
    """A clock of a region that goes wrong by so many seconds."""

    base: ManualClock
    by: float = 0.0

    def now(self) -> datetime:
        """The wrong time."""
        return self.base.now() + timedelta(seconds=self.by)


@dataclass
class PaperAws:
    """The `Aws` of a region. `calls` notes (service, operation, region); `lost` says which calls never arrive."""

    home: str
    clients: dict[tuple[str, str], Any]
    lost: Callable[[str, str], bool]
    calls: list[tuple[str, str, str]] = field(default_factory=list)

    def client(self, name: str, region: str | None = None) -> Any:
        """A client whose calls are noted, and may be lost."""
        at = region or self.home
        inner = self.clients.get((name, at), Quiet())

        return _Client(self, inner, name, at)


@dataclass
class _Client:
    aws: PaperAws
    inner: Any
    service: str
    region: str

    def __getattr__(self, operation: str) -> Any:
        def call(**params: Any) -> Any:
            self.aws.calls.append((self.service, operation, self.region))
            if self.aws.lost(self.aws.home, self.region):
                raise EndpointConnectionError(endpoint_url=f"https://{self.service}.{self.region}")
            return getattr(self.inner, operation)(**params)

        return call


@dataclass
class PaperRegions:
    """The three watches on paper."""

    clock: ManualClock
    world: World
    watches: dict[str, Watch]
    aws: dict[str, PaperAws]
    clocks: dict[str, Skewed]
    bucket: Bucket
    tables: dict[str, Table]
    cut: set[tuple[str, str]]

    @property
    def switched(self) -> bool:
        """Whether traffic is sent to the standby."""
        return any(key.endswith("/primary-out") for key in self.bucket.objects)


def paper_regions() -> PaperRegions:
    """All as new."""
    clock, world, cut = ManualClock(NOON), World(), set[tuple[str, str]]()
    tables = {region: Table() for region in (PRIMARY, STANDBY, WITNESS)}
    bucket = Bucket()
    clients: dict[tuple[str, str], Any] = {("dynamodb", region): table for region, table in tables.items()}
    clients["s3", STANDBY] = bucket
    watches, aws, clocks = {}, {}, {}
    for region in tables:
        aws[region] = PaperAws(region, clients, lambda here, there: (here, there) in cut or there in world.down)
        clocks[region] = Skewed(clock)
        watches[region] = Watch(
            service=service(region),
            ledger=Ledger(aws[region].client("dynamodb"), LEDGER, "techmoda", sleep=lambda _: None),
            aws=aws[region],
            clock=clocks[region],
            outbox=Outbox(aws[region].client("sns"), "topic"),
            telemetry=CollectedTelemetry(),
            owner=region,
        )
    return PaperRegions(clock, world, watches, aws, clocks, bucket, tables, cut)
