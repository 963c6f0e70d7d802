"""Reads what goes wrong in a scenario."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from deploy import units
from deploy.config_checks import nearest
from drills import scenario_values as values
from drills.faults import KINDS, WATCH_KINDS
from drills.scenario_reading import Parse, Reading
from sereno.model import Json

_EXAMPLE = "{kind: errors, from: 5m, to: 15m, ratio: 20%}"
# How bad each kind of fault is told: the key, and how it is read.
_EXTENT: Mapping[str, tuple[str, Parse]] = {
    "slow": ("factor", units.factor),
    "strangers": ("concurrency", values.count),
}
# What a fault may be narrowed to; a function where nothing is said.
_PLACES: Mapping[str, tuple[str, ...]] = {"hot-key": ("table", "index"), "strangers": (), "table-errors": ()}
_RATIO: tuple[str, Parse] = ("ratio", values.ratio)
_EXTENTS = ("ratio", "factor", "concurrency")
_KEYS = ("kind", "function", "table", "index", "from", "to", *_EXTENTS)


def faults(reading: Reading, length: int) -> list[Json]:
    """The faults, times in seconds; `length` is the drill's."""
    return [
        _fault(reading, one, path, length)
        for path, one in reading.items(reading.raw.get("faults"), "faults", _EXAMPLE)
    ]


def _fault(reading: Reading, raw: Mapping[str, Any], path: str, length: int) -> Json:
    reading.unknown(raw, _KEYS, path)
    kind = raw.get("kind")
    known = (*KINDS, *WATCH_KINDS)
    if kind not in known:
        mend = f"is no kind of fault{nearest(str(kind), known)}; known: {', '.join(known)}"
        reading.say(f"{path}kind", kind, mend)
    begins = reading.take(raw, "from", values.duration, path, 0.0)
    ends = reading.take(raw, "to", values.duration, path, 0.0)
    if "from" in raw and "to" in raw and not begins < ends:
        reading.say(f"{path}to", raw["to"], f"does not come after {raw['from']}")
    if length and ends > length:
        reading.say(f"{path}to", raw["to"], "lies after the drill's end")
    return {"kind": kind, "start": begins, "end": ends, **_extent(reading, raw, str(kind), path)}


def _extent(reading: Reading, raw: Mapping[str, Any], kind: str, path: str) -> Json:
    """How bad it is, and for what; the watchman's own faults are whole."""
    needed, parse = _EXTENT.get(kind, _RATIO)
    places = () if kind in WATCH_KINDS else _PLACES.get(kind, ("function",))
    allowed = places if kind in WATCH_KINDS else (needed, *places)
    for key in ("function", "table", "index", *_EXTENTS):
        if key in raw and key not in allowed:
            mend = "leave it out" if key not in _EXTENTS or kind in WATCH_KINDS else f"write {needed}"
            reading.say(f"{path}{key}", raw[key], f"means nothing for {kind} ({mend})")
    value = 1.0 if kind in WATCH_KINDS else float(reading.take(raw, needed, parse, path, 0.0))
    found: Json = {"value": value, "function": None}
    if "function" in allowed:
        found["function"] = _named(reading, "functions", raw.get("function"), f"{path}function", "function")
    if "table" in allowed:
        found["table"] = _named(reading, "tables", raw.get("table"), f"{path}table", "table")
        found["index"] = reading.take(raw, "index", values.text, path, None, needed=False)
    return found


def _named(reading: Reading, where: str, key: object, path: str, what: str) -> str | None:
    """The name on AWS of what a fault names by its key; None for all."""
    if key is None:
        return None
    known = reading.mapping(where, quiet=True)
    found = reading.key_among(key, known, path, what)
    one = known.get(found) if found else None
    return str(one.get("name")) if isinstance(one, Mapping) else None
