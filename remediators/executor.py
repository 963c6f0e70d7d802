"""The only place that changes AWS. It follows a recorded plan, step by step, and never plans.

Most AWS APIs have no revision to lock on, so the value is read again just before it is written, and every step knows
the absolute value before and after: a replay finds its own effect and does not act twice. A call that the remediator
does not declare, or that names anything but the remediation's target, is never sent (`bounds`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError

from remediators import bounds
from remediators.ledger import VersionConflict
from remediators.watch import MARGIN_S, Watch
from sereno.errors import LedgerUnavailable, StillChanging
from sereno.guard import check_drift
from sereno.lifecycle import Remediation
from sereno.model import Call, Json, Plan, Reason, Step, Verdict
from sereno.ports import Context, Remediator

# Answers after which the same call may succeed a minute later. What is in neither list is final.
PASSING_CODES = frozenset(
    {
        "ConflictException",
        "InternalError",
        "InternalFailure",
        "InternalServerError",
        "LimitExceededException",
        "RequestLimitExceeded",
        "ResourceConflictException",  # Lambda: an update of the function is in progress
        "ServiceException",
        "ServiceUnavailable",
        "ConcurrentUpdateException",  # Application Auto Scaling
        "ResourceInUseException",  # DynamoDB: the table is being updated
        "RequestTimeout",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)


AWS_ERRORS = (ClientError, BotoCoreError)


class ClaimLost(Exception):
    """The claim or the invocation is about to run out: stop before the next call; the round goes on from here."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How far the executor came. `passing` says that trying again may help, `sent` that the step it stopped at was
    sent to AWS and may have taken effect."""

    done: int
    verdict: Verdict
    passing: bool = False
    sent: bool = False


class NotTaken(Exception):
    """AWS answered with another value than the one asked for."""


class _Sent(Exception):
    """A call that was sent and answered with an error, or not at all."""

    def __init__(self, error: Exception) -> None:
        self.error = error


def apply(
    watch: Watch,
    remediation: Remediation,
    remediator: Remediator,
    context: Context,
    record: Callable[[int], None],
) -> Outcome:
    """Does the plan's steps from `steps_done` on. `record(n)` notes progress between steps.

    Raises ClaimLost, and what `record` raises (LedgerUnavailable, VersionConflict). AWS's errors, and faults of the
    remediator, are in the outcome.
    """
    plan = _plan_of(remediation)
    done = remediation.steps_done
    # The whole of it at once: a plan of which one call is out of bounds is not begun.
    bound = bounds.check_plan(remediator, context, plan)
    if not bound.ok:
        return Outcome(done, bound)
    try:
        for step in plan.steps[done:]:
            if done > remediation.steps_done:
                record(done)
                context = replace(context, now=watch.clock.now(), since=watch.clock.now())
            if done and remediator.may_go_on:
                verdict = remediator.may_go_on(watch.aws, context, plan, done)
                if not verdict.ok:
                    return Outcome(done, verdict, passing=verdict.reason is Reason.CHANGE_IN_PROGRESS)
            verdict = _do(watch, remediation, remediator, context, step, step.do, step.before, step.after)
            if not verdict.ok:
                return Outcome(done, verdict)
            done += 1
    except (ClaimLost, LedgerUnavailable, VersionConflict):
        raise
    except Exception as error:
        return _stopped(done, error)
    return Outcome(done, Verdict.yes())


def undo(
    watch: Watch,
    remediation: Remediation,
    remediator: Remediator,
    context: Context,
    steps: int | None = None,
    keep: int = 0,
) -> Outcome:
    """Reverts the first `steps` steps (all that were done unless told) but for the first `keep`, the last first.

    A setting that was raised again on top of an active change goes back to the value before the first raise at once.

    Raises ClaimLost. AWS's errors, and faults of the remediator, are in the outcome; a drifted value stops it, and
    stays as it is.
    """
    plan = _plan_of(remediation)
    count = remediation.steps_done if steps is None else steps
    bound = bounds.check_plan(remediator, context, plan)
    if not bound.ok:
        return Outcome(0, bound)
    undone = 0
    at_once = not keep and remediation.again_from > 0
    stands: dict[str, Any] = {}
    try:
        for number in reversed(range(keep, count)):
            step = plan.steps[number]
            if at_once and any(one.setting == step.setting for one in plan.steps[:number]):
                stands.setdefault(step.setting, step.after)
            elif step.undo is not None:
                expected = stands.get(step.setting, step.after)
                verdict = _do(watch, remediation, remediator, context, step, step.undo, expected, step.before)
                if not verdict.ok:
                    return Outcome(undone, verdict)
            undone += 1
    except ClaimLost:
        raise
    except Exception as error:
        return _stopped(undone, error)
    return Outcome(undone, Verdict.yes())


def newest(remediation: Remediation) -> Step | None:
    """The first step of the last raise: of the only one, or of the one on top of an escalated change."""
    steps = remediation.plan.steps if remediation.plan else ()
    return steps[remediation.again_from] if len(steps) > remediation.again_from else None


def adjust(watch: Watch, remediation: Remediation, remediator: Remediator, context: Context) -> Outcome:
    """Does the first step of the last raise again, whose value was made smaller after it was done. Raises
    ClaimLost."""
    step = newest(remediation)
    if step is None:
        return Outcome(0, Verdict.yes("nothing to adjust"))
    try:
        return Outcome(1, _do(watch, remediation, remediator, context, step, step.do, step.before, step.after))
    except ClaimLost:
        raise
    except Exception as error:
        return _stopped(0, error)


def _stopped(done: int, raised: Exception) -> Outcome:
    sent = isinstance(raised, _Sent)
    error = raised.error if isinstance(raised, _Sent) else raised
    if isinstance(error, AWS_ERRORS):
        verdict = Verdict.no(Reason.AWS_ERROR, str(error))
        return Outcome(done, verdict, passing=is_passing(error), sent=sent)
    if isinstance(error, StillChanging):
        return Outcome(done, Verdict.no(Reason.CHANGE_IN_PROGRESS, str(error)), passing=True, sent=sent)
    if isinstance(error, NotTaken):
        return Outcome(done, Verdict.no(Reason.NOT_TAKEN, str(error)), sent=sent)
    # A fault of the remediator itself must not hold its target for ever.
    return Outcome(done, Verdict.no(Reason.FAULTY, f"{type(error).__name__}: {error}"), sent=sent)


def is_passing(error: Exception) -> bool:
    """Whether an AWS error may be gone a minute later; no answer at all is passing too."""
    if not isinstance(error, ClientError):
        return not isinstance(error, ParamValidationError)
    code = error.response.get("Error", {}).get("Code", "")
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return code in PASSING_CODES or status >= 500


def _do(
    watch: Watch,
    remediation: Remediation,
    remediator: Remediator,
    context: Context,
    step: Step,
    call: Call,
    expected: Any,
    wanted: Any,
) -> Verdict:
    """One call, if it is within the bounds and the live value is still the expected one; nothing if it is
    already the wanted one."""
    bound = bounds.check_call(remediator, context, call, wanted)
    if not bound.ok:
        return bound
    live: Json = remediator.read(watch.aws, context)
    if live.get(step.setting) == wanted:
        return Verdict.yes(f"{step.setting} is {wanted} already")
    drift = check_drift(step, live, expected)
    if not drift.ok:
        return drift
    _still_mine(watch, remediation)
    try:
        answer = getattr(watch.aws.client(call.service, context.target.region), call.operation)(**call.params)
    except AWS_ERRORS as error:
        # No answer is not a no: the call may have been done all the same.
        try:
            done = remediator.read(watch.aws, context).get(step.setting) == wanted
        except AWS_ERRORS:
            done = False  # the call's own error says whether trying again may help
        except StillChanging as change:
            # Perhaps this very call is being carried out: nobody knows yet, whatever was answered.
            raise _Sent(change) from error
        if not done:
            raise _Sent(error) from error
        return Verdict.yes(f"{step.setting} is {wanted}, though the call failed")
    if call is step.do and step.echo and answer.get(step.echo, wanted) != wanted:
        raise _Sent(NotTaken(f"asked for {wanted}, {call.service}.{call.operation} set {answer[step.echo]}"))
    return Verdict.yes()


def _still_mine(watch: Watch, remediation: Remediation) -> None:
    """A paused invocation that wakes after its claim was taken over must not act."""
    left = watch.time_left()
    if left < MARGIN_S:
        raise ClaimLost(f"{remediation.id}: only {left:.1f} s of this invocation are left")
    until = remediation.claim_until
    if until is None or (until - watch.clock.now()).total_seconds() < MARGIN_S:
        raise ClaimLost(f"{remediation.id}: the claim ends at {until}")


def _plan_of(remediation: Remediation) -> Plan:
    if remediation.plan is None:
        raise ValueError(f"{remediation.id} has no plan to execute")
    return remediation.plan
