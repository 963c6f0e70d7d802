"""A prober's eyes in a drill see what an HTTPS request from their region would."""

from __future__ import annotations

import numpy as np
import pytest

from drills.regions import ground
from drills.regions.eyes import ANSWER_MS, WorldEyes
from drills.regions.region import LEFT_ALONE_S, Trouble
from drills.regions.resolvers import TTL_S
from drills.regions.world import Place, World
from remediators.eyes import TIMEOUT_S
from sereno.service import Recovery

PRIMARY, STANDBY, WITNESS = "eu-west-1", "eu-central-1", "eu-north-1"
OUTAGE = (100.0, 200.0)


def recovery() -> Recovery:
    found = ground.prepared("techmoda").recovery
    assert found is not None
    return found


def eyes(*troubles: Trouble, home: str = STANDBY, at: float = 150.0) -> WorldEyes:
    world = World("test", 1, Place(PRIMARY, STANDBY, WITNESS), troubles, 10.0, 18.0)
    return WorldEyes(home, recovery(), world, np.random.default_rng(1), at)


def served(one: WorldEyes, paths: tuple[str, ...], times: int = 500) -> float:
    """The part of many looks at the primary that find it well."""
    url = recovery().urls[PRIMARY]
    return float(np.mean([one.look(url, paths).ok for _ in range(times)]))


PATHS = recovery().paths


def test_a_region_that_is_well_answers_every_path_and_says_who_it_is():
    look = eyes().look(recovery().urls[PRIMARY], PATHS)
    assert (look.ok, look.region, look.detail) == (True, PRIMARY, "")
    assert tuple(look.latency_ms or {}) == PATHS
    assert all(ANSWER_MS[0] <= took <= ANSWER_MS[1] for took in (look.latency_ms or {}).values())


def test_a_dark_region_hangs_from_everywhere_until_the_look_is_given_up():
    for home in (STANDBY, WITNESS):
        one = eyes(Trouble("dark", PRIMARY, *OUTAGE), home=home)
        look = one.look(recovery().urls[PRIMARY], PATHS)
        assert (look.ok, look.region, look.latency_ms) == (False, "", {})
        assert look.detail == "/health: no answer in 3 s"
        assert one.takes() == TIMEOUT_S
        assert one.look(recovery().urls[STANDBY], PATHS).ok


def test_a_line_that_is_cut_is_dark_to_one_and_nothing_to_another():
    cut = Trouble("unseen", PRIMARY, *OUTAGE, seen_from=(STANDBY,))
    blind, well = (eyes(cut, home=home) for home in (STANDBY, WITNESS))
    assert served(blind, PATHS, 10) == 0
    assert served(well, PATHS, 10) == 1
    assert (blind.takes() == TIMEOUT_S, well.takes() == TIMEOUT_S) == (True, False)


def test_a_gray_region_is_fine_to_its_health_check_and_not_to_its_customers():
    one = eyes(Trouble("gray", PRIMARY, *OUTAGE, 0.7))
    assert served(one, PATHS[:1]) == 1
    assert served(one, PATHS[:2]) == pytest.approx(0.3, abs=0.06)
    look = next(found for _ in range(99) if not (found := one.look(recovery().urls[PRIMARY], PATHS[:2])).ok)
    assert (look.detail, look.region) == (f"{PATHS[1]}: 503", PRIMARY), "it answers, and says that it fails"
    assert one.takes() < TIMEOUT_S


def test_who_tries_more_of_what_customers_ask_sees_more_of_a_gray_region():
    """Why a service should name more than one path: four of five tries must fail."""
    one = eyes(Trouble("gray", PRIMARY, *OUTAGE, 0.7))
    assert served(one, PATHS[:3]) == pytest.approx(0.3**2, abs=0.04)


def test_of_a_lost_zone_a_look_notices_its_part_until_the_region_does_without_it():
    lost = Trouble("zone-loss", PRIMARY, *OUTAGE, 1 / 3)
    assert served(eyes(lost, at=101.0), PATHS[:1]) == pytest.approx(2 / 3, abs=0.06)
    assert served(eyes(lost, at=100.0 + LEFT_ALONE_S), PATHS) == 1


def test_what_answers_takes_no_two_times_the_same_and_never_as_long_as_what_hangs():
    one = eyes()
    took = [one.takes() for _ in range(50)]
    assert len(set(took)) == 50
    assert max(took) < TIMEOUT_S / 3


@pytest.fixture
def moved() -> WorldEyes:
    """Eyes on customers' name in a world whose traffic is moved at 100 s."""
    one = eyes(at=90.0)
    one.world.advance(90)
    one.world.switch(90.0, there=True)
    return one


def test_customers_name_leads_where_the_name_servers_say_once_the_last_answer_is_old(moved):
    health = PATHS[:1]
    assert moved.look(recovery().url, health).region == PRIMARY
    moved.world.advance(90.0 + TTL_S + 30)
    assert set(moved.world.answered()) == {STANDBY}
    moved.at = 90.0 + TTL_S - 1
    assert moved.look(recovery().url, health).region == PRIMARY, "its resolver keeps to the time to live"
    moved.at = 90.0 + TTL_S
    assert moved.look(recovery().url, health).region == STANDBY


def test_all_addresses_are_looked_at_for_themselves():
    wanted = recovery()
    one = eyes(Trouble("dark", PRIMARY, *OUTAGE))
    looks = one.look_all({"primary": (wanted.urls[PRIMARY], PATHS), "standby": (wanted.urls[STANDBY], PATHS)})
    assert {name: look.ok for name, look in looks.items()} == {"primary": False, "standby": True}
