"""What both runs of a drill stand on: the world's tables, and who scales them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from deploy.config import service
from drills import ground, scenario, twin
from drills.auto_scaling import Scaled
from drills.cloud import translated
from drills.drill import EXAMPLES
from drills.scenario import Account, IndexLoad, TableLoad
from sereno.errors import InvalidInput

TECHMODA = EXAMPLES / "techmoda"
PRODUCTS = "techmoda-products"


@pytest.fixture(scope="module")
def shop() -> Any:
    return service(TECHMODA / "sereno.yaml")


@pytest.fixture(scope="module")
def template(shop) -> Any:
    return translated(TECHMODA / "template.yaml", shop, fast=False)


def rehearsal(**table: Any) -> scenario.Scenario:
    """Two minutes of an ordinary day, on a table as the test wants it."""
    load = TableLoad(key="products", name=PRODUCTS, **table)
    return replace(scenario.load("surge-ramp"), duration_s=120, points=(), jitter_s=0.0, tables=(load,))


def test_the_world_has_the_capacity_that_the_configuration_declares(shop):
    world = ground.make_world(rehearsal(), 1, shop, 1000)
    declared = shop.tables["products"]
    assert world.capacity(PRODUCTS) == (declared.read, declared.write)
    index = declared.indexes["by-category"]
    assert world.capacity(PRODUCTS, "by-category") == (index.read, index.write)


def test_a_scenario_may_have_another_capacity(shop):
    world = ground.make_world(rehearsal(read=200, indexes={"by-category": IndexLoad(read=90)}), 1, shop, 1000)
    assert world.capacity(PRODUCTS) == (200, 50)
    assert world.capacity(PRODUCTS, "by-category") == (90, 50)


def test_the_declared_capacity_is_what_the_template_deploys(shop, template):
    """The example's two files say the same; a drill holds both."""
    minimum = {one.lane[1:]: one.minimum for one in ground.scaled_by_template(template, rehearsal())}
    declared = shop.tables["products"]
    index = declared.indexes["by-category"]
    assert minimum == {
        (None, "read"): declared.read,
        (None, "write"): declared.write,
        ("by-category", "read"): index.read,
        ("by-category", "write"): index.write,
    }


def test_the_policies_of_the_template_are_followed(template):
    reads = ground.scaled_by_template(template, rehearsal())[0]
    assert reads == Scaled((PRODUCTS, None, "read"), 300, 4000, 0.7, 60, 3600)


def test_a_scenario_moves_the_minimum_or_takes_auto_scaling_away(template):
    smaller = ground.scaled_by_template(template, rehearsal(read=200))
    assert [one.minimum for one in smaller] == [200, 50, 150, 50]
    assert ground.scaled_by_template(template, rehearsal(auto_scaling=False)) == ()


def test_a_table_that_is_not_declared_is_told_with_those_that_are(shop):
    stranger = replace(rehearsal(), tables=(TableLoad(key="orders", name="shop-orders"),))
    with pytest.raises(
        InvalidInput, match=r'tables.orders: "shop-orders" is not declared .* known: techmoda-products'
    ):
        ground.make_world(stranger, 1, shop, 1000)


def test_a_capacity_that_stands_nowhere_is_told(shop):
    bare = replace(shop, tables={"products": replace(shop.tables["products"], read=None)})
    with pytest.raises(InvalidInput, match="read capacity of techmoda-products is declared nowhere"):
        ground.make_world(rehearsal(), 1, bare, 1000)


def test_the_account_is_shared_as_the_scenario_says(shop):
    account = Account(concurrency=800, reserved=300, strangers=((0.0, 100.0), (60.0, 500.0)))
    world = ground.make_world(replace(rehearsal(), account=account), 1, shop, 1000)
    assert (world.account_limit, world.reserved_elsewhere) == (800, 300)
    world.advance(world.start + 10)
    assert world.strangers == 100
    assert world.unreserved_left == 800 - 300 - 180 - 100
    world.advance(world.start + 120)
    assert world.strangers == 320
    assert world.unreserved_left == 0


@pytest.mark.parametrize(
    ("resource", "dimension", "lane"),
    [
        ("table/shop", "dynamodb:table:ReadCapacityUnits", ("shop", None, "read")),
        ("table/shop/index/by-day", "dynamodb:index:WriteCapacityUnits", ("shop", "by-day", "write")),
        ("function:shop:live", "lambda:function:ProvisionedConcurrency", None),
    ],
)
def test_only_a_tables_capacity_is_a_lane(resource, dimension, lane):
    assert ground.lane_of(resource, dimension) == lane


def test_the_twin_is_no_straw_man_and_scales_by_itself(shop, template):
    """Four times the traffic for ten minutes: AWS's own auto scaling follows it without any Sereno."""
    busy = replace(rehearsal(), duration_s=12 * 60, points=((60.0, 1.0), (120.0, 4.0)), update_table_s=(30.0, 30.0))
    scaled = ground.scaled_by_template(template, busy)
    ticks: list[float] = []
    world = twin.run(busy, 1, shop, 1000, scaled, ticks.append)
    assert world.capacity(PRODUCTS, "by-category")[0] > 4 * 53 / 0.75
    assert world.table_totals["total"].throttled == 0
    assert ticks == sorted(ticks)
    assert ticks[-1] == busy.duration_s
    bare = twin.run(busy, 1, shop, 1000)
    assert bare.capacity(PRODUCTS, "by-category") == (150, 50), "nobody else would"
