"""What was used against what was allowed: only where there is something to see, with words for what curves hide."""

from __future__ import annotations

from drills import panels, usage_panels


def test_a_tables_reads_are_drawn_against_their_capacity(starved):
    (reads,) = usage_panels.tables(starved)
    assert (reads.title, reads.unit) == ("products, reads", "capacity units a second")
    assert [kind for kind, _ in reads.keys] == ["running", "running-without", "limit", "limit-without"]
    assert dict(reads.keys)["limit"] == "capacity, with Sereno"


def test_what_was_throttled_is_said_in_the_caption_the_summary_and_beside_the_curve(starved):
    (reads,) = usage_panels.tables(starved)
    assert reads.caption == "4,000 calls throttled without Sereno, none with it."
    assert reads.summary.startswith(
        "Consumed read capacity of techmoda-products: with Sereno it peaks at 590 under a"
    )
    assert reads.summary.endswith(reads.caption)
    assert [note.text for note in reads.notes] == ["up to 40 calls/s throttled without"]


def test_reads_or_writes_at_ease_are_left_out_until_they_are_throttled(starved):
    for side in ("with", "without"):
        starved["series"][side]["tables"]["techmoda-products"]["write"]["throttled"][5] = 3
    assert [panel.title for panel in usage_panels.tables(starved)] == ["products, reads", "products, writes"]


def test_a_drill_without_tables_has_no_panel_for_them(surge, starved):
    for side in ("with", "without"):
        del starved["series"][side]["tables"]
    assert usage_panels.tables(starved) == []


def test_the_figure_shows_functions_first_and_tables_after_them(starved):
    titles = [panel.title for panel in panels.figure(starved).panels]
    assert titles == [
        "Without Sereno",
        "With Sereno",
        "catalogue-read",
        "catalogue-write",
        "search",
        "products, reads",
    ]
