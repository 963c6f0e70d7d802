"""Customers' resolvers: most keep to the time to live, some do not, and none forgets what it was told."""

from __future__ import annotations

import numpy as np
import pytest

from drills.regions.resolvers import Habits, Resolvers

PLACES = ("primary", "standby")
CONTINENTS = ("europe", "asia")


def resolvers(seed: int = 1, **habits) -> Resolvers:
    return Resolvers(CONTINENTS, PLACES, Habits(**habits), np.random.default_rng(seed))


def still_there(one: Resolvers) -> float:
    return float(one.shares(2)[:, 0].mean())


def moved(one: Resolvers, at: float) -> Resolvers:
    one.stirred(at)
    return one


def test_at_first_everybody_is_sent_to_the_primary_and_nobody_needs_to_ask():
    one = resolvers()
    assert one.shares(2)[:, 0] == pytest.approx([1, 1])
    assert not one.advance(5.0, {"primary": 1.0})


@pytest.mark.parametrize("after", [30, 1000, 100_003])
def test_the_honest_are_over_in_twenty_seconds_however_long_they_were_left_alone(after):
    one = moved(resolvers(slow=0, stubborn=0), after)
    shares = []
    for second in range(after, after + 25):
        one.advance(float(second), {"standby": 1.0})
        shares.append(still_there(one))
    assert shares[0] > 0.85, "their times are spread over the twenty seconds"
    assert 0.2 < shares[10] < 0.8
    assert shares[21] == 0


def test_the_slow_and_the_stubborn_keep_what_they_have_for_as_long_as_they_are_wont():
    one = moved(resolvers(slow=0.05, slow_s=(60, 120), stubborn=0.01, stubborn_s=(180, 300)), 1000)
    left = {}
    for second in range(1000, 1400):
        one.advance(float(second), {"standby": 1.0})
        left[second - 1000] = still_there(one)
    assert 0.02 < left[25] < 0.06
    assert 0.003 < left[121] < 0.01
    assert left[301] == 0
    assert sorted(left.values(), reverse=True) == list(left.values()), "nobody goes back"


def test_shares_are_drawn_anew_by_each_that_asks():
    one = moved(resolvers(slow=0, stubborn=0), 0)
    found = []
    for second in range(0, 2000):
        one.advance(float(second), {"primary": 0.1, "standby": 0.9})
        if second > 40:
            found.append(still_there(one))
    assert np.mean(found) == pytest.approx(0.1, abs=0.02)
    assert one.shares(2).sum(axis=1) == pytest.approx([1, 1])
