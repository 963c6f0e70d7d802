"""One surge, one incident: joint playbooks, ladders, several alarms, several attempts."""

from __future__ import annotations

from dataclasses import replace

import pytest
from botocore.exceptions import EndpointConnectionError

from remediators import flow, round
from remediators.attempts import again
from remediators.record import NotRecorded
from remediators.registry import load
from remediators.round import RoundIncomplete
from sereno.errors import LedgerUnavailable
from sereno.lifecycle import incident_id
from sereno.model import Mode, Reason, Status
from sereno.service import Play

FUNCTION, TABLE = "raise_concurrency", "raise_capacity"


@pytest.fixture
def products(make_products):
    return make_products()


def surge(house, what="exhaustion"):
    """The alarm's event reaches both remediators of the first rung, each by its own rule."""
    signal = house.signal(what)
    return [one for name in (FUNCTION, TABLE) for one in flow.answer(house.watch, signal, name)]


def by_remediator(house):
    return {one.remediator: one for one in house.all()}


def test_a_surge_raises_the_function_and_its_table_as_one_incident(house, products):
    function, table = surge(house)
    assert (function.status, table.status) == (Status.VERIFYING, Status.VERIFYING)
    assert (function.target.kind, table.target.kind) == ("function", "table")
    assert function.incident == table.incident == incident_id(house.signal())
    assert {one["incident"] for one in house.messages()} == {function.incident}

    house.metrics.points.clear()
    house.rounds(21)
    assert {one.status for one in house.all()} == {Status.REVERTED}
    assert {one["incident"] for one in house.messages()} == {function.incident}


def test_a_second_alarm_of_the_same_surge_joins_the_incident_and_changes_nothing(house, products):
    first = surge(house)
    house.clock.forward(20)
    second = surge(house, "throttles")
    assert [one.reason for one in second] == [Reason.TARGET_BUSY] * 2
    assert {one.incident for one in (*first, *second)} == {first[0].incident}
    assert house.get(second[0].id).incident == first[0].incident
    assert all(one.escalate_to == () for one in second)


def test_an_alarm_that_comes_while_the_target_cools_down_joins_too_and_a_later_one_does_not(house, products):
    first = surge(house)
    house.books.wish(first[0].id, "revert", "ana", house.clock.now())
    house.books.wish(first[1].id, "revert", "ana", house.clock.now())
    house.rounds(1)
    second = surge(house, "throttles")
    assert [(one.reason, one.incident) for one in second] == [(Reason.COOLDOWN, first[0].incident)] * 2
    house.rounds(10)  # nothing is red any more: it is resolved
    house.surge()
    assert surge(house)[0].incident != first[0].incident


def test_one_has_nothing_to_do_while_the_other_acts(house, products):
    house.set_reserved(400)
    function, table = surge(house)
    assert (function.reason, table.status) == (Reason.NOTHING_TO_DO, Status.VERIFYING)
    assert function.incident == table.incident
    house.rounds(3)
    assert sorted(by_remediator(house)) == [TABLE, FUNCTION], "nobody is woken"


def test_when_one_cannot_help_the_next_rung_begins_while_the_other_goes_on(house, products):
    products.slow = True
    plays = dict(house.watch.service.playbook)
    ladder = ((FUNCTION, TABLE), ("open_incident",))
    plays["exhaustion"] = Play("exhaustion", ladder, Mode.AUTO, params={"ceiling": 121})
    house.watch = replace(house.watch, service=replace(house.watch.service, playbook=plays))
    function, table = surge(house)
    assert (function.reason, table.status) == (Reason.OVER_CEILING, Status.VERIFYING)
    house.rounds(1)
    assert by_remediator(house)["open_incident"].incident == table.incident
    assert house.get(table.id).status is Status.VERIFYING


def test_when_neither_can_help_the_next_rung_begins_once(house, products):
    plays = dict(house.watch.service.playbook)
    ladder = ((FUNCTION, TABLE), ("open_incident",))
    limits = {"ceiling": 121, "read_ceiling": 150, "write_ceiling": 50}
    plays["exhaustion"] = Play("exhaustion", ladder, Mode.AUTO, params=limits)
    house.watch = replace(house.watch, service=replace(house.watch.service, playbook=plays))
    assert [one.reason for one in surge(house)] == [Reason.OVER_CEILING] * 2
    house.rounds(2)
    assert [one.remediator for one in house.all()].count("open_incident") == 1
    assert len(house.opened) == 1


def all_but(name):
    """The house's remediators, but this one cannot even be loaded."""

    def some(wanted):
        if wanted == name:
            raise ImportError("broken")
        return load(wanted)

    return some


@pytest.mark.parametrize(
    "ladder",
    [
        ((FUNCTION, TABLE), ("open_incident",)),
        ((FUNCTION,), (TABLE, "request_quota"), ("open_incident",)),
    ],
    ids=["first rung", "second rung"],
)
def test_two_of_a_rung_that_cannot_help_start_the_next_one_once_however_far_down(house, products, ladder):
    plays = {"exhaustion": Play("exhaustion", ladder, Mode.AUTO)}
    house.watch = replace(house.watch, service=replace(house.watch.service, playbook=plays))
    broken = {
        name: replace(load(name), observe=lambda aws, context: {}, plan=lambda observation, context: 1 / 0)
        for name in (FUNCTION, TABLE, "request_quota")
    }
    house.watch = replace(house.watch, load=lambda name: broken.get(name) or load(name))
    for name in ladder[0]:
        flow.answer(house.watch, house.signal(), name)
    house.rounds(4)
    assert [one.remediator for one in house.all()].count("open_incident") == 1
    assert len({one.incident for one in house.all()}) == 1


def test_one_of_a_rung_that_cannot_be_started_does_not_keep_the_other_from_it(house):
    ladder = ((FUNCTION,), ("request_quota", "open_incident"))
    house.on(playbook={"exhaustion": Play("exhaustion", ladder, Mode.AUTO, params={"ceiling": 121})})
    house.watch = replace(house.watch, load=all_but("request_quota"))
    flow.start(house.watch, house.signal(), FUNCTION)
    for _ in range(3):
        house.clock.forward(60)
        with pytest.raises(RoundIncomplete):
            round.make(house.watch)
    assert len(house.opened) == 1
    # It is tried again each minute, and people have long been told of the first.
    (first,) = [one for one in house.all() if one.remediator == FUNCTION]
    assert (first.escalate_to, first.unpublished) == (("request_quota", "open_incident"), ())


def test_another_attempt_and_the_next_rung_belong_to_the_incident_of_the_first(house):
    signal = house.signal()
    second = again(signal, 1)
    rung = replace(second, id=f"{second.id}>open_incident", root=second.origin, source="escalation")
    third = again(rung, 2)
    assert {incident_id(one) for one in (signal, second, rung, third)} == {incident_id(signal)}
    assert len({one.id for one in (signal, second, rung, third)}) == 4
    assert incident_id(signal) != incident_id(house.signal("throttles"))


def test_one_target_that_fails_does_not_keep_the_others_from_it(house, make_products):
    make_products()
    shop = house.watch.service
    other = replace(shop.tables["products"], key="other", name="techmoda-other")
    functions = {"read": replace(shop.functions["read"], tables=("other", "products"))}
    house.watch = replace(
        house.watch, service=replace(shop, tables={"other": other, **shop.tables}, functions=functions)
    )
    first = []

    def down_once(number, label):
        if label == "dynamodb.transact_write_items" and not first:
            first.append(number)
            return RuntimeError("no connection")
        return None

    house.aws.before = down_once
    with pytest.raises(RuntimeError, match="no connection"):
        flow.answer(house.watch, house.signal(), TABLE)
    assert [(one.target.name, one.status) for one in house.all()] == [("techmoda-products", Status.VERIFYING)]


# -- a ledger that is down


def ledger_down(number, label):
    quiet = ("dynamodb.describe", "dynamodb.update")
    if label.startswith("dynamodb.") and not label.startswith(quiet):
        return EndpointConnectionError(endpoint_url="https://dynamodb")
    return None


def test_when_the_ledger_cannot_be_reached_nothing_is_changed_and_people_are_told_past_it(house):
    house.aws.before = ledger_down
    signal = house.signal()
    for _ in range(3):  # Lambda tries the event three times
        with pytest.raises(NotRecorded):
            flow.answer(house.watch, signal, FUNCTION)
    assert house.aws.mutating() == []
    told = house.messages()
    assert len(told) == 3, "once for each attempt"
    assert len({one["key"] for one in told}) == 1, "and shown once"
    assert told[0]["urgent"]
    assert told[0]["detail"].startswith("the ledger cannot be reached, and nothing was changed: ")
    assert told[0]["incident"] == incident_id(signal)
    assert house.telemetry.total("NotRecorded") == 3

    house.aws.before = None
    recorded = flow.answer(house.watch, signal, FUNCTION)[0]
    assert recorded.status is Status.VERIFYING
    assert told[0]["key"] not in {one["key"] for one in house.messages()}


def test_a_refusal_that_cannot_be_recorded_is_told_past_the_ledger_too(house):
    house.aws.before = ledger_down
    house.on(mode=Mode.OFF)
    with pytest.raises(NotRecorded):
        flow.answer(house.watch, house.signal(), FUNCTION)
    assert len(house.messages()) == 1


def test_neither_ledger_nor_topic_is_an_error_of_the_function_and_nothing_else(house):
    house.aws.before = lambda number, label: (
        ledger_down(number, "dynamodb.") if label.startswith(("dynamodb", "sns")) else None
    )
    with pytest.raises(NotRecorded):
        flow.answer(house.watch, house.signal(), FUNCTION)
    assert house.aws.mutating() == []


def test_a_ledger_that_is_lost_after_the_claim_is_not_told_as_if_nothing_was_recorded(house):
    """The row is there; the round goes on with it."""
    seen = []

    def lost_after_the_claim(number, label):
        if label == "dynamodb.transact_write_items":
            seen.append(number)
        return ledger_down(number, label) if len(seen) > 1 else None

    house.aws.before = lost_after_the_claim
    with pytest.raises(LedgerUnavailable) as raised:
        flow.answer(house.watch, house.signal(), FUNCTION)
    assert not isinstance(raised.value, NotRecorded)
    assert (house.messages(), house.aws.mutating()) == ([], [])
    house.aws.before = None
    house.rounds(2)
    assert [one.status for one in house.all()] == [Status.VERIFYING]
