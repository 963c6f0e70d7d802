"""What the result of many services says, and its shape."""

from __future__ import annotations

from typing import Any

from drills.contract import MAYBE_NUMBER, NUMBER, OBJECTIVE, REMEDIATION, faults, plan_faults, time_faults
from drills.narrative import Contrast, number, percent, span
from sereno.errors import InvalidInput
from sereno.model import Json

_REQUESTS = {
    "offered": NUMBER,
    "served": NUMBER,
    "failed": NUMBER,
    "throttled": NUMBER,
    "availability": MAYBE_NUMBER,
}
_SHAPE = {
    "scenario": str,
    "title": str,
    "story": str,
    "seed": int,
    "service": str,
    "start": str,
    "duration_s": NUMBER,
    "objectives": [OBJECTIVE],
    "services": [
        {
            "name": str,
            "reserved": MAYBE_NUMBER,
            "raised_to": MAYBE_NUMBER,
            "refused_for_room": NUMBER,
            "answered_s": MAYBE_NUMBER,
            "offered": NUMBER,
            "failed": NUMBER,
            "failed_without": NUMBER,
            "failures": NUMBER,
        }
    ],
    "account": {"concurrency": NUMBER, "own_reserved": NUMBER, "least_unreserved": NUMBER},
    "limits": [{"name": str, "throttled": NUMBER, "given_up": NUMBER}],
    "calls": dict,
    "requests": _REQUESTS,
    "without": {"requests": _REQUESTS},
    "remediations": [REMEDIATION],
}


def check(result: Any) -> Json:
    """The result itself, when its shape is right. Raises InvalidInput with every fault found."""
    problems = list(faults(result, _SHAPE, "result")) or [*time_faults(result), *plan_faults(result)]
    if problems:
        raise InvalidInput("drill result", problems)
    checked: Json = result
    return checked


def headline(result: Json) -> str:
    """The verdict in a sentence."""
    services = result["services"]
    raised = sum(one["raised_to"] is not None for one in services)
    refused = sum(one["raised_to"] is None and one["refused_for_room"] > 0 for one in services)
    wrong = sum(
        one["reason"] in ("AWS_ERROR", "FAULTY") or one["status"] == "FAILED" for one in result["remediations"]
    )
    room = f", {refused} refused for want of room" if refused else ""
    errors = "no remediation failed" if not wrong else f"{number(wrong)} remediations failed"
    return f"{raised} of {len(services)} services raised{room}; {errors}."


def lead(result: Json) -> list[str]:
    """What was shared, and how it was used."""
    account, throttled = result["account"], sum(one["throttled"] for one in result["limits"])
    times = [one["answered_s"] for one in result["services"] if one["answered_s"] is not None]
    slowest = f" The slowest answer came {span(max(times))} after its alarm." if times else ""
    return [
        f"The account's {number(account['concurrency'])} executions were never all reserved: at least "
        f"{number(account['least_unreserved'])} stayed free.{slowest}",
        f"{number(sum(result['calls'].values()))} calls met the account's request rates; "
        f"{number(throttled)} attempts were throttled.",
    ]


def comparison(result: Json) -> list[Contrast]:
    """The services' requests together."""
    mine, theirs = result["requests"], result["without"]["requests"]
    return [
        Contrast("Requests offered", number(mine["offered"]), number(theirs["offered"])),
        Contrast("Failed", number(mine["failed"]), number(theirs["failed"])),
        Contrast("Availability", percent(mine["availability"]), percent(theirs["availability"])),
        Contrast("Throttled attempts", number(mine["throttled"]), number(theirs["throttled"])),
    ]
