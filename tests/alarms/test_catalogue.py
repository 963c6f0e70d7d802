"""The linter finds alarms that CloudWatch takes and that then stay silent."""

import pytest

from alarms.catalogue import check, check_all, known, metrics
from alarms.spec import AlarmSpec, CompositeSpec, MetricQuery


def alarm(namespace="AWS/Lambda", metric="Errors", where=("FunctionName",), **changed):
    fields = {
        "name": "shop/read/watched",
        "namespace": namespace,
        "metric_name": metric,
        "dimensions": tuple((name, "x") for name in where),
        "statistic": "Sum",
        "period": 60,
        "evaluation_periods": 1,
        "threshold": 1.0,
        "comparison_operator": "GreaterThanOrEqualToThreshold",
        "treat_missing_data": "notBreaching",
    }
    return AlarmSpec(**(fields | changed))


def test_a_sound_alarm_has_no_problem():
    assert check(alarm()) == []
    assert check(alarm("AWS/DynamoDB", "ReadThrottleEvents", ("TableName",))) == []


def test_the_applications_own_metrics_are_not_judged_by_their_dimensions():
    assert check(alarm("Shop", "Carts", ("Anything",))) == []


@pytest.mark.parametrize(
    ("made", "place", "mend"),
    [
        (alarm(where=()), None, None),
        (alarm(where=("QueueName",)), "dimensions", "never have data"),
        (alarm(metric="UnreservedConcurrentExecutions", statistic="Maximum"), "dimensions", "account only"),
        (alarm("AWS/DynamoDB", "ThrottledRequests", ("TableName",)), "dimensions", "Operation+TableName"),
        (alarm("AWS/ApiGateway", "5XXError", ("ApiId",)), "dimensions", "ApiName"),
        (alarm("AWS/ApiGateway", "5xx", ("ApiName", "Stage")), "dimensions", "HTTP APIs only"),
        (alarm(metric="Mistakes"), "metric Mistakes", "no such metric"),
        (alarm(metric="ConcurrentExecutions"), "statistic", "use Maximum"),
        (alarm(statistic=None, extended_statistic="p99"), "statistic", "has no sense"),
        (alarm(unit="Count"), "unit", "leave it out"),
        (alarm(period=10), "period", "every 60 s"),
        (
            alarm("AWS/DynamoDB", "ProvisionedReadCapacityUnits", ("TableName",), statistic="Average"),
            "period",
            "every 300 s",
        ),
        (alarm(treat_missing_data=None), "treat_missing_data", "say what"),
        (alarm(evaluate_low_sample_count_percentile="ignore"), "evaluate_low", "percentiles only"),
        (
            alarm("AWS/ApiGateway", "5XXError", ("ApiName", "Stage"), statistic="Average", threshold=5.0),
            "threshold",
            "at most 1",
        ),
    ],
)
def test_what_would_never_fire_is_found(made, place, mend):
    found = check(made)
    if place is None:
        assert found == []
        return
    assert len(found) == 1
    assert place in found[0].path
    assert mend in str(found[0])


def ratio(expression):
    query = MetricQuery("e", None, "AWS/Lambda", "Errors", (("FunctionName", "x"),), 60, "Sum", return_data=False)
    return AlarmSpec(
        name="shop/read/errors",
        metrics=(query, MetricQuery("ratio", expression)),
        evaluation_periods=1,
        threshold=1.0,
        comparison_operator="GreaterThanThreshold",
        treat_missing_data="notBreaching",
    )


@pytest.mark.parametrize(
    ("expression", "mend"),
    [
        ("e / requests", "is no id of this alarm"),
        ("e / SUM(e)", "SUM of a single series"),
        ("STDDEV(e)", "no function"),
    ],
)
def test_expressions_are_read(expression, mend):
    assert mend in str(check(ratio(expression))[0])
    assert check(ratio("e * 2")) == []


def test_names_and_children_are_checked_across_all_alarms():
    composite = CompositeSpec(name="shop/shop/hurt", rule='ALARM("shop/read/watched") OR ALARM("shop/gone/x")')
    found = [str(problem) for problem in check_all((alarm(), alarm(), composite))]
    assert len(found) == 2
    assert "stands twice" in found[0]
    assert "shop/gone/x" in found[1]


def test_the_data_itself_is_sound():
    for metric in metrics().values():
        assert metric.dimensions
        assert metric.statistics
        assert metric.idle in ("none", "zero", "nonzero", "steady")
        assert metric.period in (10, 60, 300)
    assert known("Sereno/shop", "DemandMs").period == 10
    assert known("Sereno/shop", "Nothing") is None
