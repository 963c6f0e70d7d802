"""The tables of a run in progress: their changes, and Application Auto Scaling beside Sereno."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from drills import cloud_tables, twin
from drills.auto_scaling import AutoScaling, Scaled
from drills.cloud import Cloud
from drills.function_model import stream
from drills.publishing import DELAY_S
from drills.scenario import Scenario
from drills.table_shims import Tables
from drills.table_updates import TableUpdates, Update

if TYPE_CHECKING:
    from drills.engine import Run

# From RegisterScalableTarget to the UpdateTable that follows from it: "at once" says AWS.
FOLLOWS_S = 1.0


class Hear(Protocol):
    """Takes a happening."""

    def __call__(self, kind: str, text: str, **data: Any) -> None: ...


class TableStage:
    """Puts DynamoDB's control plane between the embedded AWS and the world. Nothing happens without tables."""

    def __init__(
        self,
        scenario: Scenario,
        seed: int,
        run: Run,
        cloud: Cloud,
        at: Callable[[float, Callable[[], None]], None],
        hear: Hear,
    ) -> None:
        self._run = run
        self._cloud = cloud
        self._at = at
        self._hear = hear
        self._start = scenario.start_s
        self._first = scenario.start_s + twin.scaling_phase(seed)
        world = run.world
        self._updates = TableUpdates(world, seed, at, takes=scenario.update_table_s, through=self._through)
        self._scaling = AutoScaling(lambda: self._scaled, world.store, self._updates)
        self._scaled: tuple[Scaled, ...] = ()
        self._errors = [one for one in scenario.faults_for(seed) if one.kind == "table-errors"]
        self._users = [one for one in scenario.functions if one.uses]
        self._invocations = {one.name: 0 for one in self._users}
        self._delays = stream(seed, "table errors", "metric delays")
        answers = cloud.answers
        answers.tables = Tables(self._updates, answers.clock, lambda: cloud.clients("dynamodb"))

    def begin(self) -> None:
        """The first look of Application Auto Scaling; each next one comes a minute later."""
        if self._run.world.tables:
            self._read_targets()
            self._at(self._first, lambda: self._minute(self._first))
        if self._errors:
            first = self._start + twin.MINUTE_S
            self._at(first, lambda: self._count_errors(first))

    def after_work(self, now: float) -> None:
        """One of Sereno's functions has worked: a target that it changed is acted on."""
        if self._cloud.answers.targets_touched and self._run.world.tables:
            self._read_targets()
            self._at(now + FOLLOWS_S, lambda: self._scaling.look(now + FOLLOWS_S))

    def _minute(self, moment: float) -> None:
        self._scaling.look(moment)
        self._at(moment + twin.MINUTE_S, lambda: self._minute(moment + twin.MINUTE_S))

    def _count_errors(self, moment: float) -> None:
        """Publishes the minute's errors of DynamoDB itself, by table and operation, as AWS does: no zeros."""
        self._at(moment + twin.MINUTE_S, lambda: self._count_errors(moment + twin.MINUTE_S))
        totals, middle = self._run.world.totals, moment - self._start - twin.MINUTE_S / 2
        ratio = max((one.value for one in self._errors if one.start <= middle < one.end), default=0.0)
        counts: dict[tuple[str, str], float] = {}
        for one in self._users:
            made = totals[one.name].invocations - self._invocations[one.name]
            self._invocations[one.name] += made
            for use in one.uses:
                place = (use.table, use.called)
                counts[place] = counts.get(place, 0.0) + made * use.ratio * ratio
        for (table, operation), count in counts.items():
            visible_at = moment + float(self._delays.uniform(*DELAY_S))
            if round(count):
                self._run.world.store.put(
                    "AWS/DynamoDB",
                    "SystemErrors",
                    {"TableName": table, "Operation": operation},
                    moment - twin.MINUTE_S,
                    60,
                    visible_at=visible_at,
                    total=round(count),
                    count=round(count),
                    minimum=1.0,
                    maximum=1.0,
                )

    def _read_targets(self) -> None:
        self._cloud.answers.targets_touched = False
        self._scaled = cloud_tables.scaled(self._cloud)

    def _through(self, update: Update) -> None:
        """A change is through: the account and the world hold the new capacity from now on."""
        answers = self._cloud.answers
        assert answers.tables is not None
        answers.tables.apply(update)
        for lane, units in update.wanted.items():
            before, name = update.before[lane], cloud_tables.label(lane)
            self._run.capacity_changes.append(
                {
                    "at_s": update.begins - self._start,
                    "through_s": update.ends - self._start,
                    "lane": name,
                    "before": before,
                    "after": units,
                    "by": update.by,
                }
            )
            self._hear("capacity", f"{name}: capacity {before} -> {units}, by {update.by}", table=update.table)
