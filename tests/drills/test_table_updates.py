"""UpdateTable takes its time, a table takes one at a time, and a day has only so many decreases."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drills.table_updates import AT_ONCE, MOST_A_DAY, TAKES_S, Refused, TableUpdates, Update

TABLE, INDEX = "shop-products", "by-category"
READ, WRITE, INDEX_READ = (TABLE, None, "read"), (TABLE, None, "write"), (TABLE, INDEX, "read")
MIDNIGHT = 1_795_478_400.0  # a whole number of days


class Account:
    """A table in a world that only knows capacities, and a calendar that the test lives through."""

    def __init__(self, seed: int = 1, takes: tuple[float, float] = TAKES_S) -> None:
        self.now = MIDNIGHT
        self.capacities: dict[str | None, list[float]] = {None: [300.0, 50.0], INDEX: [150.0, 50.0]}
        self.calendar: list[tuple[float, int, Callable[[], None]]] = []
        self.through: list[Update] = []
        world: Any = SimpleNamespace(
            tables=(TABLE,), capacity=lambda _, index: tuple(self.capacities[index]), set_capacity=self._set
        )
        self.updates = TableUpdates(world, seed, self._at, takes=takes, through=self.through.append)

    def _at(self, moment: float, action: Callable[[], None]) -> None:
        heapq.heappush(self.calendar, (moment, len(self.calendar), action))

    def _set(self, _: str, *, index: str | None, read: float | None = None, write: float | None = None) -> None:
        for place, units in enumerate((read, write)):
            if units is not None:
                self.capacities[index][place] = units

    def wait(self, seconds: float) -> None:
        self.now += seconds
        while self.calendar and self.calendar[0][0] <= self.now:
            heapq.heappop(self.calendar)[2]()

    def change(self, **lanes: int) -> Update:
        named = {"read": READ, "write": WRITE, "index_read": INDEX_READ}
        wanted = {named[name]: units for name, units in lanes.items()}
        return self.updates.begin(TABLE, wanted, self.now, by="test")

    def lower(self, seconds: float) -> None:
        """One unit less, and so many seconds until the next thought."""
        self.change(read=self.updates.units(READ) - 1)
        self.wait(seconds)


def test_a_change_takes_its_time_and_shows_the_old_value_meanwhile():
    account = Account()
    update = account.change(read=800, index_read=400)
    assert TAKES_S[0] <= update.ends - update.begins <= TAKES_S[1]
    account.wait(update.ends - account.now - 1)
    assert (account.updates.units(READ), account.updates.units(INDEX_READ)) == (300, 150)
    assert account.updates.running(TABLE) == update
    account.wait(1)
    assert (account.updates.units(READ), account.updates.units(INDEX_READ)) == (800, 400)
    assert account.updates.running(TABLE) is None
    assert account.through == account.updates.done == [update]


def test_a_table_takes_one_change_at_a_time():
    account = Account()
    account.change(read=800)
    with pytest.raises(Refused, match="Table is being updated") as refused:
        account.change(write=80)
    assert refused.value.code == "ResourceInUseException"
    account.wait(TAKES_S[1])
    account.change(write=80)


def test_what_changes_nothing_is_refused():
    with pytest.raises(Refused, match="will not change") as refused:
        Account().change(read=300, write=50)
    assert refused.value.code == "ValidationException"


def test_only_what_differs_is_changed():
    update = Account().change(read=300, write=80)
    assert (dict(update.before), dict(update.wanted)) == ({WRITE: 50}, {WRITE: 80})
    assert update.touches(None)
    assert not update.touches(INDEX)


def test_four_decreases_in_the_first_hour_and_then_one_after_each_hour_without():
    account = Account(takes=(20, 20))
    for _ in range(AT_ONCE):
        account.lower(600)
    with pytest.raises(Refused, match="has had 4") as refused:
        account.lower(0)
    assert refused.value.code == "LimitExceededException"
    account.wait(3000)
    account.lower(3599)
    assert not account.updates.may_decrease(TABLE, None, account.now)
    account.wait(1)
    account.lower(60)
    assert len(account.updates.decreases(TABLE, None, account.now)) == 6


def test_a_patient_day_has_27_decreases_and_the_next_one_begins_anew():
    account = Account(takes=(20, 20))
    for _ in range(AT_ONCE):
        account.lower(20)
    while account.now + 3600 < MIDNIGHT + 86_400:
        account.wait(3600)
        account.lower(0)
    assert len(account.updates.decreases(TABLE, None, account.now)) == MOST_A_DAY
    account.wait(86_400 - account.now % 86_400)
    assert account.updates.decreases(TABLE, None, account.now) == []
    assert account.updates.may_decrease(TABLE, None, account.now)
    assert account.updates.decreased(TABLE, None) is not None, "the last one is remembered"


def test_a_table_and_its_index_are_counted_apart_and_refused_as_a_whole():
    account = Account(takes=(20, 20))
    for _ in range(AT_ONCE):
        account.lower(20)
    account.change(index_read=100)
    account.wait(20)
    with pytest.raises(Refused):
        account.change(read=200, index_read=90)
    assert account.updates.units(INDEX_READ) == 100
    assert len(account.updates.decreases(TABLE, INDEX, account.now)) == 1


def test_increases_are_not_counted():
    account = Account(takes=(20, 20))
    for units in range(301, 341):
        account.change(read=units)
        account.wait(20)
    assert account.updates.decreases(TABLE, None, account.now) == []
    assert account.updates.increased(TABLE, None) == account.now - 20


def test_the_same_seed_gives_the_same_durations_and_another_seed_others():
    def ends(seed: int) -> float:
        return Account(seed).change(read=800).ends

    assert ends(1) == ends(1) != ends(2)


@given(st.lists(st.tuples(st.sampled_from(["read", "write"]), st.integers(1, 900), st.floats(0, 5000)), max_size=25))
def test_whatever_is_asked_the_world_holds_what_the_last_finished_change_said(asked):
    account = Account()
    held = {READ: 300, WRITE: 50}
    for kind, units, pause in asked:
        with suppress(Refused):
            account.change(**{kind: units})
        account.wait(pause)
        for update in account.through:
            held |= update.wanted
        account.through.clear()
        assert {lane: account.updates.units(lane) for lane in held} == held
        today = account.updates.decreases(TABLE, None, account.now)
        assert len(today) <= MOST_A_DAY
