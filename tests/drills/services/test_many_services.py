"""Many services of one account: a small account in the ordinary tests, thirty services over ten seeds as evidence."""

from __future__ import annotations

from dataclasses import replace

import pytest

from deploy.embedded_meter import Meter
from deploy.embedded_rates import LIMITS
from drills import library, report, voices
from drills.services import drill, engine, judge, members, scenario
from sereno.errors import InvalidInput

WHOLE = scenario.load(scenario.FOLDER / "many-services.yaml")
# Six services with the part of the account that is theirs, and a busier rest of it.
SMALL = replace(WHOLE, services=6, concurrency=700, others={**WHOLE.others, "lambda control plane": 14.8})

pytestmark = [pytest.mark.drill, pytest.mark.xdist_group("drill-services")]


def objectives(result):
    return {one["name"]: one for one in result["objectives"]}


def missed(result):
    return {name: one for name, one in objectives(result).items() if not one["met"]}


def run_of(found, meter=None):
    services = members.gather(found)
    beside = engine.without(found, 1, services, lambda _: None)
    return engine.Engine(found, 1, services, meter=meter).run(), beside


@pytest.fixture(scope="module")
def judged():
    """A run that a test may falsify, with the worlds in which nobody acted."""
    return run_of(SMALL)


@pytest.fixture(scope="module")
def small(judged):
    return drill.result_of(*judged)


def test_a_small_account_meets_every_objective(small):
    assert not missed(small), missed(small)
    assert small["requests"]["failed"] < small["without"]["requests"]["failed"] / 5


def test_the_rates_of_the_account_are_met_and_outlived(small):
    assert sum(one["throttled"] for one in small["limits"]) > 0
    assert small["calls"]["lambda.PutFunctionConcurrency"] >= 10, "each raise and its revert"
    assert "dynamodb.DescribeLimits" not in small["calls"] or small["calls"]["dynamodb.DescribeLimits"] <= 3


def test_ledgers_are_separate(small):
    for one in small["remediations"]:
        assert one["target"]["name"].startswith(one["service"]) or one["target"]["kind"] == "account"


def test_the_result_is_shown_in_the_terminal_and_on_a_page(small):
    voice = voices.of(small)
    assert voice.check(small) is small
    assert "5 of 6 services raised" in voice.headline(small)
    page = report.render(small)
    assert "shop-06" in page
    assert all(one["name"] in page for one in small["limits"])


def test_starved_control_planes_are_a_missed_objective():
    """The same account under a fraction of Lambda's rate, with its neighbours as busy as before."""
    slow = tuple(replace(one, rate=0.02, burst=1.0) if one.name == "lambda control plane" else one for one in LIMITS)
    done, beside = run_of(replace(SMALL, services=2, concurrency=400, duration_s=10 * 60), Meter(slow))
    found = {one["name"]: one for one in judge.judge(done, beside)}
    assert not found["answered-within"]["met"], found


def test_a_drill_without_limits_is_no_proof():
    quiet = replace(SMALL, services=2, concurrency=400, duration_s=60, others={})
    done, beside = run_of(quiet, Meter(()))
    found = {one["name"]: one for one in judge.judge(done, beside)}
    assert not found["shared-limits-held"]["met"]
    assert not found["all-answered"]["met"], "nobody had a surge to answer"
    assert not found["none-skipped-for-errors"]["met"], "no remediation at all is no proof either"
    assert not found["all-reverted"]["met"]


def falsified(judged, name, change):
    done, beside = judged
    kept = [(list(one.rows), one.lowest, one.reconciled, list(one.failures)) for one in done.parties]
    levels, least = list(done.levels), done.least_unreserved
    try:
        change(done)
        return {one["name"]: one for one in judge.judge(done, beside)}[name]
    finally:
        for one, (rows, lowest, reconciled, failures) in zip(done.parties, kept, strict=True):
            one.rows, one.lowest, one.reconciled, one.failures = rows, lowest, reconciled, failures
        done.levels, done.least_unreserved = levels, least


def refuse(done):
    """The first service's raises were refused for want of room."""
    party = done.parties[0]
    party.rows = [
        {**one, "reason": "NO_HEADROOM", "status": "SKIPPED", "events": [{"at_s": one["at_s"], "phase": "SKIPPED"}]}
        if one["remediator"] == "raise_concurrency"
        else one
        for one in party.rows
    ]


def refuse_while_nothing_is_left(done):
    refuse(done)
    done.levels = [(at, 100, in_use) for at, _, in_use in done.levels]


def no_raise(done):
    done.parties[0].rows = [one for one in done.parties[0].rows if one["remediator"] != "raise_concurrency"]


def lowered(done):
    done.parties[0].lowest = 3


def one_error(done):
    done.parties[0].rows = [*done.parties[0].rows, {**done.parties[0].rows[0], "reason": "AWS_ERROR"}]


def stopped(done):
    done.parties[1].reconciled = 3


def failing(done):
    done.parties[1].failures = [{"at_s": 1.0, "function": "round", "error": "RuntimeError: no"}]


def overdrawn(done):
    done.least_unreserved = 99


@pytest.mark.parametrize(
    ("name", "change", "met"),
    [
        ("all-answered", refuse, False),
        ("all-answered", refuse_while_nothing_is_left, True),
        ("all-answered", no_raise, False),
        ("answered-within", no_raise, False),
        ("none-harmed", lowered, False),
        ("none-skipped-for-errors", one_error, False),
        ("own-functions-ran", stopped, False),
        ("own-functions-ran", failing, False),
        ("shared-limits-held", overdrawn, False),
    ],
    ids=lambda value: getattr(value, "__name__", str(value)),
)
def test_each_objective_tells_a_bad_outcome_from_a_good_one(judged, name, change, met):
    assert falsified(judged, name, lambda _: None)["met"]
    assert falsified(judged, name, change)["met"] is met


def test_a_neighbour_that_suffers_is_a_missed_objective(judged):
    done, beside = judged
    swapped = {one["name"]: one for one in judge.judge(done, [one.world for one in done.parties])}
    assert swapped["none-harmed"]["met"]
    mine = [replace(party, world=world) for party, world in zip(done.parties, beside, strict=True)]
    worse = judge.judge(replace(done, parties=mine), [one.world for one in done.parties])
    assert not {one["name"]: one for one in worse}["none-harmed"]["met"]


# -- the scenario


def test_it_is_a_scenario_like_others():
    assert "many-services" in library.names()
    assert library.load("many-services") == WHOLE


def test_every_problem_of_a_scenario_is_told_at_once(tmp_path):
    path = tmp_path / "broken.yaml"
    path.write_text(
        "name: other\nkind: services\nservices: 120\ntraffic: [[4m, nine]]\n"
        "others: {lambda: 3/s}\nobjectives: [all-ok]\n"
    )
    with pytest.raises(InvalidInput) as told:
        scenario.load(path)
    text = str(told.value)
    for part in ("services", "traffic[0]", "others.lambda", "objectives[0]", "differs from the file's name"):
        assert part in text


@pytest.mark.evidence
@pytest.mark.parametrize("seed", range(1, 11))
def test_thirty_services_surge_together(seed):
    result = drill.run(WHOLE, seed)
    assert not missed(result), missed(result)
