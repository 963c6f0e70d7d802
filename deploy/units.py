"""The ways in which `sereno.yaml` writes quantities: durations, percents, factors; hours and time zones.

Every number that has a unit in the world has one in the file: `rpo: 15` could be minutes or seconds, and the two
differ by the length of an outage.
"""

from __future__ import annotations

import re
from zoneinfo import available_timezones

_MILLISECONDS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
LONGEST_MS = 3650 * 86_400_000
_NUMBER = r"[0-9]+(?:\.[0-9]+)?"
_DURATION = re.compile(rf"({_NUMBER})\s*(ms|s|m|h|d)")
_PERCENT = re.compile(rf"({_NUMBER})\s*%")
_FACTOR = re.compile(rf"({_NUMBER})\s*x")

DURATION_PATTERN = rf"^{_NUMBER}\s*(ms|s|m|h|d)$"
PERCENT_PATTERN = rf"^{_NUMBER}\s*%$"
FACTOR_PATTERN = rf"^{_NUMBER}\s*x$"


def milliseconds(value: object, *, usual: str) -> float:
    """Milliseconds of a duration such as `500ms`, `15m`, `1.5h`.

    `usual` is the unit that the mend proposes when there is none. Raises ValueError with the mend as its text.
    """
    text = str(value).strip()
    if found := _DURATION.fullmatch(text):
        span = float(found[1]) * _MILLISECONDS[found[2]]
        if span > LONGEST_MS:
            raise ValueError("is longer than ten years (write a shorter duration)")
        return span
    if re.fullmatch(_NUMBER, text):
        raise ValueError(f"has no unit (write {text}{usual})")
    raise ValueError(f"is no duration (write a number with ms, s, m, h or d, such as 15{usual})")


def ratio(value: object) -> float:
    """The ratio behind a percent: `99.99%` is 0.9999. Raises ValueError with the mend as its text."""
    text = str(value).strip()
    if found := _PERCENT.fullmatch(text):
        # Rounded, because 99.99 / 100 is not the double nearest to 0.9999, and the error budget is 1 - this.
        return round(float(found[1]) / 100, 12)
    if re.fullmatch(_NUMBER, text):
        number = float(text)
        percent = number * 100 if number <= 1 else number
        raise ValueError(f"has no % (write {percent:.10g}%)")
    raise ValueError("is no percent (write a number with %, such as 99.9%)")


def factor(value: object) -> float:
    """The number of a factor over normal traffic: `9x` is 9. Raises ValueError with the mend as its text."""
    text = str(value).strip()
    if found := _FACTOR.fullmatch(text):
        return float(found[1])
    if re.fullmatch(_NUMBER, text):
        raise ValueError(f"has no x (write {text}x)")
    raise ValueError("is no factor (write a number with x, such as 9x)")


_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_SPAN = re.compile(
    r"(?:([A-Z][a-z]{2})(?:-([A-Z][a-z]{2}))?\s+)?([0-9]{1,2}):([0-9]{2})\s*-\s*([0-9]{1,2}):([0-9]{2})"
)


def hours(value: object) -> tuple[tuple[int, ...], int, int]:
    """(days, start, end) of `Mon-Fri 08:00-20:00`: days of the week from 0 (Monday), minutes of the day; without days
    every day. Raises ValueError with the mend as its text."""
    found = _SPAN.fullmatch(str(value).strip())
    if not found:
        raise ValueError("is no span of hours (write it like Mon-Fri 08:00-20:00, or 22:00-06:00)")
    first, last, *clock = found.groups()
    for day in (first, last):
        if day and day not in _DAYS:
            raise ValueError(f"names no day {day} (write {', '.join(_DAYS)})")
    if first:
        begin = _DAYS.index(first)
        length = (_DAYS.index(last) - begin) % 7 if last else 0
        days = tuple(sorted((begin + more) % 7 for more in range(length + 1)))
    else:
        days = tuple(range(7))
    start_hour, start_minute, end_hour, end_minute = map(int, clock)
    start, end = start_hour * 60 + start_minute, end_hour * 60 + end_minute
    if max(start_minute, end_minute) > 59 or start >= 24 * 60 or end > 24 * 60 or start == end:
        raise ValueError("is no span of hours within a day (00:00 to 24:00, and not empty)")
    return days, start, end


def hours_text(value: object) -> str:
    """The span as it was written, once it is known to be one. Raises ValueError."""
    hours(value)
    return str(value).strip()


def timezone(value: object) -> str:
    """The name of a time zone of the IANA database. Raises ValueError with the mend as its text."""
    name = str(value).strip()
    if name not in available_timezones():
        raise ValueError("is no time zone (write it like Europe/Madrid, or UTC)")
    return name
