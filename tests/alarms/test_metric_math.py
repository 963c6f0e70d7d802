"""Metric math as CloudWatch computes it, its rules for missing datapoints above all."""

import timeit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alarms.metric_math import compile_expression, evaluate_expression, resolve
from alarms.spec import MetricQuery
from sereno.errors import InvalidInput

N = None


@pytest.mark.parametrize(
    ("expression", "result"),
    [
        # a = 1 - 3 -, b = 10 20 - -
        ("a + b", [11, 20, 3, N]),
        ("a - b", [-9, -20, 3, N]),
        ("a * b", [10, 0, 0, N]),
        ("b / a", [10, N, 0, N]),
        ("a > b", [0, 0, 1, N]),
        ("a == b", [0, 0, 0, N]),
        ("a != b", [1, 1, 1, N]),
        ("a <= b AND b >= 10", [1, 1, 0, N]),
        ("a >= 1 OR b >= 20", [1, 1, 1, N]),
        ("a >= 1 || b >= 20 && a > 7", [1, 0, 1, N]),
        ("AVG([a, b])", [5.5, 10, 1.5, N]),
        ("SUM([a, b])", [11, 20, 3, N]),
        ("MAX([a, b])", [10, 20, 3, N]),
        ("MIN([a, b])", [1, 20, 3, N]),
        ("SUM(METRICS())", [11, 20, 3, N]),
        ('SUM(METRICS("a"))', [1, N, 3, N]),
        ('SUM(METRICS("none"))', [N, N, N, N]),
        # A number has no datapoints of its own.
        ("a + 1", [2, N, 4, N]),
        ("1 - a", [0, N, -2, N]),
        ("a / 0", [N, N, N, N]),
        # IF: a missing condition gives nothing, a missing THEN 0, a missing ELSE nothing.
        ("IF(a, b, 5)", [10, N, 0, N]),
        ("IF(b > 15, a, 7)", [7, 0, N, N]),
        ("IF(b > 15, 7, a)", [1, 7, N, N]),
        ("IF(a > 1, b)", [N, N, 0, N]),
        ("IF(a > 1, 9)", [N, N, 9, N]),
        ("FILL(a, 0)", [1, 0, 3, 0]),
        ("FILL(a, b)", [1, 20, 3, N]),
        ("FILL(a, REPEAT)", [1, 1, 3, 3]),
        ("FILL(a, LINEAR)", [1, 2, 3, N]),
        ("DIFF(a)", [N, N, 2, N]),
        ("DIFF(b)", [N, 10, N, N]),
        ("RATE(a)", [N, N, 2 / 120, N]),
        ("a * PERIOD(a)", [60, N, 180, N]),
        ("ABS(0 - a)", [1, N, 3, N]),
        ("-a", [-1, N, -3, N]),
        ("--a", [1, N, 3, N]),
        ("CEIL(b / 3)", [4, 7, N, N]),
        ("FLOOR(b / 3)", [3, 6, N, N]),
        ("a * 2 + 1", [3, N, 7, N]),
        ("a * (2 + 1)", [3, N, 9, N]),
        ("a ^ 2", [1, N, 9, N]),
        ("10 - a - a", [8, N, 4, N]),
        ("a / MAX(b)", [0.05, N, 0.15, N]),
        ("a - AVG(a)", [-1, N, 1, N]),
        ("b * 1e1 + .5", [100.5, 200.5, N, N]),
    ],
)
def test_an_expression_over_series_with_gaps(expression, result):
    series = {"a": [1.0, N, 3.0, N], "b": [10.0, 20.0, N, N]}
    assert evaluate_expression(expression, series) == pytest.approx(result)


def test_without_traffic_the_share_of_errors_is_missing():
    ratio = "IF(errors >= 5, errors / requests, 0)"
    quiet, idle, bad = (0.0, 9.0), (N, N), (6.0, 12.0)
    errors, requests = zip(quiet, idle, bad, strict=True)
    series = {"errors": list(errors), "requests": list(requests)}
    assert evaluate_expression(ratio, series) == [0, N, 0.5]


@pytest.mark.parametrize(
    ("expression", "mend"),
    [
        ("", "position 0: the end"),
        ("a +", "position 3: the end: a value"),
        ("a $ b", r"position 2: \$: is no part"),
        ("SEARCH('x', 'Sum')", "position 0: SEARCH: is no function"),
        ("1 + STDDEV(a)", "position 4: STDDEV"),
        ("Errors / 2", "begin with a small letter"),
        ("(a", r"position 2: the end: \) is expected"),
        ("a b", "position 2: b: an operator or the end"),
        ("IF(a)", "position 4: .*, is expected"),
        ("FILL(a)", "position 6: .*, is expected"),
        ("DIFF(5)", "position 5: 5: is no series"),
        ("MAX(5)", "position 4: 5: is a number"),
        ("[a, b] + 1", "put them into SUM"),
        ("METRICS()", "several time series"),
        ("MAX(a)", "gives a number"),
        ("3", "gives a number"),
        ("(" * 61 + "a" + ")" * 61, "deeper than 60"),
    ],
)
def test_what_is_no_metric_math_is_refused_with_its_position(expression, mend):
    with pytest.raises(InvalidInput, match=mend):
        compile_expression(expression)


def test_unknown_ids_and_uneven_series_are_refused():
    with pytest.raises(InvalidInput, match="known ids are a"):
        evaluate_expression("a + c", {"a": [1.0]})
    with pytest.raises(InvalidInput, match="lengths differ"):
        evaluate_expression("a + b", {"a": [1.0], "b": [1.0, 2.0]})


def stat(name):
    return MetricQuery(name, None, "Shop", name, period=60, stat="Sum", return_data=False)


class TestQueries:
    def test_expressions_build_on_each_other(self):
        queries = (
            stat("duration"),
            MetricQuery("demand", "duration / 60000", return_data=False),
            MetricQuery("forecast", "demand + 10 * DIFF(demand)"),
        )
        assert resolve(queries, {"duration": [60_000.0, 120_000.0, N, 120_000.0]}) == [1, 12, N, 2]

    def test_metrics_means_the_metrics_and_no_expressions(self):
        queries = (
            stat("a"),
            stat("b"),
            MetricQuery("doubled", "a * 2", return_data=False),
            MetricQuery("all", "SUM(METRICS())"),
        )
        assert resolve(queries, {"a": [1.0], "b": [2.0]}) == [3]

    def test_a_metric_may_be_returned_as_it_is(self):
        query = MetricQuery("m", None, "Shop", "Busy", period=60, stat="Sum")
        assert resolve((query,), {"m": [1.0, N]}) == [1, N]

    def test_a_circle_and_what_is_not_given_are_refused(self):
        with pytest.raises(InvalidInput, match="f -> g -> f"):
            resolve((stat("a"), MetricQuery("f", "g + a"), MetricQuery("g", "f", return_data=False)), {"a": [1.0]})
        with pytest.raises(InvalidInput, match="gone"):
            resolve((stat("a"), MetricQuery("f", "gone + a")), {"a": [1.0]})
        with pytest.raises(InvalidInput, match="has no series"):
            resolve((stat("a"), MetricQuery("f", "a")), {})
        with pytest.raises(InvalidInput, match="no query returns"):
            resolve((stat("a"),), {"a": [1.0]})


SERIES = st.lists(st.none() | st.floats(-1e6, 1e6), min_size=1, max_size=12)


@given(SERIES)
def test_filled_series_have_no_gap_and_keep_their_datapoints(values):
    filled = evaluate_expression("FILL(m, 7)", {"m": values})
    assert filled == [7 if value is None else value for value in values]


@given(SERIES)
def test_differences_add_up_to_the_way_from_first_to_last(values):
    real = [value for value in values if value is not None]
    differences = [value for value in evaluate_expression("DIFF(m)", {"m": values}) if value is not None]
    assert len(differences) == max(0, len(real) - 1)
    if real:
        assert real[0] + sum(differences) == pytest.approx(real[-1], abs=1e-6)


@given(SERIES)
def test_the_line_never_leaves_what_it_joins(values):
    real = [value for value in values if value is not None]
    line = [value for value in evaluate_expression("FILL(m, LINEAR)", {"m": values}) if value is not None]
    assert all(min(real) - 1e-6 <= value <= max(real) + 1e-6 for value in line)


def test_an_expression_is_read_once_and_then_costs_microseconds():
    assert compile_expression("a + 10 * DIFF(a)") is compile_expression("a + 10 * DIFF(a)")
    series = {"a": [float(i) for i in range(5)]}
    once = min(timeit.repeat(lambda: evaluate_expression("a + 10 * DIFF(a)", series), number=500, repeat=3)) / 500
    assert once < 200e-6
