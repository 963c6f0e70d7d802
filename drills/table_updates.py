"""DynamoDB's control plane: an UpdateTable takes its time, a table takes one at a time, and decreases are counted.

Nothing here calls an API. `drills.table_shims` answers UpdateTable and DescribeTable from it, Application Auto
Scaling (`drills.auto_scaling`) asks it, and the world learns of a new capacity when a change is through.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from drills.function_model import stream
from drills.table_model import KINDS, Kind
from drills.world import World
from sereno.model import Json

# "From 20 seconds to several minutes, with throttling meanwhile"; four minutes are what Sereno must live with.
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/metrics-dimensions.html
TAKES_S = (20.0, 240.0)
# Decreases of a table, or of an index, on one day (UTC): up to four within an hour of the first, then one more after
# each hour without any. https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ServiceQuotas.html
AT_ONCE = 4
HOUR_S, DAY_S = 3600.0, 86_400.0
MOST_A_DAY = 27

Lane = tuple[str, str | None, Kind]
"""A table, one of its indexes (None: the table itself), and whether reads or writes."""


class Refused(Exception):
    """DynamoDB says no; `code` and `message` are AWS's."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True)
class Update:
    """A change that AWS carries out: from and until when (epoch seconds), which capacities were what and become what
    (units a second), who asked, and the call's parameters when there was one."""

    table: str
    begins: float
    ends: float
    before: Mapping[Lane, int]
    wanted: Mapping[Lane, int]
    by: str
    params: Json = field(default_factory=dict)

    def touches(self, index: str | None) -> bool:
        """Whether the table itself (None), or this index, is changed."""
        return any(lane[1] == index for lane in self.wanted)


class TableUpdates:
    """The changes of a world's tables. `at(moment, action)` is the drill's calendar; `takes` the least and the most
    seconds of a change, drawn for each; `through` hears of every change that has taken effect."""

    def __init__(
        self,
        world: World,
        seed: int,
        at: Callable[[float, Callable[[], None]], None],
        *,
        takes: tuple[float, float] = TAKES_S,
        through: Callable[[Update], None] = lambda _: None,
    ) -> None:
        self._world = world
        self._at = at
        self._takes = takes
        self._through = through
        self._rngs = {table: stream(seed, table, "update table") for table in world.tables}
        self._running: dict[str, Update] = {}
        self._decreases: dict[tuple[str, str | None], list[float]] = {}
        self._increased: dict[tuple[str, str | None], float] = {}
        self.done: list[Update] = []

    def knows(self, table: str) -> bool:
        """Whether the table is one of the world's."""
        return table in self._rngs

    def running(self, table: str) -> Update | None:
        """The change under way, or None."""
        return self._running.get(table)

    def units(self, lane: Lane) -> int:
        """The capacity in force: of a change under way the value before it."""
        table, index, kind = lane
        return round(self._world.capacity(table, index)[KINDS.index(kind)])

    def decreases(self, table: str, index: str | None, now: float) -> list[float]:
        """When the capacity was lowered today (UTC, epoch seconds), oldest first."""
        midnight = now - now % DAY_S
        return [moment for moment in self._decreases.get((table, index), ()) if moment >= midnight]

    def increased(self, table: str, index: str | None) -> float | None:
        """When the capacity was last raised, or None."""
        return self._increased.get((table, index))

    def decreased(self, table: str, index: str | None) -> float | None:
        """When it was last lowered, or None."""
        found = self._decreases.get((table, index))
        return found[-1] if found else None

    def may_decrease(self, table: str, index: str | None, now: float) -> bool:
        """Whether one more decrease is allowed today."""
        today = self.decreases(table, index, now)
        if len(today) >= MOST_A_DAY:
            return False
        return not today or (len(today) < AT_ONCE and now - today[0] < HOUR_S) or now - today[-1] >= HOUR_S

    def begin(
        self, table: str, wanted: Mapping[Lane, int], now: float, *, by: str, params: Json | None = None
    ) -> Update:
        """Begins a change, or raises Refused: as a whole, as AWS does. Capacities that stay as they are may be named;
        a change of capacities that changes none is refused."""
        running = self.running(table)
        if running is not None:
            raise Refused(
                "ResourceInUseException",
                f"Attempt to change a resource which is still in use: Table is being updated: {table}",
            )
        changes = {lane: units for lane, units in wanted.items() if units != self.units(lane)}
        if wanted and not changes:
            raise Refused(
                "ValidationException",
                f"The provisioned throughput for the table {table} will not change. The requested value equals the "
                "current value.",
            )
        lowered = sorted({lane[1] or "" for lane, units in changes.items() if units < self.units(lane)})
        for name in lowered:
            if not self.may_decrease(table, name or None, now):
                had = len(self.decreases(table, name or None, now))
                raise Refused(
                    "LimitExceededException",
                    "Subscriber limit exceeded: Provisioned throughput decreases are limited within a given UTC day. "
                    f"{table}{'/' + name if name else ''} has had {had}.",
                )
        before = {lane: self.units(lane) for lane in changes}
        ends = now + float(self._rngs[table].uniform(*self._takes))
        update = Update(table, now, ends, before, changes, by, params or {})
        for name in lowered:
            self._decreases.setdefault((table, name or None), []).append(now)
        for lane, units in changes.items():
            if units > self.units(lane):
                self._increased[table, lane[1]] = now
        self._running[table] = update
        self._at(update.ends, lambda: self._end(update))
        return update

    def _end(self, update: Update) -> None:
        del self._running[update.table]
        for (table, index, kind), units in update.wanted.items():
            if kind == "read":
                self._world.set_capacity(table, index=index, read=units)
            else:
                self._world.set_capacity(table, index=index, write=units)
        self.done.append(update)
        self._through(update)
