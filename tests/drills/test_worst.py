"""The surge drills pass when metrics are three minutes late and evaluations fetch no more than N datapoints."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from alarms.assumptions import NAMED, WORST
from drills import drill, scenario

SURGES = [name for name in scenario.names() if name.startswith("surge-")]


def missed(result: dict[str, Any]) -> list[dict[str, Any]]:
    return [one for one in result["objectives"] if not one["met"]]


@pytest.mark.drill
def test_the_ramp_is_seen_in_time_under_the_worst_assumption():
    """Nobody is throttled, and the raise comes well before the first throttle: the first 22 minutes of it."""
    worst = scenario.load("surge-ramp").assuming(WORST)
    kept = tuple(one for one in worst.objectives if one.name != "all-reverted")
    result = drill.run(replace(worst, duration_s=22 * 60, objectives=kept))
    assert missed(result) == []
    assert result["raised_s"] + 25 <= result["without"]["first_throttle_s"]


def test_only_recovery_from_what_nothing_foresees_may_take_longer_and_the_result_says_why():
    step, ramp = (scenario.load(name) for name in ("surge-step", "surge-ramp"))
    assert ramp.assuming(WORST).objectives == ramp.objectives
    (before, *_), (after, *_) = step.objectives, step.assuming(WORST).objectives
    assert (before.target, after.target) == (150, 255)
    assert "metrics are 3 minutes late" in step.assuming(WORST).story
    fast = scenario.load("surge-step-fast")
    assert fast.assuming(WORST).objectives == fast.objectives, "its metric is the application's own"


@pytest.mark.evidence
@pytest.mark.parametrize("seed", range(1, 21))
@pytest.mark.parametrize("name", SURGES)
def test_a_surge_meets_every_objective_under_the_worst_assumption(name, seed):
    assert missed(drill.run(scenario.load(name).assuming(WORST), seed=seed)) == []


@pytest.mark.evidence
@pytest.mark.parametrize("assume", [name for name in NAMED if name != "usual"])
def test_an_ordinary_day_pages_nobody_under_any_assumption(assume):
    assert missed(drill.run(scenario.load("quiet-day").assuming(NAMED[assume]))) == []
