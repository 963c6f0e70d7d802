"""The drill's charts as data: panels and lanes on one time axis, ready for the template. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from drills import charts, narrative
from drills.leases import acted, changed_at, taken_back_at
from sereno.model import Json

# A limit far above the traffic would press the curves flat on the axis, so it is named in words instead.
_LIMIT_IN_VIEW = 3.0
# A short text takes this share of a phone's width.
_TEXT_WIDTH = 26.0
# Marks closer than this share of the width would cover each other's number.
_MARK_WIDTH = 3.0
# A line of text takes this share of a plot's height.
_NOTE_HEIGHT = 0.13


@dataclass(frozen=True, slots=True)
class Label:
    """Text laid over a plot at a share (0..100) of its width and height."""

    left: float
    top: float
    text: str
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Shape:
    """One path, and what it stands for: the stylesheet draws each kind in its own way."""

    kind: str
    path: str


@dataclass(frozen=True, slots=True)
class Panel:
    """One plot. `summary` is its alternative in words, `keys` its legend as (kind, text)."""

    title: str
    unit: str
    summary: str
    keys: tuple[tuple[str, str], ...]
    shapes: tuple[Shape, ...]
    levels: tuple[Label, ...]
    notes: tuple[Label, ...] = ()
    caption: str = ""


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of a lane, in shares (0..100) of the width."""

    left: float
    width: float
    kind: str
    words: str
    text: str = ""

    @property
    def place(self) -> str:
        """Where the text stands: inside, or where it would be cut off (on a phone too), after it or before it."""
        if self.width >= _TEXT_WIDTH:
            return "inside"
        return "after" if self.left + self.width < 100 - _TEXT_WIDTH else "before"


@dataclass(frozen=True, slots=True)
class Lane:
    """One alarm, or one remediation when it has a number, through time."""

    label: str
    summary: str
    segments: tuple[Segment, ...]
    number: int = 0


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
    alarms: tuple[Lane, ...]
    remediations: tuple[Lane, ...]
    marks: tuple[Mark, ...]
    axis: tuple[tuple[float, str, str], ...]
    quiet_alarms: int


def figure(result: Json) -> Figure:
    """The charts of a checked result."""
    duration = result["duration_s"]
    start = narrative.started(result)
    alarms = [lane for one in result["alarms"] if (lane := _alarm_lane(one, duration, result["service"]))]
    axis = tuple(
        (
            100 * second / duration,
            _axis_text(second, duration),
            narrative.clock(start, second, with_seconds=False),
        )
        for second in charts.time_ticks(duration)
    )
    return Figure(
        panels=(*_traffic(result), *_functions(result)),
        alarms=tuple(alarms),
        remediations=tuple(_remediation_lanes(result)),
        marks=tuple(_marks(result)),
        axis=axis,
        quiet_alarms=len(result["alarms"]) - len(alarms),
    )


def short(name: str, service: str) -> str:
    """A resource's name without the service's, which every name repeats."""
    bare = name.removeprefix(service).lstrip("-/_")
    return bare or name


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
        notes = (_note(text, x(times[worst]), y(served[worst] or 0), y(answered[worst])),)
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
        levels=_levels(levels),
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


def _note(text: str, x: float, bottom: float, top: float) -> Label:
    """Says in words what the red area is: inside it where it is tall enough, else above, off the plot's edges."""
    left = 100 * x / charts.WIDTH
    tall = (bottom - top) / charts.HEIGHT > _NOTE_HEIGHT
    middle = (bottom + top) / 2 if tall else top - _NOTE_HEIGHT * charts.HEIGHT
    side = "after" if left < 30 else "before" if left > 70 else ""
    return Label(left, min(max(100 * middle / charts.HEIGHT, 7), 93), text, side)


def _levels(values: Sequence[float]) -> tuple[Label, ...]:
    y = charts.upward(values[-1])
    return tuple(Label(0, 100 * y(value) / charts.HEIGHT, narrative.number(value)) for value in values)


def _functions(result: Json) -> list[Panel]:
    attended = result["series"]["with"]["functions"]
    unattended = result["series"]["without"]["functions"]
    names = list(dict.fromkeys([*attended, *unattended]))
    empty: Json = {"concurrency": [], "limit": []}
    panels = [_function_panel(result, name, attended.get(name, empty), unattended.get(name, empty)) for name in names]
    # The functions nearest to their limits come first: they are why the drill was run.
    order = sorted(names, key=lambda name: -_strain(unattended.get(name, empty)))
    by_name = dict(zip(names, panels, strict=True))
    return [by_name[name] for name in order]


def _strain(one: Json) -> float:
    """The highest share of its limit that a function used."""
    pairs = zip(one["concurrency"], one["limit"], strict=False)
    return max((used / limit for used, limit in pairs if used is not None and limit), default=0.0)


def _function_panel(result: Json, name: str, attended: Json, unattended: Json) -> Panel:
    times = result["series"]["t"]
    used = charts.peak(attended["concurrency"], unattended["concurrency"])
    limits = sorted({limit for side in (attended, unattended) for limit in side["limit"] if limit is not None})
    seen = [limit for limit in limits if limit <= max(used, 1) * _LIMIT_IN_VIEW]
    levels = charts.ticks(max([used, *seen]) * 1.04)
    x, y = charts.across(result["duration_s"]), charts.upward(levels[-1])
    kept = charts.keep([one[key] for one in (attended, unattended) for key in ("concurrency", "limit")])
    drawn = [("running", "running, with Sereno", charts.line(times, attended["concurrency"], kept, x, y))]
    if attended["concurrency"] != unattended["concurrency"]:
        path = charts.line(times, unattended["concurrency"], kept, x, y)
        drawn.append(("running-without", "running, without", path))
    drawn.append(("limit", "limit, with Sereno", charts.staircase(times, attended["limit"], kept, x, y)))
    if attended["limit"] != unattended["limit"]:
        path = charts.staircase(times, unattended["limit"], kept, x, y)
        drawn.append(("limit-without", "limit, without", path))
    drawn = [one for one in drawn if one[2]]
    return Panel(
        title=short(name, result["service"]),
        unit="concurrent executions",
        summary=_function_summary(name, attended, unattended),
        keys=tuple((kind, words) for kind, words, _ in drawn),
        shapes=tuple(Shape(kind, path) for kind, _, path in reversed(drawn)),
        levels=_levels(levels),
        caption=_function_caption(attended, unattended, [limit for limit in limits if limit not in seen]),
    )


def _function_caption(attended: Json, unattended: Json, above: list[float]) -> str:
    """What the curves do not say: a limit out of sight, no limit, or no difference."""
    sentences = []
    if above:
        sentences.append(f"The limit, {' and '.join(map(narrative.number, above))}, lies above the chart.")
    elif not any(limit is not None for limit in [*attended["limit"], *unattended["limit"]]):
        sentences.append("It has no limit of its own.")
    if attended == unattended:
        sentences.append("The same without Sereno.")
    return " ".join(sentences)


def _function_summary(name: str, attended: Json, unattended: Json) -> str:
    parts = []
    for words, side in (("with Sereno", attended), ("without", unattended)):
        known = [limit for limit in side["limit"] if limit is not None]
        limit = (
            f"a limit of {narrative.number(min(known))}"
            + (f" to {narrative.number(max(known))}" if max(known) != min(known) else "")
            if known
            else "no limit of its own"
        )
        parts.append(f"{words} it peaks at {narrative.number(charts.peak(side['concurrency']))} under {limit}")
    return f"Concurrent executions of {name}: {'; '.join(parts)}."


def _alarm_lane(alarm: Json, duration: float, service: str) -> Lane | None:
    """The alarm's states through time, or None for one that never went into ALARM: it has no story to tell."""
    changes = sorted(alarm["transitions"], key=lambda one: one["at_s"])
    if not any(one["state"] == "ALARM" for one in changes):
        return None
    segments, spoken = [], []
    for index, change in enumerate(changes):
        begins = max(0.0, change["at_s"])
        ends = min(duration, changes[index + 1]["at_s"] if index + 1 < len(changes) else duration)
        if ends <= begins:
            continue
        words = f"{change['state']} from {narrative.elapsed(begins)} to {narrative.elapsed(ends)}"
        kind = {"ALARM": "alarm", "OK": "ok"}.get(change["state"], "unknown")
        segments.append(Segment(100 * begins / duration, 100 * (ends - begins) / duration, kind, words))
        if kind == "alarm":
            spoken.append(f"from {narrative.elapsed(begins)} to {narrative.elapsed(ends)}")
    label = short(alarm["name"], service)
    return Lane(label, f"{alarm['name']} was in ALARM {', '.join(spoken)}.", tuple(segments))


def _remediation_lanes(result: Json) -> list[Lane]:
    duration = result["duration_s"]
    lanes = []
    for number, one in enumerate(acted(result), start=1):
        begins = changed_at(one)
        if begins is None:
            continue
        ends = taken_back_at(one)
        until = duration if ends is None else min(ends, duration)
        place = f"{one['remediator']} on {short(one['target']['name'], result['service'])}"
        when = "in force at the end" if ends is None else f"at {narrative.elapsed(until)}"
        words = f"from {narrative.elapsed(begins)}; {one['status']}, {when}"
        change = change_text(one) if one["status"] == "REVERTED" else f"{change_text(one)}  {one['status']}"
        segment = Segment(100 * begins / duration, max(0.4, 100 * (until - begins) / duration), "held", words, change)
        lanes.append(Lane(place, f"Remediation {number}, {place}, {words}.", (segment,), number))
    return lanes


def change_text(remediation: Json) -> str:
    """The first step's value before and after, e.g. 120 → 227; empty where nothing was planned."""
    steps = (remediation.get("plan") or {}).get("steps") or []
    if not steps:
        return ""
    return f"{narrative.value_text(steps[0]['before'])} → {narrative.value_text(steps[0]['after'])}"


def _marks(result: Json) -> list[Mark]:
    placed = sorted(
        (100 * moment / result["duration_s"], number, one["remediator"])
        for number, one in enumerate(acted(result), start=1)
        if (moment := changed_at(one)) is not None
    )
    marks: list[Mark] = []
    for left, number, name in placed:
        words = f"Remediation {number}, {name}"
        if marks and left - marks[-1].left < _MARK_WIDTH:
            last = marks[-1]
            marks[-1] = Mark(last.left, (*last.numbers, number), f"{last.words}; {words}")
        else:
            marks.append(Mark(left, (number,), words))
    return marks
