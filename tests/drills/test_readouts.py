"""The values at a moment, for a pointer and as a table."""

from __future__ import annotations

from drills import readouts


def test_a_pointer_reads_each_sample_of_a_short_drill(surge):
    shown = readouts.readouts(surge)
    assert shown["stretch_s"] == 10
    assert len(shown["t"]) == 720
    rows = {row["label"]: row for row in shown["rows"]}
    assert rows["catalogue-read"]["without"][300] == 120
    assert rows["catalogue-read"]["limit"]["with"][300] == 227


def test_a_pointer_reads_the_worst_of_each_stretch_of_a_long_drill(day):
    day["series"]["with"]["failed"][4321] = 77.0
    shown = readouts.readouts(day)
    assert len(shown["t"]) == 720
    assert shown["stretch_s"] == 120
    failed = next(row for row in shown["rows"] if row["label"] == "failed")
    assert failed["with"][4321 // 12] == 77


def test_the_table_gives_both_clocks_and_the_traffic(surge):
    rows = readouts.samples(surge)
    assert [(row[0], row[1]) for row in rows[:3]] == [("0:00", "09:30"), ("10:00", "09:40"), ("20:00", "09:50")]
    plateau = next(values for at, _, values in rows if at == "40:00")
    assert plateau[2] == "0"
    assert float(plateau[1]) > 300


def test_a_drill_without_samples_has_an_empty_table(surge):
    empty = {"offered": [], "served": [], "failed": [], "functions": {}}
    surge["series"] = {"step_s": 10, "t": [], "with": empty, "without": empty}
    assert readouts.samples(surge) == []
    assert readouts.readouts(surge)["t"] == []


def test_a_pointer_reads_what_a_table_consumed_of_its_capacity(starved):
    rows = {row["label"]: row for row in readouts.readouts(starved)["rows"]}
    reads = rows["products reads"]
    assert (reads["without"][95], reads["limit"]["without"][95]) == (200, 200)
    assert (reads["with"][95], reads["limit"]["with"][95]) == (590, 800)
    assert rows["products writes"]["with"][0] == 10
