"""AWS takes minutes over a change and shows the values before it meanwhile: no news, no drift, and patience."""

from __future__ import annotations

from datetime import timedelta

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from remediators import flow
from sereno.model import Reason, Status

NAME = "raise_capacity"


@pytest.fixture
def slow(make_products):
    """The products table, where an update takes until it is settled."""
    products = make_products()
    products.slow = True
    return products


def start(house):
    return flow.start(house.watch, house.signal("read-capacity", "products"), NAME)


def phases(house, remediation):
    return [event.phase for event in house.books.events(remediation.id)]


def units(house):
    table = house.little.real.client("dynamodb").describe_table(TableName="techmoda-products")["Table"]
    return table["ProvisionedThroughput"]["ReadCapacityUnits"]


def quiet_rounds(house, minutes, **recent):
    """Rounds in which nobody is throttled, or so many calls a second are."""
    for _ in range(minutes):
        house.clock.forward(60)
        for name, value in {"ReadThrottleEvents": 0.0, **recent}.items():
            end = house.clock.now().replace(second=0)
            house.metrics.points[name] = [(end - timedelta(minutes=ago), value * 60) for ago in range(60, 0, -1)]
        house.clock.forward(-60)
        house.rounds(1)


def test_while_aws_is_at_it_no_minute_brings_news(house, slow):
    raised = start(house)
    told = phases(house, raised)
    house.rounds(4)
    assert house.get(raised.id).status is Status.VERIFYING
    assert phases(house, raised) == told
    assert len(house.messages()) == 1

    slow.settle()
    house.rounds(1)
    assert (house.get(raised.id).live, house.get(raised.id).applied_at) == (True, house.clock.now())
    quiet_rounds(house, 2)
    assert house.get(raised.id).status is Status.HOLDING


def test_patience_with_the_symptom_begins_when_the_capacity_is_there(house, slow):
    raised = start(house)
    quiet_rounds(house, 12, ReadThrottleEvents=30)  # longer than a symptom may persist
    assert house.get(raised.id).status is Status.VERIFYING
    slow.settle()
    quiet_rounds(house, 8, ReadThrottleEvents=30)
    assert house.get(raised.id).status is Status.VERIFYING
    quiet_rounds(house, 1, ReadThrottleEvents=30)
    found = house.get(raised.id)
    assert (found.status, found.reason, found.escalate_to) == (
        Status.ESCALATED,
        Reason.SYMPTOM_PERSISTS,
        ("open_incident",),
    )


def test_a_change_that_never_comes_to_its_end_is_a_persons_work(house, slow):
    raised = start(house)
    house.rounds(31)
    assert house.get(raised.id).status is Status.ESCALATED
    assert house.get(raised.id).detail.startswith("CHANGE_IN_PROGRESS: AWS has not come to the end of it")


def test_no_answer_while_aws_is_at_it_means_that_nobody_knows_yet(house, slow):
    """The call was sent and is being carried out; the table shows the old units. Nothing is sent twice."""
    silent = ReadTimeoutError(endpoint_url="https://dynamodb")
    house.aws.after = lambda number, label: silent if label == "dynamodb.update_table" else None
    raised = start(house)
    assert raised.status is Status.APPLYING
    house.aws.after = None
    house.rounds(3)
    assert phases(house, raised).count("APPLYING") == 2  # once begun, once put off; then no news

    slow.settle()
    house.rounds(1)
    assert (house.get(raised.id).status, len(slow.updates)) == (Status.VERIFYING, 1)


def test_a_change_that_begins_just_before_the_raise_is_waited_for(house, slow):
    reads = []

    def somebody(number, label):
        if label == "dynamodb.describe_table":
            reads.append(number)
            if len(reads) == 2:
                slow.pending = {"TableName": "techmoda-products"}

    house.aws.before = somebody
    raised = start(house)
    house.aws.before = None
    assert (raised.status, slow.updates) == (Status.APPLYING, [])
    slow.pending = None
    house.rounds(1)
    assert (house.get(raised.id).status, len(slow.updates)) == (Status.VERIFYING, 1)


def test_somebody_elses_change_in_the_hold_is_no_drift_and_no_end(house, slow):
    raised = start(house)
    slow.settle()
    quiet_rounds(house, 3)
    assert house.get(raised.id).status is Status.HOLDING
    slow.pending = {"TableName": "techmoda-products"}
    quiet_rounds(house, 20)
    assert house.get(raised.id).status is Status.HOLDING
    slow.pending = None
    quiet_rounds(house, 1)
    assert house.get(raised.id).status is Status.REVERTED


def test_taking_back_waits_for_aws_too(house, slow):
    raised = start(house)
    slow.settle()
    quiet_rounds(house, 15)
    assert house.get(raised.id).status is Status.HOLDING
    in_use = ClientError({"Error": {"Code": "ResourceInUseException", "Message": "busy"}}, "UpdateTable")
    house.aws.before = lambda number, label: in_use if label == "dynamodb.update_table" else None
    quiet_rounds(house, 4)
    assert (house.get(raised.id).status, units(house)) == (Status.REVERTING, 832)
    house.aws.before = None
    quiet_rounds(house, 1)
    assert house.get(raised.id).status is Status.REVERTED
    slow.settle()
    assert units(house) == 300
