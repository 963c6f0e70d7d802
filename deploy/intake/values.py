"""What a template tells, and what it does not: known values, unknown ones, and how each came about."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

SHOWN_CHARACTERS = 90


class _NoValue:
    """`AWS::NoValue`: the place is left out."""

    def __repr__(self) -> str:
        return "AWS::NoValue"


NO_VALUE = _NoValue()


@dataclass(frozen=True, slots=True)
class Unknown:
    """A value that cannot be told from here: the expression as a person would look for it, and why."""

    expression: str
    why: str


@dataclass(slots=True)
class Trace:
    """What a value leans on: parameters at their defaults, names that only a deployment makes, pseudo parameters
    that nobody gave. Each set holds names as the template has them."""

    defaults: set[str] = field(default_factory=set)
    generated: set[str] = field(default_factory=set)
    pseudo: set[str] = field(default_factory=set)

    def add(self, other: Trace) -> None:
        """Leans on all that the other leans on."""
        self.defaults |= other.defaults
        self.generated |= other.generated
        self.pseudo |= other.pseudo


def shown(expression: Any) -> str:
    """An expression on one line, shortened, for reports and comments."""
    text = expression if isinstance(expression, str) else json.dumps(expression, ensure_ascii=False, default=str)
    text = " ".join("".join(one if one.isprintable() else " " for one in text).split())
    return text if len(text) <= SHOWN_CHARACTERS else text[: SHOWN_CHARACTERS - 3] + "..."


def text_of(value: Any) -> str | None:
    """A scalar as CloudFormation writes it into text; None for anything else."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return value
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return f"{value:.15g}"
    return None


def whole(value: Any) -> int | None:
    """The whole number that a value says, as a number or as text; None when it says none."""
    text = text_of(value) if not isinstance(value, bool) else None
    if text is None or len(text) > 20:
        return None
    try:
        number = float(text)
    except ValueError:
        return None
    return int(number) if number.is_integer() else None


def unknown_in(value: Any) -> Unknown | None:
    """The first unknown inside a value, or None when all of it is known."""
    if isinstance(value, Unknown):
        return value
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return next((found for one in inner if (found := unknown_in(one))), None)


def texts_in(value: Any) -> list[str]:
    """Every text inside a value, keys left out."""
    if isinstance(value, str):
        return [value]
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [text for one in inner for text in texts_in(one)]
