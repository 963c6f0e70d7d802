"""Objectives of a region's loss judged on small worlds: each met, each missed, and each that has no measure."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from drills.regions import judge
from drills.regions.account import Refused
from drills.regions.objectives import OBJECTIVES
from drills.regions.replication import Lost
from drills.regions.world import Move
from drills.scenario import Objective

PRIMARY, STANDBY = "eu-west-1", "eu-central-1"
OUTAGE = (100.0, 200.0)
THERE, TENTH, HALF, BACK = (
    {STANDBY: 1.0},
    {PRIMARY: 0.1, STANDBY: 0.9},
    {PRIMARY: 0.5, STANDBY: 0.5},
    {PRIMARY: 1.0},
)
# All are sent there, and given back in three steps after a person has asked for it at 240 s.
ASKED = 240.0
GIVEN_BACK = ((110.0, THERE), (245.0, TENTH), (255.0, HALF), (265.0, BACK))


def world(failed: dict[range, int] | None = None, moves: Any = (), switchings: Any = (), offered: int = 100) -> Any:
    """A world as far as a judge looks at it: a hundred calls a second for five minutes."""
    fails = [next((count for stretch, count in (failed or {}).items() if at in stretch), 0) for at in range(300)]
    return SimpleNamespace(
        second=300,
        customers=SimpleNamespace(counts=SimpleNamespace(offered=[offered] * 300, failed=fails)),
        place=SimpleNamespace(primary=PRIMARY, standby=STANDBY),
        moves=[Move(at, chances) for at, chances in moves],
        switchings=list(switchings),
        health=SimpleNamespace(changes=[]),
    )


def run(confirmed: Any = (), forbidden: Any = (), notifications: Any = ()) -> Any:
    return SimpleNamespace(
        confirmed=list(confirmed), rules=SimpleNamespace(forbidden=list(forbidden)), notifications=list(notifications)
    )


def lost(at: float, lag: float = 2.0) -> Lost:
    return Lost(f"w{at:g}", 1, at, lag, None, None)


def judged(name: str, target: Any, of: Any, **facts: Any) -> dict[str, Any]:
    known = {"run": run(), "outages": (OUTAGE,), "dark": (OUTAGE,), "lost": (), "back_at": None, **facts}
    (line,) = judge.judge([Objective(name, target)], judge.Case(world=of, **known))
    return line


DARK_FOR_40 = {range(100, 140): 100}
TOLD = {"remediator": "fail_over", "subject": "customers are served from eu-central-1"}
CALLED = Refused(150.0, STANDBY, "route53.list_tags", "global", "forbidden")


@pytest.mark.parametrize(
    ("name", "target", "of", "facts", "measured", "met"),
    [
        ("served-within", 44, world(DARK_FOR_40), {}, 44.0, True),
        ("served-within", 43, world(DARK_FOR_40), {}, 44.0, False),
        ("served-within", 120, world({range(100, 200): 100}), {}, None, False),
        ("served-within", 120, world(DARK_FOR_40), {"outages": ()}, None, False),
        ("found-within", 30, world(), {"run": run([130.0])}, 30.0, True),
        ("found-within", 29, world(), {"run": run([130.0])}, 30.0, False),
        ("found-within", 60, world(), {"run": run([90.0, 205.0])}, None, False),
        ("found-within", 60, world(), {"run": None}, None, False),
        ("availability", 0.6, world(DARK_FOR_40), {}, 0.6, True),
        ("availability", 0.61, world(DARK_FOR_40), {}, 0.6, False),
        ("availability", 0.86, world(DARK_FOR_40), {"outages": ()}, 260 / 300, True),
        ("availability", 0.5, world(offered=0), {}, None, False),
        ("lost-writes-within", 1.5, world(), {"lost": [lost(98.5), lost(99.0)]}, 1.5, True),
        ("lost-writes-within", 1.4, world(), {"lost": [lost(98.5), lost(99.0)]}, 1.5, False),
        ("lost-writes-within", 1, world(), {}, 0.0, True),
        ("moved-once", None, world(moves=GIVEN_BACK), {"back_at": ASKED}, 1, True),
        ("moved-once", None, world(moves=GIVEN_BACK[:1]), {}, 1, True),
        ("moved-once", None, world(moves=GIVEN_BACK), {}, 1, False),
        ("moved-once", None, world(moves=GIVEN_BACK), {"back_at": 250.0}, 1, False),
        ("moved-once", None, world(moves=[(110.0, THERE), (120.0, BACK), (130.0, THERE)]), {}, 2, False),
        ("moved-once", None, world(), {}, 0, False),
        ("never-moved", None, world(), {}, 0, True),
        ("never-moved", None, world(moves=[(110.0, TENTH), (120.0, BACK)]), {}, 10, False),
        ("never-moved", None, world(switchings=[(110.0, True)]), {}, 0, False),
        ("back-unnoticed", 0.99, world(moves=GIVEN_BACK), {"back_at": ASKED}, 1.0, True),
        ("back-unnoticed", 0.99, world({range(250, 252): 10}, GIVEN_BACK), {"back_at": ASKED}, 0.98, False),
        ("back-unnoticed", 0.99, world(moves=GIVEN_BACK[:3]), {"back_at": ASKED}, None, False),
        ("back-unnoticed", 0.99, world(moves=GIVEN_BACK), {}, None, False),
        ("back-gradually", 0.5, world(moves=GIVEN_BACK), {"back_at": ASKED}, 0.5, True),
        ("back-gradually", 0.49, world(moves=GIVEN_BACK), {"back_at": ASKED}, 0.5, False),
        ("back-gradually", 0.6, world(moves=[(110.0, THERE), (245.0, BACK)]), {"back_at": ASKED}, 1.0, False),
        ("back-gradually", 0.6, world(moves=GIVEN_BACK[:1]), {"back_at": ASKED}, None, False),
        ("back-gradually", 0.6, world(moves=GIVEN_BACK), {}, None, False),
        ("no-control-plane-calls", None, world(), {}, 0, True),
        ("no-control-plane-calls", None, world(), {"run": run(forbidden=[CALLED])}, 1, False),
        ("told", None, world(), {"run": run(notifications=[TOLD])}, 1, True),
        ("told", None, world(), {"run": run(notifications=[{**TOLD, "remediator": "fail_back"}])}, 0, False),
        ("told", None, world(), {}, 0, False),
        ("told", None, world(), {"run": None}, None, False),
    ],
)
def test_an_objective_is_met_when_what_was_measured_says_so(name, target, of, facts, measured, met):
    line = judged(name, target, of, **facts)
    assert line["measured"] == (pytest.approx(measured) if measured is not None else None)
    assert line["met"] is met


def test_a_write_that_had_been_replicated_must_not_be_lost_however_fresh():
    """It left the region at 99 s, and the outage began at 100: somebody threw it away."""
    line = judged("lost-writes-within", 10, world(), lost=[lost(99.5), lost(98.5, lag=0.5)])
    assert not line["met"]
    assert line["detail"] == "1 of 2 lost writes had been replicated: w98.5"


def test_what_was_missed_says_when_and_by_whom():
    early = judged("moved-once", None, world(moves=GIVEN_BACK))
    assert early["detail"] == "sent back 245 s in, and nobody had asked for it"
    switched = judged("never-moved", None, world(switchings=[(110.0, True)]))
    assert switched["detail"] == "the switch was set 110 s in"
    called = judged("no-control-plane-calls", None, world(), run=run(forbidden=[CALLED]))
    assert called["detail"] == "route53.list_tags by eu-central-1 at 150 s"


def test_every_objective_of_a_region_has_its_judge_and_those_of_the_year_have_none():
    of_the_year = {"no-false-moves", "none-missed"}
    assert set(judge.JUDGES) == set(OBJECTIVES) - of_the_year
    assert set(judge.OF_THE_WORLD) < set(judge.JUDGES)


@pytest.mark.parametrize("name", judge.OF_THE_WORLD)
def test_what_is_judged_of_the_world_is_the_same_with_and_without_a_watch(name):
    target, of = 0.5 if name == "availability" else 120, world(DARK_FOR_40, GIVEN_BACK)
    assert judged(name, target, of, run=None) == judged(name, target, of, run=run([130.0], [CALLED], [TOLD]))


# -- who serves


def with_run(**facts: Any) -> Any:
    recovery = SimpleNamespace(minimum_stay_s=100)
    known = {"remediations": [], "recovery_times": [], "serving": [], "service": SimpleNamespace(recovery=recovery)}
    return SimpleNamespace(confirmed=[], **{**known, **facts})


def failover(*phases: str, status: str = "HOLDING") -> dict[str, Any]:
    events = [{"phase": phase, "at_s": 130.0} for phase in phases]
    return {
        "remediator": "fail_over",
        "plan": {"steps": []},
        "status": status,
        "events": events,
        "reason": "OK",
        "detail": "",
    }


@pytest.mark.parametrize(("phases", "met"), [(("APPLYING", "HOLDING"), True), (("APPLYING", "ESCALATED"), False)])
def test_a_failover_is_verified_when_it_was_held(phases, met):
    assert judged("verified", None, world(), run=with_run(remediations=[failover(*phases)]))["met"] is met


@pytest.mark.parametrize(("times", "met"), [([12.0], True), ([3.0], False), ([12.0, 14.0], False), ([], False)])
def test_a_recovery_time_is_published_once_and_not_too_short(times, met):
    of = world(moves=((110.0, THERE),))
    assert judged("recovery-time-measured", None, of, run=with_run(recovery_times=times))["met"] is met


@pytest.mark.parametrize(
    ("at", "last", "met"), [(150.0, PRIMARY, True), (190.0, PRIMARY, False), (150.0, STANDBY, False)]
)
def test_both_regions_know_who_serves_in_time_and_at_the_end(at, last, met):
    told = [(0.0, STANDBY, PRIMARY), (at, STANDBY, STANDBY), (270.0, STANDBY, PRIMARY), (280.0, PRIMARY, last)]
    of = world(moves=GIVEN_BACK, switchings=[(105.0, True)])
    assert judged("knows-who-serves", 60, of, run=with_run(serving=told))["met"] is met


@pytest.mark.parametrize(("back", "met"), [(250.0, True), (150.0, False)])
def test_a_minimum_stay_counts_from_the_switch(back, met):
    of = world(moves=((110.0, THERE), (back, TENTH)), switchings=[(105.0, True)])
    assert judged("minimum-stay", None, of, run=with_run())["met"] is met
