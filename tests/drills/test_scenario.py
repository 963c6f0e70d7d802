"""Scenario files: those in the house are sound, and a bad one says all that is wrong with it."""

from dataclasses import replace

import pytest
import yaml

from alarms.packs import all_alarms
from deploy.config import service
from drills import replay_incidents, scenario
from drills.drill import EXAMPLES
from drills.faults import Fault
from drills.table_model import Use
from sereno.errors import InvalidInput
from sereno.service import Index, Table

GOOD = {
    "name": "mine",
    "title": "A title",
    "story": "A story.",
    "service": "techmoda",
    "start": "2026-11-24T09:30:00Z",
    "duration": "1h30m",
    "normal": "120/s",
    "functions": {
        "read": {"name": "techmoda-read", "share": "90%", "mean": "150ms"},
        "write": {"name": "techmoda-write", "share": "10%", "mean": "220ms", "errors": "0.1%"},
    },
    "traffic": [["10m", "1x"], ["10m10s", "9x"]],
    "faults": [{"kind": "slow", "function": "read", "from": "5m", "to": "6m", "factor": "3x"}],
    "objectives": ["zero-throttles", {"availability": "99.99%"}, {"recovered-within": "150s"}],
}


TABLES = {
    "products": {
        "name": "techmoda-products",
        "read": 200,
        "indexes": {"by-category": {"read": 100, "hot_share": "20%"}},
        "cold": True,
        "auto_scaling": False,
    }
}


def written(tmp_path, **changes):
    raw = {key: value for key, value in {**GOOD, **changes}.items() if value is not None}
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(raw, sort_keys=False))
    return path


def using(*uses):
    """The changes that let the read function use tables so."""
    read = {**GOOD["functions"]["read"], "uses": uses[0] if uses == ("products",) else list(uses)}
    return {"tables": TABLES, "functions": {**GOOD["functions"], "read": read}}


def complaints(tmp_path, **changes):
    with pytest.raises(InvalidInput) as told:
        scenario.load(written(tmp_path, **changes))
    return {problem.path: str(problem) for problem in told.value.problems}


@pytest.mark.parametrize("name", scenario.names())
def test_every_scenario_in_the_house_can_be_rehearsed(name):
    one = scenario.load(name)
    assert one.name == name
    assert sum(function.share for function in one.functions) == pytest.approx(1)
    assert one.objectives
    assert len(one.story) > 60
    assert one.start_s % 60 == 0
    models = one.models({"techmoda-read": 120}, {"techmoda-read": 10.0})
    assert [(model.reserved, model.timeout_s) for model in models] == [(120, 10), (None, 29), (None, 29)]


def test_the_surges_and_an_alarm_test_for_every_alarm_are_in_the_house():
    """Whatever the packs hang for TechModa, the watchman's own alarms included, some scenario makes it ring."""
    whats = {
        str(objective.target).rsplit("/", 1)[-1]
        for name in scenario.names()
        for objective in scenario.load(name).objectives
        if objective.name == "alarm-fires"
    }
    declared = service(EXAMPLES / "techmoda" / "sereno.yaml")
    fast = {key: replace(one, fast_metric=True) for key, one in declared.functions.items()}
    # What is tried a hundred times is given up after about a day: no drill lasts so long. And self-tests are of the
    # account, not of the world that a drill has; nor has a drill's ledger a capacity that throttles, nor its SNS
    # a key that does not admit it; and no drill has an address that strangers reach.
    elsewhere = {"undeliverable", "failed-deliveries", "forged", "not-ready", "throttled", "unrouted", "unsubscribed"}
    # What needs one request a minute, silence, days, events or streams rings in tests/drills/test_replay.py.
    parts = {"traffic-quiet-silent", "traffic-quiet-busy", "burn-steady-long", "burn-steady-short"}
    replayed = {"outage", "latency-p90", "events-lost", "iterator-age", "hot-key", *parts}
    assert replayed <= set(replay_incidents.INCIDENTS)
    assert whats | elsewhere | replayed | {"traffic-quiet", "burn-steady"} == {
        alarm.what for alarm in all_alarms(replace(declared, functions=fast))
    }
    assert {"surge-ramp", "surge-step", "surge-step-fast", "quiet-day", "release-in-plateau"} <= set(scenario.names())


def test_quantities_become_plain_numbers(tmp_path):
    one = scenario.load(written(tmp_path))
    assert (one.duration_s, one.normal, one.points) == (5400, 120, ((600, 1), (610, 9)))
    assert one.faults == (Fault("slow", 300, 360, 3, "techmoda-read"),)
    assert [(o.name, o.target) for o in one.objectives] == [
        ("zero-throttles", None),
        ("availability", 0.9999),
        ("recovered-within", 150),
    ]
    assert one.functions[1].error_ratio == pytest.approx(0.001)


def test_the_profile_is_linear_between_its_points(tmp_path):
    import numpy as np

    traffic = scenario.load(written(tmp_path)).traffic(1)
    assert traffic.rate(np.array([0.0, 605.0, 5000.0])).tolist() == [120, 600, 1080]


def test_a_seed_delays_traffic_and_faults_alike(tmp_path):
    one = scenario.load(written(tmp_path, jitter="2m"))
    shifts = [one.shift(seed) for seed in range(20)]
    assert all(0 <= shift <= 120 for shift in shifts)
    assert len(set(shifts)) == 20
    assert one.traffic(3).times[0] == 600 + shifts[3]
    assert one.faults_for(3)[0].start == 300 + shifts[3]


def test_a_day_is_lowest_at_six_and_highest_at_eighteen():
    import numpy as np

    traffic = scenario.load("quiet-day").traffic(1)
    rates = traffic.rate(np.arange(0, 86400, 60.0))
    assert rates.min() == pytest.approx(20, abs=0.1)
    assert rates.max() == pytest.approx(120, abs=0.1)
    assert int(rates.argmax()) * 60 == pytest.approx(18 * 3600, abs=600)


def test_all_that_is_wrong_is_told_at_once(tmp_path):
    told = complaints(
        tmp_path,
        durration="2h",
        duration="90",
        normal="120",
        start="2026-11-24T09:30:07Z",
        objectives=["zero-throttle", {"availability": "0.9999"}, {"no-page": "1"}],
    )
    assert told["durration"].endswith("known: " + told["durration"].split("known: ")[1])
    assert "did you mean duration?" in told["durration"]
    assert told["duration"] == 'duration: "90" has no unit (write 90m)'
    assert "120/s" in told["normal"]
    assert "whole minute" in told["start"]
    assert "did you mean zero-throttles?" in told["objectives[0]"]
    assert "write 99.99%" in told["objectives[1].availability"]
    assert "takes no target" in told["objectives[2].no-page"]


@pytest.mark.parametrize(
    ("path", "words", "changes"),
    [
        ("traffic[1]", "put the points in order", {"traffic": [["10m", "1x"], ["9m", "9x"]]}),
        ("traffic[0]", "after the drill's end", {"traffic": [["2h", "1x"]]}),
        ("traffic[0]", "is no point", {"traffic": ["10m"]}),
        ("daily", "stands beside traffic", {"daily": {"low": "1/s", "peak": "2/s"}}),
        ("daily.low", "above the peak", {"traffic": None, "daily": {"low": "3/s", "peak": "2/s"}}),
        ("traffic", "in a reasonable time", {"normal": "3000/s"}),
        ("functions", "100%", {"functions": {"read": {"name": "r", "share": "90%", "mean": "1ms"}}}),
        ("functions.read.mean", "is missing", {"functions": {"read": {"name": "r", "share": "100%"}}}),
        ("faults[0].kind", "did you mean slow?", {"faults": [{"kind": "slo", "from": "1m", "to": "2m"}]}),
        (
            "faults[0].to",
            "does not come after",
            {"faults": [{"kind": "slow", "from": "2m", "to": "2m", "factor": "2x"}]},
        ),
        (
            "faults[0].function",
            "did you mean write?",
            {"faults": [{"kind": "errors", "function": "wirte", "from": "1m", "to": "2m", "ratio": "5%"}]},
        ),
        (
            "faults[0].factor",
            "means nothing for errors",
            {"faults": [{"kind": "errors", "from": "1m", "to": "2m", "ratio": "5%", "factor": "2x"}]},
        ),
        (
            "faults[0].table",
            "did you mean products?",
            {
                "tables": TABLES,
                "faults": [{"kind": "hot-key", "table": "product", "from": "1m", "to": "2m", "ratio": "5%"}],
            },
        ),
        (
            "faults[0].function",
            "means nothing for strangers",
            {"faults": [{"kind": "strangers", "function": "read", "from": "1m", "to": "2m", "concurrency": 5}]},
        ),
        (
            "faults[0].ratio",
            "write concurrency",
            {"faults": [{"kind": "strangers", "from": "1m", "to": "2m", "ratio": "5%"}]},
        ),
        ("tables.products.red", "did you mean read?", {"tables": {"products": {"name": "p", "red": 5}}}),
        ("tables.products.read", "no whole number", {"tables": {"products": {"name": "p", "read": "5"}}}),
        ("tables.products.name", "is missing", {"tables": {"products": {"read": 5}}}),
        ("tables.products", "is no mapping", {"tables": {"products": "techmoda-products"}}),
        ("tables", "no mapping", {"tables": ["products"]}),
        (
            "tables.products.indexes.a.write",
            "no whole number",
            {"tables": {"products": {"name": "p", "indexes": {"a": {"write": 0}}}}},
        ),
        ("functions.read.uses[0].table", "is no table of this scenario", using({"table": "orders", "read": 1})),
        ("functions.read.uses[0]", "neither reads nor writes", using({"table": "products"})),
        (
            "functions.read.uses[0].write",
            "its indexes follow",
            using({"table": "products", "index": "a", "write": 1}),
        ),
        ("functions.read.uses[0].ratio", "is nothing", using({"table": "products", "read": 1, "ratio": "0%"})),
        ("functions.read.uses", "is no list", using("products")),
        ("functions.read.attempts", "from 1 to 10", {"functions": {"read": {"name": "r", "attempts": 0}}}),
        ("account.concurency", "did you mean concurrency?", {"account": {"concurency": 5}}),
        ("account.strangers[1]", "points in order", {"account": {"strangers": [["2m", 5], ["1m", 5]]}}),
        ("update_table", "begins after its end", {"update_table": ["240s", "20s"]}),
        ("update_table", "is no pair", {"update_table": "20s"}),
        ("limits.cost_per_day", "no amount of US dollars", {"limits": {"cost_per_day": "5 EUR"}}),
        ("limits.ceilling", "did you mean ceiling?", {"limits": {"ceilling": 5}}),
        (
            "events[0].to",
            "does not come after",
            {"events": [{"name": "e", "from": "9m", "to": "8m", "factor": "2x"}]},
        ),
        ("events[0].factor", "has no x", {"events": [{"name": "e", "from": "9m", "to": "19m", "factor": 2}]}),
        ("objectives[0].refused-with", "did you mean HOT_KEY?", {"objectives": [{"refused-with": "HOTKEY"}]}),
        ("objectives[0].not-raised", "known: function, table", {"objectives": [{"not-raised": "api"}]}),
        ("objectives[0].asks", "did you mean request_quota?", {"objectives": [{"asks": "request_quotas"}]}),
        ("name", "differs from the file's name", {"name": "other"}),
        ("objectives", "proves nothing", {"objectives": None}),
        ("objectives[0].alarm-fires", "needs a target", {"objectives": ["alarm-fires"]}),
        ("base", "is no file beside", {"base": "_nowhere"}),
    ],
)
def test_each_mistake_names_its_place_and_its_mend(tmp_path, path, words, changes):
    told = complaints(tmp_path, **changes)
    assert words in told[path]


def test_tables_and_what_is_asked_of_them(tmp_path):
    uses = (
        {"table": "products", "read": 0.5, "ratio": "50%"},
        {"table": "products", "index": "by-category", "read": 2},
    )
    one = scenario.load(written(tmp_path, **using(*uses), update_table=["30s", "1m30s"]))
    (table,) = one.tables
    assert (table.name, table.read, table.write, table.cold, table.auto_scaling) == (
        "techmoda-products",
        200,
        None,
        True,
        False,
    )
    assert table.indexes["by-category"] == scenario.IndexLoad(100, None, 0.2)
    assert one.functions[0].uses == (
        Use("techmoda-products", None, 0.5, 0.0, 0.5),
        Use("techmoda-products", "by-category", 2.0),
    )
    assert one.update_table_s == (30, 90)
    assert scenario.load(written(tmp_path)).update_table_s == (20, 240)


def test_a_table_takes_from_the_service_what_the_scenario_leaves_open(tmp_path):
    (load,) = scenario.load(written(tmp_path, tables=TABLES)).tables
    index = Index("by-category", read=150, write=40)
    declared = Table("products", load.name, "provisioned", read=300, write=50, indexes={"by-category": index})
    model = load.model(declared)
    assert (model.read, model.write, dict(model.indexes)) == (200, 50, {"by-category": (100, 40)})
    assert (model.cold, dict(model.index_hot_share)) == (True, {"by-category": 0.2})
    with pytest.raises(ValueError, match="write capacity of techmoda-products is declared nowhere"):
        load.model(replace(declared, write=None))


def test_an_on_demand_table_needs_no_capacity(tmp_path):
    (load,) = scenario.load(written(tmp_path, tables={"logs": {"name": "shop-logs"}})).tables
    model = load.model(Table("logs", "shop-logs"))
    assert (model.billing, model.read, model.write) == ("on-demand", 0, 0)


def test_what_is_shared_with_strangers_is_delayed_as_the_traffic_is(tmp_path):
    account = {"concurrency": 800, "reserved": 50, "strangers": [["1m", 10], ["2m", 200]]}
    one = scenario.load(written(tmp_path, account=account, jitter="30s"))
    assert one.account == scenario.Account(800, 50, ((60.0, 10.0), (120.0, 200.0)))
    strangers = one.strangers(1)
    assert strangers.times == tuple(at + one.shift(1) for at in (60, 120))
    assert strangers.rates == (10, 200)
    assert scenario.load(written(tmp_path)).strangers(1) is None


def test_an_error_of_dynamodb_fails_who_meets_it_at_every_attempt(tmp_path):
    errors = {"kind": "table-errors", "from": "5m", "to": "6m", "ratio": "10%"}
    one = scenario.load(written(tmp_path, **using({"table": "products", "read": 1}), faults=[errors]))
    by_kind = {fault.kind: fault for fault in one.faults_for(1)}
    assert by_kind["table-errors"].value == pytest.approx(0.1)
    assert (by_kind["errors"].value, by_kind["errors"].function) == (pytest.approx(0.01), "techmoda-read")


def test_planned_events_count_from_the_drills_start_and_limits_stand_in_for_the_plays(tmp_path):
    event = {"name": "broadcast", "from": "30m", "to": "1h", "factor": "9x", "prewarm": "10m"}
    one = scenario.load(written(tmp_path, events=[event], limits={"cost_per_day": 5, "ceiling": 200}))
    (planned,) = one.events
    assert (planned["starts"], planned["ends"]) == ("2026-11-24T10:00:00.000Z", "2026-11-24T10:30:00.000Z")
    assert (planned["factor"], planned["prewarm_s"]) == (9, 600)
    assert one.limits == {"cost_per_day": 5.0, "ceiling": 200}


def test_a_base_is_taken_over_and_may_be_overruled(tmp_path):
    (tmp_path / "_base.yaml").write_text(yaml.safe_dump({"normal": "10/s", "hold": "5m"}))
    one = scenario.load(written(tmp_path, normal=None, base="_base"))
    assert (one.normal, one.hold_s) == (10, 300)
    assert scenario.load(written(tmp_path, base="_base")).normal == 120


def test_an_unknown_scenario_proposes_the_nearest():
    with pytest.raises(InvalidInput, match="did you mean surge-ramp"):
        scenario.load("surge-rmp")
