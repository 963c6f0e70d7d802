"""SAM's Globals: what each resource of a kind takes over, unless it says otherwise itself.

Mappings are joined, lists are put one behind the other, everything else is replaced by the resource's own:
https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-specification-template-anatomy-globals.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from deploy.intake.intrinsics import FUNCTIONS

_SECTION: Mapping[str, str] = {
    "AWS::Serverless::Function": "Function",
    "AWS::Serverless::Api": "Api",
    "AWS::Serverless::HttpApi": "HttpApi",
    "AWS::Serverless::SimpleTable": "SimpleTable",
}


def merged(shared: Mapping[str, Any], kind: str, own: Mapping[str, Any]) -> dict[str, Any]:
    """The properties of a resource with what Globals give its kind."""
    given = shared.get(_SECTION.get(kind, ""))
    return _joined(given, own) if isinstance(given, dict) else dict(own)


def _joined(given: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    result = dict(given)
    for key, value in own.items():
        before = result.get(key)
        if isinstance(before, dict) and isinstance(value, dict) and not (_computed(before) or _computed(value)):
            result[key] = _joined(before, value)
        elif isinstance(before, list) and isinstance(value, list):
            result[key] = [*before, *value]
        else:
            result[key] = value
    return result


def _computed(value: Mapping[str, Any]) -> bool:
    """An intrinsic function is one value, not a mapping to be joined."""
    return len(value) == 1 and next(iter(value)) in FUNCTIONS
