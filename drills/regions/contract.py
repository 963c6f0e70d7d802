"""The shape of a regional drill's result, as `drills.contract` has it of the others: every fault, with its place."""

from __future__ import annotations

from typing import Any

from drills.contract import MAYBE_NUMBER, NUMBER, OBJECTIVE, REMEDIATION, faults, plan_faults, time_faults
from sereno.errors import InvalidInput
from sereno.model import Json

_REQUESTS = {
    "offered": NUMBER,
    "served": NUMBER,
    "failed": NUMBER,
    "served_by": dict,
    "served_on_retry": NUMBER,
    "p99_ms": MAYBE_NUMBER,
    "availability": MAYBE_NUMBER,
}
_PARTS = {
    "confirmed_s": MAYBE_NUMBER,
    "switched_s": MAYBE_NUMBER,
    "switch_seen_s": MAYBE_NUMBER,
    "plain_seen_s": MAYBE_NUMBER,
    "answered_s": MAYBE_NUMBER,
    "served_s": MAYBE_NUMBER,
    "availability": MAYBE_NUMBER,
}
_LOST = {
    "count": NUMBER,
    "oldest_s": NUMBER,
    "superseded": NUMBER,
    "arrived_late": NUMBER,
    "list": [{"id": str, "item": NUMBER, "at_s": NUMBER, "lag_s": NUMBER}],
}
_MOVES = [{"at_s": NUMBER, "chances": dict}]
_BACK = {"asked_s": MAYBE_NUMBER, "worst": MAYBE_NUMBER}
_SIDE = {"offered": list, "failed": list, "primary": list, "standby": list}
_SERIES = {"t": list, "with": _SIDE, "without": _SIDE}
_TOLD = {
    "scenario": str,
    "title": str,
    "story": str,
    "seed": int,
    "service": str,
    "start": str,
    "duration_s": NUMBER,
    "objectives": [OBJECTIVE],
}
REGION = {
    **_TOLD,
    "regions": {"primary": str, "standby": str, "witness": str},
    "requests": _REQUESTS,
    "outages": [{"from_s": NUMBER, "to_s": NUMBER, "with": _PARTS, "without": _PARTS}],
    "troubles": [{"kind": str, "region": str, "from_s": NUMBER, "to_s": NUMBER, "share": NUMBER}],
    "lost_writes": _LOST,
    "moves": _MOVES,
    "switch": [{"at_s": NUMBER, "there": bool}],
    "back": _BACK,
    "calls": {"made": NUMBER, "forbidden": list, "refused": NUMBER},
    "signals": [{"at_s": NUMBER, "name": str, "state": str}],
    "remediations": [REMEDIATION],
    "notifications": [{"at_s": NUMBER, "subject": str, "text": str}],
    "without": {
        "requests": _REQUESTS,
        "lost_writes": _LOST,
        "moves": _MOVES,
        "back": _BACK,
        "objectives": [OBJECTIVE],
    },
    "series": {"step_s": NUMBER, **_SERIES},
    "closely": [{"from_s": NUMBER, **_SERIES}],
}
EVIDENCE = {
    **_TOLD,
    "noise": dict,
    "events": NUMBER,
    "tries": NUMBER,
    "happenings": [{"kind": str, "from_s": NUMBER, "to_s": NUMBER}],
    "outages": [{"from_s": NUMBER, "to_s": NUMBER, "found_s": MAYBE_NUMBER}],
    "false_moves": list,
}


def check(result: Any) -> Json:
    """The result itself, when its shape is right. Raises InvalidInput with every fault found."""
    shape = REGION if isinstance(result, dict) and result.get("kind") == "region" else EVIDENCE
    problems = list(faults(result, shape, "result"))
    if not problems:
        problems = [*time_faults(result), *plan_faults(result)]
    if problems:
        raise InvalidInput("drill result", problems)
    checked: Json = result
    return checked
