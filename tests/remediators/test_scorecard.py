"""The evidence: what an observing remediator would have done and what came of it, and what an acting one did."""

from __future__ import annotations

import pytest

from remediators import flow, scorecard
from remediators.scorecard import advice, evidence, score
from sereno.model import Mode, Status
from sereno.service import Demotion

NAME = "raise_concurrency"


@pytest.fixture(autouse=True)
def on_paper(house):
    house.in_memory()


def observed(house, what="exhaustion"):
    """Its alarm rings, and it only watches."""
    house.on(mode=Mode.OBSERVE)
    house.red(what)
    return flow.start(house.watch, house.signal(what), NAME)


def of(house, days=30):
    return score(
        NAME, [one for one in scorecard.read(house.books, house.clock.now(), days) if one.remediator == NAME]
    )


def test_an_alarm_that_goes_by_itself_speaks_against_a_change(house):
    one = observed(house)
    house.rounds(4)
    assert of(house).would == 1
    assert of(house).cases == 0, "it is still being watched"
    house.green()
    house.rounds(3)
    found = house.get(one.id)
    assert (found.aftermath, found.follow_until) == ("alone", None)
    assert house.books.events(one.id)[-1].detail.startswith("the alarm recovered within ")
    assert of(house).alone == 1
    assert house.books.open() == []
    assert [message["status"] for message in house.messages()] == ["OBSERVED"], "evidence is no news"


def test_what_people_changed_instead_is_written_down(house):
    one = observed(house)
    house.set_reserved(300)
    house.green()
    house.rounds(3)
    assert house.get(one.id).aftermath == "people"
    assert house.books.events(one.id)[-1].detail.endswith("after reserved concurrency 120 -> 300")


def test_what_stays_red_for_an_hour_would_have_needed_it(house):
    one = observed(house)
    house.rounds(62)
    assert house.get(one.id).aftermath == "not"
    assert "has not recovered within 6" in house.books.events(one.id)[-1].detail
    calls = [call for call in house.aws.calls if call == "lambda.get_function_concurrency"]
    assert calls == [], "while it is red nothing of the service is read"


def test_what_it_did_and_whether_that_helped(house):
    house.surge()
    flow.start(house.watch, house.signal(), NAME)
    house.rounds(1)
    assert of(house).in_force == 1
    house.calm()
    house.rounds(20)
    assert (of(house).acted, of(house).right, of(house).wrong) == (1, 1, 0)
    house.clock.forward(600)
    house.surge()
    second = flow.start(house.watch, house.signal("throttles"), NAME)
    house.books.wish(second.id, "revert", "ana", house.clock.now())
    house.rounds(1)
    found = of(house)
    assert (found.acted, found.right, found.wrong, found.reverted) == (2, 1, 1, 1)
    assert house.get(second.id).ended_by == "ana"


def test_the_evidence_in_sentences(house):
    observed(house)
    house.green()
    house.rounds(3)
    lines = evidence(of(house), 30)
    assert lines[0].startswith(
        "It would have acted once in 30 days: 1 recovered by themselves, 0 after a person's change"
    )
    assert evidence(score(NAME, []), 7) == ["Nothing is known of it in 7 days."]


@pytest.mark.parametrize(
    ("counted", "speaks", "why"),
    [
        ({"alone": 1, "not_yet": 2}, True, "2 of 3 cases needed a change"),
        ({"not_yet": 2}, False, "it rests on 2 cases"),
        ({"alone": 9}, False, "every alarm went by itself"),
        ({"right": 9, "wrong": 1}, False, "once it did harm or no good"),
        ({}, False, "it rests on 0 cases"),
    ],
)
def test_whether_the_evidence_speaks_for_a_promotion(counted, speaks, why):
    answer = advice(scorecard.Score(NAME, **counted))
    assert answer[0] is speaks
    assert why in answer[1]


# -- the circuit breaker


def goes_wrong(house, number):
    """A person takes its change back."""
    house.surge()
    one = flow.start(house.watch, house.signal("throttles"), NAME)
    assert one.status is Status.VERIFYING, one.detail
    house.books.wish(one.id, "revert", f"ana{number}", house.clock.now())
    house.rounds(1)
    house.clock.forward(900)


def test_what_goes_wrong_three_times_in_a_week_only_watches_from_then_on_and_everybody_hears_of_it(house):
    for number in range(3):
        assert house.books.modes() == {}
        goes_wrong(house, number)
    row = house.books.mode_rows()[NAME]
    assert (row.mode, row.by) == (Mode.OBSERVE, "sereno")
    (told,) = house.messages("watch")
    assert (told["status"], told["severity"], told["id"][:8]) == ("DEMOTED", "page", "demoted-")
    assert "3 failures and reverts by people in 7 days" in told["detail"]
    house.surge()
    assert flow.start(house.watch, house.signal("saturation"), NAME).status is Status.OBSERVED


def test_a_person_who_promotes_it_again_begins_a_new_count(house):
    for number in range(3):
        goes_wrong(house, number)
    house.books.set_mode(NAME, Mode.AUTO, "ana", house.clock.now())
    house.clock.forward(60)
    house.messages("watch")
    goes_wrong(house, 3)
    assert house.books.modes()[NAME] is Mode.AUTO
    assert house.messages("watch") == []


def test_the_brake_does_not_hang_on_a_message_and_what_was_not_told_is_counted(house):
    house.aws.before = None
    house.on(demotion=Demotion(times=1))
    house.surge()
    one = flow.start(house.watch, house.signal("throttles"), NAME)
    house.books.wish(one.id, "revert", "ana", house.clock.now())
    from botocore.exceptions import ClientError

    away = ClientError({"Error": {"Code": "InternalError", "Message": "away"}}, "Publish")
    house.aws.before = lambda number, label: away if label == "sns.publish" else None
    house.rounds(1)
    assert house.books.modes()[NAME] is Mode.OBSERVE
    assert house.telemetry.total("Unpublished") >= 2, "the revert's news, and the demotion's"


def test_attempts_at_one_red_alarm_are_one_case(house):
    observed(house)
    house.rounds(130)
    assert len([one for one in house.all() if one.status is Status.OBSERVED]) > 1
    assert (of(house).would, of(house).not_yet) == (1, 1)


def test_an_alarm_without_data_has_not_recovered(house):
    one = observed(house)
    house.red(StateValue="INSUFFICIENT_DATA")
    house.rounds(62)
    assert (house.get(one.id).aftermath, of(house).cases) == ("", 0)
    assert "INSUFFICIENT_DATA" in house.books.events(one.id)[-1].detail


def test_what_failed_before_it_acted_is_no_secret():
    assert evidence(scorecard.Score(NAME, wrong=3), 30) == ["It failed 3 times before it could change anything."]
