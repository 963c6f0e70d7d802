"""A limit must hold the peaks of random arrivals, not their mean."""

from __future__ import annotations

import math
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sereno.chance import mean_within, median, with_peaks


@pytest.mark.parametrize(("limit", "mean"), [(120, 69.9), (100, 55.3), (40, 16.0), (20, 5.7), (0, 0.0)])
def test_the_smaller_the_limit_the_smaller_the_part_that_can_be_used(limit, mean):
    assert mean_within(limit, 6) == pytest.approx(mean, abs=0.1)


@given(st.floats(0, 1e5), st.floats(0, 10))
def test_the_two_are_each_others_inverse(mean, sigmas):
    assert mean_within(with_peaks(mean, sigmas), sigmas) == pytest.approx(mean, rel=1e-6, abs=1e-6)


@given(st.floats(0, 1e5), st.floats(0, 1e5), st.floats(0, 10))
def test_more_room_holds_more(one, other, sigmas):
    low, high = sorted((one, other))
    assert mean_within(low, sigmas) <= mean_within(high, sigmas) + 1e-9


def test_without_spread_the_mean_may_be_the_limit():
    assert math.isclose(mean_within(50, 0), 50)


@pytest.mark.parametrize("values", [[3], [4, 1], [5, 1, 3], [2.5, 1, 7, 4], [1, 1, 1, 9]])
def test_the_median_is_the_standard_librarys(values):
    assert median(values) == statistics.median(values)
    with pytest.raises(ValueError, match="no median of nothing"):
        median([])
