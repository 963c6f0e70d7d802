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
from sereno.incident import TICKETS

pytestmark = pytest.mark.drill
READ, WRITE = "techmoda-read", "techmoda-write"


def measured(result: dict[str, Any]) -> dict[str, Any]:
    return {one["name"]: one["measured"] for one in result["objectives"]}


def missed(result: dict[str, Any]) -> list[dict[str, Any]]:
    return [one for one in result["objectives"] if not one["met"]]


def leases(result: dict[str, Any], remediator: str = "raise_concurrency") -> list[dict[str, Any]]:
    """The remediations that changed a function, or a table."""
    return [
        one
        for one in result["remediations"]
        if one["remediator"] == remediator and one["status"] not in ("SKIPPED", "OBSERVED")
    ]


def phases(remediation: dict[str, Any]) -> list[str]:
    return [event["phase"] for event in remediation["events"]]


@pytest.fixture(scope="session")
def ramp(surge_ramp: dict[str, Any]) -> dict[str, Any]:
    return surge_ramp


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

    def test_not_one_call_to_a_table_is_throttled_either(self, ramp):
        assert ramp["without"]["tables"]["throttled_calls"] > 1000, "AWS's own auto scaling alone comes too late"
        assert ramp["tables"] == {"throttled_calls": 0, "first_throttle_s": None, "recovered_s": 0.0}

    def test_the_table_is_raised_beside_the_functions(self, ramp):
        (raised, *_) = leases(ramp, "raise_capacity")
        assert {step["setting"] for step in raised["plan"]["steps"]} == {
            "read target",
            "write target",
            "by-category read target",
            "by-category write target",
        }

    def test_every_value_is_back_and_every_lease_taken_back(self, ramp):
        assert ramp["limits"]["after"] == ramp["limits"]["before"]
        assert {one["status"] for one in leases(ramp, "raise_capacity")} == {"REVERTED"}
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
    cut = replace(scenario.load("surge-step"), duration_s=13 * 60, objectives=())
    result = drill.run(cut)
    assert result["without"]["recovered_s"] is None or result["without"]["recovered_s"] > 300
    assert 0 < result["recovered_s"] <= 150
    assert result["requests"]["availability"] > result["without"]["requests"]["availability"]


def test_with_a_metric_of_ten_seconds_it_is_over_in_45():
    result = drill.run(replace(scenario.load("surge-step-fast"), duration_s=12 * 60, objectives=()))
    assert 0 < result["recovered_s"] <= 45
    assert result["dead_letters"] == 0


def rehearsed(name: str, minutes: int, without: tuple[str, ...] = ()) -> dict[str, Any]:
    """A scenario cut to what it is about; what only its end could show is not judged."""
    whole = scenario.load(name)
    kept = tuple(one for one in whole.objectives if one.name not in ("all-reverted", *without))
    return drill.run(replace(whole, duration_s=minutes * 60, objectives=kept))


def test_ten_times_the_traffic_throttles_nobody_whatever_a_change_of_capacity_takes():
    result = rehearsed("surge-10x", 30)
    assert missed(result) == []
    assert result["without"]["requests"]["failed"] > 100_000
    took = [one["through_s"] - one["at_s"] for one in result["capacity_changes"]]
    assert took
    assert all(20 <= seconds <= 240 for seconds in took)


def test_a_table_with_nothing_saved_up_recovers_apart_from_lambda():
    result = rehearsed("surge-step-cold-table", 12)
    assert missed(result) == []
    assert 0 < result["tables"]["recovered_s"] <= 330
    unattended = result["without"]["tables"]
    assert unattended["recovered_s"] is None or unattended["recovered_s"] > 330
    assert result["requests"]["availability"] > result["without"]["requests"]["availability"] + 0.1


def test_a_hot_key_is_told_to_a_person_and_no_capacity_is_raised_in_vain():
    result = rehearsed("hot-key", 18)
    assert missed(result) == []
    refused = next(one for one in result["remediations"] if one["reason"] == "HOT_KEY")
    assert "one range of keys" in refused["detail"]
    assert "cache" in refused["detail"], "what does help"
    told = [one for one in result["remediations"] if one["remediator"] == "open_incident"]
    paged = [one["what"] for one in told if one["status"] == "ESCALATED" and one["what"] not in TICKETS]
    assert paged == ["customers-hurt"], "one page an incident, whatever else fires in its first minutes"


def test_slow_calls_behind_the_function_get_no_more_of_them():
    result = rehearsed("slow-downstream", 17)
    assert missed(result) == []
    assert result["limits"]["after"][READ] == result["limits"]["before"][READ]


def test_demand_that_costs_more_than_the_day_may_is_left_to_a_person():
    result = rehearsed("bot-storm", 16)
    assert missed(result) == []
    assert leases(result), "reserved concurrency costs nothing, and is raised"


def test_in_a_full_account_a_quota_is_asked_for_and_the_watch_goes_on():
    result = rehearsed("noisy-neighbour", 14)
    assert missed(result) == []
    asked = next(one for one in result["remediations"] if one["remediator"] == "request_quota")
    assert asked["mode"] == "approve" or asked["status"] == "AWAITING_APPROVAL"
    assert result["own_functions"]["throttled"] == {}


def test_a_step_that_is_in_the_calendar_fails_nobody():
    result = rehearsed("planned-event", 50)
    assert missed(result) == []
    assert result["without"]["requests"]["failed"] > 100_000
    event = result["planned_events"][0]
    planned = [one for one in result["remediations"] if one["source"] == "event" and one["plan"]]
    assert {one["target"]["kind"] for one in planned} == {"function", "table"}
    assert all(one["at_s"] < event["from_s"] - 15 * 60 for one in planned), "raised before it begins"
    assert {one["status"] for one in planned} == {"HOLDING"}, "and held through it"


@pytest.fixture(scope="module")
def plateau() -> dict[str, Any]:
    """Forty minutes of it: the hold of a quarter of an hour passes well before the customers go."""
    shorter = ((300.0, 1.0), (900.0, 9.0), (2700.0, 9.0), (3300.0, 1.0))
    return drill.run(replace(scenario.load("release-in-plateau"), points=shorter, duration_s=80 * 60))


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
    """The peak of quiet-day-busy, an hour of it: where a watch that acts too easily would act."""
    whole = scenario.load("quiet-day-busy")
    assert whole.daily is not None
    peak = whole.daily.peak
    evening = replace(
        whole, daily=None, normal=peak, points=((0.0, 0.85), (1800.0, 1.0), (3600.0, 0.9)), duration_s=3600
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
    "alarm-account-quotas": 10,
    "alarm-account-requests": 8,
    "alarm-api-latency": 11,
    "alarm-burn-fast": 16,
    "alarm-burn-slow": 52,
    "alarm-customers-hurt": 8,
    "alarm-dead-letters": 13,
    "alarm-errors": 11,
    "alarm-exhaustion": 10,
    "alarm-exhaustion-fast": 8,
    "alarm-heartbeat": 23,
    "alarm-latency": 11,
    "alarm-saturation": 40,
    "alarm-table-capacity": 12,
    "alarm-table-errors": 9,
    "alarm-table-throttles": 9,
    "alarm-throttles": 8,
    "alarm-undelivered": 12,
    "alarm-unpublished": 14,
}


# What is provisioned is provisioned from the first minute on.
FROM_THE_START = {"alarm-account-quotas"}


# One of each kind: errors, throttles of a function and of a table, silence, a composite, and self-monitoring. That
# every alarm fires is replayed in test_replay.py; the other drills are kept for `make evidence`.
ALWAYS = {
    "alarm-5xx",
    "alarm-customers-hurt",
    "alarm-heartbeat",
    "alarm-table-throttles",
    "alarm-throttles",
    "alarm-undelivered",
}


@pytest.mark.parametrize(
    "name",
    [
        name if name in ALWAYS else pytest.param(name, marks=pytest.mark.evidence)
        for name in scenario.names()
        if name.startswith("alarm-")
    ],
)
def test_an_alarm_rings_for_the_trouble_that_it_is_there_for(name):
    whole = scenario.load(name)
    cut = replace(whole, duration_s=CUT_TO.get(name, whole.duration_s // 60) * 60)
    result = drill.run(cut)
    assert missed(result) == []
    rung = [one["measured"] for one in result["objectives"] if one["name"] == "alarm-fires"]
    if name not in FROM_THE_START:
        assert min(rung) > 4 * 60, "not before the trouble began"
