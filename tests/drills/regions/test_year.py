"""A year of noise: the same for the same seed, every outage found and no false move, and both can be seen to fail.

The probers of this year decide by the real `sereno.recovery`; where that is made careless, the year must tell.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from drills.regions import ground, year
from drills.regions.scenario import FOLDER
from drills.regions.year import NOISE, YearScenario
from drills.regions.year_prober import BACK_AFTER_S, Event, Prober
from drills.scenario import Objective
from sereno import recovery
from sereno.errors import InvalidInput
from sereno.service import Service

OUT = ("standby", "witness", "heartbeat", "out")
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
# The seconds at which what is told of happens: long after the probers have begun.
FROM = 600.0


def service(confirm_s: int = 10) -> Service:
    found = ground.prepared("techmoda")
    assert found.recovery is not None
    return replace(found, recovery=replace(found.recovery, confirm_s=confirm_s))


def house() -> YearScenario:
    return year.load(FOLDER / "year-of-noise.yaml")


def moves(*events: Event, seed: int = 1, until: float = 1800.0, confirm_s: int = 10) -> list[float]:
    """When traffic is moved by a prober to which these things happen, in seconds since the first of them."""
    prober = Prober(service(confirm_s), NOON, np.random.default_rng(seed))
    prober.play(0.0, until, list(events))
    return [at - FROM for at in prober.moves]


def lasting(seconds: float, *who: str, kind: str = "noise", start: float = FROM, by: float = 0.0) -> Event:
    return Event(kind, who, start, start + seconds, by)


SEEDS, FURTHER = range(1, 4), range(4, 13)
each = pytest.mark.parametrize(
    "seeds", [SEEDS, pytest.param(FURTHER, marks=pytest.mark.evidence)], ids=["three", "nine"]
)


# -- what the probers of a year decide


@each
def test_an_outage_is_found_within_a_minute_and_moved_once(seeds):
    for seed in seeds:
        (moved,) = moves(lasting(600, *OUT), seed=seed)
        assert 20 < moved < 60, seed


@each
@pytest.mark.parametrize(
    "who",
    [("standby",), ("witness",), ("heartbeat",), ("standby", "heartbeat"), ("witness", "heartbeat")],
    ids=" and ".join,
)
def test_one_vantage_alone_moves_nothing_however_long(who, seeds):
    assert [moves(lasting(900, *who), seed=seed) for seed in seeds] == [[]] * len(seeds)


@each
def test_a_blip_that_both_vantages_see_for_less_than_twenty_seconds_moves_nothing(seeds):
    assert [moves(lasting(year.BOTH_S, "standby", "witness"), seed=seed) for seed in seeds] == [[]] * len(seeds)


def test_without_a_time_to_confirm_the_same_blip_moves_traffic():
    """The year can tell a careless watch: four failing tries fit into nineteen seconds."""
    seeds = (*SEEDS, *FURTHER)
    found = [moves(lasting(year.BOTH_S, "standby", "witness"), seed=seed, confirm_s=0) for seed in seeds]
    assert any(found)


@each
def test_one_after_the_other_is_not_both_at_once(seeds):
    follow = (lasting(60, "standby"), lasting(600, "witness", start=FROM + 61))
    assert [moves(*follow, seed=seed) for seed in seeds] == [[]] * len(seeds)


def test_an_outage_while_the_prober_is_dead_is_found_when_it_is_back():
    (moved,) = moves(lasting(600, *OUT), lasting(120, "prober-silent", start=FROM - 5))
    assert 115 + 20 < moved < 115 + 60


def test_an_outage_of_which_the_witness_cannot_tell_is_found_when_it_can():
    (moved,) = moves(lasting(600, *OUT), lasting(200, "witness-silent"))
    assert 200 + 20 < moved < 200 + 60


def test_while_the_clock_was_set_back_nothing_is_known_and_afterwards_all_is_as_ever():
    (moved,) = moves(lasting(600, *OUT), lasting(100, "clock", start=FROM - 1, by=-90.0))
    assert 90 <= moved < 150


def test_an_outage_that_lasts_moves_traffic_once_and_the_next_one_again():
    """Half an hour after the first a person has let the primary serve again."""
    next_at = FROM + 300 + BACK_AFTER_S + 600
    soon, late = lasting(300, *OUT, start=FROM + 900), lasting(300, *OUT, start=next_at)
    found = moves(lasting(300, *OUT), soon, late, until=next_at + 600)
    assert len(found) == 1, "away since the first: the second kept it needed, and the third found nobody to move"
    found = moves(lasting(300, *OUT), late, until=next_at + 600)
    assert [at > next_at - FROM for at in found] == [False, True]


# -- what happens in a year


def test_a_seed_draws_the_same_year_and_another_seed_another_one():
    one = house()
    assert year.happenings(one, 1) == year.happenings(one, 1)
    assert year.happenings(one, 1) != year.happenings(one, 2)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_everything_that_is_wanted_happens_within_the_year_and_in_order(seed):
    one = house()
    events = year.happenings(one, seed)
    counted = {kind: sum(each.kind == kind for each in events) for kind in (*one.noise, "outage")}
    assert counted == {**one.noise, "outage": len(one.outages)}
    assert [each.start for each in events] == sorted(each.start for each in events)
    assert events[0].start > 0
    assert events[-1].end < one.duration_s
    assert [each.end - each.start for each in events if each.kind == "outage"] == pytest.approx(one.outages)
    assert all(each.who == NOISE[each.kind][0] for each in events if each.kind != "outage")
    assert all(1 <= abs(each.by) <= 120 for each in events if each.kind == "clock-step")


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_noise_never_keeps_both_vantages_away_for_as_long_as_an_outage(seed):
    """Against the clock: in every second of noise's overlaps, who fails."""
    noise = [one for one in year.happenings(house(), seed) if one.kind != "outage"]
    longest = 0.0
    for number, one in enumerate(noise):
        for other in noise[number:]:
            if other.start >= one.end:
                break
            if {"standby", "witness"} <= {*one.who, *other.who}:
                longest = max(longest, min(one.end, other.end) - max(one.start, other.start))
    assert 10 < longest < 20


def test_what_goes_on_meanwhile_is_played_in_every_stretch_of_a_long_outage():
    outage = Event("outage", OUT, 10_000.0, 20_000.0)
    blip = Event("witness", ("witness",), 15_000.0, 15_005.0)
    stretches = list(year._stretches([outage, blip]))
    assert len(stretches) == 3, "its beginning, the blip in its middle, and its end"
    assert all(outage in inside for _, _, inside in stretches)
    assert [blip in inside for _, _, inside in stretches] == [False, True, False]


# -- the year as it is judged


@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.evidence)])
def test_all_three_outages_are_found_and_nothing_else_moves_traffic(seed):
    result = year.run(house(), seed)
    assert [one for one in result["objectives"] if not one["met"]] == []
    assert len(result["outages"]) == 3
    assert all(20 < one["found_s"] < 90 for one in result["outages"])
    assert result["false_moves"] == []


def short(**changes: Any) -> YearScenario:
    """Ten days with more noise than a year has."""
    objectives = (Objective("no-false-moves"), Objective("none-missed"), Objective("found-within", 90.0))
    return replace(
        YearScenario(
            "short", "", "", "techmoda", NOON, 10, {"both": 120, "standby": 60}, (180.0, 2400.0), objectives
        ),
        **changes,
    )


def missed(one: YearScenario, seed: int = 1) -> dict[str, Any]:
    return {line["name"]: line["measured"] for line in year.run(one, seed)["objectives"] if not line["met"]}


def test_ten_loud_days_are_no_harder():
    assert missed(short()) == {}


def test_a_false_move_is_counted_when_one_vantage_is_enough(monkeypatch):
    monkeypatch.setattr(recovery, "QUORUM", 1)
    monkeypatch.setattr(recovery, "ACTIVE", (recovery.Witness.STANDBY,))
    assert missed(short())["no-false-moves"] > 5


def test_a_false_move_is_counted_when_nothing_is_confirmed(monkeypatch):
    real = recovery.confirmed_out
    monkeypatch.setattr(recovery, "confirmed_out", lambda known, now, _: real(known, now, 0))
    assert missed(short(days=60, noise={"both": 800}))["no-false-moves"] >= 1


def test_an_outage_is_missed_when_it_is_over_before_it_is_confirmed():
    found = missed(short(outages=(180.0, 25.0)))
    assert found == {"none-missed": 1}


def test_when_all_are_missed_none_was_found_in_time(monkeypatch):
    monkeypatch.setattr(recovery, "QUORUM", 3)
    assert missed(short()) == {"none-missed": 2, "found-within": None}


def test_an_outage_that_is_found_late_misses_its_time():
    slow = replace(short(), objectives=(Objective("found-within", 20.0),))
    assert missed(slow)["found-within"] > 20


# -- its file

GOOD: dict[str, Any] = {
    "kind": "evidence",
    "name": "mine",
    "title": "A title",
    "story": "A story.",
    "service": "techmoda",
    "start": "2026-01-01T00:00:00Z",
    "days": 30,
    "noise": {"standby": 5, "clock-step": 1},
    "outages": ["3m", "1h"],
    "objectives": ["no-false-moves", "none-missed", {"found-within": "90s"}],
}


def written(folder: Path, **changes: Any) -> Path:
    path = folder / "mine.yaml"
    path.write_text(yaml.safe_dump({key: value for key, value in {**GOOD, **changes}.items() if value is not None}))
    return path


def test_a_years_file_becomes_plain_numbers(tmp_path):
    one = year.load(written(tmp_path))
    assert (one.duration_s, one.outages, dict(one.noise)) == (
        30 * 86400,
        (180, 3600),
        {"standby": 5, "clock-step": 1},
    )
    assert [(each.name, each.target) for each in one.objectives] == [
        ("no-false-moves", None),
        ("none-missed", None),
        ("found-within", 90),
    ]


def test_all_that_is_wrong_with_a_year_is_told_at_once(tmp_path):
    with pytest.raises(InvalidInput) as told:
        year.load(
            written(
                tmp_path,
                name="yours",
                days=0,
                dais=365,
                noise={"standy": 5, "both": -1},
                outages="3m",
                objectives=["none-mised", {"found-within": "90"}, {"no-false-moves": 3}],
            )
        )
    by_place = {problem.path: str(problem) for problem in told.value.problems}
    for path, words in {
        "name": "differs from the file's name",
        "days": "is no length of time",
        "dais": "did you mean days?",
        "noise.standy": "did you mean standby?",
        "noise.both": "is no whole number",
        "outages": "is no list of lengths",
        "objectives[0]": "did you mean none-missed?",
        "objectives[1]": "has no unit",
        "objectives[2].no-false-moves": "takes no target",
    }.items():
        assert words in by_place[path], by_place


def test_a_year_in_which_nothing_happens_proves_nothing(tmp_path):
    with pytest.raises(InvalidInput, match="in which nothing happens proves nothing"):
        year.load(written(tmp_path, noise={"standby": 0}, outages=[]))
    with pytest.raises(InvalidInput, match="without an objective proves nothing"):
        year.load(written(tmp_path, objectives=[]))
