"""People are told at least once of every phase, and a message that cannot be sent never fails a remediation.

The ledger row is the outbox: it holds the events not yet published. Whoever writes the row next publishes them, and
the round sees to those that stay. The key of a message lets the notifier show it once.
"""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from sereno.incident import Incident, severity
from sereno.lifecycle import Remediation
from sereno.model import Event, Json, Reason, Status, iso

# Of the messages on the topic; grows when a field changes its meaning, not when one is added.
VERSION = 1
SUBJECT_LIMIT = 100  # SNS: ASCII, fewer than 100 characters
EVENTS_LIMIT = 50  # a message stays far below SNS's 256 KB, however long the topic was away
LISTED = 100  # alarms and remediations that an incident's message names
URGENT = frozenset({Status.ESCALATED, Status.FAILED, Status.AWAITING_APPROVAL})


class Outbox:
    """Publishes to the topic, in the name of a service."""

    def __init__(self, client: Any, topic_arn: str, service: str = "") -> None:
        self._client = client
        self._topic = topic_arn
        self._service = service

    def publish(self, remediation: Remediation) -> bool:
        """Tells of every unpublished event; False when the topic could not be reached."""
        return self._send(message(remediation)) if remediation.unpublished else True

    def publish_incident(self, body: Json) -> bool:
        """Tells of an `incident_message`; False when the topic could not be reached."""
        return self._send(body)

    def publish_demotion(self, remediator: str, service: str, why: str, now: datetime) -> bool:
        """Tells that a remediator only watches from now on; False when the topic could not be reached. The same key
        for a day: it is shown once."""
        one = f"demoted-{service}-{remediator}-{now:%Y%m%d}"
        return self._send(
            {
                "version": VERSION,
                "kind": "watch",
                "subject": _ascii(f"[{service}] {remediator} only watches from now on"),
                "key": f"{one}#000000",
                "sequence": 0,
                "at": iso(now),
                "service": service,
                "severity": "page",
                "id": one,
                "incident": "",
                "remediator": remediator,
                "status": "DEMOTED",
                "urgent": True,
                "detail": why,
                "do": f"sereno scorecard, then sereno promote {remediator}",
            }
        )

    def publish_past_ledger(self, remediation: Remediation, why: str) -> bool:
        """Tells that a signal came while the ledger could not be reached: nothing was recorded, so nothing was
        changed. The same key each time that the event is delivered; False when the topic could not be reached."""
        detail = f"the ledger cannot be reached, and nothing was changed: {why}"
        now = remediation.created
        body = message(replace(remediation.move(Status.FAILED, now, detail), reason=Reason.AWS_ERROR))
        # Should the signal be recorded later, its first news must not be taken for this.
        body["key"] = f"{remediation.id}#not-recorded"
        body["do"] = "Look at the ledger's table; the round starts what is still red as soon as it can be reached"
        return self._send(body)

    def _send(self, body: Json) -> bool:
        # An alarm that was bound by its name does not tell whose it is.
        body["service"] = self._service or body["service"]
        try:
            self._client.publish(
                TopicArn=self._topic,
                Subject=body["subject"],
                Message=json.dumps(body),
                MessageAttributes={
                    "status": {"DataType": "String", "StringValue": body["status"]},
                    "urgent": {"DataType": "String", "StringValue": "true" if body["urgent"] else "false"},
                },
            )
        except (ClientError, BotoCoreError):
            return False
        return True


def message(remediation: Remediation) -> Json:
    """What people get: short enough to read on a phone, whole enough to act on."""
    steps = remediation.plan.steps if remediation.plan else ()
    back = remediation.status is Status.REVERTED
    ways = [(one.setting, *((one.after, one.before) if back else (one.before, one.after))) for one in steps]
    changed = ", ".join(f"{setting} {_shown(old)} -> {_shown(new)}" for setting, old, new in ways)
    subject = f"[{remediation.signal.name.split('/')[0]}] {remediation.target.name} {remediation.status}"
    if changed:
        subject += f": {changed}"
    asks = remediation.status is Status.AWAITING_APPROVAL
    return {
        "version": VERSION,
        "kind": "remediation",
        "subject": _ascii(subject),
        # The number of the newest event: the same after a crash between telling and recording, so it is shown once.
        "key": f"{remediation.id}#{remediation.sequence:06d}",
        "sequence": remediation.sequence,
        "at": iso(remediation.unpublished[-1].at if remediation.unpublished else remediation.created),
        "service": remediation.signal.name.split("/")[0],
        "severity": severity(remediation),
        "id": remediation.id,
        "incident": remediation.incident,
        "remediator": remediation.remediator,
        "target": remediation.target.to_json(),
        "what": remediation.signal.what,
        "alarm": remediation.signal.name,
        "status": str(remediation.status),
        "mode": str(remediation.mode),
        "urgent": remediation.status in URGENT and severity(remediation) == "page",
        "reason": remediation.plan.reason if remediation.plan else str(remediation.reason),
        "code": str(remediation.reason),
        "detail": remediation.detail,
        "changes": [{"setting": one.setting, "before": one.before, "after": one.after} for one in steps],
        "events": [event.to_json() for event in remediation.unpublished[-EVENTS_LIMIT:]],
        "do": _what_to_do(remediation),
        # What an approval must name: this plan, before this moment.
        "plan": remediation.plan.digest if asks and remediation.plan else None,
        "expires": iso(remediation.escalate_at) if asks and remediation.escalate_at else None,
        "high_risk": bool(remediation.plan and remediation.plan.high_risk),
        "by": _approved_by(remediation),
        # That it is still active is told again once a day.
        "reminder": bool(remediation.unpublished and remediation.unpublished[-1].data.get("reminder")),
        "cost_per_month": max(0.0, remediation.plan.monthly_cost) if remediation.plan else 0.0,
    }


def incident_message(incident: Incident, region: str, account: str, event: Event, loudness: str) -> Json:
    """What people get when an incident goes on: who has it, or that it is over."""
    return {
        "version": VERSION,
        "kind": "incident",
        "subject": _ascii(f"[{incident.service}] {incident.title} {incident.stage}"),
        "key": f"{incident.id}#{incident.sequence:06d}",
        "sequence": incident.sequence,
        "at": iso(event.at),
        "service": incident.service,
        "severity": loudness,
        "incident": incident.id,
        "title": incident.title,
        "region": region,
        "account": account,
        "status": str(incident.stage),
        "urgent": False,
        "phase": event.phase,
        "by": event.by,
        "owner": incident.owner,
        "detail": event.detail,
        "opened": iso(incident.opened),
        # SNS takes 256 KB: names and ids of a storm would pass that.
        # https://docs.aws.amazon.com/sns/latest/dg/large-message-payloads.html
        "alarms": list(incident.alarms[:LISTED]),
        "remediations": list(incident.members[-LISTED:]),
        "alarms_total": len(incident.alarms),
        "remediations_total": len(incident.members),
    }


def _approved_by(remediation: Remediation) -> str:
    """Who let the plan go on, while that is news."""
    applying = [one.by for one in remediation.unpublished if one.phase == Status.APPLYING and one.by != "sereno"]
    return applying[-1] if applying else ""


def _ascii(subject: str) -> str:
    return subject.encode("ascii", "replace").decode()[: SUBJECT_LIMIT - 1]


def _shown(value: object) -> str:
    return "none" if value is None else str(value)


def _what_to_do(remediation: Remediation) -> str:
    if remediation.status is Status.AWAITING_APPROVAL:
        return f"sereno approve {remediation.id}"
    in_force = remediation.plan is not None and remediation.plan.is_lease and remediation.steps_done > 0
    if remediation.status is Status.ESCALATED and in_force:
        return (
            "The change is active until it is no longer needed. "
            f"Revert it now: sereno revert {remediation.id}; keep it: sereno keep {remediation.id}"
        )
    if in_force and remediation.status is Status.KEPT:
        return f"The change stays in force; take it back with: sereno revert {remediation.id}"
    return f"sereno why {remediation.id}"
