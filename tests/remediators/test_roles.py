"""Stories under the roles of their functions: each may write its own rows, and is refused those of others."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from botocore.exceptions import ClientError

from deploy import iam, roles
from deploy.synth import functions, notify
from remediators import approvals, flow, items, round
from remediators.ledger import Ledger
from remediators.registry import load
from sereno.errors import LedgerUnavailable, Refused
from sereno.model import Mode, Status
from sereno.service import Approvals, Notices, Slack

NAME, TABLE = "raise_concurrency", "sereno-techmoda-ledger"
SLACK = Slack("C0123456789", "techmoda/slack", ("U0123456789",))


def code_of(service, what):
    return {
        "remediator": lambda: functions.of_remediator(service, load(NAME)),
        "round": lambda: functions.of_round(service, [load(NAME), load("open_incident")]),
        "notifier": lambda: notify.notifier(service),
        "actions": lambda: notify.buttons(replace(service, notices=Notices(slack=SLACK))),
    }[what]()


@pytest.fixture
def as_(house, monkeypatch):
    """`as_(what)`: the house's watch with the rights on the ledger of this function's role."""
    house.in_memory()

    def watch(what):
        service = house.watch.service
        written = iam.allow(code_of(service, what).permissions, service)
        real = house.little.real.client("dynamodb")
        client = roles.Held(real, written, region=service.region, account=service.account)
        aws = _With(house.watch.aws, client)
        return replace(house.watch, aws=aws, ledger=Ledger(client, TABLE, "techmoda", sleep=lambda _: None)), client

    return watch


class _With:
    """An `Aws` with another client of DynamoDB."""

    def __init__(self, aws, dynamodb):
        self.aws, self.dynamodb = aws, dynamodb

    def client(self, service, region=None):
        return self.dynamodb if service == "dynamodb" else self.aws.client(service, region)


def test_a_whole_life_is_written_under_the_roles_of_remediator_and_reconciler(house, as_):
    watch, remediator = as_("remediator")
    raised = flow.start(watch, house.signal(), NAME)
    assert raised.status is Status.VERIFYING
    tending, reconciler = as_("round")
    house.metrics.points.clear()
    house.red()
    for minute in range(25):
        house.clock.forward(60)
        if minute == 2:
            house.green()
        assert round.make(tending)["failed"] == 0
    assert house.get(raised.id).status is Status.REVERTED
    assert (remediator.refused, reconciler.refused) == ([], [])


def test_the_reconciler_demotes_by_a_cap_and_may_not_set_a_mode(house, as_):
    watch, client = as_("round")
    watch.ledger.cap(NAME, Mode.OBSERVE, house.clock.now(), reason="3 failures")
    assert house.books.settings(NAME, None, house.clock.now()).caps == {NAME: Mode.OBSERVE}
    with pytest.raises(LedgerUnavailable, match="AccessDeniedException"):
        watch.ledger.set_mode(NAME, Mode.AUTO, "sereno", house.clock.now())
    assert [dict(one.keys)["dynamodb:LeadingKeys"] for one in client.refused] == [("MODE",)]
    assert house.books.settings(NAME, None, house.clock.now()).modes == {}


@pytest.mark.parametrize("what", ["remediator", "notifier", "actions"])
def test_nobody_else_demotes_or_sets_a_mode(house, as_, what):
    watch, client = as_(what)
    for write in (
        lambda: watch.ledger.cap(NAME, Mode.OFF, house.clock.now(), reason="forged"),
        lambda: watch.ledger.set_mode(NAME, Mode.AUTO, "forged", house.clock.now()),
    ):
        with pytest.raises(LedgerUnavailable, match="AccessDeniedException"):
            write()
    assert len(client.refused) == 2


def test_a_press_of_a_button_is_written_as_a_request_and_nothing_else(house, as_):
    house.on(mode=Mode.APPROVE)
    service = replace(house.watch.service, approvals=Approvals(two_person=True))
    asked = flow.start(house.watch, house.signal(), NAME)
    asked = house.watch.ledger.save(
        replace(asked, plan=replace(asked.plan, high_risk=True)), before=asked, now=house.clock.now()
    )
    watch, client = as_("actions")
    now, plan = house.clock.now(), asked.plan.digest
    first = approvals.ask(watch.ledger, service, "approve", asked.id, by="ana", plan=plan, now=now)
    second = approvals.ask(watch.ledger, service, "approve", asked.id, by="ana", plan=plan, now=now)
    third = approvals.ask(watch.ledger, service, "approve", asked.id, by="ben", plan=plan, now=now)
    assert [one.reason for one in (first, second, third)] == ["first", "same-person", "noted"]
    for verb in ("ack", "mute", "resolve"):
        watch.ledger.incidents.ask(asked.incident, verb, "ana", until=now)
    assert client.refused == []
    assert house.get(asked.id).wish_by == "ana and ben"
    with pytest.raises(LedgerUnavailable, match="AccessDeniedException"):
        watch.ledger.save(replace(asked, status=Status.APPLYING), before=asked, now=now)
    forged = {"Key": items.key(f"R#{asked.id}", "STATE"), "UpdateExpression": "SET doc = :d"}
    with pytest.raises(ClientError, match="AccessDeniedException"):
        client.update_item(TableName=TABLE, **forged, ExpressionAttributeValues=items.values(d="{}"))


def test_what_was_asked_of_an_incident_is_carried_out_by_the_reconciler_once(house):
    raised = flow.start(house.watch, house.signal(), NAME)
    book, until = house.books.incidents, house.clock.now() + timedelta(minutes=30)
    book.ask(raised.incident, "ack", "ana")
    book.ask(raised.incident, "mute", "ben", until=until)
    house.rounds(2)
    incident = book.get(raised.incident)
    assert (incident.owner, incident.muted_until, incident.asks) == ("ana", until, ())
    said = [(one.phase, one.by) for one in book.events(raised.incident) if one.by != "sereno"]
    assert said == [("ACKNOWLEDGED", "ana"), ("MUTED", "ben")]
    with pytest.raises(Refused, match="while a change of it is active"):
        book.ask(raised.incident, "resolve", "ana")
    house.books.wish(raised.id, "keep", "ana", house.clock.now())
    house.rounds(1)
    book.ask(raised.incident, "resolve", "ana")
    house.rounds(1)
    assert book.get(raised.incident).resolved_by == "ana"
    with pytest.raises(Refused, match="RESOLVED"):
        book.ask(raised.incident, "ack", "ben")


def test_the_first_of_two_is_noted_by_the_reconciler_and_the_second_carries_it_out(house):
    house.on(mode=Mode.APPROVE)
    service = replace(house.watch.service, approvals=Approvals(two_person=True))
    house.watch = replace(house.watch, service=service)
    asked = flow.start(house.watch, house.signal(), NAME)
    house.watch.ledger.save(
        replace(asked, plan=replace(asked.plan, high_risk=True)), before=asked, now=house.clock.now()
    )
    plan = house.get(asked.id).plan.digest

    def say(by):
        return approvals.ask(
            house.books, house.watch.service, "approve", asked.id, by=by, plan=plan, now=house.clock.now()
        ).reason

    assert say("ana") == "first"
    house.rounds(1)
    found = house.get(asked.id)
    assert (found.status, found.approved_by, found.wish) == (Status.AWAITING_APPROVAL, ("ana",), None)
    assert (say("ana"), say("ben")) == ("same-person", "noted")
    house.rounds(1)
    assert house.get(asked.id).status is Status.VERIFYING


# -- caps


def test_a_cap_counts_until_an_operator_sets_a_mode(house):
    now = house.clock.now
    house.books.set_mode(NAME, Mode.AUTO, "ana", now())
    house.clock.forward(60)
    house.books.cap(NAME, Mode.OBSERVE, now(), reason="3 failures")
    raised = flow.start(house.watch, house.signal(), NAME)
    assert (raised.status, raised.mode) == (Status.OBSERVED, Mode.OBSERVE)
    assert house.books.mode_rows()[NAME].by == "sereno"
    house.clock.forward(600)
    house.books.set_mode(NAME, Mode.AUTO, "ana", now())
    assert house.books.modes() == {NAME: Mode.AUTO}
    house.surge()
    assert flow.start(house.watch, house.signal("throttles"), NAME).status is Status.VERIFYING


@pytest.mark.parametrize(
    ("mode_at", "all_at", "counts"),
    [(None, None, True), (5, None, True), (15, None, False), (5, 15, False), (None, 15, False), (None, 5, True)],
)
def test_a_cap_counts_while_it_is_newer_than_the_modes_row_and_that_of_all(house, mode_at, all_at, counts):
    start = house.clock.now()
    for name, at in ((NAME, mode_at), ("*", all_at)):
        if at is not None:
            house.clock.moment = start.replace(minute=at)
            house.books.set_mode(name, Mode.AUTO, "ana", house.clock.now())
    house.clock.moment = start.replace(minute=10)
    house.books.cap(NAME, Mode.OBSERVE, house.clock.now(), reason="3 failures")
    assert (house.books.settings(NAME, None, house.clock.now()).caps == {NAME: Mode.OBSERVE}) is counts


def test_a_cap_never_raises_a_mode(house):
    house.books.set_mode(NAME, Mode.OFF, "ana", house.clock.now())
    house.clock.forward(60)
    house.books.cap(NAME, Mode.OBSERVE, house.clock.now(), reason="3 failures")
    assert flow.start(house.watch, house.signal(), NAME).status is Status.SKIPPED
    assert house.books.modes() == {NAME: Mode.OFF}
