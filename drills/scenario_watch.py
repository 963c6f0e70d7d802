"""Reads what a scenario changes of the watch itself: limits of its plays, and planned events."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from deploy import units
from drills import scenario_values as values
from drills.scenario_reading import Reading
from remediators import registry
from sereno.model import Json, iso

_PLAY_LIMITS = {"cost_per_day": values.dollars, "per_day": values.count}
_EVENT_KEYS = ("name", "from", "to", "factor", "prewarm")


def limits(reading: Reading) -> Json:
    """Limits that every play gets: money and number a day, and the parameters of remediators."""
    raw = reading.raw.get("limits")
    if raw is None:
        return {}
    part = reading.part(raw, "limits", "{cost_per_day: 5}")
    if part is None:
        return {}
    params = sorted({name for one in registry.all_remediators().values() for name in one.params})
    reading.unknown(part, (*_PLAY_LIMITS, *params), "limits.")
    found: Json = {}
    for key, value in part.items():
        parse = _PLAY_LIMITS.get(key)
        found[str(key)] = reading.parse(value, parse, f"limits.{key}", None) if parse else value
    return found


def events(reading: Reading, start: datetime | None) -> list[Json]:
    """Planned events; their times count from the drill's start, as everything in a scenario does."""
    found = []
    example = "{name: fashion-week, from: 20m, to: 1h, factor: 9x}"
    for path, raw in reading.items(reading.raw.get("events"), "events", example):
        reading.unknown(raw, _EVENT_KEYS, path)
        begins = reading.take(raw, "from", values.duration, path, 0.0)
        ends = reading.take(raw, "to", values.duration, path, 0.0)
        if "from" in raw and "to" in raw and not begins < ends:
            reading.say(f"{path}to", raw["to"], f"does not come after {raw['from']}")
        one = {
            "name": reading.take(raw, "name", values.text, path, ""),
            "starts": _moment(start, begins),
            "ends": _moment(start, ends),
            "factor": reading.take(raw, "factor", units.factor, path, 1.0),
            "prewarm_s": reading.take(raw, "prewarm", values.whole_seconds, path, 1800, needed=False),
        }
        found.append(one)
    return found


def _moment(start: datetime | None, seconds: float) -> Any:
    return iso(start + timedelta(seconds=seconds)) if start else ""
