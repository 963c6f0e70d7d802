"""The three ways in which `sereno.yaml` writes quantities: durations, percents, factors.

Every number that has a unit in the world has one in the file: `rpo: 15` could be minutes or seconds, and the two
differ by the length of an outage.
"""

from __future__ import annotations

import re

_MILLISECONDS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_NUMBER = r"\d+(?:\.\d+)?"
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
        return float(found[1]) * _MILLISECONDS[found[2]]
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
