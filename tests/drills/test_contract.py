"""A result of the wrong shape is told apart from a bad drill: every fault, with its place and its mend."""

from __future__ import annotations

import pytest

from drills.contract import check
from sereno.errors import InvalidInput


def _faults(result):
    with pytest.raises(InvalidInput) as raised:
        check(result)
    return [str(problem) for problem in raised.value.problems]


def test_the_engines_result_passes_as_it_is(surge):
    assert check(surge) is surge


def test_every_fault_is_named_at_once(surge):
    del surge["story"]
    surge["duration_s"] = "two hours"
    surge["objectives"][1]["met"] = "yes"
    surge["requests"]["offered"] = True
    assert _faults(surge) == [
        "result.story: is missing; the engine writes it",
        'result.duration_s: "two hours" should be a number',
        'result.objectives[1].met: "yes" should be true or false',
        'result.requests.offered: "True" should be a number',
    ]


def test_columns_of_different_length_cannot_be_drawn(surge):
    surge["series"]["with"]["served"].pop()
    surge["series"]["without"]["functions"]["techmoda-search"]["limit"] = []
    assert _faults(surge) == [
        'result.series.with.served: "719" points should be 720, as many as result.series.t has',
        'result.series.without.functions.techmoda-search.limit: "0" points should be 720, '
        "as many as result.series.t has",
    ]


def test_a_start_without_a_zone_has_no_clock(surge):
    surge["start"] = "2026-11-24T09:30:00"
    assert _faults(surge) == [
        'result.start: "2026-11-24T09:30:00" should be an ISO time with a zone, e.g. 2026-11-24T09:30:00Z'
    ]


def test_a_drill_takes_time(surge):
    surge["duration_s"] = 0
    assert _faults(surge) == ['result.duration_s: "0" should be above 0 seconds']


def test_plans_are_checked_to_their_undo_and_gates(surge):
    plan = surge["remediations"][0]["plan"]
    plan["steps"][0]["undo"] = {"service": "lambda"}
    plan["gates"][0] = ["mode", True]
    places = [fault.partition(": ")[0] for fault in _faults(surge)]
    assert places == [
        "result.remediations[0].plan.steps[0].undo.operation",
        "result.remediations[0].plan.steps[0].undo.params",
        "result.remediations[0].plan.gates[0]",
    ]


def test_what_is_no_object_at_all_is_said_so():
    assert _faults([]) == ['result: "list" should be an object']


def test_tables_and_planned_events_may_be_missing_but_not_half_there(starved):
    assert check(starved) is starved
    starved["planned_events"] = [{"name": "broadcast", "from_s": 600, "to_s": "later", "factor": 9}]
    del starved["without"]["tables"]["recovered_s"]
    assert _faults(starved) == [
        "result.without.tables.recovered_s: is missing; the engine writes it",
        'result.planned_events[0].to_s: "later" should be a number',
    ]


def test_a_tables_columns_must_fit_too(starved):
    tables = starved["series"]["with"]["tables"]["techmoda-products"]
    tables["read"]["throttled"].pop()
    del tables["write"]
    assert _faults(starved) == [
        'result.series.with.tables.techmoda-products.write: "NoneType" should be an object',
        'result.series.with.tables.techmoda-products.read.throttled: "719" points should be 720, as many as '
        "result.series.t has",
    ]
