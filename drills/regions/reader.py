"""Reads a regional scenario's file: every problem at once, as `drills.scenario_reader` does for the others."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from deploy.config_checks import nearest
from drills import scenario_values as values
from drills.regions.objectives import OBJECTIVES
from drills.regions.region import CHECKERS, CUSTOMERS, KINDS
from drills.scenario_reader import document
from drills.scenario_reading import Reading
from sereno.errors import InvalidInput
from sereno.model import Json

__all__ = ["is_regional", "nearest", "read"]

KIND = "region"
_KEYS = (
    "kind",
    "name",
    "title",
    "story",
    "base",
    "service",
    "start",
    "duration",
    "peak",
    "troubles",
    "blips",
    "people",
    "resolvers",
    "jitter",
    "global_control_plane",
    "health_names_region",
    "strategy",
    "objectives",
)
_STRATEGIES = ("health-switch", "metric-switch")
_ROLES = ("primary", "standby", "witness")
_SHARED = ("gray", "zone-loss")
_DOES = ("fail-back",)
_TROUBLE = "{kind: dark, region: primary, from: 10m, to: 3h}"


def is_regional(path: Path) -> bool:
    """Whether a file says that it is one of these; what cannot be read is none, and the other reader says so."""
    try:
        return document(path).get("kind") == KIND
    except InvalidInput:
        return False


def read(path: Path) -> Json:
    """The file's content with plain numbers. Raises InvalidInput with every problem found."""
    raw = document(path)
    reading = Reading(raw)
    checked = _scenario(reading, path.stem)
    if reading.problems:
        raise InvalidInput(path.name, reading.problems)
    return checked


def _scenario(reading: Reading, stem: str) -> Json:
    raw, take = reading.raw, reading.take
    reading.unknown(raw, _KEYS, "")
    if raw.get("kind") != KIND:
        reading.say("kind", raw.get("kind"), f"is not {KIND}")
    length = int(take(raw, "duration", values.whole_minutes, "", 0))
    checked = {
        "name": take(raw, "name", values.text, "", ""),
        "title": take(raw, "title", values.text, "", ""),
        "story": take(raw, "story", values.text, "", ""),
        "service": take(raw, "service", values.text, "", ""),
        "start": take(raw, "start", values.start, "", None),
        "duration": length,
        "peak": take(raw, "peak", values.rate, "", 0.0),
        "troubles": _troubles(reading, length),
        "blips": _blips(reading, length),
        "people": _people(reading, length),
        "resolvers": _resolvers(reading),
        "jitter": take(raw, "jitter", values.duration, "", 0.0, needed=False),
        "global_control_plane": take(raw, "global_control_plane", values.flag, "", True, needed=False),
        "health_names_region": take(raw, "health_names_region", values.flag, "", True, needed=False),
        "strategy": raw.get("strategy", ""),
        "objectives": _objectives(reading),
    }
    if checked["strategy"] not in ("", *_STRATEGIES):
        reading.say(
            "strategy", checked["strategy"], f"is none of {', '.join(_STRATEGIES)} (write one, or leave it out)"
        )
    if checked["name"] and checked["name"] != stem:
        reading.say("name", checked["name"], f"differs from the file's name (write {stem}, or rename the file)")
    return checked


def _troubles(reading: Reading, length: int) -> list[Json]:
    found = []
    for path, one in reading.items(reading.raw.get("troubles"), "troubles", _TROUBLE):
        kind = one.get("kind")
        if str(kind) not in KINDS:
            mend = f"is no trouble of a region{nearest(str(kind), KINDS)}; known: {', '.join(KINDS)}"
            reading.say(f"{path}kind", kind, mend)
            continue
        reading.unknown(one, ("kind", "region", "from", "to", "share", "seen_from"), path)
        begins, ends = _stretch(reading, one, path, length)
        share = reading.take(one, "share", values.some, path, 1.0, needed=kind in _SHARED)
        if kind not in _SHARED and "share" in one:
            reading.say(f"{path}share", one["share"], f"has no meaning for {kind} (only for {', '.join(_SHARED)})")
        places = one.get("seen_from", [])
        if (kind == "unseen") is not bool(places):
            reading.say(
                f"{path}seen_from", None, "names who cannot see the region: needed by unseen, and by it alone"
            )
        if not isinstance(places, list):
            reading.say(f"{path}seen_from", places, "is no list of places (write [standby])")
            places = []
        known = (*_ROLES, CUSTOMERS, CHECKERS)
        for place in places:
            if place not in known:
                reading.say(f"{path}seen_from", place, f"is no place{nearest(str(place), known)}: {', '.join(known)}")
        found.append(
            {
                "kind": str(kind),
                "region": _role(reading, one, path),
                "start": begins,
                "end": ends,
                "share": share,
                "seen_from": tuple(map(str, places)),
            }
        )
    return found


def _role(reading: Reading, one: Mapping[str, object], path: str) -> str:
    role = one.get("region")
    if role in _ROLES:
        return str(role)
    reading.say(f"{path}region", role, f"is none of {', '.join(_ROLES)}")
    return _ROLES[0]


def _stretch(reading: Reading, one: Mapping[str, object], path: str, length: int) -> tuple[float, float]:
    begins = reading.take(one, "from", values.duration, path, 0.0)
    ends = reading.take(one, "to", values.duration, path, 0.0)
    if ends <= begins:
        reading.say(f"{path}to", one.get("to"), "does not come after from")
    if length and ends > length:
        reading.say(f"{path}to", one.get("to"), "lies after the drill's end (raise duration, or end it before)")
    return begins, ends


def _blips(reading: Reading, length: int) -> list[Json]:
    found = []
    example = "{region: primary, from: 10m, to: 2h, every: [1m, 3m], lasting: [5s, 20s]}"
    for path, one in reading.items(reading.raw.get("blips"), "blips", example):
        reading.unknown(one, ("region", "from", "to", "every", "lasting"), path)
        begins, ends = _stretch(reading, one, path, length)
        found.append(
            {
                "region": _role(reading, one, path),
                "start": begins,
                "end": ends,
                "every": reading.take(one, "every", values.span, path, (60.0, 180.0)),
                "lasting": reading.take(one, "lasting", values.span, path, (5.0, 20.0)),
            }
        )
        if found[-1]["every"][0] < 1:
            reading.say(f"{path}every", one.get("every"), "is less than a second (a blip needs a pause before it)")
    return found


def _people(reading: Reading, length: int) -> list[Json]:
    found = []
    for path, one in reading.items(reading.raw.get("people"), "people", "{do: fail-back, at: 4h}"):
        reading.unknown(one, ("do", "at"), path)
        if one.get("do") not in _DOES:
            reading.say(f"{path}do", one.get("do"), f"is nothing that a person does here; known: {', '.join(_DOES)}")
        at = reading.take(one, "at", values.duration, path, 0.0)
        if length and at >= length:
            reading.say(f"{path}at", one.get("at"), "lies after the drill's end")
        found.append({"do": str(one.get("do")), "at": at})
    return found


def _resolvers(reading: Reading) -> Json:
    raw = reading.raw.get("resolvers")
    if raw is None:
        return {}
    part = reading.part(raw, "resolvers", "{slow: 5%, slow_for: [60s, 120s]}")
    if part is None:
        return {}
    reading.unknown(part, ("slow", "slow_for", "stubborn", "stubborn_for"), "resolvers.")
    names = {"slow": "slow", "slow_for": "slow_s", "stubborn": "stubborn", "stubborn_for": "stubborn_s"}
    found = {}
    for key, name in names.items():
        parse = values.span if key.endswith("_for") else values.ratio
        value = reading.take(part, key, parse, "resolvers.", None, needed=False)
        if value is not None:
            found[name] = value
    if found.get("slow", 0.0) + found.get("stubborn", 0.0) > 1:
        reading.say("resolvers", None, "are more than all of them (lower slow or stubborn)")
    return found


def _objectives(reading: Reading) -> list[tuple[str, float | str | None]]:
    raw = reading.raw.get("objectives")
    if not isinstance(raw, list) or not raw:
        reading.say("objectives", raw, "is missing or no list (a drill without an objective proves nothing)")
        return []
    found: list[tuple[str, float | str | None]] = []
    parsers = {"percent": values.ratio, "duration": values.duration}
    for number, one in enumerate(raw):
        path = f"objectives[{number}]"
        pairs = list(one.items()) if isinstance(one, Mapping) else [(one, None)]
        name, value = (str(pairs[0][0]), pairs[0][1]) if len(pairs) == 1 else ("", None)
        if name not in OBJECTIVES:
            mend = f"is no objective{nearest(name, OBJECTIVES)}; known: {', '.join(OBJECTIVES)}"
            reading.say(path, one, mend)
            continue
        kind = OBJECTIVES[name]
        if not kind and value is not None:
            reading.say(f"{path}.{name}", value, f"takes no target (write - {name})")
        elif kind and value is None:
            reading.say(f"{path}.{name}", None, f"needs a target (a {kind})")
        elif kind:
            found.append((name, reading.parse(value, parsers[kind], f"{path}.{name}", None)))
        else:
            found.append((name, None))
    return found
