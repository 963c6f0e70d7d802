"""Opening an incident is a write to the ledger: whatever AWS answers, the page goes out, once for each symptom."""

from __future__ import annotations

import pytest
from botocore.exceptions import EndpointConnectionError

from remediators import flow
from remediators.registry import load
from sereno.model import Mode, Reason, Status

NAME = "open_incident"


def opened(house, what="burn-fast"):
    return flow.start(house.watch, house.signal(what), NAME)


def ended(house, incident):
    """A person ends the incident in Sereno. (What stands open in OpsCenter or elsewhere is not looked at.)"""
    return house.books.incidents.resolve(incident, "ana", house.clock.now())


def test_an_incident_is_opened_and_is_then_a_persons(house):
    remediation = opened(house)
    assert remediation.status is Status.ESCALATED
    assert remediation.plan.reason == house.signal("burn-fast").reason, "the measured reason"
    (message,) = house.messages()
    assert (message["urgent"], message["severity"]) == (True, "page")
    assert message["do"] == f"sereno why {remediation.id}"


def test_it_calls_no_aws_api_but_the_ledger_and_the_topic(house):
    """OpsCenter can be refused, throttled or absent in the account: it is not asked."""
    assert load(NAME).permissions == ()
    calls = len(house.aws.calls)
    assert opened(house).status is Status.ESCALATED
    assert {call.split(".")[0] for call in house.aws.calls[calls:]} <= {"dynamodb", "sns"}


def test_an_open_incident_is_not_opened_again(house):
    first = opened(house)
    house.clock.forward(301)
    again = opened(house)
    assert (again.status, again.reason) == (Status.SKIPPED, Reason.NOTHING_TO_DO)
    assert first.incident in again.detail
    assert len(house.opened) == 1


@pytest.mark.parametrize("minutes", [1, 6])
def test_the_next_incident_pages_again_though_it_comes_within_the_cooldown(house, minutes):
    first = opened(house)
    ended(house, first.incident)
    house.clock.forward(60 * minutes)
    again = opened(house)
    assert (again.status, again.incident != first.incident) == (Status.ESCALATED, True)


def test_a_symptom_that_was_gone_and_is_back_in_the_same_incident_pages_again(house):
    lease = flow.start(house.watch, house.signal(), "raise_concurrency")
    first = opened(house)
    assert first.incident == lease.incident
    house.rounds(5)  # nothing is in ALARM while the change is active
    assert house.books.incidents.get(first.incident).stage == "MITIGATED"
    assert opened(house).status is Status.ESCALATED
    house.clock.forward(60)
    assert opened(house).reason is Reason.NOTHING_TO_DO


def test_a_ticket_of_the_same_incident_is_told_beside_its_page(house):
    first, second = opened(house), opened(house, "throttles")
    assert first.incident == second.incident
    assert [one.status for one in (first, second)] == [Status.ESCALATED] * 2


def test_another_alarm_of_the_same_incident_pages_once_the_first_minutes_are_over(house):
    """Within them it has the same cause, whatever was tried for it before."""
    first, second = opened(house), opened(house, "exhaustion")
    assert first.incident == second.incident
    assert (second.status, second.reason) == (Status.SKIPPED, Reason.NOTHING_TO_DO)
    assert "people were paged at 12:00 UTC" in second.detail
    house.clock.forward(16 * 60)
    assert opened(house, "saturation").status is Status.ESCALATED


def test_what_cannot_be_read_pages(house):
    opened(house)
    house.clock.forward(60)
    broken = EndpointConnectionError(endpoint_url="https://dynamodb")
    house.aws.before = lambda number, label: broken if label == "dynamodb.query" else None
    assert opened(house).status is Status.ESCALATED


def test_the_days_budget_does_not_keep_a_page(house):
    for _ in range(14):  # a budget of 12 is the default
        remediation = opened(house)
        assert remediation.status is Status.ESCALATED
        ended(house, remediation.incident)
        house.clock.forward(400)


def test_it_does_not_wait_for_a_lease_on_the_resource_itself(house):
    flow.start(house.watch, house.signal(), "raise_concurrency")
    assert opened(house).status is Status.ESCALATED


def test_in_observe_mode_it_tells_what_it_would_have_done(house):
    house.on(mode=Mode.OBSERVE)
    remediation = opened(house)
    assert (remediation.status, house.opened) == (Status.OBSERVED, [])
    assert remediation.detail.startswith("would have: paged people. ")


def test_what_a_person_has_been_told_is_not_taken_back(house):
    remediation = opened(house)
    house.books.wish(remediation.id, "revert", "ana", house.clock.now())
    house.rounds(1)
    found = house.get(remediation.id)
    assert (found.status, found.wish) == (Status.ESCALATED, None)
    assert len(house.opened) == 1
