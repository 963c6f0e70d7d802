"""How large a template may be, and what is said of one that is larger."""

from __future__ import annotations

import json
from collections import Counter

import orjson

from sereno.errors import InvalidInput, Problem
from sereno.model import Json

# https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html
RESOURCE_LIMIT = 500
BYTE_LIMIT = 1_000_000
# Where a template is split: the next alarm, and a person's own addition, must still fit.
SAFE_RESOURCES = 450
SAFE_BYTES = 900_000
# Indented and in UTF-8 a template takes at most this many times the packed one's characters.
_INDENTED = 4.0


def packed(template: Json) -> str:
    """The template in the fewest bytes: what is uploaded."""
    return orjson.dumps(template).decode()


def text(template: Json) -> str:
    """The template as a file holds it: short enough lines to read a difference, and the same for the same input."""
    return json.dumps(template, indent=1, ensure_ascii=False) + "\n"


def size(template: Json) -> int:
    """The bytes of the template as a file holds it: indented, whichever form is uploaded."""
    return len(text(template).encode())


def fits(template: Json, resources: int = SAFE_RESOURCES, size_limit: int = SAFE_BYTES, written: str = "") -> bool:
    """Whether the template keeps to these limits. `written` is its packed text, where that is known already: writing
    it indented is slow, and seldom needed to know that it is small enough."""
    if len(template["Resources"]) > resources:
        return False
    shortest = written or packed(template)
    return len(shortest) * _INDENTED <= size_limit or size(template) <= size_limit


def check(template: Json, name: str = "template") -> None:
    """Raises InvalidInput, with the counts, when CloudFormation would refuse the template for its size."""
    found = template["Resources"]
    if len(found) <= RESOURCE_LIMIT and fits(template, RESOURCE_LIMIT, BYTE_LIMIT):
        return
    kinds = Counter(one["Type"].removeprefix("AWS::") for one in found.values())
    most = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common(4))
    problems = []
    if len(found) > RESOURCE_LIMIT:
        mend = f"resources, CloudFormation takes {RESOURCE_LIMIT} ({most}): split the service"
        problems.append(Problem(name, len(found), mend))
    if size(template) > BYTE_LIMIT:
        mend = f"bytes, CloudFormation takes {BYTE_LIMIT} ({most}): split the service"
        problems.append(Problem(name, size(template), mend))
    raise InvalidInput("sereno.yaml", problems)
