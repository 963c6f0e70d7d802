"""What an approval must not outlive, and whom it must not take for two: late rounds, modes, refusals, other names."""

from __future__ import annotations

from dataclasses import replace

import pytest

from remediators import flow
from remediators.approvals import ask
from remediators.items import Settings
from remediators.ledger import Ledger
from remediators.round import RoundIncomplete
from sereno.model import Mode, Reason, Refusal, Status, Verdict
from sereno.people import by_token, same
from sereno.service import Approvals

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

    def press(verb="approve", by="ana", plan=asked.plan.digest):
        return ask(house.books, house.watch.service, verb, asked.id, by=by, plan=plan, now=house.clock.now())

    return press


@pytest.fixture
def plans(house):
    """Lets the remediator plan otherwise from now on."""

    def otherwise(plan):
        load = house.watch.load
        faked = replace(load(NAME), plan=plan)
        house.watch = replace(house.watch, load=lambda name: faked if name == NAME else load(name))

    return otherwise


def test_given_in_the_last_moment_it_is_carried_out_by_the_round_after_it(house, asked, say):
    house.clock.forward(1799)
    assert say().ok
    house.rounds(1)
    assert (house.get(asked.id).status, house.reserved()) == (Status.VERIFYING, 240)


def test_a_round_that_comes_hours_late_carries_nothing_out(house, asked, say):
    assert say().ok
    house.clock.forward(6 * 3600)
    house.rounds(1)
    found = house.get(asked.id)
    assert (found.status, found.reason, found.wish) == (Status.SKIPPED, Reason.APPROVAL_EXPIRED, None)
    assert found.detail == "APPROVAL_EXPIRED: approved, but it could not be carried out in time"
    assert house.reserved() == 120


def test_while_the_mode_cannot_be_read_an_approved_plan_waits(house, asked, say, monkeypatch):
    assert say().ok
    with monkeypatch.context() as blind:
        blind.setattr(Ledger, "settings", lambda *_, **__: Settings(None))
        house.rounds(2)
        assert (house.get(asked.id).status, house.reserved()) == (Status.AWAITING_APPROVAL, 120)
    house.rounds(1)
    assert (house.get(asked.id).status, house.reserved()) == (Status.VERIFYING, 240)


def test_an_approved_plan_is_not_carried_out_in_a_watch_that_only_watches_by_now(house, asked, say):
    assert say().ok
    house.books.set_mode("*", Mode.OBSERVE, "eva", house.clock.now())
    house.rounds(31)
    assert (house.get(asked.id).reason, house.reserved()) == (Reason.APPROVAL_EXPIRED, 120)


def test_a_refusal_that_was_noted_before_the_change_was_recorded_is_heard_before_it(house, asked, say, monkeypatch):
    assert say().ok
    save, refused = Ledger.save, []

    def refused_in_between(ledger, remediation, **how):
        if remediation.status is Status.APPLYING and not refused:
            refused.append(say("revert", by="ben"))
        return save(ledger, remediation, **how)

    monkeypatch.setattr(Ledger, "save", refused_in_between)
    house.rounds(1)
    assert [answer.ok for answer in refused] == [True]
    assert house.reserved() == 120
    house.rounds(1)
    assert (house.get(asked.id).status, house.get(asked.id).detail) == (Status.SKIPPED, "refused by ben")
    assert house.reserved() == 120


def test_a_refusal_of_another_plan_changes_nothing(house, asked, say):
    assert say("revert", plan="0123456789abcdef").reason == "other-plan"
    assert house.get(asked.id).wish is None
    assert say("revert", plan=None).ok


@pytest.mark.parametrize("reason", [Reason.NOT_TOLD, Reason.CHANGE_IN_PROGRESS])
def test_a_world_that_cannot_tell_yet_keeps_the_approved_plan_waiting(house, asked, say, plans, reason):
    assert say().ok
    house.set_reserved(150)
    plans(lambda *_: Refusal(Verdict.no(reason, "on its way")))
    house.rounds(2)
    assert house.get(asked.id).status is Status.AWAITING_APPROVAL
    house.rounds(30)
    assert house.get(asked.id).reason is Reason.APPROVAL_EXPIRED
    assert "open_incident" in {one.remediator for one in house.all()}


def test_a_remediator_that_fails_to_plan_anew_holds_its_target_no_longer_than_the_question(house, asked, say, plans):
    def fails(*_):
        raise KeyError("Maximum")

    assert say().ok
    house.set_reserved(150)
    plans(fails)
    for _ in range(31):
        with pytest.raises(RoundIncomplete):
            house.rounds(1)
    house.rounds(2)
    found = house.get(asked.id)
    assert (found.reason, found.wish, house.reserved()) == (Reason.APPROVAL_EXPIRED, None, 150)
    assert "open_incident" in {one.remediator for one in house.all()}


@pytest.mark.parametrize(
    "again",
    [
        "anna (U0123456789)",
        "ANA (u0123456789)",
        "an\u200ba (U0123456789)",
        "\uff41na (U0123456789)",
        "x (U0123456789)",
    ],
)
def test_who_changes_their_name_in_slack_is_still_one_person(house, asked, say, again):
    house.watch = replace(house.watch, service=replace(house.watch.service, approvals=Approvals(two_person=True)))
    risky = replace(asked, plan=replace(asked.plan, high_risk=True))
    house.books.save(risky, before=asked, now=house.clock.now())
    assert say(by="ana (U0123456789)").reason == "first"
    assert say(by=again).reason == "same-person"
    assert say(by="ana (U9876543210)").ok


@pytest.mark.parametrize(
    ("first", "again", "said"),
    [
        (by_token("ana"), by_token("ben"), "Everybody who signs in with the shared token counts as one"),
        ("oca", "\u043e\u0441\u0430", "looks like that one"),
        ("Marla", "MarIa", "looks like that one"),
    ],
)
def test_one_person_with_two_names_is_not_two(house, asked, say, first, again, said):
    house.watch = replace(house.watch, service=replace(house.watch.service, approvals=Approvals(two_person=True)))
    risky = replace(asked, plan=replace(asked.plan, high_risk=True))
    house.books.save(risky, before=asked, now=house.clock.now())
    assert say(by=first).reason == "first"
    answer = say(by=again)
    assert answer.reason == "same-person"
    assert said in answer.text
    assert say(by="lucia").ok


def test_a_name_of_two_scripts_approves_nothing(say):
    answer = say(by="m\u0430ria")
    assert (answer.ok, answer.reason) == (False, "nobody")
    assert "mixes Cyrillic and Latin letters" in answer.text


def test_a_name_is_compared_as_it_is_seen():
    assert same(" A\u200bna\tMaria ") == same("\uff21na maria") == "ana maria"
    assert same("\u200b") == ""
    assert same("ana (ops)") != same("ben (ops)")
