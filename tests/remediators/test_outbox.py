"""People are told at least once, shown once, and a topic that is away never fails a remediation."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from remediators import flow
from remediators.outbox import incident_message, message
from sereno.incident import Incident
from sereno.model import Event, Mode, Status
from sereno.testing import Crash

NAME = "raise_concurrency"
AWAY = ClientError({"Error": {"Code": "InternalError", "Message": "away"}}, "Publish")


def topic(house, *, away):
    house.aws.before = (lambda number, label: AWAY if label == "sns.publish" else None) if away else None


def test_a_topic_that_is_away_fails_nothing_and_the_next_round_tells(house):
    topic(house, away=True)
    remediation = flow.start(house.watch, house.signal(), NAME)
    assert (remediation.status, house.reserved()) == (Status.VERIFYING, 240)
    assert house.telemetry.total("Unpublished") == 1
    promised = message(house.get(remediation.id))

    topic(house, away=False)
    house.rounds(1)
    assert house.messages()[0] == promised
    assert house.get(remediation.id).unpublished == ()


def test_a_question_that_could_not_be_asked_is_asked_a_minute_later_and_keeps_its_half_hour(house):
    house.on(mode=Mode.APPROVE)
    topic(house, away=True)
    remediation = flow.start(house.watch, house.signal(), NAME)
    house.rounds(3)
    topic(house, away=False)
    house.rounds(1)
    assert [one["status"] for one in house.messages()] == ["AWAITING_APPROVAL"]
    house.rounds(25)
    assert house.get(remediation.id).status is Status.AWAITING_APPROVAL
    house.rounds(2)
    assert house.get(remediation.id).status is Status.SKIPPED


def test_the_end_of_a_remediation_is_told_however_long_the_topic_was_away(house):
    house.on(mode=Mode.OBSERVE)
    topic(house, away=True)
    remediation = flow.start(house.watch, house.signal(), NAME)
    house.rounds(30)
    topic(house, away=False)
    house.rounds(1)
    assert [one["id"] for one in house.messages()] == [remediation.id]
    house.rounds(2)  # what became of its alarm is written down
    assert house.books.open() == []


def test_a_process_that_ends_between_telling_and_recording_tells_again_with_the_same_key(house):
    calls = []

    def dies(number, label):
        calls.append(label)
        return Crash() if label == "sns.publish" else None

    house.aws.after = dies
    with pytest.raises(Crash):
        flow.start(house.watch, house.signal(), NAME)
    house.aws.after = None
    house.rounds(2)
    first, second = house.messages()[:2]
    assert first["key"] == second["key"]
    assert (first["status"], second["status"]) == ("VERIFYING", "VERIFYING")


def test_no_answer_from_the_topic_tells_twice_with_the_same_key(house):
    silent = ReadTimeoutError(endpoint_url="https://sns")
    house.aws.after = lambda number, label: silent if label == "sns.publish" else None
    flow.start(house.watch, house.signal(), NAME)
    house.aws.after = None
    house.rounds(1)
    first, second = house.messages()[:2]
    assert first == second


def test_different_news_have_different_keys(house):
    flow.start(house.watch, house.signal(), NAME)
    house.rounds(20)
    keys = [one["key"] for one in house.messages()]
    assert len(keys) == len(set(keys)) == 3  # applied, held, taken back


def test_a_message_is_short_enough_for_a_phone_and_whole_enough_to_act_on(house):
    remediation = flow.start(house.watch, house.signal(), NAME)
    (body,) = house.messages()
    assert body["subject"] == "[techmoda] techmoda-read VERIFYING: reserved concurrency 120 -> 240"
    assert body["changes"] == [{"setting": "reserved concurrency", "before": 120, "after": 240}]
    assert (body["what"], body["alarm"]) == ("exhaustion", "techmoda/read/exhaustion")
    assert body["do"] == f"sereno why {remediation.id}"
    assert not body["urgent"]


def test_a_message_of_an_incident_with_ten_thousand_members_fits_in_sns():
    """SNS takes 256 KB. https://docs.aws.amazon.com/sns/latest/dg/large-message-payloads.html"""
    names = tuple(f"20260929T120000-raise-concurrency-{number:010x}" for number in range(10_000))
    alarms = tuple(f"techmoda/{'x' * 200}-{number}/exhaustion" for number in range(10_000))
    now = datetime(2026, 9, 29, 12, 0, tzinfo=UTC)
    incident = Incident("incident-1", "techmoda", "g", "t" * 500, now, members=names, alarms=alarms)
    body = incident_message(incident, "eu-west-1", "123456789012", Event(now, "OPEN", "d" * 1000), "page")
    assert len(json.dumps(body).encode()) < 256 * 1024 / 2
    assert (body["remediations_total"], body["alarms_total"]) == (10_000, 10_000)
    assert body["remediations"][-1] == names[-1], "the newest are named"
