"""What a function is asked for, measured from its metrics, and whether it is demand or slowness."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remediators.demand import Demand, measure

NOW = 3600.0 * 24


def minutes(value, first=60, last=1):
    """The same value for each minute from `first` to `last` minutes ago."""
    return [[NOW - 60 * ago, value] for ago in range(first, last - 1, -1)]


def series(rate=10.0, ms=200.0, recent_rate=None, recent_ms=None, throttled=0.0):
    """An hour of calls a second and their duration; the last five minutes may differ."""
    return {
        "invocations": minutes(rate * 60, 60, 6) + minutes((recent_rate or rate) * 60, 5),
        "throttles": minutes(throttled * 60, 5),
        "duration": minutes(ms, 60, 6) + minutes(recent_ms or ms, 5),
    }


@pytest.mark.parametrize(
    ("given_", "concurrency", "growth", "slowdown"),
    [
        (series(), 2.0, 1.0, 1.0),
        (series(recent_rate=90), 18.0, 9.0, 1.0),
        (series(recent_ms=600), 6.0, 1.0, 3.0),
        (series(recent_rate=20, throttled=30), 10.0, 5.0, 1.0),  # what was throttled was asked for too
    ],
)
def test_demand_is_rate_times_duration_throttled_attempts_included(given_, concurrency, growth, slowdown):
    demand = measure(given_, NOW)
    assert demand.concurrency == pytest.approx(concurrency)
    assert demand.usual == pytest.approx(2.0)
    assert demand.rate_growth == pytest.approx(growth)
    assert demand.slowdown == pytest.approx(slowdown)


def test_a_minute_that_is_half_published_does_not_make_a_surge_look_like_slowness():
    """Cold starts make the first calls of a surge slower, and the minute's calls are not all counted yet."""
    surge = series(recent_rate=90, recent_ms=330)
    surge["invocations"][-1][1] /= 6
    demand = measure(surge, NOW)
    assert demand.rate_growth == pytest.approx(9.0)
    assert not demand.is_slowness


def test_without_any_minute_of_late_there_is_no_measure():
    assert measure({}, NOW) is None
    assert measure({"invocations": minutes(60, 60, 20), "duration": minutes(100, 60, 20)}, NOW) is None


def test_a_function_without_a_past_has_nothing_to_compare_with():
    demand = measure({"invocations": minutes(600, 5), "duration": minutes(200, 5)}, NOW)
    assert demand == Demand(pytest.approx(2.0), None, None, None)
    assert not demand.is_slowness


def test_ten_second_work_tells_sooner_than_the_minutes():
    fast = {**series(), "work": [[NOW - 20, 400_000.0], [NOW - 300, 900_000.0]]}
    assert measure(fast, NOW).concurrency == pytest.approx(40.0)
    assert measure({"work": [[NOW - 20, 400_000.0]]}, NOW) == Demand(40.0, None, None, None)


def test_a_night_without_calls_is_no_past():
    quiet = {"invocations": minutes(0, 60, 11) + minutes(600, 5), "duration": minutes(1, 60, 11) + minutes(200, 5)}
    assert measure(quiet, NOW).rate_growth is None


@pytest.mark.parametrize(
    ("growth", "slowdown", "is_slowness"),
    [
        (1.0, 1.0, False),
        (9.0, 1.0, False),
        (9.0, 1.6, False),  # busy and a little slower: demand
        (1.0, 1.49, False),  # too little to tell
        (1.0, 1.5, True),
        (1.4, 1.6, True),
        (2.0, 1.9, False),
        (0.3, 2.0, True),  # less traffic never excuses slowness
        (None, 3.0, False),
        (3.0, None, False),
    ],
)
def test_growth_is_laid_to_slowness_when_calls_slowed_more_than_traffic_grew(growth, slowdown, is_slowness):
    assert Demand(10, 5, growth, slowdown).is_slowness is is_slowness


def alarmed(minute_60, minute_120):
    """An hour of ten calls a second at 200 ms, then the two newest minutes; the alarm came 8 s after the last."""
    calm = series()
    known = {key: [point for point in points if point[0] < NOW - 120] for key, points in calm.items()}
    for start, minute in ((NOW - 120, minute_120), (NOW - 60, minute_60)):
        for key, value in minute.items():
            known[key].append([start, value])
    return measure(known, NOW + 15, NOW + 8)


CALM = {"invocations": 600, "throttles": 0, "duration": 200.0}


@pytest.mark.parametrize(
    ("newest", "told"),
    [
        ({}, False),  # only minutes from before the alarm's are known, and nothing happened in them
        ({"invocations": 620}, False),  # as many calls as ever: are they slower?
        ({"throttles": 900}, False),
        ({"throttles": 900, "invocations": 600}, False),  # a limit that was met, by more calls or by slower ones
        ({"invocations": 600, "throttles": 1500}, True),  # traffic explains it
        ({"duration": 202.0}, True),  # not slower: it is demand
        ({"duration": 1600.0}, True),  # slower: it is not
        ({"duration": 260.0}, False),  # the last seconds of the minute may have been slow
        ({"duration": 260.0, "invocations": 3000}, True),
    ],
)
def test_an_alarms_minute_may_be_published_too_little_to_tell_demand_from_slowness(newest, told):
    assert alarmed(newest, CALM).is_told is told


def test_a_minute_that_was_throttled_at_the_usual_length_of_calls_tells_whatever_comes_later():
    assert alarmed({}, {**CALM, "throttles": 20}).is_told
    assert not alarmed({}, CALM).is_told


def test_ten_seconds_of_calls_tell_more_of_them_from_slower_ones():
    def fast(calls, ms):
        known = {**series(), "calls": [[NOW - 20, calls]], "work": [[NOW - 20, calls * ms]]}
        known = {
            key: [point for point in points if key in ("calls", "work") or point[0] < NOW - 60]
            for key, points in known.items()
        }
        return measure(known, NOW, NOW - 5)

    assert (fast(700, 200).is_told, fast(700, 200).is_slowness) == (True, False)
    assert (fast(100, 1600).is_told, fast(100, 1600).is_slowness) == (True, True)
    assert not fast(110, 270).is_told


RATIOS = st.floats(0.01, 100)


@given(RATIOS, RATIOS, st.floats(1, 10))
def test_slower_calls_never_turn_slowness_into_demand_and_more_traffic_never_the_reverse(growth, slowdown, more):
    if Demand(1, 1, growth, slowdown).is_slowness:
        assert Demand(1, 1, growth, slowdown * more).is_slowness
    else:
        assert not Demand(1, 1, growth * more, slowdown).is_slowness


@given(RATIOS)
def test_calls_that_are_not_slower_are_never_slowness(growth):
    assert not Demand(1, 1, growth, 1.0).is_slowness
