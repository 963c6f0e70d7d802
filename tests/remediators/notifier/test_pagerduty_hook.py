"""PagerDuty's webhook: who acknowledges there has the incident here; whatever is forged changes nothing."""

from __future__ import annotations

import copy
import hashlib
import hmac
import json
from dataclasses import replace

import pytest

from deploy.synth import notify
from remediators import flow, incident_round
from remediators.notifier import actions
from remediators.notifier.secrets import Secrets
from sereno.model import iso
from sereno.service import Contact, Escalation, Notices, PagerDuty, Slack

SECRET, OTHER = "planted-webhook-secret", "planted-secret-of-the-lead"
LEAD = Contact("lead", 1200, pagerduty=PagerDuty("techmoda/lead", webhook=True))
NOTICES = Notices(pagerduty=PagerDuty("techmoda/pagerduty", webhook=True), escalation=Escalation(600, 2, (LEAD,)))


@pytest.fixture
def night(house, monkeypatch, paper_secrets):
    """A house with an open incident that nobody has."""
    house.in_memory()
    house.watch = replace(house.watch, service=replace(house.watch.service, notices=NOTICES))
    planted = {"techmoda/pagerduty": {"webhook_secret": SECRET}, "techmoda/lead": {"webhook_secret": OTHER}}
    secrets = Secrets(paper_secrets(**planted), house.clock)
    monkeypatch.setenv("SERENO_LEDGER", "sereno-techmoda-ledger")
    monkeypatch.setattr("remediators.handler.set_up", lambda environment: house.watch)
    monkeypatch.setattr(actions, "_secrets_of", lambda watch: secrets)
    house.incident = flow.start(house.watch, house.signal("burn-fast"), "open_incident").incident
    return house


def event(night, kind="incident.acknowledged", *, key=None, who="Ana Ruiz", agent="user_reference", age_s=0):
    at = night.clock.now().timestamp() - age_s
    return {
        "event": {
            "id": "5ac64822-4adc-4fda-ade0-410becf0de4f",
            "event_type": kind,
            "resource_type": "incident",
            "occurred_at": iso(night.clock.now().fromtimestamp(at, tz=night.clock.now().tzinfo)),
            "agent": {"id": "PXPGF42", "summary": who, "type": agent},
            "data": {"id": "PT4KHLK", "type": "incident", "incident_key": key or f"sereno/{night.incident}"},
        }
    }


def post(night, body, *, secret=SECRET, signature=None, path="/pagerduty"):
    """What the function answers."""
    text = body if isinstance(body, str) else json.dumps(body)
    made = f"v1={hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()}"
    headers = {"X-PagerDuty-Signature": made if signature is None else signature}
    return actions.handler({"rawPath": path, "headers": headers, "body": text}, None)["statusCode"]


def owner(night):
    """Who has the incident once the reconciler has carried out what was asked for."""
    incident_round.tend(night.watch, ())
    return night.books.incidents.get(night.incident).owner


@pytest.mark.parametrize("kind", ["incident.acknowledged", "incident.resolved"])
def test_who_takes_it_in_pagerduty_has_the_incident(night, kind):
    assert post(night, event(night, kind)) == 200
    assert owner(night) == "Ana Ruiz (PagerDuty)"
    assert night.books.incidents.get(night.incident).is_open, "it ends with its symptom"


def test_a_contacts_own_service_is_heard_too(night):
    assert post(night, event(night, key=f"sereno/{night.incident}/lead"), secret=OTHER) == 200
    assert owner(night) == "Ana Ruiz (PagerDuty)"


def test_while_a_secret_is_changed_one_of_two_signatures_is_enough(night):
    text = json.dumps(event(night))
    good = hmac.new(SECRET.encode(), text.encode(), hashlib.sha256).hexdigest()
    assert post(night, text, signature=f"v1={'0' * 64},v1={good}") == 200
    assert owner(night) == "Ana Ruiz (PagerDuty)"


def test_what_comes_again_takes_nothing_from_who_has_it(night):
    night.books.incidents.acknowledge(night.incident, "maria", night.clock.now())
    for _ in range(2):
        assert post(night, event(night)) == 200
    assert owner(night) == "maria"


@pytest.mark.parametrize(
    "changed",
    [
        {"kind": "incident.triggered"},
        {"kind": "pagey.ping"},
        {"agent": "service_reference"},  # Sereno's own acknowledgement comes back
        {"key": "somebody-elses"},
        {"key": "sereno/incident-20200101T000000-0123456789"},
        {"age_s": 3700},
        {"age_s": -400},
    ],
)
def test_what_says_nothing_of_an_open_incident_is_taken_and_changes_nothing(night, changed):
    before = copy.deepcopy(night.little.real.client("dynamodb").rows)
    assert post(night, event(night, **changed)) == 200
    assert night.little.real.client("dynamodb").rows == before


@pytest.mark.parametrize(
    ("body", "how"),
    [
        (None, {"secret": "another"}),
        (None, {"signature": ""}),
        (None, {"signature": "v1=short"}),
        (None, {"signature": f"v0={'0' * 64}"}),
        (None, {"signature": ",".join(f"v1={'0' * 64}" for _ in range(11))}),
        ("not json", {}),
        ("[]", {}),
        ('{"event": 3}', {}),
        ('{"event": {"event_type": "incident.acknowledged", "occurred_at": "yesterday"}}', {}),
        ("[" * 100_000, {}),
        ("x" * 300_000, {}),
    ],
)
def test_what_pagerduty_did_not_sign_or_is_no_event_is_refused(night, body, how):
    before = copy.deepcopy(night.little.real.client("dynamodb").rows)
    assert post(night, event(night) if body is None else body, **how) == 401
    assert night.little.real.client("dynamodb").rows == before
    assert night.telemetry.total("Forged") == 1


def test_without_a_declared_webhook_there_is_nobody_to_answer(night):
    notices = Notices(slack=Slack("C0123456789", "techmoda/slack", ("U0123456789",)), pagerduty=PagerDuty("x"))
    night.watch = replace(night.watch, service=replace(night.watch.service, notices=notices))
    assert post(night, event(night)) == 404


def test_a_name_from_outside_is_plain_and_short(night):
    assert post(night, event(night, who="<!channel>\n\x1b[31m" + "x" * 500)) == 200
    assert len(owner(night)) <= 75
    assert "\n" not in owner(night)
    assert "\x1b" not in owner(night)


def test_the_function_is_deployed_for_the_webhook_alone_and_may_read_its_secrets(night):
    service = night.watch.service
    assert "ActionsUrl" in notify.resources(service)
    named = [one.resource for one in notify.buttons(service).permissions if one.operation.startswith("secrets")]
    assert [one.rpartition("secret:")[2] for one in named] == ["techmoda/pagerduty-??????", "techmoda/lead-??????"]
