"""A table's capacity is seen running out; an ordinary day, a scan, and a table that scales itself ring nothing."""

from __future__ import annotations

import numpy as np
import pytest

from alarms.evaluator import timeline
from alarms.metric_math import resolve
from alarms.packs import all_alarms
from alarms.packs.tables import OPERATIONS
from alarms.spec import AlarmSpec
from sereno.service import Api, Function, Index, Quotas, Service, Table

# Units a second of an ordinary busy hour, and what is declared.
LOADS = {"read": (66.0, 300), "write": (13.0, 50)}
INDEXED = {"read": (53.0, 150), "write": (13.0, 50)}
# Units of a call: a query of the index reads several items.
EACH = ({"read": 0.5, "write": 1.0}, {"read": 4.0, "write": 1.0})
PRODUCTS = Table(
    "products",
    "techmoda-products",
    "provisioned",
    300,
    50,
    66.0,
    13.0,
    {"by-category": Index("by-category", 150, 50, 53.0, 13.0)},
)


def service(*tables, **facts):
    return Service("techmoda", "123456789012", ("eu-west-1",), tables={one.key: one for one in tables}, **facts)


def alarms(*tables, **facts):
    return {spec.what: spec for spec in all_alarms(service(*tables, **facts)) if spec.name.startswith("techmoda/")}


def series(factors, kind, seed=0):
    """Minutely sums of the table and its index: calls come at random."""
    draw = np.random.default_rng([seed, *kind.encode()])
    return {
        f"m{number}": [each[kind] * draw.poisson(load[kind][0] * factor * 60 / each[kind]) for factor in factors]
        for number, (load, each) in enumerate(zip((LOADS, INDEXED), EACH, strict=True))
    }


def fired(spec, data):
    values = resolve(spec.queries, data, spec.period_seconds)
    return [change.index for change in timeline(spec, values) if change.evaluation.state == "ALARM"]


def quiet_day(seed):
    """Four hours around the daily peak with peaks of 1.5 times, each coming within one minute."""
    draw = np.random.default_rng(seed)
    factors = 0.55 - 0.45 * np.cos(np.linspace(0, 2 * np.pi, 240))
    for start in draw.integers(105, 135, 3):
        factors[start : start + int(draw.integers(3, 30))] = 1.5
    return factors


@pytest.mark.parametrize("kind", ["read", "write"])
@pytest.mark.parametrize("seed", range(25))
def test_a_quiet_day_fires_nothing(kind, seed):
    assert fired(alarms(PRODUCTS)[f"{kind}-capacity"], series(quiet_day(seed), kind, seed)) == []


@pytest.mark.parametrize("kind", ["read", "write"])
@pytest.mark.parametrize("seed", range(10))
def test_a_ramp_to_nine_times_is_seen_by_the_end_of_its_second_minute(kind, seed):
    before = 5
    ramp = [1.0] * before + [1 + 8 * (minute + 0.5) / 10 for minute in range(4)]
    first = fired(alarms(PRODUCTS)[f"{kind}-capacity"], series(ramp, kind, seed))
    assert first
    assert first[0] <= before + 1
    demand = LOADS[kind][0] * ramp[first[0]]
    assert demand < 0.7 * LOADS[kind][1], "by then the table still has room, and UpdateTable has minutes"


def test_a_capacity_nearly_used_is_told_without_any_growth():
    spec = alarms(PRODUCTS)["read-capacity"]
    steady = {"m0": [254.0 * 60] * 20, "m1": [33.0 * 60] * 20}
    assert fired(spec, steady) == []
    assert fired(spec, {**steady, "m0": [256.0 * 60] * 20}) == [0]


def test_an_index_that_runs_out_is_told_as_its_tables_alarm():
    spec = alarms(PRODUCTS)["read-capacity"]
    assert fired(spec, {"m0": [66.0 * 60] * 20, "m1": [33.0 * 60] * 10 + [140.0 * 60] * 10}) == [10]


def test_where_auto_scaling_owns_the_capacity_an_ordinary_day_passes_its_minimum():
    owned = Table("products", "techmoda-products", "provisioned", 40, 10, 66.0, 13.0)
    for kind, units in (("read", 66.0), ("write", 13.0)):
        spec = alarms(owned)[f"{kind}-capacity"]
        assert fired(spec, {"m0": [units * 60] * 20}) == []
        assert fired(spec, {"m0": [2 * units * 60] * 20}) == [0]


def test_an_idle_table_is_calm():
    spec = alarms(PRODUCTS)["read-capacity"]
    assert fired(spec, {"m0": [None] * 20, "m1": [None] * 20}) == []


@pytest.mark.parametrize(("events", "rings"), [([9.0], False), ([10.0], True), ([4.0, 6.0], True)])
def test_a_handful_of_throttled_calls_is_nothing_ten_are(events, rings):
    """CloudWatch publishes no zeros here; the table and its index count together."""
    spec = alarms(PRODUCTS)["read-throttles"]
    data = {"m0": [None] * 20, "m1": [None] * 20}
    for number, value in enumerate(events):
        data[f"m{number}"][10] = value
    assert fired(spec, data) == ([10] if rings else [])
    assert spec.severity == "page"


def test_errors_of_dynamodb_are_added_over_the_operations():
    spec = alarms(PRODUCTS)["table-errors"]
    assert {dict(query.dimensions)["Operation"] for query in spec.stats} == set(OPERATIONS)
    quiet = {query.id: [None] * 20 for query in spec.stats}
    one_minute = {**quiet, "m0": [None] * 10 + [50.0] + [None] * 9}
    assert fired(spec, one_minute) == []
    assert fired(spec, {**one_minute, "m3": [None] * 11 + [5.0] + [None] * 8}) == [11]


def test_an_on_demand_table_has_no_capacity_to_run_out():
    found = set(alarms(Table("carts", "techmoda-carts"))) - {"customers-hurt"}
    assert found == {"read-throttles", "write-throttles", "hot-key", "table-errors"}


def test_a_table_has_more_indexes_than_an_alarm_can_watch():
    many = {f"by-{number:02}": Index(f"by-{number:02}", 10, 10) for number in range(12)}
    found = alarms(Table("products", "techmoda-products", "provisioned", 300, 50, indexes=many))
    for what in ("read-capacity", "write-throttles"):
        assert len(found[what].stats) == 10
        assert "its 9 indexes (the last 3 by name are not watched)" in found[what].description


API = {"catalogue": Api("catalogue", "techmoda-catalogue", "prod")}


class TestAccount:
    def test_quotas_that_the_service_cannot_meet_are_not_watched(self):
        assert "account-capacity" not in alarms(Table("carts", "techmoda-carts"))
        assert "account-requests" not in alarms(PRODUCTS)
        assert "account-concurrency" not in alarms(PRODUCTS)

    def test_concurrency_is_told_before_all_is_claimed(self):
        functions = {"read": Function("read", "techmoda-read")}
        spec = alarms(functions=functions)["account-concurrency"]
        assert (spec.threshold, spec.dimensions) == (900, ())
        assert timeline(spec, [500.0, 950.0, 500.0, None, None]) == []
        assert [change.index for change in timeline(spec, [500.0, 900.0, 900.0])] == [2]
        own = alarms(functions=functions, quotas=Quotas(concurrency=400))["account-concurrency"]
        assert own.threshold == 360
        assert "the account's 400 concurrent executions" in own.description

    def test_requests_are_added_over_the_apis_of_the_service(self):
        apis = {**API, "shop": Api("shop", "techmoda-shop", "live", "http", "a1b2c3")}
        spec = alarms(apis=apis)["account-requests"]
        assert len(spec.stats) == 2
        near, quiet = [5000.0 * 60] * 5, [120.0 * 60] * 5
        assert fired(spec, {"m0": near, "m1": quiet}) == []
        assert fired(spec, {"m0": near, "m1": near}) == [0]

    def test_capacity_is_told_as_a_percentage_of_the_accounts_own_quota(self):
        spec = alarms(PRODUCTS)["account-capacity"]
        assert spec.period_seconds == 300
        low = {f"m{number}": [3.0] * 5 for number in range(4)}
        assert fired(spec, {**low, "m0": [79.0] * 5}) == []
        assert fired(spec, {**low, "m1": [80.0] * 5}) == [0]
        assert fired(spec, {**low, "m3": [80.0] * 5}) == [0], "one table is near what a table may have"

    def test_every_alarm_is_about_the_service_as_a_whole(self):
        found = alarms(PRODUCTS, apis=API)
        for what in ("account-requests", "account-capacity"):
            assert isinstance(found[what], AlarmSpec)
            assert found[what].target == "techmoda"
