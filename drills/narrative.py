"""What a drill's result says, in sentences that a CTO understands: shared by the page and the terminal."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from drills.leases import changed_at, taken_back_at
from sereno.model import Json, instant

_HOUR_S = 3600
_MINUTE_S = 60
# Longer than so many days, hours say little.
_DAYS = 3
_TITLES = {
    "availability": "Availability",
    "p99": "Slowest 1 % (p99)",
    "zero-throttles": "No throttles",
    "raised-before": "Raised before the first throttle",
    "recovered-within": "Recovered",
    "no-page": "Nobody paged",
    "no-remediation": "Nothing changed",
    "all-reverted": "Everything taken back",
    "alarm-fires": "Alarm fires",
    "zero-table-throttles": "No table throttles",
    "table-recovered-within": "Tables recovered",
    "refused-with": "Refused, at",
    "not-raised": "Not raised",
    "told": "People told",
    "asks": "Asks a person, at",
    "own-functions-ran": "Sereno's own functions ran",
    "served-within": "Customers served again",
    "found-within": "Outage found",
    "lost-writes-within": "Oldest lost write",
    "moved-once": "Moved once",
    "never-moved": "Nothing moved",
    "back-unnoticed": "Served at worst on the way back",
    "back-gradually": "Largest share sent back at once",
    "no-control-plane-calls": "Calls to a control plane",
    "no-false-moves": "False moves",
    "none-missed": "Outages missed",
    "none-skipped-for-errors": "Skipped for an error of AWS",
    "all-answered": "Services raised, or refused for want of room",
    "answered-within": "Slowest answer to an alarm",
    "none-harmed": "Services worse off than without Sereno",
    "shared-limits-held": "Request rates in force, and met",
}
_SECONDS = (
    "rpo",
    "rto",
    "raised-before",
    "recovered-within",
    "alarm-fires",
    "table-recovered-within",
    "refused-with",
    "asks",
    "served-within",
    "found-within",
    "lost-writes-within",
    "never-moved",
    "answered-within",
)
_NEVER = ("served-within", "found-within")
_RATIOS = ("back-unnoticed", "back-gradually")


@dataclass(frozen=True, slots=True)
class Objective:
    """One objective as it is shown: texts only. `unattended` is the measure without Sereno, or empty."""

    name: str
    target: str
    measured: str
    met: bool
    detail: str
    unattended: str
    unattended_met: bool | None


@dataclass(frozen=True, slots=True)
class Contrast:
    """One line of the comparison: the same measure with Sereno and without."""

    name: str
    attended: str
    unattended: str


def number(value: float | None) -> str:
    """1234567 -> 1,234,567; fractions only for small values; None -> a dash."""
    if value is None:
        return "–"
    if float(value).is_integer() or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:,.1f}" if abs(value) >= 10 else f"{value:,.2f}".rstrip("0").rstrip(".")


def percent(ratio: float | None) -> str:
    """A ratio as per cent, never rounded up: 0.999996 is not 100 %, and 99.99 % is not reached at 99.989 %."""
    if ratio is None:
        return "–"
    digits = 4 if ratio >= 0.99 else 2
    # The product is rounded first, as 0.9999 * 100 is 99.99000000000001 or a hair below in binary.
    floored = math.floor(round(ratio * 100 * 10**digits, 6)) / 10**digits
    text = f"{floored:.{digits}f}".rstrip("0").rstrip(".")
    return f"{text} %"


def span(seconds: float | None) -> str:
    """A length of time in words: 160 -> 2 min 40 s."""
    if seconds is None:
        return "–"
    whole = round(seconds)
    if whole < _MINUTE_S:
        return f"{number(round(seconds, 1))} s"
    if whole > _DAYS * 24 * _HOUR_S:
        return f"{number(whole / 24 / _HOUR_S)} days"
    hours, rest = divmod(whole, _HOUR_S)
    minutes, left = divmod(rest, _MINUTE_S)
    parts = [f"{hours} h" if hours else "", f"{minutes} min" if minutes else "", f"{left} s" if left else ""]
    return " ".join(part for part in parts if part)


def elapsed(seconds: float) -> str:
    """A moment of the drill as a stopwatch shows it: 800 -> 13:20, 4400 -> 1:13:20."""
    hours, rest = divmod(int(seconds), _HOUR_S)
    minutes, left = divmod(rest, _MINUTE_S)
    return f"{hours}:{minutes:02d}:{left:02d}" if hours else f"{minutes}:{left:02d}"


def clock(start: datetime, seconds: float, *, with_seconds: bool = True) -> str:
    """The same moment on the wall clock, UTC."""
    return (start + timedelta(seconds=seconds)).strftime("%H:%M:%S" if with_seconds else "%H:%M")


def started(result: Json) -> datetime:
    """When the drill began on the wall clock, UTC."""
    return instant(result["start"])


def dollars(amount: float) -> str:
    """A price in US dollars; a sum below a cent is not shown as nothing."""
    if 0 < amount < 0.01:
        return "under $0.01"
    return f"${amount:,.2f}"


def measure(name: str, value: Any) -> str:
    """An objective's target or measure. Text stands as it is; a bare number takes its unit from the name."""
    if value is None:
        return "never" if name in _NEVER else "not measured"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return _with_unit(name.lower(), value) if isinstance(value, int | float) else str(value)


def _with_unit(name: str, value: float) -> str:
    if ("availab" in name and value <= 1) or name in _RATIOS:
        return percent(value)
    if name.endswith("_s") or name in _SECONDS:
        return span(value)
    return f"{number(value)} ms" if name.endswith("_ms") or name == "p99" else number(value)


def title(name: str) -> str:
    """An objective's name as a person says it; one that is not known stands as it is."""
    return _TITLES.get(name, name)


def objectives(result: Json) -> list[Objective]:
    """Every objective, beside what the same drill measured without Sereno."""
    unattended = {one["name"]: one for one in result["without"].get("objectives", [])}
    return [_objective(one, unattended.get(one["name"])) for one in result["objectives"]]


def _objective(one: Json, other: Json | None) -> Objective:
    return Objective(
        name=title(one["name"]),
        target="none set" if one["target"] is None else measure(one["name"], one["target"]),
        measured=measure(one["name"], one["measured"]),
        met=one["met"],
        detail=one.get("detail") or "",
        unattended=measure(one["name"], other["measured"]) if other else "",
        unattended_met=other["met"] if other else None,
    )


def all_met(result: Json) -> bool:
    """Whether the drill passed."""
    return all(one["met"] for one in result["objectives"])


def tally(result: Json) -> str:
    """How many objectives were met, and which were not."""
    missed = [title(one["name"]) for one in result["objectives"] if not one["met"]]
    total = len(result["objectives"])
    if not total:
        return "This drill sets no objective"
    if not missed:
        return "The one objective was met" if total == 1 else f"All {total} objectives were met"
    verb = "was" if len(missed) == 1 else "were"
    return f"{len(missed)} of {total} objectives {verb} missed: {', '.join(missed)}"


def headline(result: Json) -> str:
    """The verdict in one or two sentences."""
    attended = result["requests"]["failed"]
    unattended = result["without"]["requests"]["failed"]
    lost = "turned away" if result["without"]["requests"]["throttled_attempts"] else "lost"
    if unattended == attended == 0:
        return f"No request was {lost}, and none would have been without Sereno."
    if attended > unattended:
        return f"Sereno made it worse: {_requests(attended)} {lost}, against {number(unattended)} without it."
    if attended == unattended:
        return f"Sereno made no difference: {_requests(attended)} {lost}."
    would = f"{_counted(unattended)} would have been {lost}."
    if attended == 0:
        return f"{would} With Sereno, none {'was' if unattended == 1 else 'were'}."
    return f"{would} With Sereno, {number(attended)} {'was' if attended == 1 else 'were'}."


def _counted(count: float) -> str:
    return f"{number(count)} request{'' if count == 1 else 's'}"


def _requests(count: float) -> str:
    return f"{_counted(count)} {'was' if count == 1 else 'were'}"


def lead(result: Json) -> list[str]:
    """When Sereno acted, how long before harm, and when it took its changes back. Only what was measured."""
    raised, throttled = result["raised_s"], result["without"]["first_throttle_s"]
    sentences = []
    if raised is None:
        if throttled is not None:
            sentences.append(f"Without Sereno the first throttle comes {span(throttled)} in.")
        kinds = {one["target"]["kind"] for one in result["remediations"] if changed_at(one) is not None}
        what = "a table, and no function" if kinds == {"table"} else "nothing"
        sentences.append(f"Sereno raised {what}.")
    elif throttled is None:
        sentences.append(f"Sereno acted {span(raised)} in; without it no call would have been throttled.")
    elif raised <= throttled:
        sentences.append(
            f"Sereno acted {span(raised)} in, {span(throttled - raised)} before the first throttle would have come."
        )
    else:
        sentences.append(
            f"Sereno acted {span(raised)} in, {span(raised - throttled)} after the first throttle that an unattended "
            "service sees."
        )
    return [*sentences, *_harm(result), *_harm_of_tables(result), *_taken_back(result)]


def _harm(result: Json) -> list[str]:
    """`recovered_s` counts from the first throttle; it is None when throttles never ended."""
    first, lasted = result["first_throttle_s"], result["recovered_s"]
    if first is None:
        return []
    until = "and had not ended with the drill" if lasted is None else f"and it was over {span(lasted)} later"
    return [f"The first throttle under watch came {span(first)} in, {until}."]


def _harm_of_tables(result: Json) -> list[str]:
    """The calls that tables turned away under watch, and for how long; nothing when there were none."""
    found = result.get("tables")
    if not found or found["first_throttle_s"] is None:
        return []
    calls = f"{number(found['throttled_calls'])} call{'' if found['throttled_calls'] == 1 else 's'} to tables"
    lasted = found["recovered_s"]
    until = "until the drill's end" if lasted is None else f"over {span(lasted)}" if lasted else "in one second"
    return [f"From {span(found['first_throttle_s'])} in, {calls} were throttled {until}."]


def _taken_back(result: Json) -> list[str]:
    """Whether every value is back, and since when."""
    changed = [one for one in result["remediations"] if changed_at(one) is not None]
    back = [moment for one in changed if (moment := taken_back_at(one)) is not None]
    if not changed:
        return []
    if len(back) == len(changed):
        return [f"Every change was taken back, the last {span(max(back))} in."]
    left = len(changed) - len(back)
    return [f"{left} of {len(changed)} changes {'is' if left == 1 else 'are'} in force at the end."]


def comparison(result: Json) -> list[Contrast]:
    """The measures with Sereno and without, in the order in which a reader asks for them."""
    attended, unattended = result["requests"], result["without"]["requests"]
    rows: list[tuple[str, str, Any]] = [
        ("Requests offered", "offered", number),
        ("Served", "served", number),
        ("Failed", "failed", number),
        ("Availability", "availability", percent),
        ("Slowest 1 % (p99)", "p99_ms", milliseconds),
        ("Throttled attempts", "throttled_attempts", number),
        ("Served on a retry", "served_on_retry", number),
    ]
    lines = [Contrast(name, show(attended[key]), show(unattended[key])) for name, key, show in rows]
    first = Contrast(
        "First throttle at", _moment(result["first_throttle_s"]), _moment(result["without"]["first_throttle_s"])
    )
    return [*lines, first, *_tables(result)]


def _tables(result: Json) -> list[Contrast]:
    """What the tables turned away, apart from what Lambda did; nothing for a drill without tables."""
    attended, unattended = result.get("tables"), result["without"].get("tables")
    if not attended or not unattended:
        return []
    calls, first = "throttled_calls", "first_throttle_s"
    return [
        Contrast("Throttled calls to tables", number(attended[calls]), number(unattended[calls])),
        Contrast("First throttled call at", _moment(attended[first]), _moment(unattended[first])),
    ]


def milliseconds(value: float | None) -> str:
    """A wait, or a dash where none was measured."""
    return "–" if value is None else f"{number(value)} ms"


def _moment(seconds: float | None) -> str:
    return "never" if seconds is None else elapsed(seconds)


def call_text(call: Mapping[str, Any]) -> str:
    """A call as it would be typed in Python."""
    inner = ", ".join(f"{name}={value!r}" for name, value in call["params"].items())
    return f"{call['service']}.{call['operation']}({inner})"


def value_text(value: Any) -> str:
    """A setting's value; None is what AWS calls not set."""
    if value is None:
        return "not set"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    return number(value)
