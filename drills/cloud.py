"""The embedded AWS of a drill: the service and its watch, created from their templates, and the functions run.

The handlers are the real ones, found by the deployed function's `Handler` and run under its environment; their boto
calls take effect here. What a Lambda service does around them is modelled: a cold start, tries again, the failure
destination.
"""

from __future__ import annotations

import importlib
import io
import json
import os
import random
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, redirect_stdout
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import time_machine
from moto import mock_aws

from alarms.spec import AlarmSpec, CompositeSpec
from deploy import embedded, sam
from deploy.embedded_throttling import Throttle, limited
from deploy.synth import synthesise
from drills import shims
from drills.metrics import MetricStore
from remediators import handler as entry
from remediators import registry
from sereno.model import Json
from sereno.service import Service

# Powertools keeps the stream that it found first, for the life of the process: there is one for all drills.
_STDOUT = io.StringIO()
# Application Auto Scaling makes alarms for itself, drives them itself, and ends their names in a random id, as the
# embedded AWS does: they are no part of a watch, and with them no drill would be exactly the same twice.
# https://docs.aws.amazon.com/autoscaling/application/userguide/target-tracking-scaling-policy-overview.html
AUTO_SCALINGS_OWN = "TargetTracking-"
PARAMETERS = {"CodeBucket": "sereno-code", "CodeKey": "sereno.zip"}


@dataclass
class Failure:
    """An invocation that raised: the event, and what Lambda would say."""

    event: Json
    error: str


@dataclass(frozen=True, slots=True)
class Rule:
    """A deployed EventBridge rule with the functions it invokes."""

    name: str
    pattern: Any | None
    schedule: str | None
    functions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Invocation:
    """The context object that a handler gets."""

    aws_request_id: str
    function_name: str
    deadline: float
    now: Callable[[], float]

    def get_remaining_time_in_millis(self) -> int:
        """What its calls to AWS have left of its timeout."""
        return max(0, round((self.deadline - self.now()) * 1000))


class TimedOut(BaseException):
    """Lambda ends an invocation at its timeout, wherever it is."""


@dataclass
class Travelling:
    """The virtual clock: a call of a handler moves it on, up to the handler's deadline (epoch seconds)."""

    traveller: time_machine.Traveller
    deadline: float = float("inf")

    def now(self) -> float:
        """Epoch seconds."""
        return datetime.now(UTC).timestamp()

    def wait(self, seconds: float) -> None:
        """Time passes. Raises TimedOut."""
        at = self.now() + seconds
        self.traveller.move_to(min(at, self.deadline))
        if at > self.deadline:
            raise TimedOut


@dataclass
class Cloud:
    """An AWS account in this process; made by `embedded_aws`."""

    service: Service
    answers: shims.Answers
    throttle: Throttle
    clock: Travelling
    config_path: Path
    created: embedded.Created
    clients: Callable[[str], Any]
    alarms: list[AlarmSpec] = field(default_factory=list)
    composites: list[CompositeSpec] = field(default_factory=list)
    rules: list[Rule] = field(default_factory=list)
    mailbox: str = ""
    invocations: int = 0
    deployed: dict[str, Json] = field(default_factory=dict)

    @property
    def arn_prefix(self) -> str:
        """Of an alarm's ARN, up to its name."""
        return f"arn:aws:cloudwatch:{self.service.region}:{self.service.account}:alarm:"

    def at(self, moment: float) -> None:
        """Moves the clock of everything in this process (epoch seconds)."""
        self.clock.traveller.move_to(moment)

    def ring(self, name: str, state: str, reason: str) -> None:
        """A metric alarm's new state, as DescribeAlarms will tell it."""
        self.clients("cloudwatch").set_alarm_state(AlarmName=name, StateValue=state, StateReason=reason[:1023])

    def matching(self, event: Json) -> list[tuple[str, str]]:
        """(rule, function) for every rule that matches an event."""
        return [
            (rule.name, function)
            for rule in self.rules
            if rule.pattern is not None and rule.pattern.matches_event(event)
            for function in rule.functions
        ]

    def invoke(self, function: str, event: Json) -> Failure | None:
        """Runs a deployed function's handler on an event, from now on; its calls take time, and what is over when it
        returns is told by `clock`. An exception is a failed invocation, and so is the end of its timeout."""
        self.invocations += 1
        if function not in self.deployed:
            self.deployed[function] = self.clients("lambda").get_function_configuration(FunctionName=function)
        deployed = self.deployed[function]
        module, _, name = deployed["Handler"].rpartition(".")
        self.clock.deadline = self.clock.now() + deployed["Timeout"]
        request = f"{function}-{self.invocations}"
        context = Invocation(request, function, self.clock.deadline, self.clock.now)
        environment = {**deployed["Environment"]["Variables"], "SERENO_CONFIG": str(self.config_path)}
        self.throttle.counts = True
        with _environment(environment), redirect_stdout(_STDOUT):
            try:
                getattr(importlib.import_module(module), name)(event, context)
            except TimedOut:
                return Failure(event, f"Task timed out after {deployed['Timeout']}.00 seconds")
            except Exception as error:
                return Failure(event, f"{type(error).__name__}: {error}")
            finally:
                self.throttle.counts = False
                self.clock.deadline = float("inf")
        return None

    def printed(self) -> Iterator[Json]:
        """The log lines written since the last call, read as JSON."""
        text = _STDOUT.getvalue()
        _STDOUT.seek(0)
        _STDOUT.truncate()
        for line in text.splitlines():
            try:
                yield json.loads(line)
            except ValueError:
                yield {"message": line}

    def messages(self) -> Iterator[Json]:
        """What was published on the topic since the last call."""
        sqs = self.clients("sqs")
        while True:
            answer = sqs.receive_message(QueueUrl=self.mailbox, MaxNumberOfMessages=10)
            found = answer.get("Messages", [])
            if not found:
                return
            for one in found:
                sqs.delete_message(QueueUrl=self.mailbox, ReceiptHandle=one["ReceiptHandle"])
                yield json.loads(one["Body"])

    def reserved(self, function: str) -> int | None:
        """The reserved concurrency now."""
        found = self.clients("lambda").get_function_concurrency(FunctionName=function)
        value = found.get("ReservedConcurrentExecutions")
        return int(value) if value is not None else None

    def reserved_by_others(self, own: set[str]) -> int:
        """What functions beside the service's `own` have reserved."""
        listed = self.clients("lambda").list_functions()["Functions"]
        return sum(self.reserved(one["FunctionName"]) or 0 for one in listed if one["FunctionName"] not in own)

    def dead_letter(self, body: Json) -> None:
        """An event that nobody could take."""
        self.clients("sqs").send_message(QueueUrl=self.created.physical("DeadLetters"), MessageBody=json.dumps(body))

    def dead_letters(self) -> int:
        """How many there are."""
        answer = self.clients("sqs").get_queue_attributes(
            QueueUrl=self.created.physical("DeadLetters"), AttributeNames=["ApproximateNumberOfMessages"]
        )
        return int(answer["Attributes"]["ApproximateNumberOfMessages"])

    def tell(self, subject: str, body: Json) -> None:
        """CloudWatch's own word to people."""
        self.clients("sns").publish(
            TopicArn=self.created.physical("People"), Subject=subject[:99], Message=json.dumps(body)
        )


@contextmanager
def embedded_aws(
    service: Service,
    compiled: Json,
    service_template: Path,
    store: MetricStore,
    start: float,
    *,
    fast: bool,
    quota: int,
    seed: int = 1,
    prepare: Callable[[Cloud], None] = lambda _: None,
) -> Iterator[Cloud]:
    """An account with the service and its watch, at the moment `start` (epoch seconds).

    The service comes from its SAM template, the watch from the synthesised one; what the embedded AWS cannot create
    is an error (see `deploy.embedded`). Its control planes turn callers away as AWS's do (`deploy.embedded_rates`);
    the seed draws how long these wait before they try again. `prepare` makes of the account what a scenario wants,
    before the watch looks.
    """
    with ExitStack() as stack:
        stack.enter_context(credentials(service.account))
        traveller = stack.enter_context(time_machine.travel(datetime.fromtimestamp(start, UTC), tick=False))
        stack.enter_context(mock_aws(config=embedded.MOCK_CONFIG))
        clock = Travelling(traveller)
        # Only what handlers ask for counts: the drill itself reads its account without being a caller in it.
        throttle = Throttle(time=clock, draw=random.Random(seed).random, counts=False)
        stack.enter_context(limited(throttle))
        clients = _clients(service.region)
        answers = shims.Answers(store, clock.now, quota)
        stack.enter_context(shims.installed(answers))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        config_path = folder / "sereno.json"
        config_path.write_text(json.dumps(compiled))
        _stack("service", translated(service_template, service, fast=fast), service)
        template = synthesise(service, compiled, remediators=registry.all_remediators())
        created = _stack("sereno", template, service, PARAMETERS)
        cloud = Cloud(service, answers, throttle, clock, config_path, created, clients)
        _look_around(cloud, template)
        prepare(cloud)
        stack.callback(entry._watches.clear)
        entry._watches.clear()
        yield cloud


def translated(template: Path, service: Service, *, fast: bool) -> Json:
    """CloudFormation's own template of a SAM template; `fast` has the service publish its demand each ten seconds.
    It is shared: nobody may change it."""
    return _translated(template, template.stat().st_mtime_ns, service.region, service.account, fast)


@lru_cache(maxsize=8)
def _translated(template: Path, _: int, region: str, account: str, fast: bool) -> Json:
    """Both runs of a drill need it, and every seed."""
    return sam.translate(template, {"DemandMetric": "1"} if fast else {}, region=region, account=account)


def credentials(account: str) -> AbstractContextManager[None]:
    """While this holds, whatever makes a client finds credentials, and the embedded AWS plays this account."""
    return _environment({**_CREDENTIALS, "MOTO_ACCOUNT_ID": account})


_CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "embedded",
    "AWS_SECRET_ACCESS_KEY": "embedded",
    "AWS_SESSION_TOKEN": "embedded",
    "AWS_EC2_METADATA_DISABLED": "true",
}


def _stack(
    name: str, template: Json, service: Service, parameters: Mapping[str, str] | None = None
) -> embedded.Created:
    return embedded.create_stack(
        name, template, region=service.region, account=service.account, parameters=parameters
    )


def _clients(region: str) -> Callable[[str], Any]:
    import boto3

    session, made = boto3.Session(region_name=region), {}

    def client(service: str) -> Any:
        if service not in made:
            made[service] = session.client(service)
        return made[service]

    return client


def _look_around(cloud: Cloud, template: Json) -> None:
    """Reads back what was deployed: alarms, rules; and subscribes a mailbox to the topics."""
    for page in cloud.clients("cloudwatch").get_paginator("describe_alarms").paginate():
        cloud.alarms += [
            AlarmSpec.from_api(_with_tags(one, template))
            for one in page["MetricAlarms"]
            if not one["AlarmName"].startswith(AUTO_SCALINGS_OWN)
        ]
    cloud.composites = [CompositeSpec.from_api(one) for one in cloud.created.composites.values()]
    cloud.rules = list(_rules(cloud))
    sqs, sns = cloud.clients("sqs"), cloud.clients("sns")
    cloud.mailbox = sqs.create_queue(QueueName="drill-mailbox")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=cloud.mailbox, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    for topic in ("Topic", "People"):
        sns.subscribe(TopicArn=cloud.created.physical(topic), Protocol="sqs", Endpoint=arn)


def _with_tags(described: Json, template: Json) -> Json:
    """DescribeAlarms gives no tags, and the embedded AWS forgets the warm-up; the deployed template has both."""
    for resource in template["Resources"].values():
        properties = resource.get("Properties", {})
        if properties.get("AlarmName") == described["AlarmName"]:
            kept = {name: properties[name] for name in ("Tags", "WarmUpConfiguration") if name in properties}
            return {**described, **kept}
    return described


def _rules(cloud: Cloud) -> Iterator[Rule]:
    from moto.events.models import EventPattern

    events = cloud.clients("events")
    for rule in events.list_rules()["Rules"]:
        targets = events.list_targets_by_rule(Rule=rule["Name"])["Targets"]
        text = rule.get("EventPattern")
        yield Rule(
            name=rule["Name"],
            pattern=EventPattern.load(text) if text else None,
            schedule=rule.get("ScheduleExpression"),
            functions=tuple(target["Arn"].rsplit(":", 1)[1] for target in targets),
        )


@contextmanager
def _environment(wanted: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, text in before.items():
            if text is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = text
