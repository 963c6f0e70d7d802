"""Whatever arrives, a handler answers it or raises a malformed event: nothing else leaves it, and nothing is lost.

Mutants of every payload: CloudWatch's three shapes, a person's signal, a stack's change, the notifier's batches,
posts of Slack, and what CloudWatch asks of the widget.
"""

from __future__ import annotations

import json
import time
from dataclasses import replace
from urllib.parse import urlencode

import pytest
from slack_sdk.signature import SignatureVerifier

from remediators import flow, handler, round, widget
from remediators.notifier import actions
from remediators.notifier import handler as notifier_handler
from remediators.notifier.notice import read
from remediators.notifier.secrets import Secrets
from sereno.errors import MalformedEvent, SerenoError
from sereno.model import Mode, iso
from sereno.service import Notices, Slack
from tests.mutants.structure import as_object, as_text, mutant
from tests.remediators.notifier.conftest import body
from tests.remediators.notifier.test_actions import CHANNEL, SIGNING, USER, At

ARN = "arn:aws:cloudwatch:eu-west-1:123456789012:alarm:techmoda/read/exhaustion"
NAME = "techmoda/read/exhaustion"


class Wall:
    """A channel that shows everything."""

    name = "email"

    def deliver(self, post, thread):
        return thread.at("there")


@pytest.fixture
def world(house, monkeypatch, paper_secrets, desk):
    """A house in memory in which a plan asks, with every handler's way into it."""
    house.in_memory()
    house.on(mode=Mode.APPROVE)
    notices = Notices(slack=Slack(CHANNEL, "techmoda/slack", (USER,)))
    house.watch = replace(house.watch, service=replace(house.watch.service, notices=notices))
    known = Secrets(paper_secrets(**{"techmoda/slack": {"signing_secret": SIGNING, "token": "x"}}), house.clock)
    monkeypatch.setenv("SERENO_LEDGER", "sereno-techmoda-ledger")
    monkeypatch.setenv("SERENO_REMEDIATOR", "raise_concurrency")
    monkeypatch.setattr("remediators.handler.set_up", lambda environment: house.watch)
    monkeypatch.setattr(actions, "_secrets_of", lambda watch: known)
    monkeypatch.setattr(actions, "tell_back", lambda to, text: None)
    house.asked = flow.start(house.watch, house.signal(), "raise_concurrency")
    notifier = desk(channels={"email": Wall()}, emails=("oncall@example.com",)).notifier("one")
    monkeypatch.setattr(notifier_handler, "of", lambda watch, environment: notifier)
    return house


def payloads(house):
    """(what it is, the handler, the payload, how a mutant becomes an event)."""
    at, asked = iso(house.clock.now()), house.asked
    state = {"value": "ALARM", "reason": "forecast 161 over 84", "timestamp": at, "reasonData": "{}"}
    detail = {"alarmName": NAME, "state": state, "previousState": {"value": "OK"}}
    cloudwatch = {"source": "aws.cloudwatch", "detail-type": "CloudWatch Alarm State Change", "id": "7d1f"}
    message = {"AlarmName": NAME, "AlarmArn": ARN, "NewStateValue": "ALARM", "OldStateValue": "OK"}
    message |= {"NewStateReason": "forecast", "StateChangeTime": at, "Trigger": {"MetricName": "m", "Period": 60}}
    stack = "arn:aws:cloudformation:eu-west-1:123456789012:stack/techmoda/ec9fffc0"
    change = {"stack-id": stack, "status-details": {"status": "UPDATE_IN_PROGRESS", "status-reason": ""}}
    told = body()
    press = {
        "type": "block_actions",
        "user": {"id": USER, "username": "ana"},
        "channel": {"id": CHANNEL},
        "actions": [{"action_id": "sereno:revert", "value": "@value@"}],
        "response_url": "https://hooks.slack.com/actions/T0/1/x",
    }
    value = {"v": 1, "service": "techmoda", "verb": "revert", "id": asked.id, "plan": None, "expires": None}
    return [
        (
            "eventbridge",
            handler.handler,
            {**cloudwatch, "account": "123456789012", "resources": [ARN], "detail": detail},
            as_object,
        ),
        ("direct", handler.handler, {**cloudwatch, "alarmArn": ARN, "alarmData": detail}, as_object),
        (
            "sns envelope",
            handler.handler,
            {"Records": [{"Sns": {"MessageId": "9", "Message": json.dumps(message)}}]},
            as_object,
        ),
        ("sns message", handler.handler, message, lambda one: {"Records": [{"Sns": {"Message": as_text(one)}}]}),
        (
            "person",
            handler.handler,
            {"sereno": {"what": "exhaustion", "resource": "read", "by": "ana", "at": at}},
            as_object,
        ),
        (
            "stack",
            round.handler,
            {"source": "aws.cloudformation", "detail-type": round.STACK_CHANGE, "time": at, "detail": change},
            as_object,
        ),
        ("batch", notifier_handler.handler, {"Records": [record(json.dumps(told))]}, as_object),
        ("notice", notifier_handler.handler, told, lambda one: {"Records": [record(as_text(one))]}),
        (
            "envelope",
            notifier_handler.handler,
            {"Type": "Notification", "Message": json.dumps(told)},
            lambda one: {"Records": [record(as_text(one))]},
        ),
        ("slack request", actions.handler, signed(house, urlencode({"payload": json.dumps(press)})), as_object),
        (
            "slack press",
            actions.handler,
            press,
            lambda one: signed(
                house, urlencode({"payload": as_text(one).replace('"@value@"', json.dumps(json.dumps(value)))})
            ),
        ),
        (
            "slack value",
            actions.handler,
            value,
            lambda one: signed(
                house, urlencode({"payload": json.dumps(press).replace('"@value@"', json.dumps(as_text(one)))})
            ),
        ),
        (
            "widget",
            widget.handler,
            {"show": "incidents", "widgetContext": {"params": {"show": "incidents"}}},
            as_object,
        ),
    ]


def record(text):
    return {
        "messageId": "m1",
        "receiptHandle": "r",
        "body": text,
        "attributes": {"ApproximateReceiveCount": "1", "SentTimestamp": "1"},
    }


def signed(house, text):
    stamp = str(int(house.clock.now().timestamp()))
    signature = SignatureVerifier(SIGNING, clock=At(time.time())).generate_signature(timestamp=stamp, body=text)
    return {
        "headers": {"X-Slack-Request-Timestamp": stamp, "X-Slack-Signature": signature},
        "body": text,
        "isBase64Encoded": False,
    }


def run(house, seeds):
    """What else than an answer or an error of Sereno's own left a handler, and how many of each came out."""
    kinds, faults, refused = payloads(house), [], 0
    for seed in seeds:
        what, entry, payload, made = kinds[seed % len(kinds)]
        event = made(mutant(payload, seed))
        try:
            answer = entry(event, None)
        except SerenoError:
            refused += 1
        except Exception as error:
            faults.append(f"{what} {seed}: {type(error).__name__}: {str(error)[:120]}")
        else:
            if what in ("notice", "envelope"):
                assert is_kept_or_told(event, answer), f"{what} {seed} was acknowledged and not told"
    return faults, refused


def is_kept_or_told(event, answer):
    """Whether a message that cannot be read stays in the queue."""
    kept = {one["itemIdentifier"] for one in answer["batchItemFailures"]}
    for one in event["Records"]:
        try:
            read(one["body"])
        except MalformedEvent:
            if one["messageId"] not in kept:
                return False
    return True


def test_what_the_mutants_are_made_from_is_taken(world):
    for what, entry, payload, made in payloads(world):
        answer = entry(made(payload), None)
        assert not (isinstance(answer, dict) and answer.get("batchItemFailures")), what


def test_three_hundred_mutants_leave_no_traceback(world):
    faults, refused = run(world, range(312))
    assert faults == []
    assert refused > 60


@pytest.mark.evidence
def test_twenty_thousand_mutants_leave_no_traceback(world):
    faults, refused = run(world, range(1_000, 21_000))
    assert faults == []
    assert refused > 4_000
