"""The circuit breaker: a remediator that failed, or was taken back by people, too often is demoted to observe."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sereno.lifecycle import Remediation
from sereno.model import Mode, Reason, Status, Verdict
from sereno.service import Demotion

# What AWS or a deployment refused says nothing of the remediator.
_NOT_ITS_FAULT = frozenset({Reason.AWS_ERROR, Reason.CHANGE_IN_PROGRESS})


def counts(remediation: Remediation) -> bool:
    """Whether a remediation speaks against its remediator: it failed, its change did not help, or a person took the
    change back."""
    if remediation.status is Status.FAILED:
        return remediation.reason not in _NOT_ITS_FAULT
    acted = remediation.steps_done > 0 and remediation.plan is not None and remediation.plan.is_lease
    if not acted:
        return False
    by_hand = remediation.status is Status.REVERTED and bool(remediation.ended_by)
    # That it did not help is not forgotten when it is reverted later.
    did_not_help = remediation.escalated_for == Reason.SYMPTOM_PERSISTS or (
        remediation.status is Status.ESCALATED and remediation.reason is Reason.SYMPTOM_PERSISTS
    )
    return by_hand or did_not_help


def check(
    remediator: str, past: Sequence[Remediation], demotion: Demotion, now: datetime, since: datetime | None
) -> Verdict:
    """Whether a remediator may go on as it does. `past` are remediations of any remediator; `since` is when a person
    last set its mode: what happened before that is forgiven."""
    start = now - timedelta(days=demotion.days)
    start = max(start, since) if since else start
    bad = [one for one in past if one.remediator == remediator and one.created >= start and counts(one)]
    if len(bad) < demotion.times:
        return Verdict.yes(f"{len(bad)} of {demotion.times} in {demotion.days} days")
    shown = ", ".join(f"{one.id} ({one.status})" for one in bad[:3])
    return Verdict.no(
        Reason.SYMPTOM_PERSISTS,
        f"{len(bad)} failures and reverts by people in {demotion.days} days, {demotion.times} are allowed: {shown}",
    )


def demotable(mode: Mode) -> bool:
    """Whether there is anything to take away."""
    return mode in (Mode.AUTO, Mode.APPROVE)
