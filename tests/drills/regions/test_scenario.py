"""Scenarios of a region's loss: those in the house can be rehearsed, and a seed delays everything alike."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise

import pytest

from drills.regions import ground, scenario
from drills.regions.region import CHECKERS, Trouble
from drills.regions.scenario import FOLDER, Blips, RegionScenario, Wish
from sereno.errors import InvalidInput

SEEDS = range(20)
HOUSE = (
    "az-loss",
    "block-public-access",
    "block-public-access-outage",
    "control-plane-down",
    "flapping-region",
    "gray-failure",
    "health-without-region",
    "partition",
    "region-outage",
    "standby-dies-metric-switch",
    "standby-dies-while-serving",
)


def of(*troubles: Trouble, jitter_s: float = 60.0, blips: tuple[Blips, ...] = ()) -> RegionScenario:
    start = datetime(2026, 11, 27, 17, tzinfo=UTC)
    return RegionScenario("mine", "", "", "techmoda", start, 3600, 100.0, troubles, blips, jitter_s=jitter_s)


def gone(kind: str, start: float, end: float, region: str = "primary") -> Trouble:
    return Trouble(kind, region, start, end)


@pytest.mark.parametrize("name", HOUSE)
def test_every_scenario_in_the_house_can_be_rehearsed(name):
    one = scenario.load(name)
    assert one.name == name
    assert one.objectives
    assert len(one.story) > 60
    assert one.troubles or one.blips
    world = one.world(1, ground.prepared(one.service))
    assert {trouble.region for trouble in world.troubles} <= {"eu-west-1", "eu-central-1", "eu-north-1"}
    over = [trouble.end for trouble in world.troubles if trouble.kind != "control-plane"]
    assert max(over) < one.duration_s - 300, "the outage is over in time to see what follows"


def test_the_house_has_no_others_than_these_and_the_year():
    assert set(scenario.names()) - {"year-of-noise"} == set(HOUSE)


def test_a_name_and_a_path_give_the_same_scenario():
    assert scenario.load("partition") == scenario.load(FOLDER / "partition.yaml")
    assert scenario.load(str(FOLDER / "partition.yaml")) == scenario.load("partition")


def test_an_unknown_name_proposes_the_nearest():
    with pytest.raises(InvalidInput, match="did you mean region-outage"):
        scenario.load("region-outtage")


def test_a_seed_delays_troubles_outages_and_people_by_the_same():
    one = replace(of(gone("dark", 600, 1200)), people=(Wish("fail-back", 2000),))
    delays = [one.moment(0.0, seed) for seed in SEEDS]
    assert all(0 <= delay <= 60 for delay in delays)
    assert len(set(delays)) == len(delays), "no two seeds meet the turns of checkers and probers alike"
    for seed, delay in zip(SEEDS, delays, strict=True):
        (trouble,) = one.happening(seed)
        assert (trouble.start, trouble.end) == (600 + delay, 1200 + delay)
        assert one.outages(seed) == one.dark(seed) == one.shut(seed) == ((600 + delay, 1200 + delay),)
        assert one.moment(one.people[0].at, seed) == 2000 + delay


def test_without_jitter_every_seed_is_on_time():
    one = of(gone("dark", 600, 1200), jitter_s=0.0)
    assert {one.outages(seed) for seed in SEEDS} == {((600.0, 1200.0),)}


def test_a_region_that_comes_back_gray_has_had_one_outage():
    one = of(gone("gray", 1200, 1500), gone("dark", 600, 1200), jitter_s=0.0)
    assert one.outages(1) == ((600.0, 1500.0),)
    assert one.dark(1) == ((600.0, 1200.0),), "what was on its way is lost with the dark alone"


def test_outages_with_time_between_them_are_two():
    one = of(gone("dark", 600, 900), gone("dark", 901, 1500), jitter_s=0.0)
    assert one.outages(1) == ((600.0, 900.0), (901.0, 1500.0))


def test_an_outage_within_another_makes_it_no_shorter():
    assert of(gone("gray", 600, 1500), gone("dark", 700, 800), jitter_s=0.0).outages(1) == ((600.0, 1500.0),)


@pytest.mark.parametrize(
    "trouble",
    [
        gone("dark", 600, 1200, "standby"),
        gone("dark", 600, 1200, "witness"),
        gone("zone-loss", 600, 1200),
        gone("control-plane", 600, 1200),
        Trouble("unseen", "primary", 600, 1200, seen_from=("standby",)),
    ],
)
def test_what_does_not_fail_the_primarys_customers_is_no_outage(trouble):
    assert of(trouble).outages(1) == ()


BLIPS = Blips("primary", 600.0, 3000.0, (60.0, 180.0), (5.0, 20.0))


def test_blips_come_as_often_and_last_as_long_as_is_said_and_are_no_outage():
    one = of(blips=(BLIPS,), jitter_s=0.0)
    drawn = one.happening(1)
    assert len(drawn) >= 2400 / (180 + 20) - 1
    assert all(600 <= each.start < 3000 for each in drawn)
    assert all(5 <= each.end - each.start <= 20 for each in drawn)
    pauses = [later.start - before.end for before, later in pairwise(drawn)]
    assert all(60 <= pause <= 180 for pause in pauses)
    assert one.outages(1) == ()
    assert one.dark(1) == tuple((each.start, each.end) for each in drawn)


def test_each_seed_has_its_own_blips_and_always_the_same():
    one = of(blips=(BLIPS,))
    assert one.happening(1) == one.happening(1)
    assert one.happening(1) != one.happening(2)


def test_the_global_control_planes_fail_throughout_or_never():
    one = of(gone("dark", 600, 1200))
    assert one.global_away(1) == ()
    assert replace(one, global_control_plane=False).global_away(1) == ((0.0, 3600.0),)


def test_roles_become_the_services_own_regions_and_places_outside_stay():
    service = ground.prepared("techmoda")
    assert service.recovery is not None
    other = replace(service, recovery=replace(service.recovery, primary="eu-south-1", standby="eu-south-2"))
    cut = Trouble("unseen", "primary", 600, 1200, seen_from=("standby", CHECKERS))
    (trouble,) = of(cut, jitter_s=0.0).world(1, other).troubles
    assert (trouble.region, trouble.seen_from) == ("eu-south-1", ("eu-south-2", CHECKERS))


def test_a_service_of_one_region_has_none_to_lose():
    alone = replace(ground.prepared("techmoda"), recovery=None)
    with pytest.raises(InvalidInput, match="has no recovery"):
        of(gone("dark", 600, 1200)).world(1, alone)


def test_where_nothing_happens_nothing_is_out():
    assert (of().happening(1), of().outages(1), of().dark(1)) == ((), (), ())
