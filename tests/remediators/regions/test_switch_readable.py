"""The public object that is always there shows all year that the switch could be read."""

from __future__ import annotations

import pytest

from console import dr
from remediators import evidence
from sereno.model import Mode
from tests.remediators.regions.conftest import BUCKET, PRIMARY, STANDBY, WITNESS, Regions


def published(regions: Regions) -> list[float]:
    return [value for name, value, _ in regions.told.counts if name == "SwitchReadable"]


@pytest.mark.parametrize(
    ("hidden", "said"), [(set(), ()), ({WITNESS}, ("witness",)), ({PRIMARY, STANDBY}, ("primary", "standby"))]
)
def test_every_probe_location_says_whether_it_can_read_the_object(regions: Regions, hidden, said):
    regions.world.hidden_from = hidden
    regions.tries(30)
    assert regions.evidence().hidden_from == said
    assert published(regions)[-1] == (0 if said else 1)
    wanted = regions.standby.service.recovery
    rows = evidence.of(regions.real[STANDBY], regions.standby.service)
    items = dr.items_of(rows, regions.standby.service, wanted, regions.clock.now())
    (item,) = (one for one in items if one.name == "switch readable")
    assert item.ok is not bool(said)
    assert all(name in item.detail for name in said)


def test_who_has_said_nothing_new_is_not_asked(regions: Regions):
    regions.world.hidden_from = {WITNESS}
    regions.tries(30)
    regions.dead.add(WITNESS)
    regions.tries(30)
    assert regions.evidence().hidden_from == ()


@pytest.mark.parametrize(("mode", "written"), [(Mode.AUTO, True), (Mode.OFF, False)])
def test_the_reconciler_writes_an_object_that_its_prober_cannot_read(regions: Regions, mode, written):
    """A removal switches everything off before it empties the bucket."""
    regions.standby.ledger.set_mode("*", mode, "ana", regions.clock.now())
    regions.world.hidden_from = {STANDBY}
    regions.tries(60)
    s3 = regions.real[STANDBY].client("s3")
    names = {one["Key"] for one in s3.list_objects_v2(Bucket=BUCKET).get("Contents", ())}
    assert ("techmoda/switch-readable" in names) is written


def test_while_it_can_be_read_nothing_is_written(regions: Regions):
    regions.tries(120)
    assert ("s3", "put_object", STANDBY) not in regions.called[STANDBY].calls


def test_a_service_without_a_public_object_says_nothing_of_it(regions: Regions):
    regions.on(strategy="metric-switch", bucket="")
    regions.tries(60)
    assert regions.evidence().hidden_from is None
    assert published(regions) == []


def test_a_failover_that_nobody_can_see_says_why(regions: Regions):
    regions.world.hidden_from = {PRIMARY, STANDBY, WITNESS}
    regions.world.switch = regions.world.hold = lambda: False
    regions.world.names = False
    regions.tries(60)
    regions.world.down[PRIMARY] = "no answer"
    regions.tries(60)
    (moved,) = (one for one in regions.all() if one.remediator == "fail_over" and one.plan)
    assert "cannot be read from outside" in moved.plan.risk
    regions.tries(600)
    (moved,) = (one for one in regions.all() if one.remediator == "fail_over" and one.plan)
    assert moved.escalated_for == "SYMPTOM_PERSISTS"
    assert "Block Public Access" in moved.detail
