"""What a change would do to a stack: two templates compared, resource by resource. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from deploy.apply import resolve
from deploy.apply.deployed import STACK, Deployed
from deploy.synth.split import Bundle
from sereno.model import Json

ADDED, CHANGED, REMOVED, MOVED = "added", "changed", "removed", "moved"
ABSENT = "-"
# The properties by which people know a resource.
_NAMES = (
    "AlarmName",
    "FunctionName",
    "TableName",
    "TopicName",
    "QueueName",
    "DashboardName",
    "LogGroupName",
    "Name",
    "Endpoint",
)


@dataclass(frozen=True, slots=True)
class Difference:
    """One property, by its path, before and after; `ABSENT` where there is none."""

    path: str
    before: Any
    after: Any

    def to_json(self) -> Json:
        return {"property": self.path, "before": self.before, "after": self.after}


@dataclass(frozen=True, slots=True)
class Change:
    """What happens to one resource. `stack` is the nested stack that holds it, empty for the root."""

    what: str
    logical_id: str
    kind: str
    name: str
    stack: str = ""
    differences: tuple[Difference, ...] = ()

    def to_json(self) -> Json:
        return {
            "what": self.what,
            "logical_id": self.logical_id,
            "type": self.kind,
            "name": self.name,
            "stack": self.stack,
            "differences": [one.to_json() for one in self.differences],
        }


@dataclass(frozen=True, slots=True)
class _Place:
    stack: str
    resource: Json


def changes(before: Deployed | None, after: Bundle, parameters: Mapping[str, str]) -> list[Change]:
    """Every resource that would be added, changed, moved between stacks or removed, in the order of their kinds.

    `parameters` are the values that the new template would get. A parameter that differs (new code) is told at each
    resource that uses it. An unchanged resource is left out.
    """
    old = _deployed_places(before)
    new = _wanted_places(after, parameters, before)
    found = [_change(logical_id, old.get(logical_id), new.get(logical_id)) for logical_id in [*new, *old]]
    order = (ADDED, CHANGED, MOVED, REMOVED)
    once = {one.logical_id: one for one in found if one is not None}
    return sorted(once.values(), key=lambda one: (order.index(one.what), one.kind, one.name))


def _deployed_places(before: Deployed | None) -> dict[str, _Place]:
    if before is None or before.status == "REVIEW_IN_PROGRESS":
        return {}
    return {
        logical_id: _Place(stack, one)
        for stack, part in before.every()
        for logical_id, one in resolve.resources(part.template, part.parameters, _shared(before)).items()
        if one["Type"] != STACK
    }


def _wanted_places(after: Bundle, parameters: Mapping[str, str], before: Deployed | None) -> dict[str, _Place]:
    return {
        logical_id: _Place(stack, one)
        for stack, template in after.every()
        for logical_id, one in resolve.resources(template, parameters, _shared(before)).items()
        if one["Type"] != STACK
    }


def _shared(before: Deployed | None) -> dict[str, str]:
    """The physical ids that the root hands to its nested stacks as parameters, by name. Both sides are read with
    them; otherwise a nested alarm would look changed, because only the deployed one knows its topics."""
    if before is None:
        return {}
    declared = {name for part in before.nested.values() for name in part.template.get("Parameters", {})}
    return {name: before.physical[name] for name in sorted(declared) if before.physical.get(name)}


def _change(logical_id: str, old: _Place | None, new: _Place | None) -> Change | None:
    one = new or old
    if one is None:
        return None
    kind, name = one.resource["Type"], _name(logical_id, one.resource)
    if old is None:
        return Change(ADDED, logical_id, kind, name, one.stack)
    if new is None:
        return Change(REMOVED, logical_id, kind, name, one.stack)
    different = tuple(compare(_looked_at(old.resource), _looked_at(new.resource)))
    if old.stack != new.stack:
        return Change(MOVED, logical_id, kind, name, one.stack, different)
    return Change(CHANGED, logical_id, kind, name, one.stack, different) if different else None


def _looked_at(resource: Json) -> Json:
    kept = {name: resource[name] for name in ("Type", "DeletionPolicy", "DependsOn") if name in resource}
    return {**resource.get("Properties", {}), **kept}


def _name(logical_id: str, resource: Json) -> str:
    properties = resource.get("Properties", {})
    return next((str(properties[one]) for one in _NAMES if isinstance(properties.get(one), str)), logical_id)


def compare(before: Any, after: Any, path: str = "") -> Iterator[Difference]:
    """Every leaf that differs, by its path (`Environment.Variables.SERENO_LEDGER`, `Tags[0].Value`).

    Text that holds JSON on both sides (a dashboard's body) is compared by what it holds.
    """
    if before == after:
        return
    pair = _as_json(before, after)
    if pair is not None:
        yield from compare(*pair, path)
    elif isinstance(before, dict) and isinstance(after, dict):
        for name in [*before, *(one for one in after if one not in before)]:
            inner = f"{path}.{name}" if path else name
            yield from compare(before.get(name, ABSENT), after.get(name, ABSENT), inner)
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for number, (one, other) in enumerate(zip(before, after, strict=True)):
            yield from compare(one, other, f"{path}[{number}]")
    else:
        yield Difference(path, before, after)


def _as_json(before: Any, after: Any) -> tuple[Any, Any] | None:
    if not (isinstance(before, str) and isinstance(after, str) and before[:1] == after[:1] == "{"):
        return None
    try:
        return json.loads(before), json.loads(after)
    except ValueError:
        return None
