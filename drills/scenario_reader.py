"""Reads a scenario file: every problem at once, quantities only with their units, unknown keys with the nearest."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from deploy import config_yaml, units
from deploy.config_checks import nearest
from drills.faults import KINDS, WATCH_KINDS
from sereno.errors import InvalidInput, Problem
from sereno.model import Json, instant

__all__ = ["OBJECTIVES", "nearest", "read"]

# What a drill can be judged by, and what its target is.
OBJECTIVES: Mapping[str, str] = {
    "availability": "percent",  # first attempts that succeed
    "p99": "milliseconds",  # the API's latency, of requests that succeed
    "zero-throttles": "",  # no attempt of any client was throttled
    "raised-before": "",  # the limit was raised before the untended world meets its first throttle
    "recovered-within": "duration",  # first throttle until 30 s without a failed attempt
    "no-page": "",  # nobody was woken
    "no-remediation": "",  # nothing was changed
    "all-reverted": "",  # every lease was taken back before the end
    "alarm-fires": "what",  # an alarm of this what went into ALARM
}
_TEXTS = ("name", "title", "story", "base", "service")
_COURSE = ("start", "duration", "normal", "functions", "traffic", "daily", "jitter", "faults")
_KEYS = (*_TEXTS, *_COURSE, "demand_metric", "hold", "objectives")
_FUNCTION_KEYS = ("name", "share", "mean", "sigma", "cold_start", "errors")
_FAULT_KEYS = ("kind", "function", "from", "to", "ratio", "factor")
_PIECE = r"\d+(?:\.\d+)?(?:ms|s|m|h|d)"
_RATE = re.compile(r"(\d+(?:\.\d+)?)\s*/\s*s")
# Alone, or after the resource where two kinds of resource share a what: catalogue/latency.
_WHAT = re.compile(r"(?:[a-zA-Z0-9_-]+/)?[a-z0-9]+(?:-[a-z0-9]+)*")
_MISSING = object()
# API Gateway's account throttle (10,000 requests a second in a Region) is not modelled: stay below it.
MOST_REQUESTS = 10_000


def duration(value: object) -> float:
    """Seconds of `10m`, `90s`, `1h30m`. Raises ValueError with the mend as its text."""
    text = str(value).strip()
    if re.fullmatch(f"(?:{_PIECE})+", text):
        return sum(units.milliseconds(piece, usual="m") for piece in re.findall(_PIECE, text)) / 1000
    return units.milliseconds(text, usual="m") / 1000


def rate(value: object) -> float:
    """Requests a second of `120/s`. Raises ValueError with the mend as its text."""
    found = _RATE.fullmatch(str(value).strip())
    if not found:
        raise ValueError("is no rate (write requests a second, such as 120/s)")
    return float(found[1])


def read(path: Path) -> Json:
    """The file's content with plain numbers: seconds, requests a second, ratios.

    Raises InvalidInput with every problem found."""
    source = path.name
    raw = _document(path, source)
    base = raw.get("base")
    merged = raw
    if base is not None:
        beside = path.with_name(f"{base}.yaml")
        if not beside.is_file():
            others = [one.stem for one in path.parent.glob("_*.yaml")]
            mend = f"is no file beside {source}{nearest(str(base), others)}"
            raise InvalidInput(source, [Problem("base", base, mend)])
        merged = {**_document(beside, beside.name), **raw}
    reader = _Reader(merged)
    checked = reader.scenario(path.stem)
    if reader.problems:
        raise InvalidInput(source, reader.problems)
    return checked


def _document(path: Path, source: str) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise InvalidInput(source, [Problem(str(path), None, f"cannot be read: {error.strerror}")]) from None
    except UnicodeDecodeError:
        raise InvalidInput(source, [Problem(str(path), None, "is not UTF-8 text")]) from None
    raw = config_yaml.read(text, source)
    if not isinstance(raw, dict):
        raise InvalidInput(source, [Problem("the file", None, "is no mapping (begin with name: and title:)")])
    return {str(key): value for key, value in raw.items()}


class _Reader:
    """Reads one scenario and collects what is wrong with it."""

    def __init__(self, raw: Mapping[str, Any]) -> None:
        self.raw = raw
        self.problems: list[Problem] = []

    def scenario(self, stem: str) -> Json:
        raw = self.raw
        self._unknown(raw, _KEYS, "")
        length = int(self._take(raw, "duration", _whole_minutes, "", 0))
        normal = self._take(raw, "normal", rate, "", 0.0)
        checked = {
            "name": self._take(raw, "name", _text, "", ""),
            "title": self._take(raw, "title", _text, "", ""),
            "story": self._take(raw, "story", _text, "", ""),
            "service": self._take(raw, "service", _text, "", ""),
            "start": self._take(raw, "start", _start, "", None),
            "duration": length,
            "normal": normal,
            "functions": self._functions(),
            "traffic": self._traffic(length),
            "daily": self._daily(),
            "jitter": self._take(raw, "jitter", duration, "", 0.0, needed=False),
            "faults": self._faults(length),
            "demand_metric": self._take(raw, "demand_metric", _flag, "", False, needed=False),
            "hold": self._take(raw, "hold", _whole_seconds, "", None, needed=False),
            "objectives": self._objectives(),
        }
        if checked["name"] and checked["name"] != stem:
            self._say("name", checked["name"], f"differs from the file's name (write {stem}, or rename the file)")
        self._peak(checked)
        return checked

    # -- parts --------------------------------------------------------------------------------------------------

    def _functions(self) -> list[Json]:
        functions = []
        for key, raw in self._mapping("functions").items():
            path = f"functions.{key}."
            if not isinstance(raw, Mapping):
                self._say(path[:-1], raw, "is no mapping (write {name: ..., share: 88%, mean: 150ms})")
                continue
            self._unknown(raw, _FUNCTION_KEYS, path)
            functions.append(
                {
                    "key": key,
                    "name": self._take(raw, "name", _text, path, ""),
                    "share": self._take(raw, "share", _ratio, path, 0.0),
                    "mean_ms": self._take(raw, "mean", _milliseconds, path, 1.0),
                    "sigma": self._take(raw, "sigma", _number, path, 0.5, needed=False),
                    "cold_ms": self._take(raw, "cold_start", _milliseconds, path, 400.0, needed=False),
                    "error_ratio": self._take(raw, "errors", _ratio, path, 0.0, needed=False),
                }
            )
        whole = sum(one["share"] for one in functions)
        if functions and not self.problems and abs(whole - 1) > 1e-6:
            self._say("functions", f"{whole:.2%}", "of the requests are shared out (make the shares 100% in all)")
        return functions

    def _traffic(self, length: int) -> tuple[tuple[float, float], ...]:
        raw = self.raw.get("traffic")
        if raw is None:
            return ()
        if not isinstance(raw, list) or not raw:
            self._say("traffic", raw, "is no list of points (write - [10m, 1x])")
            return ()
        points: list[tuple[float, float]] = []
        for number, point in enumerate(raw):
            path = f"traffic[{number}]"
            if not isinstance(point, list) or len(point) != 2:
                self._say(path, point, "is no point (write [10m, 1x]: a time and a factor over normal)")
                continue
            at, factor = self._parse(point[0], duration, path, None), self._parse(point[1], units.factor, path, None)
            if at is None or factor is None:
                continue
            if points and at <= points[-1][0]:
                self._say(path, point[0], "does not come after the point before it (put the points in order)")
            if length and at > length:
                self._say(path, point[0], "lies after the drill's end (raise duration, or take the point out)")
            points.append((at, factor))
        return tuple(points)

    def _daily(self) -> Json | None:
        raw = self.raw.get("daily")
        if raw is None:
            return None
        if self.raw.get("traffic") is not None:
            self._say("daily", None, "stands beside traffic (keep one of the two)")
        if not isinstance(raw, Mapping):
            self._say("daily", raw, "is no mapping (write {low: 20/s, peak: 120/s})")
            return None
        self._unknown(raw, ("low", "peak"), "daily.")
        low, peak = (self._take(raw, key, rate, "daily.", 0.0) for key in ("low", "peak"))
        if low > peak:
            self._say("daily.low", raw.get("low"), f"is above the peak {raw.get('peak')}")
        return {"low": low, "peak": peak}

    def _faults(self, length: int) -> list[Json]:
        raw = self.raw.get("faults", [])
        if not isinstance(raw, list):
            self._say("faults", raw, "is no list (write - {kind: errors, from: 5m, to: 15m, ratio: 20%})")
            return []
        faults = []
        for number, one in enumerate(raw):
            path = f"faults[{number}]"
            if isinstance(one, Mapping):
                faults.append(self._fault(one, f"{path}.", length))
            else:
                self._say(path, one, "is no mapping (write {kind: errors, from: 5m, to: 15m, ratio: 20%})")
        return faults

    def _fault(self, raw: Mapping[str, Any], path: str, length: int) -> Json:
        self._unknown(raw, _FAULT_KEYS, path)
        kind = raw.get("kind")
        known = (*KINDS, *WATCH_KINDS)
        if kind not in known:
            self._say(
                f"{path}kind", kind, f"is no kind of fault{nearest(str(kind), known)}; known: {', '.join(known)}"
            )
        begins, ends = self._take(raw, "from", duration, path, 0.0), self._take(raw, "to", duration, path, 0.0)
        if "from" in raw and "to" in raw and not begins < ends:
            self._say(f"{path}to", raw["to"], f"does not come after {raw['from']}")
        if length and ends > length:
            self._say(f"{path}to", raw["to"], "lies after the drill's end")
        return {
            "kind": kind,
            "start": begins,
            "end": ends,
            **self._fault_extent(raw, kind, path),
        }

    def _fault_extent(self, raw: Mapping[str, Any], kind: object, path: str) -> Json:
        """How bad it is, and for which function; the watchman's own faults are whole."""
        if kind in WATCH_KINDS:
            for key in ("ratio", "factor", "function"):
                if key in raw:
                    self._say(f"{path}{key}", raw[key], f"means nothing for {kind} (leave it out)")
            return {"value": 1.0, "function": None}
        needed, parse = ("factor", units.factor) if kind == "slow" else ("ratio", _ratio)
        other = "ratio" if needed == "factor" else "factor"
        if other in raw:
            self._say(f"{path}{other}", raw[other], f"means nothing for {kind} (write {needed})")
        return {
            "value": self._take(raw, needed, parse, path, 0.0),
            "function": self._fault_function(raw.get("function"), path),
        }

    def _fault_function(self, key: object, path: str) -> str | None:
        """The name on AWS of the function that a fault names by its key; None for every function."""
        functions = self._mapping("functions", quiet=True)
        if key is None:
            return None
        if key not in functions:
            mend = f"is no function of this scenario{nearest(str(key), functions)}"
            self._say(f"{path}function", key, f"{mend}; known: {', '.join(functions)}")
            return None
        one = functions[str(key)]
        return str(one.get("name")) if isinstance(one, Mapping) else None

    def _objectives(self) -> list[tuple[str, float | str | None]]:
        raw = self.raw.get("objectives")
        if not isinstance(raw, list) or not raw:
            self._say("objectives", raw, "is missing or no list (a drill without an objective proves nothing)")
            return []
        found = []
        for number, one in enumerate(raw):
            path = f"objectives[{number}]"
            pairs = list(one.items()) if isinstance(one, Mapping) else [(one, None)]
            if len(pairs) != 1:
                self._say(path, one, "is more than one objective (one a line)")
                continue
            found.append(self._objective(str(pairs[0][0]), pairs[0][1], path))
        return [one for one in found if one is not None]

    def _objective(self, name: str, value: object, path: str) -> tuple[str, float | str | None] | None:
        if name not in OBJECTIVES:
            known = ", ".join(OBJECTIVES)
            self._say(path, name, f"is no objective{nearest(name, OBJECTIVES)}; known: {known}")
            return None
        kind = OBJECTIVES[name]
        if not kind:
            if value is not None:
                self._say(f"{path}.{name}", value, f"takes no target (write - {name})")
            return (name, None)
        parsers: Mapping[str, Callable[[object], Any]] = {
            "percent": _ratio,
            "milliseconds": _milliseconds,
            "duration": duration,
            "what": _what,
        }
        if value is None:
            self._say(f"{path}.{name}", None, f"needs a target (a {kind})")
            return None
        return (name, self._parse(value, parsers[kind], f"{path}.{name}", None))

    def _peak(self, checked: Json) -> None:
        factors = [factor for _, factor in checked["traffic"]]
        peak = checked["daily"]["peak"] if checked["daily"] else checked["normal"] * max(factors, default=1.0)
        if peak >= MOST_REQUESTS:
            mend = f"requests a second are at or above API Gateway's account throttle ({MOST_REQUESTS}/s), "
            self._say("traffic", f"{peak:g}", mend + "which the world does not model (lower the peak)")

    # -- tools --------------------------------------------------------------------------------------------------

    def _say(self, path: str, value: object, mend: str) -> None:
        self.problems.append(Problem(path, value, mend))

    def _unknown(self, raw: Mapping[str, Any], known: Collection[str], path: str) -> None:
        for key in raw:
            if key not in known:
                near = nearest(str(key), known)
                self._say(f"{path}{key}", None, f"is no key here{near}; known: {', '.join(known)}")

    def _mapping(self, key: str, *, quiet: bool = False) -> dict[str, Any]:
        raw = self.raw.get(key)
        if isinstance(raw, Mapping) and raw:
            return {str(name): value for name, value in raw.items()}
        if not quiet:
            self._say(key, raw, "is missing or no mapping")
        return {}

    def _take(
        self,
        raw: Mapping[str, Any],
        key: str,
        parse: Callable[[object], Any],
        path: str,
        default: Any,
        *,
        needed: bool = True,
    ) -> Any:
        value = raw.get(key, _MISSING)
        if value is _MISSING or value is None:
            if needed:
                self._say(f"{path}{key}", None, "is missing")
            return default
        return self._parse(value, parse, f"{path}{key}", default)

    def _parse(self, value: object, parse: Callable[[object], Any], path: str, default: Any) -> Any:
        try:
            return parse(value)
        except ValueError as error:
            self._say(path, value, str(error))
            return default


def _text(value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError("is no text")
    return " ".join(value.split())


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 3:
        raise ValueError("is no number from 0 to 3 (the standard deviation of the duration's logarithm)")
    return float(value)


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError("is neither true nor false")
    return value


def _ratio(value: object) -> float:
    ratio = units.ratio(value)
    if ratio > 1:
        raise ValueError("is more than 100%")
    return ratio


def _milliseconds(value: object) -> float:
    found = units.milliseconds(value, usual="ms")
    if not 0 < found <= 10_000:
        raise ValueError("is not within 0..10s")
    return found


def _whole_seconds(value: object) -> int:
    seconds = duration(value)
    if seconds != int(seconds) or seconds <= 0:
        raise ValueError("is no whole number of seconds above 0")
    return int(seconds)


def _whole_minutes(value: object) -> int:
    seconds = duration(value)
    if seconds % 60 or seconds <= 0:
        raise ValueError("is no whole number of minutes above 0 (CloudWatch's metrics are minutely)")
    return int(seconds)


def _what(value: object) -> str:
    text = str(value)
    if not _WHAT.fullmatch(text):
        raise ValueError("is no what (the last part of an alarm's name, such as burn-fast)")
    return text


def _start(value: object) -> datetime:
    try:
        moment = instant(str(value))
    except ValueError:
        raise ValueError("is no time with a zone (write 2026-11-24T09:30:00Z)") from None
    if moment.second or moment.microsecond:
        raise ValueError("is no whole minute (CloudWatch's slots would not fit)")
    return moment
