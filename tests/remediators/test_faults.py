"""One change's whole life, and what may come late, doubled, in disorder or not at all.

(What may go wrong at each of its calls is in test_every_call.py.)

`Life` (in conftest) plays it minute by minute with Lambda's retries and the rounds, and holds it against what must be
true whatever happens: applied at most once, never above the ceiling, taken back when the peak has gone and not
before, one holder for a target and none at the end, no signal lost, a history that only grows.
"""

from __future__ import annotations

from datetime import timedelta

import pytest

from sereno.model import Reason, Status

# How long after the demand is gone, and after all faults are over, a change may still be open (minutes): a claim that
# must run out, the hold, the patience with an API that does not answer, and a round for each move.
BOUND = 60

EVENT = (
    "dynamodb.batch_get_item",
    "dynamodb.update_item",
    "dynamodb.update_item",
    "dynamodb.transact_write_items",
    "lambda.get_function",
    "lambda.get_account_settings",
    "cloudwatch.get_metric_data",
    "dynamodb.transact_write_items",
    "lambda.get_function_concurrency",
    "lambda.put_function_concurrency",
    "sns.publish",
    "dynamodb.transact_write_items",
)
LOOK = ("dynamodb.query", "lambda.get_function_concurrency", "cloudwatch.get_metric_data")
SETTLED = ("lambda.get_account_settings", "cloudwatch.get_metric_data")
TOLD = ("sns.publish", "dynamodb.transact_write_items")
RED = ("cloudwatch.describe_alarms", "dynamodb.batch_get_item")
INCIDENT = ("dynamodb.query", "dynamodb.batch_get_item")
MOVED = (*INCIDENT, "dynamodb.transact_write_items", "dynamodb.query", "sns.publish", "dynamodb.update_item")
UNDO = (
    "dynamodb.transact_write_items",
    "lambda.get_function_concurrency",
    "lambda.put_function_concurrency",
    *TOLD,
)
WHOLE_LIFE = (
    *EVENT,
    # Verified: held from here on; the alarm is too young for the round. What the account has left is read once more.
    LOOK[0], *SETTLED, *LOOK[1:], *TOLD, "cloudwatch.describe_alarms", *INCIDENT,
    *LOOK, *RED, *INCIDENT,  # held
    *LOOK, *TOLD, *RED, *INCIDENT,  # the hold is over, but its peak is still needed: said once
    *LOOK, "cloudwatch.describe_alarms", *MOVED,  # the demand has gone, its peak is still in the hold: mitigated
    *LOOK, *UNDO, "cloudwatch.describe_alarms", *MOVED,  # taken back, and the incident is resolved
)  # fmt: skip


def surge_and_calm(life, event, minutes=3):
    """The surge comes, its alarm's event is delivered; the surge lasts some minutes, then all is calm again."""
    life.factor = 8
    life.house.red()
    life.deliver(event(at=life.house.clock.now()))
    for _ in range(minutes):
        life.minute()
    life.factor = 1
    life.house.green()
    life.to_the_end(BOUND)


def test_without_any_fault_a_change_is_applied_held_and_taken_back(life, event):
    surge_and_calm(life, event)

    (only,) = life.house.all()
    assert only.status is Status.REVERTED
    assert life.house.little.effects == [(120, 240), (240, 120)]
    assert tuple(life.house.aws.calls) == WHOLE_LIFE


@pytest.mark.parametrize("late_s", [0, 30, 89, 95, 200])
def test_an_event_that_comes_late_meets_the_round_and_one_of_them_acts(life, event, late_s):
    life.factor = 8
    life.house.red()
    red_at = life.house.clock.now()
    for _ in range(late_s // 60):
        life.minute()
    life.house.clock.forward(late_s % 60)
    life.deliver(event(at=red_at))
    for _ in range(3):
        life.minute()
    life.factor = 1
    life.house.green()
    life.to_the_end(BOUND)

    assert [one.status for one in life.house.all()].count(Status.REVERTED) == 1
    assert life.house.little.effects == [
        (120, life.house.little.effects[0][1]),
        (life.house.little.effects[0][1], 120),
    ]


def test_news_of_fourteen_minutes_ago_is_still_news_but_of_sixteen_is_not(life, event):
    life.factor = 8
    red_at = life.house.clock.now()
    for _ in range(14):
        life.minute()
    life.deliver(event(at=red_at))
    assert [one.status for one in life.house.all()] == [Status.VERIFYING]
    for _ in range(2):
        life.minute()
    life.deliver(event("throttles", at=red_at))
    life.factor = 1
    life.to_the_end(BOUND)

    assert [(one.status, one.reason) for one in life.house.all()] == [
        (Status.REVERTED, Reason.OK),
        (Status.SKIPPED, Reason.STALE),
    ]


def test_an_event_that_never_comes_costs_minutes_and_not_the_outcome(life):
    life.factor = 8
    life.house.red()
    for _ in range(3):
        life.minute()
    (found,) = life.house.all()
    assert (found.signal.source, found.status) == ("round", Status.HOLDING)
    life.factor = 1
    life.house.green()
    life.to_the_end(BOUND)

    assert [one.status for one in life.house.all()] == [Status.REVERTED]


@pytest.mark.parametrize("minutes", [(0, 0, 0), (0, 1, 2), (0, 4, 13)])
def test_an_event_that_comes_three_times_acts_once(life, event, minutes):
    life.factor = 8
    red_at = life.house.clock.now()
    for minute in range(max(minutes) + 1):
        for _ in range(minutes.count(minute)):
            life.deliver(event(at=red_at))
        life.minute()
    life.factor = 1
    life.to_the_end(BOUND)

    assert [one.status for one in life.house.all()] == [Status.REVERTED]
    assert life.house.little.effects == [(120, 240), (240, 120)]


def test_two_alarms_in_any_order_give_one_change_and_one_refusal(life, event):
    life.factor = 8
    now = life.house.clock.now()
    older, newer = event("throttles", at=now - timedelta(minutes=2)), event("exhaustion", at=now)
    life.deliver(newer)
    life.deliver(older)
    life.minute()
    life.factor = 1
    life.to_the_end(BOUND)

    assert sorted((str(one.status), str(one.reason)) for one in life.house.all()) == [
        ("REVERTED", "OK"),
        ("SKIPPED", "TARGET_BUSY"),
    ]


def test_an_event_of_no_known_shape_ends_in_the_dead_letter_queue(life):
    life.deliver({"source": "aws.s3"})
    for _ in range(4):
        life.minute()

    assert life.dead_letters == [{"source": "aws.s3"}]
    assert life.house.all() == []


def test_when_the_ledger_is_down_nothing_is_changed_and_the_round_makes_up_for_it(life, event):
    down = lambda number, label: RuntimeError("down") if label.startswith("dynamodb.transact") else None  # noqa: E731
    life.factor = 8
    life.house.red()
    life.house.aws.before = down
    life.deliver(event(at=life.house.clock.now()))
    for _ in range(4):
        life.minute()
    assert life.house.little.effects == []
    assert len(life.dead_letters) == 1

    life.house.aws.before = None
    life.minute()
    life.factor = 1
    life.house.green()
    life.to_the_end(BOUND)

    assert [one.status for one in life.house.all()] == [Status.REVERTED]
