"""What a table is asked for: throttled calls consume nothing, a hot key is not a lack of capacity."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remediators.table_demand import Lane, LaneDemand, growth, lanes, measure, minute_peak

NOW = 1_790_000_000.0 // 60 * 60


def minutes(usual, recent):
    """An hour of one value, its last five minutes of another: sums of units or events a second."""
    return [[NOW - 60 * ago, 60.0 * (recent if ago <= 5 else usual)] for ago in range(60, 0, -1)]


@pytest.mark.parametrize("name", ["read", "write", "by-category read", "by_price.v2 write"])
def test_a_lane_is_named_after_its_index(name):
    assert Lane.named(name).name == name


def test_a_table_has_two_lanes_and_each_index_two_more():
    assert [lane.name for lane in lanes(["b", "a"])] == ["read", "write", "a read", "a write", "b read", "b write"]


def test_demand_is_what_was_consumed():
    found = measure({"consumed": minutes(66, 200), "calls": minutes(132, 400)}, NOW, 3)
    assert (found.asked, found.consumed, found.usual, found.throttled) == (200, 200, 66, 0)


def test_throttled_calls_are_demand_that_consumption_does_not_show():
    # 900 events a second at 3 attempts are 300 calls turned away, of half a unit each.
    series = {"consumed": minutes(66, 300), "calls": minutes(132, 600), "throttles": minutes(0, 900)[-5:]}
    found = measure(series, NOW, 3)
    assert (found.consumed, found.asked) == (300, 450)
    assert found.throttled == 5 * 60 * 900


def test_without_a_count_of_calls_each_is_a_unit():
    assert measure({"throttles": minutes(0, 30)[-2:]}, NOW, 3).asked == 10


def test_a_table_that_nobody_uses_has_no_demand():
    assert measure({}, NOW, 3) is None
    assert measure({"consumed": [], "throttles": []}, NOW, 3) is None


def test_a_table_that_was_used_an_hour_ago_only_asks_for_nothing_now():
    found = measure({"consumed": minutes(66, 0)[:20]}, NOW, 3)
    assert (found.asked, found.usual) == (0, 66)


@pytest.mark.parametrize(
    ("demand", "capacity", "hot"),
    [
        (LaneDemand(60, 60, 60), 300, False),  # nothing throttled
        (LaneDemand(60, 60, 60, 100, 100, 0, 100), 300, True),
        (LaneDemand(60, 60, 60, 100, 50, 0, 100), 300, True),
        (LaneDemand(60, 60, 60, 100, 49, 0, 100), 300, False),  # most of it is for capacity
        (LaneDemand(300, 300, 60, 100, 0, 0, 100), 300, False),
        (LaneDemand(149, 149, 60, 100), 300, True),  # no cause told, and half of it unused
        (LaneDemand(150, 150, 60, 100), 300, False),
    ],
)
def test_throttled_with_capacity_to_spare_is_a_hot_key(demand, capacity, hot):
    assert demand.is_hot(capacity) is hot


@pytest.mark.parametrize(
    ("throttles", "causes"),
    [([], [431]), ([431, 2681], [431]), ([2681], [2681])],  # the events are late; the newest cause is late; neither
)
def test_a_hot_key_is_seen_however_late_each_metric_comes(throttles, causes):
    recent = {
        "consumed": minutes(2700, 3800),
        "throttles": [[NOW - 60 * (3 - place), value] for place, value in enumerate(throttles)],
        "key_range": [[NOW - 60 * (3 - place), value] for place, value in enumerate(causes)],
    }
    found = measure(recent, NOW, 3)
    assert found is not None
    assert found.is_hot(12_000)


def test_traffic_that_the_functions_limit_still_holds_back_is_growth_all_the_same():
    invocations, throttles = minutes(100, 300), minutes(0, 300)[-5:]
    assert growth([invocations], NOW) == 3
    assert growth([invocations, throttles], NOW) == 6
    assert growth([], NOW) is None
    assert growth([minutes(0, 10)], NOW) is None


@given(st.floats(0, 1e6), st.floats(0, 20))
def test_chance_adds_less_to_a_minute_the_busier_it_is(mean, sigmas):
    assert mean - 1e-6 <= minute_peak(mean, sigmas) <= mean + sigmas * (mean / 60) ** 0.5 + 1e-6


@given(
    st.lists(st.tuples(st.integers(0, 59), st.floats(0, 1e6)), max_size=20),
    st.lists(st.tuples(st.integers(0, 59), st.floats(0, 1e6)), max_size=20),
    st.floats(1, 20),
)
def test_whatever_is_published_demand_is_at_least_what_was_consumed(consumed, throttles, attempts):
    points = [[[NOW - 60 * ago, value] for ago, value in dict(series).items()] for series in (consumed, throttles)]
    found = measure({"consumed": points[0], "throttles": points[1]}, NOW, attempts)
    if found is not None:
        assert found.asked >= found.consumed >= 0
        assert found.throttled >= 0
