"""What happened, merged from alarms, signals, remediations and notifications."""

from __future__ import annotations

from itertools import pairwise

from drills import timeline


def test_everything_is_told_in_order(surge):
    told = timeline.happenings(surge)
    assert all(before.at_s <= after.at_s for before, after in pairwise(told))
    assert {one.kind for one in told} == {"alarm", "signal", "remediation", "notification"}


def test_an_alarms_change_is_told_once_though_it_is_a_signal_too(surge):
    told = [one for one in timeline.happenings(surge) if "catalogue-read/concurrency is in ALARM" in one.title]
    assert [one.kind for one in told] == ["alarm"]
    signals = [one.title for one in timeline.happenings(surge) if one.kind == "signal"]
    assert signals == ["AWS_LAMBDA_OPERATIONAL_NOTIFICATION is open"]


def test_a_watch_that_begins_does_not_fill_a_page(surge):
    first_minute = next(minute for minute in timeline.minutes(surge) if minute.elapsed == "1 min")
    (_, line), *others = first_minute.happenings
    assert line.title == "8 alarms are in OK"
    assert "techmoda/api/5xx" in line.detail
    assert not others


def test_of_many_alarms_ten_are_named(surge):
    quiet = surge["alarms"][-1]
    surge["alarms"] = [{**quiet, "name": f"techmoda/api/{number}"} for number in range(33)]
    line = next(one for one in timeline.happenings(surge) if one.title == "33 alarms are in OK")
    assert line.detail.endswith("techmoda/api/9, and 23 more")


def test_minutes_carry_both_clocks_and_empty_ones_are_left_out(surge):
    minutes = timeline.minutes(surge)
    assert [(one.elapsed, one.clock) for one in minutes[:4]] == [
        ("0 min", "09:30"),
        ("1 min", "09:31"),
        ("12 min", "09:42"),
        ("13 min", "09:43"),
    ]


def test_a_remediations_line_leads_to_its_card(surge):
    links = {one.link for one in timeline.happenings(surge) if one.kind == "remediation"}
    assert links == {"remediation-1", "remediation-2", "remediation-3"}


def test_skipped_remediations_are_not_told_here(surge):
    assert not any("SKIPPED" in one.title for one in timeline.happenings(surge))
