"""Two regions whose health answers name no region: everything follows from the switch and the records."""

from __future__ import annotations

from dataclasses import replace

import pytest

from remediators import evidence, flow, prober
from sereno import recovery
from sereno.model import Mode, Reason, Signal, Status, Target
from sereno.service import REGION_BACK
from tests.remediators.regions.conftest import PRIMARY, STANDBY, FakeEyes, Regions


@pytest.fixture
def away(regions: Regions) -> Regions:
    """`{"status":"ok"}` everywhere; the primary was dark for five minutes, and has been well for two."""
    regions.world.names = False
    regions.tries(60)
    assert regions.evidence().serving == PRIMARY
    regions.world.down[PRIMARY] = "no answer"
    regions.tries(300)
    regions.world.down.clear()
    regions.tries(135)
    return regions


def exhausted(regions: Regions, region: str) -> Mode:
    """The mode in which a region's stack answers an alarm of its own function."""
    at = regions.clock.now()
    target = Target("function", "techmoda-read", region, "123456789012")
    signal = Signal(f"{region}{at}", "alarm", "techmoda/read/exhaustion", "exhaustion", "ALARM", "OK", target, at)
    started = flow.start(regions.watches[region], signal, "raise_concurrency", target)
    assert started is not None
    return started.mode


def go_back(regions: Regions):
    signal = recovery.asked_signal(regions.standby.service, REGION_BACK, regions.clock.now(), "ana")
    (started,) = flow.start_all(regions.standby, signal, "fail_back")
    return started


def test_the_switch_says_which_region_serves_and_may_act(away: Regions):
    known = away.evidence()
    assert (known.sent, known.serving) == (STANDBY, STANDBY)
    (moved,) = [one for one in away.all() if one.remediator == "fail_over"]
    assert moved.status is Status.HOLDING, "verified without a region in any health answer"
    assert exhausted(away, STANDBY) is Mode.AUTO
    assert exhausted(away, PRIMARY) is Mode.OBSERVE, "the primary has heard it from the standby"


def test_the_primary_acts_and_the_standby_observes_until_traffic_moves(regions: Regions):
    regions.world.names = False
    regions.tries(60)
    assert (exhausted(regions, PRIMARY), exhausted(regions, STANDBY)) == (Mode.AUTO, Mode.OBSERVE)


def test_the_recovery_time_is_measured_and_never_too_short(away: Regions):
    moved = evidence.of(away.real[STANDBY], away.standby.service).moved
    assert moved is not None
    assert 60 <= moved.took_s <= 120
    assert [name for name, *_ in away.told.counts].count("RecoveryTime") == 1


def test_a_minimum_stay_is_kept(away: Regions):
    for region in (PRIMARY, STANDBY):
        wanted = replace(away.watches[region].service.recovery, minimum_stay_s=3600)
        away.watches[region] = replace(
            away.watches[region], service=replace(away.watches[region].service, recovery=wanted)
        )
    refused = go_back(away)
    assert refused.reason is Reason.TOO_SOON
    assert "of 60" in refused.detail


def test_the_shares_say_who_serves_on_the_way_back(away: Regions):
    assert go_back(away).status is Status.APPLYING
    seen = {}
    for _ in range(48):
        away.tries(15)
        seen[away.share()] = away.evidence().sent
    assert seen == {0: STANDBY, 10: STANDBY, 50: PRIMARY, 100: PRIMARY}
    away.tries(600)
    assert away.evidence().serving == PRIMARY
    assert exhausted(away, PRIMARY) is Mode.AUTO
    assert exhausted(away, STANDBY) is Mode.OBSERVE


def test_a_switch_that_nobody_can_read_is_not_believed(regions: Regions):
    """Public access is blocked: Route 53 does not see the switch, and nobody says that customers have moved."""
    regions.world.names = False
    regions.tries(60)
    regions.world.switch = lambda: False
    regions.world.down[PRIMARY] = "no answer"
    regions.tries(300)
    (moved,) = [one for one in regions.all() if one.remediator == "fail_over"]
    assert regions.switched
    assert moved.status is Status.VERIFYING
    assert regions.evidence().sent == PRIMARY


def test_a_look_at_the_switch_that_fails_changes_nothing(away: Regions):
    away.world.switch = lambda: None
    away.tries(120)
    assert away.evidence().sent == STANDBY


def test_once_the_standby_is_silent_the_primary_acts_again(away: Regions):
    assert exhausted(away, PRIMARY) is Mode.OBSERVE
    away.dead.add(STANDBY)
    away.tries(150)
    assert exhausted(away, PRIMARY) is Mode.AUTO


def test_an_old_row_of_evidence_is_read(regions: Regions):
    regions.tries(60)
    told = {name: value for name, value in regions.evidence().to_json().items() if "sent" not in name}
    told.pop("out_since")
    assert recovery.Evidence.from_json(told).sent == ""
    assert prober.try_once(regions.standby, FakeEyes(regions.world, STANDBY)) is not None
