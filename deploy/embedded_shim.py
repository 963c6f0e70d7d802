"""What a shim is: it creates one CloudFormation type on the embedded AWS, where moto's own way will not do."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any


class Clients:
    """boto3 clients of one region, each made once: making one costs more than a stack's worth of calls."""

    def __init__(self, region: str) -> None:
        self.region = region
        self._made: dict[str, Any] = {}

    def __call__(self, service: str) -> Any:
        if service not in self._made:
            self._made[service] = _session().client(service, region_name=self.region)
        return self._made[service]


@lru_cache(maxsize=1)
def _session() -> Any:
    """One session for the process, so that a service's model is read once. Its credentials open nothing: should a
    call ever leave the mock, AWS refuses it."""
    import boto3

    return boto3.Session(aws_access_key_id="embedded", aws_secret_access_key="embedded")  # noqa: S106


@dataclass(frozen=True, slots=True)
class Wanted:
    """A resource to create: `name` is the one it states, or the one CloudFormation would make up."""

    logical_id: str
    name: str
    properties: Mapping[str, Any]
    region: str
    account: str

    def take(self, *names: str) -> dict[str, Any]:
        """Those of the properties that are there, by the same names."""
        return {name: self.properties[name] for name in names if name in self.properties}

    def rest(self, *without: str) -> dict[str, Any]:
        """All properties but these."""
        return {name: value for name, value in self.properties.items() if name not in without}


@dataclass(frozen=True, slots=True)
class Made:
    """What `Ref` gives, and what `Fn::GetAtt` gives by attribute."""

    physical_id: str
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Shim:
    """How a type is created, why moto's own way will not do, and which property names the resource."""

    create: Callable[[Wanted, Clients], Made]
    why: str
    name_property: str = ""


def text(document: Any) -> str:
    """A policy as the APIs take it: JSON text."""
    return document if isinstance(document, str) else json.dumps(document)


def first_lower(properties: Mapping[str, Any]) -> dict[str, Any]:
    """Names as the older APIs spell them: `StageName` as `stageName`."""
    return {name[0].lower() + name[1:]: value for name, value in properties.items()}
