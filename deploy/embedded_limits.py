"""Limits that AWS enforces when something is put, and moto does not: they hold for every call in this process.

Each limit stands with its source. `install` wraps moto's backends once, so that a stack, a drill and a test meet the
same refusal whichever way the call takes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import lru_cache, wraps
from typing import Any

from deploy import embedded_public

# https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html ("Event pattern size")
PATTERN_LIMIT = 2048
# AWS publishes no number. By the count of aws/event-ruler (`evaluateComplexity`) a rule of 9 was accepted on a real
# account and one of 12 was refused. What lies between is refused here: the emulator is never the more generous.
# https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html#eb-filtering-wildcard-matching-complexity
COMPLEXITY_LIMIT = 9
# All inline policies of a role together, a managed policy, managed policies of a role. White space is not counted.
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
INLINE_LIMIT, MANAGED_LIMIT, ATTACHED_LIMIT = 10_240, 6_144, 10


@lru_cache(maxsize=1)
def install() -> None:
    """Makes moto enforce the limits, for this process."""
    from moto.backup.models import BackupBackend
    from moto.events.models import EventsBackend
    from moto.iam.models import IAMBackend

    embedded_public.install()
    BackupBackend.describe_backup_vault = _before(BackupBackend.describe_backup_vault, _check_vault)
    EventsBackend.put_rule = _before(EventsBackend.put_rule, _check_rule)
    IAMBackend.put_role_policy = _before(IAMBackend.put_role_policy, _check_inline)
    IAMBackend.create_policy = _before(IAMBackend.create_policy, _check_managed)
    IAMBackend.create_policy_version = _before(IAMBackend.create_policy_version, _check_managed)
    IAMBackend.attach_role_policy = _before(IAMBackend.attach_role_policy, _check_attached)


def _before(own: Callable[..., Any], check: Callable[[Any], None]) -> Callable[..., Any]:
    """moto's own method after a check of its arguments, which the check gets by name."""
    from inspect import signature

    taken = signature(own)

    @wraps(own)
    def checked(*args: Any, **kwargs: Any) -> Any:
        check(taken.bind(*args, **kwargs).arguments)
        return own(*args, **kwargs)

    return checked


def _check_vault(arguments: dict[str, Any]) -> None:
    """A vault that is not there is answered as one that nobody may see.
    https://github.com/aws/aws-sdk-js/issues/2625"""
    from moto.core.exceptions import JsonRESTError

    if arguments["backup_vault_name"] not in arguments["self"].vaults:
        raise JsonRESTError("AccessDeniedException", "Insufficient privileges to perform this action.")


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


def _policy_size(document: str) -> int:
    """The characters that IAM counts of a policy."""
    try:
        return len(json.dumps(json.loads(document), separators=(",", ":"), ensure_ascii=False))
    except ValueError:
        return len(document)  # moto refuses it in AWS's words


def _check_inline(arguments: dict[str, Any]) -> None:
    role_name, name = arguments["role_name"], arguments["policy_name"]
    held: dict[str, str] = arguments["self"].get_role(role_name).policies
    documents = {**held, name: arguments["policy_json"]}
    if sum(map(_policy_size, documents.values())) > INLINE_LIMIT:
        raise _limit_exceeded(f"Maximum policy size of {INLINE_LIMIT} bytes exceeded for role {role_name}")


def _check_managed(arguments: dict[str, Any]) -> None:
    if _policy_size(arguments["policy_document"]) > MANAGED_LIMIT:
        raise _limit_exceeded(f"Cannot exceed quota for PolicySize: {MANAGED_LIMIT}")


def _check_attached(arguments: dict[str, Any]) -> None:
    held = arguments["self"].get_role(arguments["role_name"]).managed_policies
    if len({*held, arguments["policy_arn"]}) > ATTACHED_LIMIT:
        raise _limit_exceeded(f"Cannot exceed quota for PoliciesPerRole: {ATTACHED_LIMIT}")


def _limit_exceeded(message: str) -> Exception:
    from moto.iam.exceptions import LimitExceededException

    refusal: Exception = LimitExceededException(message)
    return refusal
