"""Reads the tables of a scenario, what its functions ask of them, and what a surge of AWS's own limits looks like."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from drills import scenario_values as values
from drills.scenario_reading import Reading
from sereno.model import Json

_TABLE_KEYS = ("name", "read", "write", "normal", "indexes", "cold", "partitions", "hot_share", "auto_scaling")
_INDEX_KEYS = ("read", "write", "hot_share")
_USE_KEYS = ("table", "index", "read", "write", "ratio", "operation")


def tables(reading: Reading) -> list[Json]:
    """The tables under load. Capacities that are missing here are those of the service's configuration."""
    found = []
    for key, one in reading.mapping("tables", quiet=True).items():
        path = f"tables.{key}"
        raw = reading.part(one, path, "{name: techmoda-products}")
        if raw is not None:
            found.append(_table(reading, key, raw, f"{path}."))
    return found


def _table(reading: Reading, key: str, raw: Mapping[str, Any], path: str) -> Json:
    reading.unknown(raw, _TABLE_KEYS, path)
    indexes = {}
    for name, one in (raw.get("indexes") or {}).items() if isinstance(raw.get("indexes") or {}, Mapping) else ():
        place = f"{path}indexes.{name}"
        part = reading.part(one, place, "{read: 100, write: 50}")
        if part is not None:
            reading.unknown(part, _INDEX_KEYS, f"{place}.")
            indexes[str(name)] = {
                **_capacity(reading, part, f"{place}."),
                "hot_share": _hot(reading, part, f"{place}."),
            }
    if not isinstance(raw.get("indexes") or {}, Mapping):
        reading.say(f"{path}indexes", raw["indexes"], "is no mapping (write by-category: {read: 100, write: 50})")
    return {
        "key": key,
        "name": reading.take(raw, "name", values.text, path, ""),
        **_capacity(reading, raw, path),
        "normal": _normal(reading, raw.get("normal"), f"{path}normal"),
        "indexes": indexes,
        "cold": reading.take(raw, "cold", values.flag, path, False, needed=False),
        "partitions": max(1, reading.take(raw, "partitions", values.capacity, path, 1, needed=False)),
        "hot_share": _hot(reading, raw, path),
        "auto_scaling": reading.take(raw, "auto_scaling", values.flag, path, True, needed=False),
    }


def _capacity(reading: Reading, raw: Mapping[str, Any], path: str) -> Json:
    return {kind: reading.take(raw, kind, values.capacity, path, None, needed=False) for kind in ("read", "write")}


def _normal(reading: Reading, raw: object, path: str) -> Json | None:
    """What an ordinary busy hour consumes, where the scenario has a table of another size."""
    if raw is None:
        return None
    part = reading.part(raw, path, "{read: 66, write: 13}")
    if part is None:
        return None
    reading.unknown(part, ("read", "write"), f"{path}.")
    return {kind: reading.take(part, kind, values.consumed, f"{path}.", 0.0) for kind in ("read", "write")}


def _hot(reading: Reading, raw: Mapping[str, Any], path: str) -> float:
    return float(reading.take(raw, "hot_share", values.ratio, path, 0.0, needed=False))


def uses(reading: Reading, raw: object, path: str) -> list[Json]:
    """A function's calls to tables; each table by its name on AWS."""
    example = "{table: products, read: 1, ratio: 50%}"
    return [_use(reading, one, place) for place, one in reading.items(raw, path, example)]


def _use(reading: Reading, raw: Mapping[str, Any], path: str) -> Json:
    reading.unknown(raw, _USE_KEYS, path)
    index = reading.take(raw, "index", values.text, path, None, needed=False)
    units = {kind: reading.take(raw, kind, values.consumed, path, 0.0, needed=False) for kind in ("read", "write")}
    if not any(units.values()) and not {"read", "write"} & set(raw):
        reading.say(f"{path[:-1]}", None, "neither reads nor writes (add read: 1, the units of an invocation)")
    if index is not None and units["write"]:
        reading.say(f"{path}write", raw["write"], "goes to an index (write to the table: its indexes follow)")
        units = {"read": units["read"] or 1.0, "write": 0.0}
    known = reading.mapping("tables", quiet=True)
    key = reading.key_among(raw.get("table"), known, f"{path}table", "table")
    one = known.get(key) if key else None
    return {
        "table": str(one.get("name")) if isinstance(one, Mapping) else "",
        "index": index,
        "read_units": units["read"],
        "write_units": units["write"],
        "ratio": reading.take(raw, "ratio", values.some, path, 1.0, needed=False),
        "operation": reading.take(raw, "operation", values.text, path, "", needed=False),
    }


def account(reading: Reading) -> Json:
    """What the service shares with others: the account's concurrency, what strangers reserve and take of it, and API
    Gateway's throttle. None where AWS's default stands."""
    raw = reading.raw.get("account")
    found: Json = {"concurrency": None, "reserved": 0, "strangers": (), "requests": None, "burst": None}
    if raw is None:
        return found
    part = reading.part(raw, "account", "{concurrency: 1000}")
    if part is None:
        return found
    reading.unknown(part, tuple(found), "account.")
    for key, parse in (("concurrency", values.capacity), ("burst", values.capacity), ("requests", values.rate)):
        found[key] = reading.take(part, key, parse, "account.", None, needed=False)
    found["reserved"] = reading.take(part, "reserved", values.count, "account.", 0, needed=False)
    what = "a time and executions at once"
    found["strangers"] = reading.points(part.get("strangers"), "account.strangers", values.count, "[10m, 200]", what)
    return found
