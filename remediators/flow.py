"""One signal's way: admission, observe, plan, record, apply, tell."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from botocore.exceptions import BotoCoreError, ClientError

from remediators import executor
from remediators.ledger import CostCeiling, VersionConflict
from remediators.watch import Watch
from sereno.guard import WORTH_A_PERSON, check_mode, check_signal, daily_cost, effective_mode, targets_of
from sereno.lifecycle import (
    APPLY_WITHIN,
    APPROVAL_WITHIN,
    ENDED,
    ESCALATE_AFTER,
    NEXT_LOOK,
    REVERT_WITHIN,
    VERIFY_AFTER,
    Remediation,
    claim_free,
    remediation_id,
)
from sereno.model import Event, Json, Mode, Plan, Reason, Refusal, Signal, Status, Target, Verdict
from sereno.ports import Remediator

Gates = tuple[tuple[str, Verdict], ...]


def start_all(watch: Watch, signal: Signal, name: str) -> list[Remediation | None]:
    """Runs a remediator on every target that a signal leads to; see `start`. A signal that leads to none is refused
    once, on its own target."""
    targets = targets_of(watch.load(name).kind, signal, watch.service)
    return [start(watch, signal, name, target) for target in targets or (None,)]


def start(watch: Watch, signal: Signal, name: str, target: Target | None = None) -> Remediation | None:
    """Runs a remediator on one target (left out: the first that the signal leads to), as far as it may go now.

    The answer is the remediation as recorded, or None when the signal had one before. Raises LedgerUnavailable when
    nothing could be recorded: the event is then tried again by its sender.
    """
    now = watch.clock.now()
    remediator = watch.load(name)
    target = target or next(iter(targets_of(remediator.kind, signal, watch.service)), None)
    remediation = _new(watch, signal, name, target or signal.target)
    gates: Gates = (("signal", check_signal(signal, watch.service, name, now)), _led_to(remediator, signal, target))
    if not _all_ok(gates):
        return _refuse(watch, remediation, gates)
    play = watch.play(remediation)
    mode, permitted = _permitted(watch, remediation, remediator)
    gates, remediation = (*gates, *permitted), replace(remediation, mode=mode, hold_s=play.hold_s)
    if not _all_ok(gates):
        return _refuse(watch, remediation, gates)
    verdict, earlier = watch.ledger.admit(remediation, play, now)
    if verdict.reason is Reason.DUPLICATE:
        try:
            return resume(watch, earlier) if earlier else None
        except VersionConflict:
            return None  # the round, or another delivery of the event, was faster
    gates = (*gates, ("admission", verdict))
    if not verdict.ok:
        return _refuse(watch, remediation, gates)
    return decide(watch, remediation, remediator, gates)


def _led_to(remediator: Remediator, signal: Signal, target: Target | None) -> tuple[str, Verdict]:
    if target is not None:
        return "target", Verdict.yes(f"{target.kind} {target.name}")
    detail = f"{remediator.name} changes a {remediator.kind}, and {signal.target.name} leads to none"
    return "target", Verdict.no(Reason.NOT_BOUND, detail)


def _permitted(watch: Watch, remediation: Remediation, remediator: Remediator) -> tuple[Mode, Gates]:
    """The mode at this moment, and whether it and the changes in progress let anything happen."""
    now, play = watch.clock.now(), watch.play(remediation)
    settings = watch.ledger.settings(remediator.name, watch.service.stack, now)
    mode, why = effective_mode(play, settings.modes, remediator.name)
    gates: Gates = (("mode", check_mode(mode, why)),)
    # Telling people of a symptom is right in the midst of a deployment too.
    if settings.changes and remediator.kind != "incident":
        gates = (*gates, ("changes", Verdict.no(Reason.CHANGE_IN_PROGRESS, "; ".join(settings.changes))))
    return mode, gates


def _all_ok(gates: Gates) -> bool:
    return all(verdict.ok for _, verdict in gates)


def _first_no(gates: Gates) -> Verdict:
    return next(verdict for _, verdict in gates if not verdict.ok)


def resume(watch: Watch, earlier: Remediation) -> Remediation | None:
    """Goes on with a remediation whose invocation died before acting or in the midst of it; None when it is in
    good hands or over."""
    if earlier.status not in (Status.CLAIMED, Status.APPLYING) or not claim_free(earlier, watch.clock.now()):
        return None
    taken = take_over(watch, earlier)
    remediator = watch.load(taken.remediator)
    if taken.status is Status.APPLYING:
        return carry_out(watch, taken, remediator, resumed=True)
    # Minutes have passed: an operator may have switched it off, a deployment may have begun.
    mode, gates = _permitted(watch, taken, remediator)
    if not _all_ok(gates):
        return _skip(watch, taken, Refusal(_first_no(gates), gates), ())
    return decide(watch, replace(taken, mode=Mode.strictest(taken.mode, mode)), remediator, gates)


def take_over(watch: Watch, remediation: Remediation) -> Remediation:
    """Claims a remediation that nobody works on. Raises VersionConflict when somebody was faster."""
    now = watch.clock.now()
    return watch.ledger.save(remediation.claimed_by(watch.owner, now), before=remediation, now=now)


def decide(watch: Watch, remediation: Remediation, remediator: Remediator, gates: Gates) -> Remediation:
    """Looks, plans, and goes on as the mode allows. The claim is ours and nothing has been done yet."""
    context = watch.context(remediation, remediator)
    try:
        answer = remediator.plan(remediator.observe(watch.aws, context), context)
    except (ClientError, BotoCoreError) as error:
        return _observe_later(watch, remediation, error)
    except Exception as error:
        # A fault in a remediator must not hold its target for ever; nothing has been done yet.
        return _faulty(watch, remediation, error)
    if isinstance(answer, Refusal):
        return _skip(watch, remediation, answer, gates)
    plan = replace(answer, gates=(*gates, *answer.gates))
    planned = replace(remediation, plan=plan, reason=Reason.OK)
    if remediation.mode is Mode.AUTO and plan.steps and not plan.is_lease and remediator.kind != "incident":
        # What cannot be taken back is no lease and never runs by itself.
        planned = replace(planned, mode=Mode.APPROVE)
    if planned.mode is Mode.OBSERVE:
        return _only_observe(watch, planned, remediation)
    if planned.mode is Mode.APPROVE:
        return _ask(watch, planned, remediation)
    return commit(watch, planned, remediation, remediator)


def commit(watch: Watch, planned: Remediation, before: Remediation, remediator: Remediator) -> Remediation:
    """Records the plan with its cost, then carries it out: written before anything is done."""
    now = watch.clock.now()
    plan = planned.plan or Plan((), "")
    play = watch.play(planned)
    applying = planned
    if planned.status is Status.CLAIMED:
        applying = applying.move(Status.PLANNED, now, plan.reason)
    cost, approved = daily_cost(plan), before.wish == "approve"
    # Who let it go on stands in the history, as who took it back or kept it does.
    by = (before.wish_by or "an operator") if approved else "sereno"
    applying = applying.move(Status.APPLYING, now, _changes(plan), by=by)
    applying = applying.claimed_by(watch.owner, now, escalate_at=now + APPLY_WITHIN)
    try:
        # Free plans leave the money row alone: one write less in a storm.
        money = (cost, play.cost_per_day) if cost else None
        recorded = watch.ledger.save(applying, before=before, cost=money, now=now, clear_wish=approved)
    except CostCeiling as error:
        verdict = Verdict.no(Reason.COST_CEILING, str(error))
        return _skip(watch, before, Refusal(verdict, plan.gates), (), clear_wish=approved)
    return carry_out(watch, recorded, remediator)


def carry_out(
    watch: Watch, remediation: Remediation, remediator: Remediator, *, resumed: bool = False
) -> Remediation:
    """Executes a recorded plan and records how it went. The claim is ours. `resumed`: an earlier invocation may have
    sent the next step already."""
    current = remediation

    def record(done: int) -> None:
        nonlocal current
        now = watch.clock.now()
        step = current.plan.steps[done - 1] if current.plan else None
        moved = current.move(Status.APPLYING, now, f"{step.setting} is {step.after}" if step else "")
        current = watch.ledger.save(replace(moved, steps_done=done), before=current, now=now)

    context = watch.context(remediation, remediator)
    try:
        outcome = executor.apply(watch, remediation, remediator, context, record)
        if not outcome.verdict.ok:
            sent = outcome.sent or resumed
            return _not_applied(watch, current, remediator, replace(outcome, sent=sent))
    except executor.ClaimLost as error:
        watch.telemetry.log("warning", "stopped before acting", why=str(error))
        return current
    return _applied(watch, current, outcome.done)


def _applied(watch: Watch, before: Remediation, done: int) -> Remediation:
    now = watch.clock.now()
    plan = before.plan or Plan((), "")
    if not plan.is_lease:
        # Nothing to hold or take back: it is with people from here on.
        moved = before.move(Status.ESCALATED, now, plan.reason)
        moved = replace(moved, steps_done=done, claim_until=None, due_at=None)
        return tell(watch, moved, before, release=True, cooldown=True)
    moved = before.move(Status.VERIFYING, now, _changes(plan))
    moved = replace(
        moved,
        steps_done=done,
        claim_until=None,
        applied_at=now,
        due_at=now + VERIFY_AFTER,
        escalate_at=now + ESCALATE_AFTER,
    )
    return tell(watch, moved, before)


def _not_applied(watch: Watch, before: Remediation, remediator: Remediator, outcome: executor.Outcome) -> Remediation:
    """Tries again while that may help, then takes back what was done. FAILED means that nothing stays in force."""
    now = watch.clock.now()
    partly = replace(before, steps_done=outcome.done)
    give_up = partly.escalate_at or partly.created + APPLY_WITHIN
    if outcome.passing and now < give_up:
        return _try_again(watch, partly, before, f"trying again: {outcome.verdict.detail}")
    drifted = outcome.verdict.reason is Reason.DRIFTED
    # A step that was sent may have taken effect, whatever was answered: it is looked at, and taken back too.
    count = min(
        outcome.done + (1 if outcome.sent and not drifted else 0), len(partly.plan.steps if partly.plan else ())
    )
    back = executor.undo(watch, partly, remediator, watch.context(partly, remediator), count)
    detail, now = outcome.verdict.detail, watch.clock.now()
    if back.passing and now < give_up + REVERT_WITHIN:
        left = replace(partly, steps_done=min(outcome.done, count - back.done))
        return _try_again(watch, left, before, f"taking back failed: {back.verdict.detail}")
    if back.verdict.ok:
        status, left = (Status.KEPT if drifted else Status.FAILED), replace(partly, steps_done=0)
        detail += "; the steps done were taken back" if outcome.done else ""
    else:
        status, left = (Status.KEPT if drifted else Status.ESCALATED), replace(partly, steps_done=count - back.done)
        detail += f"; taking back failed, it may be in force: {back.verdict.detail}"
    moved = left.move(status, now, detail)
    moved = replace(moved, reason=outcome.verdict.reason, claim_until=None, due_at=now)
    if status is not Status.KEPT:
        moved = replace(moved, escalate_to=watch.play(partly).after(partly.remediator))
    return tell(watch, moved, before, release=True, cooldown=True)


def _try_again(watch: Watch, partly: Remediation, before: Remediation, why: str) -> Remediation:
    now = watch.clock.now()
    later = replace(partly.move(Status.APPLYING, now, why), claim_until=None, due_at=now + NEXT_LOOK)
    return watch.ledger.save(later, before=before, now=now)


def _observe_later(watch: Watch, remediation: Remediation, error: Exception) -> Remediation:
    """AWS did not answer: nothing has been done, so the round looks again, until the news is stale."""
    now = watch.clock.now()
    if not executor.is_passing(error) or now - remediation.created > APPLY_WITHIN:
        return _skip(watch, remediation, Refusal(Verdict.no(Reason.AWS_ERROR, str(error))), ())
    watch.telemetry.log("warning", "could not observe", id=remediation.id, error=str(error))
    later = replace(remediation, claim_until=None, due_at=now + NEXT_LOOK)
    return watch.ledger.save(later, before=remediation, now=now)


def _faulty(watch: Watch, remediation: Remediation, error: Exception) -> Remediation:
    now = watch.clock.now()
    watch.telemetry.log("error", "a remediator failed", id=remediation.id, error=f"{type(error).__name__}: {error}")
    moved = remediation.move(Status.FAILED, now, f"the remediator itself failed: {type(error).__name__}: {error}")
    moved = replace(
        moved,
        reason=Reason.FAULTY,
        claim_until=None,
        due_at=now,
        escalate_to=watch.play(remediation).after(remediation.remediator),
    )
    return tell(watch, moved, remediation, release=True, cooldown=True, refund=True)


def _only_observe(watch: Watch, planned: Remediation, before: Remediation) -> Remediation:
    now = watch.clock.now()
    plan = planned.plan or Plan((), "")
    moved = planned.move(Status.OBSERVED, now, f"would have: {_changes(plan)}. {plan.reason}")
    moved = replace(moved, claim_until=None, due_at=now)
    return tell(watch, moved, before, release=True, cooldown=True, refund=True)


def _ask(watch: Watch, planned: Remediation, before: Remediation) -> Remediation:
    now = watch.clock.now()
    plan = planned.plan or Plan((), "")
    moved = planned.move(Status.AWAITING_APPROVAL, now, f"{_changes(plan)}. {plan.reason}")
    until = now + APPROVAL_WITHIN
    moved = replace(moved, reason=Reason.AWAITING_APPROVAL, claim_until=None, due_at=until, escalate_at=until)
    return tell(watch, moved, before)


def _skip(
    watch: Watch, remediation: Remediation, refusal: Refusal, gates: Gates, *, clear_wish: bool = False
) -> Remediation:
    """A claimed remediation that must not act: the target is free again and the budget given back."""
    verdict, now = refusal.verdict, watch.clock.now()
    data = _gate_data((*gates, *refusal.gates))
    moved = remediation.move(Status.SKIPPED, now, f"{verdict.reason}: {verdict.detail}", data=data)
    moved = replace(moved, reason=verdict.reason, claim_until=None, due_at=now)
    worth = verdict.reason in WORTH_A_PERSON
    if worth:
        moved = replace(moved, escalate_to=watch.play(remediation).after(remediation.remediator))
    watch.telemetry.count("Refused", reason=str(verdict.reason))
    return tell(watch, moved, remediation, release=True, refund=True, quiet=not worth, clear_wish=clear_wish)


def _refuse(watch: Watch, remediation: Remediation, gates: Gates) -> Remediation:
    """A signal that was not admitted: recorded, counted, and told when a person should know."""
    verdict, now = _first_no(gates), watch.clock.now()
    worth = verdict.reason in WORTH_A_PERSON
    first = replace(remediation, unpublished=(), sequence=0, claim_until=None, due_at=now if worth else None)
    moved = first.move(Status.SKIPPED, now, f"{verdict.reason}: {verdict.detail}", data=_gate_data(gates))
    moved = replace(moved, reason=verdict.reason)
    if worth:
        moved = replace(moved, escalate_to=watch.play(remediation).after(remediation.remediator))
    watch.telemetry.count("Refused", reason=str(verdict.reason))
    watch.ledger.refuse(moved, publish=worth)
    return moved


def tell(
    watch: Watch,
    moved: Remediation,
    before: Remediation,
    *,
    release: bool = False,
    cooldown: bool = False,
    refund: bool = False,
    clear_wish: bool = False,
    quiet: bool = False,
) -> Remediation:
    """Publishes (unless it is `quiet`: recorded, but no news), then records both the move and whether people were
    told: one write, nothing lost.

    A crash between the two publishes once more; a failed publication stays in the row for the round.
    """
    now = watch.clock.now()
    told = quiet or watch.outbox.publish(moved)
    if not told:
        watch.telemetry.count("Unpublished")
        moved = replace(moved, due_at=min(moved.due_at or now + NEXT_LOOK, now + NEXT_LOOK))
    if moved.status in ENDED and told and not moved.escalate_to:
        moved = replace(moved, due_at=None)
    rest = timedelta(seconds=watch.play(moved).cooldown_s) if cooldown else timedelta(0)
    saved = watch.ledger.save(
        moved,
        before=before,
        published=told,
        release=release,
        cooldown=rest,
        refund=refund,
        now=now,
        clear_wish=clear_wish,
    )
    watch.telemetry.count("Remediation", status=str(saved.status), remediator=saved.remediator)
    return saved


def _new(watch: Watch, signal: Signal, name: str, target: Target) -> Remediation:
    now = watch.clock.now()
    claimed = Event(now, str(Status.CLAIMED), f"{signal.name} is {signal.state}: {signal.reason}")
    return Remediation(
        id=remediation_id(signal, name, target),
        remediator=name,
        signal=signal,
        target=target,
        created=now,
        sequence=1,
        unpublished=(claimed,),
    ).claimed_by(watch.owner, now)


def _changes(plan: Plan) -> str:
    return "; ".join(f"{step.setting}: {step.before} -> {step.after}" for step in plan.steps)


def _gate_data(gates: Gates) -> Json:
    return {"gates": [[name, verdict.to_json()] for name, verdict in gates]}
