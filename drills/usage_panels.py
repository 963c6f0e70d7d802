"""What was used against what was allowed: a panel for each function, and for reads and writes of each table. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from drills import charts, narrative
from drills.panel import Label, Panel, Shape, levels_of, note, short
from sereno.model import Json

# A limit far above the traffic would press the curves flat on the axis, so it is named in words instead.
_LIMIT_IN_VIEW = 3.0
# A table's reads or writes that never used so much of their capacity, were not throttled and not changed, have no
# story.
_STRAINED = 0.5
_SLOT_S = 10
# Where the note about throttled calls stands, as a share of the height from the top.
_NOTE_TOP = 0.14
_EMPTY: Json = {"concurrency": [], "limit": []}


@dataclass(frozen=True, slots=True)
class Words:
    """How a panel calls what it shows."""

    title: str
    unit: str
    subject: str
    used: str
    limit: str


def functions(result: Json) -> list[Panel]:
    """Concurrency under its limit; the functions nearest to theirs come first: they are why the drill was run."""
    attended, unattended = (result["series"][side]["functions"] for side in ("with", "without"))
    names = list(dict.fromkeys([*attended, *unattended]))
    ordered = sorted(names, key=lambda name: -_strain(_function(unattended, name)))
    return [
        _panel(
            result,
            Words(
                short(name, result["service"]),
                "concurrent executions",
                f"Concurrent executions of {name}",
                "running",
                "limit",
            ),
            _function(attended, name),
            _function(unattended, name),
        )
        for name in ordered
    ]


def tables(result: Json) -> list[Panel]:
    """Consumed capacity under what is provisioned, of reads or writes that came near it; the worst first."""
    strained = sorted(_lanes(result), key=lambda one: -one[0])
    return [panel for strain, panel in strained if strain >= _STRAINED]


def _lanes(result: Json) -> Iterator[tuple[float, Panel]]:
    attended, unattended = (result["series"][side].get("tables", {}) for side in ("with", "without"))
    for name in dict.fromkeys([*attended, *unattended]):
        for kind in ("read", "write"):
            ours, theirs = _table(attended, name, kind), _table(unattended, name, kind)
            label = short(name, result["service"])
            words = Words(
                f"{label}, {kind}s",
                "capacity units a second",
                f"Consumed {kind} capacity of {name}",
                "consumed",
                "capacity",
            )
            panel = _panel(result, words, ours, theirs)
            counts = (sum(ours["throttled"]), sum(theirs["throttled"]))
            strain = max(_strain(theirs), _strain(ours)) + (1.0 if any(counts) else 0.0)
            yield strain, _with_throttles(panel, result, theirs, counts)


def _function(side: Json, name: str) -> Json:
    found = side.get(name, _EMPTY)
    return {"used": found["concurrency"], "limit": found["limit"]}


def _table(side: Json, name: str, kind: str) -> Json:
    found = side.get(name, {}).get(kind, {"consumed": [], "capacity": [], "throttled": []})
    return {"used": found["consumed"], "limit": found["capacity"], "throttled": found["throttled"]}


def _strain(one: Json) -> float:
    """The highest share of its limit that was used."""
    pairs = zip(one["used"], one["limit"], strict=False)
    return max((used / limit for used, limit in pairs if used is not None and limit), default=0.0)


def _with_throttles(panel: Panel, result: Json, theirs: Json, counts: tuple[int, int]) -> Panel:
    """The same panel, which says how many calls were throttled, and when most were without Sereno."""
    if not any(counts):
        return panel
    with_sereno = narrative.number(counts[0]) if counts[0] else "none"
    said = f"{narrative.number(counts[1])} calls throttled without Sereno, {with_sereno} with it."
    notes: tuple[Label, ...] = ()
    worst = charts.peak_index(theirs["throttled"])
    if worst is not None:
        x = charts.across(result["duration_s"])(result["series"]["t"][worst])
        top = charts.HEIGHT * _NOTE_TOP
        rate = narrative.number(round(theirs["throttled"][worst] / _SLOT_S))
        notes = (note(f"up to {rate} calls/s throttled without", x, top, top),)
    caption = f"{said} {panel.caption}".strip()
    return replace(panel, summary=f"{panel.summary} {said}", notes=notes, caption=caption)


def _panel(result: Json, words: Words, attended: Json, unattended: Json) -> Panel:
    times = result["series"]["t"]
    used = charts.peak(attended["used"], unattended["used"])
    limits = sorted({limit for side in (attended, unattended) for limit in side["limit"] if limit is not None})
    seen = [limit for limit in limits if limit <= max(used, 1) * _LIMIT_IN_VIEW]
    levels = charts.ticks(max([used, *seen]) * 1.04)
    x, y = charts.across(result["duration_s"]), charts.upward(levels[-1])
    kept = charts.keep([one[key] for one in (attended, unattended) for key in ("used", "limit")])
    drawn = [("running", f"{words.used}, with Sereno", charts.line(times, attended["used"], kept, x, y))]
    if attended["used"] != unattended["used"]:
        path = charts.line(times, unattended["used"], kept, x, y)
        drawn.append(("running-without", f"{words.used}, without", path))
    drawn.append(("limit", f"{words.limit}, with Sereno", charts.staircase(times, attended["limit"], kept, x, y)))
    if attended["limit"] != unattended["limit"]:
        path = charts.staircase(times, unattended["limit"], kept, x, y)
        drawn.append(("limit-without", f"{words.limit}, without", path))
    drawn = [one for one in drawn if one[2]]
    return Panel(
        title=words.title,
        unit=words.unit,
        summary=_summary(words, attended, unattended),
        keys=tuple((kind, text) for kind, text, _ in drawn),
        shapes=tuple(Shape(kind, path) for kind, _, path in reversed(drawn)),
        levels=levels_of(levels),
        caption=_caption(words, attended, unattended, [limit for limit in limits if limit not in seen]),
    )


def _caption(words: Words, attended: Json, unattended: Json, above: Sequence[float]) -> str:
    """What the curves do not say: a limit out of sight, no limit, or no difference."""
    sentences = []
    if above:
        sentences.append(f"The {words.limit}, {' and '.join(map(narrative.number, above))}, lies above the chart.")
    elif not any(limit is not None for limit in [*attended["limit"], *unattended["limit"]]):
        sentences.append(f"It has no {words.limit} of its own.")
    if attended == unattended:
        sentences.append("The same without Sereno.")
    return " ".join(sentences)


def _summary(words: Words, attended: Json, unattended: Json) -> str:
    parts = []
    for text, side in (("with Sereno", attended), ("without", unattended)):
        known = [limit for limit in side["limit"] if limit is not None]
        limit = (
            f"a {words.limit} of {narrative.number(min(known))}"
            + (f" to {narrative.number(max(known))}" if max(known) != min(known) else "")
            if known
            else f"no {words.limit} of its own"
        )
        parts.append(f"{text} it peaks at {narrative.number(charts.peak(side['used']))} under {limit}")
    return f"{words.subject}: {'; '.join(parts)}."
