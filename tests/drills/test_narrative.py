"""Sentences that tell the truth: never rounded up to a promise, never praise where there is none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drills import narrative


@pytest.mark.parametrize(
    ("ratio", "words"),
    [(1.0, "100 %"), (0.9999, "99.99 %"), (0.99998999, "99.9989 %"), (0.7104, "71.04 %"), (0.0, "0 %")],
)
def test_a_ratio_is_shown_as_per_cent(ratio, words):
    assert narrative.percent(ratio) == words


@given(st.floats(min_value=0, max_value=1, exclude_max=True))
def test_availability_is_never_rounded_up_to_a_whole(ratio):
    shown = float(narrative.percent(ratio).removesuffix(" %"))
    assert shown <= ratio * 100 + 1e-6
    if ratio < 0.9999995:
        assert shown < 100


@pytest.mark.parametrize(
    ("seconds", "words", "watch"),
    [(0, "0 s", "0:00"), (160, "2 min 40 s", "2:40"), (3600, "1 h", "1:00:00"), (4400, "1 h 13 min 20 s", "1:13:20")],
)
def test_time_in_words_and_as_a_stopwatch_shows_it(seconds, words, watch):
    assert narrative.span(seconds) == words
    assert narrative.elapsed(seconds) == watch


def test_a_small_price_is_not_shown_as_nothing():
    assert narrative.dollars(0) == "$0.00"
    assert narrative.dollars(0.004) == "under $0.01"
    assert narrative.dollars(1234.5) == "$1,234.50"


def _failed(result, attended, unattended, throttled=1):
    result["requests"]["failed"] = attended
    result["without"]["requests"] |= {"failed": unattended, "throttled_attempts": throttled}
    return narrative.headline(result)


@pytest.mark.parametrize(
    ("attended", "unattended", "words"),
    [
        (0, 1234, "1,234 requests would have been turned away. With Sereno, none were."),
        (1, 1234, "1,234 requests would have been turned away. With Sereno, 1 was."),
        (0, 1, "1 request would have been turned away. With Sereno, none was."),
        (0, 0, "No request was turned away, and none would have been without Sereno."),
        (5, 5, "Sereno made no difference: 5 requests were turned away."),
        (9, 5, "Sereno made it worse: 9 requests were turned away, against 5 without it."),
    ],
)
def test_the_headline_says_what_happened_to_customers(surge, attended, unattended, words):
    assert _failed(surge, attended, unattended) == words


def test_requests_that_no_limit_refused_are_lost_not_turned_away(surge):
    assert _failed(surge, 0, 10, throttled=0) == "10 requests would have been lost. With Sereno, none were."


def test_the_lead_measures_how_early_sereno_was(surge):
    assert narrative.lead(surge) == [
        "Sereno acted 13 min in, 2 min 30 s before the first throttle would have come.",
        "Every change was taken back, the last 1 h 40 min 31 s in.",
    ]


def test_the_lead_admits_that_sereno_was_late_and_how_long_it_hurt(surge):
    surge |= {"raised_s": 960, "first_throttle_s": 931, "recovered_s": 45.0}
    assert narrative.lead(surge)[:2] == [
        "Sereno acted 16 min in, 30 s after the first throttle that an unattended service sees.",
        "The first throttle under watch came 15 min 31 s in, and it was over 45 s later.",
    ]


def test_the_lead_admits_throttles_that_never_ended(surge):
    surge |= {"first_throttle_s": 931, "recovered_s": None}
    assert narrative.lead(surge)[1].endswith("came 15 min 31 s in, and had not ended with the drill.")


def test_the_lead_admits_a_change_that_was_not_taken_back(surge):
    surge["remediations"][0]["events"].pop()
    assert narrative.lead(surge)[-1] == "1 of 2 changes is in force at the end."


def test_the_lead_says_so_when_sereno_did_nothing(surge):
    surge |= {"raised_s": None, "remediations": []}
    assert narrative.lead(surge) == [
        "Without Sereno the first throttle comes 15 min 30 s in.",
        "Sereno raised nothing.",
    ]


def test_missed_objectives_are_counted_and_named(surge):
    assert narrative.tally(surge) == "All 4 objectives were met"
    surge["objectives"][1]["met"] = False
    assert narrative.tally(surge) == "1 of 4 objectives was missed: Slowest 1 % (p99)"
    assert not narrative.all_met(surge)


def test_a_measure_without_a_target_says_so(surge):
    surge["objectives"][0]["target"] = None
    assert narrative.objectives(surge)[0].target == "none set"


def test_bare_measures_get_their_unit_from_the_objectives_name():
    assert narrative.measure("availability", 0.9999) == "99.99 %"
    assert narrative.measure("p99_ms", 1200) == "1,200 ms"
    assert narrative.measure("rto", 1800) == "30 min"
    assert narrative.measure("raised-before", 150) == "2 min 30 s"
    assert narrative.measure("lead", "2 min before") == "2 min before"
    assert narrative.measure("given back", True) == "yes"
    assert narrative.measure("rpo", None) == "not measured"


def test_an_objective_stands_beside_its_measure_without_sereno(surge):
    first, _, lead, _ = narrative.objectives(surge)
    assert (first.measured, first.unattended, first.unattended_met) == ("100 %", "71.04 %", False)
    assert (lead.unattended, lead.unattended_met) == ("", None)


def test_a_call_reads_as_it_would_be_typed():
    call = {"service": "lambda", "operation": "put_function_concurrency", "params": {"FunctionName": "read"}}
    assert narrative.call_text(call) == "lambda.put_function_concurrency(FunctionName='read')"


def test_the_throttles_of_tables_are_told_apart_from_lambdas(starved):
    rows = {row.name: (row.unattended, row.attended) for row in narrative.comparison(starved)}
    assert rows["Throttled calls to tables"] == ("4,000", "0")
    assert rows["First throttled call at"] == ("15:00", "never")
    assert not any("tables" in sentence for sentence in narrative.lead(starved))


@pytest.mark.parametrize(
    ("lasted", "words"), [(95.0, "over 1 min 35 s"), (0.0, "in one second"), (None, "until the drill's end")]
)
def test_the_lead_admits_what_tables_turned_away_under_watch(starved, lasted, words):
    starved["tables"] = {"throttled_calls": 1200, "first_throttle_s": 910.0, "recovered_s": lasted}
    assert f"From 15 min 10 s in, 1,200 calls to tables were throttled {words}." in narrative.lead(starved)


def test_a_drill_without_tables_says_nothing_of_them(surge):
    assert "Throttled calls to tables" not in [row.name for row in narrative.comparison(surge)]


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("table-recovered-within", 173.0, "2 min 53 s"),
        ("refused-with", 697.6, "11 min 38 s"),
        ("refused-with", "HOT_KEY", "HOT_KEY"),
        ("told", 2, "2"),
        ("own-functions-ran", 59, "59"),
    ],
)
def test_a_measure_takes_its_unit_from_its_objective(name, value, words):
    assert narrative.measure(name, value) == words
    assert narrative.title(name) != name


def test_a_table_alone_is_something_that_was_raised(surge):
    del surge["remediations"][0]
    surge["raised_s"] = None
    assert narrative.lead(surge)[1] == "Sereno raised a table, and no function."
