"""A planned event is worked out on paper: what would be raised, from what to what, when, and for how much."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from deploy import event_plan
from deploy.account import Account, declared
from deploy.event_plan import EventPlan
from deploy.on_paper import Paper
from remediators import registry
from remediators.actions._capacity_steps import USD_PER_REQUEST_UNIT, USD_PER_UNIT_HOUR
from remediators.actions._provisioned import USD_PER_GB_SECOND
from sereno import prices
from sereno.model import Mode, Reason
from sereno.service import PLANNED_EVENT, Api, Function, Index, PlannedEvent, Play, Service, Table

TODAY = datetime(2027, 2, 1, tzinfo=UTC)
WEEK = PlannedEvent("Fashion Week", "2027-03-01T09:00:00+01:00", "2027-03-08T09:00:00+01:00", 12.0, 2700)
HOURS = 7 * 24 + 0.75 + 0.25  # the week, the prewarm, the hold
PLAY = Play(PLANNED_EVENT, (("raise_concurrency", "raise_capacity"), ("open_incident",)), Mode.AUTO, cost_per_day=500)

READ = Function("read", "shop-read", alias="live", reserved=120, normal=16, memory_mb=512, provisioned=10)
WRITE = Function("write", "shop-write", reserved=40, normal=2.6)
HEALTH = Function("health", "shop-health", reserved=20, normal=0.1)
PRODUCTS = Table(
    "products",
    "shop-products",
    "provisioned",
    read=300,
    write=50,
    normal_read=66,
    normal_write=13,
    indexes={"by-category": Index("by-category", 150, 50, 40, 13)},
)
CARTS = Table("carts", "shop-carts", normal_read=100, normal_write=60)


def shop(*functions: Function, tables: tuple[Table, ...] = (), play: Play = PLAY, **more: object) -> Service:
    return Service(
        "shop",
        "123456789012",
        ("eu-west-1",),
        functions={one.key: one for one in functions},
        tables={one.key: one for one in tables},
        playbook={PLANNED_EVENT: play},
        events=(WEEK,),
        **more,
    )


def worked_out(service: Service, **account: object) -> EventPlan:
    known: Account = replace(declared(service, own=21), **account)
    return event_plan.work_out(WEEK, Paper(service, known, registry.all_remediators(), TODAY))


def changes(found: EventPlan) -> dict[tuple[str, str], tuple[str, str]]:
    return {
        (outcome.target.name, change.setting): (change.before, change.after)
        for outcome in found.outcomes
        for change in outcome.changes
    }


def test_everything_is_raised_once_for_the_events_own_factor():
    found = worked_out(shop(READ, WRITE, HEALTH, tables=(PRODUCTS,)))
    # 12 x 16 = 192 at once, and eight standard deviations of chance; the tables' peaks are those of a minute.
    assert changes(found) == {
        ("shop-read", "reserved concurrency"): ("120", "303"),
        ("shop-read", "provisioned concurrency"): ("10", "192"),
        ("shop-write", "reserved concurrency"): ("40", "76"),
        ("shop-products", "read capacity"): ("300", "1109"),
        ("shop-products", "write capacity"): ("50", "219"),
        ("shop-products", "by-category read capacity"): ("150", "672"),
        ("shop-products", "by-category write capacity"): ("50", "219"),
    }
    assert found.suffices
    enough = next(one for one in found.outcomes if one.target.name == "shop-health")
    assert (enough.changes, enough.verdict.ok) == ((), True)


def test_it_begins_with_the_prewarm_and_stays_for_the_hold():
    found = worked_out(shop(READ))
    assert found.begins == datetime(2027, 3, 1, 7, 15, tzinfo=UTC)
    assert found.until == datetime(2027, 3, 8, 8, 15, tzinfo=UTC)
    assert found.until - found.begins == timedelta(hours=HOURS)


def test_what_stays_costs_by_the_hour_and_reserved_concurrency_nothing():
    found = worked_out(shop(READ, WRITE, tables=(PRODUCTS,)))
    cost = {one.target.name: one.cost for one in found.outcomes}
    units = (1109 - 300 + 672 - 150) * USD_PER_UNIT_HOUR["read"] + 2 * (219 - 50) * USD_PER_UNIT_HOUR["write"]
    assert cost["shop-products"] == pytest.approx(units * HOURS)
    assert cost["shop-read"] == pytest.approx(182 * 0.5 * USD_PER_GB_SECOND * HOURS * 3600)
    assert cost["shop-write"] == 0
    assert found.cost == pytest.approx(sum(cost.values()))


def test_the_traffic_is_the_services_business_and_told_beside_it():
    service = shop(READ, WRITE, tables=(CARTS, PRODUCTS), apis={"web": Api("web", "shop-web", "prod")})
    found = worked_out(service, rates={"web": 100.0})
    seconds = 7 * 86_400
    told = {one.where: one.cost for one in found.traffic}
    assert told["read"] == pytest.approx(11 * 16 * seconds * 0.5 * prices.LAMBDA_GB_SECOND)
    assert told["web"] == pytest.approx(11 * 100 * seconds * prices.API_REQUEST["rest"])
    units = 100 * USD_PER_REQUEST_UNIT["read"] + 60 * USD_PER_REQUEST_UNIT["write"]
    assert told["carts"] == pytest.approx(11 * seconds * units)
    assert "products" not in told  # its units are paid by the hour
    assert found.unpriced == ()


def test_where_auto_scaling_owns_a_value_its_bounds_are_raised():
    service = shop(READ, tables=(PRODUCTS,))
    account = declared(service, own=21)
    facts = account.tables["shop-products"]
    lanes = {key: replace(lane, target=(lane.units, 500)) for key, lane in facts.lanes.items()}
    read = replace(account.functions["shop-read"], target=(10, 40))
    account = account.with_table("shop-products", replace(facts, lanes=lanes)).with_function("shop-read", read)
    found = event_plan.work_out(WEEK, Paper(service, account, registry.all_remediators(), TODAY))
    told = changes(found)
    assert told["shop-read", "provisioned target"] == ("10..40", "192..192")
    assert told["shop-products", "read target"] == ("300..500", "1109..1109")
    assert told["shop-products", "by-category write target"] == ("50..500", "219..500")
    assert found.suffices


def test_what_nobody_has_declared_is_not_known_and_no_failure():
    found = worked_out(shop(Function("read", "shop-read", reserved=50), tables=(Table("carts", "shop-carts"),)))
    assert [one.verdict.reason for one in found.outcomes] == [Reason.NO_DATA, Reason.NO_DATA]
    assert found.suffices
    assert found.unpriced == ("read", "carts")


def test_an_on_demand_table_follows_by_itself():
    (outcome,) = worked_out(shop(tables=(CARTS,))).outcomes
    assert (outcome.changes, outcome.cost, outcome.verdict.ok) == ((), 0.0, True)
    assert "scales by itself" in outcome.verdict.detail


def test_a_ceiling_that_leaves_a_part_is_told_with_both_numbers():
    found = worked_out(shop(READ, play=replace(PLAY, params={"ceiling": 200})))
    (outcome,) = found.outcomes
    assert changes(found)["shop-read", "reserved concurrency"] == ("120", "200")
    assert (outcome.verdict.ok, outcome.verdict.detail) == (False, "303 is needed, 200 is what the limits allow")
    assert not found.suffices


def test_a_ceiling_that_leaves_nothing_is_a_refusal():
    found = worked_out(
        shop(READ, tables=(PRODUCTS,), play=replace(PLAY, params={"ceiling": 120, "read_ceiling": 300}))
    )
    read, products = found.outcomes
    assert (read.changes, read.verdict.reason) == ((), Reason.OVER_CEILING)
    # Its writes and its index are raised all the same.
    assert {one.setting for one in products.changes} == {
        "write capacity",
        "by-category read capacity",
        "by-category write capacity",
    }
    assert products.verdict.detail.startswith("read: 1109 is needed, 300 is")


def test_the_second_function_gets_what_the_first_has_left_of_the_account():
    found = worked_out(shop(READ, replace(READ, key="twin", name="shop-twin")), concurrency=650)
    first, second = (one for one in found.outcomes)
    assert first.verdict.ok
    assert not second.verdict.ok
    # 650 less 303, less 21 of Sereno's own and the 100 that must stay unreserved.
    assert changes(found)["shop-twin", "reserved concurrency"] == ("120", str(650 - 303 - 21 - 100))


def test_money_that_the_ledger_would_refuse_is_refused_here():
    found = worked_out(shop(READ, tables=(PRODUCTS,), play=replace(PLAY, cost_per_day=1)))
    assert {one.verdict.reason for one in found.outcomes} == {Reason.COST_CEILING}
    assert "playbook.planned-event.limits.cost_per_day" in found.outcomes[0].verdict.detail
    assert found.cost == 0


def test_more_targets_than_actions_a_day_are_told():
    many = [replace(WRITE, key=f"f{number}", name=f"shop-f{number}") for number in range(4)]
    found = worked_out(shop(*many, play=replace(PLAY, per_day=3)))
    assert [one.verdict.reason for one in found.outcomes] == [Reason.OK] * 3 + [Reason.BUDGET_SPENT]


def test_nothing_but_the_accounts_facts_decides(monkeypatch):
    """The same answer however often and whenever it is asked: it is worked out on paper."""
    service = shop(READ, WRITE, tables=(PRODUCTS, CARTS))
    paper = Paper(service, declared(service, own=21), registry.all_remediators(), TODAY)
    later = replace(paper, now=TODAY + timedelta(days=3))
    assert event_plan.work_out(WEEK, paper) == event_plan.work_out(WEEK, later)
