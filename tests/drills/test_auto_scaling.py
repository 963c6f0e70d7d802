"""Application Auto Scaling as AWS runs it: late, by target, within its bounds, and without haste downwards."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drills.auto_scaling import LOW_MINUTES, AutoScaling, Scaled, wanted
from drills.metrics import MetricStore
from drills.table_updates import Lane, TableUpdates

TABLE = "shop-products"
READ: Lane = (TABLE, None, "read")
WRITE: Lane = (TABLE, None, "write")
START = 1_795_478_400.0
LANE = Scaled(READ, 100, 1000, 0.7, out_cooldown_s=60, in_cooldown_s=3600)


@pytest.mark.parametrize(
    ("used", "units", "expected"),
    [
        ([71.0, 72.0], 100, 103),  # two minutes above 70 %: to 72 / 0.7
        ([69.0, 90.0], 100, 100),  # one minute is none
        ([90.0, None], 100, 100),  # nor is one without a datapoint
        ([90.0], 100, 100),
        ([2000.0, 2000.0], 100, 1000),  # never above the maximum
        ([120.0] * LOW_MINUTES, 300, 172),  # fifteen minutes below 50 %: to 120 / 0.7
        ([10.0] * LOW_MINUTES, 300, 100),  # never below the minimum
        ([149.0] * (LOW_MINUTES - 1) + [151.0], 300, 300),  # 51 % is not low
        ([10.0] * (LOW_MINUTES - 1), 300, 300),  # fourteen minutes are not enough
        ([None] * LOW_MINUTES, 300, 300),  # an idle table is left alone
        ([80.0] * LOW_MINUTES, 50, 100),  # a minimum above what is in force is followed at once
        ([80.0], 2000, 1000),
    ],
)
def test_what_target_tracking_wants(used, units, expected):
    assert wanted(LANE, used, units) == expected


def test_a_cooldown_is_waited_for_but_not_by_the_bounds():
    assert wanted(LANE, [90.0, 90.0], 100, out=False) == 100
    assert wanted(LANE, [10.0] * LOW_MINUTES, 300, inward=False) == 300
    assert wanted(LANE, [], 50, out=False, inward=False) == 100


def test_a_target_without_a_policy_keeps_its_bounds_alone():
    bare = Scaled(READ, 100, 1000, None)
    assert wanted(bare, [990.0] * LOW_MINUTES, 500) == 500
    assert wanted(bare, [], 50) == 100


@given(st.lists(st.one_of(st.none(), st.floats(0, 5000)), max_size=20), st.integers(1, 3000))
def test_what_is_wanted_lies_within_the_bounds_and_never_goes_against_the_use(used, units):
    value = wanted(LANE, used, units)
    assert LANE.minimum <= value <= LANE.maximum
    if units >= LANE.minimum and value > units:
        assert (used[-1] or 0) > 0.7 * units
    if units <= LANE.maximum and value < units:
        assert max(used[-LOW_MINUTES:]) < 0.5 * units


class Table:
    """A table whose traffic the test makes up, minute by minute."""

    def __init__(self, *lanes: Scaled) -> None:
        self.now = START
        self.units = [100.0, 100.0]
        self.store = MetricStore()
        self.calendar: list[tuple[float, int, Callable[[], None]]] = []
        world: Any = SimpleNamespace(tables=(TABLE,), capacity=lambda *_: tuple(self.units), set_capacity=self._set)
        self.updates = TableUpdates(world, 1, self._at, takes=(30, 30))
        self.lanes = lanes
        self.scaling = AutoScaling(lambda: self.lanes, self.store, self.updates)

    def _at(self, moment: float, action: Callable[[], None]) -> None:
        heapq.heappush(self.calendar, (moment, len(self.calendar), action))

    def _set(self, _: str, *, index: None, read: float | None = None, write: float | None = None) -> None:
        assert index is None
        self.units = [read or self.units[0], write or self.units[1]]

    def minute(self, late: float = 20.0, **used: float) -> None:
        """A minute of so many units a second, published so late; half a minute after it auto scaling looks."""
        for kind, units in used.items():
            facts: dict[str, Any] = {"total": 60 * units, "count": 60, "minimum": 1.0, "maximum": 1.0}
            visible_at = self.now + 60 + late
            name = f"Consumed{kind.capitalize()}CapacityUnits"
            where = {"TableName": TABLE}
            self.store.put("AWS/DynamoDB", name, where, self.now, 60, visible_at=visible_at, **facts)
        self.now += 60
        while self.calendar and self.calendar[0][0] <= self.now + 30:
            heapq.heappop(self.calendar)[2]()
        self.scaling.look(self.now + 30)

    def minutes(self, count: int, **used: float) -> None:
        for _ in range(count):
            self.minute(**used)


def test_a_surge_is_followed_after_two_minutes_by_steps():
    table = Table(LANE)
    table.minute(read=95)
    assert table.updates.running(TABLE) is None
    table.minute(read=95)
    update = table.updates.running(TABLE)
    assert update is not None
    assert dict(update.wanted) == {READ: 136}
    table.minutes(3, read=130)
    assert table.units[0] == pytest.approx(186)


def test_late_metrics_are_followed_late():
    table = Table(LANE)
    table.minute(late=70, read=95)
    table.minute(late=70, read=95)
    assert table.updates.running(TABLE) is None, "the second minute is not visible yet"
    table.minute(late=70, read=95)
    assert table.updates.running(TABLE) is not None


def test_what_is_due_at_one_moment_goes_into_one_call_and_a_busy_table_waits():
    table = Table(LANE, Scaled(WRITE, 100, 1000))
    table.minutes(2, read=95, write=95)
    update = table.updates.running(TABLE)
    assert update is not None
    assert set(update.wanted) == {READ, WRITE}
    table.scaling.look(table.now + 31)
    assert table.updates.running(TABLE) is update


def test_a_higher_minimum_is_followed_at_the_next_look():
    table = Table(LANE)
    table.lanes = (Scaled(READ, 800, 1000, 0.7),)
    table.scaling.look(table.now)
    update = table.updates.running(TABLE)
    assert update is not None
    assert dict(update.wanted) == {READ: 800}


def test_a_table_comes_down_after_fifteen_low_minutes_and_its_cooldown():
    table = Table(LANE)
    table.units[0] = 300
    table.minutes(LOW_MINUTES - 1, read=80)
    assert table.updates.running(TABLE) is None
    table.minute(read=80)
    assert table.updates.done or table.updates.running(TABLE)
    table.minutes(LOW_MINUTES + 2, read=30)
    assert table.units[0] == 115, "an hour passes before the next step down"


def test_decreases_that_dynamodb_would_refuse_are_not_asked_for():
    table = Table(Scaled(READ, 10, 1000, 0.7))
    for step in range(4):
        table.updates.begin(TABLE, {READ: 99 - step}, table.now, by="somebody")
        table.now += 60
        heapq.heappop(table.calendar)[2]()
    table.minutes(LOW_MINUTES, read=20)
    assert table.updates.running(TABLE) is None
    assert table.units[0] == 96
