"""A template that is too large for CloudFormation becomes a root with nested stacks of alarms.

An alarm cannot move from one stack to another without being deleted on the way: its history would go, and for a while
nobody would watch. So which nested stack holds an alarm follows from the key of its resource alone, by a hash: adding
an alarm, or a function, moves no other. Composite alarms stay in the root, where `DependsOn` can name the nested
stacks that hold what they watch.

Nested templates are named by their content. A change in one is thereby a change of the root, which is how
CloudFormation sees it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from deploy.synth import limits
from sereno.model import Json

ALARM, DASHBOARD, STACK = "AWS::CloudWatch::Alarm", "AWS::CloudWatch::Dashboard", "AWS::CloudFormation::Stack"
# The number of shards goes up only when one of them would be over the limit. 16 hold some 5,000 alarms.
SHARDS = (16, 256)
PREFIX = "TemplatePrefix"
PARAMETER: Json = {
    PREFIX: {
        "Type": "String",
        "Default": "",
        "AllowedPattern": "^$|^.*/$",
        "Description": "Where in CodeBucket the nested templates lie, ending in a slash",
    }
}


@dataclass(frozen=True, slots=True)
class Bundle:
    """A root template and, where it would be too large, the templates of its nested stacks by logical id. `packed` is
    the root as it is uploaded, `files` names the file of each nested template."""

    root: Json
    packed: str
    nested: Mapping[str, Json] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)

    def every(self) -> Iterator[tuple[str, Json]]:
        """The root under an empty name, then each nested template under its logical id."""
        yield "", self.root
        yield from self.nested.items()

    @property
    def resources(self) -> int:
        """How many resources all of it has."""
        return sum(len(one["Resources"]) for _, one in self.every())


def apart(template: Json) -> Bundle:
    """The template as it is when it is small enough, and otherwise split. Raises InvalidInput when even so a part is
    larger than CloudFormation takes."""
    packed = limits.packed(template)
    if limits.fits(template, written=packed):
        return Bundle(template, packed)
    resources = template["Resources"]
    alarms = {key: one for key, one in resources.items() if one["Type"] == ALARM}
    dashboards = {key: one for key, one in resources.items() if one["Type"] == DASHBOARD}
    nested = {one: _nested(template, held) for one, held in _sharded(alarms).items()}
    if dashboards:
        nested["Dashboards"] = _nested(template, dashboards)
    files = {one: file_of(one.lower(), limits.packed(part)) for one, part in nested.items()}
    root = _root(template, nested, files)
    limits.check(root, "the root template")
    for one, part in nested.items():
        limits.check(part, f"the nested template {one}")
    return Bundle(root, limits.packed(root), nested, files)


def shard_of(resource_key: str, shards: int) -> str:
    """The logical id of the nested stack that holds a resource's alarms, of so many."""
    digits = len(f"{shards - 1:x}")
    number = int.from_bytes(hashlib.sha256(resource_key.encode()).digest()[:4]) % shards
    return f"Alarms{number:0{digits}X}"


def _sharded(alarms: Mapping[str, Json]) -> dict[str, dict[str, Json]]:
    """Alarms by nested stack, with the fewest shards that all keep to the limits. With the most, whatever it gives:
    whoever checks says what is too large."""
    found: dict[str, dict[str, Json]] = {}
    for shards in SHARDS:
        found = {}
        for logical_id, one in alarms.items():
            found.setdefault(shard_of(_resource_key(one), shards), {})[logical_id] = one
        if all(limits.fits({"Resources": one}) for one in found.values()):
            break
    return dict(sorted(found.items()))


def _resource_key(alarm: Json) -> str:
    """`<service>/<resource>` of an alarm's name: all alarms of a resource lie together."""
    name: str = alarm["Properties"]["AlarmName"]
    return name.rpartition("/")[0] or name


def _nested(template: Json, held: Mapping[str, Json]) -> Json:
    """A template of its own, whose references to what stays in the root are parameters of the same name."""
    handed = {
        name: template["Parameters"].get(name, {"Type": "String", "Description": f"{name}, from the root stack"})
        for name in sorted(_refs(held.values()) - set(held))
    }
    found: Json = {
        "AWSTemplateFormatVersion": template["AWSTemplateFormatVersion"],
        "Description": f"{template['Description']} (a part)",
        "Metadata": {"Sereno": {"Service": template["Metadata"]["Sereno"]["Service"]}},
    }
    if handed:
        found["Parameters"] = handed
    return {**found, "Resources": dict(held)}


def _root(template: Json, nested: Mapping[str, Json], files: Mapping[str, str]) -> Json:
    homes = {logical_id: one for one, part in nested.items() for logical_id in part["Resources"]}
    kept = {
        logical_id: _dependent(one, homes)
        for logical_id, one in template["Resources"].items()
        if logical_id not in homes
    }
    stacks = {one: _stack(part, files[one], template) for one, part in nested.items()}
    return {**template, "Parameters": {**template["Parameters"], **PARAMETER}, "Resources": {**kept, **stacks}}


def _dependent(resource: Json, homes: Mapping[str, str]) -> Json:
    """A dependency on an alarm is one on the nested stack that holds it."""
    if "DependsOn" not in resource:
        return resource
    return {**resource, "DependsOn": sorted({homes.get(one, one) for one in resource["DependsOn"]})}


def _stack(part: Json, file: str, template: Json) -> Json:
    tags = [{"Key": "sereno:service", "Value": template["Metadata"]["Sereno"]["Service"]}]
    properties: Json = {"TemplateURL": template_url(file), "Tags": tags}
    if "Parameters" in part:
        properties["Parameters"] = {name: {"Ref": name} for name in part["Parameters"]}
    return {
        "Type": STACK,
        "DeletionPolicy": "Delete",
        "UpdateReplacePolicy": "Delete",
        "Properties": properties,
    }


def template_url(file: str) -> Json:
    """Where CloudFormation finds a nested template: beside the code, in the stack's own region."""
    return {"Fn::Sub": f"https://${{CodeBucket}}.s3.${{AWS::Region}}.${{AWS::URLSuffix}}/${{{PREFIX}}}{file}"}


def _refs(nodes: Iterable[Any]) -> set[str]:
    """Every name that a Ref asks for. Other functions reach into a resource, and an alarm has none of them."""
    found: set[str] = set()
    waiting = list(nodes)
    while waiting:
        node = waiting.pop()
        if isinstance(node, list):
            waiting += node
        elif isinstance(node, dict):
            if len(node) == 1 and isinstance(node.get("Ref"), str):
                found.add(node["Ref"])
            waiting += node.values()
    return {one for one in found if not one.startswith("AWS::")}


def file_of(name: str, packed: str) -> str:
    """The file of a packed template, named by what it holds."""
    return f"{name}.{hashlib.sha256(packed.encode()).hexdigest()[:16]}.template.json"
