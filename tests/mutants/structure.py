"""Structural mutants of JSON: a value is dropped, swapped, wrapped, or becomes what no sender means.

Seeded, so that a mutant that breaks something can be made again. Values that Python's own writer refuses (10,000
levels, 6,000 digits) stand as marks in text, and are put in at the end.
"""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Iterator
from typing import Any

LEVELS, DIGITS = 10_000, 6_000
MARKS = {
    '"@deep list@"': "[" * LEVELS + "]" * LEVELS,
    '"@deep object@"': '{"a":' * LEVELS + "1" + "}" * LEVELS,
    '"@long number@"': "9" * DIGITS,
    '"@infinite@"': "1e999",
    '"@nan@"': "NaN",
}
ODD: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    -1,
    2**63,
    1.5,
    "",
    " ",
    "x",
    "x" * 5_000,
    "\ud800",
    "a\udfffb",
    "\x00",
    "\x1b[2J",
    "\u202e",
    "<script>",
    "9999-12-31T23:59:59-14:00",
    "0001-01-01T00:00:00+14:00",
    "2026-13-45",
    "NaN",
    "arn:aws:cloudwatch",
    [],
    {},
    [None],
    {"": None},
    {"\ud800": 1},
    *(mark.strip('"') for mark in MARKS),
)


def mutant(source: Any, seed: int) -> Any:
    """A copy of some JSON with one to three changes; the marks of values that cannot be written stay in it."""
    chance = random.Random(seed)
    changed = copy.deepcopy(source)
    for _ in range(chance.choice((1, 1, 2, 3))):
        changed = _change(changed, chance)
    return changed


def as_text(value: Any) -> str:
    """The JSON text of a mutant, with its marks made real."""
    text = json.dumps(value)
    for mark, real in MARKS.items():
        text = text.replace(mark, real)
    return text


def as_object(value: Any) -> Any:
    """The object of a mutant, with its marks made real, as a runtime could hand it over."""
    if isinstance(value, dict):
        return {key: as_object(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [as_object(inner) for inner in value]
    if value == "@deep list@":
        return _deep(list)
    if value == "@deep object@":
        return _deep(dict)
    real = {"@long number@": 10**DIGITS, "@infinite@": float("inf"), "@nan@": float("nan")}
    return real.get(value, value) if isinstance(value, str) else value


def _deep(kind: type) -> Any:
    inner: Any = 1
    for _ in range(LEVELS):
        inner = [inner] if kind is list else {"a": inner}
    return inner


def _places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _places(inner, (*path, key))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _places(inner, (*path, number))


def _change(value: Any, chance: random.Random) -> Any:
    *above, last = ("", *chance.choice(list(_places(value))))
    holder: Any = {"": value}
    root = holder
    for step in above:
        holder = holder[step]
    kind = chance.choice(("replace", "replace", "replace", "drop", "wrap", "rename", "add", "swap", "inside"))
    old = holder[last]
    if kind == "drop" and above and isinstance(holder, dict):
        del holder[last]
    elif kind == "wrap":
        holder[last] = [old] if chance.random() < 0.5 else {"value": old}
    elif kind == "rename" and above and isinstance(holder, dict):
        holder[chance.choice(("\ud800", "", f"{last}s", str(last).upper()))] = holder.pop(last)
    elif kind == "add" and isinstance(old, dict | list):
        new = copy.deepcopy(chance.choice(ODD))
        old.update({"more": new}) if isinstance(old, dict) else old.append(new)
    elif kind == "swap" and isinstance(holder, dict | list) and len(holder) > 1:
        other = chance.choice(list(holder) if isinstance(holder, dict) else list(range(len(holder))))
        holder[last], holder[other] = holder[other], old
    elif kind == "inside" and isinstance(old, str) and old:
        at = chance.randrange(len(old))
        holder[last] = old[:at] + chance.choice(("\ud800", "\x00", ":", "/", "", "9" * 50, "{")) + old[at + 1 :]
    else:
        holder[last] = copy.deepcopy(chance.choice(ODD))
    return root[""]
