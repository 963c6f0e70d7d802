"""The drill's charts as data: panels and lanes on one time axis, ready for the template. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from drills import charts, lanes, narrative, usage_panels
from drills.lanes import Lane
from drills.leases import acted, changed_at
from drills.panel import Label, Panel, Shape, levels_of, note, short
from sereno.model import Json

__all__ = ["Figure", "Mark", "axis", "figure", "marks", "short"]

# Marks closer than this share of the width would cover each other's number.
_MARK_WIDTH = 3.0


@dataclass(frozen=True, slots=True)
class Mark:
    """Where remediations changed something. `numbers` are those of the cards."""

    left: float
    numbers: tuple[int, ...]
    words: str

    @property
    def text(self) -> str:
        """One or two numbers as they are, more as a range: the cards count in the order of time."""
        if len(self.numbers) <= 2:
            return " ".join(map(str, self.numbers))
        return f"{min(self.numbers)}–{max(self.numbers)}"


@dataclass(frozen=True, slots=True)
class Figure:
    """Everything on the one time axis."""

    panels: tuple[Panel, ...]
    planned: tuple[Lane, ...]
    alarms: tuple[Lane, ...]
    remediations: tuple[Lane, ...]
    marks: tuple[Mark, ...]
    axis: tuple[tuple[float, str, str], ...]
    quiet_alarms: int
    # Other lanes, below the traffic: (heading, lanes).
    groups: tuple[tuple[str, tuple[Lane, ...]], ...] = ()


def figure(result: Json) -> Figure:
    """The charts of a checked result."""
    duration = result["duration_s"]
    alarms = [lane for one in result["alarms"] if (lane := lanes.alarm_lane(one, duration, result["service"]))]
    return Figure(
        panels=(*_traffic(result), *usage_panels.functions(result), *usage_panels.tables(result)),
        planned=tuple(lanes.planned_lanes(result)),
        alarms=tuple(alarms),
        remediations=tuple(lanes.remediation_lanes(result)),
        marks=tuple(marks(result)),
        axis=axis(result),
        quiet_alarms=len(result["alarms"]) - len(alarms),
    )


def axis(result: Json) -> tuple[tuple[float, str, str], ...]:
    """The ticks of time: share of the width, time since the start, time of day."""
    duration, start = result["duration_s"], narrative.started(result)
    return tuple(
        (100 * second / duration, _axis_text(second, duration), narrative.clock(start, second, with_seconds=False))
        for second in charts.time_ticks(duration)
    )


def _axis_text(second: int, duration: float) -> str:
    if duration < 600 and second % 60:
        return f"{second} s"
    if duration >= 6 * 3600:
        return f"{number} h" if (number := second / 3600) % 1 else f"{second // 3600} h"
    return f"{second // 60} min"


def _traffic(result: Json) -> list[Panel]:
    series = result["series"]
    both = series["without"], series["with"]
    total = charts.ticks(max(charts.peak(side["offered"]) for side in both))
    return [
        _traffic_panel(result, series["without"], "Without Sereno", total, "would have failed"),
        _traffic_panel(result, series["with"], "With Sereno", total, "failed"),
    ]


def _traffic_panel(result: Json, side: Json, title: str, levels: list[float], verb: str) -> Panel:
    times = result["series"]["t"]
    x, y = charts.across(result["duration_s"]), charts.upward(levels[-1])
    served, failed = side["served"], side["failed"]
    answered = [(good or 0) + (bad or 0) for good, bad in zip(served, failed, strict=True)]
    kept = charts.keep([side["offered"], served, failed])
    shapes = [Shape("served", charts.area(times, [], served, kept, x, y))]
    notes: tuple[Label, ...] = ()
    worst = _worst(failed)
    if worst is not None:
        edge = [good if bad else None for good, bad in zip(served, failed, strict=True)]
        shapes.append(Shape("failed", charts.area(times, served, answered, kept, x, y)))
        shapes.append(Shape("failed-edge", charts.line(times, edge, kept, x, y)))
        text = f"up to {narrative.number(charts.peak(failed))}/s {verb}"
        notes = (note(text, x(times[worst]), y(served[worst] or 0), y(answered[worst])),)
    shapes.append(Shape("offered", charts.line(times, side["offered"], kept, x, y)))
    peak, lost = charts.peak(side["offered"]), charts.peak(failed)
    harm = f"up to {narrative.number(lost)} a second {verb}" if lost else "none failed"
    keys = [("offered", "offered"), ("served", "served")] + ([("failed", "failed")] if lost else [])
    return Panel(
        title=title,
        unit="requests a second",
        summary=f"{title}: offered traffic peaks at {narrative.number(peak)} requests a second; {harm}.",
        keys=tuple(keys),
        shapes=tuple(shapes),
        levels=levels_of(levels),
        notes=notes,
        caption="" if lost else "Every request was served.",
    )


def _worst(failed: Sequence[float | None]) -> int | None:
    """The middle of the stretch around the highest failure: there a label has room."""
    top = charts.peak_index(failed)
    if top is None:
        return None
    floor = (failed[top] or 0) / 2
    first = last = top
    while first > 0 and (failed[first - 1] or 0) >= floor:
        first -= 1
    while last < len(failed) - 1 and (failed[last + 1] or 0) >= floor:
        last += 1
    return (first + last) // 2


def marks(result: Json) -> list[Mark]:
    """Where remediations changed something; those that would cover each other as one."""
    placed = sorted(
        (100 * moment / result["duration_s"], number, one["remediator"])
        for number, one in enumerate(acted(result), start=1)
        if (moment := changed_at(one)) is not None
    )
    made: list[Mark] = []
    for left, number, name in placed:
        words = f"Remediation {number}, {name}"
        if made and left - made[-1].left < _MARK_WIDTH:
            last = made[-1]
            made[-1] = Mark(last.left, (*last.numbers, number), f"{last.words}; {words}")
        else:
            made.append(Mark(left, (number,), words))
    return made
