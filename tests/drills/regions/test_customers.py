"""Customers: how many, where, and what becomes of their calls."""

from __future__ import annotations

import numpy as np
import pytest

from drills.regions.customers import CONTINENTS, Continent, Customers, rates
from drills.regions.region import WELL, Condition

PLACES = ("eu-west-1", "eu-central-1")
HERE = (Continent("europe", 1.0, 18.0),)
ALL_PRIMARY, HALF = np.array([[1.0, 0.0]]), np.array([[0.5, 0.5]])


def customers(peak: float = 600.0, hour: float = 18.0) -> Customers:
    return Customers(HERE, PLACES, peak, hour, np.random.default_rng(1))


def after(seconds: int, conditions, shares=ALL_PRIMARY, reached=(True, True)) -> Customers:
    one = customers()
    for second in range(seconds):
        one.second(float(second), shares, conditions, reached)
    return one


def test_a_day_is_smooth_and_each_continent_has_its_own_evening():
    day = np.array([rates(CONTINENTS, 1000, hour).sum() for hour in range(24)])
    assert day.max() < 1000
    assert day.min() > 250
    assert int(np.argmax(day)) in (18, 19, 20)
    assert rates(HERE, 1000, 18.0)[0] == pytest.approx(1000)
    assert rates(HERE, 1000, 6.0)[0] == pytest.approx(250)


def test_a_region_that_is_well_serves_everybody():
    counts = after(60, (WELL, WELL)).counts
    assert sum(counts.failed) == 0
    assert counts.served == counts.offered
    assert np.mean(counts.offered) == pytest.approx(600, rel=0.05)


def test_who_is_sent_to_a_dark_region_fails_and_nobody_else():
    counts = after(60, (Condition(dark=True), WELL), HALF).counts
    assert sum(counts.failed) == pytest.approx(sum(counts.offered) / 2, rel=0.05)
    assert all(primary == 0 for primary, _ in counts.by_place)
    assert counts.writes_refused == pytest.approx(sum(counts.failed) / 10, rel=0.15)


def test_a_gray_region_fails_its_part_however_often_a_call_is_tried():
    counts = after(60, (Condition(fails=0.7), WELL)).counts
    assert sum(counts.failed) / sum(counts.offered) == pytest.approx(0.7, abs=0.02)


def test_a_lost_zone_is_hardly_noticed_by_who_tries_again():
    counts = after(60, (Condition(first_fails=1 / 3), WELL)).counts
    assert sum(counts.failed) / sum(counts.offered) == pytest.approx(1 / 27, abs=0.01)
    assert counts.again > 0.2 * sum(counts.offered)


def test_a_region_that_customers_cannot_reach_serves_none():
    assert sum(after(10, (WELL, WELL), reached=(False, True)).counts.by_place[0]) == 0


def test_writes_are_acknowledged_where_they_are_served():
    one = customers()
    assert one.second(0.0, ALL_PRIMARY, (WELL, WELL), (True, True))[1] == 0
    assert one.second(1.0, ALL_PRIMARY, (Condition(dark=True), WELL), (True, True)) == [0, 0]


def test_the_slowest_are_slower_where_a_zone_is_gone():
    well, slow = (after(30, (one, WELL)).latency_ms(99) for one in (WELL, Condition(slower=1.6)))
    assert well is not None
    assert slow is not None
    assert slow > 1.3 * well > 300
    assert customers().latency_ms(99) is None
