"""Whoever opens the dashboard sees, from the top: what is red, whether customers are hurt, whether the room will
suffice, how fast the budget burns, and that the watchman is awake."""

import json

import pytest

from alarms.spec import AlarmSpec, MetricQuery
from dashboards import cloudwatch
from sereno.errors import InvalidInput
from sereno.service import Api, Function, Objectives, Service, Table


def shop(**changes) -> Service:
    known = {
        "name": "shop",
        "account": "123456789012",
        "regions": ("eu-west-1",),
        "objectives": Objectives(availability=0.9999, p99_ms=500, surge=9),
        "apis": {"front": Api("front", 'shop "front"', "prod")},
        "functions": {"cart": Function("cart", "shop-cart", reserved=120)},
        "tables": {"orders": Table("orders", "shop-orders")},
    }
    return Service(**(known | changes))


THROTTLES = AlarmSpec(
    name="shop/cart/throttles",
    namespace="AWS/Lambda",
    metric_name="Throttles",
    dimensions=(("FunctionName", "shop-cart"),),
    statistic="Sum",
    period=60,
    evaluation_periods=1,
    threshold=0,
    comparison_operator="GreaterThanThreshold",
    treat_missing_data="notBreaching",
)
BURN = AlarmSpec(
    name="shop/front/burn-fast",
    metrics=(
        MetricQuery(
            "offered",
            namespace="AWS/ApiGateway",
            metric_name="Count",
            dimensions=(("ApiName", "shop"),),
            period=300,
            stat="Sum",
            return_data=False,
        ),
        MetricQuery("burn", expression="offered / 100", label="burn rate"),
    ),
    evaluation_periods=1,
    threshold=14.4,
    comparison_operator="GreaterThanThreshold",
    treat_missing_data="notBreaching",
)


def widgets(service, alarms=()):
    return json.loads(cloudwatch.render(service, alarms))["widgets"]


def titled(found, part):
    return next(one["properties"] for one in found if part in one["properties"].get("title", ""))


def test_every_alarm_stands_in_the_status_row():
    status = next(one for one in widgets(shop(), [THROTTLES, BURN]) if one["type"] == "alarm")
    assert status["properties"]["alarms"] == [
        "arn:aws:cloudwatch:eu-west-1:123456789012:alarm:shop/cart/throttles",
        "arn:aws:cloudwatch:eu-west-1:123456789012:alarm:shop/front/burn-fast",
    ]


def test_more_than_a_hundred_alarms_are_spread_over_status_rows():
    from dataclasses import replace

    many = [replace(THROTTLES, name=f"shop/f{number}/throttles", target="", what="") for number in range(101)]
    rows = [one["properties"]["alarms"] for one in widgets(shop(), many) if one["type"] == "alarm"]
    assert [len(row) for row in rows] == [100, 1]


def test_promises_are_drawn_as_lines():
    found = widgets(shop())
    assert titled(found, "front: latency")["annotations"]["horizontal"][0]["value"] == 500
    assert titled(found, "front: availability")["annotations"]["horizontal"][0]["value"] == 99.99
    limit = titled(found, "cart: concurrency")["annotations"]["horizontal"][0]
    assert (limit["label"], limit["value"]) == ("declared limit", 120)


def test_an_http_api_is_drawn_from_its_own_metrics():
    found = widgets(shop(apis={"web": Api("web", "shop-web", "$default", "http", "a1b2c3d4e5")}))
    offered, failed, refused = titled(found, "web: offered and failed")["metrics"]
    where = ["ApiId", "a1b2c3d4e5", "Stage", "$default"]
    assert offered[:6] == ["AWS/ApiGateway", "Count", *where]
    assert (failed[1], refused[1]) == ("5xx", "4xx")
    assert failed[2:6] == refused[2:6] == where


def test_a_function_without_a_declared_limit_has_no_line():
    found = widgets(shop(functions={"cart": Function("cart", "shop-cart")}))
    assert titled(found, "cart: concurrency")["annotations"]["horizontal"] == []


def test_a_burn_rate_is_drawn_from_what_its_alarm_sees():
    burn = titled(widgets(shop(), [BURN]), "burn-fast")
    assert burn["metrics"][0][:4] == ["AWS/ApiGateway", "Count", "ApiName", "shop"]
    assert burn["metrics"][0][4]["visible"] is False
    assert burn["metrics"][1][0]["expression"] == "offered / 100"
    assert burn["annotations"]["horizontal"] == [
        {"label": "alarm", "value": 14.4, "fill": "above", "color": "#d62728"}
    ]


def test_a_single_metric_alarm_is_drawn_with_its_own_statistic():
    assert cloudwatch.series(THROTTLES) == [
        ["AWS/Lambda", "Throttles", "FunctionName", "shop-cart", {"stat": "Sum", "period": 60}]
    ]


def test_the_watchman_is_shown_too():
    found = widgets(shop())
    searches = json.dumps([titled(found, "Remediations"), titled(found, "Refusals")])
    assert "{Sereno,service,status,remediator}" in searches
    assert "{Sereno,service,reason}" in searches
    assert titled(found, "Dead letters")["metrics"][1][:4] == [
        "AWS/SQS",
        "ApproximateNumberOfMessagesVisible",
        "QueueName",
        "sereno-shop-dlq",
    ]


@pytest.mark.parametrize("name", ['a "quoted" name', "a \\ backslash", "<b>&'", "line\nbreak", "日本"])
def test_names_of_any_kind_survive(name):
    found = widgets(shop(apis={"front": Api("front", name, "prod")}))
    assert titled(found, "front: latency")["metrics"][0][3] == name


def test_no_two_widgets_lie_on_each_other_and_none_leaves_the_grid():
    taken = set()
    for one in widgets(shop(), [THROTTLES, BURN]):
        cells = {
            (one["x"] + right, one["y"] + down) for right in range(one["width"]) for down in range(one["height"])
        }
        assert not cells & taken
        assert one["x"] + one["width"] <= 24
        taken |= cells


def test_a_service_too_large_for_one_dashboard_is_told_the_counts():
    many = {f"f{number}": Function(f"f{number}", f"shop-{number}") for number in range(300)}
    with pytest.raises(InvalidInput, match=r"6\d\d\" widgets, CloudWatch takes 500"):
        cloudwatch.render(shop(functions=many), ())
