"""Every shape in which an alarm is told becomes the same signal; what is malformed says where and why."""

from __future__ import annotations

import contextlib
import copy
import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sereno.errors import MalformedEvent
from sereno.guard import check_signal
from sereno.model import Mode, Reason, Target
from sereno.service import Function, Play, Service, Table
from sereno.signal import parse

ACCOUNT = "123456789012"
NAME = "techmoda/read/exhaustion"
ARN = f"arn:aws:cloudwatch:eu-west-1:{ACCOUNT}:alarm:{NAME}"
AT = datetime(2026, 9, 29, 12, 0, 0, 394000, tzinfo=UTC)
STAMP = "2026-09-29T12:00:00.394+0000"
SERVICE = Service(
    "techmoda",
    ACCOUNT,
    ("eu-west-1",),
    functions={"read": Function("read", "techmoda-read")},
    tables={"products": Table("products", "techmoda-products")},
    playbook={"exhaustion": Play("exhaustion", (("raise_concurrency",),), Mode.AUTO)},
    bindings={"Old alarm": ("exhaustion", "read")},
)
STATE = {"value": "ALARM", "reason": "forecast 161 over 84", "timestamp": STAMP}


def from_eventbridge(**detail):
    return {
        "source": "aws.cloudwatch",
        "detail-type": "CloudWatch Alarm State Change",
        "id": "7d1f",
        "account": ACCOUNT,
        "region": "eu-west-1",
        "resources": [ARN],
        "detail": {"alarmName": NAME, "state": STATE, "previousState": {"value": "OK"}, **detail},
    }


def from_lambda_action(**data):
    return {
        "source": "aws.cloudwatch",
        "alarmArn": ARN,
        "accountId": ACCOUNT,
        "alarmData": {"alarmName": NAME, "state": STATE, "previousState": {"value": "OK"}, **data},
    }


def from_sns(**facts):
    message = {
        "AlarmName": NAME,
        "AlarmArn": ARN,
        "NewStateValue": "ALARM",
        "OldStateValue": "OK",
        "NewStateReason": "forecast 161 over 84",
        "StateChangeTime": STAMP,
        "AWSAccountId": ACCOUNT,
        **facts,
    }
    return {"Records": [{"EventSource": "aws:sns", "Sns": {"MessageId": "95df", "Message": json.dumps(message)}}]}


def from_person(**facts):
    asked = {"what": "exhaustion", "resource": "read", "by": "ana", "at": STAMP, "reason": "a sale at one", **facts}
    return {"sereno": asked}


@pytest.mark.parametrize("shape", [from_eventbridge, from_lambda_action, from_sns])
def test_every_shape_of_the_same_change_is_the_same_signal(shape):
    (signal,) = parse(shape(), SERVICE)

    assert signal.id == f"{ARN}@2026-09-29T12:00:00.394Z"
    assert (signal.name, signal.what, signal.state, signal.previous) == (NAME, "exhaustion", "ALARM", "OK")
    assert signal.target == Target("function", "techmoda-read", "eu-west-1", ACCOUNT)
    assert (signal.at, signal.reason, signal.muted) == (AT, "forecast 161 over 84", False)


def test_a_person_may_ask_for_a_remediation():
    (signal,) = parse(from_person(), SERVICE)
    assert (signal.source, signal.name, signal.state) == ("manual", NAME, "ALARM")
    assert signal.reason == "asked for by ana: a sale at one"
    assert parse(from_person(by="eva"), SERVICE)[0].id != signal.id


def test_one_delivery_of_sns_may_carry_several_alarms():
    other = from_sns(AlarmName="techmoda/read/throttles", AlarmArn=ARN.replace("exhaustion", "throttles"))
    batch = {"Records": from_sns()["Records"] + other["Records"]}
    assert [signal.what for signal in parse(batch, SERVICE)] == ["exhaustion", "throttles"]


def test_an_existing_alarm_is_bound_by_its_name():
    arn = ARN.replace(NAME, "Old alarm")
    event = from_eventbridge(alarmName="Old alarm") | {"resources": [arn]}
    (signal,) = parse(event, SERVICE)
    assert (signal.what, signal.target.name) == ("exhaustion", "techmoda-read")


def test_a_name_with_colons_keeps_its_arn_whole():
    event = from_eventbridge(alarmName="a:b") | {"resources": [ARN.replace(NAME, "a:b")]}
    assert parse(event, SERVICE)[0].id.startswith(f"arn:aws:cloudwatch:eu-west-1:{ACCOUNT}:alarm:a:b@")


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        (from_eventbridge(muteDetail={"mutedByArn": "arn:aws:cloudwatch:..:alarm-mute-rule:night"}), Reason.MUTED),
        (from_eventbridge(state={**STATE, "actionsSuppressedBy": "WaitPeriod"}), Reason.MUTED),
        (from_eventbridge(state={**STATE, "actionsSuppressedBy": "Alarm"}), Reason.MUTED),
        (from_eventbridge(state={**STATE, "value": "OK"}), Reason.NOT_ALARM),
        (from_eventbridge(alarmName="shop/read/exhaustion"), Reason.FOREIGN),
        (from_eventbridge(alarmName="techmoda/cart/exhaustion"), Reason.FOREIGN),
        (from_eventbridge(alarmName="techmoda/exhaustion"), Reason.FOREIGN),
        (from_sns(AlarmArn=ARN.replace("eu-west-1", "us-east-1")), Reason.FOREIGN),
        (from_sns(AlarmArn=ARN.replace(ACCOUNT, "999999999999")), Reason.FOREIGN),
        (from_eventbridge(alarmName="techmoda/products/throttles"), Reason.NOT_BOUND),
    ],
)
def test_what_is_well_formed_but_not_to_be_acted_on_is_left_to_the_guards(event, reason):
    (signal,) = parse(event, SERVICE)
    assert check_signal(signal, SERVICE, "raise_concurrency", AT).reason is reason


def test_a_composite_that_stays_red_when_its_suppression_ends_is_a_signal_of_its_own():
    suppressed = from_eventbridge(state={**STATE, "actionsSuppressedBy": "WaitPeriod"})
    later = (AT + timedelta(minutes=2)).strftime("%Y-%m-%dT%H:%M:%S.394+0000")
    let_go = from_eventbridge(
        state={**STATE, "timestamp": later}, previousState={"value": "ALARM", "actionsSuppressedBy": "WaitPeriod"}
    )
    first, second = parse(suppressed, SERVICE)[0], parse(let_go, SERVICE)[0]
    assert (first.muted, second.muted) == (True, False)
    assert (second.previous, second.state) == ("ALARM", "ALARM")
    assert first.id != second.id
    assert check_signal(second, SERVICE, "raise_concurrency", AT).ok


def without(event, *path):
    event = copy.deepcopy(event)
    holder = event
    for key in path[:-1]:
        holder = holder[key]
    del holder[path[-1]]
    return event


EVENTBRIDGE = from_eventbridge()


@pytest.mark.parametrize(
    ("event", "told"),
    [
        ([], "event: expected an object, got []"),
        (None, "event: expected an object, got None"),
        ({}, "event: neither an alarm state change nor a manual signal (source None, detail-type None)"),
        ({"source": "aws.s3"}, "event: neither an alarm state change nor a manual signal (source 'aws.s3'"),
        (without(EVENTBRIDGE, "detail"), "event.detail: expected an object, got None"),
        (EVENTBRIDGE | {"resources": []}, "event.resources: expected the alarm's ARN, got []"),
        (EVENTBRIDGE | {"resources": [7]}, "event.resources: expected the alarm's ARN, got [7]"),
        (
            EVENTBRIDGE | {"resources": ["arn:aws:s3:::b"]},
            "alarm ARN: 'arn:aws:s3:::b' is not arn:<partition>:cloudw",
        ),
        (EVENTBRIDGE | {"account": "999999999999"}, "event.account: '999999999999' is not the alarm's own (12345678"),
        (without(EVENTBRIDGE, "detail", "alarmName"), "event.detail.alarmName: expected text, got None"),
        (from_eventbridge(alarmName="n" * 256), "has 256 characters (CloudWatch allows 255)"),
        (without(EVENTBRIDGE, "detail", "state"), "event.detail.state: expected an object, got None"),
        (
            from_eventbridge(state={**STATE, "value": "RED"}),
            "event.detail.state.value: 'RED' is none of OK, ALARM, IN",
        ),
        (from_eventbridge(state={**STATE, "timestamp": "noon"}), "state.timestamp: 'noon' is not a time with a zone"),
        (
            from_eventbridge(state={**STATE, "timestamp": "0001-01-01T00:00:00+05:00"}),
            "'0001-01-01T00:00:00+05:00' is not a time with a zone",
        ),
        (without(from_lambda_action(), "alarmArn"), "event.alarmArn: expected text, got None"),
        (from_lambda_action() | {"alarmData": "x"}, "event.alarmData: expected an object, got 'x'"),
        ({"Records": []}, "event.Records: expected a list of SNS records, got []"),
        ({"Records": [3]}, "event.Records[0]: expected an object, got 3"),
        ({"Records": [{}]}, "event.Records[0].Sns: expected an object, got None"),
        ({"Records": [{"Sns": {"Message": "red"}}]}, "event.Records[0].Sns.Message: 'red' is not JSON"),
        ({"Records": [{"Sns": {"Message": "[]"}}]}, "event.Records[0].Sns.Message: expected an object, got []"),
        (from_sns(StateChangeTime=5), "event.Records[0].Sns.Message.StateChangeTime: expected text, got 5"),
        (from_sns(NewStateValue="red"), "event.Records[0].Sns.Message.NewStateValue: 'red' is none of"),
        ({"sereno": "now"}, "event.sereno: expected an object, got 'now'"),
        (from_person(resource="cart"), "event.sereno.resource: 'cart' is not a resource of techmoda"),
        (without(from_person(), "sereno", "by"), "event.sereno.by: expected text, got None"),
        (from_person(at="2026-09-29T12:00:00"), "event.sereno.at: '2026-09-29T12:00:00' is not a time with a zone"),
    ],
)
def test_what_is_malformed_says_where_and_what(event, told):
    with pytest.raises(MalformedEvent) as error:
        parse(event, SERVICE)
    assert told in str(error.value)
    assert len(str(error.value)) < 260


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=8), inner, max_size=2),
    max_leaves=6,
)
PLACES = (
    ("resources",),
    ("detail",),
    ("detail", "alarmName"),
    ("detail", "state"),
    ("detail", "state", "value"),
    ("detail", "state", "timestamp"),
    ("detail", "previousState"),
    ("detail", "muteDetail"),
)


@given(JUNK, st.sampled_from(PLACES))
def test_junk_anywhere_is_a_signal_or_a_malformed_event_and_nothing_else(junk, place):
    event = copy.deepcopy(EVENTBRIDGE)
    holder = event
    for key in place[:-1]:
        holder = holder[key]
    holder[place[-1]] = junk
    with contextlib.suppress(MalformedEvent):
        assert len(parse(event, SERVICE)) == 1
