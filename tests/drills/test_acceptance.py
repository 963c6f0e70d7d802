"""What Sereno must win, rehearsed whole: the deployed watch on the embedded AWS, one seed each.

Runs are shared by the tests of a scenario, and long scenarios are cut to what they are about. `sereno drill NAME
--seeds 20` rehearses more than these tests have time for.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from drills import drill, scenario
from drills.contract import check

pytestmark = pytest.mark.drill
READ, WRITE = "techmoda-read", "techmoda-write"


def measured(result: dict[str, Any]) -> dict[str, Any]:
    return {one["name"]: one["measured"] for one in result["objectives"]}


def missed(result: dict[str, Any]) -> list[dict[str, Any]]:
    return [one for one in result["objectives"] if not one["met"]]


def leases(result: dict[str, Any]) -> list[dict[str, Any]]:
    """The remediations that changed a function."""
    return [
        one
        for one in result["remediations"]
        if one["remediator"] == "raise_concurrency" and one["status"] not in ("SKIPPED", "OBSERVED")
    ]


def phases(remediation: dict[str, Any]) -> list[str]:
    return [event["phase"] for event in remediation["events"]]


@pytest.fixture(scope="module")
def ramp() -> dict[str, Any]:
    return drill.run(scenario.load("surge-ramp"))


class TestSurgeRamp:
    """Fashion Week: raised in time, nobody notices, everything is given back."""

    pytestmark = pytest.mark.xdist_group("drill-ramp")

    def test_unattended_it_is_the_outage_that_it_was(self, ramp):
        assert ramp["without"]["requests"]["failed"] > 1_000_000
        assert ramp["without"]["requests"]["availability"] < 0.9

    def test_not_one_attempt_is_throttled(self, ramp):
        assert ramp["requests"]["throttled_attempts"] == 0
        assert ramp["requests"]["failed"] == 0
        assert ramp["requests"]["served"] == ramp["requests"]["offered"] > 4_000_000

    def test_the_raise_comes_well_before_the_first_throttle(self, ramp):
        assert ramp["without"]["first_throttle_s"] - ramp["raised_s"] >= 25

    def test_nobody_is_woken(self, ramp):
        assert measured(ramp)["no-page"] == 0
        assert ramp["dead_letters"] == 0

    def test_every_value_is_back_and_every_lease_taken_back(self, ramp):
        assert ramp["limits"]["after"] == ramp["limits"]["before"]
        assert {one["target"]["name"] for one in leases(ramp)} == {READ, WRITE}
        assert {one["status"] for one in leases(ramp)} == {"REVERTED"}

    def test_every_objective_is_met_and_the_result_has_its_shape(self, ramp):
        assert missed(ramp) == []
        assert check(ramp) is ramp

    def test_the_plan_says_what_why_and_how_it_is_undone(self, ramp):
        lease = next(one for one in leases(ramp) if one["target"]["name"] == READ)
        (step,) = lease["plan"]["steps"]
        assert (step["before"], step["after"] > 120) == (120, True)
        assert step["undo"]["params"] == {"FunctionName": READ, "ReservedConcurrentExecutions": 120}
        assert lease["plan"]["reason"]
        assert all(verdict["ok"] for _, verdict in lease["plan"]["gates"])


def test_a_step_that_no_metric_can_foresee_is_over_in_150_seconds():
    cut = replace(scenario.load("surge-step"), duration_s=20 * 60, objectives=())
    result = drill.run(cut)
    assert result["without"]["recovered_s"] is None or result["without"]["recovered_s"] > 300
    assert 0 < result["recovered_s"] <= 150
    assert result["requests"]["availability"] > result["without"]["requests"]["availability"]


def test_with_a_metric_of_ten_seconds_it_is_over_in_45():
    result = drill.run(replace(scenario.load("surge-step-fast"), duration_s=20 * 60, objectives=()))
    assert 0 < result["recovered_s"] <= 45
    assert result["dead_letters"] == 0


@pytest.fixture(scope="module")
def plateau() -> dict[str, Any]:
    """An hour of it: the hold of a quarter of an hour passes long before the customers go."""
    hour = ((600.0, 1.0), (1200.0, 9.0), (4200.0, 9.0), (4800.0, 1.0))
    return drill.run(replace(scenario.load("release-in-plateau"), points=hour, duration_s=110 * 60))


class TestReleaseInPlateau:
    """The hold passes while the customers are still there."""

    pytestmark = pytest.mark.xdist_group("drill-plateau")

    def test_nothing_is_taken_back_while_the_customers_are_there(self, plateau):
        offered = plateau["series"]["with"]["offered"]
        for name, before in ((READ, 120), (WRITE, 40)):
            limit = plateau["series"]["with"]["functions"][name]["limit"]
            drops = [slot for slot in range(1, len(limit)) if limit[slot] < limit[slot - 1]]
            assert len(drops) == 1, "raised once, taken back once"
            assert limit[drops[0]] == before
            # Metrics are minutely: what counts are the whole minutes of the hold.
            hold = slice(drops[0] - 14 * 6, drops[0])
            busiest = max(plateau["series"]["with"]["functions"][name]["concurrency"][hold])
            assert busiest <= 0.7 * before, "the peak of the hold fits in 70 % of the value restored"
            assert max(offered[hold]) < 0.7 * max(offered)

    def test_nothing_is_throttled_by_the_release(self, plateau):
        assert plateau["requests"]["throttled_attempts"] == 0
        assert missed(plateau) == []

    def test_the_ledger_says_why_it_was_still_needed_and_by_whom_it_went(self, plateau):
        for lease in leases(plateau):
            told = [(event["by"], event["phase"], event["detail"]) for event in lease["events"]]
            needed = [detail for _, phase, detail in told if phase == "HOLDING" and "STILL_NEEDED" in detail]
            assert len(needed) == 1, "said once, not once a minute"
            assert "in the hold" in needed[0]
            assert {by for by, _, _ in told} == {"sereno"}
            assert phases(lease)[-2:] == ["REVERTING", "REVERTED"]
            assert "fits in" in told[-2][2]


def test_a_busy_evening_within_the_limits_changes_nothing_and_wakes_nobody():
    """The peak of quiet-day-busy, two hours of it: where a watch that acts too easily would act."""
    whole = scenario.load("quiet-day-busy")
    assert whole.daily is not None
    peak = whole.daily.peak
    evening = replace(
        whole, daily=None, normal=peak, points=((0.0, 0.85), (3600.0, 1.0), (7200.0, 0.9)), duration_s=2 * 3600
    )
    result = drill.run(evening)
    assert missed(result) == []
    assert result["remediations"] == []
    assert result["notifications"] == []


def test_the_same_seed_gives_the_same_drill_and_another_seed_another():
    short = replace(scenario.load("alarm-exhaustion"), duration_s=10 * 60, jitter_s=60.0)
    once, again = (json.dumps(drill.run(short, seed=5), sort_keys=True) for _ in range(2))
    assert once == again
    assert json.loads(once)["raised_s"] is not None, "something happened that could have differed"
    other = json.loads(json.dumps(drill.run(short, seed=6)))
    assert other["requests"] != json.loads(once)["requests"]


# An alarm test may end soon after its alarm must have rung (minutes); those not named here run whole.
CUT_TO = {
    "alarm-5xx": 11,
    "alarm-api-latency": 11,
    "alarm-burn-fast": 18,
    "alarm-burn-slow": 75,
    "alarm-customers-hurt": 10,
    "alarm-dead-letters": 20,
    "alarm-errors": 11,
    "alarm-exhaustion": 10,
    "alarm-exhaustion-fast": 8,
    "alarm-heartbeat": 30,
    "alarm-latency": 11,
    "alarm-saturation": 40,
    "alarm-throttles": 9,
    "alarm-undelivered": 20,
    "alarm-unpublished": 20,
}


@pytest.mark.parametrize("name", [name for name in scenario.names() if name.startswith("alarm-")])
def test_an_alarm_rings_for_the_trouble_that_it_is_there_for(name):
    whole = scenario.load(name)
    cut = replace(whole, duration_s=CUT_TO.get(name, whole.duration_s // 60) * 60)
    result = drill.run(cut)
    assert missed(result) == []
    rung = [one["measured"] for one in result["objectives"] if one["name"] == "alarm-fires"]
    assert min(rung) > 4 * 60, "not before the trouble began"
