"""What a drill measures, on small worlds whose every second is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from drills.regions import measures
from drills.regions.replication import Lost
from drills.regions.world import BOTH, PLAIN, SWITCH, Move

PRIMARY, STANDBY = "eu-west-1", "eu-central-1"
OUTAGE = (100.0, 200.0)
THERE, BACK = {STANDBY: 1.0}, {PRIMARY: 1.0}


def world(
    *,
    failed: Mapping[range, int] | None = None,
    offered: int = 100,
    seconds: int = 300,
    moves: Sequence[tuple[float, dict[str, float]]] = (),
    switchings: Sequence[tuple[float, bool]] = (),
    changes: Sequence[tuple[float, str, bool]] = (),
) -> Any:
    """A world as far as it is measured: so many calls a second, of which so many fail in a stretch."""
    fails = [0] * seconds
    for stretch, count in (failed or {}).items():
        for second in stretch:
            fails[second] = count
    return SimpleNamespace(
        second=seconds,
        customers=SimpleNamespace(counts=SimpleNamespace(offered=[offered] * seconds, failed=fails)),
        place=SimpleNamespace(primary=PRIMARY, standby=STANDBY),
        moves=[Move(at, chances) for at, chances in moves],
        switchings=list(switchings),
        health=SimpleNamespace(changes=list(changes)),
    )


# -- when customers are served again


@pytest.mark.parametrize(
    ("failed", "seconds"),
    [
        ({}, 0.0),
        ({range(100, 140): 100}, 44.0),
        ({range(100, 140): 100, range(140, 200): 1}, 44.0),
        ({range(100, 140): 100, range(140, 200): 2}, None),
        ({range(100, 110): 100, range(150, 155): 50}, 59.0),
        ({range(100, 200): 100}, None),
        ({range(100, 199): 100}, None),
        ({range(100, 199): 1}, 0.0),
        ({range(50, 100): 100, range(200, 250): 100}, 0.0),
    ],
    ids=[
        "nothing fails",
        "all fail, and then none",
        "one in a hundred goes on failing",
        "two in a hundred go on failing",
        "served, and then not once more",
        "until the end",
        "until a second before the end",
        "one in a hundred throughout",
        "before and after it",
    ],
)
def test_customers_are_served_again_once_one_in_a_hundred_fails_over_five_seconds_for_good(failed, seconds):
    assert measures.served_again(world(failed=failed), OUTAGE) == seconds


def test_an_outage_that_outlasts_the_drill_is_measured_to_its_end():
    one = world(failed={range(100, 140): 100}, seconds=180)
    assert measures.served_again(one, (100.0, 9999.0)) == 44.0


def test_a_fraction_of_a_second_is_no_time_won():
    assert measures.served_again(world(failed={range(100, 140): 100}), (100.4, 200.0)) == pytest.approx(43.6)


# -- the parts of the way


def test_each_part_is_told_from_the_outages_beginning_and_only_while_it_lasts():
    one = world(
        failed={range(100, 150): 100},
        switchings=[(20.0, True), (50.0, False), (130.0, True), (210.0, True)],
        changes=[(30.0, PLAIN, False), (135.0, PLAIN, False), (146.0, SWITCH, False), (147.0, BOTH, False)],
        moves=[(31.0, THERE), (90.0, BACK), (120.0, {PRIMARY: 0.5, STANDBY: 0.5}), (148.0, THERE)],
    )
    assert measures.parts(one, OUTAGE, [25.0, 129.0, 131.0]) == measures.Parts(
        confirmed=29.0, switched=30.0, switch_seen=46.0, plain_seen=35.0, answered=48.0, served=54.0
    )


def test_what_did_not_happen_has_no_time():
    one = world(failed={range(100, 200): 100}, changes=[(150.0, PLAIN, True)], switchings=[(150.0, False)])
    assert measures.parts(one, OUTAGE) == measures.Parts()


# -- how many were served


def test_availability_is_of_all_calls_or_of_those_in_a_stretch():
    one = world(failed={range(100, 150): 100})
    assert measures.availability(one) == pytest.approx(250 / 300)
    assert measures.availability(one, OUTAGE) == pytest.approx(0.5)
    assert measures.availability(world(offered=0)) is None


def test_the_worst_ten_seconds_are_the_worst_that_any_customer_can_meet():
    one = world(failed={range(120, 125): 100, range(150, 160): 20})
    assert measures.worst(one, (110.0, 200.0)) == pytest.approx(0.5)
    assert measures.worst(one, (140.0, 200.0)) == pytest.approx(0.8)
    assert measures.worst(one, (140.0, 149.0)) is None, "shorter than ten seconds"


# -- where they were sent


def test_away_is_while_anybody_is_sent_to_the_standby():
    assert measures.away_s(world()) == 0
    assert measures.away_s(world(moves=[(100.0, THERE), (160.0, BACK)])) == 60
    assert measures.away_s(world(moves=[(100.0, THERE), (150.0, {PRIMARY: 0.9, STANDBY: 0.1}), (160.0, BACK)])) == 60
    assert measures.away_s(world(moves=[(100.0, THERE)])) == 200
    assert measures.away_s(world(moves=[(100.0, THERE)]), until=130.0) == 30


def test_an_arrival_is_when_all_begin_to_be_sent_to_the_standby():
    twice = world(moves=[(100.0, THERE), (150.0, BACK), (160.0, THERE)])
    assert measures.arrivals(twice) == 2
    assert measures.arrivals(twice, until=160.0) == 1
    assert measures.arrivals(world(moves=[(100.0, {PRIMARY: 0.5, STANDBY: 0.5})])) == 0, "half of them is no arrival"


def test_the_largest_step_back_is_what_the_primary_is_given_at_once():
    steps = [
        (100.0, THERE),
        (150.0, {PRIMARY: 0.1, STANDBY: 0.9}),
        (160.0, {PRIMARY: 0.6, STANDBY: 0.4}),
        (170.0, BACK),
    ]
    assert measures.largest_step(world(moves=steps), 140.0) == pytest.approx(0.5)
    assert measures.largest_step(world(moves=[*steps[:2], steps[3]]), 140.0) == pytest.approx(0.9)
    assert measures.largest_step(world(moves=steps), 165.0) == pytest.approx(0.4), "what came before is none of it"
    assert measures.largest_step(world(moves=steps[:1]), 140.0) is None


def test_sending_a_part_away_from_a_primary_that_had_all_gives_it_nothing_back():
    assert measures.largest_step(world(moves=[(100.0, {PRIMARY: 0.9, STANDBY: 0.1})]), 50.0) is None


# -- what was lost


def test_the_oldest_lost_write_tells_how_far_back_the_outage_reaches():
    lost = [Lost("w1", 1, 97.5, 3.0, None, None), Lost("w2", 2, 99.0, 3.0, None, None)]
    assert measures.oldest_lost_s(lost, [OUTAGE]) == pytest.approx(2.5)
    assert measures.oldest_lost_s([], [OUTAGE]) == 0
    assert measures.oldest_lost_s(lost, []) == 0
