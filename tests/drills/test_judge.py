"""Objectives judged on what a drill measured: each met, each missed, and each that could not be measured."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from drills.judge import JUDGES, Case, judge
from drills.scenario import Objective
from drills.scenario_reader import OBJECTIVES
from drills.world import TOTAL
from sereno.errors import InvalidInput


def world(**facts: Any) -> Any:
    """A world as far as a judge looks at it; `recovered` is None without trouble, or the seconds it lasted."""
    totals = {"offered": 1000, "served": 1000, "failed": 0, "throttled": 0, **facts.pop("totals", {})}
    calm = "never in trouble"
    known = {"first_throttle": None, "p99": 434.0, "recovered": calm, "tables": calm, "throttled_calls": 0, **facts}
    trouble = None if known["recovered"] == calm else SimpleNamespace(seconds=known["recovered"])
    of_tables = None if known["tables"] == calm else SimpleNamespace(seconds=known["tables"])
    return SimpleNamespace(
        totals={TOTAL: SimpleNamespace(**totals)},
        first_throttle={TOTAL: 1.0, **(known["first_throttle"] or {"read": None})},
        latency=SimpleNamespace(percentile=lambda _: known["p99"]),
        trouble=lambda name, quiet: trouble,
        table_trouble=lambda name, quiet: of_tables,
        table_totals={TOTAL: SimpleNamespace(throttled=known["throttled_calls"])},
    )


def run(**facts: Any) -> Any:
    calm: dict[str, Any] = {
        "raised_at": {},
        "pages": [],
        "remediations": [],
        "limits_before": {"read": 120},
        "limits_after": {"read": 120},
        "transitions": {},
        "incidents": [],
        "own_runs": {},
        "own_throttled": {},
    }
    return SimpleNamespace(**{**calm, **facts})


def remediation(status: str = "SKIPPED", reason: str = "HOT_KEY", kind: str = "table", **more: Any) -> dict[str, Any]:
    """A row of the ledger as far as a judge looks at it; `phases` are its history, ten seconds apart."""
    phases = more.pop("phases", (status,))
    undo = {"service": "dynamodb", "operation": "update_table", "params": {}}
    return {
        "id": "r-1",
        "remediator": "raise_capacity",
        "target": {"kind": kind},
        "status": status,
        "reason": reason,
        "detail": f"{reason}: in words",
        "at_s": 700.0,
        "plan": {"reason": "the plan's reason", "steps": [{"undo": undo}]},
        "events": [{"at_s": 700.0 + 10 * number, "phase": phase} for number, phase in enumerate(phases)],
        **more,
    }


def judged(name: str, target: Any = None, *, of: Any = None, twin: Any = None, **facts: Any) -> dict[str, Any]:
    (line,) = judge((Objective(name, target),), Case(run(**facts), of or world(), twin or world()))
    return line


READ = {"read": 1000.0}


@pytest.mark.parametrize(
    ("name", "target", "facts", "measured", "met"),
    [
        ("availability", 0.999, {"of": world(totals={"served": 999})}, 0.999, True),
        ("availability", 0.9999, {"of": world(totals={"served": 999})}, 0.999, False),
        ("availability", 0.5, {"of": world(totals={"offered": 0, "served": 0})}, None, False),
        ("p99", 500, {}, 434.0, True),
        ("p99", 400, {}, 434.0, False),
        ("p99", 400, {"of": world(p99=None)}, None, False),
        ("zero-throttles", None, {}, 0, True),
        ("zero-throttles", None, {"of": world(totals={"throttled": 1})}, 1, False),
        ("raised-before", None, {"twin": world(first_throttle=READ), "raised_at": {"read": 975.0}}, 25.0, True),
        ("raised-before", None, {"twin": world(first_throttle=READ), "raised_at": {"read": 975.1}}, 24.9, False),
        ("raised-before", 60, {"twin": world(first_throttle=READ), "raised_at": {"read": 950.0}}, 50.0, False),
        ("raised-before", None, {"twin": world(first_throttle=READ)}, None, False),
        ("raised-before", None, {"raised_at": {"read": 975.0}}, None, True),
        ("recovered-within", 150, {}, 0.0, True),
        ("recovered-within", 150, {"of": world(recovered=150.0)}, 150.0, True),
        ("recovered-within", 150, {"of": world(recovered=151.0)}, 151.0, False),
        ("recovered-within", 150, {"of": world(recovered=None)}, None, False),
        ("zero-table-throttles", None, {}, 0, True),
        ("zero-table-throttles", None, {"of": world(throttled_calls=3)}, 3, False),
        ("table-recovered-within", 330, {}, 0.0, True),
        ("table-recovered-within", 330, {"of": world(tables=330.0)}, 330.0, True),
        ("table-recovered-within", 330, {"of": world(tables=331.0)}, 331.0, False),
        ("table-recovered-within", 330, {"of": world(tables=None)}, None, False),
        ("recovered-within", 150, {"of": world(tables=900.0)}, 0.0, True),
        ("refused-with", "HOT_KEY", {"remediations": [remediation()]}, 700.0, True),
        ("refused-with", "NO_HEADROOM", {"remediations": [remediation()]}, None, False),
        ("refused-with", "HOT_KEY", {"remediations": [remediation("ESCALATED")]}, None, False),
        ("refused-with", "HOT_KEY", {}, None, False),
        ("not-raised", "table", {"remediations": [remediation()]}, 0, True),
        ("not-raised", "table", {"remediations": [remediation("HOLDING", phases=("APPLYING", "HOLDING"))]}, 1, False),
        ("not-raised", "function", {"remediations": [remediation("HOLDING", phases=("APPLYING",))]}, 0, True),
        ("told", "incident", {"incidents": [{"id": "incident-1", "title": "hurt"}]}, 1, True),
        ("told", "incident", {"pages": [{"subject": "5xx"}]}, 0, False),
        ("told", "page", {"pages": [{"subject": "5xx"}]}, 1, True),
        (
            "asks",
            "raise_capacity",
            {"remediations": [remediation(phases=("PLANNED", "AWAITING_APPROVAL"))]},
            710,
            True,
        ),
        ("asks", "raise_capacity", {"remediations": [remediation("OBSERVED")]}, None, False),
        ("asks", "request_quota", {"remediations": [remediation(phases=("AWAITING_APPROVAL",))]}, None, False),
        ("own-functions-ran", None, {"own_runs": {"round": 60}}, 60, True),
        ("own-functions-ran", None, {"own_runs": {"round": 60}, "own_throttled": {"notifier": 1}}, 60, False),
        ("own-functions-ran", None, {}, 0, False),
        ("no-page", None, {}, 0, True),
        ("no-page", None, {"pages": [{"subject": 'ALARM: "techmoda/catalogue/5xx"'}]}, 1, False),
        ("no-remediation", None, {}, 0, True),
        ("no-remediation", None, {"remediations": [{"id": "a", "status": "SKIPPED"}]}, 1, False),
        ("all-reverted", None, {"remediations": [{"id": "a", "status": "REVERTED"}]}, 1, True),
        ("all-reverted", None, {"remediations": [{"id": "a", "status": "HOLDING"}]}, 0, False),
        ("all-reverted", None, {"limits_after": {"read": 240}}, 0, False),
    ],
)
def test_an_objective_is_met_or_missed_by_what_was_measured(name, target, facts, measured, met):
    line = judged(name, target, **facts)
    assert (line["name"], line["met"]) == (name, met)
    assert line["measured"] == (measured if measured is None else pytest.approx(measured))


def test_an_alarm_fires_when_one_of_its_what_goes_to_alarm_and_the_first_counts():
    rung = {
        "techmoda/read/latency": [{"at_s": 500.0, "state": "OK"}, {"at_s": 700.0, "state": "ALARM"}],
        "techmoda/catalogue/latency": [{"at_s": 650.0, "state": "ALARM"}],
        "techmoda/read/latency-of-old": [{"at_s": 1.0, "state": "ALARM"}],
    }
    assert judged("alarm-fires", "latency", transitions=rung)["measured"] == 650.0
    assert judged("alarm-fires", "read/latency", transitions=rung)["measured"] == 700.0
    silent = judged("alarm-fires", "5xx", transitions=rung)
    assert (silent["measured"], silent["met"]) == (None, False)


def test_an_early_raise_of_one_function_does_not_speak_for_another():
    both = world(first_throttle={"read": 1000.0, "write": 1200.0})
    line = judged("raised-before", twin=both, raised_at={"write": 800.0, "read": 990.0})
    assert (line["measured"], line["met"]) == (10.0, False)
    assert line["detail"].startswith("read")
    missing = judged("raised-before", twin=both, raised_at={"write": 800.0})
    assert (missing["met"], missing["detail"]) == (False, "the limit of read was never raised")


def test_what_stays_changed_is_named():
    line = judged("all-reverted", limits_after={"read": 240}, remediations=[{"id": "r-1", "status": "HOLDING"}])
    assert line["detail"] == "r-1; read 120 -> 240"


def test_a_woken_person_is_told_by_what():
    assert judged("no-page", pages=[{"subject": "5xx"}, {"subject": "burn-fast"}])["detail"] == "5xx; burn-fast"


def test_a_refusal_is_told_in_its_own_words_and_a_missing_one_by_what_was_said_instead():
    assert judged("refused-with", "HOT_KEY", remediations=[remediation()])["detail"] == (
        "raise_capacity: HOT_KEY: in words"
    )
    other = judged("refused-with", "NO_HEADROOM", remediations=[remediation()])
    assert other["detail"] == "refused for HOT_KEY"


def test_who_found_no_place_is_named():
    line = judged("own-functions-ran", own_runs={"round": 60}, own_throttled={"notifier": 2})
    assert line["detail"] == "throttled 2 times: notifier"


def test_the_unattended_twin_is_judged_without_a_watch():
    lines = judge((Objective("zero-throttles"), Objective("all-reverted")), Case(None, world(), world()))
    assert [line["met"] for line in lines] == [True, True]
    of_the_watch = ("told", "incident"), ("refused-with", "HOT_KEY"), ("asks", "request_quota")
    lines = judge(tuple(Objective(*one) for one in of_the_watch), Case(None, world(), world()))
    assert [line["met"] for line in lines] == [False, False, False]


def test_every_objective_that_a_scenario_may_set_is_judged():
    assert set(OBJECTIVES) == set(JUDGES)


def test_an_objective_that_nobody_judges_is_refused_by_name():
    with pytest.raises(InvalidInput, match='"world-peace" is not judged \\(known: availability'):
        judge((Objective("world-peace"),), Case(run(), world(), world()))
