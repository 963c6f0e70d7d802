"""Buttons that people trust: whatever is forged, replayed, late or from elsewhere changes nothing at all."""

from __future__ import annotations

import base64
import copy
import json
import socket
import time
from dataclasses import replace
from urllib.parse import urlencode

import pytest
from slack_sdk.signature import Clock, SignatureVerifier

from remediators import flow
from remediators.notifier import actions
from remediators.notifier.secrets import Secrets
from sereno.model import Mode, Status
from sereno.service import Notices, Slack

CHANNEL, USER, SIGNING = "C0123456789", "U0123456789", "planted-signing-secret"
SLACK = Slack(CHANNEL, "techmoda/slack", (USER,))


class At(Clock):
    def __init__(self, at):
        self.at = at

    def now(self):
        return self.at


@pytest.fixture
def night(house, monkeypatch, paper_secrets):
    """A house in which a plan asks, and the button's function."""
    house.in_memory()
    house.on(mode=Mode.APPROVE)
    service = replace(house.watch.service, notices=Notices(slack=SLACK))
    house.watch = replace(house.watch, service=service)
    secrets = Secrets(
        paper_secrets(**{"techmoda/slack": {"signing_secret": SIGNING, "token": "xoxb-planted-token"}}), house.clock
    )
    monkeypatch.setenv("SERENO_LEDGER", "sereno-techmoda-ledger")
    monkeypatch.setattr("remediators.handler.set_up", lambda environment: house.watch)
    monkeypatch.setattr(actions, "_secrets_of", lambda watch: secrets)
    told = []
    monkeypatch.setattr(actions, "tell_back", lambda to, text: told.append(text))
    house.told = told
    house.asked = flow.start(house.watch, house.signal(), "raise_concurrency")
    return house


def press(night, verb="approve", *, signing=SIGNING, age_s=0, encoded=False, payload=None, **changed):
    """What the function answers to a press."""
    event = request(night, verb, signing=signing, age_s=age_s, encoded=encoded, payload=payload, **changed)
    return actions.handler(event, None)["statusCode"]


def request(night, verb="approve", *, signing=SIGNING, age_s=0, encoded=False, payload=None, **changed):
    asked = night.asked
    value = {
        "v": 1,
        "service": "techmoda",
        "verb": verb,
        "id": asked.incident if verb in ("ack", "resolve", "mute") else asked.id,
        "plan": asked.plan.digest if verb == "approve" else None,
        "expires": int(asked.escalate_at.timestamp()) if verb == "approve" else None,
    }
    value |= {name: one for name, one in changed.items() if name in value}
    whole = {
        "type": "block_actions",
        "user": {"id": changed.get("user", USER), "username": changed.get("username", "ana")},
        "channel": {"id": changed.get("channel", CHANNEL)},
        "actions": [{"action_id": changed.get("action_id", f"sereno:{value['verb']}"), "value": json.dumps(value)}],
        "response_url": changed.get("response_url", "https://hooks.slack.com/actions/T0/1/x"),
    }
    body = urlencode({"payload": json.dumps(whole)}) if payload is None else payload
    stamp = str(int(night.clock.now().timestamp()) - age_s)
    signature = SignatureVerifier(signing, clock=At(time.time())).generate_signature(timestamp=stamp, body=body)
    return {
        "headers": {"X-Slack-Request-Timestamp": stamp, "X-Slack-Signature": signature},
        "body": base64.b64encode(body.encode()).decode() if encoded else body,
        "isBase64Encoded": encoded,
    }


def world(night):
    """Every row of the ledger, and what is set on AWS."""
    return copy.deepcopy(night.little.real.client("dynamodb").rows), night.reserved()


@pytest.mark.parametrize("encoded", [False, True])
def test_an_approval_by_button_is_carried_out_and_names_who_pressed(night, encoded):
    assert press(night, encoded=encoded) == 200
    assert night.told == [f"Noted: approve {night.asked.id}. The round sees to it within a minute."]
    night.rounds(1)
    assert (night.get(night.asked.id).status, night.reserved()) == (Status.VERIFYING, 240)
    phases = {event.phase: event.by for event in night.books.events(night.asked.id)}
    assert phases["APPLYING"] == f"ana ({USER})"


@pytest.mark.parametrize("username", ["x" * 93, "x" * 3000, "a\ud800b", "an\u202ea", "\x1b[2J", "m\u0430ria"])
def test_whatever_somebody_calls_themselves_in_slack_their_id_approves(night, username):
    assert press(night, username=username) == 200
    assert night.told == [f"Noted: approve {night.asked.id}. The round sees to it within a minute."]
    by = night.get(night.asked.id).wish_by
    assert by.endswith(f"({USER})")
    assert by.isprintable()
    assert len(by) <= 100


def test_a_refusal_and_a_revert_by_button(night):
    assert press(night, "refuse") == 200
    night.rounds(1)
    assert (night.get(night.asked.id).status, night.reserved()) == (Status.SKIPPED, 120)


def test_mute_silences_the_incident_for_half_an_hour(night):
    assert press(night, "mute") == 200
    asked_at = night.clock.now()
    assert "silent for 30 minutes" in night.told[0]
    night.rounds(1)
    incident = night.books.incidents.get(night.asked.incident)
    assert (incident.muted_until - asked_at).total_seconds() == 1800


FORGED = [
    ("another secret", {"signing": "guessed"}),
    ("signed six minutes ago", {"age_s": 301}),
    ("signed in the future", {"age_s": -301}),
    ("another service's button", {"service": "shop"}),
    ("another channel", {"channel": "C9999999999"}),
    ("no verb of ours", {"action_id": "sereno:destroy", "verb": "destroy"}),
    ("a verb and its button differ", {"action_id": "sereno:keep"}),
    ("an id that is no id", {"id": "../x y"}),
    ("a plan that is no digest", {"plan": "0" * 15 + "G"}),
    ("a plan that is no text", {"plan": 7}),
    ("a deadline that is no moment", {"expires": "soon"}),
    ("no payload", {"payload": "x=1"}),
    ("a payload that is no JSON", {"payload": "payload=%7B"}),
    ("a payload of another type", {"payload": urlencode({"payload": json.dumps({"type": "view_submission"})})}),
    ("two actions", {"payload": urlencode({"payload": json.dumps({"type": "block_actions", "actions": [{}, {}]})})}),
    ("a list", {"payload": urlencode({"payload": "[]"})}),
    ("nothing", {"payload": ""}),
]


@pytest.mark.parametrize(("why", "changed"), FORGED, ids=[why for why, _ in FORGED])
def test_what_is_forged_leaves_ledger_and_aws_as_they_were(night, why, changed):
    before = world(night)
    verb = changed.pop("verb", "approve") if "verb" in changed else "approve"
    assert press(night, verb, **changed) == 401
    assert world(night) == before
    assert night.told == []
    assert night.telemetry.total("Forged") == 1


def test_without_a_signature_or_with_a_broken_body_it_is_not_slack(night):
    before = world(night)
    for event in (
        {},
        {"headers": {}, "body": "x"},
        {"headers": {"x-slack-request-timestamp": "soon", "x-slack-signature": "v0=1"}, "body": ""},
        {**request(night), "isBase64Encoded": True, "body": "***"},
        {**request(night), "body": "x" * 300_000},
    ):
        assert actions.handler(event, None)["statusCode"] == 401
    assert world(night) == before


def test_the_same_request_twice_counts_once(night):
    event = request(night)
    assert actions.handler(event, None)["statusCode"] == 200
    before = world(night)
    assert actions.handler(event, None)["statusCode"] == 200
    assert "has asked for approve already" in night.told[-1]
    assert world(night) == before


def test_a_mute_that_is_replayed_is_refused(night):
    event = request(night, "mute")
    assert actions.handler(event, None)["statusCode"] == 200
    night.clock.forward(60)
    before = world(night)
    assert actions.handler(event, None)["statusCode"] == 401
    assert world(night) == before


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"plan": "0123456789abcdef"}, "is another by now"),
        ({"plan": None}, "names the plan"),
        ({"id": "20260929T120000-raise-concurrency-0000000000"}, "There is no remediation"),
        ({"expires": 1}, "its time is over"),
    ],
)
def test_what_does_not_fit_is_told_to_who_pressed_and_changes_nothing(night, changed, said):
    before = world(night)
    assert press(night, **changed) == 200
    assert said in night.told[0]
    assert world(night) == before


def test_an_approval_after_its_deadline_changes_nothing_whatever_the_button_says(night):
    night.clock.forward(1800)
    before = world(night)
    assert press(night, expires=int(night.clock.now().timestamp()) + 600) == 200
    assert "could be approved until" in night.told[0]
    assert world(night) == before


def test_a_secret_that_cannot_be_read_lets_nobody_in(night, monkeypatch, paper_secrets):
    secrets = Secrets(paper_secrets(**{"techmoda/slack": {"token": "x"}}), night.clock)
    monkeypatch.setattr(actions, "_secrets_of", lambda watch: secrets)
    before = world(night)
    assert press(night) == 503
    assert world(night) == before


def test_without_slack_there_is_no_such_place(night):
    night.watch = replace(night.watch, service=replace(night.watch.service, notices=Notices()))
    assert press(night) == 404


def test_only_slacks_own_address_is_told_what_came_of_it(slack_server):
    assert not actions.tell_back("https://evil.example/hook", "x")
    assert not actions.tell_back("", "x")
    assert not actions.tell_back(f"{slack_server.url}hook", "x", allowed="https://hooks.slack.com/")
    slack_server.trouble = [200, 500, "cut"]
    answers = [actions.tell_back(f"{slack_server.url}hook", "x", allowed=slack_server.url) for _ in range(3)]
    assert answers == [True, False, False]


def test_slack_has_its_answer_within_three_seconds_though_its_own_address_is_silent():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url, began = f"http://127.0.0.1:{silent.getsockname()[1]}/", time.monotonic()
        assert not actions.tell_back(url, "x", allowed=url)
        assert time.monotonic() - began < 2


def test_no_secret_is_in_the_log_or_the_ledger(night, capsys, caplog, planted):
    for changed in ({}, {"signing": "guessed"}, {"age_s": 900}, {"service": "x"}):
        press(night, **changed)
    shown = json.dumps([list(night.little.real.client("dynamodb").rows.values()), night.told])
    shown += str(night.telemetry.logs) + capsys.readouterr().out + caplog.text
    assert not any(secret in shown for secret in planted)


def test_an_old_button_to_refuse_does_not_take_back_what_came_of_the_plan(night):
    old = request(night, "refuse")
    assert press(night) == 200
    night.rounds(1)
    before = world(night)
    assert actions.handler(old, None)["statusCode"] == 200
    assert "asks no more" in night.told[-1]
    assert world(night) == before


@pytest.mark.parametrize(
    "changed",
    [
        {"x-slack-request-timestamp": "\u00b2"},
        {"x-slack-request-timestamp": "\u0661" * 10},
        {"x-slack-request-timestamp": "9" * 400},
        {"x-slack-request-timestamp": "9" * 5000},
        {"x-slack-signature": "v0=\u00e9"},
        {"body": "/////w==", "isBase64Encoded": True},
        {"body": "\ud800"},
    ],
    ids=["no digit", "other digits", "beyond any clock", "beyond any number", "no ASCII", "no UTF-8", "no text"],
)
def test_whoever_knows_the_address_cannot_make_the_function_fail(night, changed):
    """A failure would count as the function's error, and wake somebody at a stranger's will."""
    good = request(night)
    headers = {name.lower(): value for name, value in good["headers"].items()}
    headers |= {name: value for name, value in changed.items() if name in headers}
    event = {**good, **{name: value for name, value in changed.items() if name in good}, "headers": headers}
    before = world(night)
    assert actions.handler(event, None)["statusCode"] == 401
    assert world(night) == before
    assert night.telemetry.total("Forged") == 1


@pytest.mark.parametrize("verb", ["approve", "refuse", "mute"])
def test_who_may_not_press_is_told_why_and_whom_to_ask_and_nothing_changes(night, verb):
    before = world(night)
    assert press(night, verb, user="U9999999999") == 200, "Slack shows any other answer as an error without a reason"
    assert night.told == [f"Nothing was noted: you are not among notifications.slack.approvers. Ask <@{USER}>."]
    assert world(night) == before
    assert (night.telemetry.total("NotAllowed"), night.telemetry.total("Forged")) == (1, 0)


def test_an_approval_names_what_it_costs(night):
    dear = replace(night.asked, plan=replace(night.asked.plan, monthly_cost=1234.5))
    night.asked = night.books.save(dear, before=night.asked, now=night.clock.now())
    assert press(night) == 200
    assert night.told[-1].endswith("It costs about 1,234.50 USD a month while it is active.")


def test_an_incident_is_taken_and_ended_by_button(night):
    assert press(night, "ack") == 200
    assert night.told[-1].startswith(f"Noted: {night.asked.incident} is yours.")
    night.rounds(1)
    assert night.books.incidents.get(night.asked.incident).owner == f"ana ({USER})"
    night.books.wish(night.asked.id, "revert", "ana", night.clock.now())
    night.rounds(1)
    assert press(night, "resolve") == 200
    night.rounds(1)
    assert not night.books.incidents.get(night.asked.incident).is_open
    assert press(night, "ack") == 200
    assert night.told[-1].endswith("is over, or there is no such incident.")
