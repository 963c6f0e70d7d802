"""Sereno on the emulator: the template that `sereno synth` makes, and the zip that `sereno package` makes."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from deploy import config, package, synth
from deploy.synth import names
from proving import stack
from proving.differences import BELL
from proving.emulator import ROOT, Emulator
from remediators import registry
from remediators.ledger import Ledger
from sereno.lifecycle import Remediation
from sereno.model import Json, Status
from sereno.service import Service

EXAMPLE = ROOT / "examples" / "techmoda" / "sereno.yaml"
# The shortest that the configuration takes.
HOLD = "1m"
ANSWERED_WITHIN_S = 60.0
# A surge that meets the function meets its table next: on throttles both are raised together.
LADDERS: Mapping[str, Json] = {
    "exhaustion": ["raise_concurrency", "open_incident"],
    "throttles": [["raise_concurrency", "raise_capacity"], "open_incident"],
}
# What EventBridge sends when the schedule is due.
# https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-run-lambda-schedule.html
TICK = {"version": "0", "detail-type": "Scheduled Event", "source": "aws.events", "detail": {}}


@dataclass(frozen=True, slots=True)
class Shipped:
    """What a user deploys."""

    service: Service
    template: Json
    package: Path


def ship(place: Path) -> Shipped:
    """The example's configuration with the shortest hold, synthesised and packaged."""
    raw = yaml.safe_load(EXAMPLE.read_text(encoding="utf-8"))
    # The file writes some plays once and refers to them: here each is its own.
    plays = {what: dict(play) for what, play in raw["playbook"].items() if isinstance(play, dict)}
    for what, ladder in LADDERS.items():
        plays[what]["remediators"] = ladder
    raw["playbook"] |= {what: {**play, "hold": HOLD} for what, play in plays.items()}
    compiled = config.compile_config(config.parse(yaml.safe_dump(raw)))
    service = Service.from_json(compiled)
    template = synth.synthesise(service, compiled, remediators=registry.all_remediators())
    # As a file holds it: what is deployed has been text before.
    return Shipped(service, json.loads(synth.text(template)), package.build(place / "sereno.zip", compiled))


@dataclass(frozen=True, slots=True)
class Mail:
    """What came by the topics: news for machines, alarms that CloudWatch told of by itself, and what the notifier
    wrote to people, as (subject, text)."""

    news: list[Json]
    alarms: list[Json]
    texts: list[tuple[str, str]]


@dataclass(slots=True, repr=False)
class Watch:
    """The running watch, and the people who hear from it."""

    emulator: Emulator
    service: Service
    stack: stack.Stack
    ledger: Ledger
    mailbox: str

    def ring(self, alarm: str, reason: str) -> Json:
        """The alarm goes red, and EventBridge tells of it; the event, as the remediator's function gets it.

        What the event says is what CloudWatch says of the alarm. Only the telling is done here (see `differences`).
        """
        cloudwatch = self.emulator.client("cloudwatch")
        before = self._alarm(alarm)["StateValue"]
        cloudwatch.set_alarm_state(AlarmName=alarm, StateValue="ALARM", StateReason=reason)
        red = self._alarm(alarm)
        # https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch-and-eventbridge.html
        stamp = red["StateUpdatedTimestamp"].strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "+0000"
        detail = {
            "alarmName": alarm,
            "state": {"value": red["StateValue"], "reason": red["StateReason"], "timestamp": stamp},
            "previousState": {"value": before},
        }
        entry = {
            "Source": BELL,
            "DetailType": "CloudWatch Alarm State Change",
            "Resources": [red["AlarmArn"]],
            "Detail": json.dumps(detail),
        }
        answer = self.emulator.client("events").put_events(Entries=[entry])
        assert answer["FailedEntryCount"] == 0, answer
        return entry

    def calm(self, alarm: str) -> None:
        """The alarm goes back to OK; nothing is told of it, as no rule of the watch asks."""
        self.emulator.client("cloudwatch").set_alarm_state(AlarmName=alarm, StateValue="OK", StateReason="calm")

    def was_busy(self, function: str, executions: int) -> None:
        """The most executions at once in this minute: of Lambda's metrics the one that the emulator does not publish.

        When data is put it judges all alarms in its own way (see `test_contract.py`); those stay as they were.
        """
        cloudwatch = self.emulator.client("cloudwatch")
        cloudwatch.put_metric_data(
            Namespace="AWS/Lambda",
            MetricData=[
                {
                    "MetricName": "ConcurrentExecutions",
                    "Dimensions": [{"Name": "FunctionName", "Value": function}],
                    "Timestamp": self.emulator.clock.now(),
                    "Value": executions,
                }
            ],
        )
        self.all_calm()

    def all_calm(self) -> None:
        """Every alarm on a metric is OK; those that follow others do so by themselves."""
        for alarm in self.emulator.client("cloudwatch").describe_alarms(StateValue="ALARM")["MetricAlarms"]:
            self.calm(alarm["AlarmName"])

    def _alarm(self, name: str) -> Json:
        found = self.emulator.client("cloudwatch").describe_alarms(AlarmNames=[name], AlarmTypes=list(KINDS))
        (alarm,) = (*found.get("MetricAlarms", ()), *found.get("CompositeAlarms", ()))
        return dict(alarm)

    def remediation(self, remediator: str, alarm: str, *statuses: Status) -> Remediation:
        """The remediation of this alarm once it has one of these statuses. Raises AssertionError when it has not in
        time, with what the ledger and the functions' log say."""
        until = time.monotonic() + ANSWERED_WITHIN_S
        while True:
            found = [one for one in self.remediations() if (one.remediator, one.signal.name) == (remediator, alarm)]
            if found and found[-1].status in statuses:
                return found[-1]
            if time.monotonic() > until:
                known = [f"{one.id} {one.status}: {one.detail}" for one in found]
                raise AssertionError("\n".join([f"not {', '.join(statuses)}", *known, self._log(remediator)[-3000:]]))
            time.sleep(0.1)

    def remediations(self) -> list[Remediation]:
        """All of the ledger, oldest first."""
        day = f"{self.emulator.clock.now():%Y-%m-%d}"
        return [one for id_ in self.ledger.day(day) if (one := self.ledger.get(id_)) is not None]

    def round(self) -> Json:
        """The round's function, invoked as its schedule would; what it did."""
        answer = self.emulator.client("lambda").invoke(
            FunctionName=names.round_function(self.service), Payload=json.dumps(TICK).encode()
        )
        said: Json = json.load(answer["Payload"])
        assert "FunctionError" not in answer, f"{said}\n{self._log('round')[-3000:]}"
        return said

    def mail(self) -> Mail:
        """What people got since they last looked, oldest first."""
        sqs, found, texts = self.emulator.client("sqs"), [], []
        while True:
            answer = sqs.receive_message(QueueUrl=self.mailbox, MaxNumberOfMessages=10)
            if not answer.get("Messages"):
                break
            for message in answer["Messages"]:
                envelope = json.loads(message["Body"])
                try:
                    found.append(json.loads(envelope["Message"]))
                except ValueError:
                    texts.append((envelope.get("Subject", ""), envelope["Message"]))
                sqs.delete_message(QueueUrl=self.mailbox, ReceiptHandle=message["ReceiptHandle"])
        told = (one for one in found if one.get("kind") == "remediation")
        news = sorted(told, key=lambda one: str(one["key"]))
        return Mail(news, [one for one in found if "AlarmName" in one], texts)

    def dead_letters(self) -> list[Json]:
        """What nobody could take; it stays in the queue."""
        url = self.stack.outputs["DeadLetters"]
        answer = self.emulator.client("sqs").receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=0
        )
        return [json.loads(one["Body"]) for one in answer.get("Messages", ())]

    def burn_dead_letters(self) -> None:
        """Empties the queue."""
        self.emulator.client("sqs").purge_queue(QueueUrl=self.stack.outputs["DeadLetters"])

    def rounds_completed(self) -> int:
        """How many rounds said at their end that they were completed."""
        return self._log("round").count('"RoundCompleted":[1.0]')

    def _log(self, function: str) -> str:
        group = f"/aws/lambda/{names.function(self.service, function)}"
        logs = self.emulator.client("logs")
        events = logs.filter_log_events(logGroupName=group)["events"]
        return "\n".join(one["message"] for one in events)


KINDS = ("MetricAlarm", "CompositeAlarm")


def deploy(emulator: Emulator, shipped: Shipped) -> stack.Stack:
    """Deploys what was shipped."""
    code = stack.zip_up(emulator, "sereno.zip", shipped.package)
    parameters = {"CodeBucket": code["S3Bucket"], "CodeKey": code["S3Key"], "Runtime": package.runtime()}
    return stack.create(emulator, "sereno-techmoda", shipped.template, **parameters)


def stand_watch(emulator: Emulator, shipped: Shipped) -> Watch:
    """Deploys what was shipped, with a mailbox subscribed to the topic for people."""
    stands = deploy(emulator, shipped)
    sqs, sns = emulator.client("sqs"), emulator.client("sns")
    mailbox = sqs.create_queue(QueueName="people")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=mailbox, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    statement = {"Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:SendMessage"}
    policy = {"Version": "2012-10-17", "Statement": [{**statement, "Resource": arn}]}
    sqs.set_queue_attributes(QueueUrl=mailbox, Attributes={"Policy": json.dumps(policy)})
    for topic in ("Topic", "People"):
        sns.subscribe(TopicArn=stands.outputs[topic], Protocol="sqs", Endpoint=arn)
    ledger = Ledger(emulator.client("dynamodb"), stands.outputs["Ledger"], shipped.service.name)
    return Watch(emulator, shipped.service, stands, ledger, mailbox)
