"""An approval is for one plan, once, in time, and by as many people as it needs; everything else changes nothing."""

from __future__ import annotations

import copy
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remediators import approvals, flow
from remediators.approvals import ask, judge
from remediators.ledger import Ledger
from sereno.lifecycle import Remediation
from sereno.model import Call, Mode, Plan, Reason, Signal, Status, Step, Target
from sereno.service import Approvals, Service

NAME = "raise_concurrency"


@pytest.fixture
def asked(house):
    """A plan that asks, on the table in memory."""
    house.in_memory()
    house.on(mode=Mode.APPROVE)
    return flow.start(house.watch, house.signal(), NAME)


@pytest.fixture
def say(house, asked):
    """What a person says of it."""

    def press(verb="approve", by="ana", plan=asked.plan.digest, one=asked.id):
        service = house.watch.service
        return ask(house.books, service, verb, one, by=by, plan=plan, now=house.clock.now())

    return press


def risky(house, asked):
    """The same plan where it needs two people."""
    house.watch = replace(house.watch, service=replace(house.watch.service, approvals=Approvals(two_person=True)))
    plan = replace(asked.plan, high_risk=True)
    return house.books.save(replace(asked, plan=plan), before=asked, now=house.clock.now())


def world(house):
    """All that a forged approval must leave as it was: every row of the ledger, and what is set on AWS."""
    return copy.deepcopy(house.little.real.client("dynamodb").rows), house.reserved()


@pytest.mark.parametrize("verb", ["approve", "revert"])
def test_who_answers_a_question_has_its_incident_and_everybody_is_told(house, asked, say, verb):
    say(verb)
    house.rounds(1)
    incident = house.books.incidents.get(asked.incident)
    assert incident.owner == "ana"
    assert {one["owner"] for one in house.messages("incident")} == {"ana"}


def test_who_approved_stands_in_the_message(house, asked, say):
    assert house.messages()[0]["by"] == ""
    say()
    house.rounds(1)
    assert [(one["status"], one["by"]) for one in house.messages()] == [("VERIFYING", "ana")]


def test_an_approved_plan_is_carried_out_by_the_next_round_in_the_name_of_who_approved(house, asked, say):
    assert say().text == f"Noted: approve {asked.id}. The round sees to it within a minute."
    assert house.reserved() == 120
    house.rounds(1)
    assert (house.get(asked.id).status, house.reserved()) == (Status.VERIFYING, 240)
    assert next(event.by for event in house.books.events(asked.id) if event.phase == "APPLYING") == "ana"


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"plan": None}, "no-plan"),
        ({"plan": "0123456789abcdef"}, "other-plan"),
        ({"by": ""}, "nobody"),
        ({"by": "  "}, "nobody"),
        ({"by": "x" * 101}, "nobody"),
        ({"one": "20260929T120000-raise-concurrency-0000000000"}, "unknown"),
        ({"one": ""}, "unknown"),
        ({"verb": "keep"}, "unfit"),
        ({"verb": "destroy"}, "unfit"),
    ],
)
def test_a_forged_approval_leaves_ledger_and_aws_as_they_were(house, say, changed, reason):
    before = world(house)
    answer = say(**changed)
    assert (answer.ok, answer.reason) == (False, reason)
    assert world(house) == before


def test_an_approval_counts_once(house, asked, say):
    assert say().ok
    before = world(house)
    assert say(by="ben").reason == say().reason == "taken"
    assert world(house) == before
    house.rounds(1)
    after = world(house)
    assert say().reason == "unfit"
    assert world(house) == after


def test_a_late_approval_changes_nothing(house, asked, say):
    house.clock.forward(1800)
    before = world(house)
    assert say().reason == "expired"
    assert world(house) == before


def test_how_long_a_plan_waits_is_the_services_word(house):
    house.in_memory()
    house.on(mode=Mode.APPROVE)
    house.watch = replace(house.watch, service=replace(house.watch.service, approvals=Approvals(within_s=300)))
    asked = flow.start(house.watch, house.signal(), NAME)
    assert asked.escalate_at == house.clock.now() + timedelta(minutes=5)
    house.rounds(6)
    assert house.get(asked.id).reason is Reason.APPROVAL_EXPIRED
    assert "open_incident" in {one.remediator for one in house.all()}, "silence escalates"


def test_who_refuses_a_plan_overrules_who_approved_it_a_moment_ago(house, asked, say):
    say()
    assert say("revert", by="ben").ok
    house.rounds(1)
    assert (house.get(asked.id).status, house.get(asked.id).detail) == (Status.SKIPPED, "refused by ben")
    assert house.reserved() == 120


def test_a_plan_of_high_risk_needs_two_people(house, asked, say):
    risky(house, asked)
    first = say()
    assert (first.ok, first.reason) == (True, "first")
    house.messages()
    house.rounds(2)
    (told,) = house.messages()
    assert told["detail"] == "approved by ana; a second person must too"
    assert (house.get(asked.id).status, house.reserved()) == (Status.AWAITING_APPROVAL, 120)

    before = world(house)
    assert say(by=" Ana ").reason == "same-person"
    assert world(house) == before

    assert say(by="ben").ok
    house.rounds(1)
    assert (house.get(asked.id).status, house.reserved()) == (Status.VERIFYING, 240)
    (applied, *_) = [event for event in house.books.events(asked.id) if event.phase == "APPLYING"]
    assert applied.by == "ana and ben"


def test_one_of_two_is_not_enough_by_the_deadline(house, asked, say):
    risky(house, asked)
    say()
    house.rounds(31)
    assert (house.get(asked.id).reason, house.reserved()) == (Reason.APPROVAL_EXPIRED, 120)


def test_a_new_plan_needs_both_people_again(house, asked, say):
    risky(house, asked)
    say()
    say(by="ben")
    house.set_reserved(150)
    house.rounds(1)
    found = house.get(asked.id)
    assert (found.status, found.approved_by, house.reserved()) == (Status.AWAITING_APPROVAL, (), 150)
    assert say().reason == "other-plan"


def test_what_cannot_be_taken_back_needs_two_people_as_well(house, asked):
    service = replace(house.watch.service, approvals=Approvals(two_person=True))
    step = replace(asked.plan.steps[0], undo=None)
    assert not approvals.needs_two(asked, service)
    assert approvals.needs_two(replace(asked, plan=replace(asked.plan, steps=(step,))), service)
    assert not approvals.needs_two(replace(asked, plan=replace(asked.plan, steps=(step,))), house.watch.service)


def test_what_changes_between_judging_and_writing_is_seen(house, asked, say, monkeypatch):
    get = Ledger.get

    def moved_behind_its_back(ledger, one):
        found = get(ledger, one)
        house.books.save(found.move(Status.SKIPPED, house.clock.now()), before=found, now=house.clock.now())
        return found

    monkeypatch.setattr(Ledger, "get", moved_behind_its_back)
    assert say().reason == "busy"
    monkeypatch.undo()
    assert house.get(asked.id).wish is None


NAMES = st.sampled_from(["ana", "Ana", "ben", "eva", ""])
WORDS = st.tuples(st.sampled_from(["approve", "revert", "keep"]), NAMES, st.booleans(), st.integers(0, 40))


@given(st.lists(WORDS, max_size=12), st.booleans())
def test_nothing_changes_without_as_many_people_as_the_plan_needs(words, two_person):
    """Judged purely, one after the other; `approved` is whoever has said yes to exactly this plan in time."""
    remediation, service, start = _asking(two_person)
    approved, minute = set(), 0
    for verb, by, right, minutes in words:
        minute += minutes
        plan = remediation.plan.digest if right else "other"
        answer = judge(remediation, service, verb, by=by, plan=plan, now=start + timedelta(minutes=minute))
        if answer.ok and verb == "approve":
            assert right
            assert by
            assert minute < 30
            approved.add(by.casefold())
            if answer.reason == "first":
                remediation = replace(remediation, approved_by=(by,))
            else:
                assert len(approved) >= (2 if two_person else 1)
                return


def _asking(two_person):
    start = datetime(2026, 9, 29, 12, 0, tzinfo=UTC)
    target = Target("function", "shop-read", "eu-west-1", "123456789012")
    signal = Signal("s", "cloudwatch", "shop/read/throttles", "throttles", "ALARM", "OK", target, start)
    call = Call("lambda", "put_function_concurrency", {})
    plan = Plan((Step(call, "", "reserved concurrency", 1, 2, call),), "", high_risk=True)
    remediation = Remediation(
        "r",
        NAME,
        signal,
        target,
        start,
        status=Status.AWAITING_APPROVAL,
        plan=plan,
        escalate_at=start + timedelta(minutes=30),
    )
    service = Service("shop", "123456789012", ("eu-west-1",), approvals=Approvals(two_person=two_person))
    return remediation, service, start
