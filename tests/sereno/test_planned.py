"""Planned events: when they are due, what they lead to, and until when they hold."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from sereno import planned
from sereno.guard import check_signal, still_planned, targets_of
from sereno.lifecycle import Remediation, incident_id
from sereno.model import Reason, Signal, Target
from sereno.ports import Context
from sereno.service import PLANNED_EVENT, Function, Objectives, PlannedEvent, Play, Service, Table

EVENT = PlannedEvent("Fashion Week", "2026-09-29T18:00:00+02:00", "2026-09-29T22:00:00+02:00", 12.0, 1800)
PLAY = Play(PLANNED_EVENT, (("raise_concurrency", "raise_capacity"), ("open_incident",)))
SHOP = Service(
    "techmoda",
    "123456789012",
    ("eu-west-1",),
    Objectives(surge=9.0),
    functions={"read": Function("read", "techmoda-read"), "write": Function("write", "techmoda-write")},
    tables={"products": Table("products", "techmoda-products")},
    playbook={PLANNED_EVENT: PLAY},
    events=(EVENT,),
)
PREWARM = datetime(2026, 9, 29, 15, 30, tzinfo=UTC)
END = datetime(2026, 9, 29, 20, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("now", "is_due"),
    [
        (PREWARM - timedelta(seconds=1), False),
        (PREWARM, True),
        (PREWARM + timedelta(hours=2), True),  # it runs already when it is first seen
        (END - timedelta(seconds=1), True),
        (END, False),
    ],
)
def test_an_event_is_due_from_its_prewarm_to_its_end(now, is_due):
    assert planned.due(SHOP, now) == ((EVENT,) if is_due else ())


def test_an_event_has_one_id_whatever_else_of_it_is_changed():
    one = planned.signal_of(EVENT, SHOP)
    other = planned.signal_of(replace(EVENT, factor=15.0, ends="2026-09-30T00:00:00+02:00", prewarm_s=60), SHOP)
    assert one.id == other.id
    assert one.id != planned.signal_of(replace(EVENT, starts="2026-09-30T18:00:00+02:00"), SHOP).id
    assert incident_id(one) == incident_id(other)
    assert one.reason == "12 times the normal traffic, 2026-09-29 16:00 to 2026-09-29 20:00 UTC"


def test_an_event_leads_to_every_function_and_table():
    signal = planned.signal_of(EVENT, SHOP)
    names = {kind: [one.name for one in targets_of(kind, signal, SHOP)] for kind in ("function", "table", "incident")}
    assert names == {
        "function": ["techmoda-read", "techmoda-write"],
        "table": ["techmoda-products"],
        "incident": ["techmoda/Fashion Week/planned-event"],
    }


def test_a_remediator_is_ready_for_the_events_factor_and_for_the_declared_one_otherwise():
    def context(signal):
        return Context(SHOP, PLAY, signal.target if signal else SHOP.target("read"), PREWARM, {}, signal)

    event = planned.signal_of(EVENT, SHOP)
    assert (context(event).planned, context(event).factor) == (True, 12.0)
    alarm = Signal("a", "alarm", "techmoda/read/throttles", "throttles", "ALARM", "OK", SHOP.target("read"), PREWARM)
    assert (context(alarm).planned, context(alarm).factor) == (False, 9.0)
    assert (context(None).planned, context(None).factor) == (False, 9.0)


@pytest.mark.parametrize(
    ("events", "now", "reason"),
    [
        ((EVENT,), PREWARM, Reason.OK),
        ((EVENT,), END, Reason.STALE),
        ((), PREWARM, Reason.STALE),
        (
            (replace(EVENT, starts="2026-10-06T18:00:00+02:00", ends="2026-10-06T22:00:00+02:00"),),
            PREWARM,
            Reason.STALE,
        ),
        ((replace(EVENT, ends="2026-09-30T01:00:00+02:00"),), END, Reason.OK),
    ],
    ids=["running", "over", "taken out", "put off", "prolonged"],
)
def test_what_may_begin_follows_the_configuration_of_this_moment(events, now, reason):
    signal, shop = planned.signal_of(EVENT, SHOP), replace(SHOP, events=events)
    assert still_planned(signal, shop, now).reason is reason
    assert check_signal(signal, shop, "raise_concurrency", now).reason is reason
    rung = replace(signal, id=f"{signal.id}>open_incident", root=signal.id, source="escalation")
    assert still_planned(rung, shop, now).reason is reason


def test_an_event_spends_from_a_purse_of_its_own():
    def remediation(signal):
        return Remediation("r1", "raise_concurrency", signal, Target("function", "x", "eu-west-1", "1"), PREWARM)

    event = planned.signal_of(EVENT, SHOP)
    assert remediation(event).purse == "raise_concurrency/planned-event"
    assert remediation(replace(event, what="throttles")).purse == "raise_concurrency"
