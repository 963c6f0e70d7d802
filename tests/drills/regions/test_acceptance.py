"""What Sereno must win when a region is lost, rehearsed whole: each scenario under one seed, and under a
second one as evidence.

`sereno drill NAME --seeds 20` rehearses more than these tests have time for.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import pytest

from drills.regions import drill, scenario
from drills.regions.engine import Engine, Run
from drills.regions.ground import prepared
from sereno import serving

pytestmark = [pytest.mark.drill, pytest.mark.xdist_group("drill-regions")]
PRIMARY, STANDBY = "eu-west-1", "eu-central-1"
SEEDS = (1,)
STAY = ("az-loss", "flapping-region", "partition")
LEAVE = ("control-plane-down", "gray-failure", "health-without-region", "region-outage")


@lru_cache
def rehearsal(name: str, seed: int) -> tuple[Run, dict[str, Any]]:
    """A drill and its result, run once for all tests that look at them."""
    one = scenario.load(name)
    service = prepared(one.service)
    alone = one.world(seed, service, switched=False)
    alone.advance(one.duration_s)
    run = Engine(one, seed, service).run()
    return run, drill.result_of(run, alone)


def rehearsed(name: str, seed: int) -> dict[str, Any]:
    return rehearsal(name, seed)[1]


def each(names: tuple[str, ...]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize(
        ("name", "seed"),
        [*((name, 1) for name in names), *(pytest.param(name, 2, marks=pytest.mark.evidence) for name in names)],
    )


@each(STAY + LEAVE)
def test_every_objective_is_met(name, seed):
    result = rehearsed(name, seed)
    assert [one for one in result["objectives"] if not one["met"]] == []
    assert result["own_functions"]["errors"] == []


@each(LEAVE)
def test_customers_go_to_the_standby_once_and_stay_until_a_person_asks(name, seed):
    result = rehearsed(name, seed)
    asked = result["back"]["asked_s"] or result["duration_s"]
    before = [one for one in result["moves"] if one["at_s"] < asked]
    assert [one["chances"] for one in before] == [{STANDBY: 1.0}]
    begins = result["outages"][0]["from_s"]
    (written, *deleted) = result["switch"]
    assert written["there"]
    assert begins < written["at_s"]
    assert all(one["at_s"] >= asked and not one["there"] for one in deleted), "nothing takes it back but a person"


@each(STAY)
def test_where_nothing_is_out_nothing_is_written_moved_or_said(name, seed):
    result = rehearsed(name, seed)
    assert (result["switch"], result["moves"]) == ([], [])
    assert [one for one in result["remediations"] if one["remediator"] == "fail_over"] == []


@each(("region-outage", "control-plane-down"))
def test_the_parts_of_the_way_follow_each_other(name, seed):
    way = rehearsed(name, seed)["outages"][0]["with"]
    assert 0 < way["confirmed_s"] <= way["switched_s"] < way["switch_seen_s"] < way["served_s"]
    assert way["answered_s"] < way["served_s"]
    assert way["answered_s"] == pytest.approx(way["plain_seen_s"], abs=4), (
        "DNS's own check needs nobody, and is first"
    )


@each(("region-outage", "control-plane-down"))
def test_lost_are_exactly_the_writes_that_were_on_their_way(name, seed):
    """Of all writes of the world, counted anew: acknowledged before the outage, and due elsewhere after it began."""
    run, result = rehearsal(name, seed)
    ((begins, _),) = run.scenario.dark(seed)
    writes = run.world.journal.closed()
    primary = writes.regions == 0
    due = writes.times + writes.lags
    on_their_way = int((primary & (writes.times < begins) & (due >= begins)).sum())
    lost = result["lost_writes"]
    assert lost["count"] == on_their_way == len(lost["list"]) > 0
    assert all(one["at_s"] < begins + 1e-3 and one["at_s"] + one["lag_s"] > begins - 2e-3 for one in lost["list"])
    assert lost["superseded"] + lost["arrived_late"] == lost["count"], "once it is back, each has come or is too old"


def test_a_plain_health_answer_verifies_nothing_where_the_switch_is_not_looked_at(monkeypatch):
    """The control: without the switch as evidence the drill misses exactly what it is about."""
    monkeypatch.setattr(serving, "sent", lambda known, *_: known)
    result = drill.run(scenario.load("health-without-region"), 1)
    missed = {one["name"] for one in result["objectives"] if not one["met"]}
    assert missed >= {"verified", "recovery-time-measured", "knows-who-serves"}


@pytest.mark.parametrize("seed", SEEDS)
def test_unattended_a_gray_region_fails_its_customers_for_as_long_as_it_is_gray(seed):
    result = rehearsed("gray-failure", seed)
    alone, attended = result["without"]["requests"], result["requests"]
    assert result["without"]["moves"] == [], "its health check is fine"
    assert result["outages"][0]["without"]["served_s"] is None
    assert result["outages"][0]["without"]["availability"] == pytest.approx(0.3, abs=0.01)
    assert alone["failed"] > 20 * attended["failed"]
    assert not all(one["met"] for one in result["without"]["objectives"])


@pytest.mark.parametrize("seed", SEEDS)
def test_unattended_customers_are_sent_back_to_a_region_that_is_not_well(seed):
    """What the switch adds to DNS's own check: it does not take a good health check for a good region."""
    result = rehearsed("region-outage", seed)
    back = result["without"]["moves"][1]
    assert back["chances"] == {PRIMARY: 1.0}
    assert back["at_s"] < result["outages"][0]["to_s"], "it is still gray"
    assert result["without"]["requests"]["failed"] > 1.5 * result["requests"]["failed"]
    offered = result["requests"]["offered"]
    assert result["without"]["requests"]["offered"] == pytest.approx(offered, rel=0.001), "as many customers"


@pytest.mark.parametrize("seed", SEEDS)
def test_across_a_cut_line_the_primarys_watch_writes_no_switch_and_asks_nobody_else(seed):
    run, _ = rehearsal("partition", seed)
    assert run.world.switchings == []
    silenced = [one for one in run.rules.refused if one.by == PRIMARY]
    assert {(one.call, one.region) for one in silenced} == {("dynamodb.put_item", STANDBY)}, "its heartbeat alone"
    assert [one for one in run.rules.refused if one.call.startswith(("s3.", "route53."))] == []


@pytest.mark.parametrize("seed", SEEDS)
def test_without_any_control_plane_the_way_there_is_no_longer(seed):
    away, usual = (rehearsed(name, seed)["outages"][0]["with"] for name in ("control-plane-down", "region-outage"))
    assert away["served_s"] == pytest.approx(usual["served_s"], abs=30)
    assert rehearsed("control-plane-down", seed)["calls"]["forbidden"] == []


@pytest.mark.parametrize("seed", SEEDS)
def test_back_goes_step_by_step_once_the_region_is_well_and_a_person_has_asked(seed):
    result = rehearsed("region-outage", seed)
    asked = result["back"]["asked_s"]
    shares = [one["chances"].get(PRIMARY, 0.0) for one in result["moves"] if one["at_s"] >= asked]
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert len(shares) >= 3, "a part first, and all of them last"
    assert result["back"]["worst"] >= 0.99


def test_a_drill_is_the_same_whoever_runs_it():
    assert drill.run(scenario.load("partition"), SEEDS[0]) == rehearsed("partition", SEEDS[0])
