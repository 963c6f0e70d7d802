"""The Lambda entry: its environment, its events, and what it hands back to Lambda."""

from __future__ import annotations

import json

import pytest

from remediators import handler
from sereno.errors import MalformedEvent, SerenoError
from sereno.model import Status

CONFIG = {
    "service": "techmoda",
    "account": "123456789012",
    "regions": ["eu-west-1"],
    "objectives": {},
    "functions": {"read": {"name": "techmoda-read"}},
}


@pytest.fixture
def environment(tmp_path):
    config = tmp_path / "config.json"
    config.write_text(json.dumps(CONFIG))
    return {
        "SERENO_REMEDIATOR": "raise_concurrency",
        "SERENO_CONFIG": str(config),
        "SERENO_LEDGER": "sereno-techmoda-ledger",
        "SERENO_TOPIC": "arn:aws:sns:eu-west-1:123456789012:sereno-techmoda",
    }


@pytest.fixture
def at_home(house, monkeypatch):
    """The handler in this house."""
    monkeypatch.setenv("SERENO_REMEDIATOR", "raise_concurrency")
    monkeypatch.setattr(handler, "set_up", lambda environment: house.watch)
    return house


def test_missing_variables_are_named_all_at_once(environment):
    del environment["SERENO_LEDGER"], environment["SERENO_TOPIC"]
    with pytest.raises(SerenoError, match=r"^environment: SERENO_LEDGER, SERENO_TOPIC not set$"):
        handler.set_up(environment)


def test_a_function_without_a_remediator_says_so(monkeypatch):
    monkeypatch.delenv("SERENO_REMEDIATOR", raising=False)
    with pytest.raises(SerenoError, match="environment: SERENO_REMEDIATOR not set"):
        handler.handler({}, None)


def test_what_an_invocation_works_with_is_made_once(environment):
    watch = handler.set_up(environment)
    assert watch is handler.set_up(environment)
    assert watch.service.functions["read"].name == "techmoda-read"
    assert handler.warm_up(environment) is watch
    assert watch.aws.client("lambda") is watch.aws.client("lambda")


def test_an_event_starts_the_functions_remediator(at_home, event):
    answer = handler.handler(event(), None)
    (started,) = answer["remediations"]
    assert (started["status"], started["reason"]) == ("VERIFYING", "OK")
    assert at_home.reserved() == 240
    assert handler.handler(event(), None) == {"remediations": [{"status": "DUPLICATE"}]}


def test_an_event_of_no_known_shape_is_counted_and_raised_for_the_dead_letter_queue(at_home):
    with pytest.raises(MalformedEvent, match="neither an alarm state change nor a manual signal"):
        handler.handler({"source": "aws.s3"}, None)
    assert at_home.telemetry.total("MalformedEvent") == 1


def sns(*events):
    def message(event):
        detail = event["detail"]
        return {
            "AlarmName": detail["alarmName"],
            "AlarmArn": event["resources"][0],
            "NewStateValue": detail["state"]["value"],
            "NewStateReason": detail["state"]["reason"],
            "StateChangeTime": detail["state"]["timestamp"],
        }

    return {"Records": [{"Sns": {"MessageId": "m", "Message": json.dumps(message(event))}} for event in events]}


def test_a_batch_of_sns_records_is_handled_one_by_one(at_home, event):
    answer = handler.handler(sns(event(), event("throttles"), event("exhaustion", "write")), None)
    assert [one["status"] for one in answer["remediations"]] == ["VERIFYING", "SKIPPED", "VERIFYING"]


def test_the_invocation_owns_what_it_claims_and_knows_how_long_it_may_run(at_home, event):
    class Context:
        aws_request_id = "request-7"

        def get_remaining_time_in_millis(self):
            return 4000

    handler.handler(event(), Context())
    (claimed,) = at_home.all()
    # Four seconds are not enough for another call: planned and recorded, and the round goes on from here.
    assert (claimed.owner, claimed.status, at_home.reserved()) == ("request-7", Status.APPLYING, 120)
    at_home.rounds(2)
    assert at_home.reserved() == 240
