"""Fencing: the primary's writers write nothing more once traffic has moved, and it never holds up the move."""

from __future__ import annotations

from dataclasses import replace

import pytest
from botocore.exceptions import EndpointConnectionError

from sereno.model import Status
from sereno.service import REGION_OUT
from tests.remediators.regions.conftest import PRIMARY, STANDBY, Regions, function


@pytest.fixture
def fenced(regions: Regions) -> Regions:
    """A service whose writer is fenced; it has forty executions."""
    function(regions.real[PRIMARY], "techmoda-write", 40)
    regions.on(fence=("write",), zone=regions.zone)
    service = regions.standby.service
    play = replace(service.playbook[REGION_OUT], rungs=(("fail_over", "fence_primary"), ("open_incident",)))
    plays = {**service.playbook, REGION_OUT: play}
    regions.watches[STANDBY] = replace(regions.standby, service=replace(service, playbook=plays))
    regions.tries(60)
    return regions


def writers(regions: Regions) -> int | None:
    client = regions.real[PRIMARY].client("lambda")
    return client.get_function_concurrency(FunctionName="techmoda-write").get("ReservedConcurrentExecutions")


def fences(regions: Regions):
    return [one for one in regions.all() if one.remediator == "fence_primary"]


def half_alive(regions: Regions) -> None:
    """Customers fail, and the control plane answers."""
    regions.world.down[PRIMARY] = "/products: 503"


def test_the_writers_of_a_region_that_is_half_alive_are_stopped_after_the_move(fenced: Regions):
    half_alive(fenced)
    fenced.tries(90)
    assert fenced.switched
    assert writers(fenced) == 0
    fenced.tries(60)
    (one,) = [one for one in fences(fenced) if one.steps_done]
    assert one.target.region == PRIMARY
    assert one.status in (Status.VERIFYING, Status.HOLDING)


def test_they_get_their_concurrency_back_when_the_region_is_well_and_before_traffic(fenced: Regions):
    half_alive(fenced)
    fenced.tries(1200)
    fenced.world.down.clear()
    fenced.tries(30)
    assert writers(fenced) == 0
    fenced.tries(120)
    assert writers(fenced) == 40
    assert fenced.switched


def test_a_dark_region_cannot_be_fenced_and_traffic_moves_all_the_same(fenced: Regions):
    def dark(_service: str, _operation: str, region: str) -> BaseException | None:
        return EndpointConnectionError(endpoint_url=region) if region == PRIMARY else None

    fenced.world.down[PRIMARY] = "no answer"
    fenced.called[STANDBY].before = dark
    began = fenced.clock.now()
    while not fenced.switched:
        fenced.tries(5)
    assert (fenced.clock.now() - began).total_seconds() <= 35
    fenced.tries(420)
    assert writers(fenced) == 40


def test_nobody_is_fenced_while_traffic_is_not_moved(fenced: Regions):
    half_alive(fenced)
    fenced.world.unseen.add((STANDBY, STANDBY))  # the standby cannot serve
    fenced.tries(420)
    assert not fenced.switched
    assert writers(fenced) == 40
