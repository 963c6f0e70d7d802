"""What the rounds do for a change: verify, hold, take back, escalate, and carry out what operators wish."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from botocore.exceptions import ClientError

from remediators import flow, round
from remediators.registry import load
from remediators.round import RoundIncomplete
from sereno.model import Mode, Reason, Status
from sereno.testing import Crash

NAME = "raise_concurrency"
DENIED = ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "Get")
THROTTLED = ClientError({"Error": {"Code": "ThrottlingException", "Message": "slow down"}}, "Get")


@pytest.fixture
def raised(house):
    """A limit raised from 120 to 240 at noon, in the midst of a surge with a peak of 40."""
    return flow.start(house.watch, house.signal(), NAME)


def minutes(house, count, **series):
    """Rounds, each after a minute with these metrics (calm unless told otherwise)."""
    usual = {"Invocations": 106 * 60, "Throttles": 0, "Duration": 150, "ConcurrentExecutions": 35}
    for _ in range(count):
        house.clock.forward(60)
        house.metrics.minutes(house.clock, **usual, **{f"recent_{name}": value for name, value in series.items()})
        house.clock.forward(-60)
        house.rounds(1)


def status(house, remediation):
    return house.get(remediation.id).status


def lookable(house, error, service="cloudwatch"):
    """From now on looking fails, or works again."""
    house.aws.before = (lambda number, label: error if label.startswith(service) else None) if error else None


# -- verify


def test_a_minute_without_a_throttled_attempt_verifies_the_change(house, raised):
    minutes(house, 1)
    found = house.get(raised.id)
    assert found.status is Status.HOLDING
    assert (found.hold_until - house.clock.now()).total_seconds() == 900
    assert found.detail.startswith(
        "no throttled attempt in the newest of 1 minutes since the change; held until 12:16"
    )


def test_a_minute_that_has_not_ended_verifies_nothing(house, raised):
    house.clock.forward(80)
    house.metrics.points["Throttles"] += [(house.clock.now() - timedelta(seconds=80), 7.0)]
    house.metrics.points["Throttles"] += [(house.clock.now() - timedelta(seconds=20), 0.0)]  # so far
    round.make(house.watch)
    assert status(house, raised) is Status.VERIFYING


def test_without_metrics_it_waits_and_an_idle_function_has_no_symptom(house, raised):
    house.metrics.points.clear()
    house.rounds(4)
    assert status(house, raised) is Status.VERIFYING
    house.rounds(1)
    assert house.get(raised.id).detail.startswith("idle since the change")


def test_a_symptom_that_stays_eight_minutes_goes_on_to_the_next_remediator(house, raised):
    minutes(house, 7, Throttles=50)
    assert status(house, raised) is Status.VERIFYING
    minutes(house, 1, Throttles=50)
    found = house.get(raised.id)
    assert (found.status, found.reason, house.reserved()) == (Status.ESCALATED, Reason.SYMPTOM_PERSISTS, 240)
    assert house.books.holder(raised.target.key) == raised.id
    minutes(house, 1, Throttles=50)
    (item,) = house.opened
    assert "raise_concurrency ESCALATED" in item.plan.reason
    assert "sereno revert" in next(m["do"] for m in house.messages() if m["status"] == "ESCALATED")


def test_a_crash_between_the_next_remediators_start_and_its_note_starts_nothing_twice(house, raised):
    minutes(house, 8, Throttles=50)
    house.aws.after = lambda number, label: Crash() if label == "sns.publish" else None
    with pytest.raises(Crash):
        minutes(house, 1, Throttles=50)
    house.aws.after = None
    minutes(house, 12, Throttles=50)
    assert len(house.opened) == 1
    assert [one.remediator for one in house.all()].count("open_incident") == 1
    assert house.get(raised.id).escalate_to == ()


# -- hold and take back


def test_after_the_hold_a_peak_that_fits_lets_the_change_be_taken_back(house, raised):
    minutes(house, 15)
    assert status(house, raised) is Status.HOLDING
    minutes(house, 1)
    found = house.get(raised.id)
    assert (found.status, found.detail) == (Status.REVERTED, "reserved concurrency is 120 again")
    assert house.reserved() == 120
    assert house.books.holder(raised.target.key) is None
    assert [event.phase for event in house.books.events(raised.id)][-3:] == ["HOLDING", "REVERTING", "REVERTED"]


def test_a_plateau_holds_the_change_and_is_said_once(house, raised):
    minutes(house, 60, ConcurrentExecutions=100)
    found = house.get(raised.id)
    assert (found.status, found.reason) == (Status.HOLDING, Reason.STILL_NEEDED)
    said = [event.detail for event in house.books.events(raised.id) if "STILL_NEEDED" in event.detail]
    assert said == ["STILL_NEEDED: peak 100 in the hold, 120 would leave room for 84"]
    assert house.reserved() == 240
    minutes(house, 17)
    assert status(house, raised) is Status.REVERTED


def test_a_symptom_that_comes_back_is_verified_anew(house, raised):
    minutes(house, 3)
    minutes(house, 1, Throttles=9)
    assert status(house, raised) is Status.VERIFYING
    minutes(house, 1)
    found = house.get(raised.id)
    assert found.status is Status.HOLDING
    assert (found.hold_until - house.clock.now()).total_seconds() == 900


@pytest.mark.parametrize("after", [0, 3])
def test_a_value_that_somebody_else_set_is_kept(house, raised, after):
    minutes(house, after)
    house.set_reserved(180)
    minutes(house, 1)
    found = house.get(raised.id)
    assert (found.status, found.reason, house.reserved()) == (Status.KEPT, Reason.DRIFTED, 180)
    assert "someone else changed it" in found.detail
    assert house.books.holder(raised.target.key) is None


def test_somebody_who_changes_the_value_just_before_the_undo_keeps_it(house, raised):
    minutes(house, 15)
    reads = []

    def meddle(number, label):
        if label == "lambda.get_function_concurrency":
            reads.append(number)
            if len(reads) == 2:  # the first look finds no drift, the undo's own does
                house.set_reserved(180)

    house.aws.before = meddle
    minutes(house, 1)
    assert (status(house, raised), house.reserved()) == (Status.KEPT, 180)


def test_an_undo_whose_process_ended_is_finished(house, raised):
    minutes(house, 15)
    house.aws.before = lambda number, label: Crash() if label == "lambda.put_function_concurrency" else None
    with pytest.raises(Crash):
        minutes(house, 1)
    assert status(house, raised) is Status.REVERTING
    house.aws.before = None
    minutes(house, 1)
    assert status(house, raised) is Status.REVERTING  # its claim still runs
    minutes(house, 1)
    assert (status(house, raised), house.reserved()) == (Status.REVERTED, 120)


def test_an_undo_that_aws_refuses_for_good_is_a_persons_work(house, raised):
    minutes(house, 15)
    house.aws.before = lambda number, label: DENIED if label == "lambda.put_function_concurrency" else None
    minutes(house, 1)
    assert (status(house, raised), house.reserved()) == (Status.ESCALATED, 240)
    assert house.books.holder(raised.target.key) == raised.id


def test_an_undo_that_keeps_being_put_off_is_given_up_after_half_an_hour(house, raised):
    minutes(house, 15)
    house.aws.before = lambda number, label: THROTTLED if label == "lambda.put_function_concurrency" else None
    minutes(house, 30)
    assert status(house, raised) is Status.REVERTING
    minutes(house, 2)
    assert (status(house, raised), house.get(raised.id).reason) == (Status.ESCALATED, Reason.AWS_ERROR)


# -- looks that fail


def test_a_look_that_fails_changes_nothing(house, raised):
    minutes(house, 3)
    lookable(house, THROTTLED)
    minutes(house, 20)
    assert (status(house, raised), house.reserved()) == (Status.HOLDING, 240)
    lookable(house, None)
    minutes(house, 1)
    assert status(house, raised) is Status.REVERTED


def test_looks_that_fail_for_half_an_hour_are_a_persons_work(house, raised):
    minutes(house, 3)
    lookable(house, DENIED)
    minutes(house, 30)
    assert status(house, raised) is Status.HOLDING
    minutes(house, 2)
    found = house.get(raised.id)
    assert (found.status, found.reason, house.reserved()) == (Status.ESCALATED, Reason.AWS_ERROR, 240)


def test_failing_looks_are_counted_from_the_last_that_worked(house, raised):
    minutes(house, 3, ConcurrentExecutions=100)
    for _ in range(3):
        lookable(house, THROTTLED)
        minutes(house, 20, ConcurrentExecutions=100)
        lookable(house, None)
        minutes(house, 1, ConcurrentExecutions=100)
    assert status(house, raised) is Status.HOLDING


def test_a_change_that_cannot_be_verified_escalates_like_a_symptom_that_stays(house, raised):
    lookable(house, DENIED)
    minutes(house, 7)
    assert status(house, raised) is Status.VERIFYING
    minutes(house, 1)
    assert (status(house, raised), house.get(raised.id).reason) == (Status.ESCALATED, Reason.AWS_ERROR)


def test_a_remediator_that_cannot_judge_is_an_error_of_the_round_and_then_a_persons_work(house, raised):
    faulty = replace(load(NAME), verify=lambda plan, symptom, context: 1 / 0)
    house.watch = replace(house.watch, load=lambda name: faulty if name == NAME else load(name))
    for _ in range(7):
        with pytest.raises(RoundIncomplete):
            minutes(house, 1)
    minutes(house, 1)
    assert (status(house, raised), house.get(raised.id).reason) == (Status.ESCALATED, Reason.FAULTY)


# -- wishes


def wish(house, remediation, what):
    house.books.wish(remediation.id, what, "ana", house.clock.now())
    minutes(house, 1)
    return house.get(remediation.id)


@pytest.mark.parametrize("after", [0, 3])
def test_a_person_may_keep_a_change(house, raised, after):
    minutes(house, after)
    found = wish(house, raised, "keep")
    assert (found.status, found.detail, house.reserved()) == (Status.KEPT, "kept by ana", 240)
    assert (found.wish, house.books.holder(raised.target.key)) == (None, None)
    assert house.books.events(raised.id)[-1].by == "ana"


@pytest.mark.parametrize("after", [0, 3])
def test_a_person_may_take_a_change_back_at_once(house, raised, after):
    minutes(house, after, ConcurrentExecutions=200)
    found = wish(house, raised, "revert")
    assert (found.status, house.reserved(), found.wish) == (Status.REVERTED, 120, None)


def test_what_was_kept_or_escalated_may_be_taken_back_later(house, raised):
    assert wish(house, raised, "keep").status is Status.KEPT
    minutes(house, 5)
    assert wish(house, raised, "revert").status is Status.REVERTED
    assert house.reserved() == 120
    assert house.books.holder(raised.target.key) is None


def test_an_escalated_change_is_raised_further_and_reverted_to_the_original_value(house, raised):
    minutes(house, 8, Throttles=50)  # escalated: it keeps its target
    house.clock.forward(300)
    house.metrics.minutes(
        house.clock, Invocations=106 * 60, recent_Invocations=106 * 60 * 9, Duration=150, Throttles=0
    )
    second = flow.start(house.watch, house.signal("throttles"), NAME)
    assert (second.status, second.reason) == (Status.SKIPPED, Reason.TARGET_BUSY)
    assert (status(house, raised), house.reserved()) == (Status.VERIFYING, 358)
    minutes(house, 1)
    assert wish(house, raised, "revert").status is Status.REVERTED
    # Not to 240, which the second raise found: and by one call.
    assert house.little.effects[-1] == (358, 120)


@pytest.fixture
def asked(house):
    house.on(mode=Mode.APPROVE)
    return flow.start(house.watch, house.signal(), NAME)


def test_an_approved_plan_is_carried_out_by_the_next_round(house, asked):
    found = wish(house, asked, "approve")
    assert (found.status, house.reserved(), found.wish) == (Status.VERIFYING, 240, None)


def test_a_plan_approved_late_is_still_tried_for_ten_minutes(house, asked):
    minutes(house, 25)
    house.aws.before = lambda number, label: THROTTLED if label == "lambda.put_function_concurrency" else None
    assert wish(house, asked, "approve").status is Status.APPLYING
    house.aws.before = None
    minutes(house, 1)
    assert (status(house, asked), house.reserved()) == (Status.VERIFYING, 240)


def test_a_value_that_changed_before_the_approval_is_left_alone_and_asked_about_again(house, asked):
    house.set_reserved(150)
    found = wish(house, asked, "approve")
    assert (found.status, house.reserved(), found.wish) == (Status.AWAITING_APPROVAL, 150, None)
    assert [(step.before, step.after) for step in found.plan.steps] == [(150, 240)]
    assert "reserved concurrency is 150, expected 120" in found.detail
    assert found.escalate_at == house.clock.now() + timedelta(minutes=30)
    assert found.plan.digest != asked.plan.digest
    again = wish(house, asked, "approve")
    assert (again.status, house.reserved()) == (Status.VERIFYING, 240)


def test_what_is_enough_by_the_time_of_the_approval_is_left_alone_and_that_is_said(house, asked):
    house.set_reserved(300)
    house.messages()
    found = wish(house, asked, "approve")
    assert (found.status, found.reason, house.reserved()) == (Status.SKIPPED, Reason.NOTHING_TO_DO, 300)
    assert [one["status"] for one in house.messages()] == ["SKIPPED"]


def test_a_refused_plan_is_not_carried_out_and_costs_no_budget(house, asked):
    found = wish(house, asked, "revert")
    assert (found.status, found.detail, house.reserved()) == (Status.SKIPPED, "refused by ana", 120)
    assert house.books.holder(asked.target.key) is None


def test_a_plan_that_nobody_answers_expires_after_half_an_hour_and_an_incident_follows(house, asked):
    minutes(house, 29)
    assert status(house, asked) is Status.AWAITING_APPROVAL
    minutes(house, 2)
    assert (status(house, asked), house.get(asked.id).reason) == (Status.SKIPPED, Reason.APPROVAL_EXPIRED)
    assert house.books.holder(asked.target.key) is None
    # Nobody answered: to ask whether somebody may be called would call nobody.
    assert [(one.remediator, one.status) for one in house.all()] == [
        (NAME, Status.SKIPPED),
        ("open_incident", Status.ESCALATED),
    ]


@pytest.mark.parametrize("what", ["approve", "keep"])
def test_a_wish_that_no_longer_fits_is_answered_in_the_log_and_taken_out(house, raised, what):
    minutes(house, 16)
    assert wish(house, raised, what).wish is None
    assert ("warning", "a wish does not fit", {"id": raised.id, "wish": what, "status": "REVERTED"}) in (
        house.telemetry.logs
    )
    assert house.books.open() == []


def test_a_wish_waits_for_work_in_hand_and_is_then_carried_out(house):
    house.aws.before = lambda number, label: THROTTLED if label == "lambda.put_function_concurrency" else None
    one = flow.start(house.watch, house.signal(), NAME)
    assert wish(house, one, "revert").status is Status.APPLYING
    house.aws.before = None
    minutes(house, 1)
    assert (status(house, one), house.reserved()) == (Status.VERIFYING, 240)
    minutes(house, 1)
    assert (status(house, one), house.reserved()) == (Status.REVERTED, 120)


def test_a_wish_that_comes_in_the_very_moment_of_escalation_is_carried_out(house, raised):
    minutes(house, 7, Throttles=50)
    house.aws.before = lambda number, label: (
        house.books.wish(raised.id, "revert", "ana", house.clock.now()) if label == "sns.publish" else None
    )
    minutes(house, 1, Throttles=50)
    assert status(house, raised) is Status.ESCALATED
    house.aws.before = None
    minutes(house, 1)
    assert (status(house, raised), house.reserved()) == (Status.REVERTED, 120)


def test_a_plan_approved_after_everything_was_switched_off_is_not_carried_out_and_that_is_said(house, asked):
    house.books.set_mode("*", Mode.OFF, "eva", house.clock.now())
    house.messages()
    found = wish(house, asked, "approve")
    assert (found.status, found.reason, house.reserved(), found.wish) == (Status.SKIPPED, Reason.MODE_OFF, 120, None)
    assert [one["status"] for one in house.messages()] == ["SKIPPED"]


def test_a_plan_approved_in_the_midst_of_a_deployment_waits_for_its_end(house, asked):
    house.books.mark_change("techmoda", house.clock.now(), "UPDATE_IN_PROGRESS")
    assert wish(house, asked, "approve").status is Status.AWAITING_APPROVAL
    house.books.clear_change("techmoda", house.clock.now(), "UPDATE_COMPLETE")
    minutes(house, 1)
    assert (status(house, asked), house.reserved()) == (Status.VERIFYING, 240)


def test_a_plan_approved_in_a_deployment_that_does_not_end_expires(house, asked):
    house.books.mark_change("techmoda", house.clock.now(), "UPDATE_IN_PROGRESS")
    wish(house, asked, "approve")
    minutes(house, 30)
    assert house.get(asked.id).reason is Reason.APPROVAL_EXPIRED
