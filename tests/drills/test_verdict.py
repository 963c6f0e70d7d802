"""The verdict in the terminal."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from drills.verdict import print_verdict
from sereno.errors import InvalidInput


def _printed(result, **settings):
    out = io.StringIO()
    print_verdict(result, Console(file=out, **{"width": 100, **settings}))
    return out.getvalue()


def test_one_line_for_each_objective(surge):
    text = _printed(surge)
    assert "✓ met     Availability: 100 % (target 99.99 %)" in text
    assert "✓ met     Slowest 1 % (p99): 412 ms (target 800 ms)" in text


def test_a_miss_is_a_word_and_not_only_a_colour(surge):
    surge["objectives"][1] |= {"met": False, "measured": 950}
    text = _printed(surge)
    assert "✕ missed  Slowest 1 % (p99): 950 ms (target 800 ms)" in text
    assert text.rstrip().endswith("1 of 4 objectives was missed: Slowest 1 % (p99).")


def test_the_table_sets_without_beside_with(surge):
    line = next(line for line in _printed(surge).splitlines() if "First throttle at" in line)
    assert line.split()[-2:] == ["15:30", "never"]


def test_remediations_are_listed_with_their_change_and_how_they_ended(surge):
    text = _printed(surge)
    assert "12:59  lambda_concurrency on techmoda-catalogue-read  120 → 227  REVERTED" in text
    assert "5 skipped; the report gives each reason" in text


def test_a_terminal_gets_colour_unless_it_asks_for_none(surge, monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert "\x1b[32m" in _printed(surge, force_terminal=True, color_system="standard")
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[32m" not in _printed(surge, force_terminal=True, color_system="standard")


def test_text_from_outside_is_not_read_as_rich_markup(surge):
    surge["title"] = "[bold]odd[/nope]"
    surge["remediations"][0]["target"]["name"] = "[red]read"
    text = _printed(surge)
    assert "[bold]odd[/nope]" in text
    assert "[red]read" in text


def test_a_result_of_the_wrong_shape_prints_nothing(surge):
    del surge["objectives"]
    with pytest.raises(InvalidInput, match="objectives: is missing"):
        _printed(surge)


def test_a_title_that_leaves_no_room_has_the_seed_below_it(surge):
    title = surge["title"]
    assert f"{title}  ({surge['scenario']}, seed {surge['seed']})" in _printed(surge, width=200)
    below = _printed(surge, width=len(title) + 5).splitlines()
    assert below[below.index(title) + 1] == f"({surge['scenario']}, seed {surge['seed']})"


def test_a_long_remediation_goes_on_under_itself(surge):
    surge["remediations"][0]["target"]["name"] = "techmoda-catalogue-reader-of-the-second-kind"
    lines = _printed(surge, width=60).splitlines()
    first = next(number for number, line in enumerate(lines) if line.startswith("   12:59  lambda_concurrency on"))
    assert lines[first + 1].startswith(" " * 10 + "techmoda-catalogue-reader")


def test_an_incident_is_with_people_and_no_change_in_force(surge):
    from drills import narrative

    said = narrative.lead(surge)[-1]
    opened = {**surge["remediations"][0], "id": "an-incident", "remediator": "open_incident", "status": "ESCALATED"}
    step = {**opened["plan"]["steps"][0], "undo": None}
    opened["plan"] = {**opened["plan"], "steps": [step]}
    opened["events"] = [one for one in opened["events"] if one["phase"] not in ("REVERTED", "FAILED")]
    surge["remediations"].append(opened)
    assert narrative.lead(surge)[-1] == said
