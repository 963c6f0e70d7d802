"""Incidents in the ledger: who opens one, who joins, how it goes on and ends, and that people hear of it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from botocore.exceptions import ClientError

from remediators import flow
from remediators.incidents import IncidentBook
from sereno.errors import LedgerUnavailable, Refused
from sereno.incident import Stage
from sereno.model import Mode, Status

NAME = "raise_concurrency"
AWAY = ClientError({"Error": {"Code": "InternalError", "Message": "away"}}, "Publish")


@pytest.fixture(params=["moto", "memory"])
def house(house, request):
    """Told twice: on moto, and on the table in memory."""
    return house.in_memory() if request.param == "memory" else house


@pytest.fixture
def book(house):
    return house.books.incidents


def start(house, what="exhaustion", resource="read"):
    return flow.start(house.watch, house.signal(what, resource), NAME)


def news(house):
    return [(one["status"], one["by"]) for one in house.messages("incident")]


def phases(book, incident):
    return [event.phase for event in book.events(incident)]


def test_the_first_signal_opens_an_incident_and_every_later_one_of_the_part_joins_it(house, book):
    first, second = start(house), start(house, resource="write")
    (only,) = book.open()
    assert first.incident == second.incident == only.id
    assert (only.stage, only.title, only.group) == (Stage.OPEN, "techmoda-read: exhaustion", "techmoda/catalogue")
    assert set(only.members) == {first.id, second.id}
    assert only.alarms == ("techmoda/read/exhaustion", "techmoda/write/exhaustion")
    assert [one.id for one in book.members(only)] == sorted((first.id, second.id))
    gates = dict(first.plan.gates)
    assert gates["incident"].detail == f"opens {only.id}: read hangs together with catalogue, write"
    assert dict(second.plan.gates)["incident"].detail.startswith(f"joins {only.id}: write hangs together")


def test_two_functions_that_wake_at_once_agree_on_the_incident(house, book):
    other = IncidentBook(house.little.real.client("dynamodb"), "sereno-techmoda-ledger", "techmoda")
    now = house.clock.now()
    mine = book.thread(house.watch.service, house.signal(), now)
    theirs = other.thread(house.watch.service, house.signal("throttles", "write"), now)
    assert mine.incident == theirs.incident
    assert (mine.why.split()[0], theirs.why.split()[0]) == ("opens", "joins")


def test_the_same_event_twice_joins_once(house, book):
    start(house)
    (before,) = book.open()
    assert start(house) is None
    assert book.open() == [before]


def test_it_is_mitigated_while_the_change_holds_and_resolved_once_it_is_taken_back(house, book):
    house.red()
    remediation = start(house)
    house.rounds(2)
    assert book.get(remediation.incident).stage is Stage.OPEN
    house.green()
    house.calm()
    house.rounds(1)
    assert book.get(remediation.incident).stage is Stage.MITIGATED
    house.rounds(25)
    assert house.get(remediation.id).status is Status.REVERTED
    found = book.get(remediation.incident)
    assert (found.stage, found.resolved_by, found.untold) == (Stage.RESOLVED, "sereno", False)
    assert phases(book, found.id) == ["MITIGATED", "RESOLVED"]
    assert news(house) == [("MITIGATED", "sereno"), ("RESOLVED", "sereno")]
    assert book.open() == []
    assert [one.id for one in book.newest(before=house.clock.now())] == [found.id]


def test_what_goes_red_after_the_end_is_another_incident(house, book):
    house.on(mode=Mode.OBSERVE)
    first = start(house)
    house.rounds(6)
    assert book.get(first.incident).stage is Stage.RESOLVED
    house.clock.forward(600)
    second = start(house)
    assert second.incident != first.incident
    assert [one.id for one in book.newest(before=house.clock.now())] == [second.incident, first.incident]


def test_an_event_that_comes_once_more_after_the_end_opens_nothing(house, book):
    house.on(mode=Mode.OBSERVE)
    signal = house.signal()
    first = flow.start(house.watch, signal, NAME)
    house.rounds(6)
    assert flow.start(house.watch, signal, NAME) is None
    assert book.open() == []
    assert start(house, "throttles").incident != first.incident


def test_an_alarm_that_comes_and_goes_is_one_incident(house, book):
    house.on(mode=Mode.OBSERVE)
    first = start(house)
    for _ in range(3):
        house.red()
        house.rounds(1)
        house.green()
        house.rounds(2)
    assert book.get(first.incident).stage is Stage.OPEN
    house.rounds(3)
    assert book.get(first.incident).stage is Stage.RESOLVED


def test_a_person_takes_it_and_it_stays_theirs(house, book):
    incident = start(house).incident
    found = book.acknowledge(incident, "ana", house.clock.now())
    assert (found.stage, found.owner) == (Stage.ACKNOWLEDGED, "ana")
    house.rounds(1)
    assert news(house) == [("MITIGATED", "sereno")]  # the newest news stands for what came before it
    assert book.get(incident).owner == "ana"
    assert phases(book, incident) == ["ACKNOWLEDGED", "MITIGATED"]


def test_a_person_ends_it_and_what_is_still_red_opens_another(house, book):
    house.on(mode=Mode.OBSERVE)
    incident = start(house).incident
    book.resolve(incident, "ana", house.clock.now())
    house.rounds(1)
    assert news(house) == [("RESOLVED", "ana")]
    assert book.open() == []
    with pytest.raises(Refused, match="is RESOLVED"):
        book.acknowledge(incident, "ben", house.clock.now())
    assert start(house, "throttles").incident != incident


def test_a_person_cannot_end_it_over_a_change_that_is_held(house, book):
    """A change that is merely held, and not escalated, keeps it open too; one that is kept does not."""
    held = start(house)
    house.rounds(1)
    assert house.get(held.id).active
    asked = f"while a change of it is active: {held.id} .*sereno revert {held.id}, or sereno keep"
    with pytest.raises(Refused, match=asked):
        book.resolve(held.incident, "ana", house.clock.now())
    with pytest.raises(Refused, match=asked):
        book.ask(held.incident, "resolve", "ana")
    assert book.get(held.incident).is_open
    live = house.get(held.id)
    house.books.save(
        live.move(Status.KEPT, house.clock.now(), "kept by ana", by="ana"), before=live, now=house.clock.now()
    )
    book.resolve(held.incident, "ana", house.clock.now())
    assert book.get(held.incident).stage is Stage.RESOLVED


def test_what_joins_while_the_end_is_being_told_opens_it_again(house, book):
    house.on(mode=Mode.OBSERVE)
    incident = start(house).incident
    book.resolve(incident, "ana", house.clock.now())
    stale = book.get(incident)
    thread = book.thread(house.watch.service, house.signal(), house.clock.now())
    book.join(thread, start(house, "throttles", "write"), house.clock.now())
    book.told(stale)
    assert incident in {one.id for one in book.open()}


def test_muted_is_noted_with_its_end(house, book):
    incident, now = start(house).incident, house.clock.now()
    book.mute(incident, now + timedelta(minutes=30), "ana", now)
    assert book.get(incident).muted_until == now + timedelta(minutes=30)
    assert phases(book, incident) == ["MUTED"]


def test_of_two_people_who_act_at_once_one_is_told_to_look_again(house, book):
    house.on(mode=Mode.OBSERVE)
    incident, now = start(house).incident, house.clock.now()
    stale = book.get(incident)
    book.acknowledge(incident, "ana", now)
    book._must = lambda _: stale  # what ben saw
    with pytest.raises(Refused, match="has changed meanwhile"):
        book.resolve(incident, "ben", now)


def test_people_hear_of_the_end_however_long_the_topic_was_away(house, book):
    house.on(mode=Mode.OBSERVE)
    incident = start(house).incident
    house.aws.before = lambda number, label: AWAY if label == "sns.publish" else None
    house.rounds(8)
    assert (book.get(incident).stage, book.get(incident).untold) == (Stage.RESOLVED, True)
    house.aws.before = None
    house.rounds(1)
    assert news(house) == [("RESOLVED", "sereno")]
    house.rounds(1)
    assert news(house) == []


def test_when_alarms_cannot_be_read_nothing_is_thought_to_be_over(house, book):
    house.on(mode=Mode.OBSERVE)
    incident = start(house).incident
    house.aws.before = lambda number, label: AWAY if label == "cloudwatch.describe_alarms" else None
    house.rounds(8)
    assert book.get(incident).stage is Stage.OPEN


def test_what_is_not_there_is_refused_and_a_ledger_away_is_said(house, book):
    with pytest.raises(Refused, match="no incident"):
        book.acknowledge("incident-none", "ana", house.clock.now())
    house.aws.before = lambda number, label: AWAY if label.startswith("dynamodb.") else None
    with pytest.raises(LedgerUnavailable):
        IncidentBook(house.aws.client("dynamodb"), "sereno-techmoda-ledger", "techmoda").open()
