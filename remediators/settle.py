"""Right after a change: did it take more than it may, and how much must be given back?

What an account can spare is read before a plan is made, but others may take from it in the same moment: only AWS's
answer after the write says what is left. This look comes after people have been told of the change, so it delays
nothing; the reconciler makes it again for what the reconciler itself began, or whose invocation died.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta

from remediators import executor, shared
from remediators.ledger import VersionConflict
from remediators.watch import Watch
from sereno.errors import StillChanging
from sereno.lifecycle import VERIFY_AFTER, Remediation
from sereno.model import Plan, Reason, Status
from sereno.ports import Remediator

# Later the account has changed for reasons of its own: what others need then is not taken by this change.
WITHIN = timedelta(minutes=3)


def after(watch: Watch, started: Iterable[Remediation | None]) -> None:
    """Looks at what an invocation has just changed. Never raises: the reconciler looks again."""
    for remediation in started:
        if remediation is None:
            continue
        try:
            look(watch, remediation)
        except VersionConflict:
            continue  # the reconciler was faster
        except Exception as error:
            watch.telemetry.log(
                "warning", "could not settle", id=remediation.id, error=f"{type(error).__name__}: {error}"
            )


def look(watch: Watch, remediation: Remediation) -> Remediation:
    """The remediation as it stands afterwards: the same, or with a smaller value. The smaller plan is recorded before
    the call, so that an invocation that dies in between is finished by the next look. Raises LedgerUnavailable and
    VersionConflict; AWS's errors are logged, and the next look tries again."""
    now, plan = watch.clock.now(), remediation.plan
    if remediation.status is not Status.VERIFYING or plan is None or remediation.applied_at is None:
        return remediation
    if now - remediation.applied_at > WITHIN:
        return remediation
    shared.note_elsewhere(watch, remediation)
    remediator = watch.load(remediation.remediator)
    if remediator.settle is None:
        return remediation
    # Of a change that was raised further only the last raise is new: the one before it has been settled.
    settled, own = plan.steps[: remediation.again_from], replace(plan, steps=plan.steps[remediation.again_from :])
    try:
        if _is_unfinished(watch, remediation, remediator):
            claimed = watch.ledger.save(remediation.claimed_by(watch.owner, now), before=remediation, now=now)
        else:
            context = watch.context(remediation, remediator, since=remediation.applied_at)
            less = remediator.settle(watch.aws, replace(context, plan=own))
            if less is None:
                return remediation
            claimed = _recorded(watch, remediation, replace(less, steps=(*settled, *less.steps)))
    except (*executor.AWS_ERRORS, StillChanging) as error:
        watch.telemetry.log("warning", "could not settle", id=remediation.id, error=str(error))
        return remediation
    return _given_back(watch, claimed, remediator)


def _is_unfinished(watch: Watch, remediation: Remediation, remediator: Remediator) -> bool:
    """Whether a smaller value was recorded and not set."""
    step = executor.newest(remediation)
    if step is None or not step.superseded:
        return False
    live = remediator.read(watch.aws, watch.context(remediation, remediator))
    return live.get(step.setting) in step.superseded


def _recorded(watch: Watch, remediation: Remediation, less: Plan) -> Remediation:
    now, step = watch.clock.now(), less.steps[remediation.again_from]
    detail = (
        f"{Reason.NO_HEADROOM}: others need what was taken; {step.setting}: {step.superseded[-1]} -> {step.after}"
    )
    moved = replace(remediation.move(Status.VERIFYING, now, detail), plan=less)
    return watch.ledger.save(moved.claimed_by(watch.owner, now), before=remediation, now=now)


def _given_back(watch: Watch, claimed: Remediation, remediator: Remediator) -> Remediation:
    context = watch.context(claimed, remediator, since=claimed.applied_at)
    try:
        outcome = executor.adjust(watch, claimed, remediator, context)
    except executor.ClaimLost as error:
        watch.telemetry.log("warning", "stopped before giving back", id=claimed.id, why=str(error))
        return claimed
    if not outcome.verdict.ok:
        watch.telemetry.log("warning", "could not give back", id=claimed.id, why=outcome.verdict.detail)
    now, step = watch.clock.now(), executor.newest(claimed)
    # Where all of it went back there is nothing to wait for: the next escalation step takes over.
    nothing_left = step is not None and step.after == step.before
    settled = replace(
        claimed,
        claim_until=None,
        due_at=now if nothing_left else now + VERIFY_AFTER,
        escalate_at=now if nothing_left else claimed.escalate_at,
    )
    return watch.ledger.save(settled, before=claimed, now=now)
