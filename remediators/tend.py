"""What the round does for one remediation that is due: verify, hold, take back, escalate, or carry out a wish."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from botocore.exceptions import BotoCoreError, ClientError

from remediators import executor, flow
from remediators.watch import Watch
from sereno.guard import check_drift
from sereno.lifecycle import (
    CLAIM,
    ESCALATE_AFTER,
    NEXT_LOOK,
    Remediation,
    claim_free,
)
from sereno.model import Json, Plan, Reason, Signal, Status, Verdict
from sereno.ports import Remediator

# Taking back that AWS keeps refusing becomes a person's work after this long.
REVERT_WITHIN = timedelta(minutes=30)


def tend(watch: Watch, remediation: Remediation) -> Remediation | None:
    """One look at a due remediation; the record afterwards, or None when nothing had to be written.

    Raises LedgerUnavailable and VersionConflict (somebody else is at it).
    """
    if remediation.escalate_to:
        remediation = _start_next(watch, remediation)
    if remediation.wish:
        return _carry_out_wish(watch, remediation)
    if remediation.ended:
        return _tell_again(watch, remediation)
    remediator = watch.load(remediation.remediator)
    try:
        match remediation.status:
            case Status.CLAIMED | Status.APPLYING:
                return flow.resume(watch, remediation)
            case Status.AWAITING_APPROVAL:
                return _expire(watch, remediation)
            case Status.VERIFYING:
                return _verify(watch, remediation, remediator)
            case Status.HOLDING:
                return _hold(watch, remediation, remediator)
            case Status.REVERTING if claim_free(remediation, watch.clock.now()):
                return _take_back(watch, remediation, remediator)
    except (ClientError, BotoCoreError) as error:
        # A look that failed says nothing about the change: it stays, and is looked at again.
        watch.telemetry.log("warning", "could not look", id=remediation.id, error=str(error))
        watch.telemetry.count("LookFailed", remediator=remediation.remediator)
    return None


def _start_next(watch: Watch, remediation: Remediation) -> Remediation:
    """The ladder's next remediator takes the symptom over. Its signal's id follows from this one's, so that a
    second try starts nothing twice."""
    now = watch.clock.now()
    name = remediation.escalate_to or ""
    signal = replace(
        remediation.signal,
        id=f"{remediation.signal.id}>{name}",
        source="escalation",
        at=_escalation_time(remediation, now),
        reason=f"{remediation.remediator} {remediation.status} ({remediation.detail})"[:1023],
    )
    flow.start(watch, signal, name)
    return watch.ledger.save(replace(remediation, escalate_to=None), before=remediation, now=now)


def _escalation_time(remediation: Remediation, now: datetime) -> datetime:
    """When the escalation was decided, so that a retry has the same signal; never stale, because it is ours."""
    decided = remediation.due_at or now
    return decided if now - decided < timedelta(minutes=10) else now


def _tell_again(watch: Watch, remediation: Remediation) -> Remediation | None:
    if not remediation.unpublished:
        now = watch.clock.now()
        return watch.ledger.save(replace(remediation, due_at=None), before=remediation, now=now)
    if not watch.outbox.publish(remediation):
        watch.telemetry.count("Unpublished")
        return None
    now = watch.clock.now()
    return watch.ledger.save(replace(remediation, due_at=None), before=remediation, published=True, now=now)


def _carry_out_wish(watch: Watch, remediation: Remediation) -> Remediation | None:
    """What an operator asked for. A wish that no longer fits is answered, not ignored."""
    now, by, wish = watch.clock.now(), remediation.wish_by or "an operator", remediation.wish
    status = remediation.status
    if wish == "approve" and status is Status.AWAITING_APPROVAL:
        remediator = watch.load(remediation.remediator)
        return flow.commit(watch, replace(remediation, reason=Reason.OK), remediation, remediator)
    if wish == "keep" and status in (Status.VERIFYING, Status.HOLDING, Status.ESCALATED):
        kept = remediation.move(Status.KEPT, now, f"kept by {by}", by=by)
        kept = replace(kept, claim_until=None, due_at=now)
        release = not remediation.ended
        return flow.tell(watch, kept, remediation, release=release, cooldown=release, clear_wish=True)
    lease = remediation.plan is not None and remediation.plan.is_lease and remediation.steps_done > 0
    revertible = (Status.VERIFYING, Status.HOLDING, Status.ESCALATED, Status.KEPT)
    if wish == "revert" and lease and status in revertible:
        return _revert(watch, remediation, f"asked for by {by}", by=by)
    if wish == "revert" and status is Status.AWAITING_APPROVAL:
        refused = remediation.move(Status.SKIPPED, now, f"refused by {by}", by=by)
        refused = replace(refused, reason=Reason.AWAITING_APPROVAL, due_at=now)
        return flow.tell(watch, refused, remediation, release=True, refund=True, clear_wish=True)
    if status in (Status.CLAIMED, Status.APPLYING, Status.REVERTING):
        return _after_wish_waits(watch, remediation)
    watch.telemetry.log("warning", "a wish does not fit", id=remediation.id, wish=wish, status=str(status))
    return watch.ledger.save(remediation, before=remediation, now=now, clear_wish=True)


def _after_wish_waits(watch: Watch, remediation: Remediation) -> Remediation | None:
    """The wish stays in the row until the work in hand is done."""
    return tend(watch, replace(remediation, wish=None, wish_by=None))


def _expire(watch: Watch, remediation: Remediation) -> Remediation | None:
    now = watch.clock.now()
    if remediation.due_at and now < remediation.due_at:
        return None
    expired = remediation.move(Status.SKIPPED, now, "APPROVAL_EXPIRED: nobody answered in time")
    expired = replace(
        expired,
        reason=Reason.APPROVAL_EXPIRED,
        due_at=now,
        escalate_to=watch.play(remediation).after(remediation.remediator),
    )
    return flow.tell(watch, expired, remediation, release=True, refund=True)


def _drift(watch: Watch, remediation: Remediation, remediator: Remediator) -> Verdict:
    """Whether every value is still what this remediation set."""
    live: Json = remediator.read(watch.aws, watch.context(remediation, remediator))
    for step in _plan(remediation).steps[: remediation.steps_done]:
        verdict = check_drift(step, live, step.after)
        if not verdict.ok:
            return verdict
    return Verdict.yes()


def _verify(watch: Watch, remediation: Remediation, remediator: Remediator) -> Remediation | None:
    drift = _drift(watch, remediation, remediator)
    if not drift.ok:
        return _keep_drifted(watch, remediation, drift)
    symptom, verdict, now = _symptom(watch, remediation, remediator)
    if verdict.ok:
        hold_until = now + timedelta(seconds=remediation.hold_s)
        moved = remediation.move(Status.HOLDING, now, f"{verdict.detail}; held until {hold_until:%H:%M} UTC at least")
        moved = replace(moved, hold_until=hold_until, due_at=now + NEXT_LOOK)
        return flow.tell(watch, moved, remediation)
    if remediation.escalate_at and now >= remediation.escalate_at:
        return _escalate(watch, remediation, verdict, symptom)
    return None


def _hold(watch: Watch, remediation: Remediation, remediator: Remediator) -> Remediation | None:
    """While a change is in force: has someone else changed it, is the symptom back, may it be taken back?"""
    drift = _drift(watch, remediation, remediator)
    if not drift.ok:
        return _keep_drifted(watch, remediation, drift)
    symptom, verdict, now = _symptom(watch, remediation, remediator)
    if verdict.reason is Reason.SYMPTOM_PERSISTS:
        moved = remediation.move(Status.VERIFYING, now, f"the symptom is back: {verdict.detail}", data=symptom)
        moved = replace(moved, due_at=now + NEXT_LOOK, escalate_at=now + ESCALATE_AFTER)
        return flow.tell(watch, moved, remediation)
    if remediation.hold_until and now < remediation.hold_until:
        return None
    release = remediator.may_release(_plan(remediation), symptom, watch.context(remediation, remediator))
    if release.ok:
        return _revert(watch, remediation, release.detail)
    if remediation.reason is release.reason:
        return None
    # Said once, not once a minute.
    stays = remediation.move(Status.HOLDING, now, f"{release.reason}: {release.detail}", data=symptom)
    return watch.ledger.save(replace(stays, reason=release.reason), before=remediation, now=now)


def _symptom(watch: Watch, remediation: Remediation, remediator: Remediator) -> tuple[Json, Verdict, datetime]:
    context = watch.context(remediation, remediator, since=remediation.applied_at)
    symptom = remediator.symptom(watch.aws, context)
    return symptom, remediator.verify(_plan(remediation), symptom, context), context.now


def _revert(watch: Watch, remediation: Remediation, why: str, by: str = "sereno") -> Remediation:
    """Recorded before anything is undone, so that a crash in between is seen and finished."""
    now = watch.clock.now()
    moved = remediation.move(Status.REVERTING, now, why, by=by)
    held = replace(moved, owner=watch.owner, claim_until=now + CLAIM, due_at=now + CLAIM, reason=Reason.OK)
    if remediation.ended:
        held = replace(held, escalate_to=None)
    recorded = watch.ledger.save(held, before=remediation, now=now, clear_wish=remediation.wish is not None)
    return _undo(watch, recorded, watch.load(remediation.remediator))


def _take_back(watch: Watch, remediation: Remediation, remediator: Remediator) -> Remediation:
    """Finishes an undo whose invocation died."""
    return _undo(watch, flow.take_over(watch, remediation), remediator)


def _undo(watch: Watch, remediation: Remediation, remediator: Remediator) -> Remediation:
    context = watch.context(remediation, remediator)
    try:
        outcome = executor.undo(watch, remediation, remediator, context)
    except executor.ClaimLost as error:
        watch.telemetry.log("warning", "stopped before undoing", why=str(error))
        return remediation
    now = watch.clock.now()
    if outcome.verdict.ok:
        back = "; ".join(f"{step.setting} is {step.before} again" for step in _plan(remediation).steps)
        moved = remediation.move(Status.REVERTED, now, back)
        moved = replace(moved, claim_until=None, due_at=now)
        return flow.tell(watch, moved, remediation, release=_holds(watch, remediation), cooldown=True)
    if outcome.verdict.reason is Reason.DRIFTED:
        return _keep_drifted(watch, remediation, outcome.verdict)
    began = remediation.hold_until or remediation.created
    if outcome.passing and now - began < REVERT_WITHIN + timedelta(seconds=remediation.hold_s):
        later = replace(remediation, claim_until=None, due_at=now + NEXT_LOOK)
        return watch.ledger.save(later, before=remediation, now=now)
    return _escalate(watch, remediation, outcome.verdict, {})


def _holds(watch: Watch, remediation: Remediation) -> bool:
    """Whether the target is still this remediation's: after ESCALATED or KEPT it was given back."""
    return watch.ledger.holder(remediation.target.key) == remediation.id


def _keep_drifted(watch: Watch, remediation: Remediation, drift: Verdict) -> Remediation:
    now = watch.clock.now()
    moved = remediation.move(Status.KEPT, now, f"{drift.reason}: {drift.detail}; left as it is")
    moved = replace(moved, reason=drift.reason, claim_until=None, due_at=now)
    return flow.tell(watch, moved, remediation, release=_holds(watch, remediation), cooldown=True)


def _escalate(watch: Watch, remediation: Remediation, verdict: Verdict, symptom: Json) -> Remediation:
    now = watch.clock.now()
    moved = remediation.move(Status.ESCALATED, now, f"{verdict.reason}: {verdict.detail}", data=symptom)
    moved = replace(
        moved,
        reason=verdict.reason,
        claim_until=None,
        due_at=now,
        escalate_to=watch.play(remediation).after(remediation.remediator),
    )
    return flow.tell(watch, moved, remediation, release=_holds(watch, remediation), cooldown=True)


def _plan(remediation: Remediation) -> Plan:
    if remediation.plan is None:
        raise ValueError(f"{remediation.id} is {remediation.status} without a plan")
    return remediation.plan


def again(signal: Signal, attempt: int, now: datetime) -> Signal:
    """The signal of an alarm that is still red, for another attempt: fresh, with an id of its own."""
    return replace(signal, id=f"{signal.id}#r{attempt}", source="round", at=now)
