"""One change's whole life, with something going wrong at each of its calls.

`Life` (in conftest) plays it minute by minute with Lambda's retries and the rounds, and holds it against what must be
true whatever happens: applied at most once, never above the ceiling, taken back when the peak has gone and not
before, one holder for a target and none at the end, no signal lost, a history that only grows.
"""

from __future__ import annotations

import pytest

from sereno.model import Status

# How long after the demand is gone, and after all faults are over, a change may still be open (minutes): a claim that
# must run out, the hold, the patience with an API that does not answer, and a round for each move.
BOUND = 60

EVENT = (
    "dynamodb.batch_get_item",
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
TOLD = ("sns.publish", "dynamodb.transact_write_items")
RED = ("cloudwatch.describe_alarms", "dynamodb.get_item")
UNDO = (
    "dynamodb.transact_write_items",
    "lambda.get_function_concurrency",
    "lambda.put_function_concurrency",
    *TOLD,
)
WHOLE_LIFE = (
    *EVENT,
    *LOOK, *TOLD, "cloudwatch.describe_alarms",  # verified: held from here on; the alarm is too young for the round
    *LOOK, *RED,  # held
    *LOOK, *TOLD, *RED,  # the hold is over, but its peak is still needed: said once
    *LOOK, "cloudwatch.describe_alarms",  # the demand has gone, its peak is still in the hold
    *LOOK, *UNDO, "cloudwatch.describe_alarms",
)  # fmt: skip
CALLS = [pytest.param(number, id=f"{number:02}-{label}") for number, label in enumerate(WHOLE_LIFE, start=1)]
KINDS = ("throttled", "denied", "silence-before", "silence-after", "crash-before", "crash-after")


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


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("number", CALLS)
def test_whatever_call_goes_wrong_the_outcome_is_the_same_or_a_person_is_told(life, event, fault, number, kind):
    trouble = fault(number, kind)
    life.house.aws.before, life.house.aws.after = trouble.before, trouble.after

    surge_and_calm(life, event)

    ends = {one.status for one in life.house.all()}
    if life.house.little.effects and kind != "denied":
        assert Status.REVERTED in ends, "a fault that passes must not keep a change in force"
        assert life.house.reserved() == 120
    urgent = {message["id"] for message in life.house.messages() if message["urgent"]}
    gone_wrong = {one.id for one in life.house.all() if one.status in (Status.ESCALATED, Status.FAILED)}
    assert gone_wrong <= urgent, "a person is told"
