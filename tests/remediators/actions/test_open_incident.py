"""One symptom has one incident, and a person takes it from there."""

from __future__ import annotations

import json

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from remediators import flow
from sereno.model import Mode, Reason, Status

NAME = "open_incident"


def opened(house, what="burn-fast"):
    return flow.start(house.watch, house.signal(what), NAME)


def test_an_incident_is_opened_and_is_then_a_persons(house):
    remediation = opened(house)
    assert remediation.status is Status.ESCALATED
    (item,) = house.little.ops_items
    assert item["Title"] == "[techmoda] techmoda/read/burn-fast"
    assert (item["Source"], item["Severity"], item["Category"]) == ("sereno", "2", "Availability")
    assert item["OperationalData"]["alarm"]["Value"] == "techmoda/read/burn-fast"
    assert json.loads(item["OperationalData"]["/aws/dedup"]["Value"]) == {
        "dedupString": "123456789012/eu-west-1/incident/techmoda/read/burn-fast"
    }
    (message,) = house.messages()
    assert message["urgent"]
    assert message["do"] == f"sereno why {remediation.id}"


def test_an_open_incident_is_not_opened_again(house):
    opened(house)
    house.clock.forward(301)
    again = opened(house)
    assert (again.status, again.reason) == (Status.SKIPPED, Reason.NOTHING_TO_DO)
    assert len(house.little.ops_items) == 1


@pytest.mark.parametrize("state", ["Resolved", "Closed"])
def test_after_it_is_closed_the_symptom_may_open_another(house, state):
    opened(house)
    house.little.ops_items[0]["Status"] = state
    house.clock.forward(301)
    assert opened(house).status is Status.ESCALATED
    assert len(house.little.ops_items) == 2


def test_it_does_not_wait_for_a_lease_on_the_resource_itself(house):
    flow.start(house.watch, house.signal(), "raise_concurrency")
    assert opened(house).status is Status.ESCALATED


def test_in_observe_mode_it_tells_what_it_would_have_done(house):
    house.on(mode=Mode.OBSERVE)
    assert opened(house).status is Status.OBSERVED
    assert house.little.ops_items == []


def test_no_answer_opens_one_incident_only(house):
    silent = ReadTimeoutError(endpoint_url="https://ssm")
    house.aws.after = lambda number, label: silent if label == "ssm.create_ops_item" else None
    assert opened(house).status is Status.ESCALATED
    assert len(house.little.ops_items) == 1


def test_when_opscenter_refuses_people_are_told_by_the_topic(house):
    denied = ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "CreateOpsItem")
    house.aws.before = lambda number, label: denied if label == "ssm.create_ops_item" else None
    assert opened(house).status is Status.FAILED
    (message,) = house.messages()
    assert (message["status"], message["urgent"]) == ("FAILED", True)


def test_what_a_person_has_been_told_is_not_taken_back(house):
    remediation = opened(house)
    house.books.wish(remediation.id, "revert", "ana", house.clock.now())
    house.rounds(1)
    found = house.get(remediation.id)
    assert (found.status, found.wish) == (Status.ESCALATED, None)
    assert len(house.little.ops_items) == 1
