"""A forecast is silent without its three datapoints, and neither a short range nor a late minute hides a surge."""

from __future__ import annotations

from itertools import product

import pytest

from alarms.assumptions import LEADS, RANGE_EXTRA
from alarms.evaluator import evaluate
from alarms.metric_math import resolve
from alarms.packs import all_alarms
from sereno.service import Function, Service, Table

SERVICE = Service(
    "shop",
    "123456789012",
    ("eu-west-1",),
    functions={"read": Function("read", "shop-read", reserved=120)},
    tables={"items": Table("items", "shop-items", "provisioned", 300, 50, 66.0, 13.0)},
)
ALARMS = {spec.name: spec for spec in all_alarms(SERVICE)}
EXHAUSTION = ALARMS["shop/read/exhaustion"]
CAPACITY = ALARMS["shop/items/read-capacity"]
# Mean executions at once of the function, or units a second of the table: an ordinary hour, and the metric's unit.
FORECASTS = [(EXHAUSTION, 16.0, 60_000.0), (CAPACITY, 66.0, 60.0)]


def state(spec, levels, unit, extra, lead):
    """The state on the newest minutes of `levels`: N + extra datapoints are fetched, and math reads `lead` more."""
    size = spec.evaluation_periods + extra
    window = [None if level is None else level * unit for level in levels][-(size + lead) :]
    window = [None] * (size + lead - len(window)) + window
    (stat,) = spec.stats
    points = resolve(spec.queries, {stat.id: window}, 60)
    return evaluate(spec, points[-size:]).state


@pytest.mark.parametrize("late", range(4))
@pytest.mark.parametrize(("spec", "normal", "unit"), FORECASTS, ids=["function", "table"])
def test_a_step_of_half_as_much_again_fires_under_no_assumption(spec, normal, unit, late):
    """A late newest minute once left the slope of one minute to decide: [16, 24, -] was forecast as 104."""
    before, after = [normal] * 20, [1.5 * normal] * 20
    for minutes in range(1, 20):
        levels = before + after[:minutes]
        levels = levels[: len(levels) - late] + [None] * late if late else levels
        for extra, lead in product(RANGE_EXTRA, LEADS):
            assert state(spec, levels, unit, extra, lead) == "OK", (minutes, extra, lead)


@pytest.mark.parametrize("late", range(4))
@pytest.mark.parametrize(("spec", "normal", "unit"), FORECASTS, ids=["function", "table"])
def test_a_ramp_fires_under_every_assumption(spec, normal, unit, late):
    """With one datapoint fetched and none read before it there was no slope, and the alarm stayed silent for ever."""
    ramp = [normal] * 20 + [normal * (1 + 0.8 * (minute + 0.5)) for minute in range(6)]
    levels = ramp[: len(ramp) - late] + [None] * late if late else ramp
    for extra, lead in product(RANGE_EXTRA, LEADS):
        assert state(spec, levels, unit, extra, lead) == "ALARM", (extra, lead)


def test_a_missing_minute_silences_the_forecast_alone():
    growing = [66.0, None, 200.0]
    assert state(CAPACITY, growing, 60.0, 0, 0) == "OK", "two datapoints have no slope over two minutes"
    assert state(CAPACITY, [None, None, 256.0], 60.0, 0, 0) == "ALARM", "85 % of the capacity is in use"


def test_the_functions_forecast_is_missing_without_two_datapoints_before_it():
    (stat,) = EXHAUSTION.stats
    points = resolve(EXHAUSTION.queries, {stat.id: [16 * 60_000.0, 24 * 60_000.0, None]}, 60)
    assert points == [None, None, None]
