"""Whether people have been paged for a symptom already, as the ledger has it.

One page for one alarm of an incident: an alarm that fires again while its incident is open adds nothing. It pages
again once the symptom had gone in between, and in every later incident, whatever stands open in other systems.
"""

from __future__ import annotations

from datetime import datetime

from remediators.incidents import IncidentBook
from sereno.errors import LedgerUnavailable
from sereno.incident import Stage
from sereno.lifecycle import Remediation
from sereno.model import Reason, Status, Verdict

OVER = (Stage.MITIGATED, Stage.RESOLVED)


def check(book: IncidentBook, remediation: Remediation) -> Verdict:
    """No when this incident has a page for this target that is newer than the last time when its symptom was gone.
    What cannot be read pages: twice is better than never."""
    try:
        incident = book.get(remediation.incident)
        if incident is None:
            return Verdict.yes("the incident is new")
        pages = book.pages_of(incident, remediation.target.key)
        others = [one.created for one in pages if one.id != remediation.id and one.status is Status.ESCALATED]
        if not others:
            return Verdict.yes("nobody has been paged for it")
        gone = [event.at for event in book.events(incident.id) if event.phase in OVER]
    except (LedgerUnavailable, ValueError, KeyError):
        return Verdict.yes("whether people have been paged could not be read")
    return _again(incident.id, max(others), max(gone, default=None))


def _again(incident: str, paged: datetime, gone: datetime | None) -> Verdict:
    if gone is not None and paged <= gone:
        return Verdict.yes(f"the symptom was gone at {gone:%H:%M} UTC and is back")
    return Verdict.no(Reason.NOTHING_TO_DO, f"{incident} is open, and people were paged at {paged:%H:%M} UTC")
