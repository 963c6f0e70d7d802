"""The quantities of a scenario file as plain numbers. Each raises ValueError with the mend as its text."""

from __future__ import annotations

import re
from datetime import datetime

from deploy import units
from sereno.model import instant

_PIECE = r"\d+(?:\.\d+)?(?:ms|s|m|h|d)"
_RATE = re.compile(r"(\d+(?:\.\d+)?)\s*/\s*s")
# Alone, or after the resource where two kinds of resource share a what: catalogue/latency.
_WHAT = re.compile(r"(?:[a-zA-Z0-9_-]+/)?[a-z0-9]+(?:-[a-z0-9]+)*")

MOST_DIGITS = 12


def duration(value: object) -> float:
    """Seconds of `10m`, `90s`, `1h30m`."""
    text = str(value).strip()
    if re.fullmatch(f"(?:{_PIECE})+", text):
        return sum(units.milliseconds(piece, usual="m") for piece in re.findall(_PIECE, text)) / 1000
    return units.milliseconds(text, usual="m") / 1000


def rate(value: object) -> float:
    """Requests a second of `120/s`."""
    found = _RATE.fullmatch(str(value).strip())
    if not found:
        raise ValueError("is no rate (write requests a second, such as 120/s)")
    if len(found[1]) > MOST_DIGITS:
        raise ValueError("is more than any API takes (write requests a second, such as 120/s)")
    return float(found[1])


def text(value: object) -> str:
    """Any text, its white space made single."""
    if not isinstance(value, str) or not value.strip():
        raise ValueError("is no text")
    return " ".join(value.split())


def sigma(value: object) -> float:
    """A spread of durations."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 3:
        raise ValueError("is no number from 0 to 3 (the standard deviation of the duration's logarithm)")
    return float(value)


def flag(value: object) -> bool:
    """true or false."""
    if not isinstance(value, bool):
        raise ValueError("is neither true nor false")
    return value


def ratio(value: object) -> float:
    """A part of a whole, `12%`."""
    found = units.ratio(value)
    if found > 1:
        raise ValueError("is more than 100%")
    return found


def some(value: object) -> float:
    """A part of a whole that is not nothing."""
    found = ratio(value)
    if not found:
        raise ValueError("is nothing (leave the line out)")
    return found


def milliseconds(value: object) -> float:
    """A function's duration."""
    found = units.milliseconds(value, usual="ms")
    if not 0 < found <= 10_000:
        raise ValueError("is not within 0..10s")
    return found


def whole_seconds(value: object) -> int:
    """A length of time in seconds."""
    seconds = duration(value)
    if seconds != int(seconds) or seconds <= 0:
        raise ValueError("is no whole number of seconds above 0")
    return int(seconds)


def whole_minutes(value: object) -> int:
    """A length of time in whole minutes, in seconds."""
    seconds = duration(value)
    if seconds % 60 or seconds <= 0:
        raise ValueError("is no whole number of minutes above 0 (CloudWatch's metrics are minutely)")
    return int(seconds)


def count(value: object) -> int:
    """How many of something; none is allowed."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError("is no whole number of 0 or more")
    return value


def attempts(value: object) -> int:
    """How often an SDK tries a call in all."""
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 10:
        raise ValueError("is no number of attempts from 1 to 10")
    return value


def capacity(value: object) -> int:
    """Capacity units a second that a table is given."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError("is no whole number of capacity units above 0")
    return value


def consumed(value: object) -> float:
    """Capacity units that an invocation consumes in the mean."""
    if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
        raise ValueError("is no number of capacity units above 0")
    return float(value)


def dollars(value: object) -> float:
    """US dollars."""
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
        raise ValueError("is no amount of US dollars")
    return float(value)


def what(value: object) -> str:
    """The last part of an alarm's name."""
    found = str(value)
    if not _WHAT.fullmatch(found):
        raise ValueError("is no what (the last part of an alarm's name, such as burn-fast)")
    return found


def start(value: object) -> datetime:
    """A whole minute."""
    try:
        moment = instant(str(value))
    except ValueError:
        raise ValueError("is no time with a zone (write 2026-11-24T09:30:00Z)") from None
    if moment.second or moment.microsecond:
        raise ValueError("is no whole minute (CloudWatch's slots would not fit)")
    return moment


def span(value: object) -> tuple[float, float]:
    """From and to, both durations: `[20s, 240s]`."""
    if not isinstance(value, list) or len(value) != 2:
        raise ValueError("is no pair (write [20s, 240s]: the least and the most)")
    least, most = duration(value[0]), duration(value[1])
    if least > most:
        raise ValueError("begins after its end (write the least first)")
    return least, most
