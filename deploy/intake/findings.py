"""What an intake hands over: resources in the shape of `sereno.yaml`, what it could not tell, and what it assumed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from deploy.intake.values import Trace
from sereno.model import Json

SECTIONS = ("apis", "functions", "tables")


@dataclass(frozen=True, slots=True)
class Unresolved:
    """A place of the template that does not tell: the expression, why, and what is written instead."""

    place: str
    expression: str
    why: str
    instead: str

    def __str__(self) -> str:
        return f"{self.place}: {self.expression}: {self.why}; {self.instead}"


@dataclass(frozen=True, slots=True)
class Assumption:
    """A value of `sereno.yaml` (or of the template, for a parameter) that may be another, why, and how to mend it."""

    place: str
    value: str
    why: str
    mend: str

    def __str__(self) -> str:
        return f"{self.place}: {self.value}: {self.why} ({self.mend})"


@dataclass(frozen=True, slots=True)
class Note:
    """Something seen that is not watched, or is watched otherwise than one may think."""

    place: str
    text: str

    def __str__(self) -> str:
        return f"{self.place}: {self.text}"


@dataclass(slots=True)
class Draft:
    """A resource while it is put together. `fields` has the shape of `sereno.yaml`; `traces` says what each field
    leans on, `doubts` what a person should know of a field. `identity` is what AWS knows it by."""

    section: str
    place: str
    logical_id: str
    fields: dict[str, Any]
    identity: str = ""
    key: str = ""
    traces: dict[str, Trace] = field(default_factory=dict)
    doubts: dict[str, list[str]] = field(default_factory=dict)
    presumed: dict[str, tuple[str, str]] = field(default_factory=dict)

    def presume(self, name: str, why: str, mend: str) -> None:
        """Remembers that a field is assumed; it is told with the draft's key, once it has one."""
        self.presumed[name] = (why, mend)
        self.doubt(name, f"assumed: {why} ({mend})")

    def doubt(self, name: str, text: str) -> None:
        """Remembers what is to be said beside a field."""
        if text not in self.doubts.setdefault(name, []):
            self.doubts[name].append(text)


@dataclass(slots=True)
class Log:
    """What is told beside the resources, in the order of the finding; nothing is told twice."""

    unresolved: list[Unresolved] = field(default_factory=list)
    assumed: list[Assumption] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)

    def cannot(self, place: str, expression: str, why: str, instead: str) -> None:
        """One more place that does not tell."""
        self._once(self.unresolved, Unresolved(place, expression, why, instead))

    def assume(self, place: str, value: str, why: str, mend: str) -> None:
        """One more value that may be another."""
        self._once(self.assumed, Assumption(place, value, why, mend))

    def note(self, place: str, text: str) -> None:
        """One more thing seen."""
        self._once(self.notes, Note(place, text))

    @staticmethod
    def _once(kept: list[Any], one: Any) -> None:
        if one not in kept:
            kept.append(one)


@dataclass(frozen=True, slots=True)
class Intake:
    """All that was found. `comments` are for places at the top of the file (service, account, region, stack)."""

    source: str
    service: str
    account: str
    region: str
    stack: str | None
    resources: tuple[Draft, ...]
    log: Log
    comments: Mapping[str, str]

    def of(self, section: str) -> list[Draft]:
        """The resources of one section, in the order of the template."""
        return [one for one in self.resources if one.section == section]

    def to_json(self) -> Json:
        """For machines: found, unresolved, assumed, notes."""
        return {
            "service": self.service,
            "account": self.account,
            "region": self.region,
            "stack": self.stack,
            "found": {
                section: {one.key: {**one.fields, "from": one.place} for one in self.of(section)}
                for section in SECTIONS
            },
            "unresolved": [
                {"place": one.place, "expression": one.expression, "why": one.why, "instead": one.instead}
                for one in self.log.unresolved
            ],
            "assumed": [
                {"place": one.place, "value": one.value, "why": one.why, "mend": one.mend} for one in self.log.assumed
            ],
            "notes": [{"place": one.place, "text": one.text} for one in self.log.notes],
        }
