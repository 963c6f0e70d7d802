"""TechModa's read function, the ledger and the topic on moto, with a clock that only tests move."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from moto import mock_aws

from remediators.clients import BotocoreAws
from remediators.ledger import Ledger
from remediators.outbox import Outbox
from remediators.watch import Watch
from sereno.model import Mode, Signal, iso
from sereno.service import Api, Function, Objectives, Play, Service
from sereno.signal import parse
from sereno.testing import CollectedTelemetry, ManualClock, WatchedAws

ACCOUNT, REGION = "123456789012", "eu-west-1"
NOON = datetime(2026, 9, 29, 12, 0, tzinfo=UTC)
TABLE = "sereno-techmoda-ledger"
SURGE = ("raise_concurrency", "open_incident")


def service(mode: Mode = Mode.AUTO, **changes: Any) -> Service:
    plays = {
        what: Play(what, SURGE, mode, params={"ceiling": 400}) for what in ("exhaustion", "saturation", "throttles")
    }
    plays["burn-fast"] = Play("burn-fast", ("open_incident",), mode)
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
    """What GetMetricData answers: minutely points, set by a test. Stands in for moto's, which knows no clock."""

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
            name = query["MetricStat"]["Metric"]["MetricName"]
            found = [p for p in self.points.get(name, []) if params["StartTime"] <= p[0] < params["EndTime"]]
            results.append({"Id": query["Id"], "Timestamps": [p[0] for p in found], "Values": [p[1] for p in found]})
        return {"MetricDataResults": results}


class LittleAws:
    """moto behind botocore, with the answers moto cannot give: metrics at a moment, account settings, OpsItems."""

    def __init__(self, metrics: Metrics) -> None:
        self.real = BotocoreAws(REGION)
        self.metrics = metrics
        self.ops_items: list[dict[str, Any]] = []
        self.quota = 1000

    def client(self, name: str, region: str | None = None) -> Any:
        if name == "ssm":
            return _OpsCenter(self.ops_items)
        if name == "cloudwatch":
            return _CloudWatch(self.real.client(name, region), self.metrics)
        if name == "lambda":
            return _Lambda(self.real.client(name, region), self)
        return self.real.client(name, region)


@dataclass
class _CloudWatch:
    real: Any
    metrics: Metrics

    def get_metric_data(self, **params: Any) -> Any:
        return self.metrics.answer(params)

    def describe_alarms(self, **params: Any) -> Any:
        return self.real.describe_alarms(**params)


@dataclass
class _Lambda:
    """moto's Lambda, and the account's settings, which moto does not know."""

    real: Any
    little: LittleAws

    def __getattr__(self, operation: str) -> Any:
        return getattr(self.real, operation)

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
class _OpsCenter:
    items: list[dict[str, Any]]

    def create_ops_item(self, **params: Any) -> Any:
        self.items.append({**params, "OpsItemId": f"oi-{len(self.items):012d}", "Status": "Open"})
        return {"OpsItemId": self.items[-1]["OpsItemId"]}

    def describe_ops_items(self, **params: Any) -> Any:
        return {"OpsItemSummaries": list(self.items)}


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

    def reserved(self, name: str = "techmoda-read") -> int | None:
        answer = self.little.real.client("lambda").get_function_concurrency(FunctionName=name)
        return answer.get("ReservedConcurrentExecutions")

    def set_reserved(self, value: int, name: str = "techmoda-read") -> None:
        self.little.real.client("lambda").put_function_concurrency(
            FunctionName=name, ReservedConcurrentExecutions=value
        )

    def signal(self, what: str = "exhaustion", resource: str = "read", at: datetime | None = None) -> Signal:
        return parse(alarm_event(what, resource, at or self.clock.now()), self.watch.service)[0]

    def messages(self) -> list[dict[str, Any]]:
        answer = self.little.real.client("sqs").receive_message(
            QueueUrl=self.mailbox, MaxNumberOfMessages=10, VisibilityTimeout=3600
        )
        return [json.loads(json.loads(one["Body"])["Message"]) for one in answer.get("Messages", [])]

    def on(self, **changes: Any) -> Watch:
        """The same house under another configuration."""
        from dataclasses import replace

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


@pytest.fixture
def house() -> Iterator[House]:
    with mock_aws(config={"lambda": {"use_docker": False}}):
        yield build_house()


def build_house() -> House:
    """Inside an active mock_aws."""
    clock, metrics = ManualClock(NOON), Metrics()
    little = LittleAws(metrics)
    real = little.real
    create_ledger(real.client("dynamodb"))
    create_function(real, "techmoda-read", 120)
    create_function(real, "techmoda-write", 40)
    topic = real.client("sns").create_topic(Name="sereno-techmoda")["TopicArn"]
    sqs = real.client("sqs")
    mailbox = sqs.create_queue(QueueName="mailbox")["QueueUrl"]
    real.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=f"arn:aws:sqs:{REGION}:{ACCOUNT}:mailbox")
    aws, telemetry = WatchedAws(little), CollectedTelemetry()
    watch = Watch(
        service=service(),
        ledger=Ledger(aws.client("dynamodb"), TABLE, "techmoda", sleep=lambda _: None),
        aws=aws,
        clock=clock,
        outbox=Outbox(aws.client("sns"), topic),
        telemetry=telemetry,
        owner="invocation-1",
    )
    house = House(clock, metrics, little, aws, watch, telemetry, topic, mailbox)
    house.surge()
    return house
