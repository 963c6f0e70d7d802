"""The pieces of a chart: round ticks, kept peaks, honest gaps."""

from __future__ import annotations

import random
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drills import charts


@pytest.mark.parametrize(
    ("peak", "expected"),
    [
        (0, [0, 1]),
        (1113, [0, 250, 500, 750, 1000, 1250]),
        (20, [0, 5, 10, 15, 20]),
        (0.03, [0, 0.01, 0.02, 0.03]),
        (7, [0, 2, 4, 6, 8]),
    ],
)
def test_ticks_are_round_and_reach_the_peak(peak, expected):
    assert charts.ticks(peak) == pytest.approx(expected)


@given(st.floats(min_value=1e-6, max_value=1e9))
def test_ticks_always_hold_the_peak_and_are_few(peak):
    ticks = charts.ticks(peak)
    assert ticks[-1] >= peak * (1 - 1e-6)
    assert 2 <= len(ticks) <= 6


@pytest.mark.parametrize(
    ("duration_s", "step_s"), [(60, 10), (900, 120), (7200, 900), (86_400, 10_800), (864_000, 172_800)]
)
def test_time_ticks_are_whole_steps_of_the_clock(duration_s, step_s):
    ticks = charts.time_ticks(duration_s)
    assert ticks[1] - ticks[0] == step_s
    assert ticks[0] == 0
    assert ticks[-1] <= duration_s
    assert len(ticks) <= 10


def test_a_scale_without_width_stays_at_its_start():
    assert charts.Scale(5, 5, 0, 100)(5) == 0
    assert charts.Scale(0, 10, 100, 0)(2.5) == 75


def test_a_short_series_is_kept_whole():
    assert charts.keep([[1.0] * 100], buckets=50) == list(range(100))
    assert charts.keep([]) == []


@settings(max_examples=60)
@given(st.integers(0, 10**6), st.integers(100, 1500), st.floats(0, 1))
def test_thinning_keeps_every_extreme_and_both_ends(seed, length, unknown):
    chance = random.Random(seed)
    values = [None if chance.random() < unknown else chance.uniform(0, 1e6) for _ in range(length)]
    other = [chance.uniform(0, 1e6) for _ in range(length)]
    kept = charts.keep([values, other], buckets=20)
    assert kept == sorted(set(kept))
    assert kept[0] == 0
    assert kept[-1] == len(values) - 1
    assert len(kept) <= 2 + 2 * 2 * 20
    for series in (values, other):
        known = [value for value in series if value is not None]
        shown = [series[index] for index in kept if series[index] is not None]
        assert (max(shown), min(shown)) == (max(known), min(known)) if known else not shown


def test_one_bad_moment_in_a_day_is_still_drawn():
    failed = [0.0] * 8640
    failed[5000] = 400.0
    kept = charts.keep([failed])
    x, y = charts.across(86_400), charts.upward(400)
    assert ",0.0" in charts.line([index * 10 for index in range(8640)], failed, kept, x, y)


def test_unknown_values_leave_a_gap_and_are_no_zero():
    x, y = charts.across(40), charts.upward(10)
    path = charts.line([0, 10, 20, 30, 40], [10, 5, None, 5, 10], range(5), x, y)
    assert path == "M0.0,0.0L250.0,120.0M750.0,120.0L1000.0,0.0"


def test_a_level_stretch_costs_two_points():
    x, y = charts.across(100), charts.upward(10)
    path = charts.line(list(range(101)), [5] * 101, range(101), x, y)
    assert path == "M0.0,120.0L1000.0,120.0"


def test_a_limit_jumps_and_never_slopes():
    x, y = charts.across(30), charts.upward(240)
    path = charts.staircase([0, 10, 20, 30], [120, 120, 240, 240], range(4), x, y)
    points = [tuple(map(float, pair)) for pair in re.findall(r"([\d.]+),([\d.]+)", path)]
    assert points == [(0, 120), (666.7, 120), (666.7, 0), (1000, 0)]


def test_an_area_is_closed_between_its_edges():
    x, y = charts.across(10), charts.upward(10)
    assert charts.area([0, 10], [0, 5], [5, 10], [0, 1], x, y) == ("M0.0,120.0L1000.0,0.0L1000.0,120.0L0.0,240.0Z")
    assert charts.area([], [], [], [], x, y) == ""


def test_the_peak_ignores_what_is_unknown():
    assert charts.peak([None, 3.0], [7.0, None]) == 7
    assert charts.peak([]) == 0
    assert charts.peak_index([0.0, 4.0, 4.0]) == 1
    assert charts.peak_index([0.0, None]) is None
