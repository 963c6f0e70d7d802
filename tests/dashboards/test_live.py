"""The difference tells a person what putting a dashboard would do; marks tell when something was changed."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from dashboards import live
from dashboards.live import Change, Mark
from sereno.lifecycle import Remediation
from sereno.model import Event, Signal, Target

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
TARGET = Target("function", "shop-cart", "eu-west-1", "123456789012")


def graph(title, x=0, view="timeSeries", **properties):
    known = {"title": title, "view": view, "stat": "Sum", "metrics": [["A", "B"]], "annotations": {"horizontal": []}}
    return {"type": "metric", "x": x, "y": 0, "width": 8, "height": 6, "properties": known | properties}


def body(*widgets, **whole):
    return json.dumps({"start": "-PT3H", "widgets": widgets} | whole)


def test_the_same_is_no_difference_however_it_is_written():
    one = body(graph("traffic"), graph("latency", 8))
    assert live.difference(json.dumps(json.loads(one), indent=3), one) == []


def test_each_kind_of_difference_has_its_name():
    before = body(graph("traffic"), graph("latency", 8), graph("old"))
    after = body(graph("traffic", stat="Average"), graph("latency", 16), graph("new"), start="-P1D")
    assert live.difference(before, after) == [
        Change("changed", "the dashboard itself", ('start: "-PT3H" -> "-P1D"',)),
        Change("new", "metric new"),
        Change("gone", "metric old"),
        Change("changed", "metric traffic", ('stat: "Sum" -> "Average"',)),
        Change("moved", "metric latency", ("x: 8 -> 16",)),
    ]


def test_metrics_that_come_and_go_are_told_by_their_place():
    before, after = body(graph("t", metrics=[["A", "B"], ["C", "D"]])), body(graph("t", metrics=[["A", "X"]]))
    (change,) = live.difference(before, after)
    assert change.details == ('metrics[0][1]: "B" -> "X"', 'metrics[1]: ["C","D"] goes')


def test_two_widgets_of_one_title_are_kept_apart():
    assert live.difference(body(graph("t"), graph("t", 8)), body(graph("t"))) == [Change("gone", "metric t (2)")]


@pytest.mark.parametrize("odd", ["", "no json", "[]", "{}", None])
def test_what_a_person_broke_is_all_new(odd):
    found = live.difference(odd, body(graph("t")))
    assert Change("new", "metric t") in found


def test_marks_are_drawn_on_graphs_over_time_and_are_no_difference():
    rendered = body(graph("traffic"), graph("budget", 8, view="singleValue"))
    drawn = live.marked(rendered, [Mark(NOON, "raise_concurrency shop-cart", "#1f77b4")], NOON - timedelta(days=7))
    over_time, number = (one["properties"]["annotations"] for one in json.loads(drawn)["widgets"])
    assert over_time["vertical"] == [
        {"value": "2026-11-24T12:00:00.000Z", "label": "raise_concurrency shop-cart", "color": "#1f77b4"}
    ]
    assert "vertical" not in number
    assert live.difference(drawn, rendered) == live.difference(rendered, drawn) == []


def test_only_the_newest_marks_are_drawn_and_none_that_is_too_old():
    marks = [Mark(NOON - timedelta(minutes=number), f"m{number}", "#000000") for number in range(100)]
    drawn = json.loads(live.marked(body(graph("t")), marks, NOON - timedelta(minutes=70)))
    labels = [one["label"] for one in drawn["widgets"][0]["properties"]["annotations"]["vertical"]]
    assert labels == [f"m{number}" for number in reversed(range(live.MARKS))]
    few = json.loads(live.marked(body(graph("t")), marks[60:], NOON - timedelta(minutes=70)))
    assert len(few["widgets"][0]["properties"]["annotations"]["vertical"]) == 11


def test_a_remediation_is_marked_when_it_acts_and_when_it_ends():
    signal = Signal("s", "alarm", "shop/cart/throttles", "throttles", "ALARM", "OK", TARGET, NOON)
    one = Remediation("r", "raise_concurrency", signal, TARGET, NOON)
    phases = ("CLAIMED", "PLANNED", "APPLYING", "APPLYING", "HOLDING", "REVERTED")
    events = [Event(NOON + timedelta(minutes=number), phase) for number, phase in enumerate(phases)]
    assert [(mark.at.minute, mark.label) for mark in live.remediation_marks([(one, events)])] == [
        (2, "raise_concurrency shop-cart"),
        (5, "undone: raise_concurrency shop-cart"),
    ]


def test_a_deployment_is_marked_when_the_whole_stack_is_done():
    def event(status, own=True):
        return {
            "PhysicalResourceId": "id" if own else "x",
            "StackId": "id",
            "ResourceStatus": status,
            "Timestamp": NOON,
        }

    told = [
        event("UPDATE_COMPLETE"),
        event("UPDATE_COMPLETE", own=False),
        event("UPDATE_IN_PROGRESS"),
        event("UPDATE_ROLLBACK_COMPLETE"),
    ]
    assert [one.label for one in live.deployment_marks("shop", told)] == [
        "shop deployed",
        "shop deployment rolled back",
    ]
