"""What a template says once its parameters have values: enough of CloudFormation's functions to compare by.

Not a second CloudFormation: a function that is not known here stays as it stands, and two that stand alike are alike.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from sereno.model import Json

_NOTHING = {"Ref": "AWS::NoValue"}


@dataclass(frozen=True, slots=True)
class Known:
    """What is known beside a template: values of parameters and pseudo parameters, and what `Ref` gives for a
    resource (its physical id). `conditions` are the template's own, not yet evaluated."""

    values: Mapping[str, str] = field(default_factory=dict)
    conditions: Mapping[str, Any] = field(default_factory=dict)


def parameters(template: Json, given: Mapping[str, str]) -> dict[str, str]:
    """Every parameter's value: the one given, or its default. One without either is left out."""
    declared = template.get("Parameters", {})
    defaults = {name: str(one["Default"]) for name, one in declared.items() if "Default" in one}
    return defaults | {name: value for name, value in given.items() if name in declared}


def resources(template: Json, given: Mapping[str, str], physical: Mapping[str, str] | None = None) -> dict[str, Json]:
    """The template's resources with parameters in place, those left out whose condition does not hold."""
    known = Known({**parameters(template, given), **(physical or {})}, template.get("Conditions", {}))
    found = {}
    for logical_id, one in template.get("Resources", {}).items():
        if "Condition" in one and not holds(one["Condition"], known):
            continue
        found[logical_id] = {**one, "Properties": value(one.get("Properties", {}), known)}
    return found


def value(node: Any, known: Known) -> Any:
    """The node with what is known in place. `AWS::NoValue` takes its place away."""
    if isinstance(node, list):
        return [value(one, known) for one in node if not _gone(one, known)]
    if not isinstance(node, dict):
        return node
    if len(node) == 1:
        (name, inner) = next(iter(node.items()))
        if name == "Ref":
            return known.values.get(str(inner), node)
        if name == "Fn::If" and _decidable(inner, known):
            return value(inner[1] if holds(inner[0], known) else inner[2], known)
    return {name: value(inner, known) for name, inner in node.items() if not _gone(inner, known)}


def holds(condition: Any, known: Known) -> bool:
    """Whether a condition holds: a name, or an expression of Equals, Not, And, Or. What is not known does not."""
    if isinstance(condition, str):
        return condition in known.conditions and holds(known.conditions[condition], known)
    ((name, inner),) = condition.items()
    if name == "Condition":
        return holds(inner, known)
    if name == "Fn::Equals":
        return bool(value(inner[0], known) == value(inner[1], known))
    if name == "Fn::Not":
        return not holds(inner[0], known)
    parts = [holds(one, known) for one in inner]
    return any(parts) if name == "Fn::Or" else all(parts)


def is_open(node: Any) -> bool:
    """Whether something in the node is still a function: its value is known to CloudFormation alone."""
    return any(True for _ in _functions(node))


def _functions(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        for name, inner in node.items():
            if len(node) == 1 and (name in ("Ref", "Condition") or name.startswith("Fn::")):
                yield name
            yield from _functions(inner)
    elif isinstance(node, list):
        for inner in node:
            yield from _functions(inner)


def _gone(node: Any, known: Known) -> bool:
    if node == _NOTHING:
        return True
    if isinstance(node, dict) and "Fn::If" in node and _decidable(node["Fn::If"], known):
        name, yes, no = node["Fn::If"]
        return _gone(yes if holds(name, known) else no, known)
    return False


def _decidable(branches: Any, known: Known) -> bool:
    return isinstance(branches, list) and len(branches) == 3 and branches[0] in known.conditions
