"""Whoever opens the dashboard sees, from the top: what is red, whether customers are hurt, whether the room will
suffice, how fast the budget burns, and that the watchman is awake."""

import json
import re

import pytest

from alarms import catalogue
from alarms.packs import all_alarms
from alarms.spec import AlarmSpec, MetricQuery
from alarms.spec_rules import STATISTICS
from dashboards import body, cloudwatch, series
from sereno.errors import InvalidInput
from sereno.service import Api, Function, Index, Objectives, Service, Table


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


def rendered(service, alarms=()):
    """Every widget of each dashboard, by the dashboard's part."""
    return {one.part: json.loads(one.body)["widgets"] for one in cloudwatch.boards(service, alarms)}


def widgets(service, alarms=(), part="overview"):
    return rendered(service, alarms)[part]


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
    limit = titled(widgets(shop(), part="functions"), "cart: concurrency")["annotations"]["horizontal"][0]
    assert (limit["label"], limit["value"]) == ("declared limit", 120)


def test_the_error_budget_is_counted_over_thirty_days():
    left = titled(widgets(shop()), "front: error budget left")
    assert (left["start"], left["setPeriodToTimeRange"]) == ("-P30D", True)
    assert left["metrics"][-1][0]["expression"] == "100 - 100 * failed / (offered * 0.0001)"


def test_changes_by_sereno_are_drawn_over_traffic_and_latency():
    for title in ("front: offered and failed", "front: latency"):
        drawn = titled(widgets(shop()), title)["metrics"][-1][0]
        assert (drawn["yAxis"], 'status="APPLYING"' in drawn["expression"]) == ("right", True)


def test_a_deployment_shows_as_the_version_that_takes_the_calls():
    aliased = shop(functions={"cart": Function("cart", "shop-cart", alias="live")})
    for part in ("overview", "functions"):
        (drawn,) = titled(widgets(aliased, part=part), "eployments")["metrics"]
        assert 'Resource="shop-cart:live"' in drawn[0]["expression"]
    assert not [one for one in widgets(shop()) if "Deployments" in one["properties"].get("title", "")]


def test_an_http_api_is_drawn_from_its_own_metrics():
    found = widgets(shop(apis={"web": Api("web", "shop-web", "$default", "http", "a1b2c3d4e5")}))
    offered, failed, refused, _ = titled(found, "web: offered and failed")["metrics"]
    where = ["ApiId", "a1b2c3d4e5", "Stage", "$default"]
    assert offered[:6] == ["AWS/ApiGateway", "Count", *where]
    assert (failed[1], refused[1]) == ("5xx", "4xx")
    assert failed[2:6] == refused[2:6] == where


def test_a_function_without_a_declared_limit_has_no_line():
    found = widgets(shop(functions={"cart": Function("cart", "shop-cart")}), part="functions")
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
    assert series.series(THROTTLES) == [
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


def test_open_incidents_stand_at_the_top_by_a_widget_that_only_shows():
    shown = widgets(shop())[1]
    assert shown["type"] == "custom"
    assert shown["properties"]["endpoint"] == "arn:aws:lambda:eu-west-1:123456789012:function:sereno-shop-widget"
    assert shown["properties"]["params"] == {"show": "incidents"}


def test_the_lag_to_each_other_region_is_held_against_the_rpo():
    found = widgets(shop(regions=("eu-west-1", "eu-central-1")), part="protection")
    lag = titled(found, "Lag to eu-central-1")
    assert lag["metrics"][0][:6] == [
        "AWS/DynamoDB",
        "ReplicationLatency",
        "TableName",
        "shop-orders",
        "ReceivingRegion",
        "eu-central-1",
    ]
    assert lag["annotations"]["horizontal"][0]["value"] == 900_000
    assert "One region" in json.dumps(widgets(shop(), part="protection"))


def test_regions_stand_side_by_side_and_only_where_there_are_several():
    assert "regions" not in rendered(shop())
    found = widgets(shop(regions=("eu-west-1", "eu-central-1")), part="regions")
    rows = {}
    for one in found:
        if one["type"] == "metric":
            rows.setdefault(one["y"], []).append(one["properties"]["region"])
    assert set(map(tuple, rows.values())) == {("eu-west-1", "eu-central-1")}


def test_a_service_without_tables_or_functions_pays_for_no_dashboard_of_them():
    assert list(rendered(shop(functions={}, tables={}))) == ["overview"]
    assert list(rendered(shop(apis={}))) == ["overview", "functions", "tables", "protection"]


def grown(functions=300, tables=80):
    indexes = {f"by-{number}": Index(f"by-{number}", 5, 5) for number in range(20)}
    return shop(
        regions=("eu-west-1", "eu-central-1"),
        functions={
            f"f{number}": Function(f"f{number}", f"shop-{number}", alias="live", reserved=5, provisioned=2)
            for number in range(functions)
        },
        tables={
            f"t{number}": Table(f"t{number}", f"shop-t{number}", "provisioned", 5, 5, indexes=indexes)
            for number in range(tables)
        },
    )


@pytest.mark.parametrize("service", [shop(), grown(), grown(1, 1)], ids=["small", "large", "one of each"])
def test_no_two_widgets_lie_on_each_other_and_none_leaves_the_grid(service):
    for found in rendered(service, [THROTTLES, BURN]).values():
        taken = set()
        for one in found:
            cells = {
                (one["x"] + right, one["y"] + down) for right in range(one["width"]) for down in range(one["height"])
            }
            assert not cells & taken
            assert one["x"] + one["width"] <= 24
            taken |= cells


def test_a_large_service_goes_on_to_further_dashboards_and_nothing_is_left_out():
    found = rendered(grown())
    assert "functions-5" in found
    for shown in found.values():
        assert len(shown) <= body.WIDGET_LIMIT
        assert sum(len(one["properties"].get("metrics", ())) for one in shown) <= body.METRICS_A_DASHBOARD
    drawn = {
        part: json.dumps([shown for name, shown in found.items() if name.startswith(part)])
        for part in ("functions", "tables")
    }
    assert all(f'"f{number}: duration"' in drawn["functions"] for number in range(300))
    assert all(f'"t{number}/by-19: why it throttles"' in drawn["tables"] for number in range(80))


def test_a_service_too_large_for_one_overview_is_told_the_counts():
    with pytest.raises(InvalidInput, match=r"metrics, CloudWatch takes 2500 a dashboard: split the service"):
        cloudwatch.boards(grown(1500, 1), ())


METRICS_OF = {
    "small": shop(),
    "large": grown(70, 3),
    "http": shop(apis={"web": Api("web", "shop-web", "$default", "http", "a1b2c3d4e5")}),
}


@pytest.mark.parametrize("kind", METRICS_OF)
def test_every_metric_exists_with_those_dimensions_and_that_statistic(kind):
    """A graph of what nobody publishes is empty, and looks like a calm night."""
    service = METRICS_OF[kind]
    problems = []
    for part, shown in rendered(service, all_alarms(service)).items():
        for one in shown:
            problems += [f"{part}: {one['properties']['title']}: {text}" for text in unknown(one["properties"])]
    assert problems == []


def unknown(properties):
    """What the catalogue does not know of a graph's metrics, searches included."""
    for metric in properties.get("metrics", ()):
        options = metric[-1] if isinstance(metric[-1], dict) else {}
        for found in re.finditer(r"\{([^}]*)\} MetricName=\"(\w+)\"", options.get("expression", "")):
            namespace, *names = found[1].split(",")
            yield from wrong(namespace, found[2], names, "Sum")
        words = [one for one in metric if isinstance(one, str)]
        if words:
            yield from wrong(words[0], words[1], words[2::2], options.get("stat", properties["stat"]))


def wrong(namespace, name, names, stat):
    known = catalogue.known(namespace, name)
    if known is None:
        yield f"{namespace} has no {name}"
    elif tuple(sorted(names)) not in known.dimensions:
        yield f"{name} is not published for {sorted(names)}"
    elif (stat if stat in STATISTICS else "percentile") not in known.statistics:
        yield f"{stat} of {name} has no sense"


def test_the_test_of_metrics_can_fail():
    graph = {"stat": "Sum", "metrics": [["AWS/Lambda", "Errors", "TableName", "x"], ["AWS/Lambda", "Nothing"]]}
    searched = {
        "stat": "Sum",
        "metrics": [[{"expression": "SEARCH('{Sereno,reason} MetricName=\"Refused\"', 'Sum')"}]],
    }
    assert len(list(unknown(graph))) == 2
    assert len(list(unknown(searched))) == 1


def test_an_undefined_name_in_a_template_is_an_error_with_its_place():
    with pytest.raises(InvalidInput, match=r"functions\.json\.j2.*'functions' is undefined"):
        cloudwatch._render(shop(), "functions", "functions", {"links": {}})
