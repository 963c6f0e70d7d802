"""The central types. All frozen; all turn into JSON and back without loss."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

Json = dict[str, Any]


class Mode(StrEnum):
    """What a remediator may do, from least to most."""

    OFF = "off"
    OBSERVE = "observe"
    APPROVE = "approve"
    AUTO = "auto"

    @property
    def rank(self) -> int:
        return list(Mode).index(self)

    @staticmethod
    def strictest(*modes: Mode) -> Mode:
        """The mode that allows least."""
        return min(modes, key=lambda mode: mode.rank)


class Status(StrEnum):
    """Where a remediation stands in its life."""

    CLAIMED = "CLAIMED"
    PLANNED = "PLANNED"
    AWAITING_APPROVAL = "AWAITING_APPROVAL"
    APPLYING = "APPLYING"
    VERIFYING = "VERIFYING"
    HOLDING = "HOLDING"
    REVERTING = "REVERTING"
    REVERTED = "REVERTED"
    SKIPPED = "SKIPPED"
    OBSERVED = "OBSERVED"
    KEPT = "KEPT"
    ESCALATED = "ESCALATED"
    FAILED = "FAILED"


class Reason(StrEnum):
    """The closed list of reasons a guard may give. Recorded, shown and alarmed on."""

    OK = "OK"
    MODE_OFF = "MODE_OFF"
    STALE = "STALE"
    FUTURE = "FUTURE"
    FOREIGN = "FOREIGN"
    MUTED = "MUTED"
    NOT_ALARM = "NOT_ALARM"
    NOT_BOUND = "NOT_BOUND"
    NOT_SUPPORTED = "NOT_SUPPORTED"
    DUPLICATE = "DUPLICATE"
    TARGET_BUSY = "TARGET_BUSY"
    COOLDOWN = "COOLDOWN"
    BUDGET_SPENT = "BUDGET_SPENT"
    COST_CEILING = "COST_CEILING"
    OVER_CEILING = "OVER_CEILING"
    NO_HEADROOM = "NO_HEADROOM"
    NOT_TAKEN = "NOT_TAKEN"
    NOT_PERMITTED = "NOT_PERMITTED"
    NOTHING_TO_DO = "NOTHING_TO_DO"
    NO_DATA = "NO_DATA"
    NOT_DEMAND = "NOT_DEMAND"
    NOT_TOLD = "NOT_TOLD"
    HOT_KEY = "HOT_KEY"
    OPERATOR_STOP = "OPERATOR_STOP"
    CHANGE_IN_PROGRESS = "CHANGE_IN_PROGRESS"
    AWAITING_APPROVAL = "AWAITING_APPROVAL"
    APPROVAL_EXPIRED = "APPROVAL_EXPIRED"
    DRIFTED = "DRIFTED"
    STILL_NEEDED = "STILL_NEEDED"
    NO_DECREASE_LEFT = "NO_DECREASE_LEFT"
    SYMPTOM_PERSISTS = "SYMPTOM_PERSISTS"
    AWS_ERROR = "AWS_ERROR"
    FAULTY = "FAULTY"
    NO_QUORUM = "NO_QUORUM"
    STANDBY_NOT_READY = "STANDBY_NOT_READY"
    NOT_ACTIVE = "NOT_ACTIVE"
    TOO_SOON = "TOO_SOON"
    DATA_APART = "DATA_APART"


@dataclass(frozen=True, slots=True)
class Verdict:
    """A guard's answer: never a bare bool."""

    ok: bool
    reason: Reason = Reason.OK
    detail: str = ""

    @staticmethod
    def yes(detail: str = "") -> Verdict:
        return Verdict(True, Reason.OK, detail)

    @staticmethod
    def no(reason: Reason, detail: str = "") -> Verdict:
        return Verdict(False, reason, detail)

    def to_json(self) -> Json:
        return {"ok": self.ok, "reason": str(self.reason), "detail": self.detail}

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> Verdict:
        return Verdict(bool(data["ok"]), Reason(data["reason"]), data.get("detail", ""))


@dataclass(frozen=True, slots=True)
class Target:
    """What is changed."""

    kind: str
    name: str
    region: str
    account: str

    @property
    def key(self) -> str:
        return f"{self.account}/{self.region}/{self.kind}/{self.name}"

    def to_json(self) -> Json:
        return {"kind": self.kind, "name": self.name, "region": self.region, "account": self.account}

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> Target:
        return Target(data["kind"], data["name"], data["region"], data["account"])


@dataclass(frozen=True, slots=True)
class Signal:
    """A normalised trigger.

    `id` of an alarm signal is its ARN and the millisecond of its state change, so that the same change, however
    often and by whatever road it arrives, is one signal. `name` is the alarm's name, `what` its last part. `root` is
    the id of the signal that all began with, when this one follows from another (the next rung, another attempt).
    `factor` is how many times the normal traffic a planned event brings (None: as the service's objectives say).
    """

    id: str
    source: str
    name: str
    what: str
    state: str
    previous: str
    target: Target
    at: datetime
    reason: str = ""
    remediator: str = ""
    muted: bool = False
    raw_ref: str = ""
    root: str = ""
    factor: float | None = None

    @property
    def origin(self) -> str:
        """The id of the signal that all began with: what follows from it is one incident."""
        return self.root or self.id

    def to_json(self) -> Json:
        return {
            "id": self.id,
            "source": self.source,
            "name": self.name,
            "what": self.what,
            "state": self.state,
            "previous": self.previous,
            "target": self.target.to_json(),
            "at": iso(self.at),
            "reason": self.reason,
            "remediator": self.remediator,
            "muted": self.muted,
            "raw_ref": self.raw_ref,
            "root": self.root,
            "factor": self.factor,
        }

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> Signal:
        known = dict(data)
        known["target"] = Target.from_json(data["target"])
        known["at"] = instant(data["at"])
        return Signal(**known)


@dataclass(frozen=True, slots=True)
class Call:
    """One AWS API call: `service` and `operation` as boto3 spells its client and method."""

    service: str
    operation: str
    params: Json = field(default_factory=dict)

    def to_json(self) -> Json:
        return {"service": self.service, "operation": self.operation, "params": self.params}

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> Call:
        return Call(data["service"], data["operation"], dict(data["params"]))

    def __str__(self) -> str:
        inner = ", ".join(f"{name}={value!r}" for name, value in self.params.items())
        return f"{self.service}.{self.operation}({inner})"


@dataclass(frozen=True, slots=True)
class Step:
    """A call with its undo, its why, and the value before and after.

    `setting` names the value that the step changes, as the remediator's `read` reports it: that is how the
    executor sees drift. `echo` names the field of AWS's answer that must say `after`, where the API answers with the
    value it has set. A step without undo is no lease. `superseded` are values that Sereno itself has set before this
    step's: a live value among them is no drift, and the step goes on from it. `shared` are the other Regions that the
    setting is replicated to.
    """

    do: Call
    why: str
    setting: str
    before: Any
    after: Any
    undo: Call | None = None
    echo: str | None = None
    superseded: tuple[Any, ...] = ()
    shared: tuple[str, ...] = ()

    def to_json(self) -> Json:
        return {
            "do": self.do.to_json(),
            "why": self.why,
            "setting": self.setting,
            "before": self.before,
            "after": self.after,
            "undo": self.undo.to_json() if self.undo else None,
            "echo": self.echo,
            **({"superseded": list(self.superseded)} if self.superseded else {}),
            **({"shared": list(self.shared)} if self.shared else {}),
        }

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> Step:
        undo = Call.from_json(data["undo"]) if data.get("undo") else None
        do = Call.from_json(data["do"])
        return Step(
            do,
            data["why"],
            data["setting"],
            data["before"],
            data["after"],
            undo,
            data.get("echo"),
            tuple(data.get("superseded", ())),
            tuple(data.get("shared", ())),
        )


@dataclass(frozen=True, slots=True)
class Plan:
    """The ordered steps with a reason, what could go wrong, and what it costs if it stays a month (USD). Where
    `approvals.two_person` is set, a plan of `high_risk` needs two people."""

    steps: tuple[Step, ...]
    reason: str
    risk: str = ""
    monthly_cost: float = 0.0
    gates: tuple[tuple[str, Verdict], ...] = ()
    high_risk: bool = False

    @property
    def digest(self) -> str:
        """Names exactly these calls: an approval is for one plan and no other."""
        calls = [[step.do.to_json(), step.before, step.after] for step in self.steps]
        return hashlib.sha256(json.dumps(calls, sort_keys=True).encode()).hexdigest()[:16]

    @property
    def is_lease(self) -> bool:
        """Whether the whole of it can be taken back."""
        return bool(self.steps) and all(step.undo for step in self.steps)

    def to_json(self) -> Json:
        return {
            "steps": [step.to_json() for step in self.steps],
            "reason": self.reason,
            "risk": self.risk,
            "monthly_cost": self.monthly_cost,
            "gates": [[name, verdict.to_json()] for name, verdict in self.gates],
            "high_risk": self.high_risk,
        }

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> Plan:
        return Plan(
            tuple(Step.from_json(step) for step in data["steps"]),
            data["reason"],
            data["risk"],
            data["monthly_cost"],
            tuple((name, Verdict.from_json(verdict)) for name, verdict in data.get("gates", [])),
            bool(data.get("high_risk", False)),
        )


@dataclass(frozen=True, slots=True)
class Refusal:
    """What `plan` answers when nothing should be done: the verdict, and the gates passed before it."""

    verdict: Verdict
    gates: tuple[tuple[str, Verdict], ...] = ()


@dataclass(frozen=True, slots=True)
class Event:
    """One line of a remediation's append-only history."""

    at: datetime
    phase: str
    detail: str = ""
    by: str = "sereno"
    data: Json = field(default_factory=dict)

    def to_json(self) -> Json:
        return {
            "at": iso(self.at),
            "phase": self.phase,
            "detail": self.detail,
            "by": self.by,
            "data": self.data,
        }

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> Event:
        return Event(instant(data["at"]), data["phase"], data["detail"], data["by"], dict(data.get("data") or {}))


def iso(moment: datetime) -> str:
    """UTC with milliseconds, e.g. 2026-11-24T09:30:00.000Z: sorts as text."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def instant(text: str) -> datetime:
    """Reads the forms in which AWS prints time: ...Z, ...+0000, ...+00:00, with or without fractions.

    Raises ValueError on anything else, and on a time without a zone.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone")
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError(f"{text!r} lies outside the calendar") from error
