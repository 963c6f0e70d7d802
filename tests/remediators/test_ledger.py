"""The ledger: each gate of admission by its name, conflicts retried, versions, money, wishes, changes in progress."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from remediators.ledger import CostCeiling, Ledger, TargetBusy, VersionConflict
from sereno.errors import LedgerUnavailable
from sereno.lifecycle import Remediation
from sereno.model import Event, Mode, Reason, Status
from sereno.service import Play

PLAY = Play("exhaustion", (("raise_concurrency",),), per_day=2, cooldown_s=300)


@pytest.fixture(params=["moto", "memory"])
def ledger(house, request):
    """Told twice: on moto, and on the table in memory that other tests play their thousands of lives on."""
    if request.param == "memory":
        house.in_memory()
    return house.watch.ledger


@pytest.fixture
def remediation(house):
    """A remediation of its own id, on the read function unless told otherwise."""

    def make(one: str, resource: str = "read") -> Remediation:
        now, signal = house.clock.now(), house.signal(resource=resource)
        claimed = Event(now, "CLAIMED", "red")
        return Remediation(
            one, "raise_concurrency", signal, signal.target, now, unpublished=(claimed,), sequence=1, due_at=now
        )

    return make


def admitted(ledger, house, one, play=PLAY):
    verdict = ledger.admit(one, play, house.clock.now()).verdict
    assert verdict.ok, verdict
    return one


def ended(ledger, house, one, **how):
    moved = one.move(Status.SKIPPED, house.clock.now(), "nothing to do")
    return ledger.save(moved, before=one, now=house.clock.now(), release=True, published=True, **how)


def test_a_free_target_is_admitted_and_held(house, ledger, remediation):
    one = admitted(ledger, house, remediation("r1"))
    assert ledger.holder(one.target.key) == "r1"
    assert ledger.get("r1") == one
    assert [event.phase for event in ledger.events("r1")] == ["CLAIMED"]
    assert ledger.day("2026-09-29") == ["r1"]


def test_the_same_signal_again_is_a_duplicate_and_its_remediation_is_told(house, ledger, remediation):
    one = admitted(ledger, house, remediation("r1"))
    verdict, earlier = ledger.admit(one, PLAY, house.clock.now())
    assert verdict.reason is Reason.DUPLICATE
    assert earlier == one


def test_a_held_target_is_busy(house, ledger, remediation):
    admitted(ledger, house, remediation("r1"))
    verdict, *_ = ledger.admit(remediation("r2"), PLAY, house.clock.now())
    assert (verdict.reason, verdict.detail) == (Reason.TARGET_BUSY, "held by r1")
    assert ledger.get("r2") is None


def test_a_target_rests_after_a_change(house, ledger, remediation):
    ended(ledger, house, admitted(ledger, house, remediation("r1")), cooldown=timedelta(seconds=300))
    house.clock.forward(60)
    verdict, *_ = ledger.admit(remediation("r2"), PLAY, house.clock.now())
    assert (verdict.reason, verdict.detail) == (Reason.COOLDOWN, "240 s of the cooldown of 300 s are left")
    house.clock.forward(240)
    assert ledger.admit(remediation("r2"), PLAY, house.clock.now())[0].ok


def test_the_days_budget_is_spent_given_back_and_new_the_next_day(house, ledger, remediation):
    ended(ledger, house, admitted(ledger, house, remediation("r1")), refund=True)
    ended(ledger, house, admitted(ledger, house, remediation("r2")))
    ended(ledger, house, admitted(ledger, house, remediation("r3")))
    verdict, *_ = ledger.admit(remediation("r4"), PLAY, house.clock.now())
    assert (verdict.reason, verdict.detail) == (Reason.BUDGET_SPENT, "2 actions a day are used up")
    house.clock.forward(12 * 3600)
    admitted(ledger, house, remediation("r4"))


def test_what_was_spent_just_before_midnight_is_given_back_to_that_day(house, ledger, remediation):
    house.clock.forward(12 * 3600 - 1)
    one = admitted(ledger, house, remediation("r1"))
    house.clock.forward(2)
    ended(ledger, house, one, refund=True)
    rows = house.little.real.client("dynamodb").scan(TableName="sereno-techmoda-ledger")["Items"]
    assert {row["pk"]["S"]: row["used"]["N"] for row in rows if row["pk"]["S"].startswith("B#")} == {
        "B#raise_concurrency#2026-09-29": "0"
    }


def test_two_functions_are_two_targets(house, ledger, remediation):
    admitted(ledger, house, remediation("r1"))
    admitted(ledger, house, remediation("r2", resource="write"))


# -- conflicts


def cancelled(*codes):
    reasons = [{"Code": code} for code in codes]
    error = {
        "Error": {"Code": "TransactionCanceledException", "Message": "cancelled"},
        "CancellationReasons": reasons,
    }
    return ClientError(error, "TransactWriteItems")


def failing(times, error):
    """The first `times` transactions fail with this error."""
    left = [times]

    def meddler(number, label):
        if label == "dynamodb.transact_write_items" and left[0] > 0:
            left[0] -= 1
            return error
        return None

    return meddler


@pytest.mark.parametrize("code", ["TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"])
def test_a_conflict_is_tried_again_and_never_a_refusal(house, ledger, remediation, code):
    house.aws.before = failing(3, cancelled("None", code, "None"))
    admitted(ledger, house, remediation("r1"))
    assert house.aws.calls.count("dynamodb.transact_write_items") == 4


def test_a_conflict_that_stays_is_an_unavailable_ledger(house, ledger, remediation):
    house.aws.before = failing(9, cancelled("None", "TransactionConflict"))
    with pytest.raises(LedgerUnavailable, match="kept conflicting"):
        ledger.admit(remediation("r1"), PLAY, house.clock.now())
    house.aws.before = None
    assert ledger.holder(remediation("r1").target.key) is None


@pytest.mark.parametrize(
    "error",
    [
        cancelled("ValidationError", "None"),
        ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "TransactWriteItems"),
        EndpointConnectionError(endpoint_url="https://dynamodb"),
    ],
)
def test_what_will_not_pass_is_not_tried_again(house, ledger, remediation, error):
    house.aws.before = failing(9, error)
    with pytest.raises(LedgerUnavailable):
        ledger.admit(remediation("r1"), PLAY, house.clock.now())
    assert house.aws.calls.count("dynamodb.transact_write_items") == 1


def test_who_read_before_somebody_else_wrote_does_not_write(house, ledger, remediation):
    one = admitted(ledger, house, remediation("r1"))
    moved = one.move(Status.PLANNED, house.clock.now(), "a plan")
    ledger.save(moved, before=one, now=house.clock.now())
    with pytest.raises(VersionConflict):
        ledger.save(one.move(Status.SKIPPED, house.clock.now()), before=one, now=house.clock.now(), release=True)
    assert ledger.get("r1").status is Status.PLANNED
    assert ledger.holder(one.target.key) == "r1"
    assert [event.phase for event in ledger.events("r1")] == ["CLAIMED", "PLANNED"]


# -- money


def test_the_days_money_has_a_ceiling(house, ledger, remediation):
    now = house.clock.now()
    first = admitted(ledger, house, remediation("r1"))
    ledger.save(first.move(Status.PLANNED, now), before=first, now=now, cost=(6.0, 10.0))
    second = admitted(ledger, house, remediation("r2", resource="write"))
    with pytest.raises(CostCeiling, match=r"6.00 USD a day on top of today's others is over the ceiling of 10.00"):
        ledger.save(second.move(Status.PLANNED, now), before=second, now=now, cost=(6.0, 10.0))
    assert ledger.get("r2").status is Status.CLAIMED
    ledger.save(second.move(Status.PLANNED, now), before=second, now=now, cost=(4.0, 10.0))


def test_a_plan_that_alone_is_too_dear_is_refused(house, ledger, remediation):
    now, one = house.clock.now(), admitted(ledger, house, remediation("r1"))
    with pytest.raises(CostCeiling):
        ledger.save(one.move(Status.PLANNED, now), before=one, now=now, cost=(10.01, 10.0))


# -- wishes


def test_a_wish_that_comes_while_a_remediation_ends_is_kept_for_the_round(house, ledger, remediation):
    now = house.clock.now()
    one = admitted(ledger, house, remediation("r1"))
    ledger.wish("r1", "revert", "ana", now)
    saved = ended(ledger, house, one)  # who saves has not seen the wish

    assert (saved.wish, saved.wish_by) == ("revert", "ana")
    assert [row["pk"]["S"] for row in ledger.due(now)] == ["R#r1"]
    assert ledger.holder(one.target.key) is None


def test_another_wish_than_the_one_carried_out_stays(house, ledger, remediation):
    now = house.clock.now()
    admitted(ledger, house, remediation("r1"))
    ledger.wish("r1", "keep", "ana", now)
    read = ledger.get("r1")
    ledger.wish("r1", "revert", "eva", now)
    saved = ledger.save(read, before=read, now=now, clear_wish=True)
    assert (saved.wish, ledger.get("r1").wish) == ("revert", "revert")

    done = ledger.save(saved, before=saved, now=now, clear_wish=True)
    assert (done.wish, ledger.get("r1").wish) == (None, None)


def test_a_wish_for_what_does_not_exist_is_refused(house, ledger):
    with pytest.raises(VersionConflict):
        ledger.wish("nothing", "keep", "ana", house.clock.now())


def test_an_ended_remediation_takes_its_target_again_only_if_nobody_holds_it(house, ledger, remediation):
    now = house.clock.now()
    one = ended(ledger, house, admitted(ledger, house, remediation("r1")), cooldown=timedelta(seconds=300))
    taken = ledger.save(one, before=one, now=now, retake=True)  # a person's word does not wait for the cooldown
    assert ledger.holder(one.target.key) == "r1"
    with pytest.raises(TargetBusy, match="techmoda-read is held by another remediation"):
        ledger.save(taken, before=taken, now=now, retake=True)


# -- settings and changes


def test_modes_are_set_and_read(house, ledger):
    now = house.clock.now()
    ledger.set_mode("*", Mode.OBSERVE, "ana", now)
    ledger.set_mode("raise_concurrency", Mode.AUTO, "ana", now)
    ledger.set_mode("open_incident", Mode.OFF, "ana", now)
    assert ledger.modes() == {"*": Mode.OBSERVE, "raise_concurrency": Mode.AUTO, "open_incident": Mode.OFF}
    assert ledger.settings("raise_concurrency", None, now).modes == {
        "*": Mode.OBSERVE,
        "raise_concurrency": Mode.AUTO,
    }


def test_settings_that_cannot_be_read_are_no_settings(house, ledger):
    house.aws.before = lambda number, label: EndpointConnectionError(endpoint_url="https://dynamodb")
    assert ledger.settings("raise_concurrency", "techmoda", house.clock.now()).modes is None


def test_a_mode_of_no_known_name_counts_as_unreadable(house, ledger):
    house.little.real.client("dynamodb").put_item(
        TableName="sereno-techmoda-ledger",
        Item={"pk": {"S": "MODE"}, "sk": {"S": "*"}, "mode": {"S": "turbo"}},
    )
    assert ledger.settings("raise_concurrency", None, house.clock.now()).modes is None


@pytest.mark.parametrize(
    ("news", "busy"),
    [
        ([(0, True)], True),
        ([(0, True), (60, False)], False),
        ([(60, False), (0, True)], False),  # the beginning is told after the end
        ([(0, False), (0, True)], False),  # within one second the end wins
        ([(0, True), (0, False)], False),
        ([(0, True), (60, False), (120, True)], True),
        ([(-7201, True)], False),  # forgotten after two hours
    ],
)
def test_whatever_the_order_of_the_news_the_newest_counts(house, ledger, news, busy):
    now = house.clock.now()
    for seconds, begins in news:
        at = now + timedelta(seconds=seconds)
        if begins:
            ledger.mark_change("techmoda", at, "UPDATE_IN_PROGRESS")
        else:
            ledger.clear_change("techmoda", at, "UPDATE_COMPLETE")
    changes = ledger.settings("raise_concurrency", "techmoda", now).changes
    assert changes == (("techmoda: UPDATE_IN_PROGRESS",) if busy else ())


# -- reading


def test_long_answers_are_read_to_their_last_page(house, ledger, remediation):
    class Pages:
        """A client that gives one item a page."""

        def __init__(self, client):
            self.client = client

        def __getattr__(self, name):
            function = getattr(self.client, name)
            return (lambda **params: function(**params, Limit=1)) if name == "query" else function

    for number in range(5):
        ended(ledger, house, admitted(ledger, house, remediation(f"r{number}"), replace(PLAY, per_day=9)))
    paged = Ledger(Pages(house.little.real.client("dynamodb")), "sereno-techmoda-ledger", "techmoda")
    assert paged.day("2026-09-29") == [f"r{number}" for number in range(5)]
    assert [event.phase for event in paged.events("r0")] == ["CLAIMED", "SKIPPED"]


def test_what_is_over_and_told_is_no_longer_due(house, ledger, remediation):
    one = admitted(ledger, house, remediation("r1"))
    assert len(ledger.due(house.clock.now())) == len(ledger.open()) == 1
    ended(ledger, house, one)
    assert ledger.due(house.clock.now()) == ledger.open() == []


def test_the_held_ones_of_many_targets_are_read_at_once(house, ledger, remediation):
    read, write = remediation("r1"), remediation("r2", "write")
    for one in (read, write):
        ledger.admit(one, PLAY, house.clock.now())
    free = [replace(read.target, name=f"free{number}").key for number in range(150)]
    assert ledger.held([read.target.key, write.target.key, *free]) == {read.target.key, write.target.key}
    assert ledger.held([]) == set()
