"""Alarms, remediations and planned events through time, as lanes on the figure's axis. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from drills import narrative
from drills.leases import acted, changed_at, taken_back_at
from drills.panel import short
from sereno.model import Json

# A short text takes this share of a phone's width, and a longer one so much for each letter.
_TEXT_WIDTH, _LETTER_WIDTH = 26.0, 1.6


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
        """Where the text stands: inside, or where it would be cut off (on a phone too), after it or before it; inside
        again where there is no room for it beside."""
        needed = max(_TEXT_WIDTH, _LETTER_WIDTH * len(self.text))
        if self.width >= needed:
            return "inside"
        if self.left + self.width < 100 - needed:
            return "after"
        return "before" if self.left >= needed or self.width < _TEXT_WIDTH else "inside"


@dataclass(frozen=True, slots=True)
class Lane:
    """One alarm, one planned event, or one remediation when it has a number, through time. Several that
    belong together are `grouped`, and `group` is the heading above the first of them."""

    label: str
    summary: str
    segments: tuple[Segment, ...]
    number: int = 0
    grouped: bool = False
    group: str = ""


def alarm_lane(alarm: Json, duration: float, service: str) -> Lane | None:
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


def planned_lanes(result: Json) -> list[Lane]:
    """Each planned event, from its beginning to its end."""
    duration = result["duration_s"]
    found = []
    for one in result.get("planned_events", ()):
        begins, ends = max(0.0, one["from_s"]), min(duration, one["to_s"])
        words = f"{one['factor']:g} times the traffic from {narrative.elapsed(begins)} to {narrative.elapsed(ends)}"
        segment = Segment(
            100 * begins / duration, 100 * (ends - begins) / duration, "planned", words, f"{one['factor']:g}x planned"
        )
        found.append(Lane(one["name"], f"Planned: {one['name']}, {words}.", (segment,)))
    return found


def remediation_lanes(result: Json) -> list[Lane]:
    """Each change from when it was made until it was taken back; those of one incident beneath each other."""
    numbered = [(number, one) for number, one in enumerate(acted(result), start=1) if changed_at(one) is not None]
    several = Counter(one.get("incident") or one["id"] for _, one in numbered)
    first: dict[str, int] = {}
    for number, one in numbered:
        first.setdefault(one.get("incident") or one["id"], number)
    ordered = sorted(numbered, key=lambda pair: (first[pair[1].get("incident") or pair[1]["id"]], pair[0]))
    lanes, headed = [], set()
    for number, one in ordered:
        incident = one.get("incident") or one["id"]
        grouped = several[incident] > 1
        heading = f"One incident: {_began(one, result['service'])}" if grouped and incident not in headed else ""
        headed.add(incident)
        lanes.append(replace(_remediation_lane(result, number, one), grouped=grouped, group=heading))
    return lanes


def _began(one: Json, service: str) -> str:
    return short(one.get("signal") or one["what"], service)


def _remediation_lane(result: Json, number: int, one: Json) -> Lane:
    duration, begins = result["duration_s"], changed_at(one) or 0.0
    ends = taken_back_at(one)
    until = duration if ends is None else min(ends, duration)
    place = f"{one['remediator']} on {short(one['target']['name'], result['service'])}"
    when = "in force at the end" if ends is None else f"at {narrative.elapsed(until)}"
    words = f"from {narrative.elapsed(begins)}; {one['status']}, {when}"
    change = change_text(one) if one["status"] == "REVERTED" else f"{change_text(one)}  {one['status']}"
    segment = Segment(100 * begins / duration, max(0.4, 100 * (until - begins) / duration), "held", words, change)
    return Lane(place, f"Remediation {number}, {place}, {words}.", (segment,), number)


def change_text(remediation: Json) -> str:
    """What was changed, e.g. 120 → 227, or read 300 → 832 and 3 more; empty where nothing was planned."""
    steps = (remediation.get("plan") or {}).get("steps") or []
    changes = [text for step in steps for text in step_changes(step)]
    if not changes:
        return ""
    more = f" and {len(changes) - 1} more" if len(changes) > 1 else ""
    return changes[0] + more


def step_changes(step: Mapping[str, Any]) -> list[str]:
    """Each value that a step changes. A setting of one value stands without its name; of several, each with its own;
    of bounds, the one that is changed."""
    before, after = step["before"], step["after"]
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        return [
            f"{name} {_arrow(before.get(name), value)}" for name, value in after.items() if before.get(name) != value
        ]
    if isinstance(before, list) and isinstance(after, list) and len(before) == len(after) == 2:
        name = str(step["setting"]).removesuffix(" target")
        ends = [("at least ", 0), ("at most ", 1)]
        return [
            f"{name} {word}{_arrow(before[place], after[place])}"
            for word, place in ends
            if before[place] != after[place]
        ]
    return [_arrow(before, after)]


def _arrow(before: Any, after: Any) -> str:
    return f"{narrative.value_text(before)} → {narrative.value_text(after)}"
