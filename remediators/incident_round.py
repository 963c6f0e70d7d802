"""What the round does for incidents: their stage follows from what is red and what is in force, and people hear of
it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from remediators.incidents import IncidentBook
from remediators.outbox import incident_message
from remediators.watch import Watch
from sereno.errors import Refused
from sereno.incident import Incident, Stage, loudest, stage_of
from sereno.lifecycle import Remediation
from sereno.model import Event, Status


def tend(watch: Watch, red: Iterable[str]) -> int:
    """Looks at every open incident; how many went on. `red` are the names of the alarms in ALARM. Raises
    LedgerUnavailable."""
    book, moved, names = watch.ledger.incidents, 0, frozenset(red)
    for incident in book.open():
        try:
            members = book.members(incident)
        except (ValueError, KeyError):
            continue  # a row of it cannot be read, of which whoever tends that row has told
        asked = book.answer(incident, watch.clock.now())
        current = _step(book, asked, members, names, watch.clock.now())
        moved += current.stage is not incident.stage
        if current.untold:
            _publish(watch, book, current, members)
    return moved


def _step(
    book: IncidentBook, incident: Incident, members: Sequence[Remediation], red: Collection[str], now: datetime
) -> Incident:
    if not incident.is_open and not set(incident.alarms) & set(red):
        return incident
    stage, quiet = stage_of(incident, members, red, now)
    if stage is incident.stage:
        if quiet != incident.quiet_since:
            book.note_quiet(incident, quiet)
        return incident
    after = replace(incident, stage=stage, quiet_since=quiet)
    if stage is Stage.MITIGATED:
        after = replace(after, mitigated_at=incident.mitigated_at or now)
    if stage is Stage.RESOLVED:
        after = replace(after, resolved_at=now, resolved_by="sereno")
    try:
        return book.move(after, incident, Event(now, str(stage), _why(incident, stage, quiet, members)))
    except Refused:
        return incident  # somebody was faster: the next round looks again


def _why(incident: Incident, stage: Stage, quiet: datetime | None, members: Sequence[Remediation]) -> str:
    if stage is Stage.RESOLVED:
        kept = sum(one.steps_done > 0 and one.status is Status.KEPT for one in members)
        rest = f"; {kept} changes stay in force" if kept else "; nothing that was changed is in force"
        return f"nothing has been red since {quiet:%H:%M} UTC{rest}" if quiet else "nothing is red"
    if stage is Stage.MITIGATED:
        return "nothing is red while what was changed is in force"
    return "red again" if incident.stage in (Stage.MITIGATED, Stage.RESOLVED) else "red"


def _publish(watch: Watch, book: IncidentBook, incident: Incident, members: Sequence[Remediation]) -> None:
    lines = book.events(incident.id)
    if not lines:
        return
    service = watch.service
    body = incident_message(incident, service.region, service.account, lines[-1], loudest(members))
    if watch.outbox.publish_incident(body):
        book.told(incident)
    else:
        watch.telemetry.count("Unpublished")
