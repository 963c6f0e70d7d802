"""CloudWatch shows a faulty graph as an empty one: each fault is found before anything is sent, with its place."""

from __future__ import annotations

import copy
import json

import pytest

from dashboards import body, cloudwatch
from sereno.errors import InvalidInput
from sereno.service import Api, Function, Service, Table

SHOP = Service(
    "shop",
    "123456789012",
    ("eu-west-1", "eu-central-1"),
    apis={"front": Api("front", "shop", "prod")},
    functions={"cart": Function("cart", "shop-cart", reserved=10)},
    tables={"orders": Table("orders", "shop-orders")},
)


@pytest.fixture
def sound():
    return json.loads(cloudwatch.boards(SHOP, ())[0].body)


def graph(dashboard):
    return next(one for one in dashboard["widgets"] if one["type"] == "metric")


def test_what_is_rendered_is_sound(sound):
    body.check(sound, "shop")


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda d: d.pop("start"), "start"),
        (lambda d: d.update(widget=[]), "widget"),
        (lambda d: d["widgets"][0].update(type="graph"), "graph"),
        (lambda d: d["widgets"][0].update(x=24), "widgets[0].text.x"),
        (lambda d: d["widgets"][0].update(x=20), "leaves the grid"),
        (lambda d: d["widgets"][0].update(height=0), "height"),
        (lambda d: d["widgets"][0]["properties"].update(markdown=""), "markdown"),
        (lambda d: d["widgets"][1]["properties"].update(endpoint="https://example.com"), "endpoint"),
        (lambda d: graph(d)["properties"].update(region="mars"), "region"),
        (lambda d: graph(d)["properties"].update(metrics=[]), "metrics"),
        (lambda d: graph(d)["properties"].update(stat="Mean"), "stat"),
        (lambda d: graph(d)["properties"].update(view="chart"), "view"),
        (lambda d: graph(d)["properties"].update(showUnits=True), "showUnits"),
        (lambda d: graph(d)["properties"]["metrics"].append(["AWS/Lambda"]), "pairs of dimension and value"),
        (lambda d: graph(d)["properties"]["metrics"].append(["AWS/Lambda", "Errors", "FunctionName"]), "pairs"),
        (lambda d: graph(d)["properties"]["metrics"].append(["AWS/Lambda", "Errors", "FunctionName", ""]), "pairs"),
        (lambda d: graph(d)["properties"]["metrics"].append(["A", "B", *["x", "y"] * 31]), "CloudWatch takes 30"),
        (lambda d: graph(d)["properties"]["metrics"].append(["A", "B", {"id": "Upper"}]), "id"),
        (lambda d: graph(d)["properties"]["metrics"].append(["A", "B", {"id": "offered"}]), "stands twice"),
        (lambda d: graph(d)["properties"]["metrics"].append(["A", "B", {"expression": "1"}]), "at once"),
        (lambda d: graph(d)["properties"]["metrics"].append(["A", "B", {"colour": "#000000"}]), "colour"),
        (lambda d: graph(d)["properties"].update(metrics=[["A", "B"]] * 501), "CloudWatch takes 500"),
        (lambda d: d.update(widgets=d["widgets"] * 50), "CloudWatch takes 500"),
    ],
)
def test_each_fault_is_told_with_its_place(sound, spoil, told):
    spoilt = copy.deepcopy(sound)
    spoil(spoilt)
    with pytest.raises(InvalidInput) as refused:
        body.check(spoilt, "shop")
    assert told in str(refused.value)
