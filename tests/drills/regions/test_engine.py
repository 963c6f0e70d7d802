"""Sereno at work in a short outage: one clock, real probers and rounds, and a watch that must not move anything."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from drills.engine import Happening
from drills.regions import drill, ground
from drills.regions.engine import Engine, Run
from drills.regions.region import Trouble
from drills.regions.scenario import RegionScenario, Wish
from remediators import prober
from sereno.model import Json, Mode
from sereno.service import REGION_OUT, Service

PRIMARY, STANDBY = "eu-west-1", "eu-central-1"
MINUTES = 8
DARK = Trouble("dark", "primary", 120.0, 400.0)


def scenario(*troubles: Trouble, **more: Any) -> RegionScenario:
    start = datetime(2026, 11, 27, 17, tzinfo=UTC)
    return RegionScenario("short", "", "", "techmoda", start, MINUTES * 60, 60.0, troubles, jitter_s=30.0, **more)


def run(*troubles: Trouble, seed: int = 1, service: Service | None = None, **more: Any) -> Run:
    return Engine(scenario(*troubles), seed, service or ground.prepared("techmoda"), **more).run()


def result(seed: int) -> Json:
    one = scenario(DARK)
    alone = one.world(seed, ground.prepared("techmoda"), switched=False)
    alone.advance(one.duration_s)
    return drill.result_of(run(DARK, seed=seed), alone)


def in_mode(mode: Mode) -> Service:
    service = ground.prepared("techmoda")
    play = replace(service.playbook[REGION_OUT], mode=mode)
    return replace(service, playbook={**service.playbook, REGION_OUT: play})


@pytest.fixture(scope="module")
def dark() -> Run:
    return run(DARK)


def begins(one: Run) -> float:
    return one.scenario.outages(one.seed)[0][0]


def test_a_dark_primary_is_found_by_two_left_once_and_people_are_told(dark):
    assert len(dark.confirmed) == 1
    assert [there for _, there in dark.world.switchings] == [True]
    moved = [one for one in dark.remediations if one["remediator"] == "fail_over"]
    assert [one["status"] for one in moved] == ["HOLDING"]
    assert "out by 2 vantages" in moved[0]["plan"]["reason"]
    assert begins(dark) < dark.confirmed[0] <= dark.world.switchings[0][0] < begins(dark) + 60
    assert any(one["remediator"] == "fail_over" for one in dark.notifications)
    assert set(dark.world.answered()) == {STANDBY}, "the region is back, and nobody has asked for it"
    assert dark.errors == []


def test_every_prober_tries_twelve_times_a_minute_and_a_dark_one_does_not(dark):
    well = run().tries
    assert well == pytest.approx(3 * 12 * MINUTES, rel=0.1), "three regions, from some moment of the first minute on"
    silent = DARK.end - DARK.start
    assert well - dark.tries == pytest.approx(12 * silent / 60, abs=12), "what begins in a dark region is not there"


def test_the_round_looks_once_a_minute(dark):
    assert dark.rounds == MINUTES


def test_the_same_seed_gives_the_same_result_to_the_last_second():
    assert result(3) == result(3)


def test_another_seed_has_another_outage_and_other_customers():
    one, other = result(3), result(4)
    assert one["outages"][0]["from_s"] != other["outages"][0]["from_s"]
    assert one["requests"]["offered"] != other["requests"]["offered"]


def test_a_watch_that_only_observes_says_what_it_would_do_and_moves_nothing():
    blind = run(DARK, service=in_mode(Mode.OBSERVE))
    assert len(blind.confirmed) == 1, "it has seen what the other would have seen"
    assert blind.world.switchings == []
    would = [one for one in blind.remediations if one["remediator"] == "fail_over"]
    assert would[0]["status"] == "OBSERVED"
    assert would[0]["plan"]["steps"][0]["do"]["operation"] == "put_object", "what it would have written"
    assert {one["status"] for one in would} <= {"OBSERVED", "SKIPPED"}
    assert set(blind.world.answered()) == {PRIMARY}, "DNS alone moves them, and back with the region"


def test_a_watch_that_is_off_moves_nothing():
    assert run(DARK, service=in_mode(Mode.OFF)).world.switchings == []


@pytest.mark.parametrize("region", ["eu-central-1", "eu-north-1"])
def test_with_one_of_two_vantages_blind_nothing_is_moved(monkeypatch, region):
    monkeypatch.setattr(prober, "try_once", _blind(prober.try_once, region))
    one = run(DARK)
    assert one.confirmed == []
    assert one.world.switchings == []


def _blind(real: Callable[..., Any], region: str) -> Callable[..., Any]:
    return lambda watch, eyes: None if watch.service.region == region else real(watch, eyes)


def test_when_the_prober_is_lost_after_it_has_noted_the_outage_the_round_moves_traffic(monkeypatch):
    monkeypatch.setattr(prober, "answer", lambda *_: False)
    one = run(DARK)
    (moved, _) = one.world.switchings[0]
    assert 0 <= moved - one.confirmed[0] <= 60


def test_a_standby_that_is_dark_too_keeps_its_customers_where_they_are():
    one = run(DARK, Trouble("dark", "standby", 110.0, 430.0))
    assert one.world.switchings == []


def test_a_person_who_asks_for_the_primary_is_heard_by_the_standby():
    asked = 420.0
    one = replace(scenario(DARK), people=(Wish("fail-back", asked),))
    ran = Engine(one, 1, ground.prepared("techmoda")).run()
    (row,) = [each for each in ran.remediations if each["remediator"] == "fail_back"]
    assert row["source"] == "manual"
    assert 0 <= row["at_s"] - one.moment(asked, 1) <= 60
    assert row["status"] == "SKIPPED", "the region is back for a minute, and has to be well for longer"


def test_progress_goes_to_the_end_and_never_back_and_happenings_come_in_order():
    progress: list[float] = []
    told: list[Happening] = []
    run(DARK, tick=progress.append, watch_over=told.append)
    assert progress == sorted(progress)
    assert progress[-1] == MINUTES * 60
    assert told
    assert [one.at_s for one in told] == sorted(one.at_s for one in told)
