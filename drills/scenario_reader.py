"""Reads a scenario file: every problem at once, quantities only with their units, unknown keys with the nearest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from deploy import config_yaml, units
from deploy.config_checks import nearest
from drills import scenario_faults, scenario_objectives, scenario_tables, scenario_watch
from drills import scenario_values as values
from drills.scenario_objectives import OBJECTIVES
from drills.scenario_reading import Reading
from sereno.errors import InvalidInput, Problem
from sereno.model import Json

__all__ = ["OBJECTIVES", "nearest", "read"]

_TEXTS = ("name", "title", "story", "base", "service")
_COURSE = ("start", "duration", "normal", "functions", "tables", "traffic", "daily", "jitter", "faults")
_AWS = ("account", "update_table")
_WATCH = ("demand_metric", "hold", "limits", "events")
_KEYS = (*_TEXTS, *_COURSE, *_AWS, *_WATCH, "objectives")
_FUNCTION_KEYS = ("name", "share", "mean", "sigma", "cold_start", "errors", "uses", "attempts")
# Every request is counted, and at more than that an hour of drill would take hours.
MOST_REQUESTS = 20_000


def read(path: Path) -> Json:
    """The file's content with plain numbers: seconds, requests a second, ratios.

    Raises InvalidInput with every problem found."""
    merged = document(path)
    source = path.name
    reading = Reading(merged)
    checked = _scenario(reading, path.stem)
    if reading.problems:
        raise InvalidInput(source, reading.problems)
    return checked


def document(path: Path) -> dict[str, Any]:
    """The file's keys as they stand there, on those of the file that it builds on. Raises InvalidInput."""
    source = path.name
    raw = _document(path, source)
    base = raw.get("base")
    if base is None:
        return raw
    beside = path.with_name(f"{base}.yaml")
    if not beside.is_file():
        others = [one.stem for one in path.parent.glob("_*.yaml")]
        mend = f"is no file beside {source}{nearest(str(base), others)}"
        raise InvalidInput(source, [Problem("base", base, mend)])
    return {**_document(beside, beside.name), **raw}


def _document(path: Path, source: str) -> dict[str, Any]:
    raw = config_yaml.read(config_yaml.text_of(path, source), source)
    if not isinstance(raw, dict):
        raise InvalidInput(source, [Problem("the file", None, "is no mapping (begin with name: and title:)")])
    return {str(key): value for key, value in raw.items()}


def _scenario(reading: Reading, stem: str) -> Json:
    raw, take = reading.raw, reading.take
    reading.unknown(raw, _KEYS, "")
    length = int(take(raw, "duration", values.whole_minutes, "", 0))
    start = take(raw, "start", values.start, "", None)
    checked = {
        "name": take(raw, "name", values.text, "", ""),
        "title": take(raw, "title", values.text, "", ""),
        "story": take(raw, "story", values.text, "", ""),
        "service": take(raw, "service", values.text, "", ""),
        "start": start,
        "duration": length,
        "normal": take(raw, "normal", values.rate, "", 0.0),
        "functions": _functions(reading),
        "tables": scenario_tables.tables(reading),
        "traffic": reading.points(
            reading.raw.get("traffic"),
            "traffic",
            units.factor,
            "[10m, 1x]",
            "a time and a factor over normal",
            length=length,
        ),
        "daily": _daily(reading),
        "jitter": take(raw, "jitter", values.duration, "", 0.0, needed=False),
        "faults": scenario_faults.faults(reading, length),
        "account": scenario_tables.account(reading),
        "update_table": take(raw, "update_table", values.span, "", None, needed=False),
        "demand_metric": take(raw, "demand_metric", values.flag, "", False, needed=False),
        "hold": take(raw, "hold", values.whole_seconds, "", None, needed=False),
        "limits": scenario_watch.limits(reading),
        "events": scenario_watch.events(reading, start),
        "objectives": scenario_objectives.objectives(reading),
    }
    if checked["name"] and checked["name"] != stem:
        reading.say("name", checked["name"], f"differs from the file's name (write {stem}, or rename the file)")
    _peak(reading, checked)
    return checked


def _functions(reading: Reading) -> list[Json]:
    functions = []
    for key, one in reading.mapping("functions").items():
        path = f"functions.{key}."
        raw = reading.part(one, path[:-1], "{name: ..., share: 88%, mean: 150ms}")
        if raw is None:
            continue
        reading.unknown(raw, _FUNCTION_KEYS, path)
        functions.append(
            {
                "key": key,
                "name": reading.take(raw, "name", values.text, path, ""),
                "share": reading.take(raw, "share", values.ratio, path, 0.0),
                "mean_ms": reading.take(raw, "mean", values.milliseconds, path, 1.0),
                "sigma": reading.take(raw, "sigma", values.sigma, path, 0.5, needed=False),
                "cold_ms": reading.take(raw, "cold_start", values.milliseconds, path, 400.0, needed=False),
                "error_ratio": reading.take(raw, "errors", values.ratio, path, 0.0, needed=False),
                "uses": scenario_tables.uses(reading, raw.get("uses"), f"{path}uses"),
                "attempts": reading.take(raw, "attempts", values.attempts, path, 2, needed=False),
            }
        )
    whole = sum(one["share"] for one in functions)
    if functions and not reading.problems and abs(whole - 1) > 1e-6:
        reading.say("functions", f"{whole:.2%}", "of the requests are shared out (make the shares 100% in all)")
    return functions


def _daily(reading: Reading) -> Json | None:
    raw = reading.raw.get("daily")
    if raw is None:
        return None
    if reading.raw.get("traffic") is not None:
        reading.say("daily", None, "stands beside traffic (keep one of the two)")
    part = reading.part(raw, "daily", "{low: 20/s, peak: 120/s}")
    if part is None:
        return None
    reading.unknown(part, ("low", "peak"), "daily.")
    low, peak = (reading.take(part, key, values.rate, "daily.", 0.0) for key in ("low", "peak"))
    if low > peak:
        reading.say("daily.low", part.get("low"), f"is above the peak {part.get('peak')}")
    return {"low": low, "peak": peak}


def _peak(reading: Reading, checked: Json) -> None:
    factors = [factor for _, factor in checked["traffic"]]
    peak = checked["daily"]["peak"] if checked["daily"] else checked["normal"] * max(factors, default=1.0)
    if peak > MOST_REQUESTS:
        mend = (
            f"requests a second are more than a drill counts in a reasonable time ({MOST_REQUESTS}/s; lower the peak)"
        )
        reading.say("traffic", f"{peak:g}", mend)
