"""Whether people have been paged for a symptom already, as the ledger has it.

One page an incident: what fires within the first minutes after its page has the same cause, whichever alarm it is
and whichever remediator was tried first. Later, each alarm pages once for itself: another cause is news. It pages
again once the symptom had gone in between, and in every later incident, whatever stands open in other systems.

A planned event has no alarm and no incident in the ledger: it pages once, in whichever attempt to be ready for it.

`customers-hurt` pages for every symptom below it that comes in the first minutes of the same outage. A symptom that
comes later has another cause: it changes nothing in `customers-hurt`, so it pages by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from remediators.incidents import IncidentBook
from sereno import planned
from sereno.errors import LedgerUnavailable
from sereno.incident import OPENS_INCIDENTS, SYMPTOMS, TICKETS, Stage
from sereno.lifecycle import Remediation, remediation_id
from sereno.model import Mode, Reason, Signal, Status, Verdict
from sereno.service import CUSTOMERS_HURT, Service

OVER = (Stage.MITIGATED, Stage.RESOLVED)
# Symptoms of one outage come within this: the slowest of them, `outage` and `burn-fast` with late metrics, need
# 14 minutes (docs/alarms.md).
SAME_OUTAGE = timedelta(minutes=15)
# The page of customers-hurt must be in the ledger this long after a symptom, or the symptom pages by itself. The
# reconciler looks at an alarm that stays in ALARM again at five minutes.
PAGE_WITHIN = timedelta(minutes=4)
# The last attempt to be ready for a planned event (`attempts`): it comes two weeks after the first.
LAST_ATTEMPT = 13


def check(book: IncidentBook, remediation: Remediation, service: Service, now: datetime) -> Verdict:
    """No when people have been, or are being, paged for it: by `customers-hurt`, by another page of this incident in
    the minutes before, or by one for this target; both newer than the last time when the symptom was gone. What
    cannot be read pages: twice is better than never."""
    try:
        if (covered := _covered(book, remediation, service, now)) is not None:
            return covered
        if planned.began(remediation.signal):
            return _for_event(book, remediation)
        incident = book.get(remediation.incident)
        if incident is None:
            return Verdict.yes("the incident is new")
        pages = [one for one in book.pages(incident) if one.id != remediation.id and one.status is Status.ESCALATED]
        others = [one.created for one in pages if one.target.key == remediation.target.key]
        incidents = [] if remediation.signal.what in TICKETS else _of_the_same_minutes(pages, remediation.signal.at)
        if not (others or incidents):
            return Verdict.yes("nobody has been paged for it")
        gone = [event.at for event in book.events(incident.id) if event.phase in OVER]
    except (LedgerUnavailable, ValueError, KeyError):
        return Verdict.yes("whether people have been paged could not be read")
    return _again(incident.id, max((*others, *incidents)), max(gone, default=None))


def _of_the_same_minutes(pages: Sequence[Remediation], began: datetime) -> list[datetime]:
    """When people were paged (a ticket is no page) so shortly before a symptom began, or after it, that both have one
    cause."""
    return [one.created for one in pages if one.signal.what not in TICKETS and began <= one.created + SAME_OUTAGE]


def _covered(book: IncidentBook, remediation: Remediation, service: Service, now: datetime) -> Verdict | None:
    """No where `customers-hurt` pages for this symptom; None where it does not."""
    signal = remediation.signal
    above = service.playbook.get(CUSTOMERS_HURT)
    own = service.playbook.get(signal.what)
    is_symptom = signal.what in SYMPTOMS and signal.name.startswith(f"{service.name}/")
    # What comes after a remediation that did not help is news of its own.
    is_first = own is not None and OPENS_INCIDENTS in own.first
    pages = above is not None and OPENS_INCIDENTS in above.first and above.mode is not Mode.OFF
    if not (is_symptom and is_first and pages):
        return None
    name = f"{service.name}/{service.name}/{CUSTOMERS_HURT}"
    paged = [
        one.created
        for incident in book.open()
        if name in incident.alarms
        for one in book.pages(incident)
        if one.signal.name == name and one.status is not Status.SKIPPED
    ]
    if paged:
        last = max(paged)
        if signal.at > last + SAME_OUTAGE:
            return None
        return Verdict.no(Reason.NOTHING_TO_DO, f"{CUSTOMERS_HURT} paged for this outage at {last:%H:%M} UTC")
    if now - signal.at > PAGE_WITHIN:
        return None
    return Verdict.no(Reason.NOTHING_TO_DO, f"{CUSTOMERS_HURT} pages for it")


def _again(incident: str, paged: datetime, gone: datetime | None) -> Verdict:
    if gone is not None and paged <= gone:
        return Verdict.yes(f"the symptom was gone at {gone:%H:%M} UTC and is back")
    return Verdict.no(Reason.NOTHING_TO_DO, f"{incident} is open, and people were paged at {paged:%H:%M} UTC")


def _for_event(book: IncidentBook, remediation: Remediation) -> Verdict:
    """No when an earlier attempt to be ready for the same planned event has paged people."""
    signals = _attempts(remediation.signal)
    ids = [remediation_id(signal, remediation.remediator, remediation.target) for signal in signals]
    attempts = book.remediations([one for one in ids if one != remediation.id])
    paged = [one.created for one in attempts if one.status is Status.ESCALATED]
    if not paged:
        return Verdict.yes("nobody has been paged for this event")
    return Verdict.no(Reason.NOTHING_TO_DO, f"people were paged for this event at {max(paged):%H:%M} UTC")


def _attempts(signal: Signal) -> list[Signal]:
    """The signals that the same escalation step has in each attempt (`attempts.again`), this one among them."""
    tail = signal.id.removeprefix(signal.origin)
    step = tail[tail.index(">") :] if ">" in tail else ""
    numbers = ("", *(f"#r{number}" for number in range(1, LAST_ATTEMPT + 1)))
    return [replace(signal, id=f"{signal.origin}{number}{step}") for number in numbers]
