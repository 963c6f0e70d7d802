"""One signal's way, from the alarm to the published result."""

from __future__ import annotations

from remediators import flow
from sereno.model import Mode, Reason, Status

NAME = "raise_concurrency"


def test_a_forecast_of_exhaustion_raises_the_limit_to_the_declared_surge(house):
    remediation = flow.start(house.watch, house.signal(), NAME)

    assert remediation.status is Status.VERIFYING
    # 9 x 16 executions with their Poisson peaks; more than 2.5 x the demand of 48.
    assert house.reserved() == 240
    assert remediation.plan.steps[0].before == 120
    assert "declared surge 9 x 16.0" in remediation.plan.reason


def test_from_event_to_published_result_takes_ten_calls(house):
    flow.start(house.watch, house.signal(), NAME)

    assert house.aws.calls == [
        "dynamodb.batch_get_item",  # modes, and changes in progress
        "dynamodb.transact_write_items",  # admission: one transaction decides
        "lambda.get_function",
        "lambda.get_account_settings",
        "cloudwatch.get_metric_data",
        "dynamodb.transact_write_items",  # the plan, before anything is done
        "lambda.get_function_concurrency",  # read back: is it still what the plan relies on?
        "lambda.put_function_concurrency",
        "sns.publish",
        "dynamodb.transact_write_items",  # done, and told
    ]


def test_the_same_event_twice_acts_once(house):
    first = flow.start(house.watch, house.signal(), NAME)
    again = flow.start(house.watch, house.signal(), NAME)

    assert first.status is Status.VERIFYING
    assert again is None
    assert house.aws.mutating() == ["lambda.put_function_concurrency"]


def test_another_alarm_on_the_same_function_finds_it_busy(house):
    flow.start(house.watch, house.signal("exhaustion"), NAME)
    second = flow.start(house.watch, house.signal("throttles"), NAME)

    assert (second.status, second.reason) == (Status.SKIPPED, Reason.TARGET_BUSY)
    assert house.watch.ledger.get(second.id).reason is Reason.TARGET_BUSY


def test_observe_mode_says_what_it_would_have_done_and_changes_nothing(house):
    house.on(mode=Mode.OBSERVE)
    remediation = flow.start(house.watch, house.signal(), NAME)

    assert remediation.status is Status.OBSERVED
    assert "would have: reserved concurrency: 120 -> 240" in remediation.detail
    assert house.reserved() == 120
    assert house.messages()[0]["status"] == "OBSERVED"


def test_the_history_tells_every_phase(house):
    remediation = flow.start(house.watch, house.signal(), NAME)

    phases = [event.phase for event in house.watch.ledger.events(remediation.id)]
    assert phases == ["CLAIMED", "PLANNED", "APPLYING", "VERIFYING"]
    assert [event["phase"] for event in house.messages()[0]["events"]] == phases
