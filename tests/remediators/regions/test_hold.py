"""The hold: written before the switch, released once the primary is well, set anew when it fails again."""

from __future__ import annotations

from datetime import timedelta

import pytest

from remediators import evidence
from sereno import recovery, serving
from sereno.model import Status, Target
from sereno.recovery import Evidence, Sighting
from tests.remediators.regions.conftest import NOON, PRIMARY, STANDBY, Regions


def seen(marks: str, *, witness: str | None = None, standby: str = "+" * 24) -> Evidence:
    """Evidence of one try every five seconds, the newest last."""
    found = None
    for number, mark in enumerate(marks):
        at = NOON + timedelta(seconds=5 * number)
        third = (witness or marks)[number]
        both = {"standby": Sighting(at, mark == "+"), "witness": Sighting(at, third == "+")}
        found = recovery.noted(found, at, primary=both, standby=Sighting(at, standby[number % len(standby)] == "+"))
    assert found is not None
    return found


WELL, OUT, HALF = seen("+" * 20), seen("+" * 10 + "-" * 10), seen("+" * 20, witness="+" * 10 + "-" * 10)
SHORT = seen("-" * 10 + "+" * 8)


@pytest.mark.parametrize(
    ("known", "out", "held", "change"),
    [
        (WELL, True, True, False),
        (WELL, False, True, False),
        (WELL, True, False, None),
        (OUT, True, False, True),
        (HALF, True, False, True),
        (OUT, True, True, None),
        (HALF, True, True, None),
        (SHORT, True, True, None),
        (OUT, False, False, None),
        (OUT, None, False, None),
        (OUT, True, None, None),
        (WELL, True, None, None),
    ],
)
def test_what_becomes_of_the_hold(known, out, held, change):
    assert serving.hold(known, known.at, out=out, held=held) is change


DEAD = "-" * 24


@pytest.mark.parametrize(
    ("known", "held", "gives"),
    [
        (seen("+" * 20, standby=DEAD), False, True),
        (seen("+" * 20, standby=DEAD), True, False),
        (seen("+" * 20, standby=DEAD), None, False),
        (seen("+" * 10 + "-" * 10, standby=DEAD), False, False),
        (WELL, False, False),
    ],
)
def test_a_dead_standby_gives_traffic_back_only_where_nothing_holds_it(known, held, gives):
    assert serving.gives_back(known, known.at, held=held) is gives


def test_it_is_written_before_the_switch_and_released_and_set_anew(regions: Regions):
    regions.tries(60)
    regions.world.down[PRIMARY] = "no answer"
    regions.called[STANDBY].calls.clear()
    regions.tries(60)
    assert (regions.switched, regions.held) == (True, True)
    written = [operation for service, operation, _ in regions.called[STANDBY].calls if service == "s3"]
    assert written.count("put_object") == 2
    (moved,) = [one for one in regions.all() if one.remediator == "fail_over"]
    assert moved.plan is not None
    assert [step.setting for step in moved.plan.steps] == ["hold", "switch"]
    regions.world.down.clear()
    regions.tries(50)
    assert regions.held, "well for less than a minute"
    regions.tries(60)
    assert (regions.switched, regions.held) == (True, False)
    regions.world.down[PRIMARY] = "no answer"
    regions.tries(60)
    assert (regions.switched, regions.held) == (True, True)
    (moved,) = [one for one in regions.all() if one.remediator == "fail_over"]
    assert moved.status is Status.HOLDING, "what the prober does with the hold is no drift"


def test_it_stays_while_anything_is_fenced(regions: Regions):
    regions.on(fence=("write",))
    regions.tries(60)
    regions.world.down[PRIMARY] = "no answer"
    regions.tries(60)
    writer = Target("writer", "techmoda-write", PRIMARY, "123456789012")
    regions.watches[STANDBY].ledger.held = lambda keys: {writer.key} & set(keys)  # type: ignore[method-assign]
    regions.world.down.clear()
    regions.tries(120)
    assert regions.held


def test_with_a_metric_it_is_a_row_and_a_metric(regions: Regions):
    regions.on(strategy="metric-switch", bucket="")
    regions.tries(60)
    regions.world.down[PRIMARY] = "no answer"
    regions.tries(60)
    rows = evidence.of(regions.real[STANDBY], regions.standby.service)
    assert (rows.out, rows.held) == (True, True)
    assert [value for name, value, _ in regions.told.counts if name == "PrimaryHeld"][-1] == 1
    regions.world.down.clear()
    regions.tries(120)
    rows = evidence.of(regions.real[STANDBY], regions.standby.service)
    assert (rows.out, rows.held) == (True, False)
    assert [value for name, value, _ in regions.told.counts if name == "PrimaryHeld"][-1] == 0
