"""An alarm keeps everything on its way to CloudWatch and back, and is refused with all its faults at once."""

import pytest

from alarms.spec import AlarmSpec, CompositeSpec, MetricQuery, dimensions
from sereno.errors import InvalidInput

THROTTLES = {
    "AlarmName": "shop/read/throttles",
    "AlarmDescription": "Requests are turned away.\nRunbook: https://wiki.example/runbook#throttles",
    "ActionsEnabled": True,
    "AlarmActions": ["arn:aws:sns:eu-west-1:123456789012:page"],
    "Namespace": "AWS/Lambda",
    "MetricName": "Throttles",
    "Dimensions": [{"Name": "FunctionName", "Value": "shop-read"}],
    "Statistic": "Sum",
    "Period": 60,
    "EvaluationPeriods": 3,
    "DatapointsToAlarm": 2,
    "Threshold": 0.0,
    "ComparisonOperator": "GreaterThanThreshold",
    "TreatMissingData": "notBreaching",
    "Tags": [{"Key": "team", "Value": "shop"}, {"Key": "sereno:severity", "Value": "page"}],
}

RATIO = {
    "AlarmName": "shop/web/5xx",
    "ActionsEnabled": False,
    "EvaluationPeriods": 1,
    "Threshold": 0.01,
    "ComparisonOperator": "GreaterThanOrEqualToThreshold",
    "Metrics": [
        {"Id": "ratio", "Expression": "IF(e >= 5, e / r, 0)", "Label": "share failed", "ReturnData": True},
        *(
            {
                "Id": name,
                "MetricStat": {
                    "Metric": {
                        "Namespace": "AWS/ApiGateway",
                        "MetricName": metric,
                        "Dimensions": [{"Name": "ApiName", "Value": "web"}, {"Name": "Stage", "Value": "prod"}],
                    },
                    "Period": 60,
                    "Stat": "Sum",
                },
                "ReturnData": False,
            }
            for name, metric in (("e", "5XXError"), ("r", "Count"))
        ),
    ],
}

HURT = {
    "AlarmName": "shop/shop/customers-hurt",
    "AlarmRule": 'ALARM("shop/web/5xx") OR ALARM("shop/read/throttles")',
    "ActionsEnabled": True,
    "ActionsSuppressor": "shop/maintenance",
    "ActionsSuppressorWaitPeriod": 60,
    "ActionsSuppressorExtensionPeriod": 0,
    "OKActions": ["arn:aws:sns:eu-west-1:123456789012:page"],
}


def spec(**changed):
    fields = {
        "name": "shop/read/throttles",
        "namespace": "AWS/Lambda",
        "metric_name": "Throttles",
        "statistic": "Sum",
        "period": 60,
        "evaluation_periods": 3,
        "threshold": 0.0,
        "comparison_operator": "GreaterThanThreshold",
    }
    return AlarmSpec(**(fields | changed))


def stat(name, **changed):
    fields = {
        "namespace": "AWS/Lambda",
        "metric_name": "Errors",
        "period": 60,
        "stat": "Sum",
        "return_data": False,
    }
    return MetricQuery(name, **(fields | changed))


def math_alarm(*queries, **changed):
    fields = {
        "name": "shop/read/errors",
        "metrics": queries,
        "evaluation_periods": 1,
        "threshold": 1.0,
        "comparison_operator": "GreaterThanThreshold",
    }
    return AlarmSpec(**(fields | changed))


@pytest.mark.parametrize("kwargs", [THROTTLES, RATIO], ids=["one metric", "an expression"])
def test_a_metric_alarm_comes_back_as_it_was_sent(kwargs):
    assert AlarmSpec.from_api(kwargs).to_api() == kwargs
    again = AlarmSpec.from_api(AlarmSpec.from_api(kwargs).to_api())
    assert again == AlarmSpec.from_api(kwargs)


def test_a_composite_alarm_comes_back_as_it_was_sent():
    assert CompositeSpec.from_api(HURT).to_api() == HURT
    assert CompositeSpec.from_api(HURT).to_cloudformation() == HURT


def test_what_and_target_are_read_from_the_name_and_the_rest_from_tags_and_description():
    alarm = AlarmSpec.from_api(THROTTLES)
    assert (alarm.what, alarm.target, alarm.severity) == ("throttles", "read", "page")
    assert alarm.runbook == "https://wiki.example/runbook#throttles"
    assert alarm.description == "Requests are turned away."
    assert alarm.tags == (("team", "shop"),)


def test_an_alarm_that_people_named_keeps_its_what_in_a_tag():
    alarm = spec(name="Lambda read too busy", what="saturation", target="read")
    sent = alarm.to_api()
    assert {"Key": "sereno:what", "Value": "saturation"} in sent["Tags"]
    assert AlarmSpec.from_api(sent) == alarm


def test_the_state_that_describe_alarms_adds_is_not_part_of_the_alarm():
    described = THROTTLES | {"StateValue": "ALARM", "AlarmArn": "arn:aws:cloudwatch:...", "StateReason": "..."}
    assert AlarmSpec.from_api(described) == AlarmSpec.from_api(THROTTLES)


def test_a_field_that_would_be_lost_is_refused():
    with pytest.raises(InvalidInput, match="EvaluationCriteria"):
        AlarmSpec.from_api(THROTTLES | {"EvaluationCriteria": {}})


def test_m_is_n_where_it_is_left_out():
    assert spec().points_needed == 3
    assert spec(datapoints_to_alarm=2).points_needed == 2


def test_dimensions_have_no_order():
    assert dimensions({"Stage": "prod", "ApiName": "web"}) == (("ApiName", "web"), ("Stage", "prod"))
    one = spec(dimensions=(("b", "2"), ("a", "1")))
    assert one == spec(dimensions=(("a", "1"), ("b", "2")))


def test_an_hour_may_be_watched_for_a_week_but_a_minute_only_for_a_day():
    assert spec(period=3600, evaluation_periods=168).evaluation_periods == 168
    assert spec(period=60, evaluation_periods=1440).evaluation_periods == 1440


def test_an_anomaly_alarm_compares_with_its_band():
    band = MetricQuery("band", "ANOMALY_DETECTION_BAND(m, 2)")
    alarm = math_alarm(
        stat("m", return_data=True),
        band,
        threshold=None,
        threshold_metric_id="band",
        comparison_operator="GreaterThanUpperThreshold",
    )
    assert AlarmSpec.from_api(alarm.to_api()) == alarm


EXPRESSION = MetricQuery("e", "m * 2")


@pytest.mark.parametrize(
    ("make", "place"),
    [
        (lambda: spec(statistic="Sum", extended_statistic="p99"), "statistic"),
        (lambda: spec(statistic=None), "statistic"),
        (lambda: spec(statistic="Median"), "statistic"),
        (lambda: spec(statistic=None, extended_statistic="p999x"), "extended_statistic"),
        (lambda: spec(namespace=None), "namespace"),
        (lambda: spec(period=45), "period"),
        (lambda: spec(period=90), "period"),
        (lambda: spec(period=60, evaluation_periods=1441), "evaluation_periods"),
        (lambda: spec(period=3600, evaluation_periods=169), "evaluation_periods"),
        (lambda: spec(evaluation_periods=0), "evaluation_periods"),
        (lambda: spec(datapoints_to_alarm=4), "datapoints_to_alarm"),
        (lambda: spec(datapoints_to_alarm=0), "datapoints_to_alarm"),
        (lambda: spec(comparison_operator=">"), "comparison_operator"),
        (lambda: spec(threshold=None), "threshold"),
        (lambda: spec(threshold=float("nan")), "threshold"),
        (lambda: spec(threshold=2.0**361), "threshold"),
        (lambda: spec(treat_missing_data="notbreaching"), "treat_missing_data"),
        (lambda: spec(evaluate_low_sample_count_percentile="no"), "evaluate_low_sample_count_percentile"),
        (lambda: spec(name=""), "name"),
        (lambda: spec(name="a" * 256), "name"),
        (lambda: spec(description="a" * 1000, runbook="https://wiki.example/long"), "description"),
        (lambda: spec(alarm_actions=tuple(f"arn:{i}" for i in range(6))), "alarm_actions"),
        (lambda: spec(severity="urgent"), "severity"),
        (lambda: spec(dimensions=(("FunctionName", ""),)), "dimensions"),
        (lambda: spec(metrics=(stat("m", return_data=True),)), "metric_name"),
        (lambda: math_alarm(stat("m"), EXPRESSION, stat("m")), "metrics"),
        (lambda: math_alarm(stat("m"), EXPRESSION, MetricQuery("f", "m")), "metrics"),
        (lambda: math_alarm(stat("m"), stat("o", period=300), EXPRESSION), "metrics"),
        (lambda: math_alarm(*(stat(f"m{i}") for i in range(11)), EXPRESSION), "metrics"),
        (lambda: math_alarm(stat("M"), EXPRESSION), "metrics[0].id"),
        (lambda: math_alarm(stat("m", stat=None), EXPRESSION), "metrics[0].stat"),
        (lambda: math_alarm(stat("m"), EXPRESSION, alarm_actions=("arn:aws:automate:x:ec2:stop",)), "alarm_actions"),
        (lambda: math_alarm(stat("m"), EXPRESSION, threshold_metric_id="band"), "threshold_metric_id"),
    ],
)
def test_what_cloudwatch_would_refuse_is_refused_with_its_place(make, place):
    with pytest.raises(InvalidInput) as refused:
        make()
    assert place in [problem.path for problem in refused.value.problems]


def test_all_faults_are_told_at_once():
    with pytest.raises(InvalidInput) as refused:
        spec(period=45, threshold=None, comparison_operator=">", datapoints_to_alarm=9)
    assert {problem.path for problem in refused.value.problems} == {
        "period",
        "threshold",
        "comparison_operator",
        "datapoints_to_alarm",
    }


def test_a_composite_alarm_cannot_name_itself_nor_wait_without_a_suppressor():
    with pytest.raises(InvalidInput) as refused:
        CompositeSpec(name="shop/shop/hurt", rule='ALARM("shop/shop/hurt")', wait_period=60)
    assert [problem.path for problem in refused.value.problems] == ["rule", "wait_period"]


def test_a_composite_alarm_tells_where_its_rule_is_bad():
    with pytest.raises(InvalidInput, match="position 9"):
        CompositeSpec(name="shop/shop/hurt", rule="ALARM(a) ALARM(b)")
