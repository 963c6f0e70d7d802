"""One signal's way: admission, observe, plan, record, apply, tell."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from botocore.exceptions import BotoCoreError, ClientError

from remediators import aftermath, executor, paged, shared
from remediators.ledger import BudgetSpent, CostCeiling, VersionConflict
from remediators.record import Gates, NotRecorded, all_ok, first_no, new, refuse, skip, tell
from remediators.watch import Watch
from sereno import planned
from sereno.errors import LedgerUnavailable, StillChanging
from sereno.guard import (
    asked_for,
    check_active,
    check_mode,
    check_signal,
    daily_cost,
    effective_mode,
    still_planned,
    targets_of,
)
from sereno.lifecycle import (
    APPLY_WITHIN,
    ESCALATE_AFTER,
    NEXT_LOOK,
    REMIND_AFTER,
    REVERT_WITHIN,
    VERIFY_AFTER,
    Remediation,
    claim_free,
)
from sereno.model import Mode, Plan, Reason, Refusal, Signal, Status, Target, Verdict
from sereno.ports import Remediator

# What may be raised further while it is escalated. Traffic and quotas have no second size.
RAISED = frozenset({"function", "table"})


def answer(watch: Watch, signal: Signal, name: str) -> list[Remediation | None]:
    """`start_all` for an event's signal: when the ledger cannot be reached, people are told past it, once for each
    attempt to deliver the event. Raises what `start_all` raises."""
    try:
        return start_all(watch, signal, name)
    except NotRecorded as error:
        watch.telemetry.log("error", "the ledger cannot be reached", id=error.remediation.id, error=str(error))
        watch.telemetry.count("NotRecorded")
        watch.outbox.publish_past_ledger(error.remediation, str(error))
        raise


def start_all(watch: Watch, signal: Signal, name: str) -> list[Remediation | None]:
    """Runs a remediator on every target that a signal leads to; see `start`. A signal that leads to none is refused
    once, on its own target. One target that fails does not keep the others from it: the first error is raised at the
    end."""
    started: list[Remediation | None] = []
    errors: list[Exception] = []
    for target in targets_of(watch.load(name).kind, signal, watch.service) or (None,):
        try:
            started.append(start(watch, signal, name, target))
        except Exception as error:
            errors.append(error)
    if errors:
        raise errors[0]
    return started


def start(watch: Watch, signal: Signal, name: str, target: Target | None = None) -> Remediation | None:
    """Runs a remediator on one target (left out: the first that the signal leads to), as far as it may go now.

    The answer is the remediation as recorded, or None when the signal had one before, or another invocation was
    faster. Raises NotRecorded when nothing could be recorded (the event is then tried again by its sender), and
    LedgerUnavailable when that happens later (the round goes on).
    """
    now = watch.clock.now()
    remediator = watch.load(name)
    target = target or next(iter(targets_of(remediator.kind, signal, watch.service)), None)
    remediation = new(watch, signal, name, target or signal.target)
    gates: Gates = (("signal", check_signal(signal, watch.service, name, now)), _led_to(remediator, signal, target))
    if not all_ok(gates):
        return refuse(watch, remediation, gates)
    play = watch.play(remediation)
    mode, more = permitted(watch, remediation, remediator)
    gates, remediation = (*gates, *more), replace(remediation, mode=mode, hold_s=play.hold_s)
    if not all_ok(gates):
        return refuse(watch, remediation, gates)
    book = watch.ledger.incidents
    try:
        thread = book.thread(watch.service, signal, now)
        remediation = replace(remediation, incident=thread.incident)
        if thread.group:
            book.join(thread, remediation, now)
        pages = remediator.kind == "incident"
        if pages:
            gates = (*gates, ("page", paged.check(book, remediation, watch.service, now)))
            if not all_ok(gates):
                return refuse(watch, remediation, gates)
        # A planned event comes once: what cools down after something else does not keep it. Nor does a page wait, or
        # count against a budget: it is the last resort, and `paged` keeps it to one for each symptom.
        rested = not pages and not planned.began(signal)
        verdict, earlier = watch.ledger.admit(remediation, play, now, rested=rested, counted=not pages)
        if verdict.reason is Reason.DUPLICATE and thread.group:
            book.release(thread)
    except LedgerUnavailable as error:
        raise NotRecorded(remediation, error) from error
    gates = (*gates, ("incident", Verdict.yes(thread.why)), ("admission", verdict))
    try:
        if verdict.reason is Reason.DUPLICATE:
            return resume(watch, earlier) if earlier else None
        if not verdict.ok:
            refused = refuse(watch, remediation, gates)
            if verdict.reason is Reason.TARGET_BUSY:
                _raise_holder(watch, remediation, remediator)
            return refused
        return decide(watch, remediation, remediator, gates)
    except VersionConflict:
        return None  # the round, or another delivery of the event, was faster


def _led_to(remediator: Remediator, signal: Signal, target: Target | None) -> tuple[str, Verdict]:
    if target is not None:
        return "target", Verdict.yes(f"{target.kind} {target.name}")
    detail = f"{remediator.name} changes a {remediator.kind}, and {signal.target.name} leads to none"
    return "target", Verdict.no(Reason.NOT_BOUND, detail)


def permitted(watch: Watch, remediation: Remediation, remediator: Remediator) -> tuple[Mode, Gates]:
    """The mode at this moment, and whether it and the changes in progress let anything happen."""
    now, play = watch.clock.now(), watch.play(remediation)
    regional = watch.service.recovery is not None
    settings = watch.ledger.settings(remediator.name, watch.service.stack, now, regional=regional)
    mode, why = effective_mode(play, settings.modes, remediator.name, settings.caps)
    if settings.modes is not None:
        two_person = watch.service.approvals.two_person
        mode, why = asked_for(remediation.signal, remediator.kind, mode, two_person=two_person) or (mode, why)
    passive = check_active(watch.service, remediator.kind, remediation.signal, settings.serving)
    if not passive.ok and mode.rank > Mode.OBSERVE.rank:
        mode, why = Mode.OBSERVE, f"{passive.reason}: {passive.detail}"
    if settings.modes is None and remediator.kind == "incident":
        # To fail closed is to change nothing; a person who is told once too often is no harm.
        mode, why = play.mode, "the mode could not be read, and telling people changes nothing"
    gates: Gates = (("mode", check_mode(mode, why)),)
    # Telling people of a symptom is right in the midst of a deployment too.
    if settings.changes and remediator.kind != "incident":
        gates = (*gates, ("changes", Verdict.no(Reason.CHANGE_IN_PROGRESS, "; ".join(settings.changes))))
    return mode, gates


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
    mode, gates = permitted(watch, taken, remediator)
    if not all_ok(gates):
        return skip(watch, taken, Refusal(first_no(gates), gates), ())
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
    except (ClientError, BotoCoreError, StillChanging) as error:
        return _observe_later(watch, remediation, error)
    except Exception as error:
        # A fault in a remediator must not hold its target for ever; nothing has been done yet.
        return _faulty(watch, remediation, error)
    if isinstance(answer, Refusal):
        if answer.verdict.reason is Reason.CHANGE_IN_PROGRESS:
            # It ends by itself, and what it leaves must be looked at then, not at the alarm's next attempt.
            return _observe_later(watch, remediation, StillChanging(answer.verdict.detail))
        if answer.verdict.reason is Reason.NOT_TOLD:
            return _look_again(watch, remediation, answer.verdict.detail)
        return skip(watch, remediation, answer, gates)
    plan = replace(answer, gates=(*gates, *answer.gates))
    decided = replace(remediation, plan=plan, reason=Reason.OK)
    if remediation.mode is Mode.AUTO and plan.steps and not plan.is_lease and remediator.kind != "incident":
        # What cannot be taken back is no lease and never runs by itself.
        decided = replace(decided, mode=Mode.APPROVE)
    if decided.mode is Mode.OBSERVE:
        return _only_observe(watch, aftermath.begin(decided, remediator), remediation)
    # Telling people changes nothing: to ask whether somebody may be called would call nobody.
    if decided.mode is Mode.APPROVE and remediator.kind != "incident":
        return _ask(watch, decided, remediation)
    return commit(watch, decided, remediation, remediator)


def commit(watch: Watch, decided: Remediation, before: Remediation, remediator: Remediator) -> Remediation:
    """Records the plan with its cost, then carries it out: written before anything is done."""
    now = watch.clock.now()
    plan = decided.plan or Plan((), "")
    play = watch.play(decided)
    cost, approved = daily_cost(plan), before.wish == "approve"
    # Between the decision and this moment half an hour may have passed: somebody was asked, or a process died.
    timely = still_planned(decided.signal, watch.service, now)
    if not timely.ok:
        return skip(watch, before, Refusal(timely, plan.gates), (), clear_wish=approved)
    applying = decided
    if decided.status is Status.CLAIMED:
        applying = applying.move(Status.PLANNED, now, plan.reason)
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
        return skip(watch, before, Refusal(verdict, plan.gates), (), clear_wish=approved)
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
        # AWS may take minutes over each step before it takes the next: patience begins anew.
        moved = replace(moved, steps_done=done, escalate_at=now + APPLY_WITHIN)
        current = watch.ledger.save(moved, before=current, now=now)

    # Each step that is done begins the patience with the next anew, and so says when it was done.
    since = remediation.escalate_at - APPLY_WITHIN if remediation.escalate_at and remediation.steps_done else None
    context = watch.context(remediation, remediator, since=since)
    shared.note_here(watch, current)
    try:
        outcome = executor.apply(watch, remediation, remediator, context, record)
        if not outcome.verdict.ok:
            sent = outcome.sent or resumed
            return _not_applied(watch, current, remediator, replace(outcome, sent=sent))
    except executor.ClaimLost as error:
        watch.telemetry.log("warning", "stopped before acting", why=str(error))
        return current
    return _applied(watch, current, outcome.done)


def _raise_holder(watch: Watch, refused: Remediation, remediator: Remediator) -> None:
    """A new alarm finds its target held by an escalated change of the same remediator: that one is raised further."""
    holder = watch.ledger.get(watch.ledger.holder(refused.target.key) or "")
    same = holder is not None and holder.remediator == refused.remediator
    if holder is not None and same and holder.status is Status.ESCALATED and holder.active:
        again(watch, holder, remediator)


def again(watch: Watch, remediation: Remediation, remediator: Remediator) -> Remediation | None:
    """Raises an escalated change further, on top of what is active; what it is reverted to stays the value before the
    first raise. None where it may not, need not, or the day's budget is used up: it is looked at again after the
    cooldown. Only in `auto`: elsewhere a person reverts or keeps it, and the next alarm asks."""
    now, play = watch.clock.now(), watch.play(remediation)
    if remediator.kind not in RAISED or (remediation.again_at and now < remediation.again_at):
        return None
    later = replace(remediation, again_at=now + timedelta(seconds=max(play.cooldown_s, NEXT_LOOK.total_seconds())))
    mode, gates = permitted(watch, remediation, remediator)
    if not all_ok(gates) or mode is not Mode.AUTO:
        return watch.ledger.save(later, before=remediation, now=now)
    context = watch.context(remediation, remediator)
    try:
        answer = remediator.plan(remediator.observe(watch.aws, context), context)
    except (ClientError, BotoCoreError, StillChanging) as error:
        watch.telemetry.log("warning", "could not observe", id=remediation.id, error=str(error))
        return None
    if isinstance(answer, Refusal) or not answer.is_lease or remediation.plan is None:
        return watch.ledger.save(later, before=remediation, now=now)
    stands, cost = remediation.plan, daily_cost(answer)
    plan = replace(
        answer,
        steps=(*stands.steps[: remediation.steps_done], *answer.steps),
        monthly_cost=stands.monthly_cost + answer.monthly_cost,
        high_risk=stands.high_risk or answer.high_risk,
        gates=(*gates, *answer.gates),
    )
    moved = remediation.move(Status.APPLYING, now, f"raised again: {_changes(answer)}. {answer.reason}")
    moved = moved.claimed_by(watch.owner, now, escalate_at=now + APPLY_WITHIN)
    moved = replace(
        moved,
        plan=plan,
        again_from=remediation.steps_done,
        reason=Reason.OK,
        hold_until=None,
        live=None,
        again_at=None,
    )
    money = (cost, play.cost_per_day) if cost else None
    try:
        recorded = watch.ledger.save(moved, before=remediation, now=now, again=(play.per_day, money))
    except BudgetSpent as error:
        watch.telemetry.count("Refused", reason=str(Reason.BUDGET_SPENT))
        watch.telemetry.log("warning", "not raised again", id=remediation.id, why=str(error))
        return watch.ledger.save(later, before=remediation, now=now)
    return carry_out(watch, recorded, remediator)


def escalated(moved: Remediation, reason: Reason, now: datetime) -> Remediation:
    """The record with its flag for people: since when, why, and when they are reminded while it is active."""
    return replace(
        moved,
        reason=reason,
        escalated_at=moved.escalated_at or now,
        escalated_for=str(reason),
        remind_at=(moved.remind_at or now + REMIND_AFTER) if moved.active else None,
        applied_at=moved.applied_at or now,
        again_at=None,
    )


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
    if outcome.verdict.reason is Reason.NOT_PERMITTED:
        return _out_of_bounds(watch, before, outcome.verdict)
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
    # What was active before it was raised again stays: only the raise on top of it is reverted.
    kept = min(partly.again_from, count)
    back = executor.undo(watch, partly, remediator, watch.context(partly, remediator), count, keep=kept)
    detail, now = outcome.verdict.detail, watch.clock.now()
    if back.passing and now < give_up + REVERT_WITHIN:
        left = replace(partly, steps_done=min(outcome.done, count - back.done))
        return _try_again(watch, left, before, f"taking back failed: {back.verdict.detail}")
    if back.verdict.ok:
        failed = Status.ESCALATED if kept else Status.FAILED
        status, left = (Status.KEPT if drifted else failed), replace(partly, steps_done=kept)
        detail += "; the steps done were taken back" if outcome.done else ""
    else:
        status, left = (Status.KEPT if drifted else Status.ESCALATED), replace(partly, steps_done=count - back.done)
        detail += f"; taking back failed, it may be in force: {back.verdict.detail}"
    moved = left.move(status, now, detail)
    moved = replace(moved, reason=outcome.verdict.reason, claim_until=None, due_at=now)
    if status is not Status.KEPT:
        moved = replace(moved, escalate_to=watch.play(partly).after(partly.remediator))
    if status is Status.ESCALATED:
        moved = escalated(moved, outcome.verdict.reason, now)
    return tell(watch, moved, before, release=not moved.active, cooldown=not moved.active)


def _out_of_bounds(watch: Watch, before: Remediation, verdict: Verdict) -> Remediation:
    """A plan that this remediator cannot have made: a person must look at who wrote it. Nothing of it is sent, not
    even its way back; steps that were done before stay as they are."""
    now = watch.clock.now()
    watch.telemetry.count("Refused", reason=str(verdict.reason))
    watch.telemetry.log("error", "a recorded plan is out of bounds", id=before.id, why=verdict.detail)
    stays = f"; {before.steps_done} steps done before stay as they are" if before.steps_done else ""
    status = Status.ESCALATED if before.steps_done else Status.FAILED
    moved = before.move(status, now, f"{verdict.reason}: {verdict.detail}; nothing was sent{stays}")
    moved = replace(
        moved,
        reason=verdict.reason,
        claim_until=None,
        due_at=now,
        escalate_to=watch.play(before).after(before.remediator),
    )
    if moved.active:
        # The steps that were done before are still a lease; a person must revert or keep them.
        return tell(watch, escalated(moved, verdict.reason, now), before)
    # A row that somebody has written need not hold the target that it names.
    holds = watch.ledger.holder(before.target.key) == before.id
    return tell(watch, moved, before, release=holds, cooldown=holds)


def _try_again(watch: Watch, partly: Remediation, before: Remediation, why: str) -> Remediation:
    """The same trouble as the minute before is no news."""
    now = watch.clock.now()
    moved = partly if partly.detail == why else partly.move(Status.APPLYING, now, why)
    return watch.ledger.save(replace(moved, claim_until=None, due_at=now + NEXT_LOOK), before=before, now=now)


def _observe_later(watch: Watch, remediation: Remediation, error: Exception) -> Remediation:
    """AWS did not answer: nothing has been done, so the round looks again, until the news is stale."""
    now = watch.clock.now()
    if not executor.is_passing(error) or now - remediation.created > APPLY_WITHIN:
        reason = Reason.CHANGE_IN_PROGRESS if isinstance(error, StillChanging) else Reason.AWS_ERROR
        return skip(watch, remediation, Refusal(Verdict.no(reason, str(error))), ())
    watch.telemetry.log("warning", "could not observe", id=remediation.id, error=str(error))
    later = replace(remediation, claim_until=None, due_at=now + NEXT_LOOK)
    return watch.ledger.save(later, before=remediation, now=now)


def _look_again(watch: Watch, remediation: Remediation, why: str) -> Remediation:
    """The metrics that decide are on their way: the very next round looks again. The plan says how long to wait."""
    now = watch.clock.now()
    watch.telemetry.log("info", "the metrics do not tell yet", id=remediation.id, why=why)
    later = replace(remediation, claim_until=None, due_at=now)
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


def _only_observe(watch: Watch, decided: Remediation, before: Remediation) -> Remediation:
    now = watch.clock.now()
    plan = decided.plan or Plan((), "")
    moved = decided.move(Status.OBSERVED, now, f"would have: {_changes(plan) or 'paged people'}. {plan.reason}")
    moved = replace(moved, claim_until=None, due_at=now)
    return tell(watch, moved, before, release=True, cooldown=True, refund=True)


def _ask(watch: Watch, decided: Remediation, before: Remediation) -> Remediation:
    now = watch.clock.now()
    plan = decided.plan or Plan((), "")
    moved = decided.move(Status.AWAITING_APPROVAL, now, f"{_changes(plan)}. {plan.reason}")
    until = now + timedelta(seconds=watch.service.approvals.within_s)
    moved = replace(moved, reason=Reason.AWAITING_APPROVAL, claim_until=None, due_at=until, escalate_at=until)
    return tell(watch, moved, before)


def ask_again(watch: Watch, remediation: Remediation, remediator: Remediator, changed: Verdict) -> Remediation:
    """The world is not the one that the approved plan was made for: a new plan asks anew, or there is nothing to do.
    Nothing has been done yet. Raises StillChanging while the world cannot tell."""
    context, now = watch.context(remediation, remediator), watch.clock.now()
    answer = remediator.plan(remediator.observe(watch.aws, context), context)
    if isinstance(answer, Refusal):
        if answer.verdict.reason in (Reason.CHANGE_IN_PROGRESS, Reason.NOT_TOLD):
            # Both pass by themselves; who asked waits, as long as an approval may.
            raise StillChanging(answer.verdict.detail)
        return skip(watch, remediation, answer, (), clear_wish=True, loud=True)
    until = now + timedelta(seconds=watch.service.approvals.within_s)
    why = f"{changed.detail}; asked again: {_changes(answer)}. {answer.reason}"
    moved = remediation.move(Status.AWAITING_APPROVAL, now, why)
    gates = remediation.plan.gates if remediation.plan else ()
    moved = replace(
        moved, plan=replace(answer, gates=gates), approved_by=(), claim_until=None, due_at=until, escalate_at=until
    )
    return tell(watch, moved, remediation, clear_wish=True)


def _changes(plan: Plan) -> str:
    return "; ".join(f"{step.setting}: {step.before} -> {step.after}" for step in plan.steps)
