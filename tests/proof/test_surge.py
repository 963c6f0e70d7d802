"""The whole way of a surge, with what ships: real functions behind a real API, throttled for real.

Sereno's functions run the very zip, in processes of their own, with their own roles, on the resources that were
synthesised. Nothing of Sereno is called from here; its work is read from AWS: the settings of function and table, the
ledger, the mail that people get.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from itertools import groupby

import pytest
from proving.emulator import Emulator
from proving.shop import READ, TABLE, Burst, Shop, Units
from proving.watch import Mail, Watch

from sereno.lifecycle import Remediation
from sereno.model import Event, Status

pytestmark = pytest.mark.xdist_group("proof")

ALARM = "techmoda/read/throttles"
CONCURRENCY, CAPACITY = "raise_concurrency", "raise_capacity"
# Far below what TechModa declares for an ordinary hour: a release with a wrong number in its template.
TOO_FEW = 2
LIFE = ["CLAIMED", "PLANNED", "APPLYING", "VERIFYING", "HOLDING"]
BACK = ["REVERTING", "REVERTED"]


@dataclass(slots=True)
class Surge:
    """What was seen of function and table, before, in, and after the surge."""

    shop: Shop
    watch: Watch
    limits: list[int | None] = field(default_factory=list)
    units: list[Units] = field(default_factory=list)
    bursts: list[Burst] = field(default_factory=list)
    mail: list[Mail] = field(default_factory=list)
    rounds: list[tuple[Status, Status]] = field(default_factory=list)
    details: list[str] = field(default_factory=list)
    plans: dict[str, Remediation] = field(default_factory=dict)
    histories: dict[str, list[Event]] = field(default_factory=dict)

    def look(self) -> None:
        """At what AWS has now, and at the mail that came."""
        self.limits.append(self.shop.reserved())
        self.units.append(self.shop.units())
        self.mail.append(self.watch.mail())

    def minute(self, busiest: int, callers: int) -> None:
        """A minute with so many customers and so many partners at once, and the round at its end. `busiest` is the
        most executions at once that AWS tells of."""
        self.watch.emulator.clock.past_the_minute()
        self.bursts.append(self.shop.burst(callers, callers))
        self.watch.was_busy(READ, busiest)
        self.watch.round()
        concurrency, capacity = (self.watch.remediation(one, ALARM, *Status) for one in (CONCURRENCY, CAPACITY))
        self.rounds.append((concurrency.status, capacity.status))
        self.details.append(concurrency.detail)


@pytest.fixture(scope="module")
def surge(emulator: Emulator, shop: Shop, watch: Watch) -> Surge:
    """Customers are throttled; the alarm rings; minutes pass, with a round each; calm returns."""
    seen = Surge(shop, watch)
    shop.reserve(TOO_FEW)
    watch.all_calm()
    watch.mail()
    emulator.clock.past_the_minute()  # so that all of it falls into one minute, on a slow machine too
    seen.bursts.append(shop.burst(customers=4, partners=4))
    seen.limits.append(shop.reserved())
    seen.units.append(shop.units())

    watch.ring(ALARM, "Threshold Crossed: 1 datapoint was greater than or equal to the threshold (1.0).")
    for name in (CONCURRENCY, CAPACITY):
        seen.plans[name] = watch.remediation(name, ALARM, Status.VERIFYING)
    throttled = shop.throttled()
    seen.bursts.append(shop.burst(customers=4, partners=4))
    seen.look()
    watch.calm(ALARM)

    for _ in range(4):
        seen.minute(busiest=100, callers=2)  # far above what would be restored
    assert shop.throttled() == throttled, "throttled after the change"
    while seen.rounds[-1] != (Status.REVERTED, Status.REVERTED) and len(seen.rounds) < 12:
        seen.minute(busiest=1, callers=1)
    seen.look()
    seen.histories = {name: watch.ledger.events(one.id) for name, one in seen.plans.items()}
    return seen


def test_customers_and_partners_are_throttled_until_the_limit_is_raised_and_then_no_more(surge):
    before, *after = surge.bursts
    assert before.reasons["ReservedFunctionConcurrentInvocationLimitExceeded"] > 0
    assert before.statuses[429] > 0
    assert [burst.failed for burst in after] == [0] * len(after)


def test_one_event_raises_the_function_and_the_table_behind_it(surge):
    (step,) = surge.plans[CONCURRENCY].plan.steps
    assert (step.setting, step.before, step.after) == ("reserved concurrency", *surge.limits[:2])
    assert TOO_FEW == surge.limits[0] < surge.limits[1] <= 400

    (step,) = surge.plans[CAPACITY].plan.steps
    assert (step.setting, step.before, step.after) == ("capacity", *surge.units[:2])
    assert surge.plans[CAPACITY].target.name == TABLE
    assert surge.units[1]["read"] > surge.units[0]["read"]


def test_rounds_verify_the_changes_hold_them_while_they_are_needed_and_take_them_back(surge):
    concurrency = [one for one, _ in surge.rounds]
    assert [one for one, _ in groupby(concurrency)] == [Status.VERIFYING, Status.HOLDING, Status.REVERTED]
    assert concurrency[3:5] == [Status.HOLDING, Status.REVERTED]
    assert "STILL_NEEDED: peak 100" in surge.details[3]
    assert surge.rounds[-1] == (Status.REVERTED, Status.REVERTED)
    assert surge.limits[2] == surge.limits[0]
    assert surge.units[2] == surge.units[0]


def test_the_ledger_tells_both_lives_and_nothing_is_left_in_it(surge, watch):
    phases = {name: [event.phase for event in history] for name, history in surge.histories.items()}
    assert phases == {CONCURRENCY: [*LIFE, "HOLDING", *BACK], CAPACITY: [*LIFE, *BACK]}
    assert not watch.ledger.open()
    assert [watch.ledger.holder(one.target.key) for one in surge.plans.values()] == [None, None]


def test_people_are_told_by_the_topic(surge):
    first, later = surge.mail
    subjects = {news["remediator"]: news["subject"] for news in first.news}
    assert subjects[CONCURRENCY] == (
        f"[techmoda] {READ} VERIFYING: reserved concurrency {TOO_FEW} -> {surge.limits[1]}"
    )
    assert subjects[CAPACITY].startswith(f"[techmoda] {TABLE} VERIFYING: capacity ")
    told = {name: [news["status"] for news in later.news if news["remediator"] == name] for name in surge.plans}
    assert told == {CONCURRENCY: ["HOLDING", "HOLDING", "REVERTED"], CAPACITY: ["HOLDING", "REVERTED"]}
    keys = [news["key"] for mail in surge.mail for news in mail.news]
    assert len(keys) == len(set(keys))


def test_throttles_are_a_ticket_and_notify_nobody_directly(surge):
    """Only customers-hurt notifies people past Sereno's own functions, and customers are served here."""
    red = {alarm["AlarmName"] for alarm in surge.mail[0].alarms if alarm["NewStateValue"] == "ALARM"}
    assert red == set()


def test_no_event_was_lost(surge, watch):
    assert watch.dead_letters() == []


def test_the_notifier_writes_to_people_what_was_done_and_what_was_taken_back(surge, watch):
    """The queue, the notifier's own function and the topic of people, as they ship."""
    texts = [one for mail in surge.mail for one in mail.texts]
    back = f"Taken back: {READ} reserved concurrency {surge.limits[1]} → {TOO_FEW}."
    changed = f"Sereno changed {READ}: reserved concurrency {TOO_FEW} → {surge.limits[1]}."
    until = time.monotonic() + 60
    while not all(any(told in text for _, text in texts) for told in (changed, back)) and time.monotonic() < until:
        time.sleep(0.5)  # the notifier reads the queue in its own time
        texts += watch.mail().texts
    # All mails of an incident have the subject of its first; what each is about stands in its body.
    assert {subject.rpartition(":")[0] for subject, text in texts if changed in text} == {f"[techmoda] {READ}"}
    said = "\n".join(text for _, text in texts)
    assert f"{READ}: throttles" in said
    assert changed in said
    assert back in said
