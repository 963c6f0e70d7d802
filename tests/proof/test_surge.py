"""The whole way of a surge, with what ships: real functions behind a real API, throttled for real.

Sereno's functions run the very zip, in processes of their own, with their own roles, on the resources that were
synthesised. Nothing of Sereno is called from here; its work is read from AWS: the function's setting, the ledger, the
mail that people get.
"""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from proving.emulator import Emulator
from proving.shop import READ, Burst, Shop
from proving.watch import Mail, Watch

from sereno.lifecycle import Remediation
from sereno.model import Event, Status

ALARM = "techmoda/read/throttles"
NAME = "raise_concurrency"
# Far below what TechModa declares for an ordinary hour: a release with a wrong number in its template.
TOO_FEW = 2


@dataclass(frozen=True, slots=True)
class Surge:
    """What was seen, in the order in which it happened."""

    throttled: Burst
    raised: Remediation
    limit: int | None
    answered: list[Burst]
    mail: Mail
    rounds: list[Status]
    needed: Remediation
    limit_after: int | None
    last_mail: Mail
    history: list[Event]


@pytest.fixture(scope="module")
def surge(emulator: Emulator, shop: Shop, watch: Watch) -> Surge:
    """Customers are throttled; the alarm rings; minutes pass, with a round each; calm returns."""
    shop.reserve(TOO_FEW)
    throttled = shop.burst(customers=4, partners=4)
    watch.ring(ALARM, "Threshold Crossed: 1 datapoint was greater than or equal to the threshold (1.0).")
    raised = watch.remediation(NAME, ALARM, Status.VERIFYING)
    limit, before = shop.reserved(), shop.throttled()
    answered = [shop.burst(customers=4, partners=4)]
    mail = watch.mail()
    watch.calm(ALARM)

    rounds = []

    def minute(busiest: int) -> Remediation:
        emulator.clock.past_the_minute()
        answered.append(shop.burst(customers=2, partners=2))
        watch.was_busy(READ, busiest)
        watch.round()
        found = watch.remediation(NAME, ALARM, *Status)
        rounds.append(found.status)
        return found

    minute(100)  # the last whole minute is the one of the throttles
    minute(100)  # and now one without
    minute(100)
    needed = minute(100)  # the hold is over, and the demand far above what would be restored
    assert shop.throttled() == before, "throttled after the change"
    minute(1)
    return Surge(
        throttled,
        raised,
        limit,
        answered,
        mail,
        rounds,
        needed,
        shop.reserved(),
        watch.mail(),
        watch.ledger.events(raised.id),
    )


def test_customers_and_partners_are_throttled_until_the_limit_is_raised_and_then_no_more(surge):
    assert surge.throttled.failed > 0
    assert surge.throttled.reasons["ReservedFunctionConcurrentInvocationLimitExceeded"] > 0
    assert surge.throttled.statuses[429] > 0
    assert [burst.failed for burst in surge.answered] == [0] * len(surge.answered)


def test_the_event_becomes_a_change_of_the_real_limit(surge):
    (step,) = surge.raised.plan.steps
    assert (step.setting, step.before, step.after) == ("reserved concurrency", TOO_FEW, surge.limit)
    assert surge.limit is not None
    assert TOO_FEW < surge.limit <= 400
    assert surge.raised.target.name == READ
    assert all(verdict.ok for _, verdict in surge.raised.plan.gates)


def test_rounds_verify_it_hold_it_while_it_is_needed_and_take_it_back(surge):
    assert surge.rounds == [Status.VERIFYING, *[Status.HOLDING] * 3, Status.REVERTED]
    assert "STILL_NEEDED: peak 100" in surge.needed.detail
    assert surge.limit_after == TOO_FEW


def test_the_ledger_tells_the_whole_life_and_nothing_is_left_in_it(surge, watch):
    life = ["CLAIMED", "PLANNED", "APPLYING", "VERIFYING", "HOLDING", "HOLDING", "REVERTING", "REVERTED"]
    assert [event.phase for event in surge.history] == life
    assert not watch.ledger.open()
    assert watch.ledger.holder(surge.raised.target.key) is None


def test_people_are_told_by_the_topic(surge):
    (first,) = surge.mail.news
    later = surge.last_mail.news
    assert first["subject"] == f"[techmoda] {READ} VERIFYING: reserved concurrency {TOO_FEW} -> {surge.limit}"
    assert (first["id"], first["alarm"]) == (surge.raised.id, ALARM)
    assert [news["status"] for news in later] == ["HOLDING", "HOLDING", "REVERTED"]
    assert len({news["key"] for news in (first, *later)}) == 4


def test_alarms_that_page_tell_people_past_the_watch(surge):
    """Should Sereno's functions be the ones that do not answer. The composite follows its child by itself."""
    red = {alarm["AlarmName"] for alarm in surge.mail.alarms if alarm["NewStateValue"] == "ALARM"}
    assert red == {ALARM, "techmoda/techmoda/customers-hurt"}


def test_no_event_was_lost(surge, watch):
    assert watch.dead_letters() == []
