"""Several services in one stack: a parent with a nested stack for each service.

One template serves a whole stack set. A service's account and region stand in its configuration, and with it in its
alarms, rules and roles; so each nested stack carries a condition on `AWS::AccountId` and `AWS::Region`. The parent,
deployed to any account and region, makes there just the services that live there. Nothing of an account or a region
has to be given: the bucket of the code follows from where the parent runs.

The code of a service is named by what its configuration holds. A change of one service thereby touches no other.
"""

from __future__ import annotations

import gc
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from deploy.synth import limits
from deploy.synth.split import STACK, Bundle, file_of
from sereno.errors import InvalidInput, Problem
from sereno.model import Json
from sereno.service import Service

# A parent with more services than this gets a layer of groups between.
SERVICES_A_STACK = 200
GROUPS = 64
BUCKET: Json = {
    "Fn::If": ["OwnBucket", {"Ref": "CodeBucket"}, {"Fn::Sub": "sereno-artifacts-${AWS::AccountId}-${AWS::Region}"}]
}
# What is handed on to each service as it was given to the parent.
HANDED = ("Runtime", "Architecture", "Tracing")
PREFIX = "CodePrefix"
PARAMETERS: Json = {
    "CodeBucket": {
        "Type": "String",
        "Default": "",
        "Description": "Bucket of code and templates; empty: sereno-artifacts-ACCOUNT-REGION of where this runs",
    },
    PREFIX: {
        "Type": "String",
        "Default": "sereno/",
        "AllowedPattern": "^$|^.*/$",
        "Description": "Where in the bucket they lie, ending in a slash",
    },
}


@dataclass(frozen=True, slots=True)
class Member:
    """One service of a fleet, and its templates."""

    service: Service
    bundle: Bundle

    @property
    def code_key(self) -> str:
        """The key of its zip, after the prefix."""
        return code_key(self.service, self.bundle.root["Metadata"]["Sereno"]["ConfigDigest"])


@dataclass(frozen=True, slots=True)
class Fleet:
    """The parent template; every other template, packed, by the name of its file; and each service's code key (after
    the prefix) by the logical id of its stack."""

    parent: Json
    files: Mapping[str, str] = field(default_factory=dict)
    code_keys: Mapping[str, str] = field(default_factory=dict)


def code_key(service: Service, digest: str) -> str:
    """The key of a service's zip, named by the digest of its compiled configuration."""
    return f"{service.name}-{digest}.zip"


def gather(members: Iterable[Member]) -> Fleet:
    """The parent of these services, which are taken one after the other: of each no more is kept than its packed
    templates. Raises InvalidInput when two have the same name in the same account and region, when there is none,
    and when the parent is larger than CloudFormation takes."""
    files: dict[str, str] = {}
    keys: dict[str, str] = {}
    children: dict[str, Json] = {}
    places: dict[str, Service] = {}
    handed: Json = {}
    problems = []
    for one in _without_collector(members):
        name = _stack_id(one.service)
        if name in places:
            where = f"in {one.service.account}, {one.service.region}"
            problems.append(Problem("service", one.service.name, f"stands twice {where} (give each its own name)"))
        places[name], keys[name], children[name] = one.service, one.code_key, _child(one, files)
        handed = handed or {parameter: one.bundle.root["Parameters"][parameter] for parameter in HANDED}
    if not places:
        problems.append(Problem("services", None, "none is given (name one or more sereno.yaml)"))
    if problems:
        raise InvalidInput("several services", problems)
    declared = {**PARAMETERS, **handed}
    if len(children) <= SERVICES_A_STACK:
        parent = _parent(children, places.values(), declared, "Sereno watches several services")
    else:
        groups = dict(_groups(children, places, declared, files))
        parent = _parent(groups, (), declared, f"Sereno watches {len(children)} services")
    limits.check(parent, "the parent template")
    return Fleet(parent, files, keys)


def _without_collector(members: Iterable[Member]) -> Iterator[Member]:
    """Nothing of a template refers back to itself, so that its last use frees it. The collector of cycles would only
    look through what is gathered again and again."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield from members
    finally:
        if was_on:
            gc.enable()


def _child(one: Member, files: dict[str, str]) -> Json:
    """The nested stack of a service; its templates join the files."""
    root = file_of(one.service.name, one.bundle.packed)
    files[root] = one.bundle.packed
    files |= {one.bundle.files[part]: limits.packed(template) for part, template in one.bundle.nested.items()}
    parameters: Json = {
        "CodeBucket": BUCKET,
        "CodeKey": {"Fn::Sub": f"${{{PREFIX}}}{one.code_key}"},
        **{handed: {"Ref": handed} for handed in HANDED},
    }
    if one.bundle.nested:
        parameters["TemplatePrefix"] = {"Ref": PREFIX}
    return _nested(root, parameters, _condition(one.service))


def _groups(
    children: Mapping[str, Json], places: Mapping[str, Service], declared: Json, files: dict[str, str]
) -> Iterator[tuple[str, Json]]:
    """Groups by a hash of the service: one that joins moves no other."""
    held: dict[str, list[str]] = {}
    for name in children:
        number = hashlib.sha256(name.encode()).digest()[0] % GROUPS
        held.setdefault(f"Group{number:02d}", []).append(name)
    for group, inside in sorted(held.items()):
        own = {name: children[name] for name in inside}
        text = f"Sereno watches {len(own)} services (a part)"
        template = _parent(own, [places[name] for name in inside], declared, text)
        limits.check(template, f"the template of {group}")
        packed = limits.packed(template)
        file = file_of(group.lower(), packed)
        files[file] = packed
        yield group, _nested(file, {one: {"Ref": one} for one in declared}, None)


def _parent(children: Mapping[str, Json], services: Iterable[Service], declared: Json, description: str) -> Json:
    here = {_condition(service): _here(service) for service in services}
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": description,
        "Parameters": declared,
        "Conditions": {
            "OwnBucket": {"Fn::Not": [{"Fn::Equals": [{"Ref": "CodeBucket"}, ""]}]},
            **dict(sorted(here.items())),
        },
        # A stack must hold something, also where no service lives.
        "Resources": {"Parent": {"Type": "AWS::CloudFormation::WaitConditionHandle"}, **children},
    }


def _nested(file: str, parameters: Json, condition: str | None) -> Json:
    url = {
        "Fn::Sub": [
            f"https://${{Bucket}}.s3.${{AWS::Region}}.${{AWS::URLSuffix}}/${{{PREFIX}}}{file}",
            {"Bucket": BUCKET},
        ]
    }
    found: Json = {
        "Type": STACK,
        "DeletionPolicy": "Delete",
        "UpdateReplacePolicy": "Delete",
        "Properties": {"TemplateURL": url, "Parameters": parameters},
    }
    return {**found, "Condition": condition} if condition else found


def _here(service: Service) -> Json:
    return {
        "Fn::And": [
            {"Fn::Equals": [{"Ref": "AWS::AccountId"}, service.account]},
            {"Fn::Equals": [{"Ref": "AWS::Region"}, service.region]},
        ]
    }


def _condition(service: Service) -> str:
    return f"Here{service.account}{''.join(part.title() for part in service.region.split('-'))}"


def _stack_id(service: Service) -> str:
    """The logical id of a service's stack: from its name and place, so that it never changes."""
    words = "".join(part[:1].upper() + part[1:] for part in service.name.split("-"))
    place = f"{service.name}/{service.account}/{service.region}"
    return f"{words}{hashlib.sha256(place.encode()).hexdigest()[:8]}"
