"""Block Public Access hides the switch: people are paged before it is needed, and a drill says what it then costs."""

from __future__ import annotations

import pytest

from drills.regions import drill, scenario
from drills.regions.region import Trouble
from drills.regions.world import Place, World

pytestmark = [pytest.mark.drill, pytest.mark.xdist_group("drill-regions")]
PLACE = Place("eu-west-1", "eu-central-1", "eu-north-1")
BOTH = ("block-public-access", "block-public-access-outage")


def hidden(*more: Trouble, begins: float = 50.0) -> World:
    """A world in which the switch was set at 100 s, and its bucket is hidden from everybody for a while."""
    found = World("test", 1, PLACE, (Trouble("hidden", PLACE.standby, begins, 400.0), *more), 30.0, 18.0)
    found.hold(100.0, there=True)
    found.switch(100.0, there=True)
    return found


def test_a_hidden_switch_moves_nobody_and_one_that_is_seen_later_moves_all():
    world = hidden()
    world.advance(399)
    assert set(world.answered()) == {PLACE.primary}
    world.advance(480)
    assert set(world.answered()) == {PLACE.standby}


def test_customers_who_are_away_come_back_when_the_switch_is_hidden():
    """Both records' checks lose it: traffic goes back as if nobody had switched."""
    world = hidden(begins=300.0)
    world.advance(299)
    assert set(world.answered()) == {PLACE.standby}
    world.advance(399)
    assert set(world.answered()) == {PLACE.primary}


def test_a_region_that_answers_nothing_is_still_left():
    world = hidden(Trouble("dark", PLACE.primary, 110.0, 400.0))
    world.advance(200)
    assert set(world.answered()) == {PLACE.standby}


def test_every_objective_is_met():
    """The loss of the region begins with the same calm hour; the calm day alone is among the twenty seeds."""
    result = drill.run(scenario.load("block-public-access-outage"), 1)
    assert [one for one in result["objectives"] if not one["met"]] == []
    assert result["own_functions"]["errors"] == []


@pytest.mark.evidence
@pytest.mark.parametrize("seed", range(1, 21))
@pytest.mark.parametrize("name", BOTH)
def test_every_objective_is_met_over_twenty_seeds(name, seed):
    result = drill.run(scenario.load(name), seed)
    assert [one for one in result["objectives"] if not one["met"]] == []
    assert result["own_functions"]["errors"] == []
