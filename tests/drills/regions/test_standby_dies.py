"""The standby dies while it serves: customers go back to a primary that is well, and a flap moves nobody."""

from __future__ import annotations

import pytest

from drills.regions import dns, drill, scenario, world
from drills.regions.dns import Answer, Calculated, Check, Health, Records
from drills.regions.region import Trouble
from drills.regions.world import HOLD, SECONDARY, SWITCH, Place, World
from sereno import serving
from tests.drills.regions.test_dns import dark_from, rng

pytestmark = [pytest.mark.drill, pytest.mark.xdist_group("drill-regions")]
PLACE = Place("eu-west-1", "eu-central-1", "eu-north-1")
BOTH_KINDS = ("standby-dies-while-serving", "standby-dies-metric-switch")


def away(*troubles: Trouble, strategy: str = "health-switch", held: bool = True) -> World:
    """A world in which the switch was set at 100 s, with the hold."""
    found = World("test", 1, PLACE, troubles, 30.0, 18.0, strategy=strategy)
    found.advance(100)
    if strategy == "metric-switch":
        alive = [at for at in range(100, 900, 5) if not any(one.start <= at < one.end for one in troubles)]
        for at in alive:
            found.published(at, SWITCH, 1)
            found.published(at, HOLD, 1 if held else 0)
    else:
        found.hold(100.0, there=held)
        found.switch(100.0, there=True)
    found.advance(299)
    assert set(found.answered()) == {PLACE.standby}
    return found


@pytest.mark.parametrize(("strategy", "bound"), [("health-switch", 120), ("metric-switch", 240)])
@pytest.mark.parametrize("held", [True, False])
def test_a_dark_standby_gives_customers_back_although_switch_and_hold_were_set(strategy, bound, held):
    """What cannot be read is not held. With metric-switch the switch itself keeps its last status for ever."""
    found = away(Trouble("dark", PLACE.standby, 300.0, 5000.0), strategy=strategy, held=held)
    found.advance(300 + bound)
    assert set(found.answered()) == {PLACE.primary}


@pytest.mark.parametrize("kind", ["dark", "down"])
@pytest.mark.parametrize("strategy", ["health-switch", "metric-switch"])
def test_a_flap_of_thirty_seconds_moves_nobody(strategy, kind):
    found = away(Trouble(kind, PLACE.standby, 300.0, 330.0), strategy=strategy)
    found.advance(600)
    assert [set(move.chances) for move in found.moves] == [{PLACE.standby}]


@pytest.mark.parametrize("strategy", ["health-switch", "metric-switch"])
def test_the_hold_keeps_customers_from_a_primary_that_is_half_out(strategy):
    """Its health check is fine, and the standby's service is dead for minutes."""
    gray = Trouble("gray", PLACE.primary, 50.0, 900.0, 0.7)
    dead = Trouble("down", PLACE.standby, 300.0, 500.0)
    found = World("test", 1, PLACE, (gray, dead), 30.0, 18.0, strategy=strategy)
    found.advance(100)
    if strategy == "metric-switch":
        for at in range(100, 900, 5):
            found.published(at, SWITCH, 1)
            found.published(at, HOLD, 1)
    else:
        found.hold(100.0, there=True)
        found.switch(100.0, there=True)
    found.advance(700)
    assert [set(move.chances) for move in found.moves] == [{PLACE.standby}]


def test_a_secondary_that_is_unhealthy_is_answered_by_the_primary_whatever_its_health():
    both = Records("failover", (Answer("a", check="first"), Answer("b", check="second")))
    assert both.chances({"first": False, "second": True}) == {"b": 1.0}
    assert both.chances({"first": False, "second": False}) == {"a": 1.0}
    assert both.chances({"first": True, "second": False}) == {"a": 1.0}


def test_new_checks_of_the_secondary_that_start_unhealthy_move_nobody():
    checks = [
        (Check("plain"), dark_from(1e9)),
        (Check("standby", 30.0, 2, found=False), dark_from(1e9)),
        (Check("primary-out", 30.0, 2, inverted=True, found=True), dark_from(1e9)),
    ]
    calculated = [Calculated("both", ("plain",), 1), Calculated(SECONDARY, ("standby", "primary-out"), 1)]
    health = Health(checks, calculated, rng())
    names = Records("failover", (Answer("a", check="both"), Answer("b", check=SECONDARY)))
    assert health.known[SECONDARY] is False
    for second in range(120):
        health.advance(float(second))
        assert names.chances(health.known) == {"a": 1.0}


@pytest.mark.parametrize("name", BOTH_KINDS)
def test_every_objective_is_met(name):
    result = drill.run(scenario.load(name), 1)
    assert [one for one in result["objectives"] if not one["met"]] == []
    assert result["own_functions"]["errors"] == []


@pytest.mark.evidence
def test_without_a_hold_customers_are_sent_to_a_region_that_fails_them(monkeypatch):
    """The control: a service that is dead for longer than a flap, and a primary that is half out."""
    monkeypatch.setattr(serving, "hold", lambda *_, **__: None)
    monkeypatch.setattr(world.World, "hold", lambda *_, **__: None)
    monkeypatch.setattr(world, "SWITCH_LOOKS", 2)
    result = drill.run(scenario.load("standby-dies-while-serving"), 1)
    missed = {one["name"] for one in result["objectives"] if not one["met"]}
    assert "flaps-move-nobody" in missed


@pytest.mark.evidence
@pytest.mark.parametrize("seed", range(1, 21))
@pytest.mark.parametrize("name", [*BOTH_KINDS, "health-without-region"])
def test_every_objective_is_met_over_twenty_seeds(name, seed):
    result = drill.run(scenario.load(name), seed)
    assert [one for one in result["objectives"] if not one["met"]] == []
    assert result["own_functions"]["errors"] == []


def test_a_metric_check_reads_the_stream_and_not_the_alarm():
    points: dict[int, float] = {0: 1.0, 1: 1.0}
    check = dns.MetricChecked(dns.MetricCheck("hold", points.get, healthy_above=True, silent=False), rng())
    kept = dns.MetricChecked(dns.MetricCheck("switch", points.get), rng())
    for one in (check, kept):
        one.advance(170.0)
    assert (check.healthy, kept.healthy) == (True, False)
    for one in (check, kept):
        one.advance(400.0)
    assert (check.healthy, kept.healthy) == (False, False), "silence is no hold, and keeps the switch"
