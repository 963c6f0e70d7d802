"""One night at the shop: its function, its ledger and its metrics on moto, and the `sereno` command beside them."""

from __future__ import annotations

import io
import json
import math
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from moto import mock_aws
from typer.testing import CliRunner, Result

from console.main import app
from deploy import config as configuration
from drills import shims
from drills.metrics import MetricStore
from remediators import flow
from remediators import round as rounds
from remediators.clients import BotocoreAws
from remediators.ledger import Ledger
from remediators.outbox import Outbox
from remediators.watch import SystemClock, Watch
from sereno.lifecycle import Remediation
from sereno.model import Mode, iso
from sereno.signal import parse
from sereno.testing import CollectedTelemetry

ACCOUNT, REGION, TABLE = "123456789012", "eu-west-1", "sereno-shop-ledger"
TEN = datetime(2026, 9, 29, 22, 0, tzinfo=UTC)
READ = {"FunctionName": "shop-read"}
MINUTE = 60

CONFIG = """\
service: shop
account: "123456789012"
region: eu-west-1
objectives: {{surge: 9x}}
resources:
  functions:
    read: {{name: shop-read, reserved: 120, normal: 16}}
mode: {mode}
playbook:
  exhaustion: {{hold: 15m, limits: {{ceiling: 400}}}}
notifications:
  emails: [oncall@example.com]
"""


def run(*arguments: object, columns: int = 100) -> Result:
    """The command as a person runs it; standard output and standard error apart."""
    return CliRunner(env={"COLUMNS": str(columns), "NO_COLOR": "1"}).invoke(app, [str(one) for one in arguments])


@pytest.fixture
def command() -> Callable[..., Result]:
    """`sereno` in this process."""
    return run


@dataclass
class Night:
    """The shop under watch, and the clock of everything in this process."""

    config: Path
    clock: time_machine.Traveller
    metrics: MetricStore
    watch: Watch

    def sereno(self, *arguments: object, columns: int = 100) -> str:
        """Runs the command, which must go well, and gives its text."""
        result = run(*arguments, "--config", self.config, columns=columns)
        assert result.exit_code == 0, result.output
        return result.stdout

    def sereno_json(self, *arguments: object) -> Any:
        """The same with `--json`: nothing but one document on standard output."""
        return json.loads(self.sereno(*arguments, "--json"))

    def refused(self, *arguments: object) -> str:
        """Runs the command, which must refuse with exit code 1, and gives its sentence."""
        result = run(*arguments, "--config", self.config)
        assert result.exit_code == 1, result.output
        assert result.stdout == ""
        return result.stderr

    def refused_after_evidence(self, *arguments: object) -> str:
        """The same where something was shown before."""
        result = run(*arguments, "--config", self.config)
        assert result.exit_code == 1, result.output
        return result.stderr

    def wrong(self, *arguments: object) -> str:
        """Runs the command, which must call the input bad with exit code 2, and gives its sentence."""
        result = run(*arguments, "--config", self.config)
        assert result.exit_code == 2, result.output
        return result.stderr

    def forward(self, **span: float) -> None:
        """Time passes."""
        self.clock.shift(timedelta(**span))

    def reserved(self) -> int | None:
        """The function's reserved concurrency on AWS."""
        answer = self.watch.aws.client("lambda").get_function_concurrency(FunctionName="shop-read")
        return answer.get("ReservedConcurrentExecutions")

    def surge(self) -> None:
        """An hour of 106 calls a second, and three times that in the last five minutes."""
        self._traffic(lambda ago: 318 if ago <= 5 else 106)

    def calm(self) -> None:
        """The hour before now was an ordinary one."""
        self._traffic(lambda ago: 106)

    def _traffic(self, rate: Any) -> None:
        end = math.floor(datetime.now(UTC).timestamp() / MINUTE) * MINUTE
        for ago in range(60, 0, -1):
            start, calls = float(end - ago * MINUTE), rate(ago) * MINUTE
            self._put("Invocations", start, calls, calls)
            self._put("Throttles", start, 0, calls)
            self._put("Duration", start, 150 * calls, calls, each=150)
            self._put("ConcurrentExecutions", start, calls * 0.15 / 60, 1)

    def _put(self, name: str, start: float, total: float, count: float, each: float | None = None) -> None:
        level = total if each is None else each
        facts: dict[str, Any] = {"total": total, "count": count, "minimum": level, "maximum": level}
        self.metrics.put("AWS/Lambda", name, READ, start, 60, visible_at=start + 60, **facts)

    def alarm(self) -> Remediation:
        """The read function's exhaustion alarm rings now, and Sereno answers."""
        name, at = "shop/read/exhaustion", datetime.now(UTC)
        event = {
            "source": "aws.cloudwatch",
            "detail-type": "CloudWatch Alarm State Change",
            "account": ACCOUNT,
            "region": REGION,
            "resources": [f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:{name}"],
            "detail": {
                "alarmName": name,
                "state": {"value": "ALARM", "reason": "forecast 161 over 84", "timestamp": iso(at)},
                "previousState": {"value": "OK", "timestamp": iso(at - timedelta(minutes=5))},
            },
        }
        found = flow.start(self.watch, parse(event, self.watch.service)[0], "raise_concurrency")
        assert found is not None
        return found

    def round(self) -> None:
        """The round's next minute."""
        self.forward(seconds=61)
        rounds.make(self.watch)


@pytest.fixture
def night(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Night]:
    """A night in approve mode, or in the one that `@pytest.mark.parametrize("night", [...], indirect=True)` says."""
    config = tmp_path / "sereno.yaml"
    config.write_text(CONFIG.format(mode=getattr(request, "param", Mode.APPROVE)))
    metrics = MetricStore()
    with ExitStack() as stack:
        clock = stack.enter_context(time_machine.travel(TEN, tick=False))
        stack.enter_context(mock_aws(config={"lambda": {"use_docker": False}}))
        aws = BotocoreAws(REGION)
        answers = shims.Answers(metrics, lambda: datetime.now(UTC).timestamp())
        stack.enter_context(shims.installed(answers))
        # Made anew, as clients see only the shims that were there when their session was made.
        aws = BotocoreAws(REGION)
        _furnish(aws)
        topic = aws.client("sns").create_topic(Name="sereno-shop")["TopicArn"]
        watch = Watch(
            service=configuration.service(config),
            ledger=Ledger(aws.client("dynamodb"), TABLE, "shop", sleep=lambda _: None),
            aws=aws,
            clock=SystemClock(),
            outbox=Outbox(aws.client("sns"), topic),
            telemetry=CollectedTelemetry(),
        )
        found = Night(config, clock, metrics, watch)
        found.surge()
        yield found


def _furnish(aws: BotocoreAws) -> None:
    """The ledger and the function, as their templates make them."""
    aws.client("dynamodb").create_table(
        TableName=TABLE,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        AttributeDefinitions=[
            {"AttributeName": name, "AttributeType": kind}
            for name, kind in (("pk", "S"), ("sk", "S"), ("open", "S"), ("due_at", "N"))
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
    aws.client("cloudwatch").put_metric_alarm(
        AlarmName="shop/read/exhaustion",
        Namespace="AWS/Lambda",
        MetricName="ConcurrentExecutions",
        Dimensions=[{"Name": "FunctionName", "Value": "shop-read"}],
        Statistic="Maximum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=100.0,
        ComparisonOperator="GreaterThanThreshold",
    )
    role = aws.client("iam").create_role(RoleName="shop-read", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("app.py", "def handler(event, context): return {}\n")
    client = aws.client("lambda")
    client.create_function(
        FunctionName="shop-read",
        Runtime="python3.12",
        Role=role,
        Handler="app.handler",
        Code={"ZipFile": code.getvalue()},
    )
    client.put_function_concurrency(FunctionName="shop-read", ReservedConcurrentExecutions=120)
