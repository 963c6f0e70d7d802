"""TechModa's read function, the ledger and the topic on moto, with a clock that only tests move.

`House` is what a story plays in; `Life` plays a house minute by minute and holds what must be true. One long file,
because test modules do not import each other: what several of them use stands here.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError
from moto import mock_aws

from deploy.embedded_lambda import Allocation
from deploy.embedded_throttling import Attempts, LimitedAws, OwnTime, Throttle
from remediators import flow, round
from remediators.clients import BotocoreAws
from remediators.items import remediation_from
from remediators.ledger import Ledger
from remediators.outbox import Outbox
from remediators.testing import MemoryTable, MemoryTopic
from remediators.watch import Watch
from sereno.guard import WORTH_A_PERSON
from sereno.lifecycle import Remediation
from sereno.model import Mode, Signal, Status, iso
from sereno.service import Api, Function, Index, Objectives, Play, Service, Table
from sereno.signal import parse
from sereno.testing import CollectedTelemetry, Crash, ManualClock, WatchedAws

ACCOUNT, REGION = "123456789012", "eu-west-1"
NOON = datetime(2026, 9, 29, 12, 0, tzinfo=UTC)
TABLE = "sereno-techmoda-ledger"
SURGE = (("raise_concurrency",), ("open_incident",))
# Concurrent executions of each function in an ordinary hour.
NORMAL = {"techmoda-read": 16.0, "techmoda-write": 2.6}


def service(mode: Mode = Mode.AUTO, **changes: Any) -> Service:
    plays = {
        what: Play(what, SURGE, mode, params={"ceiling": 400}) for what in ("exhaustion", "saturation", "throttles")
    }
    plays["burn-fast"] = Play("burn-fast", (("open_incident",),), mode)
    facts: dict[str, Any] = {
        "name": "techmoda",
        "account": ACCOUNT,
        "regions": (REGION,),
        "objectives": Objectives(0.9999, 500, 9.0, 900, 1800),
        "apis": {"catalogue": Api("catalogue", "techmoda-catalogue", "prod")},
        "functions": {
            "read": Function("read", "techmoda-read", "live", 120, 16.0, 10, 512),
            "write": Function("write", "techmoda-write", "live", 40, 2.6, 10, 512),
        },
        "playbook": plays,
        "stack": "techmoda",
    }
    return Service(**{**facts, **changes})


def alarm_event(
    what: str = "exhaustion", resource: str = "read", at: datetime = NOON, **detail: Any
) -> dict[str, Any]:
    name = f"techmoda/{resource}/{what}"
    return {
        "version": "0",
        "id": "c4c1c1c9-6542-e61b-6ef0-8c4d36933a92",
        "detail-type": "CloudWatch Alarm State Change",
        "source": "aws.cloudwatch",
        "account": ACCOUNT,
        "time": iso(at),
        "region": REGION,
        "resources": [f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:{name}"],
        "detail": {
            "alarmName": name,
            "state": {"value": "ALARM", "reason": "forecast 161 over 84", "timestamp": iso(at)},
            "previousState": {"value": "OK", "timestamp": iso(at - timedelta(minutes=5))},
            **detail,
        },
    }


@dataclass
class Metrics:
    """What GetMetricData answers: minutely points, set by a test. Stands in for moto's, which knows no clock.

    Every function has the same points of a metric, except one with points of its own: `<function>/<metric>`."""

    points: dict[str, list[tuple[datetime, float]]] = field(default_factory=dict)

    def minutes(self, clock: ManualClock, **series: float) -> None:
        """The same values for the hour before now; `recent_<name>` for its last five minutes."""
        end = clock.now().replace(second=0, microsecond=0)
        for name in {name.removeprefix("recent_") for name in series}:
            usual, recent = series.get(name, 0.0), series.get(f"recent_{name}", series.get(name, 0.0))
            self.points[name] = [
                (end - timedelta(minutes=ago), recent if ago <= 5 else usual) for ago in range(60, 0, -1)
            ]

    def answer(self, params: dict[str, Any]) -> dict[str, Any]:
        results = []
        for query in params["MetricDataQueries"]:
            metric = query["MetricStat"]["Metric"]
            dimensions = {one["Name"]: one["Value"] for one in metric["Dimensions"]}
            index = dimensions.get("GlobalSecondaryIndexName")
            name = f"{index}/{metric['MetricName']}" if index else metric["MetricName"]
            own = f"{dimensions.get('FunctionName')}/{name}"
            name = own if own in self.points else name
            found = [p for p in self.points.get(name, []) if params["StartTime"] <= p[0] < params["EndTime"]]
            results.append({"Id": query["Id"], "Timestamps": [p[0] for p in found], "Values": [p[1] for p in found]})
        return {"MetricDataResults": results}


class LittleAws:
    """moto behind botocore, with the answers moto cannot give: metrics and alarms at a moment of the test's clock,
    account settings. `effects` keeps (before, after) of every change of a reserved concurrency."""

    def __init__(self, real: BotocoreAws | Paper, metrics: Metrics) -> None:
        self.real = real
        self.metrics = metrics
        self.alarms: dict[str, dict[str, Any]] = {}
        self.quota = 1000
        self.effects: list[tuple[int | None, int | None]] = []
        # The function of each effect.
        self.changed: list[str] = []
        # What is provisioned by function and alias, and what was allocated before, since when, by the last change.
        self.provisioned: dict[tuple[str, str], int] = {}
        self.allocating: dict[tuple[str, str], tuple[int, float]] = {}
        self.clock: ManualClock = ManualClock(NOON)
        self.products = Products()

    def client(self, name: str, region: str | None = None) -> Any:
        if name == "cloudwatch":
            return _CloudWatch(self.metrics, self.alarms)
        if name == "lambda":
            return _Lambda(self.real.client(name, region), self)
        if name == "dynamodb":
            return _DynamoDB(self.real.client(name, region), self.products)
        return self.real.client(name, region)


@dataclass
class _CloudWatch:
    """DescribeAlarms answers in pages of two, so that whoever reads it must turn them."""

    metrics: Metrics
    alarms: dict[str, dict[str, Any]]

    def get_metric_data(self, **params: Any) -> Any:
        return self.metrics.answer(params)

    def describe_alarms(self, **params: Any) -> Any:
        prefix, named = params.get("AlarmNamePrefix"), params.get("AlarmNames", ())
        if "StateValue" not in params:
            known = [self.alarms.get(name, {"StateValue": "OK"}) for name in named]
            return {"MetricAlarms": [{"AlarmName": name, **one} for name, one in zip(named, known, strict=True)]}
        found = [
            alarm
            for name, alarm in sorted(self.alarms.items())
            if alarm["StateValue"] == params["StateValue"] and (name.startswith(prefix) if prefix else name in named)
        ]
        start = int(params.get("NextToken", 0))
        page: dict[str, Any] = {"MetricAlarms": found[start : start + 2], "CompositeAlarms": []}
        if start + 2 < len(found):
            page["NextToken"] = str(start + 2)
        return page


@dataclass
class _Lambda:
    """moto's Lambda, and what moto does not know: the account's settings and provisioned concurrency."""

    real: Any
    little: LittleAws

    def __getattr__(self, operation: str) -> Any:
        return getattr(self.real, operation)

    def get_function(self, **params: Any) -> Any:
        """AWS shows a reservation of 0 here, moto does not."""
        reserved = self.real.get_function_concurrency(**params).get("ReservedConcurrentExecutions")
        concurrency = {} if reserved is None else {"Concurrency": {"ReservedConcurrentExecutions": reserved}}
        return {**self.real.get_function(**params), **concurrency}

    def get_provisioned_concurrency_config(self, **params: Any) -> Any:
        alias = (params["FunctionName"], params["Qualifier"])
        found = self.little.provisioned.get(alias)
        if found is None:
            error = {"Code": "ProvisionedConcurrencyConfigNotFoundException", "Message": "none"}
            raise ClientError({"Error": error}, "GetProvisionedConcurrencyConfig")
        before, since = self.little.allocating.get(alias, (found, 0.0))
        return Allocation(before, found, since).answer(self.little.clock.now().timestamp())

    def put_provisioned_concurrency_config(self, **params: Any) -> Any:
        alias = (params["FunctionName"], params["Qualifier"])
        now, wanted = self.little.clock.now().timestamp(), params["ProvisionedConcurrentExecutions"]
        before, since = self.little.allocating.get(alias, (self.little.provisioned.get(alias, 0), 0.0))
        allocated = Allocation(before, self.little.provisioned.get(alias, before), since).allocated(now)
        self.little.provisioned[alias], self.little.allocating[alias] = wanted, (allocated, now)
        return Allocation(allocated, wanted, now).answer(now)

    def put_function_concurrency(self, **params: Any) -> Any:
        return self._changed("put_function_concurrency", params)

    def delete_function_concurrency(self, **params: Any) -> Any:
        return self._changed("delete_function_concurrency", params)

    def _changed(self, operation: str, params: dict[str, Any]) -> Any:
        found = self.real.get_function_concurrency(FunctionName=params["FunctionName"])
        answer = getattr(self.real, operation)(**params)
        after = params.get("ReservedConcurrentExecutions")
        self.little.effects.append((found.get("ReservedConcurrentExecutions"), after))
        self.little.changed.append(params["FunctionName"])
        return answer

    def get_account_settings(self) -> Any:
        names = [one["FunctionName"] for one in self.real.list_functions()["Functions"]]
        taken = [self.real.get_function_concurrency(FunctionName=name) for name in names]
        reserved = sum(one.get("ReservedConcurrentExecutions", 0) for one in taken)
        limit = {
            "ConcurrentExecutions": self.little.quota,
            "UnreservedConcurrentExecutions": self.little.quota - reserved,
        }
        return {"AccountLimit": limit}


@dataclass
class Products:
    """What moto does not know of the table `techmoda-products`: that a change takes minutes and shows the values
    before meanwhile (while `slow` holds; `settle` ends it), decreases of the day, maxima of an on-demand table."""

    slow: bool = False
    pending: dict[str, Any] | None = None
    decreases: dict[str, int] = field(default_factory=dict)
    decreased_at: datetime | None = None
    maxima: dict[str, dict[str, int]] = field(default_factory=dict)
    updates: list[dict[str, Any]] = field(default_factory=list)
    settled: Callable[[dict[str, Any]], None] = field(default=lambda _: None)

    def settle(self) -> None:
        """The change under way is done."""
        pending, self.pending = self.pending, None
        if pending:
            self.settled(pending)


@dataclass
class _DynamoDB:
    real: Any
    products: Products

    def __getattr__(self, operation: str) -> Any:
        return getattr(self.real, operation)

    def describe_table(self, **params: Any) -> Any:
        answer = self.real.describe_table(**params)
        table = answer["Table"]
        for name, part in (
            ("", table),
            *((one["IndexName"], one) for one in table.get("GlobalSecondaryIndexes", [])),
        ):
            part["ProvisionedThroughput"]["NumberOfDecreasesToday"] = self.products.decreases.get(name, 0)
            if self.products.decreased_at:
                part["ProvisionedThroughput"]["LastDecreaseDateTime"] = self.products.decreased_at
            if name in self.products.maxima:
                part["OnDemandThroughput"] = self.products.maxima[name]
        if self.products.pending:
            table["TableStatus"] = "UPDATING"
        return answer

    def describe_limits(self) -> Any:
        """moto tells AWS's quotas of years ago."""
        quotas = {"AccountMax": 80_000, "TableMax": 40_000}
        return {f"{whose}{kind}CapacityUnits": units for whose, units in quotas.items() for kind in ("Read", "Write")}

    def update_table(self, **params: Any) -> Any:
        if self.products.pending:
            error = {"Code": "ResourceInUseException", "Message": "the table is being updated"}
            raise ClientError({"Error": error}, "UpdateTable")
        self.products.updates.append(params)
        self.products.settled = self._change
        self.products.pending = params
        if not self.products.slow:
            self.products.settle()
        return {"TableDescription": {}}

    def _change(self, params: dict[str, Any]) -> None:
        if "OnDemandThroughput" in params:
            params = dict(params)
            self.products.maxima[""] = params.pop("OnDemandThroughput")
        if params.keys() > {"TableName"}:
            self.real.update_table(**params)


@dataclass
class _PaperLambda:
    """As much of Lambda as the remediators use, without moto."""

    limits: dict[str, int | None] = field(default_factory=lambda: {"techmoda-read": 120, "techmoda-write": 40})

    def get_function(self, **params: Any) -> Any:
        return {"Configuration": {"FunctionName": params["FunctionName"], "MemorySize": 512}}

    def get_function_concurrency(self, **params: Any) -> Any:
        limit = self.limits[params["FunctionName"]]
        return {} if limit is None else {"ReservedConcurrentExecutions": limit}

    def put_function_concurrency(self, **params: Any) -> Any:
        self.limits[params["FunctionName"]] = params["ReservedConcurrentExecutions"]
        return {"ReservedConcurrentExecutions": params["ReservedConcurrentExecutions"]}

    def delete_function_concurrency(self, **params: Any) -> Any:
        self.limits[params["FunctionName"]] = None
        return {}

    def list_functions(self) -> Any:
        return {"Functions": [{"FunctionName": name} for name in self.limits]}


@dataclass
class _PaperDynamoDB(MemoryTable):
    """The ledger's table, and beside it the products table with its capacity."""

    units: dict[str, int] = field(default_factory=lambda: {"ReadCapacityUnits": 300, "WriteCapacityUnits": 50})

    def describe_table(self, **params: Any) -> Any:
        return {"Table": {"TableName": params["TableName"], "ProvisionedThroughput": dict(self.units)}}

    def update_table(self, **params: Any) -> Any:
        self.units = dict(params["ProvisionedThroughput"])
        return {"TableDescription": {}}


class _PaperScaling:
    def describe_scalable_targets(self, **_: Any) -> Any:
        return {"ScalableTargets": []}


class _PaperQuotas:
    """Service Quotas: nobody ever changed a quota, and what was asked for is pending for ever."""

    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []

    def get_service_quota(self, **params: Any) -> Any:
        error = {"Code": "NoSuchResourceException", "Message": "the quota has no applied value"}
        raise ClientError({"Error": error}, "GetServiceQuota")

    def get_aws_default_service_quota(self, **params: Any) -> Any:
        values = {"L-B99A9384": 1000.0}
        return {"Quota": {**params, "Value": values.get(params["QuotaCode"], 40_000.0), "Adjustable": True}}

    def list_requested_service_quota_change_history_by_quota(self, **params: Any) -> Any:
        return {"RequestedQuotas": [one for one in self.requests if one["QuotaCode"] == params["QuotaCode"]]}

    def request_service_quota_increase(self, **params: Any) -> Any:
        self.requests.append({**params, "Status": "PENDING"})
        return {"RequestedQuota": self.requests[-1]}


class Paper:
    """Stands in for moto where thousands of lives are played: the same answers in microseconds."""

    def __init__(self) -> None:
        self.clients = {
            "lambda": _PaperLambda(),
            "dynamodb": _PaperDynamoDB(),
            "sns": MemoryTopic(),
            "application-autoscaling": _PaperScaling(),
            "service-quotas": _PaperQuotas(),
        }

    def client(self, name: str, region: str | None = None) -> Any:
        return self.clients[name]


@dataclass
class House:
    """Everything a story needs."""

    clock: ManualClock
    metrics: Metrics
    little: LittleAws
    aws: WatchedAws
    watch: Watch
    telemetry: CollectedTelemetry
    topic: str
    mailbox: str

    @property
    def books(self) -> Ledger:
        """The ledger as a reader beside the story sees it: its calls are neither counted nor meddled with."""
        return Ledger(self.little.real.client("dynamodb"), TABLE, "techmoda")

    def reserved(self, name: str = "techmoda-read") -> int | None:
        answer = self.little.real.client("lambda").get_function_concurrency(FunctionName=name)
        return answer.get("ReservedConcurrentExecutions")

    def set_reserved(self, value: int, name: str = "techmoda-read") -> None:
        self.little.real.client("lambda").put_function_concurrency(
            FunctionName=name, ReservedConcurrentExecutions=value
        )

    def signal(self, what: str = "exhaustion", resource: str = "read", at: datetime | None = None) -> Signal:
        return parse(alarm_event(what, resource, at or self.clock.now()), self.watch.service)[0]

    def red(self, what: str = "exhaustion", resource: str = "read", **facts: Any) -> None:
        """The alarm is in ALARM from now on."""
        name, now = f"techmoda/{resource}/{what}", self.clock.now()
        self.little.alarms[name] = {
            "AlarmName": name,
            "AlarmArn": f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:{name}",
            "StateValue": "ALARM",
            "StateReason": "forecast 161 over 84",
            "StateTransitionedTimestamp": now,
            "StateUpdatedTimestamp": now,
            **facts,
        }

    def green(self) -> None:
        """No alarm is red any more."""
        self.little.alarms.clear()

    def rounds(self, minutes: int) -> None:
        """As many minutes, each with its round."""
        for _ in range(minutes):
            self.clock.forward(60)
            round.make(self.watch)

    def get(self, remediation_id: str) -> Remediation:
        """The remediation as the ledger holds it."""
        found = self.books.get(remediation_id)
        assert found is not None, f"{remediation_id} is not in the ledger"
        return found

    def all(self) -> list[Remediation]:
        """Every remediation of the day, oldest first."""
        return [self.get(one) for one in self.books.day(f"{NOON:%Y-%m-%d}")]

    @property
    def opened(self) -> list[Remediation]:
        """The incidents that were opened for a person: those of which a page was sent."""
        return [one for one in self.all() if one.remediator == "open_incident" and one.status is Status.ESCALATED]

    def in_memory(self) -> House:
        """Moves the house, which must be as new, from moto to paper."""
        return on_paper(self)

    def messages(self, kind: str = "remediation") -> list[dict[str, Any]]:
        """What people got of a kind since they were asked last, oldest first."""
        return [one for one in self._messages() if one["kind"] == kind]

    def _messages(self) -> list[dict[str, Any]]:
        if isinstance(self.little.real, Paper):
            topic = self.little.real.client("sns")
            got, topic.published = topic.published, []
            return got
        sqs, got = self.little.real.client("sqs"), []
        while True:
            answer = sqs.receive_message(QueueUrl=self.mailbox, MaxNumberOfMessages=10, VisibilityTimeout=3600)
            if not answer.get("Messages"):
                return got
            for one in answer["Messages"]:
                got.append(json.loads(json.loads(one["Body"])["Message"]))
                sqs.delete_message(QueueUrl=self.mailbox, ReceiptHandle=one["ReceiptHandle"])

    def on(self, **changes: Any) -> Watch:
        """The same house under another configuration."""
        self.watch = replace(self.watch, service=service(**changes))
        return self.watch

    def surge(self) -> None:
        """An hour of 106 calls a second, and five minutes of three times that."""
        self.metrics.minutes(
            self.clock,
            Invocations=106 * 60,
            recent_Invocations=318 * 60,
            Throttles=0,
            Duration=150,
            ConcurrentExecutions=40,
        )

    def calm(self) -> None:
        self.metrics.minutes(self.clock, Invocations=106 * 60, Throttles=0, Duration=150, ConcurrentExecutions=35)


def throttled(little: LittleAws, clock: ManualClock) -> LimitedAws:
    """The account's request rates before it, for clients that try as Sereno's do. Waiting does not move `clock`."""
    little.clock, time = clock, OwnTime(lambda: clock.now().timestamp())
    return LimitedAws(little, Throttle(time=time), REGION, Attempts(3, "standard"))


def paper_house() -> House:
    """A house as new without moto: the declared limits, an hour of metrics."""
    clock, metrics = ManualClock(NOON), Metrics()
    little = LittleAws(Paper(), metrics)
    aws, telemetry = WatchedAws(throttled(little, clock)), CollectedTelemetry()
    watch = Watch(
        service=service(),
        ledger=Ledger(aws.client("dynamodb"), TABLE, "techmoda", sleep=lambda _: None),
        aws=aws,
        clock=clock,
        outbox=Outbox(aws.client("sns"), "topic"),
        telemetry=telemetry,
        owner="invocation-1",
    )
    house = House(clock, metrics, little, aws, watch, telemetry, "topic", "")
    house.surge()
    return house


def on_paper(house: House) -> House:
    """The same house without moto."""
    new = paper_house()
    for one in fields(House):
        setattr(house, one.name, getattr(new, one.name))
    return house


def create_ledger(client: Any, table: str = TABLE) -> None:
    client.create_table(
        TableName=table,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        AttributeDefinitions=[
            {"AttributeName": "pk", "AttributeType": "S"},
            {"AttributeName": "sk", "AttributeType": "S"},
            {"AttributeName": "open", "AttributeType": "S"},
            {"AttributeName": "due_at", "AttributeType": "N"},
        ],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "open",
                "KeySchema": [
                    {"AttributeName": "open", "KeyType": "HASH"},
                    {"AttributeName": "due_at", "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
    )


def create_function(real: BotocoreAws, name: str, reserved: int) -> None:
    role = real.client("iam").create_role(RoleName=f"{name}-role", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("app.py", "def handler(event, context): return {}\n")
    client = real.client("lambda")
    client.create_function(
        FunctionName=name, Runtime="python3.12", Role=role, Handler="app.handler", Code={"ZipFile": code.getvalue()}
    )
    client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=reserved)


@dataclass
class Ground:
    """What the stories of one module share: moto with the functions, the topic and its mailbox."""

    real: BotocoreAws
    topic: str
    mailbox: str


@pytest.fixture(scope="module")
def ground() -> Iterator[Ground]:
    """moto for a module; making clients and functions anew for each story would take most of its time."""
    with mock_aws(config={"lambda": {"use_docker": False}}):
        yield lay_ground()


def lay_ground() -> Ground:
    """Inside an active mock_aws."""
    real = BotocoreAws(REGION)
    create_function(real, "techmoda-read", 120)
    create_function(real, "techmoda-write", 40)
    topic = real.client("sns").create_topic(Name="sereno-techmoda")["TopicArn"]
    mailbox = real.client("sqs").create_queue(QueueName="mailbox")["QueueUrl"]
    endpoint = f"arn:aws:sqs:{REGION}:{ACCOUNT}:mailbox"
    real.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=endpoint)
    create_ledger(real.client("dynamodb"))
    return Ground(real, topic, mailbox)


@pytest.fixture
def house(ground: Ground) -> House:
    return build_house(ground)


def build_house(ground: Ground | None = None) -> House:
    """A house as new: an empty ledger, an empty mailbox, the declared limits, an hour of metrics."""
    ground = ground or lay_ground()
    clock, metrics = ManualClock(NOON), Metrics()
    real = ground.real
    dynamodb = real.client("dynamodb")
    dynamodb.delete_table(TableName=TABLE)
    create_ledger(dynamodb)
    little = LittleAws(real, metrics)
    aws, telemetry = WatchedAws(throttled(little, clock)), CollectedTelemetry()
    watch = Watch(
        service=service(),
        ledger=Ledger(aws.client("dynamodb"), TABLE, "techmoda", sleep=lambda _: None),
        aws=aws,
        clock=clock,
        outbox=Outbox(aws.client("sns"), ground.topic),
        telemetry=telemetry,
        owner="invocation-1",
    )
    house = House(clock, metrics, little, aws, watch, telemetry, ground.topic, ground.mailbox)
    house.messages()
    house.set_reserved(120)
    house.set_reserved(40, "techmoda-write")
    house.surge()
    return house


def products_table(house: House, billing: str = "PROVISIONED", **changes: Any) -> Products:
    """Declares the products table and makes it: 300 reads and 50 writes a second, its index by category half of the
    reads. An hour of a fifth of them."""
    client, provisioned = house.little.real.client("dynamodb"), billing == "PROVISIONED"
    if "techmoda-products" in client.list_tables()["TableNames"]:
        client.delete_table(TableName="techmoda-products")

    def throughput(read: int, write: int) -> dict[str, Any]:
        units = {"ReadCapacityUnits": read, "WriteCapacityUnits": write}
        return {"ProvisionedThroughput": units} if provisioned else {}

    client.create_table(
        TableName="techmoda-products",
        BillingMode=billing,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[
            {"AttributeName": "id", "AttributeType": "S"},
            {"AttributeName": "category", "AttributeType": "S"},
        ],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "by-category",
                "KeySchema": [{"AttributeName": "category", "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "ALL"},
                **throughput(150, 50),
            }
        ],
        **throughput(300, 50),
    )
    units: dict[str, Any] = {"read": 300, "write": 50} if provisioned else {}
    index: dict[str, Any] = {"read": 150, "write": 50} if provisioned else {}
    by_category = Index("by-category", **index, normal_read=33, normal_write=10)
    declared = Table(
        "products",
        "techmoda-products",
        "provisioned" if provisioned else "on-demand",
        **units,
        normal_read=66,
        normal_write=10,
        indexes={"by-category": by_category},
    )
    ladder = (("raise_concurrency", "raise_capacity"), ("open_incident",))
    plays = {what: Play(what, ladder, Mode.AUTO) for what in ("exhaustion", "throttles")}
    plays |= {w: Play(w, (ladder[0][1:], ladder[1]), Mode.AUTO) for w in ("read-capacity", "read-throttles")}
    read = Function("read", "techmoda-read", "live", 120, 16.0, 10, 512, ("products",))
    house.on(**{"tables": {"products": declared}, "functions": {"read": read}, "playbook": plays, **changes})
    table_calm(house)
    return house.little.products


def table_calm(house: House, **recent: float) -> None:
    """An hour of the table's ordinary load (units a second); `recent` gives the last five minutes of a metric."""
    usual = {
        "ConsumedReadCapacityUnits": 66.0,
        "ConsumedWriteCapacityUnits": 10.0,
        "by-category/ConsumedReadCapacityUnits": 33.0,
        "by-category/ConsumedWriteCapacityUnits": 10.0,
    }
    series = {name: units * 60 for name, units in usual.items()}
    house.metrics.minutes(house.clock, **series, **{f"recent_{name}": value * 60 for name, value in recent.items()})


@dataclass
class Fault:
    """One thing that goes wrong at one call: an error before it, no answer after it, or the end of the process."""

    number: int
    kind: str

    def before(self, number: int, label: str) -> BaseException | None:
        if number != self.number or self.kind.endswith("after"):
            return None
        return _trouble(self.kind, label)

    def after(self, number: int, label: str) -> BaseException | None:
        return _trouble(self.kind, label) if number == self.number and self.kind.endswith("after") else None


def _trouble(kind: str, label: str) -> BaseException:
    if kind.startswith("crash"):
        return Crash(label)
    if kind.startswith("silence"):
        return ReadTimeoutError(endpoint_url="https://aws.example")
    code = {"throttled": "ThrottlingException", "denied": "AccessDeniedException"}[kind]
    return ClientError({"Error": {"Code": code, "Message": f"{label} {kind}"}}, label.split(".")[1])


@dataclass
class Life:
    """TechModa with its demand, Lambda's retries and Sereno's rounds, minute by minute.

    What must hold, whatever goes wrong:

    * a change is applied at most once, from the value that its plan relies on, and never above the ceiling;
    * the live value is one that a recorded step names, before or after it;
    * nothing is taken back while the peak of the hold needs it, unless a person asks for it;
    * a change ends REVERTED, KEPT or ESCALATED; FAILED only when nothing stays in force;
    * one target has at most one holder, and none when all is over;
    * what is not over is due some time;
    * a signal ends in the ledger or in the dead-letter queue;
    * no more is done in a day than its budget allows;
    * the history only grows, and has no gaps;
    * what happened is told at the latest by the next round that can, and who must know has been told at the end.

    With `joint` the function's surge raises its table too; AWS takes `table_minutes` over that.
    """

    house: House
    hold_s: int
    joint: bool = False
    table_minutes: int = 0
    params: dict[str, Any] = field(default_factory=lambda: {"ceiling": 400})
    per_day: int = 50
    factor: float = 1.0
    # Seconds that the clock of the remediators' functions is ahead of the round's.
    ahead_s: float = 0.0
    # By how much clocks may differ at most: the hold of one is so much shorter for another.
    skew_s: float = 0.0
    waiting: list[tuple[datetime, int, str, dict[str, Any]]] = field(default_factory=list)
    delivered: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    dead_letters: list[dict[str, Any]] = field(default_factory=list)
    round_failed: int = 0
    reverts_asked_for: bool = False
    meddled: bool = False
    _seen: dict[str, list[str]] = field(default_factory=dict)
    _read: dict[str, tuple[Any, Remediation]] = field(default_factory=dict)
    _effects: int = 0
    _changing: int = 0

    def __post_init__(self) -> None:
        first = ("raise_concurrency", "raise_capacity") if self.joint else ("raise_concurrency",)
        ladder = (first, ("request_quota", "open_incident")) if self.joint else SURGE
        limits: dict[str, Any] = {"hold_s": self.hold_s, "cooldown_s": 60, "per_day": self.per_day}
        plays = {
            what: Play(what, ladder, Mode.AUTO, params=self.params, **limits) for what in ("exhaustion", "throttles")
        }
        coming = (first, ("open_incident",))
        plays["planned-event"] = Play("planned-event", coming, Mode.AUTO, params=self.params, **limits)
        tables = {"products": Table("products", "techmoda-products", "provisioned", 300, 50, 66, 10)}
        read = Function("read", "techmoda-read", "live", 120, 16.0, 10, 512, ("products",))
        self.house.on(playbook=plays, **({"functions": {"read": read}, "tables": tables} if self.joint else {}))
        self.house.little.products.slow = self.table_minutes > 0
        self.house.calm()
        for name, normal in NORMAL.items():
            hour = {
                "Invocations": normal * 60 / 0.150,
                "Throttles": 0,
                "Duration": 150,
                "ConcurrentExecutions": normal,
            }
            self.house.metrics.minutes(
                self.house.clock, **{f"{name}/{metric}": value for metric, value in hour.items()}
            )
        table_calm(self.house)

    # -- what happens

    def deliver(self, event: dict[str, Any]) -> None:
        """The event reaches every remediator of the play's first rung, each by its own rule."""
        for name in ("raise_concurrency", "raise_capacity")[: 2 if self.joint else 1]:
            self.delivered.append((name, event))
            self._invoke(event, name, 1)

    def _invoke(self, event: dict[str, Any], name: str, attempt: int) -> None:
        """An asynchronous invocation: after a failure Lambda tries again a minute later, then two, then gives up."""
        try:
            for signal in parse(event, self.house.watch.service):
                flow.answer(self.watch(f"lambda-{len(self.delivered)}-{attempt}", self.ahead_s), signal, name)
        except (Exception, Crash):
            if attempt == 3:
                self.dead_letters.append(event)
            else:
                again = self.house.clock.now() + timedelta(minutes=attempt)
                self.waiting.append((again, attempt + 1, name, event))

    def minute(self) -> None:
        """A minute passes: its metrics are published, Lambda's retries come, then the round."""
        self._publish()
        self._settle()
        now = self.house.clock.forward(60)
        due = [one for one in self.waiting if one[0] <= now]
        self.waiting = [one for one in self.waiting if one[0] > now]
        for _, attempt, name, event in due:
            self._invoke(event, name, attempt)
        self.round(f"round-{now:%H%M}")
        self.check()

    def round(self, owner: str, ahead_s: float = 0.0) -> None:
        """One round, which may fail or die."""
        try:
            round.make(self.watch(owner, ahead_s))
        except (Exception, Crash):
            self.round_failed += 1

    def to_the_end(self, within: int) -> None:
        """Minutes until nothing is open any more; the demand is gone and all faults are over."""
        for _ in range(within):
            if not self.waiting and not any(self._open(one) for one in self._books()[0]):
                break
            self.minute()
        self.check_end(within)

    @staticmethod
    def _open(one: Remediation) -> bool:
        return bool(not one.ended or one.unpublished or one.escalate_to or one.wish)

    def watch(self, owner: str, ahead_s: float = 0.0) -> Watch:
        """What an invocation works with; its clock may differ from the world's by so many seconds."""
        clock = _Ahead(self.house.clock, timedelta(seconds=ahead_s)) if ahead_s else self.house.clock
        return replace(self.house.watch, owner=owner, clock=clock)

    def _settle(self) -> None:
        """AWS has come to the end of a table's change once it has taken its minutes."""
        self._changing = self._changing + 1 if self.house.little.products.pending else 0
        if self._changing > self.table_minutes:
            self.house.little.products.settle()

    def _publish(self) -> None:
        start, points = self.house.clock.now().replace(second=0), self.house.metrics.points
        units = self.capacity() if self.joint else {"read": 300, "write": 50}
        reads, writes = 66.0 * self.factor, 10.0 * self.factor
        for name, value in (
            *(point for function, normal in NORMAL.items() for point in self._function(function, normal)),
            ("ConsumedReadCapacityUnits", 60 * min(reads, units["read"])),
            ("ConsumedWriteCapacityUnits", 60 * min(writes, units["write"])),
            ("ReadThrottleEvents", 60 * max(0.0, reads - units["read"])),
            ("WriteThrottleEvents", 60 * max(0.0, writes - units["write"])),
        ):
            points.setdefault(name, []).append((start, value))

    def _function(self, name: str, normal: float) -> Iterator[tuple[str, float]]:
        """A minute of a function that is asked for `normal` concurrent executions in ordinary hours."""
        asked, limit = normal * self.factor, self.house.reserved(name) or 0
        calls = asked * 60 / 0.150
        yield f"{name}/Invocations", calls * min(1.0, limit / asked)
        yield f"{name}/Throttles", calls * max(0.0, 1 - limit / asked)
        yield f"{name}/Duration", 150.0
        yield f"{name}/ConcurrentExecutions", min(asked, float(limit))

    def capacity(self) -> dict[str, int]:
        """The table's units in force."""
        units = self.house.little.real.client("dynamodb").units
        return {"read": units["ReadCapacityUnits"], "write": units["WriteCapacityUnits"]}

    # -- what must hold

    def check(self) -> None:
        """What must hold at every moment."""
        remediations, histories, held_by = self._books()
        self._check_effects(remediations)
        self._check_live(remediations)
        self._check_budget(histories)
        for one in remediations:
            history = histories[one.id]
            before = self._seen.get(one.id, [])
            assert history[: len(before)] == before, f"{one.id}: its history was rewritten"
            assert len(history) == one.sequence, f"{one.id}: {one.sequence} events, {len(history)} in its history"
            self._seen[one.id] = history
            assert one.ended or one.due_at, f"{one.id} is {one.status} and never due"
        at_work = sorted((one.target.key, one.id) for one in remediations if not one.ended)
        assert at_work == sorted(held_by.items()), f"held: {held_by}; at work: {at_work}"

    def _books(self) -> tuple[list[Remediation], dict[str, list[str]], dict[str, str]]:
        """The whole ledger in one read: remediations, their histories, who holds which target."""
        rows = self.house.little.real.client("dynamodb").scan(TableName=TABLE)["Items"]
        remediations = [self._remediation(row) for row in rows if row["sk"]["S"] == "STATE"]
        histories: dict[str, list[str]] = {one.id: [] for one in remediations}
        lines = [row for row in rows if row["sk"]["S"].startswith("E#") and row["pk"]["S"].startswith("R#")]
        for row in sorted(lines, key=lambda row: row["sk"]["S"]):
            histories[row["pk"]["S"].removeprefix("R#")].append(row["doc"]["S"])
        held = {
            row["pk"]["S"].removeprefix("T#"): row["holder"]["S"]
            for row in rows
            if row["sk"]["S"] == "LOCK" and "holder" in row
        }
        return sorted(remediations, key=lambda one: one.created), histories, held

    def _remediation(self, row: dict[str, Any]) -> Remediation:
        """The same row is read once."""
        known = self._read.get(row["pk"]["S"])
        if known is None or known[0] != row:
            known = self._read[row["pk"]["S"]] = (row, remediation_from(row))
        return known[1]

    def _check_live(self, remediations: list[Remediation]) -> None:
        """What is live on AWS is what some recorded step found or set."""
        if self.meddled:
            return
        steps = [step for one in remediations if one.plan for step in one.plan.steps]
        limits = [120, *(value for step in steps for value in (step.before, step.after))]
        assert self.house.reserved() in limits, f"{self.house.reserved()} is in no step"
        if self.joint:
            units = [{"read": 300, "write": 50}, *(value for step in steps for value in (step.before, step.after))]
            assert self.capacity() in units, f"{self.capacity()} is in no step"

    def _check_budget(self, histories: dict[str, list[str]]) -> None:
        rows = self.house.little.real.client("dynamodb").scan(TableName=TABLE)["Items"]
        used = {row["pk"]["S"]: int(row["used"]["N"]) for row in rows if row["sk"]["S"] == "SPENT" and "used" in row}
        # A page is the last resort: it waits for no budget.
        counted = {purse: count for purse, count in used.items() if not purse.startswith("B#open_incident/")}
        assert max(counted.values(), default=0) <= self.per_day, f"{counted} of {self.per_day} actions"
        acted = sum(any('"phase":"APPLYING"' in line for line in history) for history in histories.values())
        assert acted <= sum(used.values()), f"{acted} acted, {used} were paid for"

    def _check_effects(self, remediations: list[Remediation]) -> None:
        steps = [
            step
            for one in remediations
            if one.plan and one.status is not Status.OBSERVED
            for step in one.plan.steps
            if step.setting == "reserved concurrency"
        ]
        effects = self.house.little.effects
        raised = [effect for effect in effects if effect[1] > effect[0]]
        assert all(after <= 400 for _, after in effects), f"above the ceiling: {effects}"
        assert set(raised) <= {(step.before, step.after) for step in steps}, f"{raised} is in no plan"
        assert len(raised) <= len(steps), f"applied more often than planned: {effects}"
        for (before, after), name in list(zip(effects, self.house.little.changed, strict=True))[self._effects :]:
            if after < before:
                owners = [one for one in remediations if (after, before) in self._ways(one, name)]
                assert owners, f"{name}: {before} -> {after}: whose?"
                excused = self.reverts_asked_for or any(self._undid_a_failure(one, before, after) for one in owners)
                assert self._peak(name) <= 0.7 * after or excused, f"{name}: {after} is not enough yet"
        self._effects = len(effects)

    @staticmethod
    def _ways(one: Remediation, function: str) -> set[tuple[Any, Any]]:
        """The values that a remediation may go back between, (to, from). A change that was raised further goes back
        from its last value to the one before the first raise, at once."""
        if one.plan is None or one.target.name != function or one.status is Status.OBSERVED:
            return set()
        steps = [step for step in one.plan.steps if step.setting == "reserved concurrency"]
        ways = {(step.before, step.after) for step in steps}
        return ways | {(steps[0].before, step.after) for step in steps} if one.again_from else ways

    @staticmethod
    def _undid_a_failure(one: Remediation, before: Any, after: Any) -> bool:
        """Whether the remediation went back because it failed. A second raise that fails is undone alone: what was
        active before it stays, for it is escalated."""
        if one.plan is None or one.status not in (Status.FAILED, Status.ESCALATED):
            return False
        failed = one.plan.steps[one.again_from :]
        alone = one.status is Status.FAILED or one.again_from > 0
        return alone and (after, before) in {(step.before, step.after) for step in failed}

    def _peak(self, function: str) -> float:
        since = self.house.clock.now() - timedelta(seconds=self.hold_s - self.skew_s)
        points = self.house.metrics.points[f"{function}/ConcurrentExecutions"]
        return max((value for moment, value in points if moment >= since), default=0.0)

    def check_end(self, minutes: int) -> None:
        """What must hold when all is over, on AWS too."""
        self.house.little.products.settle()
        remediations, _, _ = self._books()
        left = {one.id: str(one.status) for one in remediations if not one.ended}
        assert not left, f"not over after {minutes} minutes: {left}"
        untold = [one.id for one in remediations if one.unpublished]
        assert not untold, f"nobody was told of {untold}"
        unanswered = [one.id for one in remediations if one.wish]
        assert not unanswered, f"wishes that nobody answered: {unanswered}"
        known = {(one.remediator, one.signal.id) for one in remediations}
        for name, event in self.delivered:
            signal = parse(event, self.house.watch.service)[0]
            assert (name, signal.id) in known or event in self.dead_letters, f"lost: {signal.id}"
        self._check_told(remediations)
        done = (Status.FAILED, Status.REVERTED, Status.SKIPPED, Status.OBSERVED)
        if self.meddled:
            return
        for kind, live, before in (
            ("function", self.house.reserved(), 120),
            *((("table", self.capacity(), {"read": 300, "write": 50}),) if self.joint else ()),
        ):
            if live != before and all(one.status in done for one in remediations if one.target.kind == kind):
                raise AssertionError(f"{live} stays in force, but no remediation says so")

    def _check_told(self, remediations: list[Remediation]) -> None:
        """Whoever must know knows."""
        told = {(message.get("id"), message["status"]) for message in self.house.little.real.client("sns").published}
        for one in remediations:
            worth = one.status in (Status.FAILED, Status.ESCALATED) or one.reason in WORTH_A_PERSON
            if worth and one.ended:
                assert (one.id, str(one.status)) in told, f"nobody knows that {one.id} is {one.status} ({one.reason})"


@dataclass
class _Ahead:
    """A clock that is ahead of another."""

    inner: ManualClock
    by: timedelta

    def now(self) -> datetime:
        return self.inner.now() + self.by


@pytest.fixture
def life() -> Life:
    return Life(paper_house(), hold_s=120)


@pytest.fixture
def make_life() -> Callable[..., Life]:
    """Makes lives one after the other, each in a house as new."""
    return lambda **how: Life(paper_house(), **{"hold_s": 120, **how})


@pytest.fixture
def make_products(house: House) -> Iterator[Callable[..., Products]]:
    """Makes the products table, provisioned or on demand, and gives what a test may know and set of it."""
    yield lambda *args, **changes: products_table(house, *args, **changes)
    client = house.little.real.client("application-autoscaling")
    for one in client.describe_scalable_targets(ServiceNamespace="dynamodb")["ScalableTargets"]:
        named = {key: one[key] for key in ("ServiceNamespace", "ResourceId", "ScalableDimension")}
        client.deregister_scalable_target(**named)


@pytest.fixture
def table_load(house: House) -> Callable[..., None]:
    """Sets the last five minutes of the table's metrics, units or events a second, over an hour of ordinary load."""
    return lambda **recent: table_calm(house, **recent)


@pytest.fixture
def fault() -> type[Fault]:
    return Fault


@pytest.fixture
def event() -> Callable[..., dict[str, Any]]:
    """Makes the EventBridge event of an alarm."""
    return alarm_event
