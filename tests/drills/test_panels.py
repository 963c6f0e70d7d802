"""The figure: what stands on the one time axis, and what a pointer reads there."""

from __future__ import annotations

import pytest

from drills import leases, panels

READ = "techmoda-catalogue-read"


def test_both_traffic_panels_share_one_scale(surge):
    without, attended, *_ = panels.figure(surge).panels
    assert (without.title, attended.title) == ("Without Sereno", "With Sereno")
    assert without.levels == attended.levels


def test_only_the_unattended_service_shows_a_red_area(surge):
    without, attended, *_ = panels.figure(surge).panels
    assert {"failed", "failed-edge"} <= {shape.kind for shape in without.shapes}
    assert "failed" not in {shape.kind for shape in attended.shapes}
    assert without.notes[0].text.endswith("/s would have failed")
    assert attended.caption == "Every request was served."
    assert "none failed" in attended.summary


def test_the_function_nearest_its_limit_comes_first(surge):
    titles = [panel.title for panel in panels.figure(surge).panels[2:]]
    assert titles == ["catalogue-read", "catalogue-write", "search"]


def test_a_function_that_sereno_left_alone_is_drawn_once(surge):
    read, write, search = panels.figure(surge).panels[2:]
    assert [shape.kind for shape in read.shapes] == ["limit-without", "limit", "running-without", "running"]
    assert [shape.kind for shape in write.shapes] == ["limit", "running"]
    assert write.caption == "The same without Sereno."
    assert search.caption == "It has no limit of its own. The same without Sereno."


def test_a_limit_far_above_the_traffic_is_named_and_does_not_flatten_it(surge):
    for side in ("with", "without"):
        function = surge["series"][side]["functions"]["techmoda-search"]
        function["limit"] = [1000] * len(function["limit"])
    search = next(panel for panel in panels.figure(surge).panels if panel.title == "search")
    assert search.caption.startswith("The limit, 1,000, lies above the chart.")
    assert max(float(level.text) for level in search.levels) < 100


def test_the_summary_says_in_words_what_the_curves_show(surge):
    read = panels.figure(surge).panels[2]
    assert read.summary.startswith(f"Concurrent executions of {READ}: with Sereno it peaks at 20")
    assert read.summary.endswith("without it peaks at 120 under a limit of 120.")
    assert "a limit of 120 to 227" in read.summary


def test_alarm_lanes_cover_the_time_from_the_first_change_to_the_end(surge):
    figure = panels.figure(surge)
    assert [lane.label for lane in figure.alarms] == [f"{READ}/concurrency", "catalogue/read-capacity", "api/latency"]
    assert figure.quiet_alarms == 5
    segments = figure.alarms[0].segments
    assert [one.kind for one in segments] == ["unknown", "ok", "alarm", "ok"]
    assert sum(one.width for one in segments) == pytest.approx(100)
    assert segments[2].left == pytest.approx(100 * 774 / 7200)


def test_remediations_are_in_force_from_the_change_until_it_is_taken_back(surge):
    first, second = panels.figure(surge).remediations
    assert first.label == "lambda_concurrency on catalogue-read"
    assert first.segments[0].text == "120 → 227"
    assert first.segments[0].left == pytest.approx(100 * 780 / 7200)
    assert first.segments[0].width == pytest.approx(100 * (6001 - 780) / 7200)
    assert second.number == 2


def test_a_change_still_in_force_reaches_the_end(surge):
    surge["remediations"][0]["events"] = surge["remediations"][0]["events"][:5]
    segment = panels.figure(surge).remediations[0].segments[0]
    assert segment.left + segment.width == pytest.approx(100)
    assert segment.words.endswith("in force at the end")


def test_what_a_person_keeps_stays_in_force(surge):
    kept = surge["remediations"][0]
    kept["status"] = kept["events"][-1]["phase"] = "KEPT"
    segment = panels.figure(surge).remediations[0].segments[0]
    assert segment.left + segment.width == pytest.approx(100)
    assert segment.text == "120 → 227  KEPT"


def test_a_remediation_that_only_tells_changes_nothing(surge):
    surge["remediations"][0]["plan"]["steps"] = []
    figure = panels.figure(surge)
    assert [lane.number for lane in figure.remediations] == [2]
    assert [mark.numbers for mark in figure.marks] == [(2,)]


def test_a_note_stands_beside_a_small_failure_near_the_edge(surge):
    side = surge["series"]["with"]
    side["failed"][90] = 80.0
    note = panels.figure(surge).panels[1].notes[0]
    assert (note.left, note.kind, note.text) == (12.5, "after", "up to 80/s failed")


def test_marks_that_would_cover_each_other_are_one(surge):
    assert [mark.numbers for mark in panels.figure(surge).marks] == [(1, 2)]
    for event in surge["remediations"][1]["events"]:
        event["at_s"] += 1200
    assert [mark.numbers for mark in panels.figure(surge).marks] == [(1,), (2,)]


def test_what_was_only_observed_has_a_card_but_no_lane(surge):
    assert [one["id"] for one in leases.acted(surge)] == ["rem-0001", "rem-0002", "rem-0003"]
    assert len(panels.figure(surge).remediations) == 2


def test_names_are_shown_without_the_services():
    assert panels.short("techmoda-catalogue-read", "techmoda") == "catalogue-read"
    assert panels.short("techmoda/api/latency", "techmoda") == "api/latency"
    assert panels.short("techmoda", "techmoda") == "techmoda"
    assert panels.short("other", "techmoda") == "other"


def test_a_drill_without_a_single_sample_still_has_a_figure(surge):
    empty = {"offered": [], "served": [], "failed": [], "functions": {}}
    surge["series"] = {"step_s": 10, "t": [], "with": empty, "without": empty}
    assert len(panels.figure(surge).panels) == 2
