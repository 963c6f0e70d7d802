"""One message of the topic, read strictly. Its schema is `docs/notice.schema.json`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sereno import untrusted
from sereno.errors import MalformedEvent
from sereno.incident import SEVERITIES, Stage
from sereno.model import Json, Mode, Reason, Status, instant

KNOWN_VERSION = 1
KINDS = ("remediation", "incident", "watch")
# What befalls the watch itself.
WATCH_STATUSES = ("DEMOTED",)
TEXT_LIMIT = 4000


@dataclass(frozen=True, slots=True)
class Change:
    """A setting before and after."""

    setting: str
    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class Notice:
    """News of a remediation or of an incident. `id` is whose news it is, `sequence` its number among the news of that
    id; `thread` is where it belongs: the incident, or what has none. `status` is a `Status` or a `Stage`."""

    kind: str
    key: str
    id: str
    sequence: int
    thread: str
    service: str
    severity: str
    status: str
    at: datetime
    what: str = ""
    alarm: str = ""
    target: str = ""
    remediator: str = ""
    mode: str = ""
    reason: str = ""
    code: str = ""
    detail: str = ""
    by: str = ""
    owner: str = ""
    title: str = ""
    changes: tuple[Change, ...] = ()
    phase: str = ""
    alarms: tuple[str, ...] = ()
    do: str = ""
    plan: str | None = None
    expires: datetime | None = None
    high_risk: bool = False
    reminder: bool = False
    cost_per_month: float = 0.0

    @property
    def is_over(self) -> bool:
        """Whether it says that an incident is resolved."""
        return self.kind == "incident" and self.status == Stage.RESOLVED


def read(text: str) -> Notice:
    """The notice of a message, as it was published or in SNS's envelope. Raises MalformedEvent."""
    body = untrusted.load_json(text, "message")
    if isinstance(body, dict) and body.get("Type") == "Notification" and isinstance(body.get("Message"), str):
        body = untrusted.load_json(body["Message"], "message.Message")
    if not isinstance(body, dict):
        raise MalformedEvent("message: is no object")
    return of(body)


def of(body: Mapping[str, Any]) -> Notice:
    """The notice of a message's body. Raises MalformedEvent with the field and the value."""
    version = body.get("version")
    if version != KNOWN_VERSION:
        raise MalformedEvent(f"message.version: {version!r} is not {KNOWN_VERSION}")
    kind = _one_of(body, "kind", KINDS)
    statuses: Mapping[str, Sequence[str]] = {
        "remediation": sorted(Status),
        "incident": sorted(Stage),
        "watch": WATCH_STATUSES,
    }
    known = statuses[kind]
    incident = _text(body, "incident", needed=kind == "incident")
    own = incident if kind == "incident" else _text(body, "id")
    target = body.get("target") or {}
    if not isinstance(target, Mapping):
        raise MalformedEvent(f"message.target: {target!r} is no object")
    return Notice(
        kind=kind,
        key=_text(body, "key"),
        id=own,
        sequence=_number(body, "sequence"),
        thread=incident or own,
        service=_text(body, "service"),
        severity=_one_of(body, "severity", SEVERITIES),
        status=_one_of(body, "status", known),
        at=_moment(body, "at"),
        what=_text(body, "what", needed=False),
        alarm=_text(body, "alarm", needed=False),
        target=_text(target, "name", needed=False),
        remediator=_text(body, "remediator", needed=False),
        mode=_one_of(body, "mode", sorted(Mode)) if kind == "remediation" else "",
        reason=_text(body, "reason", needed=False),
        code=_text(body, "code", needed=False),
        detail=_text(body, "detail", needed=False),
        by=_text(body, "by", needed=False),
        owner=_text(body, "owner", needed=False),
        title=_text(body, "title", needed=False),
        changes=tuple(_change(one) for one in _list(body, "changes")),
        phase=_text(body, "phase", needed=False),
        alarms=tuple(str(one) for one in _list(body, "alarms")),
        do=_text(body, "do", needed=False),
        plan=_text(body, "plan", needed=False) or None,
        expires=_moment(body, "expires") if body.get("expires") else None,
        high_risk=body.get("high_risk") is True,
        reminder=body.get("reminder") is True,
        cost_per_month=_amount(body, "cost_per_month"),
    )


def _change(one: Any) -> Change:
    if not isinstance(one, Mapping) or not isinstance(one.get("setting"), str):
        raise MalformedEvent(f"message.changes: {one!r} names no setting")
    return Change(one["setting"], one.get("before"), one.get("after"))


def _text(body: Mapping[str, Any], field: str, *, needed: bool = True) -> str:
    value = body.get(field)
    if value is None and not needed:
        return ""
    if not isinstance(value, str) or (needed and not value):
        raise MalformedEvent(f"message.{field}: {value!r} is no text")
    return value[:TEXT_LIMIT]


def _number(body: Mapping[str, Any], field: str) -> int:
    value = body.get(field)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise MalformedEvent(f"message.{field}: {value!r} is no number")
    return value


def _amount(body: Mapping[str, Any], field: str) -> float:
    value = body.get(field, 0)
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value < 1e12:
        raise MalformedEvent(f"message.{field}: {value!r} is no amount")
    return float(value)


def _one_of(body: Mapping[str, Any], field: str, known: Sequence[str]) -> str:
    value = body.get(field)
    if value not in known:
        raise MalformedEvent(f"message.{field}: {value!r} is none of {', '.join(map(str, known))}")
    return str(value)


def _moment(body: Mapping[str, Any], field: str) -> datetime:
    try:
        return instant(_text(body, field))
    except ValueError as error:
        raise MalformedEvent(f"message.{field}: {error}") from error


def _list(body: Mapping[str, Any], field: str) -> list[Any]:
    value = body.get(field) or []
    if not isinstance(value, list):
        raise MalformedEvent(f"message.{field}: {value!r} is no list")
    return value


def schema() -> Json:
    """The JSON Schema of the messages on the topic."""
    text = {"type": "string"}
    moment = {"type": "string", "format": "date-time"}
    common: Json = {
        "version": {"const": KNOWN_VERSION},
        "kind": {"enum": list(KINDS)},
        "subject": {**text, "maxLength": 99, "description": "ASCII, as SNS wants it for an email's subject."},
        "key": {**text, "description": "<id>#<sequence>: the same for the same news, however often it is delivered."},
        "sequence": {"type": "integer", "minimum": 0, "description": "Orders the news of one id."},
        "at": moment,
        "service": text,
        "severity": {"enum": list(SEVERITIES)},
        "incident": {**text, "description": "The thread it belongs to; empty for what no incident is about."},
        "urgent": {"type": "boolean"},
        "detail": text,
    }
    remediation: Json = {
        "id": text,
        "remediator": text,
        "target": {"type": "object"},
        "what": text,
        "alarm": text,
        "status": {"enum": sorted(Status)},
        "mode": {"enum": sorted(Mode)},
        "reason": text,
        "code": {"enum": sorted(Reason), "description": "Of the closed list of reasons."},
        "changes": {
            "type": "array",
            "items": {"type": "object", "required": ["setting", "before", "after"]},
        },
        "events": {"type": "array", "items": {"type": "object", "required": ["at", "phase", "detail", "by"]}},
        "do": {**text, "description": "What a person may do: a command."},
        "plan": {"type": ["string", "null"], "description": "Digest of the plan that asks for approval."},
        "expires": {"type": ["string", "null"], "description": "Until when it may be approved."},
        "high_risk": {"type": "boolean"},
        "reminder": {"type": "boolean", "description": "The change was told of before and is still active."},
        "by": {**text, "description": "Who approved it; empty when nobody had to."},
        "cost_per_month": {"type": "number", "minimum": 0, "description": "USD a month while the change is active."},
    }
    incident: Json = {
        "status": {"enum": sorted(Stage)},
        "title": text,
        "phase": {**text, "description": "What happened: a stage, or MUTED."},
        "by": text,
        "owner": {**text, "description": "Who has it; empty while nobody has."},
        "opened": moment,
        "alarms": {"type": "array", "items": text, "description": "At most 100 of them."},
        "remediations": {"type": "array", "items": text, "description": "Their ids, at most the newest 100."},
        "alarms_total": {"type": "integer", "minimum": 0},
        "remediations_total": {"type": "integer", "minimum": 0},
        "region": text,
        "account": text,
    }
    watch: Json = {
        "id": text,
        "remediator": text,
        "status": {
            "enum": list(WATCH_STATUSES),
            "description": "DEMOTED: it went wrong too often, and only watches.",
        },
        "do": text,
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A message on the topic of a watch",
        "type": "object",
        "properties": common,
        "required": [name for name in common if name != "detail"],
        "oneOf": [
            {
                "properties": {"kind": {"const": kind}, **own},
                "required": [name for name in own if name not in ("region", "account")],
            }
            for kind, own in (("remediation", remediation), ("incident", incident), ("watch", watch))
        ],
    }
