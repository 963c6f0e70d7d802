"""The evaluator answers as CloudWatch does: M out of N, and above all with datapoints missing."""

import time
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alarms.evaluator import (
    evaluate,
    evaluation_range,
    low_sample_minimum,
    states,
    timeline,
)
from alarms.spec import AlarmSpec, MetricQuery
from alarms.wording import REASON_LIMIT, number
from sereno.errors import InvalidInput

TREATMENTS = ("missing", "ignore", "breaching", "notBreaching")
KEEP = "the state before"


def alarm(m=3, n=3, treat="missing", **changed):
    fields = {
        "name": "shop/read/busy",
        "namespace": "Shop",
        "metric_name": "Busy",
        "statistic": "Average",
        "period": 60,
        "evaluation_periods": n,
        "datapoints_to_alarm": m,
        "threshold": 50.0,
        "comparison_operator": "GreaterThanThreshold",
        "treat_missing_data": treat,
    }
    return AlarmSpec(**(fields | changed))


def points(drawn):
    """`0` a good datapoint, `X` a breaching one, `-` a missing one; oldest first."""
    return [{"0": 10.0, "X": 90.0, "-": None}[mark] for mark in drawn.replace(" ", "")]


# The tables of "Configuring how CloudWatch alarms treat missing data", and the cases its prose adds.
PRINTED = [
    # M, range, missing, ignore, breaching, notBreaching
    (3, "0 - X - X", "OK", "OK", "OK", "OK"),
    (3, "0 - - - -", "OK", "OK", "OK", "OK"),
    (3, "- - - - -", "INSUFFICIENT_DATA", KEEP, "ALARM", "OK"),
    (3, "0 X X - X", "ALARM", "ALARM", "ALARM", "ALARM"),
    (3, "- - X - -", "ALARM", KEEP, "ALARM", "OK"),
    (2, "0 - X - X", "ALARM", "ALARM", "ALARM", "ALARM"),
    (2, "0 0 X 0 X", "ALARM", "ALARM", "ALARM", "ALARM"),
    (2, "0 - X - -", "OK", "OK", "ALARM", "OK"),
    (2, "- - - - 0", "OK", "OK", "ALARM", "OK"),
    (2, "- - - X -", "ALARM", KEEP, "ALARM", "OK"),
    # The premature alarm: the oldest breaching datapoint must be M periods old and nothing good in the range.
    (3, "- - X X -", "ALARM", KEEP, "ALARM", "OK"),
    (3, "- X - - -", "ALARM", KEEP, "ALARM", "OK"),
    (3, "0 - - X -", "OK", "OK", "OK", "OK"),
    # With at least N real datapoints TreatMissingData is not used at all.
    (3, "X X X - -", "ALARM", "ALARM", "ALARM", "ALARM"),
    (3, "X X 0 - -", "OK", "OK", "OK", "OK"),
    (3, "X X 0 0 0", "OK", "OK", "OK", "OK"),
]


@pytest.mark.parametrize("previous", ["OK", "ALARM"])
@pytest.mark.parametrize("treat", TREATMENTS)
@pytest.mark.parametrize("row", PRINTED, ids=lambda row: f"{row[0]}of3 {row[1]}")
def test_the_tables_that_aws_prints(row, treat, previous):
    m, drawn, *answers = row
    # "0 - X - X" at 3 of 3 and its likes hold whatever the state before; only `ignore` may keep it.
    expected = dict(zip(TREATMENTS, answers, strict=True))[treat]
    state = evaluate(alarm(m, treat=treat), points(drawn), previous).state
    assert state == (previous if expected == KEEP else expected)


@pytest.mark.parametrize("drawn", ["- - - X -", "- - - - X"])
def test_a_young_breaching_datapoint_alone_is_no_alarm(drawn):
    for previous in ("OK", "INSUFFICIENT_DATA", "ALARM"):
        assert evaluate(alarm(3), points(drawn), previous).state != "ALARM"
    assert evaluate(alarm(3), points(drawn), "OK").state == "OK"


def test_a_single_good_datapoint_keeps_an_alarm_out_of_insufficient_data_until_it_leaves_the_range():
    changes = timeline(alarm(3), points("0 - - - - -"), range_size=5)
    assert [(change.index, change.evaluation.state) for change in changes] == [(5, "INSUFFICIENT_DATA")]


def test_zero_is_a_datapoint():
    below = alarm(1, 1, "breaching", comparison_operator="LessThanThreshold", threshold=0.0)
    assert evaluate(below, [0.0]).state == "OK"


@pytest.mark.parametrize(
    ("operator", "breaches"),
    [
        ("GreaterThanThreshold", (False, False, True)),
        ("GreaterThanOrEqualToThreshold", (False, True, True)),
        ("LessThanThreshold", (True, False, False)),
        ("LessThanOrEqualToThreshold", (True, True, False)),
    ],
)
def test_the_statistic_is_the_first_operand(operator, breaches):
    spec = alarm(1, 1, comparison_operator=operator)
    assert tuple(evaluate(spec, [value]).state == "ALARM" for value in (49.0, 50.0, 51.0)) == breaches


def test_breaching_datapoints_need_not_be_adjacent():
    assert evaluate(alarm(2, 4), points("X 0 0 X")).state == "ALARM"
    assert evaluate(alarm(3, 4), points("X 0 0 X")).state == "OK"


def test_a_list_shorter_than_n_is_missing_before_its_begin():
    assert evaluate(alarm(3, treat="breaching"), []).state == "ALARM"
    assert evaluate(alarm(3, treat="notBreaching"), points("X")).state == "OK"


class TestDynamoDb:
    def table(self, treat):
        return alarm(
            1,
            1,
            treat,
            namespace="AWS/DynamoDB",
            metric_name="ReadThrottleEvents",
            dimensions=(("TableName", "items"),),
        )

    def test_alarms_ignore_missing_data_where_nothing_is_said(self):
        assert evaluate(self.table(None), points("- - -"), "ALARM").state == "ALARM"

    def test_what_is_said_counts_by_the_newer_documentation_only(self):
        spec = self.table("notBreaching")
        assert evaluate(spec, points("- - -"), "ALARM").state == "OK"
        assert evaluate(spec, points("- - -"), "ALARM", dynamodb_always_ignores=True).state == "ALARM"

    def test_a_table_read_by_an_expression_counts_as_well(self):
        query = MetricQuery("t", None, "AWS/DynamoDB", "ThrottledRequests", period=60, stat="Sum", return_data=False)
        spec = AlarmSpec(
            name="shop/items/throttles",
            metrics=(query, MetricQuery("doubled", "t * 2")),
            evaluation_periods=1,
            threshold=0,
            comparison_operator="GreaterThanThreshold",
        )
        assert evaluate(spec, [None], "ALARM").state == "ALARM"


class TestPercentiles:
    spec = alarm(
        2,
        2,
        "notBreaching",
        statistic=None,
        extended_statistic="p99",
        evaluate_low_sample_count_percentile="ignore",
    )

    @pytest.mark.parametrize(
        ("statistic", "samples"),
        [("p99", 1000), ("p95", 200), ("p90", 100), ("p50", 20), ("p10", 100), ("tm99", 0), ("p100", 0), ("IQM", 0)],
    )
    def test_the_samples_a_percentile_needs(self, statistic, samples):
        assert low_sample_minimum(statistic) == samples

    def test_the_state_is_kept_while_samples_are_few(self):
        kept = evaluate(self.spec, points("X X"), "OK", samples=[5000, 999])
        assert (kept.state, kept.kept) == ("OK", True)
        assert evaluate(self.spec, points("X X"), "OK", samples=[5000, 1000]).state == "ALARM"

    def test_only_the_deciding_datapoints_count(self):
        assert evaluate(self.spec, points("0 X X"), "OK", samples=[3, 1000, 1000]).state == "ALARM"

    def test_a_timeline_heeds_them_too(self):
        changes = timeline(self.spec, points("X X X"), samples=[10, 1000, 1000])
        assert [(change.index, change.evaluation.state) for change in changes] == [(2, "ALARM")]

    def test_counts_that_are_missing_or_do_not_match_are_refused(self):
        with pytest.raises(InvalidInput, match="sample counts"):
            evaluate(self.spec, points("X X"))
        with pytest.raises(InvalidInput, match="2 datapoints"):
            evaluate(self.spec, points("X X"), samples=[1000])


class TestReasons:
    at = datetime(2026, 11, 24, 9, 30, tzinfo=UTC)

    def test_an_alarm(self):
        assert evaluate(alarm(1, 1), [99.5], at=self.at).reason == (
            "Threshold Crossed: 1 out of the last 1 datapoints [99.5 (24/11/26 09:30:00)] was greater than the "
            "threshold (50.0) (minimum 1 datapoint for OK -> ALARM transition)."
        )

    def test_a_recovery_names_how_many_good_ones_it_took(self):
        assert evaluate(alarm(2, 3), points("X 0 0"), "ALARM", at=self.at).reason == (
            "Threshold Crossed: 2 out of the last 3 datapoints [10.0 (24/11/26 09:30:00), 10.0 (24/11/26 09:29:00)] "
            "were not greater than the threshold (50.0) (minimum 2 datapoints for ALARM -> OK transition)."
        )

    def test_missing_datapoints(self):
        assert evaluate(alarm(2, 2, "breaching"), [None, None]).reason == (
            "Threshold Crossed: no datapoints were received for 2 periods and 2 missing datapoints were treated as "
            "[Breaching]."
        )
        assert evaluate(alarm(1, 1, "notBreaching"), [None]).reason == (
            "Threshold Crossed: no datapoints were received for 1 period and 1 missing datapoint was treated as "
            "[NonBreaching]."
        )
        assert evaluate(alarm(2, 3, "breaching"), points("- - X")).reason == (
            "Threshold Crossed: 1 datapoint was received for 3 periods and 2 missing datapoints were treated as "
            "[Breaching]."
        )

    def test_no_data(self):
        assert evaluate(alarm(2, 2), [None, None]).reason == "Insufficient Data: 2 datapoints were unknown."

    @pytest.mark.parametrize(
        ("value", "printed"),
        [(50, "50.0"), (0.0005, "5.0E-4"), (12_345_678.0, "1.2345678E7"), (-2e10, "-2.0E10"), (0, "0.0")],
    )
    def test_numbers_as_java_prints_them(self, value, printed):
        assert number(value) == printed

    def test_a_reason_fits_cloudwatchs_field(self):
        day = alarm(1440, 1440, threshold=1e-9)
        assert len(evaluate(day, [1 / 3] * 1440, at=self.at).reason) <= REASON_LIMIT


def test_the_evaluation_tells_what_it_rested_on():
    found = evaluate(alarm(2, 3, "breaching"), points("0 - X - -"))
    assert (found.evaluated, found.breaching, found.filled, found.kept) == ((90.0, 10.0), 1, 1, False)


def test_the_printed_range_of_three_periods_is_five():
    assert evaluation_range(3) == 5
    assert evaluation_range(1) == 3


def test_an_anomaly_alarm_is_refused():
    spec = AlarmSpec(
        name="shop/read/odd",
        metrics=(
            MetricQuery("m", None, "Shop", "Busy", period=60, stat="Average"),
            MetricQuery("band", "ANOMALY_DETECTION_BAND(m, 2)"),
        ),
        threshold_metric_id="band",
        evaluation_periods=1,
        comparison_operator="GreaterThanUpperThreshold",
    )
    with pytest.raises(InvalidInput, match="band is a model"):
        evaluate(spec, [1.0])


def test_a_range_smaller_than_n_and_an_unknown_state_are_refused():
    with pytest.raises(InvalidInput, match="range_size"):
        timeline(alarm(3), [1.0], range_size=2)
    with pytest.raises(InvalidInput, match="previous"):
        evaluate(alarm(3), [1.0], "FINE")


# Properties ----------------------------------------------------------------------------------------------------

POINT = st.sampled_from([10.0, 90.0, None])
REAL = st.sampled_from([10.0, 90.0])
STATE = st.sampled_from(["OK", "ALARM", "INSUFFICIENT_DATA"])
M_OF_N = st.integers(1, 6).flatmap(lambda n: st.tuples(st.integers(1, n), st.just(n)))


@given(M_OF_N, st.sampled_from(TREATMENTS), st.data(), STATE)
def test_older_datapoints_never_matter_when_the_newest_n_are_real(m_of_n, treat, data, previous):
    m, n = m_of_n
    newest = data.draw(st.lists(REAL, min_size=n, max_size=n))
    older = data.draw(st.lists(POINT, max_size=5))
    expected = "ALARM" if newest.count(90.0) >= m else "OK"
    assert evaluate(alarm(m, n, treat), older + newest, previous).state == expected


@given(M_OF_N, st.sampled_from(TREATMENTS), st.lists(POINT, min_size=1, max_size=9), st.data(), STATE)
def test_a_datapoint_turned_breaching_never_ends_an_alarm(m_of_n, treat, series, data, previous):
    spec = alarm(*m_of_n, treat)
    place = data.draw(st.integers(0, len(series) - 1))
    if series[place] is None or evaluate(spec, series, previous).state != "ALARM":
        return
    worse = [90.0 if at == place else value for at, value in enumerate(series)]
    assert evaluate(spec, worse, previous).state == "ALARM"


@given(M_OF_N, st.lists(POINT, max_size=9), STATE)
def test_not_breaching_is_the_calmest_reading_and_breaching_the_most_anxious(m_of_n, series, previous):
    alarms = [evaluate(alarm(*m_of_n, treat), series, previous).state == "ALARM" for treat in TREATMENTS]
    missing, ignore, breaching, not_breaching = alarms
    assert not_breaching <= missing <= breaching
    assert not_breaching <= ignore


@given(M_OF_N, st.sampled_from(TREATMENTS), st.lists(POINT, max_size=30), STATE)
def test_a_timeline_is_the_evaluator_applied_period_by_period(m_of_n, treat, series, previous):
    spec = alarm(*m_of_n, treat)
    size = evaluation_range(spec.evaluation_periods)
    state, expected = previous, []
    for index in range(len(series)):
        state = evaluate(spec, series[max(0, index + 1 - size) : index + 1], state).state
        expected.append(state)
    assert list(states(spec, series, previous=previous)) == expected
    changes = {change.index: change.evaluation.state for change in timeline(spec, series, previous=previous)}
    before = [previous, *expected]
    assert changes == {i: new for i, new in enumerate(expected) if new != before[i]}


@given(st.floats(-1e9, 1e9))
def test_a_reason_prints_the_number_without_loss(value):
    printed = number(value)
    assert float(printed.replace("E", "e")) == value


def test_a_day_of_minutes_is_evaluated_in_far_less_than_a_tenth_of_a_second():
    spec = alarm(3, 5, "missing")
    day = [None if i % 7 == 0 else float(i * 37 % 100) for i in range(1440)]
    best = min(_seconds(lambda: timeline(spec, day)) for _ in range(3))
    assert best < 0.1


def _seconds(work):
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun
