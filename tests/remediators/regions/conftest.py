"""TechModa in two regions, and a third that looks on: three ledgers in memory; bucket, records and tables on moto."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import pytest
from moto import mock_aws
from moto.core import DEFAULT_ACCOUNT_ID
from moto.s3.models import s3_backends

from remediators import evidence, prober
from remediators import round as rounds
from remediators.clients import BotocoreAws
from remediators.eyes import Look
from remediators.ledger import Ledger
from remediators.outbox import Outbox
from remediators.testing import MemoryTable
from remediators.watch import Watch
from sereno.lifecycle import Remediation
from sereno.model import Mode
from sereno.recovery import Evidence
from sereno.service import REGION_BACK, REGION_OUT, Function, Objectives, Play, Recovery, Service, Table
from sereno.serving import HOLD_WORD, OUT_WORD, READABLE_WORD
from sereno.testing import CollectedTelemetry, ManualClock

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
PRIMARY, STANDBY, WITNESS = "eu-west-1", "eu-central-1", "eu-north-1"
ACCOUNT, LEDGER, BUCKET = "123456789012", "sereno-techmoda-ledger", "techmoda-switch"
SHARES = "shares.api.techmoda.example"
URLS = {PRIMARY: "https://eu-west-1.techmoda.example", STANDBY: "https://eu-central-1.techmoda.example"}
CUSTOMERS = "https://api.techmoda.example"


def service(region: str = STANDBY, **changes: Any) -> Service:
    """TechModa as the watch of a region has it."""
    recovery = Recovery(
        primary=PRIMARY,
        standby=STANDBY,
        witness=WITNESS,
        url=CUSTOMERS,
        urls=URLS,
        paths=("/health", "/products"),
        bucket=BUCKET,
        canary="products",
        name="api.techmoda.example",
        shares=SHARES,
        # A sixth of the usual, so that a night does not take a test for long.
        minimum_stay_s=300,
        healthy_s=100,
    )
    plays = {
        REGION_OUT: Play(REGION_OUT, (("fail_over",), ("open_incident",)), Mode.AUTO, cooldown_s=60),
        REGION_BACK: Play(REGION_BACK, (("fail_back",),), Mode.AUTO, hold_s=120, cooldown_s=0),
        "exhaustion": Play("exhaustion", (("raise_concurrency",),), Mode.AUTO),
    }
    whole = Service(
        "techmoda",
        ACCOUNT,
        (PRIMARY, STANDBY),
        Objectives(availability=0.9999, rpo_s=900),
        functions={
            "read": Function("read", "techmoda-read", reserved=120, normal=16),
            "write": Function("write", "techmoda-write"),
        },
        tables={"products": Table("products", "techmoda-products")},
        playbook=plays,
        recovery=replace(recovery, **changes),
    )
    return replace(whole, regions=(region, *(one for one in whole.regions if one != region)))


class Account(BotocoreAws):
    """The account from one of its regions. Ledgers are in memory: a night is thousands of calls to them, and none to
    the rest."""

    def __init__(self, region: str, ledgers: dict[str, MemoryTable]) -> None:
        super().__init__(region)
        self.region, self.ledgers = region, ledgers

    def client(self, name: str, region: str | None = None) -> Any:
        """A client; that of DynamoDB has the region's ledger beside moto's tables."""
        client = super().client(name, region)
        return _Tables(client, self.ledgers, region or self.region) if name == "dynamodb" else client


@dataclass
class _Tables:
    inner: Any
    ledgers: dict[str, MemoryTable]
    region: str

    def __getattr__(self, operation: str) -> Any:
        def call(**params: Any) -> Any:
            ledger = self.ledgers.setdefault(self.region, MemoryTable())
            return getattr(ledger if _names_ledger(params) else self.inner, operation)(**params)

        return call if operation in ("batch_get_item", *_OPERATIONS) else getattr(self.inner, operation)


_OPERATIONS = ("get_item", "put_item", "update_item", "delete_item", "query", "scan", "transact_write_items")


def _names_ledger(params: Mapping[str, Any]) -> bool:
    """Whether a call is one of the ledger's."""
    if "TransactItems" in params:
        return all(LEDGER in (one["TableName"] for one in item.values()) for item in params["TransactItems"])
    return LEDGER in params.get("RequestItems", (params.get("TableName"),))


@dataclass
class Called:
    """An `Aws` of a region that notes who was asked: (service, operation, region). What `before` answers is
    raised."""

    inner: BotocoreAws
    home: str
    calls: list[tuple[str, str, str]]
    before: Callable[[str, str, str], BaseException | None] = lambda *_: None

    def client(self, name: str, region: str | None = None) -> Any:
        """A client whose calls are noted."""
        return _Client(self, self.inner.client(name, region), name, region or self.home)


@dataclass
class _Client:
    called: Called
    inner: Any
    service: str
    region: str

    def __getattr__(self, operation: str) -> Any:
        function = getattr(self.inner, operation)

        def call(**params: Any) -> Any:
            self.called.calls.append((self.service, operation, self.region))
            if error := self.called.before(self.service, operation, self.region):
                raise error
            return function(**params)

        return call


@dataclass
class World:
    """What a customer would see: which regions serve, and which of them the common name leads to."""

    down: dict[str, str] = field(default_factory=dict)
    serving: str = PRIMARY
    unseen: set[tuple[str, str]] = field(default_factory=set)
    # Whether a health answer names the region that gave it.
    names: bool = True
    # The public object of the switch, as Route 53 reads it; None where it cannot be read.
    switch: Callable[[], bool | None] = lambda: False
    hold: Callable[[], bool | None] = lambda: False
    # Regions whose probers cannot read the public object beside the switch.
    hidden_from: set[str] = field(default_factory=set)


@dataclass
class FakeEyes:
    """Eyes of a region in that world. `unseen` holds (from, to) of ways that are cut."""

    world: World
    home: str

    def look(self, url: str, paths: Sequence[str]) -> Look:
        if BUCKET in url:
            if paths[0].endswith("/switch-readable"):
                seen = self.home not in self.world.hidden_from
                return Look(True, status=200 if seen else 403, text=READABLE_WORD if seen else "")
            held = paths[0].endswith("/hold")
            there = self.world.hold() if held else self.world.switch()
            text = HOLD_WORD if held else OUT_WORD
            return Look(True, status={None: 0, True: 200, False: 403}[there], text=text if there else "")
        region = self.world.serving if url == CUSTOMERS else next(one for one, at in URLS.items() if at == url)
        if (self.home, region) in self.world.unseen:
            return Look(False, "no way there")
        if region in self.world.down:
            return Look(False, f"{paths[0]}: {self.world.down[region]}")
        return Look(True, "", region if self.world.names else "", dict.fromkeys(paths, 50.0))

    def look_all(self, wanted: Mapping[str, tuple[str, Sequence[str]]]) -> dict[str, Look]:
        return {name: self.look(url, paths) for name, (url, paths) in wanted.items()}


@dataclass
class Regions:
    """The three watches and the world they look at."""

    real: dict[str, Account]
    clock: ManualClock
    world: World
    watches: dict[str, Watch]
    called: dict[str, Called]
    zone: str
    told: CollectedTelemetry = field(default_factory=CollectedTelemetry)
    dead: set[str] = field(default_factory=set)
    # To these nothing is replicated.
    behind: set[str] = field(default_factory=set)

    @property
    def standby(self) -> Watch:
        return self.watches[STANDBY]

    def tries(self, seconds: float) -> None:
        """So long, a try of each prober every five seconds, and the rounds at the full minutes. Replication is at
        once while both regions live."""
        for _ in range(int(seconds // 5)):
            self.clock.forward(5)
            for region in (PRIMARY, WITNESS, STANDBY):
                if region in self.dead or region in self.world.down:
                    continue
                prober.try_once(self.watches[region], FakeEyes(self.world, region))
                if region == PRIMARY:
                    self.replicate()
            if self.clock.now().second == 0 and STANDBY not in self.dead:
                self.settle()
                rounds.make(self.standby)

    def settle(self) -> None:
        """Where customers go, as health checks and records have it by now."""
        share = self.share()
        self.world.serving = STANDBY if self.switched or share == 0 else PRIMARY

    def replicate(self) -> None:
        for name, origin, target in (
            (prober.CANARY, PRIMARY, STANDBY),
            (prober.CANARY_BACK, STANDBY, PRIMARY),
        ):
            key = {"id": {"S": name}}
            found = self.real[origin].client("dynamodb").get_item(TableName="techmoda-products", Key=key)
            if "Item" in found and target not in self.behind:
                self.real[target].client("dynamodb").put_item(TableName="techmoda-products", Item=found["Item"])

    @property
    def switched(self) -> bool:
        """Whether the object stands where the health check looks."""
        return "techmoda/primary-out" in self._objects()

    @property
    def held(self) -> bool:
        """Whether a standby that is lost gives no traffic back."""
        return "techmoda/hold" in self._objects()

    def _objects(self) -> set[str]:
        """Looked up in moto itself: every look of every prober asks for them."""
        return set(s3_backends[DEFAULT_ACCOUNT_ID]["aws"].buckets[BUCKET].keys)

    def share(self) -> int | None:
        """The primary's weight."""
        if not self.zone:
            return None
        answer = self.real[STANDBY].client("route53").list_resource_record_sets(HostedZoneId=self.zone)
        found = [one for one in answer["ResourceRecordSets"] if one.get("SetIdentifier") == PRIMARY]
        return int(found[0]["Weight"])

    def evidence(self) -> Evidence:
        found = evidence.of(self.real[STANDBY], self.standby.service).evidence
        assert found is not None
        return found

    def all(self, region: str = STANDBY) -> list[Remediation]:
        """Every remediation of the day in a region's ledger, oldest first."""
        books = Ledger(self.real[region].client("dynamodb"), LEDGER, "techmoda")
        found = [books.get(one) for one in books.day(f"{NOON:%Y-%m-%d}")]
        return [one for one in found if one]

    def on(self, **changes: Any) -> None:
        """The same world under another recovery."""
        for region, watch in self.watches.items():
            self.watches[region] = replace(watch, service=service(region, **changes))


@pytest.fixture(scope="module")
def ground() -> Iterator[dict[str, Account]]:
    with mock_aws():
        ledgers: dict[str, MemoryTable] = {}
        yield {region: Account(region, ledgers) for region in (PRIMARY, STANDBY, WITNESS)}


def _table(client: Any, name: str, **more: Any) -> None:
    if name in client.list_tables()["TableNames"]:
        client.delete_table(TableName=name)
    client.create_table(TableName=name, BillingMode="PAY_PER_REQUEST", **more)


def _products(client: Any) -> None:
    _table(
        client,
        "techmoda-products",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
    )


def function(real: BotocoreAws, name: str, reserved: int | None) -> None:
    """A function of a region, with so much reserved concurrency."""
    client = real.client("lambda")
    if name not in [one["FunctionName"] for one in client.list_functions()["Functions"]]:
        code = io.BytesIO()
        with zipfile.ZipFile(code, "w") as archive:
            archive.writestr("app.py", "def handler(event, context): return {}\n")
        iam = real.client("iam")
        if "app" not in [one["RoleName"] for one in iam.list_roles()["Roles"]]:
            iam.create_role(RoleName="app", AssumeRolePolicyDocument="{}")
        client.create_function(
            FunctionName=name,
            Runtime="python3.12",
            Role=f"arn:aws:iam::{ACCOUNT}:role/app",
            Handler="app.handler",
            Code={"ZipFile": code.getvalue()},
        )
    if reserved is None:
        client.delete_function_concurrency(FunctionName=name)
    else:
        client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=reserved)


def _records(client: Any) -> str:
    for zone in client.list_hosted_zones()["HostedZones"]:
        if zone["Name"] == "techmoda.example.":
            return str(zone["Id"]).removeprefix("/hostedzone/")
    made = client.create_hosted_zone(Name="techmoda.example", CallerReference="1")["HostedZone"]["Id"]
    return str(made).removeprefix("/hostedzone/")


def weigh(client: Any, zone: str, primary: int) -> None:
    """The shares as they are laid out at first."""
    changes = [
        {
            "Action": "UPSERT",
            "ResourceRecordSet": {
                "Name": SHARES,
                "Type": "CNAME",
                "SetIdentifier": region,
                "Weight": weight,
                "TTL": 20,
                "ResourceRecords": [{"Value": URLS[region].removeprefix("https://")}],
            },
        }
        for region, weight in ((PRIMARY, primary), (STANDBY, 100 - primary))
    ]
    client.change_resource_record_sets(HostedZoneId=zone, ChangeBatch={"Changes": changes})


@pytest.fixture
def regions(ground: dict[str, Account]) -> Regions:
    """All as new: empty ledgers, no object, everything with the primary."""
    for real in ground.values():
        real.ledgers.clear()
        _products(real.client("dynamodb"))
    s3 = ground[STANDBY].client("s3")
    if BUCKET in [one["Name"] for one in s3.list_buckets()["Buckets"]]:
        for name in ("primary-out", "hold", "switch-readable"):
            s3.delete_object(Bucket=BUCKET, Key=f"techmoda/{name}")
    else:
        s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": STANDBY})
    zone = _records(ground[STANDBY].client("route53"))
    weigh(ground[STANDBY].client("route53"), zone, 100)
    clock, world, told = ManualClock(NOON), World(), CollectedTelemetry()
    called = {region: Called(ground[region], region, []) for region in ground}
    watches = {}
    for region, real in ground.items():
        topic = real.client("sns").create_topic(Name="sereno-techmoda")["TopicArn"]
        aws = called[region]
        watches[region] = Watch(
            service=service(region, zone=zone),
            ledger=Ledger(aws.client("dynamodb"), LEDGER, "techmoda", sleep=lambda _: None),
            aws=aws,
            clock=clock,
            outbox=Outbox(aws.client("sns"), topic),
            telemetry=told,
            owner=region,
        )
    found = Regions(ground, clock, world, watches, called, zone, told)
    world.switch, world.hold = lambda: found.switched, lambda: found.held
    return found
