"""What the on-call page asks of a world: a real account, a drill that runs, or the recording of one that is over.

The page knows a `Room` and nothing else, so that what people practise in a drill is what they have at 3 a.m.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from dashboards.incident_story import Line
from remediators.scorecard import Score
from sereno.incident import Incident
from sereno.lifecycle import Remediation
from sereno.model import Event

# A page lists so many at most; who needs more asks the command.
PAGE = 50
VERBS = ("approve", "revert", "keep")
INCIDENT_VERBS = ("acknowledge", "resolve", "mute")


class Kind(StrEnum):
    """Which world the page shows."""

    ACCOUNT = "account"
    DRILL = "drill"
    RECORDING = "recording"


@dataclass(frozen=True, slots=True)
class AlarmLight:
    """An alarm that is not OK: its name, `ALARM` or `INSUFFICIENT_DATA`, since when, and CloudWatch's reason."""

    name: str
    state: str
    since: datetime
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Purse:
    """A remediator's budget of the day: times acted and cost (USD a day), each with its most."""

    name: str
    acted: int
    per_day: int
    cost: float
    cost_per_day: float


@dataclass(frozen=True, slots=True)
class Overview:
    """How things stand now. `modes` are (remediator, mode), the whole watch as `*`; `working` are the remediations
    that are not over, and those of open incidents that could not help, the newest first; `missing` are sentences for
    what could not be read just now."""

    modes: tuple[tuple[str, str], ...] = ()
    incidents: tuple[Incident, ...] = ()
    alarms: tuple[AlarmLight, ...] = ()
    working: tuple[Remediation, ...] = ()
    purses: tuple[Purse, ...] = ()
    missing: tuple[str, ...] = ()
    ready: tuple[bool, str] | None = None


@dataclass(frozen=True, slots=True)
class IncidentView:
    """An incident with its remediations, the oldest first, and its timeline. `hidden` are the remediations of a storm
    that are left out: skipped ones, and the oldest."""

    incident: Incident
    members: tuple[Remediation, ...] = ()
    lines: tuple[Line, ...] = ()
    hidden: int = 0


@dataclass(frozen=True, slots=True)
class RemediationView:
    """A remediation with its history, oldest first, and the channels that were told of it: (channel, number of the
    newest line of history that it has shown or, by a route or a mute, held back)."""

    remediation: Remediation
    events: tuple[Event, ...] = ()
    told: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Budget:
    """An API's error budget of 30 days: its objective (a ratio), requests, those answered with 5xx, and a day's
    (day, requests, failed) for the chart, oldest first."""

    api: str
    objective: float
    requests: int
    failed: int
    days: tuple[tuple[datetime, int, int], ...] = ()

    @property
    def left(self) -> float | None:
        """The part of the budget that is left: 1 all, 0 none, below 0 overspent; None without requests or budget."""
        allowed = self.requests * (1 - self.objective)
        return 1 - self.failed / allowed if allowed > 0 else None


@dataclass(frozen=True, slots=True)
class DrillNote:
    """A drill that was run: its scenario, when (None: not known), its verdict in a word or two, and a file name."""

    name: str
    at: datetime | None
    verdict: str
    summary: str = ""


@dataclass(frozen=True, slots=True)
class Done:
    """The answer to a press of a button: whether it was taken, and a sentence for who pressed it."""

    ok: bool
    text: str


@dataclass(frozen=True, slots=True)
class Chart:
    """A line chart for the page: (seconds since 1970, value) points, the unit, and horizontal limits by name."""

    title: str
    unit: str
    points: tuple[tuple[float, float], ...]
    limits: tuple[tuple[str, float], ...] = field(default=())


class Room(Protocol):
    """A world that the page can show. Reading methods raise `sereno.errors.SerenoError` when the world cannot be
    read; ids come from outside and may name nothing."""

    @property
    def kind(self) -> Kind:
        """Account, drill or recording."""
        ...

    @property
    def title(self) -> str:
        """The service's name, or the drill's."""
        ...

    def now(self) -> datetime:
        """The world's own time."""
        ...

    def version(self) -> str:
        """Another text whenever what the pages show may have changed. Cheap: asked every two seconds, once for all
        viewers."""
        ...

    def overview(self) -> Overview:
        """How things stand now."""
        ...

    def timeline(self, before: datetime | None = None) -> Sequence[Remediation]:
        """At most `PAGE` remediations, newest first, from the day of `before` (None: now) backwards."""
        ...

    def incidents(self) -> Sequence[Incident]:
        """At most `PAGE` incidents, newest first, the resolved ones too."""
        ...

    def incident(self, id: str) -> IncidentView | None:
        """One incident, or None."""
        ...

    def remediation(self, id: str) -> RemediationView | None:
        """One remediation, or None."""
        ...

    def budget(self) -> Sequence[Budget]:
        """The error budget of each API."""
        ...

    def scorecard(self) -> Sequence[tuple[Score, str]]:
        """How each remediator did in the last thirty days, and its mode."""
        ...

    def drills(self) -> Sequence[DrillNote]:
        """The drills that were run, newest first."""
        ...

    def charts(self) -> Sequence[Chart]:
        """What a running or recorded world draws; nothing where there is none."""
        ...

    def act(self, verb: str, id: str, *, actor: str, plan: str | None = None) -> Done:
        """Carries out a verb of VERBS on a remediation, of INCIDENT_VERBS on an incident, or answers why not. Leaves
        a line with the actor in the history."""
        ...

    def controls(self) -> Sequence[tuple[str, str]]:
        """(name, title) of the buttons that this world offers of its own, such as a drill's surge."""
        ...

    def press(self, name: str, *, actor: str) -> Done:
        """Presses one of `controls`."""
        ...
