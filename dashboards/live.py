"""What is live in CloudWatch beside what would be rendered: the difference widget by widget, and the marks of past
deployments and remediations. All pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import zip_longest
from typing import Any

import orjson

from sereno.lifecycle import Remediation
from sereno.model import Event, Json, Status, iso

# A vertical line needs room for its words: more than these cannot be read.
MARKS = 40
PLACE = ("x", "y", "width", "height")
_TOLD = {
    Status.APPLYING: ("", "#1f77b4"),
    Status.REVERTED: ("undone: ", "#2ca02c"),
    Status.ESCALATED: ("gave up: ", "#d62728"),
}
# https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/view-stack-events.html
_DEPLOYED = {
    "CREATE_COMPLETE": ("deployed", "#9467bd"),
    "UPDATE_COMPLETE": ("deployed", "#9467bd"),
    "UPDATE_ROLLBACK_COMPLETE": ("deployment rolled back", "#ff7f0e"),
}


@dataclass(frozen=True, slots=True)
class Mark:
    """A vertical line in the graphs."""

    at: datetime
    label: str
    color: str

    def to_json(self) -> Json:
        return {"value": iso(self.at), "label": self.label, "color": self.color}


@dataclass(frozen=True, slots=True)
class Change:
    """What putting a dashboard would do to one widget: `new`, `gone`, `moved` or `changed`, and where in it."""

    kind: str
    widget: str
    details: tuple[str, ...] = ()

    def to_json(self) -> Json:
        return {"kind": self.kind, "widget": self.widget, "details": list(self.details)}


def remediation_marks(histories: Iterable[tuple[Remediation, Sequence[Event]]]) -> Iterator[Mark]:
    """When each remediation began to change something, and how it ended; the first event of each phase counts."""
    for one, events in histories:
        seen: set[str] = set()
        for event in events:
            if event.phase in seen or event.phase not in _TOLD:
                continue
            seen.add(event.phase)
            prefix, color = _TOLD[Status(event.phase)]
            yield Mark(event.at, f"{prefix}{one.remediator} {one.target.name}"[:80], color)


def deployment_marks(stack: str, events: Iterable[Mapping[str, Any]]) -> Iterator[Mark]:
    """When the service's own stack was deployed or rolled back: CloudFormation's events of the stack itself."""
    for event in events:
        own = event.get("PhysicalResourceId") == event.get("StackId")
        if own and event.get("ResourceStatus") in _DEPLOYED:
            said, color = _DEPLOYED[event["ResourceStatus"]]
            yield Mark(event["Timestamp"], f"{stack} {said}"[:80], color)


def marked(body: str, marks: Iterable[Mark], since: datetime) -> str:
    """A dashboard with the newest marks on every graph over time."""
    wanted = sorted((one for one in marks if one.at >= since), key=lambda one: one.at)[-MARKS:]
    found = orjson.loads(body)
    for widget in found["widgets"] if wanted else ():
        properties = widget["properties"]
        if widget["type"] == "metric" and properties["view"] == "timeSeries":
            properties.setdefault("annotations", {})["vertical"] = [one.to_json() for one in wanted]
    return orjson.dumps(found).decode()


def difference(live: str | None, wanted: str) -> list[Change]:
    """What putting `wanted` would change, in the order of the dashboard. Marks of the past are no difference: they
    are there since the last push and say nothing about the templates."""
    before, after = _widgets(live), _widgets(wanted)
    found = _whole(live, wanted)
    found += [Change("new", name) for name in after if name not in before]
    found += [Change("gone", name) for name in before if name not in after]
    for name in after:
        if name not in before:
            continue
        inside = tuple(_inside("", before[name]["properties"], after[name]["properties"]))
        if inside:
            found.append(Change("changed", name, inside))
        elif places := tuple(_inside("", _place(before[name]), _place(after[name]))):
            found.append(Change("moved", name, places))
    return found


def _whole(live: str | None, wanted: str) -> list[Change]:
    """What is no widget: the time shown at first, and how periods are chosen."""
    if live is None:
        return []
    before, after = ({k: v for k, v in _loads(one).items() if k != "widgets"} for one in (live, wanted))
    details = tuple(_inside("", before, after))
    return [Change("changed", "the dashboard itself", details)] if details else []


def _widgets(body: str | None) -> dict[str, Json]:
    """Widgets by what a person calls them; of two of one name the second is `name (2)`."""
    found: dict[str, Json] = {}
    for widget in _loads(body).get("widgets", []) if body else []:
        properties = dict(widget.get("properties") or {})
        title = properties.get("title") or str(properties.get("markdown", "")).partition("\n")[0].strip("# ")
        name = first = f"{widget.get('type', 'widget')} {title or 'without a title'}"
        number = 1
        while name in found:
            number += 1
            name = f"{first} ({number})"
        if isinstance(properties.get("annotations"), dict):
            kept = {key: one for key, one in properties["annotations"].items() if key != "vertical"}
            properties["annotations"] = kept
        found[name] = {**widget, "properties": properties}
    return found


def _loads(body: str) -> Json:
    """A live body may be anything that a person has put there."""
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}


def _place(widget: Json) -> Json:
    return {key: widget.get(key) for key in PLACE}


_ABSENT = object()


def _inside(path: str, before: Any, after: Any) -> Iterator[str]:
    """Lines like `stat: "Sum" -> "Average"`, one for each value that differs."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key in sorted(before.keys() | after.keys()):
            inner = f"{path}.{key}" if path else key
            yield from _inside(inner, before.get(key, _ABSENT), after.get(key, _ABSENT))
    elif isinstance(before, list) and isinstance(after, list):
        for number, (old, new) in enumerate(zip_longest(before, after, fillvalue=_ABSENT)):
            yield from _inside(f"{path}[{number}]", old, new)
    elif before is _ABSENT:
        yield f"{path}: {_shown(after)} is new"
    elif after is _ABSENT:
        yield f"{path}: {_shown(before)} goes"
    elif before != after:
        yield f"{path}: {_shown(before)} -> {_shown(after)}"


def _shown(value: Any) -> str:
    text = orjson.dumps(value).decode()
    return text if len(text) <= 100 else f"{text[:97]}..."
