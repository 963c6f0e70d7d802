"""Every limit is held against what was promised, and the number to change is named."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from deploy import headroom
from deploy.account import Account, FunctionFacts, LaneFacts, TableFacts, declared
from deploy.headroom import Finding, State
from deploy.on_paper import Paper
from remediators import registry
from sereno.model import Mode
from sereno.service import PLANNED_EVENT, Api, Function, Index, Objectives, PlannedEvent, Play, Quotas, Service, Table

TODAY = datetime(2027, 2, 1, tzinfo=UTC)
JOINT = (("raise_concurrency", "raise_capacity"), ("open_incident",))
SURGE = Play("exhaustion", JOINT, Mode.AUTO)
READ = Function("read", "shop-read", reserved=120, normal=16)
PRODUCTS = Table("products", "shop-products", "provisioned", read=300, write=200, normal_read=66, normal_write=13)
OWN = 21


def shop(*functions: Function, tables: tuple[Table, ...] = (), plays: tuple[Play, ...] = (SURGE,), **more: object):
    return Service(
        "shop",
        "123456789012",
        ("eu-west-1",),
        objectives=Objectives(surge=9),
        functions={one.key: one for one in functions},
        tables={one.key: one for one in tables},
        playbook={one.what: one for one in plays},
        **more,
    )


def look(service: Service, account: Account | None = None) -> dict[tuple[str, str, str], Finding]:
    paper = Paper(service, account or declared(service, OWN), registry.all_remediators(), TODAY)
    return {(one.surge, one.where, one.what): one for one in headroom.check(paper)}


def one(service: Service, where: str, what: str, account: Account | None = None, surge: str = "surge") -> Finding:
    return look(service, account)[surge, where, what]


# -- functions


def test_without_an_account_the_declared_quotas_count():
    account = declared(shop(READ, quotas=Quotas(concurrency=3000, requests=20_000)), OWN)
    assert (account.concurrency, account.api_rate) == (3000, 20_000)
    assert (declared(shop(READ), OWN).concurrency, declared(shop(READ), OWN).api_rate) == (1000, 10_000)


def test_a_ceiling_over_the_need_holds():
    found = one(shop(READ), "read", "concurrency")
    # 9 x 16 = 144 at once, and eight standard deviations of chance.
    assert (found.need, found.limit, found.state, found.mend) == (240, 500, State.HOLDS, "")


def test_a_ceiling_below_the_need_names_the_number_to_change():
    found = one(shop(READ, plays=(replace(SURGE, params={"ceiling": 200}),)), "read", "concurrency")
    assert (found.need, found.limit, found.state) == (240, 200, State.SHORT)
    assert found.mend == "playbook.exhaustion.limits.ceiling: 200 -> 240"


def test_the_number_it_names_is_the_one_that_holds():
    found = one(shop(READ, plays=(replace(SURGE, params={"ceiling": 240}),)), "read", "concurrency")
    assert found.state is State.HOLDS
    almost = one(shop(READ, plays=(replace(SURGE, params={"ceiling": 239}),)), "read", "concurrency")
    assert almost.state is State.SHORT


def test_the_lowest_ceiling_counts_and_all_that_are_too_low_are_named():
    plays = (
        SURGE,
        Play("throttles", JOINT, params={"ceiling": 150}),
        Play("saturation", JOINT, params={"ceiling": 200}),
        Play("errors", (("open_incident",),)),
    )
    found = one(shop(READ, plays=plays), "read", "concurrency")
    assert (found.limit, found.whose) == (150, "ceiling of throttles")
    assert found.mend == "playbook.throttles.limits.ceiling: 150 -> 240 (also of saturation)"


def test_what_is_reserved_already_needs_no_play():
    found = one(shop(replace(READ, reserved=240), plays=()), "read", "concurrency")
    assert (found.state, found.whose) == (State.HOLDS, "reserved")


def test_without_a_play_what_is_reserved_is_the_limit():
    found = one(shop(READ, plays=()), "read", "concurrency")
    assert found.state is State.SHORT
    assert found.mend == "resources.functions.read.reserved: 120 -> 240, or a play with raise_concurrency"


def test_an_unreserved_function_without_a_play_lives_on_what_the_account_has_left():
    service = shop(replace(READ, reserved=None), plays=())
    assert one(service, "read", "concurrency").limit == 1000 - OWN
    small = replace(declared(service, OWN), concurrency=200)
    assert one(service, "read", "concurrency", small).state is State.SHORT


def test_a_function_whose_normal_is_not_known_is_told_and_fails_nothing():
    service = shop(replace(READ, normal=None))
    found = one(service, "read", "concurrency")
    assert (found.need, found.state) == (None, State.UNKNOWN)
    assert found.mend.startswith("resources.functions.read.normal: ")
    assert headroom.short(look(service).values()) == ()


def test_short_calls_meet_the_rate_before_the_concurrency():
    service = shop(READ)
    # 16 at once of 20 ms each are 800 calls a second.
    busy = declared(service, OWN).with_function("shop-read", FunctionFacts(reserved=120, normal=16, rate=800.0))
    found = one(service, "read", "calls", busy)
    assert (found.need, found.limit, found.state) == (7200, 2400, State.SHORT)
    assert found.mend == "resources.functions.read.normal: 16 -> 80"


def test_a_timeout_longer_than_an_api_waits_is_worth_a_look_once():
    event = PlannedEvent("sale", "2027-03-01T09:00:00Z", "2027-03-02T09:00:00Z", 12.0)
    apis = {"web": Api("web", "shop-web", "prod")}
    service = shop(replace(READ, timeout_s=60), apis=apis, events=(event,))
    found = [key for key in look(service) if key[2] == "timeout"]
    assert found == [("surge", "read", "timeout")]
    assert one(service, "read", "timeout").state is State.LOOK
    assert not [key for key in look(shop(replace(READ, timeout_s=60))) if key[2] == "timeout"]


def test_a_thousand_new_environments_take_their_time():
    found = one(shop(replace(READ, normal=200)), "read", "new environments")
    assert found.state is State.LOOK
    assert found.need > 1000


# -- the account


def test_the_accounts_quota_holds_everything_sereno_and_the_floor_included():
    service = shop(READ, Function("health", "shop-health", reserved=20, normal=0.1))
    found = one(service, "account", "concurrency")
    assert (found.need, found.limit, found.state) == (240 + 20 + OWN + 100, 1000, State.HOLDS)


@pytest.mark.parametrize(("quota", "state"), [(381, State.HOLDS), (380, State.SHORT)])
def test_one_execution_too_few_is_too_few(quota, state):
    service = shop(READ, Function("health", "shop-health", reserved=20, normal=0.1))
    found = one(service, "account", "concurrency", replace(declared(service, OWN), concurrency=quota))
    assert found.state is state
    assert ("-> 381" in found.mend) is (state is State.SHORT)


def test_what_others_reserve_is_not_there():
    service = shop(READ)
    found = one(service, "account", "concurrency", replace(declared(service, OWN), others=700))
    assert (found.need, found.state) == (240 + OWN + 700 + 100, State.SHORT)


def test_the_rate_of_all_apis_is_held_where_it_is_known():
    apis = {"web": Api("web", "shop-web", "prod"), "app": Api("app", "shop-app", "$default", "http", "a1b2c3")}
    service = shop(READ, apis=apis)
    assert one(service, "account", "API requests").state is State.UNKNOWN
    busy = replace(declared(service, OWN), rates={"web": 1000.0, "app": 200.0})
    found = one(service, "account", "API requests", busy)
    assert (found.need, found.limit, found.state) == (10_800, 10_000, State.SHORT)
    assert found.mend.endswith(": 10000 -> 10800")


def test_a_stage_may_allow_less_than_the_account():
    service = shop(READ, apis={"web": Api("web", "shop-web", "prod")})
    busy = replace(declared(service, OWN), rates={"web": 100.0}, stages={"web": 500.0})
    found = one(service, "web", "requests", busy)
    assert (found.need, found.limit, found.state) == (900, 500, State.SHORT)
    assert found.mend == "throttling of stage prod of shop-web: 500 -> 900 requests a second"
    assert one(service, "account", "API requests", busy).state is State.HOLDS


# -- tables


def test_each_lane_of_a_table_has_its_own_ceiling():
    indexes = {"by-category": Index("by-category", 150, 200, 40, 13)}
    service = shop(
        tables=(replace(PRODUCTS, indexes=indexes),), plays=(replace(SURGE, params={"read_ceiling": 600}),)
    )
    assert one(service, "products", "read").mend == "playbook.exhaustion.limits.read_ceiling: 600 -> 832"
    assert one(service, "products", "by-category read").state is State.HOLDS
    assert one(service, "products", "write").whose == "provisioned"


def test_without_a_play_what_is_provisioned_is_the_limit():
    found = one(shop(tables=(PRODUCTS,), plays=()), "products", "read")
    assert found.mend == "resources.tables.products.read: 300 -> 832, or a play with raise_capacity"


@pytest.mark.parametrize(("most", "state"), [(500, State.SHORT), (900, State.LOOK)])
def test_auto_scaling_reaches_its_maximum_and_takes_minutes(most, state):
    service = shop(tables=(PRODUCTS,), plays=())
    lanes = {("", "read"): LaneFacts(300, target=(300, most), normal=66), ("", "write"): LaneFacts(200, normal=13)}
    account = declared(service, OWN).with_table("shop-products", TableFacts("provisioned", lanes))
    found = one(service, "products", "read", account)
    assert (found.limit, found.state) == (most, state)
    assert ("auto scaling maximum of shop-products read: 500 -> 832" in found.mend) is (state is State.SHORT)


def test_a_table_and_its_indexes_share_a_quota():
    big = replace(PRODUCTS, normal_read=2400, indexes={"by-category": Index("by-category", 150, 50, 1300, 13)})
    service = shop(tables=(big,), plays=(replace(SURGE, params={"read_ceiling": 100_000}),))
    found = one(service, "products", "all read")
    assert (found.limit, found.state) == (40_000, State.SHORT)
    assert found.need == one(service, "products", "read").need + one(service, "products", "by-category read").need
    assert "L-CF0CBE56" in found.mend
    assert one(service, "account", "table read").state is State.HOLDS


def test_all_provisioned_tables_share_the_accounts():
    tables = tuple(replace(PRODUCTS, key=f"t{n}", name=f"shop-t{n}", normal_read=2400) for n in range(3))
    found = one(
        shop(tables=tables, plays=(replace(SURGE, params={"read_ceiling": 100_000}),)), "account", "table read"
    )
    assert (found.limit, found.state) == (80_000, State.SHORT)


def test_an_on_demand_table_takes_so_much_at_once():
    service = shop(tables=(Table("carts", "shop-carts", normal_read=100, normal_write=600),))
    assert one(service, "carts", "read").state is State.HOLDS
    found = one(service, "carts", "write")
    assert (found.need, found.limit, found.state) == (5400, 4000, State.LOOK)


def test_an_on_demand_maximum_is_a_limit_like_any_other():
    service = shop(tables=(Table("carts", "shop-carts", normal_read=100, normal_write=6),), plays=())
    lanes = {("", "read"): LaneFacts(maximum=500, normal=100), ("", "write"): LaneFacts(warm=4000, normal=6)}
    account = declared(service, OWN).with_table("shop-carts", TableFacts("on-demand", lanes))
    found = one(service, "carts", "read", account)
    assert found.state is State.SHORT
    assert found.mend.startswith("on-demand maximum of shop-carts read: 500 -> 1260")


# -- events


def test_each_event_that_is_not_over_is_held_against_its_own_play():
    over = PlannedEvent("over", "2026-03-01T09:00:00Z", "2026-03-02T09:00:00Z", 99.0)
    sale = PlannedEvent("sale", "2027-03-01T09:00:00Z", "2027-03-02T09:00:00Z", 12.0)
    planned = Play(PLANNED_EVENT, JOINT, params={"ceiling": 300})
    service = shop(READ, plays=(SURGE, planned), events=(over, sale))
    assert {key[0] for key in look(service)} == {"surge", "sale"}
    assert one(service, "read", "concurrency").whose == "ceiling of exhaustion"
    found = one(service, "read", "concurrency", surge="sale")
    assert (found.need, found.mend) == (303, "playbook.planned-event.limits.ceiling: 300 -> 303")
