"""From an alarm's event to a published result, with an AWS that answers at once: what is left is our own code."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import Any

from benchmarks.measure import Row, Size, Target, milliseconds, paired
from benchmarks.techmoda import compiled
from remediators import flow, registry
from remediators.ledger import Ledger
from remediators.outbox import Outbox
from remediators.telemetry import PowertoolsTelemetry
from remediators.watch import Watch
from sereno.lifecycle import Remediation
from sereno.model import Json, Mode, Status, iso
from sereno.service import Service
from sereno.signal import parse
from sereno.testing import ManualClock

NAME = "raise_concurrency"
NOON = datetime(2026, 11, 24, 12, 0, 30, tzinfo=UTC)


@dataclass
class InstantAws:
    """Answers at once what a surge on `techmoda-read` looks like, and keeps what was written and published."""

    points: dict[str, list[tuple[datetime, float]]]
    rows: list[Json] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)

    def client(self, service: str, region: str | None = None) -> InstantAws:  # noqa: ARG002 - one for all
        return self

    def batch_get_item(self, **_: Any) -> Json:
        return {"Responses": {}}

    def update_item(self, **_: Any) -> Json:
        """The incident is opened and joined."""
        return {}

    def transact_write_items(self, TransactItems: list[Json]) -> Json:  # noqa: N803 - AWS's spelling
        self.rows += TransactItems
        return {}

    def get_function(self, **_: Any) -> Json:
        settings = {"State": "Active", "LastUpdateStatus": "Successful", "MemorySize": 512}
        return {"Configuration": settings, "Concurrency": {"ReservedConcurrentExecutions": 120}}

    def get_account_settings(self) -> Json:
        return {"AccountLimit": {"ConcurrentExecutions": 1000, "UnreservedConcurrentExecutions": 820}}

    def get_function_concurrency(self, **_: Any) -> Json:
        return {"ReservedConcurrentExecutions": 120}

    def put_function_concurrency(self, ReservedConcurrentExecutions: int, **_: Any) -> Json:  # noqa: N803 - AWS's
        return {"ReservedConcurrentExecutions": ReservedConcurrentExecutions}

    def get_metric_data(self, MetricDataQueries: list[Json], **_: Any) -> Json:  # noqa: N803 - AWS's spelling
        found = []
        for query in MetricDataQueries:
            points = self.points[query["MetricStat"]["Metric"]["MetricName"]]
            moments, values = [moment for moment, _ in points], [value for _, value in points]
            found.append({"Id": query["Id"], "Timestamps": moments, "Values": values})
        return {"MetricDataResults": found}

    def publish(self, Message: str, **_: Any) -> Json:  # noqa: N803 - AWS's spelling
        self.messages.append(Message)
        return {}


def event(account: str, region: str) -> Json:
    """EventBridge's event of an alarm that has just gone red."""
    name, at = "techmoda/read/exhaustion", iso(NOON - timedelta(seconds=3))
    return {
        "version": "0",
        "id": "6d89f7a1-8d0b-4fb4-9a0e-4b1d3f0c2e57",
        "detail-type": "CloudWatch Alarm State Change",
        "source": "aws.cloudwatch",
        "account": account,
        "region": region,
        "time": at,
        "resources": [f"arn:aws:cloudwatch:{region}:{account}:alarm:{name}"],
        "detail": {
            "alarmName": name,
            "state": {"value": "ALARM", "reason": "the limit is reached within minutes", "timestamp": at},
            "previousState": {"value": "OK", "timestamp": iso(NOON - timedelta(hours=5))},
        },
    }


def surge() -> dict[str, list[tuple[datetime, float]]]:
    """An hour of minutes by metric name; traffic has tripled in the last five."""
    minutes = [NOON.replace(second=0) - timedelta(minutes=ago) for ago in range(60, 0, -1)]
    traffic = [6360.0] * 55 + [19080.0] * 5
    return {
        "Invocations": list(zip(minutes, traffic, strict=True)),
        "Throttles": [(minute, 0.0) for minute in minutes],
        "Duration": [(minute, 150.0) for minute in minutes],
        "DemandMs": [],
        # What the other functions of the account use of its unreserved pool.
        "UnreservedConcurrentExecutions": [(minute, 60.0) for minute in minutes],
    }


def make_watch(aws: InstantAws) -> Watch:
    """TechModa in `auto`, with Powertools writing to whatever stdout is now."""
    service = Service.from_json(compiled())
    plays = {what: replace(play, mode=Mode.AUTO) for what, play in service.playbook.items()}
    service = replace(service, playbook=plays)
    return Watch(
        service=service,
        ledger=Ledger(aws, "ledger", service.name),
        aws=aws,
        clock=ManualClock(NOON),
        outbox=Outbox(aws, "arn:aws:sns:eu-west-1:123456789012:sereno-techmoda"),
        telemetry=PowertoolsTelemetry(service.name),
    )


def one_signal(watch: Watch, raw: Json) -> Remediation:
    """The whole way. Raises AssertionError when the surge was not answered: then nothing worth a figure was run."""
    (signal,) = parse(raw, watch.service)
    remediation = flow.start(watch, signal, NAME)
    watch.telemetry.flush()
    assert remediation is not None, "the signal was taken for a double"
    assert remediation.status is Status.VERIFYING, f"{remediation.status}: {remediation.detail}"
    return remediation


def run(size: Size) -> list[Row]:
    """The whole way, beside the least that must be done: writing the same rows and the same message as JSON."""
    times = max(1, round(200 * size.load))
    with redirect_stdout(io.StringIO()):
        aws = InstantAws(surge())
        watch = make_watch(aws)
        raw = event(watch.service.account, watch.service.region)
        one_signal(watch, raw)
        written, published = list(aws.rows), list(aws.messages)

        def whole() -> None:
            aws.rows.clear()
            aws.messages.clear()
            one_signal(watch, raw)

        def floor() -> None:
            json.dumps(written)
            json.dumps(published)

        ours, theirs = paired(size.pairs, milliseconds(whole, times), milliseconds(floor, times))
        note = _phases(watch, raw, max(1, times // 4))
    return [Row("own_code", "ms", ours, theirs, "its rows and message as JSON", Target(figure=2.0), note)]


def _phases(watch: Watch, raw: Json, times: int) -> str:
    """The share of each part, in ms."""
    (signal,) = parse(raw, watch.service)
    remediation = one_signal(watch, raw)
    remediator = registry.load(NAME)
    context = watch.context(remediation, remediator)
    observation = remediator.observe(watch.aws, context)
    parts: dict[str, Callable[[], object]] = {
        "parse": lambda: parse(raw, watch.service),
        "observe": lambda: remediator.observe(watch.aws, context),
        "plan": lambda: remediator.plan(observation, context),
        "all of it": lambda: flow.start(watch, signal, NAME),
        "metrics": lambda: _count(watch),
    }
    return ", ".join(f"{name} {_median_ms(work, times):.2f}" for name, work in parts.items())


def _count(watch: Watch) -> None:
    watch.telemetry.count("Remediation", status="VERIFYING", remediator=NAME)
    watch.telemetry.flush()


def _median_ms(work: Callable[[], object], times: int) -> float:
    found = []
    for _ in range(times):
        begin = time.perf_counter()
        work()
        found.append((time.perf_counter() - begin) * 1000)
    return median(found)
