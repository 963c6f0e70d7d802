"""What people read: the truth of the outcome in a sentence, in their language and their time.

The sentences come from `words/<language>.json`. Details that a remediator wrote stay as they are: they hold numbers
and names, and stand beside the translated reason.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from remediators.notifier.channels import Button, Post
from remediators.notifier.notice import Change, Notice
from remediators.notifier.routing import local_time
from sereno.incident import Incident
from sereno.model import Reason, Status
from sereno.service import Notices

WORDS = Path(__file__).parent / "words"
LANGUAGES = ("en", "es")
VALUE_LIMIT = 120
RESERVED = "reserved concurrency"
# Statuses that people may answer, and how.
ANSWERS: Mapping[str, tuple[str, ...]] = {
    Status.AWAITING_APPROVAL: ("approve", "refuse", "mute"),
    Status.VERIFYING: ("revert", "keep", "mute"),
    Status.HOLDING: ("revert", "keep", "mute"),
    Status.ESCALATED: ("revert", "keep", "mute"),
    Status.KEPT: ("revert",),
}


@lru_cache(maxsize=len(LANGUAGES))
def catalogue(language: str) -> Mapping[str, str]:
    """The sentences of a language by their keys. Raises KeyError for one that is not there."""
    if language not in LANGUAGES:
        raise KeyError(language)
    found: dict[str, str] = json.loads((WORDS / f"{language}.json").read_text(encoding="utf-8"))
    return found


class Wording:
    """The words of one watch's notifications."""

    def __init__(self, notices: Notices) -> None:
        self._notices = notices
        self._words = catalogue(notices.language)

    def word(self, key: str, **values: Any) -> str:
        """A sentence with its values filled in."""
        return self._words[key].format(**values)

    def time(self, at: datetime) -> str:
        """The wall clock of the notifications' time zone."""
        zone = "UTC" if not self._notices.offsets else self._notices.timezone
        return f"{local_time(self._notices, at):%H:%M} {zone}"

    def post(self, notice: Notice) -> Post:
        """The post that tells of a notice."""
        text = self.sentence(notice)
        return Post(
            key=notice.key,
            thread=notice.thread,
            id=_voice(notice),
            sequence=notice.sequence,
            service=notice.service,
            severity=notice.severity,
            status=notice.status,
            head=self._head(notice),
            text=text,
            facts=tuple(self._facts(notice)),
            buttons=tuple(_buttons(notice)),
            link=self._link(notice),
            do=notice.do,
            over=notice.is_over,
            # What happened next may have hidden the news that somebody has taken it.
            taken=notice.kind == "incident" and (notice.phase == "ACKNOWLEDGED" or bool(notice.owner)),
            at=notice.at.timestamp(),
            when=f"{local_time(self._notices, notice.at):%Y-%m-%d} {self.time(notice.at)}",
        )

    def sentence(self, notice: Notice) -> str:
        """What happened, in one sentence."""
        if notice.kind == "incident":
            key = f"news.{notice.phase}" if f"news.{notice.phase}" in self._words else f"news.{notice.status}"
            return self.word(key, by=notice.by, detail=_flat(notice.detail))
        if notice.kind == "watch":
            return self.word(f"watch.{notice.status}", remediator=notice.remediator, detail=_flat(notice.detail))
        text = self.word(
            self._key(notice),
            target=notice.target,
            alarm=notice.alarm,
            changes=self.changes(notice.changes) or self.word("none"),
            undone=self.changes([Change(one.setting, one.after, one.before) for one in notice.changes]),
            why=self._why(notice),
        )
        return f"{text} {self.word('approved', by=notice.by)}" if notice.by else text

    def _key(self, notice: Notice) -> str:
        """The sentence of a status; some remediators and reasons have one of their own."""
        key = f"status.{notice.status}"
        if notice.status == Status.ESCALATED and notice.remediator == "open_incident":
            return f"{key}.incident"
        if notice.reminder:
            return f"{key}.reminder"
        own = (f"{key}.{notice.code}", f"{key}.{notice.remediator}")
        return next((one for one in own if one in self._words), key)

    def changes(self, changes: Sequence[Change]) -> str:
        """Every setting before and after."""
        return ", ".join(
            f"{one.setting} {self._value(one.setting, one.before)} → {self._value(one.setting, one.after)}"
            for one in changes
        )

    def reason(self, code: str) -> str:
        """A reason of the closed list, or the code as it came."""
        return self._words.get(f"reason.{code}", code)

    def _why(self, notice: Notice) -> str:
        told = "" if notice.code in ("", Reason.OK) else self.reason(notice.code)
        detail = _flat(notice.detail).removeprefix(f"{notice.code}: ")
        if told and detail:
            return f"{told} ({detail})"
        return told or detail or self.reason("OK")

    def title(self, incident: Incident) -> str:
        """What an incident is about, and how far it is."""
        return f"{incident.title}: {self.word(f'stage.{incident.stage}', by=incident.owner or 'sereno')}"

    def holder(self, incident: Incident) -> str:
        """Who has it."""
        return self.word("holder.some", by=incident.owner) if incident.owner else self.word("holder.none")

    def _head(self, notice: Notice) -> str:
        if notice.kind == "incident":
            return f"{notice.title}: {self.word(f'stage.{notice.status}', by=notice.by)}"
        if notice.kind == "watch":
            return self.word(f"watch.head.{notice.status}", remediator=notice.remediator)
        return f"{notice.target}: {notice.what}" if notice.what else notice.target

    def _facts(self, notice: Notice) -> list[tuple[str, str]]:
        facts = [(self.word("label.service"), notice.service)]
        if notice.alarm or notice.alarms:
            facts.append((self.word("label.alarm"), notice.alarm or ", ".join(notice.alarms)))
        if notice.kind == "remediation" and notice.reason and notice.changes:
            facts.append((self.word("label.why"), _flat(notice.reason)))
        if notice.high_risk:
            facts.append((self.word("label.risk"), self.word("risk.two")))
        if notice.cost_per_month:
            facts.append((self.word("label.cost"), self.word("cost.month", usd=f"{notice.cost_per_month:,.2f}")))
        if notice.expires:
            facts.append((self.word("label.until"), self.time(notice.expires)))
        return facts

    def _link(self, notice: Notice) -> str:
        if not self._notices.page_url:
            return ""
        place = "incidents" if notice.kind == "incident" or notice.thread != notice.id else "remediations"
        return f"{self._notices.page_url.rstrip('/')}/{place}/{notice.thread}"

    def _value(self, setting: str, value: Any) -> str:
        if value is None:
            return self.word("unreserved" if setting == RESERVED else "unset")
        if isinstance(value, Mapping):
            return ", ".join(f"{name} {one}" for name, one in value.items())[:VALUE_LIMIT]
        return str(value)[:VALUE_LIMIT]


def _voice(notice: Notice) -> str:
    """Whose numbers order this news. What was told past the ledger has a key without a number: it must not be taken
    for a later step of the same remediation, should that be recorded after all."""
    return notice.id if notice.key.removeprefix(f"{notice.id}#").isdigit() else notice.key


def _buttons(notice: Notice) -> list[Button]:
    if notice.kind != "remediation":
        return []
    verbs = ANSWERS.get(Status(notice.status), ())
    if notice.remediator == "open_incident":
        verbs = tuple(one for one in verbs if one not in ("revert", "keep"))
    expires = int(notice.expires.timestamp()) if notice.expires else None
    return [
        Button(
            verb,
            notice.thread if verb == "mute" else notice.id,
            plan=notice.plan if verb == "approve" else None,
            expires=expires if verb == "approve" else None,
        )
        for verb in verbs
        if verb != "mute" or notice.thread != notice.id
    ]


def _flat(text: str) -> str:
    return " ".join(text.split())
