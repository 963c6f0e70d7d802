"""Reads what a drill is judged by."""

from __future__ import annotations

from collections.abc import Mapping

from deploy.config_checks import nearest
from drills import scenario_values as values
from drills.scenario_reading import Parse, Reading
from remediators import registry
from sereno.model import Reason

# What a drill can be judged by, and what its target is.
OBJECTIVES: Mapping[str, str] = {
    "availability": "percent",  # first attempts that succeed
    "p99": "milliseconds",  # the API's latency, of requests that succeed
    "zero-throttles": "",  # no attempt of any client was throttled by Lambda
    "zero-table-throttles": "",  # no call to any table was throttled
    "raised-before": "",  # the limit was raised before the untended world meets its first throttle
    "recovered-within": "duration",  # Lambda's first throttle until 30 s without a failed attempt
    "table-recovered-within": "duration",  # the tables' first throttle until 30 s without one
    "no-page": "",  # nobody was woken
    "no-remediation": "",  # nothing was changed
    "all-reverted": "",  # every lease was taken back before the end
    "alarm-fires": "what",  # an alarm of this what went into ALARM
    "refused-with": "reason",  # a remediation was refused with this reason
    "not-raised": "kind",  # nothing of this kind (function, table) was changed
    "told": "word",  # people were told: an incident was opened, or somebody was paged
    "asks": "remediator",  # this remediator planned, and waits for a person's leave
    "own-functions-ran": "",  # each of Sereno's own functions ran whenever it was started
}
CHANGED = ("function", "table")
TOLD = ("incident", "page")


def objectives(reading: Reading) -> list[tuple[str, float | str | None]]:
    """Name and target of each."""
    raw = reading.raw.get("objectives")
    if not isinstance(raw, list) or not raw:
        reading.say("objectives", raw, "is missing or no list (a drill without an objective proves nothing)")
        return []
    found = []
    for number, one in enumerate(raw):
        path = f"objectives[{number}]"
        pairs = list(one.items()) if isinstance(one, Mapping) else [(one, None)]
        if len(pairs) != 1:
            reading.say(path, one, "is more than one objective (one a line)")
            continue
        found.append(_objective(reading, str(pairs[0][0]), pairs[0][1], path))
    return [one for one in found if one is not None]


def _objective(reading: Reading, name: str, value: object, path: str) -> tuple[str, float | str | None] | None:
    if name not in OBJECTIVES:
        known = ", ".join(OBJECTIVES)
        reading.say(path, name, f"is no objective{nearest(name, OBJECTIVES)}; known: {known}")
        return None
    kind = OBJECTIVES[name]
    if not kind:
        if value is not None:
            reading.say(f"{path}.{name}", value, f"takes no target (write - {name})")
        return (name, None)
    if value is None:
        reading.say(f"{path}.{name}", None, f"needs a target (a {kind})")
        return None
    return (name, reading.parse(value, _PARSERS[kind], f"{path}.{name}", None))


def _one_of(what: str, known: tuple[str, ...]) -> Parse:
    def parse(value: object) -> str:
        if value not in known:
            raise ValueError(f"is no {what}{nearest(str(value), known)}; known: {', '.join(known)}")
        return str(value)

    return parse


_PARSERS: Mapping[str, Parse] = {
    "percent": values.ratio,
    "milliseconds": values.milliseconds,
    "duration": values.duration,
    "what": values.what,
    "reason": _one_of("reason", tuple(str(one) for one in Reason)),
    "kind": _one_of("kind of target", CHANGED),
    "word": _one_of("way to tell people", TOLD),
    "remediator": _one_of("remediator", tuple(registry.names())),
}
