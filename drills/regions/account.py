"""The AWS of a regional drill: three regions, each with its own ledger and topic, the standby's bucket, and the zone.

Sereno's own code runs on it for real. S3 and Route 53 are moto's. The ledgers and topics are the fakes of the spine
(`remediators.testing`, which hold DynamoDB's rules; the ledger's tests run on both): a try every five seconds in
three regions is twenty thousand reads and writes in four hours, and moto takes 2 ms for each.

Every call goes through `Rules`: what cannot be reached fails as it would, and is remembered.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import time_machine
from botocore.exceptions import ClientError, EndpointConnectionError
from moto import mock_aws

from deploy.embedded import MOCK_CONFIG
from deploy.embedded_global import global_tables, replicas
from deploy.embedded_throttling import OwnTime, Throttle, answer_of, api_name, attempts_of, exempt
from drills.cloud import credentials
from drills.quota_shims import default_of
from drills.regions.region import Regions
from drills.regions.replication import LAG_S, MOST_S, SPREAD
from drills.regions.world import World
from drills.table_shims import LIMITS
from remediators import evidence
from remediators.clients import CONFIG
from remediators.testing import MemoryTable, MemoryTopic
from sereno.model import Json
from sereno.service import Recovery, Service

# Have one control plane for the world, in us-east-1.
# https://docs.aws.amazon.com/whitepapers/latest/aws-fault-isolation-boundaries/global-services.html
GLOBAL = ("route53", "iam")
# What serves while control planes fail. All else that is asked of a region changes or describes its settings.
DATA_PLANES: Mapping[str, tuple[str, ...]] = {
    "dynamodb": (
        "get_item",
        "batch_get_item",
        "put_item",
        "update_item",
        "delete_item",
        "query",
        "transact_write",
        "scan",
    ),
    "s3": ("get_object", "head_object", "put_object", "delete_object", "list_objects"),
    "sns": ("publish",),
    "cloudwatch": ("get_metric_data", "describe_alarms"),
}
# How often a function of Sereno's tries a call that is throttled.
ATTEMPTS = attempts_of(CONFIG, "any")


@dataclass(frozen=True, slots=True)
class Refused:
    """A call that could not be made: by whose watch, what, where, and when (seconds since the start)."""

    at_s: float
    by: str
    call: str
    region: str
    error: str

    def to_json(self) -> Json:
        return {"at_s": self.at_s, "by": self.by, "call": self.call, "region": self.region, "error": self.error}


@dataclass
class Rules:
    """What can be reached at a moment (seconds since the start), and what was tried in vain or against the rule.

    `outages` are the stretches in which nobody may call a global control plane or the primary: from the moment a
    region is out until it is back and a person has been asked. `global_away` are the stretches in which the global
    control planes fail for whatever reason."""

    regions: Regions
    primary: str
    outages: tuple[tuple[float, float], ...]
    global_away: tuple[tuple[float, float], ...] = ()
    now: Callable[[], float] = lambda: 0.0
    refused: list[Refused] = field(default_factory=list)
    forbidden: list[Refused] = field(default_factory=list)
    calls: int = 0

    def check(self, home: str, service: str, operation: str, region: str) -> None:
        """Raises what AWS would raise, when this call cannot be made now."""
        at = self.now()
        self.calls += 1
        call = f"{service}.{operation}"
        out = any(begins <= at < ends for begins, ends in self.outages)
        world_wide = service in GLOBAL
        if out and (world_wide or region == self.primary) and home != self.primary:
            self.forbidden.append(Refused(at, home, call, "global" if world_wide else region, "forbidden"))
        if world_wide:
            if out or any(begins <= at < ends for begins, ends in self.global_away):
                self._refuse(at, home, call, "global", "ServiceUnavailable")
                raise _unavailable(operation)
            return
        if not self.regions.reachable(region, home, at):
            self._refuse(at, home, call, region, "EndpointConnectionError")
            raise EndpointConnectionError(endpoint_url=f"https://{service}.{region}.amazonaws.com")
        if not self.regions.at(region, at).control_plane and not operation.startswith(DATA_PLANES.get(service, ())):
            self._refuse(at, home, call, region, "ServiceUnavailable")
            raise _unavailable(operation)

    def _refuse(self, at: float, home: str, call: str, region: str, error: str) -> None:
        self.refused.append(Refused(at, home, call, region, error))


def _unavailable(operation: str) -> ClientError:
    answer = {
        "Error": {"Code": "ServiceUnavailable", "Message": "the control plane is away"},
        "ResponseMetadata": {"HTTPStatusCode": 503},
    }
    return ClientError(answer, operation)


class RuledAws:
    """The `Aws` port of one region's watch. `changed` hears of each call that was made, after it took effect."""

    def __init__(
        self,
        home: str,
        rules: Rules,
        made: Callable[[str, str], Any],
        changed: Callable[[str, str, Json], None],
        throttle: Throttle | None = None,
    ) -> None:
        self._home, self._rules, self._made, self._changed = home, rules, made, changed
        self._throttle = throttle or Throttle(time=OwnTime(rules.now))
        self._clients: dict[tuple[str, str], Any] = {}

    def client(self, service: str, region: str | None = None) -> Any:
        """The client of a service in a region, the same one each time."""
        key = (service, region or self._home)
        if key not in self._clients:
            self._clients[key] = _RuledClient(self, *key)
        return self._clients[key]

    def call(self, service: str, region: str, operation: str, params: Json) -> Any:
        """One call, if the rules let it through."""
        self._rules.check(self._home, service, operation, region)
        refused = self._throttle.admit(service, api_name(operation), region, params, ATTEMPTS)
        if refused is not None:
            raise ClientError(answer_of(refused.refusal), api_name(operation))
        with exempt():
            answer = getattr(self._made(service, region), operation)(**params)
        self._changed(service, operation, params)
        return answer


class _RuledClient:
    def __init__(self, aws: RuledAws, service: str, region: str) -> None:
        self._aws, self._service, self._region = aws, service, region

    def __getattr__(self, operation: str) -> Callable[..., Any]:
        def call(**params: Any) -> Any:
            return self._aws.call(self._service, self._region, operation, params)

        self.__dict__[operation] = call
        return call


class Tables:
    """DynamoDB of one region: its ledger, and its side of the table that is replicated."""

    def __init__(
        self, ledger: str, canary: Canary, region: str, declared: Declared, replicated: Mapping[str, tuple[str, ...]]
    ) -> None:
        self._ledger, self._canary, self._region = ledger, canary, region
        self._declared, self._replicated = declared, replicated
        self.describe_continuous_backups = declared.describe_continuous_backups
        self.describe_limits = declared.describe_limits
        self.rows = MemoryTable()

    def describe_table(self, **params: Any) -> Json:
        """A table as it is declared; of one that is replicated, where else it is."""
        answer, name = self._declared.describe_table(**params), params["TableName"]
        if name in self._replicated:
            answer["Table"]["Replicas"] = replicas(name, self._region, self._replicated)
        return answer

    def put_item(self, **params: Any) -> Json:
        """Into the ledger, or the canary."""
        if params["TableName"] == self._ledger:
            return self.rows.put_item(**params)
        self._canary.put(self._region, params["Item"])
        return {}

    def get_item(self, **params: Any) -> Json:
        """From the ledger, or the canary as this region has it."""
        if params["TableName"] == self._ledger:
            return self.rows.get_item(**params)
        found = self._canary.seen_in(self._region, params["Key"])
        return {"Item": found} if found else {}

    def scan(self, **_: Any) -> Json:
        """Of the replicated table no item but the canaries is kept: there is nothing to compare."""
        return {"Items": []}

    def delete_item(self, **params: Any) -> Json:
        """From the ledger."""
        key = (params["Key"]["pk"]["S"], params["Key"]["sk"]["S"])
        if key in self.rows.rows:
            del self.rows.rows[key]
        return {}

    def __getattr__(self, operation: str) -> Any:
        return getattr(self.rows, operation)


@dataclass
class Canary:
    """Items of the replicated table, each written in one region and seen in the other after the lag, and not while
    either is dark or the line between them is cut."""

    rules: Rules
    rng: np.random.Generator
    # By the region where it was written: when it is due elsewhere, when it was written, and what.
    on_the_way: dict[str, list[tuple[float, float, Json]]] = field(default_factory=dict)
    # By region and item.
    _latest: dict[tuple[str, str], tuple[float, Json]] = field(default_factory=dict)

    def put(self, region: str, item: Json) -> None:
        """Written, and on its way."""
        now = self.rules.now()
        self._latest[region, _key(item)] = (now, item)
        lag = min(float(self.rng.lognormal(np.log(LAG_S), SPREAD)), MOST_S)
        self.on_the_way.setdefault(region, []).append((now + lag, now, item))

    def seen_in(self, region: str, key: Json) -> Json | None:
        """The newest of an item that has come here: what arrives behind a later write changes nothing."""
        now = self.rules.now()
        for origin, items in self.on_the_way.items():
            if origin == region or not self.rules.regions.reachable(region, origin, now):
                continue
            for _, at, item in (written for written in items if written[0] <= now):
                if (region, _key(item)) not in self._latest or at > self._latest[region, _key(item)][0]:
                    self._latest[region, _key(item)] = (at, item)
            self.on_the_way[origin] = [written for written in items if written[0] > now]
        found = self._latest.get((region, _key(key)))
        return found[1] if found else None


def _key(item: Json) -> str:
    """The item's key: all but when it was written."""
    return str(sorted((name, str(value)) for name, value in item.items() if name != "written_ms"))


class Quiet:
    """CloudWatch as far as the reconciler asks: no alarm is in ALARM."""

    def describe_alarms(self, **_: Any) -> Json:
        """None is in ALARM."""
        return {"MetricAlarms": [], "CompositeAlarms": []}


class Declared:
    """The settings of a region that is as large as its service declares: what the round asks of the standby."""

    def __init__(self, service: Service, now: Callable[[], datetime]) -> None:
        self._service, self._now = service, now

    def get_function_concurrency(self, **params: Any) -> Json:
        """What is reserved."""
        found = self._service.function_named(params["FunctionName"])
        return {} if found is None or found.reserved is None else {"ReservedConcurrentExecutions": found.reserved}

    def get_account_settings(self, **_: Any) -> Json:
        """The account's quota."""
        return {"AccountLimit": {"ConcurrentExecutions": self._service.quotas.concurrency}}

    def list_event_source_mappings(self, **_: Any) -> Json:
        """No function reads from a queue or a stream."""
        return {"EventSourceMappings": []}

    def get_service_quota(self, **params: Any) -> Json:
        """AWS's default."""
        return default_of(params)

    def describe_limits(self) -> Json:
        """AWS's defaults."""
        return dict(LIMITS)

    def describe_table(self, **params: Any) -> Json:
        """A replica, with the capacity that is declared."""
        found = self._service.table_named(params["TableName"])
        table: Json = {"TableStatus": "ACTIVE", "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}]}
        if found is not None and found.provisioned:
            units = {"ReadCapacityUnits": found.read or 0, "WriteCapacityUnits": found.write or 0}
            return {"Table": {**table, "ProvisionedThroughput": units}}
        return {"Table": {**table, "BillingModeSummary": {"BillingMode": "PAY_PER_REQUEST"}}}

    def describe_backup_vault(self, **_: Any) -> Json:
        """Of the standby, as old as the drill."""
        return {"CreationDate": self._now() - timedelta(days=30)}

    def list_recovery_points_by_backup_vault(self, **_: Any) -> Json:
        """A copy of each table, made last night."""
        made = self._now() - timedelta(hours=14)
        arn = f"arn:aws:dynamodb:{self._service.region}:{self._service.account}:table/"
        return {
            "RecoveryPoints": [
                {"ResourceArn": f"{arn}{one.name}", "Status": "COMPLETED", "CreationDate": made}
                for one in self._service.tables.values()
            ]
        }

    def describe_continuous_backups(self, **_: Any) -> Json:
        """On, and five minutes behind."""
        latest = {"LatestRestorableDateTime": self._now() - timedelta(minutes=5)}
        recovery = {"PointInTimeRecoveryStatus": "ENABLED", **latest}
        return {"ContinuousBackupsDescription": {"PointInTimeRecoveryDescription": recovery}}


@dataclass
class Account:
    """What there is, and the way to it."""

    service: Service
    recovery: Recovery
    rules: Rules
    world: World
    traveller: time_machine.Traveller
    start: float
    tables: Mapping[str, Tables]
    topics: Mapping[str, MemoryTopic]
    quiet: Quiet
    declared: Declared
    moto: Callable[[str, str], Any]
    throttle: Throttle

    def at(self, moment: float) -> None:
        """Moves the clock (seconds since the start)."""
        self.traveller.move_to(self.start + moment)

    def made(self, service: str, region: str) -> Any:
        """The client behind the rules."""
        if service == "dynamodb":
            return self.tables[region]
        if service == "sns":
            return self.topics[region]
        if service in ("cloudwatch", "ssm"):
            return self.quiet
        if service in ("lambda", "backup", "service-quotas"):
            return self.declared
        return self.moto(service, region)

    def aws(self, region: str) -> RuledAws:
        """The way of one region's watch."""
        return RuledAws(region, self.rules, self.made, self._changed, self.throttle)

    def _changed(self, service: str, operation: str, params: Json) -> None:
        """What Sereno has changed takes effect in the world."""
        now = self.rules.now()
        if service == "s3" and operation in ("put_object", "delete_object"):
            changes = {"hold": self.world.hold, "primary-out": self.world.switch}
            # The object that is always there moves nothing.
            if change := changes.get(params["Key"].rsplit("/", 1)[-1]):
                change(now, there=operation == "put_object")
        if service == "dynamodb" and operation in ("put_item", "delete_item"):
            row = params.get("Item") or params["Key"]
            place = (row["pk"]["S"], row["sk"]["S"]) if "sk" in row else None
            if place in (evidence.SWITCH, evidence.HOLD):
                change = self.world.hold if place == evidence.HOLD else self.world.switch
                change(now, there=operation == "put_item")
        if service == "route53" and operation == "change_resource_record_sets":
            weights = {
                one["ResourceRecordSet"]["SetIdentifier"]: one["ResourceRecordSet"]["Weight"]
                for one in params["ChangeBatch"]["Changes"]
            }
            self.world.reweigh(now, weights)


@contextmanager
def opened(service: Service, world: World, rules: Rules, start: float, rng: np.random.Generator) -> Iterator[Account]:
    """The account at the moment `start` (epoch seconds), with the bucket, the hosted zone and its records."""
    wanted = service.recovery
    if wanted is None:
        raise ValueError(f"{service.name} has no recovery")
    table = service.tables.get(wanted.canary) if wanted.canary else None
    replicated = {table.name: (wanted.primary, wanted.standby)} if table else {}
    with (
        credentials(service.account),
        time_machine.travel(datetime.fromtimestamp(start, UTC), tick=False) as traveller,
        mock_aws(config=MOCK_CONFIG),
        # Before any session is made: the write settings of the table are one for both Regions.
        global_tables(replicated),
    ):
        made = _moto()
        wanted = replace(wanted, zone=_laid_out(wanted, made), shares=wanted.shares or f"shares.{wanted.name}")
        regions = (wanted.primary, wanted.standby, wanted.witness)
        canary = Canary(rules, rng)
        declared = Declared(service, lambda: datetime.now(UTC))
        ledger = evidence.table_of(service)
        yield Account(
            service=replace(service, recovery=wanted),
            recovery=wanted,
            rules=rules,
            world=world,
            traveller=traveller,
            start=start,
            tables={one: Tables(ledger, canary, one, declared, replicated) for one in regions},
            topics={one: MemoryTopic() for one in regions},
            quiet=Quiet(),
            declared=declared,
            moto=made,
            # What is waited moves no clock here: tries are five seconds apart, and calls take milliseconds.
            throttle=Throttle(time=OwnTime(lambda: start + rules.now())),
        )


def _moto() -> Callable[[str, str], Any]:
    import boto3

    session, clients = boto3.Session(), {}

    def made(service: str, region: str) -> Any:
        if (service, region) not in clients:
            clients[service, region] = session.client(service, region_name=region)
        return clients[service, region]

    return made


def _laid_out(wanted: Recovery, made: Callable[[str, str], Any]) -> str:
    """The bucket of the switch and the records of shares, as the deployed stacks have them; the zone's id."""
    if wanted.bucket:
        made("s3", wanted.standby).create_bucket(
            Bucket=wanted.bucket, CreateBucketConfiguration={"LocationConstraint": wanted.standby}
        )
    route53 = made("route53", wanted.primary)
    domain = wanted.name.split(".", 1)[1]
    zone: str = route53.create_hosted_zone(Name=domain, CallerReference="drill")["HostedZone"]["Id"].rsplit("/", 1)[1]
    hosts = {region: url.removeprefix("https://").split("/")[0] for region, url in wanted.urls.items()}
    changes = [
        {
            "Action": "CREATE",
            "ResourceRecordSet": {
                "Name": wanted.shares or f"shares.{wanted.name}",
                "Type": "CNAME",
                "SetIdentifier": region,
                "Weight": 100 if region == wanted.primary else 0,
                "TTL": 20,
                "ResourceRecords": [{"Value": host}],
            },
        }
        for region, host in hosts.items()
    ]
    route53.change_resource_record_sets(HostedZoneId=zone, ChangeBatch={"Changes": changes})
    return zone
