"""The one guard in front of data from outside: how much of it there may be, how deep, and of what kind.

Events, messages and posts pass it before anything reads them. What does not pass is a `MalformedEvent`: it leaves the
handler as an exception, so that the service which delivered it keeps it (retries, then the dead-letter queue).
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from sereno.errors import MalformedEvent

# Asynchronous invocations, SNS, SQS and EventBridge carry 256 KB; SQS and EventBridge were raised to 1 MB in 2025.
# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
SIZE_LIMIT = 1024 * 1024
# An alarm of metric math nests about ten deep; Python's own readers give up at about 1,000.
DEPTH_LIMIT = 50
NODE_LIMIT = 50_000
# DynamoDB's numbers have 38 digits; no number of an event has more than a time in nanoseconds.
BITS_LIMIT = 64
SHOWN = 60


def check(value: object, place: str = "event") -> None:
    """Raises MalformedEvent naming the place where a value is too deep, too large, or no text or number that can be
    written down again."""
    nodes, size = 0, 0
    waiting: list[tuple[object, str, int]] = [(value, place, 0)]
    while waiting:
        part, where, depth = waiting.pop()
        nodes += 1
        if depth > DEPTH_LIMIT:
            raise MalformedEvent(f"{place}: is nested deeper than {DEPTH_LIMIT} levels, from {where[:100]}")
        if nodes > NODE_LIMIT:
            raise MalformedEvent(f"{place}: holds more than {NODE_LIMIT} values")
        if isinstance(part, Mapping):
            for key, inner in part.items():
                size += _size(key, f"a key of {where}")
                waiting.append((inner, f"{where}.{key}"[:200], depth + 1))
        elif isinstance(part, list | tuple):
            waiting.extend((inner, f"{where}[{number}]"[:200], depth + 1) for number, inner in enumerate(part))
        else:
            size += _size(part, where)
        if size > SIZE_LIMIT:
            raise MalformedEvent(f"{place}: is larger than {SIZE_LIMIT} bytes")


def load_json(text: str, place: str) -> Any:
    """The value of a JSON text, once it has passed `check`. Raises MalformedEvent."""
    if len(text) > SIZE_LIMIT:
        raise MalformedEvent(f"{place}: is larger than {SIZE_LIMIT} bytes")
    try:
        value = json.loads(text)
    except RecursionError:
        raise MalformedEvent(f"{place}: is nested deeper than {DEPTH_LIMIT} levels") from None
    except ValueError as error:
        why = error.msg if isinstance(error, json.JSONDecodeError) else "a number is too long"
        start = text if len(text) <= SHOWN else f"{text[:SHOWN]}..."
        raise MalformedEvent(f"{place}: {start!a} is not JSON ({why})") from None
    check(value, place)
    return value


def _size(part: object, where: str) -> int:
    """About how many bytes a scalar takes. Raises MalformedEvent for one that cannot be written down."""
    if isinstance(part, str):
        try:
            return len(part.encode())
        except UnicodeEncodeError:
            raise MalformedEvent(f"{where[:200]!a}: holds half a character (a lone surrogate)") from None
    if isinstance(part, bool) or part is None:
        return 4
    if isinstance(part, int):
        if part.bit_length() > BITS_LIMIT:
            raise MalformedEvent(f"{where[:200]}: is a number of {part.bit_length()} bits (at most {BITS_LIMIT})")
        return 8
    if isinstance(part, float):
        if not math.isfinite(part):
            raise MalformedEvent(f"{where[:200]}: is no finite number")
        return 8
    raise MalformedEvent(f"{where[:200]}: is of type {type(part).__name__}, which no event has")
