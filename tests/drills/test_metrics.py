"""The metric store answers as CloudWatch would at a given moment."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drills.metrics import Histogram, MetricStore

T = 1_764_000_000 - 1_764_000_000 % 3600
READ = {"FunctionName": "techmoda-read"}


def put(store, minute, total, *, count=1.0, late=0.0, resolution=60, low=None, high=None, histogram=None):
    start = T + minute * resolution
    store.put(
        "AWS/Lambda",
        "Throttles",
        READ,
        start,
        resolution,
        visible_at=start + resolution + late,
        total=total,
        count=count,
        minimum=total if low is None else low,
        maximum=total if high is None else high,
        histogram=histogram,
    )


def read(store, stat, period, start, end, now=T + 10**6):
    return store.read("AWS/Lambda", "Throttles", READ, stat, period, T + start, T + end, now)


def test_a_minute_without_data_is_none_and_zero_is_data():
    store = MetricStore()
    put(store, 0, 0.0)
    put(store, 2, 5.0)
    assert read(store, "Sum", 60, 0, 240) == [0.0, None, 5.0, None]


def test_a_metric_that_nobody_published_has_no_data():
    assert MetricStore().read("AWS/Lambda", "Errors", {}, "Sum", 60, T, T + 180, T) == [None] * 3


def test_a_datapoint_is_invisible_before_its_moment():
    store = MetricStore()
    put(store, 0, 1.0, late=40)
    assert read(store, "Sum", 60, 0, 60, now=T + 99) == [None]
    assert read(store, "Sum", 60, 0, 60, now=T + 100) == [1.0]


def test_an_invisible_minute_does_not_count_in_a_longer_period():
    store = MetricStore()
    put(store, 0, 1.0)
    put(store, 1, 10.0, late=70)
    assert read(store, "Sum", 120, 0, 120, now=T + 130) == [1.0]
    assert read(store, "Sum", 120, 0, 120, now=T + 190) == [11.0]


def test_a_five_minute_period_slides_with_the_minutes():
    store = MetricStore()
    for minute in range(12):
        put(store, minute, float(minute))
    assert read(store, "Sum", 300, 60, 660) == [1 + 2 + 3 + 4 + 5, 6 + 7 + 8 + 9 + 10]


def test_statistics_of_a_longer_period_come_from_the_statistic_sets():
    store = MetricStore()
    put(store, 0, 30.0, count=3, low=5, high=20)
    put(store, 1, 70.0, count=1, low=70, high=70)
    got = {stat: read(store, stat, 120, 0, 120) for stat in ("Sum", "SampleCount", "Average", "Minimum", "Maximum")}
    assert got == {"Sum": [100], "SampleCount": [4], "Average": [25], "Minimum": [5], "Maximum": [70]}


def test_what_is_sent_twice_for_a_minute_adds_up():
    store = MetricStore()
    put(store, 0, 2.0)
    put(store, 0, 3.0, late=9)
    assert read(store, "Sum", 60, 0, 60, now=T + 68) == [None]
    assert read(store, "Sum", 60, 0, 60, now=T + 69) == [5.0]


def test_data_from_before_the_first_put_is_taken_too():
    store = MetricStore()
    put(store, 9, 9.0)
    put(store, 7, 7.0)
    assert read(store, "Sum", 60, 360, 660) == [None, 7.0, None, 9.0, None]


def test_ten_seconds_add_up_to_a_minute():
    store = MetricStore()
    for slot in range(6):
        put(store, slot, 1.0, resolution=10)
    assert read(store, "Sum", 10, 0, 60) == [1.0] * 6
    assert read(store, "Sum", 30, 10, 70) == [3.0, 2.0]
    assert read(store, "Sum", 60, 0, 60) == [6.0]


def test_a_minutely_metric_read_each_ten_seconds_is_mostly_missing():
    store = MetricStore()
    put(store, 1, 4.0)
    assert read(store, "Sum", 10, 0, 120) == [None] * 6 + [4.0] + [None] * 5


@pytest.mark.parametrize(
    ("stat", "period", "start", "end"),
    [("Median", 60, 0, 60), ("Sum", 90, 0, 90), ("Sum", 60, 30, 90), ("Sum", 60, 0, 90)],
)
def test_a_question_that_has_no_answer_is_refused(stat, period, start, end):
    store = MetricStore()
    put(store, 0, 1.0)
    with pytest.raises(ValueError, match=r"statistic|multiple|between|whole number"):
        read(store, stat, period, start, end)


def test_a_slot_off_the_resolution_is_refused():
    store = MetricStore()
    with pytest.raises(ValueError, match="multiple of the resolution"):
        store.put("N", "M", {}, T + 30, 60, visible_at=T, total=1, count=1, minimum=1, maximum=1)


def test_a_statistic_set_without_histogram_has_a_percentile_only_when_all_samples_agree():
    store = MetricStore()
    put(store, 0, 30.0, count=3, low=10, high=10)
    put(store, 1, 30.0, count=3, low=5, high=15)
    assert read(store, "p99", 60, 0, 120) == [10.0, None]


@settings(deadline=None, max_examples=50)
@given(
    st.integers(0, 2**32 - 1),
    st.floats(1, 9, allow_nan=False),
    st.floats(0.1, 1.5),
    st.sampled_from([50.0, 90.0, 95.0, 99.0, 99.9]),
)
def test_percentiles_are_within_one_percent_of_the_samples(seed, log_mean, sigma, percent):
    samples = np.maximum(np.random.default_rng(seed).lognormal(log_mean, sigma, 3000), 0.2)
    samples = np.minimum(samples, 300_000)
    histogram = Histogram()
    histogram.add(samples[:1000])
    histogram.add(samples[1000:])
    true = float(np.sort(samples)[math.ceil(percent / 100 * 3000) - 1])
    assert histogram.percentile(percent) == pytest.approx(true, rel=0.01)


def test_percentiles_join_the_minutes_of_a_period():
    store = MetricStore()
    for minute, value in ((0, 100.0), (1, 900.0)):
        histogram = Histogram()
        histogram.add_many(value, 50)
        put(store, minute, value * 50, count=50, low=value, high=value, histogram=histogram)
    assert read(store, "p99", 60, 0, 120) == pytest.approx([100, 900], rel=0.01)
    assert read(store, "p40", 120, 0, 120) == pytest.approx([100], rel=0.01)
    assert read(store, "p90", 120, 0, 120) == pytest.approx([900], rel=0.01)


def test_samples_are_counted_for_each_period():
    store = MetricStore()
    put(store, 0, 30.0, count=3)
    assert store.samples("AWS/Lambda", "Throttles", READ, 60, T, T + 120, T + 999) == [3, 0]
