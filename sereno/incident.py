"""An incident: what people see. One thread for one symptom, with its signals and remediations. All pure.

`OPEN` until somebody has it (`ACKNOWLEDGED`) or the symptom is gone while changes are in force (`MITIGATED`);
`RESOLVED` when nothing is red, no change is in force and nobody is waited for.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sereno.lifecycle import Remediation
from sereno.model import Status, Target
from sereno.service import Service

# Nothing has been red for this long: an alarm that comes and goes is one incident, not many.
QUIET = timedelta(minutes=3)
# How loud a remediation's status is, the loudest first.
SEVERITIES = ("page", "ticket", "info")
PAGES = frozenset({Status.ESCALATED, Status.FAILED, Status.AWAITING_APPROVAL})
# The last part of an alarm's name, where a person must see it and nobody need be woken: its incident is a ticket. A
# throttled request that customers feel shows as 5xx, outage or rejected, which page.
TICKETS = frozenset(
    {
        "burn-steady",
        "events-lost",
        "hot-key",
        "iterator-age",
        "latency",
        "latency-p90",
        "queue-age",
        "queue-dead-letters",
        "table-errors",
        "throttles",
        "traffic-quiet",
    }
)
# Symptoms of customers that page, each an alarm under `customers-hurt`.
SYMPTOMS = frozenset(
    {
        "5xx",
        "burn-fast",
        "burn-slow",
        "errors",
        "outage",
        "read-throttles",
        "rejected",
        "traffic-stopped",
        "write-throttles",
    }
)
OPENS_INCIDENTS = "open_incident"


class Stage(StrEnum):
    """How far an incident is."""

    OPEN = "OPEN"
    ACKNOWLEDGED = "ACKNOWLEDGED"
    MITIGATED = "MITIGATED"
    RESOLVED = "RESOLVED"


@dataclass(frozen=True, slots=True)
class Incident:
    """An incident as the ledger keeps it. `members` are the ids of its remediations, `alarms` the names of the alarms
    that joined it, `group` the part of the service that it is about; `sequence` counts its history's lines, and
    `untold` says that its last one has not been published."""

    id: str
    service: str
    group: str
    title: str
    opened: datetime
    stage: Stage = Stage.OPEN
    members: tuple[str, ...] = ()
    alarms: tuple[str, ...] = ()
    owner: str = ""
    acknowledged_at: datetime | None = None
    mitigated_at: datetime | None = None
    resolved_at: datetime | None = None
    resolved_by: str = ""
    quiet_since: datetime | None = None
    muted_until: datetime | None = None
    sequence: int = 0
    untold: bool = False
    # (verb, its words) of what people asked for and the reconciler has not carried out yet.
    asks: tuple[tuple[str, str], ...] = ()
    # How often something joined it.
    joined: int = 0
    version: int = 0

    @property
    def is_open(self) -> bool:
        """Whether it is anything but resolved."""
        return self.stage is not Stage.RESOLVED


def severity(remediation: Remediation) -> str:
    """`page`, `ticket` or `info`: what cannot wait, what a person must see, what is good to know."""
    if remediation.status in PAGES:
        is_ticket = remediation.remediator == OPENS_INCIDENTS and remediation.signal.what in TICKETS
        return "ticket" if is_ticket and remediation.status is Status.ESCALATED else "page"
    return "ticket" if remediation.status is Status.SKIPPED else "info"


def loudest(members: Sequence[Remediation]) -> str:
    """The severity of an incident: that of its loudest remediation."""
    return min((severity(one) for one in members), key=SEVERITIES.index, default="info")


def stage_of(
    incident: Incident, members: Sequence[Remediation], red: Collection[str], now: datetime
) -> tuple[Stage, datetime | None]:
    """(how far it is, since when nothing of it is red). `red` are the names of the alarms in ALARM."""
    is_red = bool(set(incident.alarms) & set(red))
    quiet = None if is_red else incident.quiet_since or now
    working = [one for one in members if not one.ended]
    if quiet is not None and not working and now - quiet >= QUIET:
        return Stage.RESOLVED, quiet
    if quiet is not None and any(one.active for one in members):
        return Stage.MITIGATED, quiet
    return (Stage.ACKNOWLEDGED if incident.owner else Stage.OPEN), quiet


def group_of(service: Service, target: Target) -> tuple[str, str]:
    """(the part of the service that a target belongs to, why).

    What hangs together is one symptom: an API with the functions that answer through it, a function with the tables
    it uses. Two functions of a service without an API, with no table in common, are two.
    """
    parts = _parts(service)
    here = _key(service, target)
    for part in parts:
        if here in part:
            if len(part) == 1:
                return f"{service.name}/{here}", f"{here} stands alone in {service.name}"
            return f"{service.name}/{min(part)}", f"{here} hangs together with {_listed(part - {here})}"
    if len(parts) == 1:
        return f"{service.name}/{min(parts[0])}", f"all of {service.name} hangs together"
    return service.name, f"{target.name} is about {service.name} as a whole"


def _key(service: Service, target: Target) -> str:
    known: tuple[Mapping[str, object], ...] = (service.functions, service.tables, service.apis)
    for resources in known:
        for key, one in resources.items():
            if getattr(one, "name", "") == target.name:
                return key
    return ""


def _parts(service: Service) -> list[frozenset[str]]:
    """The connected parts of a service, by resource keys."""
    links = [{key, *one.tables} for key, one in service.functions.items()]
    links += [{key, *service.functions} for key in service.apis]
    links += [{key} for key in service.tables]
    parts: list[set[str]] = []
    for link in links:
        joined = [part for part in parts if part & link]
        parts = [part for part in parts if not part & link]
        parts.append(link.union(*joined))
    return [frozenset(part) for part in parts]


def _listed(keys: Collection[str]) -> str:
    return ", ".join(sorted(keys))
