"""PagerDuty's webhook: who acknowledges an alert there has its incident here, and nobody else is called.

PagerDuty signs with HMAC-SHA256 over the body; while a secret is being changed there are several signatures.
https://developer.pagerduty.com/docs/verifying-webhook-signatures
The signature covers no time. What is sent once more is harmless: it may only acknowledge an open incident that nobody
has.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from remediators.incidents import IncidentBook
from remediators.notifier.incoming import Forged, body_of, headers_of
from remediators.notifier.secrets import Secrets
from sereno.errors import Refused
from sereno.model import instant
from sereno.service import Notices

PATH = "/pagerduty"
FIELD = "webhook_secret"
# Somebody sees to it; what PagerDuty calls resolved ends there alone, for Sereno's incident follows its symptom.
TAKEN = frozenset({"incident.acknowledged", "incident.resolved"})
# PagerDuty tries a delivery again for a while; what is older acknowledges nothing.
NEWEST = timedelta(hours=1)
NAME_LIMIT = 60
_SIGNATURE = re.compile(r"v1=([0-9a-f]{64})")
_KEY = re.compile(r"sereno/(incident-[A-Za-z0-9-]{1,100})(?:/[a-z0-9-]{1,30})?")


@dataclass(frozen=True, slots=True)
class Taken:
    """Somebody has acknowledged or resolved an incident's alert in PagerDuty."""

    incident: str
    by: str


def secrets_of(notices: Notices) -> tuple[str, ...]:
    """The names of the secrets whose PagerDuty services send webhooks."""
    contacts = notices.escalation.contacts if notices.escalation else ()
    declared = (notices.pagerduty, *(one.pagerduty for one in contacts))
    return tuple(dict.fromkeys(one.secret for one in declared if one is not None and one.webhook))


def verified(event: Mapping[str, Any], secrets: Secrets, names: Sequence[str]) -> bytes:
    """The body of a request that PagerDuty signed. Raises Forged, Refused, Unavailable."""
    body, given = body_of(event), _SIGNATURE.findall(headers_of(event).get("x-pagerduty-signature", ""))
    if not given or len(given) > 10:
        raise Forged("no signature of PagerDuty")
    for name in names:
        wanted = hmac.new(secrets.value(name, FIELD).encode(), body, hashlib.sha256).hexdigest()
        if any(hmac.compare_digest(wanted, one) for one in given):
            return body
    raise Forged("the signature of PagerDuty does not fit")


def read(body: bytes, now: datetime) -> Taken | None:
    """Who has taken which incident; None for what says nothing of that. Raises Forged for what is no event."""
    try:
        event = json.loads(body)["event"]
        kind, at = str(event["event_type"]), instant(str(event["occurred_at"]))
        data, agent = event.get("data") or {}, event.get("agent") or {}
        key, who = str(data.get("incident_key") or ""), str(agent.get("summary") or agent.get("id") or "")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise Forged(f"no event of PagerDuty: {type(error).__name__}") from None
    found = _KEY.fullmatch(key)
    # What Sereno itself sent comes back without a person.
    person = agent.get("type") in ("user_reference", "user")
    if kind not in TAKEN or not found or not person or not timedelta(0) <= now - at + timedelta(minutes=5) < NEWEST:
        return None
    name = " ".join("".join(one for one in who if one.isprintable()).split())[:NAME_LIMIT]
    return Taken(found[1], f"{name or 'somebody'} (PagerDuty)")


def carry_out(book: IncidentBook, taken: Taken) -> str:
    """Asks for the acknowledgement, which the reconciler carries out; what came of it, for the log. Raises
    LedgerUnavailable."""
    incident = book.get(taken.incident)
    if incident is None or not incident.is_open or incident.owner:
        return "nothing to acknowledge"
    try:
        book.ask(taken.incident, "ack", taken.by)
    except Refused as error:
        return str(error)
    return "acknowledgement asked for"
