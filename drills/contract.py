"""The shape of a drill's result, checked before anything is shown: every fault at once, each with its place."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sereno.errors import InvalidInput, Problem
from sereno.model import Json, instant

NUMBER = (int, float)
MAYBE_NUMBER = (int, float, type(None))
_REQUESTS = {
    "offered": NUMBER,
    "served": NUMBER,
    "failed": NUMBER,
    "throttled_attempts": NUMBER,
    "served_on_retry": NUMBER,
    "p99_ms": MAYBE_NUMBER,
    "availability": MAYBE_NUMBER,
}
OBJECTIVE = {"name": str, "target": object, "measured": object, "met": bool}
_FUNCTION = {"concurrency": list, "limit": list}
_TABLE = {"consumed": list, "capacity": list, "throttled": list}
_TABLES = {"throttled_calls": NUMBER, "first_throttle_s": MAYBE_NUMBER, "recovered_s": MAYBE_NUMBER}
_PLANNED = [{"name": str, "from_s": NUMBER, "to_s": NUMBER, "factor": NUMBER}]
_CALL = {"service": str, "operation": str, "params": dict}
_STEP = {"do": _CALL, "why": str, "setting": str, "before": object, "after": object}
_PLAN = {"reason": str, "risk": str, "monthly_cost": NUMBER, "steps": [_STEP], "gates": list}
REMEDIATION = {
    "id": str,
    "remediator": str,
    "target": {"kind": str, "name": str, "region": str, "account": str},
    "status": str,
    "reason": (str, type(None)),
    "mode": str,
    "what": str,
    "at_s": NUMBER,
    "events": [{"at_s": NUMBER, "phase": str, "detail": (str, type(None))}],
}
_SERIES = {"offered": list, "served": list, "failed": list, "functions": dict}
_RESULT = {
    "scenario": str,
    "title": str,
    "story": str,
    "seed": int,
    "service": str,
    "start": str,
    "duration_s": NUMBER,
    "objectives": [OBJECTIVE],
    "requests": _REQUESTS,
    "without": {"requests": _REQUESTS, "first_throttle_s": MAYBE_NUMBER},
    "first_throttle_s": MAYBE_NUMBER,
    "raised_s": MAYBE_NUMBER,
    "recovered_s": MAYBE_NUMBER,
    "signals": [{"at_s": NUMBER, "name": str, "what": str, "state": str}],
    "alarms": [
        {"name": str, "what": str, "severity": str, "transitions": [{"at_s": NUMBER, "state": str}]},
    ],
    "remediations": [REMEDIATION],
    "series": {"step_s": NUMBER, "t": list, "with": _SERIES, "without": _SERIES},
    "notifications": [{"at_s": NUMBER, "subject": str, "text": str}],
}


def check(result: Any) -> Json:
    """The result itself, when its shape is right. Raises InvalidInput with every fault found."""
    problems = list(faults(result, _RESULT, "result")) or list(_optional_faults(result))
    if not problems:
        problems = [*time_faults(result), *plan_faults(result), *_series_faults(result["series"])]
    if problems:
        raise InvalidInput("drill result", problems)
    checked: Json = result
    return checked


def faults(value: Any, shape: Any, path: str) -> Iterator[Problem]:
    """Where a value is not of the shape: types, mappings of keys to shapes, lists of one shape."""
    if isinstance(shape, dict):
        if not isinstance(value, dict):
            yield Problem(path, type(value).__name__, "should be an object")
            return
        for key, inner in shape.items():
            if key in value:
                yield from faults(value[key], inner, f"{path}.{key}")
            else:
                yield Problem(f"{path}.{key}", None, "is missing; the engine writes it")
    elif isinstance(shape, list):
        if not isinstance(value, list):
            yield Problem(path, type(value).__name__, "should be a list")
            return
        for index, one in enumerate(value):
            yield from faults(one, shape[0], f"{path}[{index}]")
    elif not isinstance(value, shape) or (isinstance(value, bool) and shape in (int, NUMBER, MAYBE_NUMBER)):
        yield Problem(path, value, f"should be {_spelled(shape)}")


def _optional_faults(result: Json) -> Iterator[Problem]:
    """What a drill without tables, or without planned events, does not have."""
    for path, where, key, shape in (
        ("result.tables", result, "tables", _TABLES),
        ("result.without.tables", result["without"], "tables", _TABLES),
        ("result.planned_events", result, "planned_events", _PLANNED),
    ):
        if key in where:
            yield from faults(where[key], shape, path)


def _spelled(shape: Any) -> str:
    known = {str: "text", int: "a whole number", list: "a list", dict: "an object", bool: "true or false"}
    if isinstance(shape, tuple):
        kind = "text" if str in shape else "a number"
        return f"{kind} or null" if type(None) in shape else kind
    return known[shape]


def time_faults(result: Json) -> Iterator[Problem]:
    """When it began, and how long it is."""
    try:
        instant(result["start"])
    except ValueError:
        yield Problem("result.start", result["start"], "should be an ISO time with a zone, e.g. 2026-11-24T09:30:00Z")
    if result["duration_s"] <= 0:
        yield Problem("result.duration_s", result["duration_s"], "should be above 0 seconds")


def plan_faults(result: Json) -> Iterator[Problem]:
    """The plans of its remediations, which not every one has."""
    for index, one in enumerate(result["remediations"]):
        path = f"result.remediations[{index}].plan"
        plan = one.get("plan")
        if plan is None:
            continue
        yield from faults(plan, _PLAN, path)
        for number, step in enumerate(plan.get("steps", []) if isinstance(plan, dict) else []):
            if isinstance(step, dict) and step.get("undo") is not None:
                yield from faults(step["undo"], _CALL, f"{path}.steps[{number}].undo")
        for number, gate in enumerate(plan.get("gates", []) if isinstance(plan, dict) else []):
            named = isinstance(gate, list | tuple) and len(gate) == 2 and isinstance(gate[1], dict)
            if not named or not {"ok", "reason"} <= set(gate[1]):
                yield Problem(f"{path}.gates[{number}]", gate, "should be [name, {ok, reason, detail}]")


def _series_faults(series: Json) -> Iterator[Problem]:
    length = len(series["t"])
    for side in ("with", "without"):
        path = f"result.series.{side}"
        columns = {f"{path}.{key}": series[side][key] for key in ("offered", "served", "failed")}
        for name, one in series[side]["functions"].items():
            yield from faults(one, _FUNCTION, f"{path}.functions.{name}")
            if isinstance(one, dict):
                columns |= {f"{path}.functions.{name}.{key}": one.get(key) for key in _FUNCTION}
        for name, kinds in series[side].get("tables", {}).items():
            for kind in ("read", "write"):
                place = f"{path}.tables.{name}.{kind}"
                one = kinds.get(kind) if isinstance(kinds, dict) else None
                yield from faults(one, _TABLE, place)
                if isinstance(one, dict):
                    columns |= {f"{place}.{key}": one.get(key) for key in _TABLE}
        for place, column in columns.items():
            if isinstance(column, list) and len(column) != length:
                yield Problem(place, len(column), f"points should be {length}, as many as result.series.t has")
