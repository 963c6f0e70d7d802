"""The world as a whole: who is sent where when the primary is gone, with the switch and without it."""

from __future__ import annotations

import pytest

from drills.regions import measures
from drills.regions.region import Trouble
from drills.regions.world import Place, World

PLACE = Place("eu-west-1", "eu-central-1", "eu-north-1")
OUTAGE = (100.0, 700.0)


def world(*troubles: Trouble, switched: bool = True, seed: int = 1) -> World:
    return World("test", seed, PLACE, troubles, 300.0, 18.0, switched=switched)


def dark() -> Trouble:
    return Trouble("dark", PLACE.primary, *OUTAGE)


@pytest.mark.parametrize("switched", [True, False])
def test_dns_alone_moves_customers_away_from_a_dark_region_and_back(switched):
    one = world(dark(), switched=switched)
    one.advance(900)
    assert [set(move.chances) for move in one.moves] == [{PLACE.standby}, {PLACE.primary}]
    parts = measures.parts(one, OUTAGE)
    assert parts.answered is not None
    assert 28 <= parts.answered <= 45
    assert parts.served is not None
    assert parts.answered + 20 < parts.served < 125
    assert measures.arrivals(one) == 1


def test_the_object_keeps_them_away_when_the_region_is_back():
    one = world(dark())
    one.advance(150)
    one.switch(150.0, there=True)
    one.advance(1500)
    assert [set(move.chances) for move in one.moves] == [{PLACE.standby}]
    one.switch(1500.0, there=False)
    one.advance(1600)
    assert set(one.answered()) == {PLACE.primary}


def test_the_object_alone_moves_customers_from_a_region_whose_health_check_is_fine():
    one = world(Trouble("gray", PLACE.primary, *OUTAGE, 0.7))
    one.advance(140)
    one.switch(140.0, there=True)
    one.advance(300)
    parts = measures.parts(one, OUTAGE)
    assert parts.plain_seen is None
    assert parts.switched == 40.0
    assert parts.switch_seen is not None
    # Four looks of ten seconds, so that a flap of the standby loses no switch, and the name servers.
    assert 30 < parts.switch_seen - parts.switched < 45
    assert set(one.answered()) == {PLACE.standby}


def test_losing_the_standby_too_gives_traffic_back_to_the_primary():
    """The bucket cannot be reached, so the switch is as good as not set: said in docs/regions.md."""
    one = world(Trouble("dark", PLACE.standby, 300.0, 600.0))
    one.advance(100)
    one.switch(100.0, there=True)
    one.advance(290)
    assert set(one.answered()) == {PLACE.standby}
    one.advance(400)
    assert set(one.answered()) == {PLACE.primary}


def test_shares_are_what_the_records_say_once_they_are_told():
    one = world()
    one.reweigh(0.0, {PLACE.primary: 10, PLACE.standby: 90})
    one.advance(120)
    assert one.answered() == {PLACE.primary: 0.1, PLACE.standby: 0.9}
    assert measures.arrivals(one) == 0
    assert measures.away_s(one) > 50


def test_both_worlds_have_the_same_customers_and_each_seed_its_own():
    same = [sum(one.customers.counts.offered) for one in (_run(1), _run(1, switched=False))]
    assert same[0] == same[1]
    assert sum(_run(2).customers.counts.offered) != same[0]


def _run(seed: int, *, switched: bool = True) -> World:
    one = world(switched=switched, seed=seed)
    one.advance(120)
    return one


def test_what_was_lost_lies_within_the_lag_before_the_outage():
    one = world(dark())
    one.advance(900)
    lost = measures.lost_writes(one, [OUTAGE])
    assert lost
    assert all(each.at_s < OUTAGE[0] <= each.at_s + each.lag_s for each in lost)
    assert 0 < measures.oldest_lost_s(lost, [OUTAGE]) <= 8
    assert all(each.arrived_s is not None and each.arrived_s > OUTAGE[1] for each in lost)
