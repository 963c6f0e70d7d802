"""Failing back: because a person wants it, a share at a time, and not at all when somebody sees errors."""

from __future__ import annotations

from dataclasses import replace

import pytest

from remediators import flow
from sereno import recovery
from sereno.lifecycle import Remediation
from sereno.model import Reason, Status
from sereno.service import REGION_BACK, REGION_OUT
from tests.remediators.regions.conftest import PRIMARY, STANDBY, Regions


@pytest.fixture
def away(regions: Regions) -> Regions:
    """The primary was dark for five minutes and has been well for two."""
    regions.tries(60)
    regions.world.down[PRIMARY] = "no answer"
    regions.tries(300)
    regions.world.down.clear()
    regions.tries(135)
    assert regions.world.serving == STANDBY
    return regions


def go_back(regions: Regions) -> Remediation:
    signal = recovery.asked_signal(regions.standby.service, REGION_BACK, regions.clock.now(), "ana")
    (started,) = flow.start_all(regions.standby, signal, "fail_back")
    assert started is not None
    return started


def back(regions: Regions) -> Remediation:
    return [one for one in regions.all() if one.remediator == "fail_back"][-1]


def test_the_primary_gets_its_traffic_a_share_at_a_time(away: Regions):
    go_back(away)
    shares = [away.share()]
    for _ in range(24):
        away.tries(30)
        if away.share() != shares[-1]:
            shares.append(away.share())
    assert shares == [0, 10, 50, 100]
    away.tries(600)
    done = back(away)
    assert (done.status, done.reason) == (Status.KEPT, Reason.OK), "its own steps are no stranger's"
    assert not away.switched
    assert away.world.serving == PRIMARY
    # The failover is reverted by that, in order: no drift, and nobody need look at it.
    (out,) = (one for one in away.all() if one.remediator == "fail_over" and one.steps_done)
    assert (out.status, out.reason) == (Status.REVERTED, Reason.OK)


def test_the_switch_goes_only_when_the_name_servers_have_the_records(away: Regions):
    """Else everybody would be sent to the primary at once, until they have."""
    go_back(away)
    assert away.share() == 0
    away.tries(60)
    assert away.switched
    away.tries(90)
    assert not away.switched


def test_each_share_is_borne_for_a_while(away: Regions):
    go_back(away)
    changed: dict[int, float] = {}
    began = away.clock.now()
    for _ in range(180):
        away.tries(5)
        changed.setdefault(away.share() or 0, (away.clock.now() - began).total_seconds())
    assert changed[10] >= 90, "the absence of the switch must be seen by everybody first"
    assert changed[50] - changed[10] >= 180
    assert changed[100] - changed[50] >= 180


def test_when_the_primary_fails_again_customers_stay_with_the_standby(away: Regions):
    go_back(away)
    away.tries(360)
    assert away.share() in (10, 50)
    away.world.down[PRIMARY] = "no answer"
    away.tries(300)
    assert away.switched
    assert away.world.serving == STANDBY
    assert back(away).status in (Status.FAILED, Status.KEPT)
    # The failback took the switch away and set it again: the failover is as active as it was.
    (out,) = (one for one in away.all() if one.remediator == "fail_over" and one.steps_done)
    assert out.active


def test_a_primary_that_fails_right_after_the_last_step_is_left_again_within_two_minutes(away: Regions):
    """The failback still holds its own target then, and the usual cooldown has not begun."""
    usual = {REGION_BACK: {"hold_s": 900, "cooldown_s": 300}, REGION_OUT: {"cooldown_s": 300}}
    for region, watch in away.watches.items():
        plays = {what: replace(play, **usual.get(what, {})) for what, play in watch.service.playbook.items()}
        away.watches[region] = replace(watch, service=replace(watch.service, playbook=plays))
    go_back(away)
    while away.share() != 100 or away.switched:
        away.tries(5)
    away.world.down[PRIMARY] = "no answer"
    away.tries(120)
    assert away.switched
    assert away.world.serving == STANDBY
    away.tries(300)
    first, second = (one for one in away.all() if one.remediator == "fail_over" and one.steps_done)
    assert (first.status, first.reason) == (Status.REVERTED, Reason.OK)
    assert second.status is Status.HOLDING
    # The failback is void, and nobody else is blamed for it.
    assert (back(away).status, back(away).reason) == (Status.REVERTED, Reason.OK)


@pytest.mark.parametrize("healthy_s", [30, 75])
def test_a_primary_that_was_well_only_for_a_moment_gets_nothing(regions: Regions, healthy_s: int):
    regions.tries(60)
    regions.world.down[PRIMARY] = "no answer"
    regions.tries(360)
    regions.world.down.clear()
    regions.tries(healthy_s)
    started = go_back(regions)
    assert started.reason is Reason.TOO_SOON
    assert regions.switched


def test_a_stay_that_was_too_short_is_prolonged(regions: Regions):
    regions.tries(60)
    regions.world.down[PRIMARY] = "no answer"
    regions.tries(120)
    regions.world.down.clear()
    regions.tries(135)
    assert go_back(regions).reason is Reason.TOO_SOON


def put(regions: Regions, region: str, name: str, price: int) -> None:
    row = {"id": {"S": name}, "price": {"N": str(price)}}
    regions.real[region].client("dynamodb").put_item(TableName="techmoda-products", Item=row)


def test_a_primary_that_has_not_got_what_was_written_meanwhile_waits(away: Regions):
    away.behind.add(PRIMARY)
    away.tries(90)
    refused = go_back(away)
    assert refused.reason is Reason.DATA_APART
    assert "s behind eu-central-1" in refused.detail
    away.behind.clear()
    away.tries(10)
    assert go_back(away).status is Status.APPLYING


def test_a_primary_that_has_told_nothing_of_it_waits(regions: Regions):
    regions.behind.add(PRIMARY)
    regions.tries(60)
    regions.world.down[PRIMARY] = "no answer"
    regions.tries(300)
    regions.world.down.clear()
    regions.tries(135)
    assert go_back(regions).detail == "DATA_APART: eu-west-1 has not told what has come there"


def test_a_sample_that_differs_keeps_customers_where_they_are(away: Regions):
    away.on(compare=("products",), zone=away.zone)
    for number in range(20):
        put(away, STANDBY, f"p-{number}", 10)
        put(away, PRIMARY, f"p-{number}", 10 if number else 7)
    refused = go_back(away)
    assert refused.detail == "DATA_APART: 19 of 20 items are the same in eu-west-1"
    put(away, PRIMARY, "p-0", 10)
    away.tries(5)
    assert go_back(away).reason is Reason.OK
    assert away.share() == 0


def test_where_there_are_no_records_traffic_goes_back_at_once(away: Regions):
    away.on(zone="")
    go_back(away)
    assert not away.switched


def test_a_person_who_fails_back_twice_is_heard_once(away: Regions):
    go_back(away)
    signal = recovery.asked_signal(away.standby.service, REGION_BACK, away.clock.now(), "ana")
    (second,) = flow.start_all(away.standby, signal, "fail_back")
    assert second is None or second.id == back(away).id or second.reason is Reason.TARGET_BUSY


def test_nobody_is_moved_when_nobody_was_away(regions: Regions):
    regions.tries(135)
    assert go_back(regions).reason is Reason.NOTHING_TO_DO
