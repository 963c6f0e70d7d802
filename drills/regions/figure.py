"""The charts of a regional drill as data: who was served where, through the whole of it and in its first minutes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from drills import charts, narrative
from drills.lanes import Lane, Segment, remediation_lanes
from drills.panel import Panel, Shape, levels_of
from drills.panels import Figure, axis, marks
from drills.regions.narrative import day, parts
from sereno.model import Json

# Drawn as narrow as this share of the width, and no narrower.
LEAST = 0.3
_WORDS = {
    "dark": "dark",
    "gray": "gray",
    "down": "down",
    "zone-loss": "a zone is gone",
    "unseen": "unseen",
    "control-plane": "no control plane",
}


def whole(result: Json) -> Figure:
    """The whole drill: traffic of both worlds, the regions, where DNS sent customers, and what Sereno held."""
    duration = float(result["duration_s"])
    series = result["series"]
    regions = _regions(result, duration)
    ways = [
        _way(result, result["without"]["moves"], "without Sereno", 0.0, duration),
        _way(result, result["moves"], "with Sereno", 0.0, duration),
    ]
    return Figure(
        panels=_panels(result, series, series["t"][0] if series["t"] else 0, duration),
        planned=(),
        alarms=(),
        remediations=tuple(remediation_lanes(result)),
        marks=tuple(marks(result)),
        axis=axis(result),
        quiet_alarms=0,
        groups=(*((("The regions", tuple(regions)),) if regions else ()), ("Where DNS sends customers", tuple(ways))),
    )


def first_minutes(result: Json) -> Figure | None:
    """The first minutes of the first outage, second by second, with the parts of the way to the standby; None where
    nothing was out."""
    if not result["closely"] or not result["outages"]:
        return None
    closely, outage = result["closely"][0], result["outages"][0]
    begins, length = float(closely["from_s"]), float(len(closely["t"]))
    if length < 2:
        return None
    since = outage["from_s"] - begins

    def stretch(first: float, last: float, kind: str, words: str, text: str) -> Segment:
        left = 100 * max(0.0, first) / length
        width = 100 * (min(last, length) - max(0.0, first)) / length
        return Segment(left, max(LEAST, width), kind, words, text)

    lanes = []
    for one in parts(outage["with"]):
        text = narrative.span(one.lasts)
        words = f"{one.name}: {text}, {one.words}"
        part = stretch(since + one.begins, since + one.ends, "held", words, text)
        lanes.append(Lane(one.name, f"{words}.", (part,)))
    plain = outage["with"]["plain_seen_s"]
    if plain is not None:
        text = narrative.span(plain)
        words = f"the health check of DNS, which needs nobody: {text}"
        part = stretch(since, since + plain, "planned", words, text)
        lanes.append(Lane("DNS's own check", f"{words}.", (part,)))
    ways = [
        _way(result, result["without"]["moves"], "without Sereno", begins, begins + length),
        _way(result, result["moves"], "with Sereno", begins, begins + length),
    ]
    start = narrative.started(result)
    ticks = tuple(
        (
            100 * (since + second) / length,
            f"{second} s" if second else "out",
            "" if second % 60 else narrative.clock(start, outage["from_s"] + second, with_seconds=False),
        )
        for second in range(0, int(length - since), 30)
    )
    return Figure(
        panels=_panels(result, closely, begins, length),
        planned=(),
        alarms=(),
        remediations=(),
        marks=(),
        axis=ticks,
        quiet_alarms=0,
        groups=(("The way to the standby", tuple(lanes)), ("Where DNS sends customers", tuple(ways))),
    )


def year(result: Json) -> Figure:
    """A year: each kind of noise, the outages, and the moves, on one axis of months."""
    length = float(result["duration_s"])

    def lane(name: str, kind: str, stretches: Sequence[tuple[float, float, str]]) -> Lane:
        segments = tuple(
            Segment(100 * begins / length, max(LEAST, 100 * (ends - begins) / length), kind, words)
            for begins, ends, words in stretches
        )
        return Lane(name, f"{name}: {len(segments)} in the year.", segments)

    noise: dict[str, list[tuple[float, float, str]]] = {}
    for one in result["happenings"]:
        words = f"{narrative.span(one['to_s'] - one['from_s'])} {day(one['from_s'])}"
        noise.setdefault(one["kind"], []).append((one["from_s"], one["to_s"], words))
    outages = noise.pop("outage", [])
    moves = [
        (one["from_s"] + one["found_s"], one["to_s"], f"after {narrative.span(one['found_s'])}, {day(one['from_s'])}")
        for one in result["outages"]
        if one["found_s"] is not None
    ]
    false = [(at, at, f"without an outage, {day(at)}") for at in result["false_moves"]]
    start = narrative.started(result)
    ticks = tuple(_months(start, length))
    return Figure(
        panels=(),
        planned=(),
        alarms=(),
        remediations=(),
        marks=(),
        axis=ticks,
        quiet_alarms=0,
        groups=(
            (
                "Outages, and moves of traffic",
                (
                    lane("outage", "alarm", outages),
                    lane("moved", "held", moves),
                    lane("moved for nothing", "alarm", false),
                ),
            ),
            ("Noise", tuple(lane(name, "noise", found) for name, found in sorted(noise.items()))),
        ),
    )


def _months(start: datetime, length: float) -> Iterator[tuple[float, str, str]]:
    """The first of every month: share of the width, month, day since the start."""
    first = start.replace(day=1, hour=0, minute=0, second=0)
    while (since := (first - start).total_seconds()) < length:
        if since >= 0:
            yield 100 * since / length, f"{first:%b}", f"day {int(since // 86_400) + 1}"
        first = (first + timedelta(days=32)).replace(day=1)


def _panels(result: Json, series: Json, begins: float, length: float) -> tuple[Panel, ...]:
    levels = charts.ticks(max(charts.peak(series[side]["offered"]) for side in ("with", "without")))
    times = [at - begins for at in series["t"]]
    return (
        _panel(result, times, series["without"], "Without Sereno", levels, length),
        _panel(result, times, series["with"], "With Sereno", levels, length),
    )


def _panel(result: Json, times: Sequence[float], side: Json, title: str, levels: list[float], length: float) -> Panel:
    """Served by the primary, on it by the standby, on it what failed."""
    x, y = charts.across(length), charts.upward(levels[-1])
    primary, standby, failed, offered = (side[name] for name in ("primary", "standby", "failed", "offered"))
    both = [one + other for one, other in zip(primary, standby, strict=True)]
    answered = [one + other for one, other in zip(both, failed, strict=True)]
    kept = charts.keep([offered, primary, both, failed])
    names = result["regions"]
    shapes = [
        Shape("served", charts.area(times, [], primary, kept, x, y)),
        Shape("served-there", charts.area(times, primary, both, kept, x, y)),
    ]
    keys = [("offered", "offered"), ("served", names["primary"]), ("served-there", names["standby"])]
    lost = charts.peak(failed)
    if lost:
        edge = [one if bad else None for one, bad in zip(both, failed, strict=True)]
        shapes += [
            Shape("failed", charts.area(times, both, answered, kept, x, y)),
            Shape("failed-edge", charts.line(times, edge, kept, x, y)),
        ]
        keys.append(("failed", "failed"))
    shapes.append(Shape("offered", charts.line(times, offered, kept, x, y)))
    harm = f"up to {narrative.number(lost)} a second failed" if lost else "none failed"
    peak = narrative.number(charts.peak(offered))
    return Panel(
        title=title,
        unit="requests a second",
        summary=f"{title}: offered traffic peaks at {peak} requests a second; {harm}.",
        keys=tuple(keys),
        shapes=tuple(shapes),
        levels=levels_of(levels),
        caption="" if lost else "Every request was served.",
    )


def _regions(result: Json, duration: float) -> list[Lane]:
    """What befell each region; none for one that was well throughout."""
    lanes = []
    for role in ("primary", "standby", "witness"):
        name = result["regions"][role]
        own = [one for one in result["troubles"] if one["region"] == name and one["from_s"] < duration]
        segments = []
        for one in sorted(own, key=lambda each: each["from_s"]):
            begins, ends = one["from_s"], min(one["to_s"], duration)
            words = f"{_WORDS[one['kind']]} from {narrative.elapsed(begins)} to {narrative.elapsed(ends)}"
            width = max(LEAST, 100 * (ends - begins) / duration)
            text = _WORDS[one["kind"]] if width > 4 else ""
            kind = "alarm" if one["kind"] == "dark" else "noise"
            segments.append(Segment(100 * begins / duration, width, kind, words, text))
        if segments:
            spoken = "; ".join(one.words for one in segments[:6])
            lanes.append(Lane(f"{name} ({role})", f"{name}: {spoken}.", tuple(segments)))
    return lanes


def _way(result: Json, moves: Sequence[Json], label: str, begins: float, ends: float) -> Lane:
    """Where DNS's answer leads, from a moment to another."""
    primary, standby = result["regions"]["primary"], result["regions"]["standby"]
    changes = [(0.0, {primary: 1.0}), *((one["at_s"], one["chances"]) for one in moves)]
    segments = []
    for number, (at, chances) in enumerate(changes):
        until = changes[number + 1][0] if number + 1 < len(changes) else ends
        first, last = max(at, begins), min(until, ends)
        if last <= first:
            continue
        there = chances.get(standby, 0.0)
        where = primary if there == 0 else standby if there == 1 else f"{1 - there:.0%} {primary}"
        kind = "here" if there == 0 else "there" if there == 1 else "between"
        width = 100 * (last - first) / (ends - begins)
        words = f"{where} from {narrative.elapsed(first)} to {narrative.elapsed(last)}"
        segments.append(
            Segment(
                100 * (first - begins) / (ends - begins), max(LEAST, width), kind, words, where if width > 14 else ""
            )
        )
    return Lane(label, f"Customers {label}: {'; '.join(one.words for one in segments[:8])}.", tuple(segments))
