"""A planned event: everything is raised before it begins, held through it, and taken back after it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from remediators import flow, round
from sereno.model import Mode, Reason, Status, iso
from sereno.service import PLANNED_EVENT, PlannedEvent, Play
from sereno.testing import Crash

NAME = "raise_concurrency"
LADDER = ((NAME,), ("open_incident",))


@pytest.fixture
def planned(house):
    """Declares an event an hour from now, two hours long, of twelve times the traffic, with half an hour's prewarm;
    `planned(...)` declares it otherwise."""
    began = house.clock.now()

    def declare(*, mode=Mode.AUTO, in_min=60, minutes=120, play=None, others=(), **changes):
        starts = began + timedelta(minutes=in_min)
        times = {"starts": iso(starts), "ends": iso(starts + timedelta(minutes=minutes))}
        event = replace(PlannedEvent("Fashion Week", **times, factor=12.0, prewarm_s=1800), **changes)
        plays = {
            PLANNED_EVENT: Play(PLANNED_EVENT, LADDER, mode, params={"ceiling": 400}, **(play or {})),
            **{what: Play(what, LADDER, Mode.AUTO, params={"ceiling": 400}) for what in ("exhaustion", "throttles")},
        }
        house.on(playbook=plays, events=(event, *others))
        return event

    house.calm()
    house.metrics.minutes(house.clock, Invocations=106 * 60, Throttles=0, Duration=150, ConcurrentExecutions=16)
    declare()
    return declare


def calm_rounds(house, minutes, **series):
    """Rounds with the load of an ordinary hour, or another."""
    usual = {"Invocations": 106 * 60, "Throttles": 0, "Duration": 150, "ConcurrentExecutions": 16}
    for _ in range(minutes):
        house.clock.forward(60)
        house.metrics.minutes(house.clock, **{**usual, **series})
        house.clock.forward(-60)
        house.rounds(1)


def later(house, minutes, **series):
    """The same, but only the last of the minutes has its round."""
    house.clock.forward(60 * (minutes - 1))
    calm_rounds(house, 1, **series)


def of(house, name="techmoda-read"):
    """The remediations of a target, as they stand."""
    return [one for one in house.all() if one.target.name == name]


def test_everything_is_raised_half_an_hour_before_and_lowered_after(house, planned):
    later(house, 29)
    assert house.all() == []
    later(house, 1)
    # 12 x 16 executions with their Poisson peaks, and the same for the writes.
    assert (house.reserved(), house.reserved("techmoda-write")) == (303, 76)
    later(house, 1)
    (read,) = of(house)
    assert (read.status, iso(read.hold_until)) == (Status.HOLDING, "2026-09-29T15:00:00.000Z")

    later(house, 29)  # it begins
    later(house, 110, Invocations=12 * 106 * 60, ConcurrentExecutions=190)
    assert {one.status for one in house.all()} == {Status.HOLDING}
    later(house, 9)  # everybody has gone before the end: it is held all the same
    assert house.reserved() == 303
    later(house, 15)
    assert {one.status for one in house.all()} == {Status.REVERTED}
    assert (house.reserved(), house.reserved("techmoda-write")) == (120, 40)
    later(house, 5)
    assert len(house.all()) == 2, "one row for a target and event"


def test_who_stays_after_the_end_keeps_the_room(house, planned):
    later(house, 30)
    later(house, 1)
    later(house, 180, ConcurrentExecutions=150)
    (read,) = of(house)
    assert (read.status, read.reason, house.reserved()) == (Status.HOLDING, Reason.STILL_NEEDED, 303)


def test_the_round_that_comes_twice_and_the_round_that_dies_open_one_lease(house, planned):
    house.clock.forward(30 * 60)
    died, seen = 0, 0

    def dies(number, label):
        return Crash() if number == seen + died else None

    house.aws.before = dies
    while died < 40:
        died, seen = died + 1, len(house.aws.calls)
        try:
            round.make(house.watch)
            break
        except Crash:
            continue
    house.aws.before = None
    house.rounds(4)
    assert [one.status for one in of(house)] in ([Status.VERIFYING], [Status.HOLDING])
    assert [effect for effect in house.little.effects if effect[0] == 120] == [(120, 303)]


def test_an_event_that_is_running_when_it_is_first_seen_is_prepared_for_at_once(house, planned):
    planned(in_min=-30)
    calm_rounds(house, 1)
    assert house.reserved() == 303


def test_an_event_that_is_over_starts_nothing(house, planned):
    planned(in_min=-180)
    calm_rounds(house, 3)
    assert house.all() == []


def test_without_any_metric_the_declared_normal_is_enough_to_be_ready(house, planned):
    house.metrics.points.clear()
    house.clock.forward(30 * 60)
    house.rounds(2)
    assert [(one.status, house.reserved()) for one in of(house)] == [(Status.HOLDING, 303)]


def test_slow_calls_before_the_event_are_no_reason_not_to_be_ready(house, planned):
    house.clock.forward(30 * 60)
    house.metrics.minutes(house.clock, Invocations=106 * 60, Duration=150, recent_Duration=900, Throttles=0)
    house.rounds(1)
    assert house.reserved() == 303


def test_what_is_large_enough_already_is_left_alone_and_nobody_is_told(house, planned):
    house.set_reserved(350)
    house.set_reserved(350, "techmoda-write")
    later(house, 30)
    later(house, 10)
    assert [(one.status, one.reason) for one in house.all()] == [(Status.SKIPPED, Reason.NOTHING_TO_DO)] * 2
    assert house.messages() == []


def test_while_the_event_is_covered_an_alarm_finds_its_target_busy_and_opens_an_incident_of_its_own(house, planned):
    later(house, 31)
    later(house, 1)
    refused = flow.start(house.watch, house.signal("throttles"), NAME)
    (held, also) = of(house)
    assert (refused.reason, also.id) == (Reason.TARGET_BUSY, refused.id)
    assert house.books.incidents.get(held.incident) is None  # what is planned is nobody's incident
    assert house.books.incidents.get(also.incident).members == (refused.id,)


def test_a_target_that_something_else_holds_is_taken_as_soon_as_it_is_free(house, planned):
    later(house, 25)
    reactive = flow.start(house.watch, house.signal("throttles"), NAME)  # held for a quarter of an hour
    assert reactive.status is Status.VERIFYING
    calm_rounds(house, 15)
    assert [one.id for one in of(house)] == [reactive.id]
    calm_rounds(house, 2)
    # Free, and not cooled down yet: a planned event does not wait for that.
    assert [one.status for one in of(house)] == [Status.REVERTED, Status.HOLDING]
    assert house.reserved() == 303


def test_a_refusal_that_may_pass_is_tried_again_and_costs_one_lease(house, planned):
    house.books.mark_change("techmoda", house.clock.now() + timedelta(minutes=29), "UPDATE_IN_PROGRESS")
    later(house, 32)
    assert {one.reason for one in house.all()} == {Reason.CHANGE_IN_PROGRESS}
    house.books.clear_change("techmoda", house.clock.now(), "UPDATE_COMPLETE")
    later(house, 3)
    assert house.reserved() == 303
    later(house, 20)
    later(house, 40)
    assert [str(one.status) for one in of(house)] == ["SKIPPED", "HOLDING"]
    assert len({one.incident for one in house.all()}) == 1


@pytest.mark.parametrize("who", ["revert", "keep"])
def test_what_a_person_decided_is_not_done_again(house, planned, who):
    later(house, 31)
    later(house, 1)
    (read,) = of(house)
    house.books.wish(read.id, who, "ana", house.clock.now())
    later(house, 1)
    later(house, 20)
    later(house, 40)
    assert len(of(house)) == 1
    assert house.reserved() == {"revert": 120, "keep": 303}[who]


# -- guards


def test_in_observe_mode_it_says_what_it_would_do_and_acts_once_the_mode_lets_it(house, planned):
    planned(mode=Mode.OBSERVE)
    later(house, 31)
    later(house, 19)
    assert [one.status for one in of(house)] == [Status.OBSERVED]
    house.books.set_mode(NAME, Mode.AUTO, "ana", house.clock.now())
    later(house, 21)
    later(house, 1)
    assert [one.status for one in of(house)] == [Status.OBSERVED, Status.HOLDING]


def test_in_approve_mode_it_asks_before_the_event(house, planned):
    planned(mode=Mode.APPROVE)
    later(house, 31)
    (read,) = of(house)
    assert (read.status, house.reserved()) == (Status.AWAITING_APPROVAL, 120)
    house.books.wish(read.id, "approve", "ana", house.clock.now())
    calm_rounds(house, 2)
    assert (house.get(read.id).status, house.reserved()) == (Status.HOLDING, 303)


def test_an_approval_that_comes_after_the_event_raises_nothing(house, planned):
    planned(mode=Mode.APPROVE, minutes=10, prewarm_s=600)
    later(house, 51)
    (read,) = of(house)
    house.clock.forward(19 * 60)
    house.books.wish(read.id, "approve", "ana", house.clock.now())
    house.rounds(1)
    assert (house.get(read.id).reason, house.reserved()) == (Reason.STALE, 120)


def test_the_days_money_is_a_limit_for_events_too_and_a_person_is_told(house, planned):
    planned(play={"per_day": 1})
    later(house, 31)
    later(house, 1)
    assert sorted(str(one.reason) for one in house.all() if one.remediator == NAME) == ["BUDGET_SPENT", "OK"]
    assert [one.target.name for one in house.opened] == ["techmoda/Fashion Week/planned-event"]


def test_what_an_event_spends_leaves_enough_for_what_nobody_planned(house, planned):
    planned(play={"per_day": 2})
    later(house, 31)
    later(house, 1)
    rows = house.little.real.client("dynamodb").scan(TableName="sereno-techmoda-ledger")["Items"]
    spent = {row["pk"]["S"]: row["used"]["N"] for row in rows if row["pk"]["S"].startswith("B#")}
    assert spent == {"B#raise_concurrency/planned-event#2026-09-29": "2"}


def test_an_event_that_needs_more_than_the_ceiling_is_told_long_before_it_begins(house, planned):
    planned(factor=40.0)
    later(house, 31)
    later(house, 1)
    (read,) = of(house)
    assert house.reserved() == 400  # as far as it may
    assert "400 is what ceiling and account allow" in read.plan.reason


def test_an_event_pages_once_however_often_its_raise_is_refused(house, planned):
    house.set_reserved(0)
    calm_rounds(house, 31)
    calm_rounds(house, 60)
    refused = [one for one in of(house) if one.reason is Reason.OPERATOR_STOP]
    assert len(refused) == 5  # at once, then after 5, 10, 20 and 40 minutes
    assert len(house.opened) == 1
    others = [one for one in house.all() if one.remediator == "open_incident" and one.status is Status.SKIPPED]
    assert {one.reason for one in others} == {Reason.NOTHING_TO_DO}
    assert len(others) == 4


# -- the configuration changes meanwhile


def test_an_event_that_is_prolonged_is_held_longer_and_people_are_told(house, planned):
    later(house, 31)
    later(house, 1)
    house.messages()
    planned(minutes=240)
    calm_rounds(house, 1)
    told = [one["detail"] for one in house.messages()]
    assert told == ["the event is planned until 2026-09-29 17:00 UTC now"] * 2
    later(house, 260, Invocations=0, ConcurrentExecutions=150)
    assert house.reserved() == 303
    later(house, 8)
    assert house.reserved() == 120


@pytest.mark.parametrize("how", [{"minutes": 5}, {"in_min": 24 * 60}], ids=["cut short", "put off"])
def test_an_event_that_is_cut_short_or_put_off_is_taken_back(house, planned, how):
    later(house, 31)
    later(house, 1)
    later(house, 35)
    planned(**how)
    calm_rounds(house, 2)
    assert [one.status for one in of(house)] == [Status.REVERTED]
    assert house.reserved() == 120


def test_an_event_that_is_called_off_is_taken_back(house, planned):
    later(house, 31)
    later(house, 9)
    house.watch = replace(house.watch, service=replace(house.watch.service, events=()))
    calm_rounds(house, 2)
    assert [one.status for one in of(house)] == [Status.REVERTED]


def test_throttles_in_spite_of_being_ready_are_a_persons_work(house, planned):
    later(house, 31)
    later(house, 31)
    calm_rounds(house, 10, Throttles=500)
    (read,) = of(house)
    assert (read.status, read.reason, house.reserved()) == (Status.ESCALATED, Reason.SYMPTOM_PERSISTS, 303)
    calm_rounds(house, 1, Throttles=500)
    assert len(house.opened) == 1
