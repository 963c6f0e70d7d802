"""What happens to a page that nobody acknowledges: pure.

It is repeated in Slack and email, and goes to one contact after another. PagerDuty is not triggered again for it: a
trigger with an open key notifies nobody there, and PagerDuty escalates by its own policy. A contact has a service,
and so a key, of their own; a contact's address hears nothing but the pages that have come to them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from remediators.notifier.channels import Post
from remediators.notifier.routing import EMAIL, PAGERDUTY, SLACK
from remediators.notifier.state import UNACKNOWLEDGED, Kept
from remediators.notifier.wording import Wording
from sereno.incident import Incident, Stage
from sereno.service import Contact, Escalation


@dataclass(frozen=True, slots=True)
class Step:
    """A step that is due: in which channels, `number` among those of its kind, and to whom (None: a repeat)."""

    channels: tuple[str, ...]
    number: int
    contact: Contact | None = None


def waits(incident: Incident, now: datetime) -> bool:
    """Whether a page of an incident still waits for somebody: nobody has it, and its symptom goes on."""
    if incident.owner or incident.stage is not Stage.OPEN:
        return False
    return incident.muted_until is None or now >= incident.muted_until


def due(policy: Escalation, paged_at: float, now: datetime) -> list[Step]:
    """The steps that are due by now, in order. Of repeats only the newest: what was missed is not made up for."""
    passed = now.timestamp() - paged_at
    found: list[Step] = []
    repeats = min(int(passed // policy.repeat_s), policy.times)
    if repeats > 0:
        found.append(Step((SLACK, EMAIL), repeats))
    for contact in sorted(policy.contacts, key=lambda one: one.after_s):
        if passed >= contact.after_s:
            slack = (SLACK,) if contact.mention else ()
            mail = (mail_of(contact),) if contact.email else ()
            own = (name_of(contact),) if contact.pagerduty else ()
            found.append(Step((*slack, *mail, *own), 1, contact))
    return found


def name_of(contact: Contact) -> str:
    """The name of the channel that is a contact's own PagerDuty service."""
    return f"{PAGERDUTY}:{contact.name}"


def mail_of(contact: Contact) -> str:
    """The name of the channel that is a contact's own mail."""
    return f"{EMAIL}:{contact.name}"


def own_channels(policy: Escalation | None) -> tuple[str, ...]:
    """The channels of the contacts alone, in their order."""
    contacts = policy.contacts if policy else ()
    mails = tuple(mail_of(one) for one in contacts if one.email)
    return (*mails, *(name_of(one) for one in contacts if one.pagerduty))


def post(step: Step, incident: Incident, kept: Kept, mention: Sequence[str], wording: Wording, now: datetime) -> Post:
    """What people read. Its id and number make sure that each step is shown once in each channel and page."""
    minutes = int((now.timestamp() - (kept.paged_at or 0.0)) // 60)
    what = f"contact-{step.contact.name}" if step.contact else "repeat"
    own = f"{incident.id}#{what}@{int(kept.paged_at or 0)}"
    if step.contact:
        text = wording.word("escalation.contact", minutes=minutes, name=step.contact.name, text=kept.text)
    else:
        text = wording.word("escalation.repeat", minutes=minutes, text=kept.text)
    return Post(
        key=f"{own}#{step.number}",
        thread=incident.id,
        id=own,
        sequence=step.number,
        service=incident.service,
        severity="page",
        status=UNACKNOWLEDGED,
        head=incident.title,
        text=text,
        link=kept.link,
        do=f"sereno incident ack {incident.id}",
        at=now.timestamp(),
        mention=step.contact.mention if step.contact else tuple(mention),
    )
