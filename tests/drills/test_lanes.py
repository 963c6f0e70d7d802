"""Lanes: what belongs to one incident stands together, what was planned is shown, a change says what it changed."""

from __future__ import annotations

import pytest

from drills import lanes


def as_one_incident(result: dict, *numbers: int) -> dict:
    for number in numbers:
        result["remediations"][number] |= {"incident": "incident-1", "signal": "techmoda/read/exhaustion"}
    return result


def test_the_remediations_of_one_incident_stand_together_under_one_heading(surge):
    first, second = lanes.remediation_lanes(as_one_incident(surge, 0, 1))
    assert (first.grouped, second.grouped) == (True, True)
    assert (first.group, second.group) == ("One incident: read/exhaustion", "")


def test_who_stands_alone_has_no_heading(surge):
    assert [(lane.grouped, lane.group) for lane in lanes.remediation_lanes(surge)] == [(False, ""), (False, "")]


def test_an_incident_that_goes_on_later_is_not_torn_apart(surge):
    surge["remediations"].insert(1, {**surge["remediations"][1], "id": "rem-between", "incident": "incident-2"})
    as_one_incident(surge, 0, 2)
    shown = [(lane.number, lane.grouped) for lane in lanes.remediation_lanes(surge)]
    assert shown == [(1, True), (3, True), (2, False)], "the cards' numbers stay those of time"


def test_a_planned_event_is_a_lane_of_its_own(surge):
    assert lanes.planned_lanes(surge) == []
    surge["planned_events"] = [{"name": "broadcast", "from_s": 1800, "to_s": 9000, "factor": 9.0}]
    (lane,) = lanes.planned_lanes(surge)
    assert lane.summary == "Planned: broadcast, 9 times the traffic from 30:00 to 2:00:00."
    (segment,) = lane.segments
    assert (segment.left, segment.left + segment.width) == (pytest.approx(25), pytest.approx(100))


@pytest.mark.parametrize(
    ("setting", "before", "after", "words"),
    [
        ("reserved concurrency", 120, 240, ["120 → 240"]),
        ("reserved concurrency", None, 240, ["not set → 240"]),
        ("read target", [300, 4000], [832, 4000], ["read at least 300 → 832"]),
        (
            "by-category read target",
            [150, 500],
            [668, 668],
            [
                "by-category read at least 150 → 668",
                "by-category read at most 500 → 668",
            ],
        ),
        ("capacity", {"read": 300, "write": 50}, {"read": 832, "write": 50}, ["read 300 → 832"]),
        ("incident", None, "open", ["not set → open"]),
    ],
)
def test_a_step_says_what_it_changes(setting, before, after, words):
    assert lanes.step_changes({"setting": setting, "before": before, "after": after}) == words


def test_of_several_changes_the_first_is_shown_and_the_others_are_counted():
    steps = [
        {"setting": "read target", "before": [300, 4000], "after": [832, 4000]},
        {"setting": "write target", "before": [50, 1000], "after": [164, 1000]},
    ]
    assert lanes.change_text({"plan": {"steps": steps}}) == "read at least 300 → 832 and 1 more"
    assert lanes.change_text({"plan": None}) == ""


@pytest.mark.parametrize(
    ("left", "width", "text", "place"),
    [
        (10, 50, "120 → 240", "inside"),
        (10, 5, "120 → 240", "after"),
        (80, 5, "120 → 240", "before"),
        (10, 30, "read at least 300 → 832 and 3 more", "after"),
        (60, 35, "read at least 300 → 832 and 3 more", "before"),
        (30, 60, "read at least 300 → 832 and 3 more", "inside"),
        (20, 45, "by-category read at least 300 → 832 and 3 more", "inside"),
    ],
)
def test_a_text_stands_where_it_is_not_cut_off_on_a_phone_either(left, width, text, place):
    assert lanes.Segment(left, width, "held", "", text).place == place
