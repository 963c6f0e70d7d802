"""Limits that AWS enforces when something is put, and moto does not: they hold for every call in this process.

Each limit stands with its source. `install` wraps moto's backends once, so that a stack, a drill and a test meet the
same refusal whichever way the call takes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import lru_cache, wraps
from typing import Any

# https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html ("Event pattern size")
PATTERN_LIMIT = 2048
# AWS publishes no number. By the count of aws/event-ruler (`evaluateComplexity`) a rule of 9 was accepted on a real
# account and one of 12 was refused. What lies between is refused here: the emulator is never the more generous.
# https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html#eb-filtering-wildcard-matching-complexity
COMPLEXITY_LIMIT = 9


@lru_cache(maxsize=1)
def install() -> None:
    """Makes moto enforce the limits, for this process."""
    from moto.events.models import EventsBackend

    EventsBackend.put_rule = _before(EventsBackend.put_rule, _check_rule)


def _before(own: Callable[..., Any], check: Callable[[Any], None]) -> Callable[..., Any]:
    """moto's own method after a check of its arguments, which the check gets by name."""
    from inspect import signature

    taken = signature(own)

    @wraps(own)
    def checked(*args: Any, **kwargs: Any) -> Any:
        check(taken.bind(*args, **kwargs).arguments)
        return own(*args, **kwargs)

    return checked


def _check_rule(arguments: dict[str, Any]) -> None:
    from moto.events.exceptions import InvalidEventPatternException

    text = arguments.get("event_pattern")
    if not text:
        return
    try:
        pattern = json.loads(text)
    except ValueError:
        return  # moto refuses it in AWS's words
    # CloudFormation sends a pattern without spaces; moto's puts some in.
    if (size := len(json.dumps(pattern, separators=(",", ":")))) > PATTERN_LIMIT:
        raise InvalidEventPatternException(f"Event pattern has {size} characters, over the limit of {PATTERN_LIMIT}")
    if complexity(pattern) > COMPLEXITY_LIMIT:
        raise InvalidEventPatternException(
            "Rule is too complex - try using fewer wildcard characters or fewer repeating character sequences after "
            "a wildcard character"
        )


def complexity(pattern: Any) -> int:
    """How many beginnings of wildcard patterns one value can match at once: an upper bound of what aws/event-ruler
    computes. A wildcard costs one for each `*` and one more for what comes after the last; prefix, suffix and exact
    values cost nothing."""
    return sum(text.count("*") + (not text.endswith("*")) for text in wildcards(pattern))


def wildcards(pattern: Any) -> Iterator[str]:
    """Every wildcard in an event pattern, also one inside `anything-but`."""
    if isinstance(pattern, dict):
        for key, inner in pattern.items():
            if key == "wildcard":
                yield from inner if isinstance(inner, list) else [inner]
            else:
                yield from wildcards(inner)
    elif isinstance(pattern, list):
        for inner in pattern:
            yield from wildcards(inner)
