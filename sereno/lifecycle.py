"""The life of a remediation: a record, the allowed moves, and what is due next. All pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from sereno.model import Event, Json, Mode, Plan, Reason, Signal, Status, Target, instant, iso
from sereno.service import PLANNED_EVENT

# A claim outlives any invocation that could hold it (handler 30 s, round 50 s), and leaves room for a clock that
# differs by two seconds; whoever comes later may take it over.
CLAIM = timedelta(seconds=90)
# The first look at what a change did: one minute of metrics and their delay.
VERIFY_AFTER = timedelta(seconds=60)
# A symptom that stays this long after the change needs a person.
ESCALATE_AFTER = timedelta(minutes=8)
# A change that AWS keeps refusing for passing reasons is given up after this long.
APPLY_WITHIN = timedelta(minutes=10)
# Taking back that AWS keeps refusing, and looks that keep failing, become a person's work after this long.
REVERT_WITHIN = timedelta(minutes=30)
# AWS takes this long at most over what it has accepted (UpdateTable takes minutes, an index longer than its table).
LIVE_WITHIN = timedelta(minutes=30)
NEXT_LOOK = timedelta(seconds=60)
# An escalated change that is still active is told of again so often.
REMIND_AFTER = timedelta(days=1)
# An escalated change whose revert AWS refused is tried again so often.
REVERT_AGAIN_AFTER = timedelta(hours=1)

S = Status
MOVES: Mapping[Status, frozenset[Status]] = {
    S.CLAIMED: frozenset({S.PLANNED, S.OBSERVED, S.SKIPPED, S.AWAITING_APPROVAL, S.APPLYING, S.FAILED}),
    S.PLANNED: frozenset({S.AWAITING_APPROVAL, S.APPLYING, S.OBSERVED, S.SKIPPED, S.FAILED}),
    # Asked again: one of two people has approved, or the world has changed and the plan with it.
    S.AWAITING_APPROVAL: frozenset({S.AWAITING_APPROVAL, S.APPLYING, S.SKIPPED}),
    S.APPLYING: frozenset({S.APPLYING, S.VERIFYING, S.ESCALATED, S.FAILED, S.KEPT}),
    # REVERTED without REVERTING: somebody else has put the value back, a failback the switch.
    S.VERIFYING: frozenset({S.VERIFYING, S.HOLDING, S.ESCALATED, S.KEPT, S.REVERTING, S.REVERTED}),
    S.HOLDING: frozenset({S.HOLDING, S.VERIFYING, S.REVERTING, S.KEPT, S.ESCALATED, S.REVERTED}),
    S.REVERTING: frozenset({S.REVERTING, S.REVERTED, S.KEPT, S.ESCALATED}),
    # A change that people know of is still a lease: it may be raised further, reverted or kept.
    S.ESCALATED: frozenset({S.ESCALATED, S.APPLYING, S.REVERTING, S.KEPT, S.REVERTED}),
    S.KEPT: frozenset({S.KEPT, S.REVERTING}),
    S.SKIPPED: frozenset({S.SKIPPED}),
    S.OBSERVED: frozenset({S.OBSERVED}),
    S.FAILED: frozenset({S.FAILED}),
    S.REVERTED: frozenset({S.REVERTED}),
}
# ESCALATED is an end only where nothing is active (`Remediation.ended`).
ENDED = frozenset({S.REVERTED, S.SKIPPED, S.OBSERVED, S.KEPT, S.FAILED})
# A lease is in force, or may be: the value on AWS is ours until the record says otherwise.
IN_FORCE = frozenset({S.APPLYING, S.VERIFYING, S.HOLDING, S.REVERTING})


class IllegalMove(ValueError):
    """A status may not follow another; a fault in Sereno itself, never of an input."""


@dataclass(frozen=True, slots=True)
class Remediation:
    """One run of a remediator on a target."""

    id: str
    remediator: str
    signal: Signal
    target: Target
    created: datetime
    status: Status = Status.CLAIMED
    mode: Mode = Mode.OBSERVE
    reason: Reason = Reason.OK
    detail: str = ""
    plan: Plan | None = None
    steps_done: int = 0
    hold_s: int = 900
    owner: str = ""
    claim_until: datetime | None = None
    due_at: datetime | None = None
    applied_at: datetime | None = None
    hold_until: datetime | None = None
    # When patience with the present status ends: the approval expires, the change or its undo is given up, the
    # symptom or a failing look becomes a person's work.
    escalate_at: datetime | None = None
    # The rung that takes the symptom over when this remediation cannot help; cleared once it has started.
    escalate_to: tuple[str, ...] = ()
    # The thread that people see: everything that follows from one signal, and what joined it.
    incident: str = ""
    # Whether the change shows on AWS: None when nobody had to wait, False while AWS still carries it out.
    live: bool | None = None
    # The person who took the change back or kept it; empty when Sereno did.
    ended_by: str = ""
    # Until when the round looks what becomes of an alarm that was only watched, and what became of it: it recovered
    # `alone`, after `people` had changed something, or did `not`.
    follow_until: datetime | None = None
    aftermath: str = ""
    # Who has approved the plan so far, where one is not enough.
    approved_by: tuple[str, ...] = ()
    # When people were told that it needs them, why, and when they are told again. It stays in the record when the
    # change is reverted later.
    escalated_at: datetime | None = None
    escalated_for: str = ""
    remind_at: datetime | None = None
    # When a higher value may be tried on top of the escalated one, and how many steps were active before that.
    again_at: datetime | None = None
    again_from: int = 0
    # The last day (UTC) on which what it costs was counted; empty: the day on which it was created.
    cost_day: str = ""
    # Until when it is looked up who changed the value in between, and what that change was (an API operation).
    author_until: datetime | None = None
    # How many events its history has, the unpublished ones included.
    sequence: int = 0
    version: int = 0
    unpublished: tuple[Event, ...] = ()
    # What an operator asked for and by whom; lives beside the record, so that asking never races with acting.
    wish: str | None = field(default=None, compare=False)
    wish_by: str | None = field(default=None, compare=False)

    @property
    def active(self) -> bool:
        """Whether a change of it is on AWS, or may be: it must be reverted or kept one day."""
        if self.status is not S.ESCALATED:
            return self.status in IN_FORCE
        return self.steps_done > 0 and self.plan is not None and self.plan.is_lease

    @property
    def ended(self) -> bool:
        """Whether nothing is left to do. An escalated change ends when it is reverted or kept, and not before."""
        return self.status in ENDED or (self.status is S.ESCALATED and not self.active)

    @property
    def purse(self) -> str:
        """Whose daily budget it spends: its remediator's. A planned event has one of its own, so that it leaves
        enough for what nobody planned."""
        planned = self.signal.what == PLANNED_EVENT
        return f"{self.remediator}/{PLANNED_EVENT}" if planned else self.remediator

    def move(
        self,
        status: Status,
        now: datetime,
        detail: str = "",
        *,
        data: Json | None = None,
        by: str = "sereno",
        **changes: Any,
    ) -> Remediation:
        """The record after a move, with its event added to what must be published. Raises IllegalMove."""
        if status not in MOVES[self.status]:
            raise IllegalMove(f"{self.id}: {self.status} -> {status}")
        event = Event(now, str(status), detail, by, data or {})
        return replace(
            self,
            status=status,
            detail=detail,
            sequence=self.sequence + 1,
            unpublished=(*self.unpublished, event),
            ended_by=by if status in (S.REVERTING, S.KEPT) and by != "sereno" else self.ended_by,
            **changes,
        )

    def claimed_by(self, owner: str, now: datetime, **changes: Any) -> Remediation:
        """The record while `owner` works on it. It is due again when the claim ends: should the owner die, the round
        comes by."""
        return replace(self, owner=owner, claim_until=now + CLAIM, due_at=now + CLAIM, **changes)

    def to_json(self) -> Json:
        """Everything but what lives in attributes of its own (version, wish)."""
        return {
            "id": self.id,
            "remediator": self.remediator,
            "signal": self.signal.to_json(),
            "target": self.target.to_json(),
            "created": iso(self.created),
            "status": str(self.status),
            "mode": str(self.mode),
            "reason": str(self.reason),
            "detail": self.detail,
            "plan": self.plan.to_json() if self.plan else None,
            "steps_done": self.steps_done,
            "hold_s": self.hold_s,
            "owner": self.owner,
            "claim_until": _text_of(self.claim_until),
            "due_at": _text_of(self.due_at),
            "applied_at": _text_of(self.applied_at),
            "hold_until": _text_of(self.hold_until),
            "escalate_at": _text_of(self.escalate_at),
            "escalate_to": list(self.escalate_to),
            "incident": self.incident,
            "live": self.live,
            "approved_by": list(self.approved_by),
            "ended_by": self.ended_by,
            "follow_until": _text_of(self.follow_until),
            "aftermath": self.aftermath,
            "escalated_at": _text_of(self.escalated_at),
            "escalated_for": self.escalated_for,
            "remind_at": _text_of(self.remind_at),
            "again_at": _text_of(self.again_at),
            "again_from": self.again_from,
            "cost_day": self.cost_day,
            "author_until": _text_of(self.author_until),
            "sequence": self.sequence,
            "unpublished": [event.to_json() for event in self.unpublished],
        }

    @staticmethod
    def from_json(
        data: Mapping[str, Any], *, version: int = 0, wish: str | None = None, wish_by: str | None = None
    ) -> Remediation:
        return Remediation(
            id=data["id"],
            remediator=data["remediator"],
            signal=Signal.from_json(data["signal"]),
            target=Target.from_json(data["target"]),
            created=instant(data["created"]),
            status=Status(data["status"]),
            mode=Mode(data["mode"]),
            reason=Reason(data["reason"]),
            detail=data["detail"],
            plan=Plan.from_json(data["plan"]) if data["plan"] else None,
            steps_done=data["steps_done"],
            hold_s=data["hold_s"],
            owner=data["owner"],
            claim_until=_moment_of(data["claim_until"]),
            due_at=_moment_of(data["due_at"]),
            applied_at=_moment_of(data["applied_at"]),
            hold_until=_moment_of(data["hold_until"]),
            escalate_at=_moment_of(data["escalate_at"]),
            escalate_to=tuple(data["escalate_to"]),
            incident=data.get("incident", ""),
            live=data.get("live"),
            approved_by=tuple(data.get("approved_by", ())),
            ended_by=data.get("ended_by", ""),
            follow_until=_moment_of(data.get("follow_until")),
            aftermath=data.get("aftermath", ""),
            escalated_at=_moment_of(data.get("escalated_at")),
            escalated_for=data.get("escalated_for", ""),
            remind_at=_moment_of(data.get("remind_at")),
            again_at=_moment_of(data.get("again_at")),
            again_from=data.get("again_from", 0),
            cost_day=data.get("cost_day", ""),
            author_until=_moment_of(data.get("author_until")),
            sequence=data["sequence"],
            version=version,
            unpublished=tuple(Event.from_json(event) for event in data["unpublished"]),
            wish=wish,
            wish_by=wish_by,
        )


def _text_of(moment: datetime | None) -> str | None:
    return iso(moment) if moment else None


def _moment_of(text: str | None) -> datetime | None:
    return instant(text) if text else None


def remediation_id(signal: Signal, remediator: str, target: Target | None = None) -> str:
    """The same signal, remediator and target always give the same id: that is what makes a doubled event harmless.
    `target` left out is the signal's own."""
    named = f"|{target.key}" if target is not None and target != signal.target else ""
    digest = hashlib.sha256(f"{signal.id}|{remediator}{named}".encode()).hexdigest()[:10]
    return f"{signal.at:%Y%m%dT%H%M%S}-{remediator.replace('_', '-')}-{digest}"


def incident_id(signal: Signal) -> str:
    """The incident that a signal begins or belongs to: the same for every rung, attempt and target that follow from
    it."""
    digest = hashlib.sha256(signal.origin.encode()).hexdigest()[:10]
    return f"incident-{signal.at:%Y%m%dT%H%M%S}-{digest}"


def claim_free(remediation: Remediation, now: datetime) -> bool:
    """Whether whoever held the claim must be gone."""
    return remediation.claim_until is None or remediation.claim_until <= now
