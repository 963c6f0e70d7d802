"""What the round does for one remediation that is due: verify, hold, take back, escalate, or carry out a wish."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from botocore.exceptions import BotoCoreError, ClientError

from remediators import approvals, authors, executor, flow, settle, shared
from remediators.ledger import TargetBusy, VersionConflict
from remediators.record import all_ok, first_no, skip, tell
from remediators.watch import Watch
from sereno import planned
from sereno.errors import LedgerUnavailable, Refused, StillChanging
from sereno.guard import check_active, check_drift, daily_cost
from sereno.lifecycle import (
    ESCALATE_AFTER,
    LIVE_WITHIN,
    NEXT_LOOK,
    REMIND_AFTER,
    REVERT_AGAIN_AFTER,
    REVERT_WITHIN,
    Remediation,
    claim_free,
)
from sereno.model import Json, Mode, Plan, Reason, Refusal, Status, Verdict, iso
from sereno.ports import Remediator

# What is approved in the last moment is carried out by the round after it; later the world it was for has gone by.
CARRIED_OUT_WITHIN = 2 * NEXT_LOOK

# So long after its hold a Region that serves no more leaves what it raised to the one that serves.
SHARED_FOR = timedelta(days=1)

# Statuses whose news is out before the next look; in the others it goes with the next step's.
TOLD_AT_ONCE = frozenset({Status.AWAITING_APPROVAL, Status.VERIFYING, Status.HOLDING, Status.ESCALATED})
# In these a change is active and nobody is at work on it: what it costs is counted each day.
STANDING = frozenset({Status.VERIFYING, Status.HOLDING, Status.ESCALATED})


def tend(watch: Watch, remediation: Remediation) -> Remediation | None:
    """One look at a due remediation; the record afterwards, or None when nothing had to be written.

    Raises LedgerUnavailable, VersionConflict (somebody else is at it), and whatever a faulty remediator raises.
    """
    if remediation.ended and remediation.unpublished and remediation.escalate_to:
        # Should the next rung not start, people know at least that this one could not help.
        remediation = _tell_late(watch, remediation)
    if remediation.escalate_to:
        remediation = _start_next(watch, remediation)
    if remediation.wish:
        return _carry_out_wish(watch, remediation)
    return _work(watch, remediation)


def _work(watch: Watch, remediation: Remediation) -> Remediation | None:
    """What is due, apart from wishes."""
    if remediation.ended and remediation.author_until and not remediation.unpublished:
        return authors.follow(watch, remediation)
    if remediation.ended:
        return _tell_again(watch, remediation)
    if remediation.unpublished and remediation.status in TOLD_AT_ONCE:
        remediation = _tell_late(watch, remediation)
    shared.note_again(watch, remediation)
    remediator = watch.load(remediation.remediator)
    try:
        remediation = _count_day(watch, remediation)
        match remediation.status:
            case Status.CLAIMED | Status.APPLYING:
                return flow.resume(watch, remediation)
            case Status.AWAITING_APPROVAL:
                return _expire(watch, remediation)
            case Status.VERIFYING:
                return _verify(watch, settle.look(watch, remediation), remediator)
            case Status.HOLDING:
                return _hold(watch, remediation, remediator)
            case Status.ESCALATED:
                return _stay_with(watch, remediation, remediator)
            case Status.REVERTING if claim_free(remediation, watch.clock.now()):
                return _take_back(watch, remediation, remediator)
    except (LedgerUnavailable, VersionConflict):
        raise
    except StillChanging as change:
        return _await(watch, remediation, str(change))
    except Exception as error:
        return _blind(watch, remediation, error)
    return None


def _await(watch: Watch, remediation: Remediation, change: str) -> Remediation | None:
    """AWS is still carrying a change out: no news, and patience with the symptom begins when the values are there. A
    change that never comes to its end is a person's work."""
    now = watch.clock.now()
    first = remediation.live is None if remediation.status is Status.VERIFYING else remediation.escalate_at is None
    if first:
        live = False if remediation.status is Status.VERIFYING else remediation.live
        patient = replace(remediation, live=live, escalate_at=now + LIVE_WITHIN)
        return watch.ledger.save(patient, before=remediation, now=now)
    if remediation.escalate_at and now >= remediation.escalate_at:
        verdict = Verdict.no(Reason.CHANGE_IN_PROGRESS, f"AWS has not come to the end of it: {change}")
        return _escalate(watch, remediation, verdict, {})
    return None


def _blind(watch: Watch, remediation: Remediation, error: Exception) -> Remediation | None:
    """A look that failed says nothing about the change: it stays, and is looked at again. When looking keeps failing,
    a person must look."""
    now = watch.clock.now()
    watch.telemetry.log("warning", "could not look", id=remediation.id, error=f"{type(error).__name__}: {error}")
    watch.telemetry.count("LookFailed", remediator=remediation.remediator)
    aws = isinstance(error, (ClientError, BotoCoreError))
    if remediation.status in (Status.VERIFYING, Status.HOLDING):
        if remediation.escalate_at is None:
            patient = replace(remediation, escalate_at=now + REVERT_WITHIN)
            remediation = watch.ledger.save(patient, before=remediation, now=now)
        elif now >= remediation.escalate_at:
            reason = Reason.AWS_ERROR if aws else Reason.FAULTY
            return _escalate(watch, remediation, Verdict.no(reason, f"could not look: {error}"), {})
    if not aws:
        raise error
    return None


def _start_next(watch: Watch, remediation: Remediation) -> Remediation:
    """The ladder's next rung takes the symptom over. Its signal's id follows from this one's, so that a second try,
    or another remediation of this rung that cannot help either, starts nothing twice. One remediator of the rung
    that cannot be started does not keep the others from it; the round tries it again."""
    signal = replace(
        remediation.signal,
        id=f"{remediation.signal.id}>{'+'.join(remediation.escalate_to)}",
        root=remediation.signal.origin,
        source="escalation",
        reason=f"{remediation.remediator} {remediation.status} ({remediation.detail})"[:1023],
    )
    errors: list[Exception] = []
    for name in remediation.escalate_to:
        try:
            flow.start_all(watch, signal, name)
        except Exception as error:
            errors.append(error)
    if errors:
        raise errors[0]
    return watch.ledger.save(replace(remediation, escalate_to=()), before=remediation, now=watch.clock.now())


def _tell_again(watch: Watch, remediation: Remediation) -> Remediation | None:
    if not remediation.unpublished:
        now = watch.clock.now()
        return watch.ledger.save(replace(remediation, due_at=None), before=remediation, now=now)
    if not watch.outbox.publish(remediation):
        watch.telemetry.count("Unpublished")
        return None
    now = watch.clock.now()
    return watch.ledger.save(replace(remediation, due_at=None), before=remediation, published=True, now=now)


def _tell_late(watch: Watch, remediation: Remediation) -> Remediation:
    """News that the topic did not take when it happened; the work goes on either way."""
    if not watch.outbox.publish(remediation):
        watch.telemetry.count("Unpublished")
        return remediation
    waiting = remediation.status is Status.AWAITING_APPROVAL
    told = replace(remediation, due_at=remediation.escalate_at) if waiting else remediation
    return watch.ledger.save(told, before=remediation, published=True, now=watch.clock.now())


def _carry_out_wish(watch: Watch, remediation: Remediation) -> Remediation | None:
    """What an operator asked for. A wish that no longer fits is answered, not ignored."""
    now, by, wish = watch.clock.now(), remediation.wish_by or "an operator", remediation.wish
    status = remediation.status
    if wish in ("approve", "revert", approvals.FIRST) and status is Status.AWAITING_APPROVAL:
        _acknowledge(watch, remediation, by)
    if wish == approvals.FIRST and status is Status.AWAITING_APPROVAL:
        return _note_first(watch, remediation, by)
    if wish == "approve" and status is Status.AWAITING_APPROVAL:
        return _approve(watch, remediation)
    if wish == "keep" and status in (Status.VERIFYING, Status.HOLDING, Status.ESCALATED):
        kept = remediation.move(Status.KEPT, now, f"kept by {by}", by=by)
        kept = replace(kept, claim_until=None, due_at=now)
        release = not remediation.ended and _holds(watch, remediation)
        return tell(watch, kept, remediation, release=release, cooldown=release, clear_wish=True)
    lease = remediation.plan is not None and remediation.plan.is_lease and remediation.steps_done > 0
    revertible = (Status.VERIFYING, Status.HOLDING, Status.ESCALATED, Status.KEPT)
    if wish == "revert" and lease and status in revertible:
        try:
            return _revert(watch, remediation, f"asked for by {by}", by=by)
        except TargetBusy as error:
            # Another change stands on top of this one; once it is taken back, this one can be.
            watch.telemetry.log("info", "a wish waits", id=remediation.id, wish=wish, why=str(error))
            return None
    if wish == "revert" and status is Status.AWAITING_APPROVAL:
        refused = remediation.move(Status.SKIPPED, now, f"refused by {by}", by=by)
        refused = replace(refused, reason=Reason.AWAITING_APPROVAL, due_at=now)
        return tell(watch, refused, remediation, release=True, refund=True, clear_wish=True)
    if status in (Status.CLAIMED, Status.APPLYING, Status.REVERTING):
        return _work(watch, remediation)  # the wish stays in the row until the work in hand is done
    watch.telemetry.log("warning", "a wish does not fit", id=remediation.id, wish=wish, status=str(status))
    return watch.ledger.save(remediation, before=remediation, now=now, clear_wish=True)


def _acknowledge(watch: Watch, remediation: Remediation, by: str) -> None:
    """Who answers what an incident asks has the incident: nobody else must be called for it."""
    book = watch.ledger.incidents
    incident = book.get(remediation.incident) if remediation.incident else None
    if incident is None or incident.owner or not incident.is_open:
        return
    try:
        book.acknowledge(incident.id, by, watch.clock.now())
    except Refused as error:
        watch.telemetry.log("info", "not acknowledged", incident=incident.id, why=str(error))


def _note_first(watch: Watch, remediation: Remediation, by: str) -> Remediation | None:
    """The first of two people has approved; the plan waits for the second as long as an approval may."""
    now = watch.clock.now()
    if remediation.escalate_at and now >= remediation.escalate_at:
        return _expire(watch, remediation)
    moved = remediation.move(Status.AWAITING_APPROVAL, now, f"approved by {by}; a second person must too", by=by)
    moved = replace(moved, approved_by=(*remediation.approved_by, by), due_at=remediation.escalate_at)
    return tell(watch, moved, remediation, clear_wish=True)


def _approve(watch: Watch, remediation: Remediation) -> Remediation | None:
    """A person's word counts for the plan they saw, but not over who has switched everything off since; while the
    stack is being changed, or the mode lets nothing be done or cannot be read, it waits, as long as an approval
    may."""
    until = remediation.escalate_at
    if until and watch.clock.now() >= until + CARRIED_OUT_WITHIN:
        return _expire(watch, remediation)
    remediator = watch.load(remediation.remediator)
    mode, gates = flow.permitted(watch, remediation, remediator)
    if all_ok(gates) and mode is Mode.OBSERVE:
        return _expire(watch, remediation)
    if all_ok(gates):
        return _commit_unless_changed(watch, remediation, remediator)
    refused = first_no(gates)
    if refused.reason is Reason.CHANGE_IN_PROGRESS:
        return _expire(watch, remediation)
    return skip(watch, remediation, Refusal(refused, gates), (), clear_wish=True, loud=True)


def _commit_unless_changed(watch: Watch, remediation: Remediation, remediator: Remediator) -> Remediation | None:
    """What was approved is this plan on this world; on another it asks again. Incidents have no value before."""
    try:
        live = remediator.read(watch.aws, watch.context(remediation, remediator))
        # Of several steps that change one setting, the first one begins with what it is now.
        first = {step.setting: step for step in reversed(_plan(remediation).steps)}
        for step in first.values():
            verdict = check_drift(step, live, step.before)
            if not verdict.ok:
                return flow.ask_again(watch, remediation, remediator, verdict)
    except (ClientError, BotoCoreError, StillChanging) as error:
        watch.telemetry.log("warning", "an approved plan waits", id=remediation.id, error=str(error))
        return _expire(watch, remediation)
    return flow.commit(watch, replace(remediation, reason=Reason.OK), remediation, remediator)


def _expire(watch: Watch, remediation: Remediation) -> Remediation | None:
    now = watch.clock.now()
    if remediation.escalate_at and now < remediation.escalate_at:
        return None
    approved = remediation.wish in ("approve", approvals.FIRST)
    why = "approved, but it could not be carried out in time" if approved else "nobody answered in time"
    expired = remediation.move(Status.SKIPPED, now, f"APPROVAL_EXPIRED: {why}")
    expired = replace(
        expired,
        reason=Reason.APPROVAL_EXPIRED,
        due_at=now,
        escalate_to=watch.play(remediation).after(remediation.remediator),
    )
    return tell(watch, expired, remediation, release=True, refund=True, clear_wish=approved)


def _drift(watch: Watch, remediation: Remediation, remediator: Remediator) -> Verdict:
    """Whether every value is still what this remediation set; NOTHING_TO_DO when all are what they were before."""
    live: Json = remediator.read(watch.aws, watch.context(remediation, remediator))
    done = _plan(remediation).steps[: remediation.steps_done]
    # Several steps may change one setting, one after another: the last one says what it is now.
    last = {step.setting: step for step in done}
    first = {step.setting: step for step in reversed(done)}
    drifts = [verdict for step in last.values() if not (verdict := check_drift(step, live, step.after)).ok]
    if not drifts:
        return Verdict.yes()
    if first and all(live.get(name) == step.before for name, step in first.items()):
        back = "; ".join(f"{name} is {step.before} again" for name, step in first.items())
        return Verdict.no(Reason.NOTHING_TO_DO, back)
    return drifts[0]


def _left_alone(watch: Watch, remediation: Remediation, remediator: Remediator, drift: Verdict) -> Remediation | None:
    """Somebody else changed what this remediation set. To the value before: then it is reverted, once whoever does
    that in order (a failback) has made its last step. To another: it is kept, and people see who did it.

    What was reverted in order has no cooldown: a region that fails again at once must be left again at once."""
    if drift.reason is not Reason.NOTHING_TO_DO:
        return _keep_drifted(watch, remediation, drift)
    if remediator.undone_by and _being_undone(watch, remediation, remediator.undone_by):
        return None
    now = watch.clock.now()
    detail = drift.detail if _gave_all_back(remediation) else f"{drift.detail}: not by this remediation"
    moved = remediation.move(Status.REVERTED, now, detail)
    moved = replace(moved, reason=Reason.OK, claim_until=None, due_at=now)
    holds = _holds(watch, remediation)
    return tell(watch, moved, remediation, release=holds, cooldown=holds and not remediator.undone_by)


def _being_undone(watch: Watch, remediation: Remediation, kind: str) -> bool:
    """Whether a remediation of another kind is reverting this one step by step, and may still take its own steps
    back. One that has made its last step only waits: nothing depends on this one any more."""
    counterpart = watch.ledger.holder(replace(remediation.target, kind=kind).key)
    undoing = watch.ledger.get(counterpart) if counterpart else None
    return undoing is not None and undoing.status in (Status.APPLYING, Status.REVERTING)


def _holds(watch: Watch, remediation: Remediation) -> bool:
    """Whether it holds its target. One that is escalated need not: somebody may have forged it, or it escalated when
    escalated changes still gave their targets back."""
    if remediation.status is not Status.ESCALATED:
        return True
    return watch.ledger.holder(remediation.target.key) == remediation.id


def _verify(watch: Watch, remediation: Remediation, remediator: Remediator) -> Remediation | None:
    drift = _drift(watch, remediation, remediator)
    if not drift.ok:
        return _left_alone(watch, remediation, remediator, drift)
    symptom, verdict, now = _symptom(watch, remediation, remediator)
    if verdict.reason is Reason.CHANGE_IN_PROGRESS:
        return _await(watch, remediation, verdict.detail)
    if remediation.live is False:
        # It is there from now on: what was measured before says nothing about it.
        there = replace(remediation, live=True, applied_at=now, escalate_at=now + ESCALATE_AFTER)
        return watch.ledger.save(there, before=remediation, now=now)
    if verdict.ok:
        ends = planned.until(remediation.signal, watch.service, now)
        hold_until = ends or now + timedelta(seconds=remediation.hold_s)
        moved = remediation.move(Status.HOLDING, now, f"{verdict.detail}; held until {hold_until:%H:%M} UTC at least")
        moved = replace(moved, hold_until=hold_until, due_at=now + NEXT_LOOK, escalate_at=None)
        return tell(watch, moved, remediation)
    if remediation.escalate_at and now >= remediation.escalate_at:
        return _escalate(watch, remediation, verdict, symptom)
    return None


def _hold(watch: Watch, remediation: Remediation, remediator: Remediator) -> Remediation | None:
    """While a change is in force: has someone else changed it, is the symptom back, may it be taken back?"""
    drift = _drift(watch, remediation, remediator)
    if not drift.ok:
        return _left_alone(watch, remediation, remediator, drift)
    symptom, verdict, now = _symptom(watch, remediation, remediator)
    if remediation.escalate_at:
        # The looks that failed before are over.
        remediation = watch.ledger.save(replace(remediation, escalate_at=None), before=remediation, now=now)
    if verdict.reason is Reason.SYMPTOM_PERSISTS:
        moved = remediation.move(Status.VERIFYING, now, f"the symptom is back: {verdict.detail}", data=symptom)
        moved = replace(moved, due_at=now + NEXT_LOOK, escalate_at=now + ESCALATE_AFTER)
        return tell(watch, moved, remediation)
    if verdict.reason is Reason.NOT_TAKEN:
        # AWS has taken back what it gave (warm environments that FAILED), and does not try again by itself.
        return _escalate(watch, remediation, verdict, symptom)
    if planned.began(remediation.signal):
        remediation = _hold_as_planned(watch, remediation)
    if remediation.hold_until and now < remediation.hold_until:
        return None
    if remediator.lasting:
        moved = remediation.move(Status.KEPT, now, f"{verdict.detail}; it stays")
        moved = replace(moved, claim_until=None, due_at=now)
        return tell(watch, moved, remediation, release=True, cooldown=True)
    release = _may_revert(watch, remediation)
    if release.ok:
        release = remediator.may_release(_plan(remediation), symptom, watch.context(remediation, remediator))
    if release.ok:
        return _revert(watch, remediation, release.detail)
    if remediation.reason is release.reason:
        return None
    # Said once, not once a minute.
    stays = remediation.move(Status.HOLDING, now, f"{release.reason}: {release.detail}", data=symptom)
    return tell(watch, replace(stays, reason=release.reason), remediation)


def _stay_with(watch: Watch, remediation: Remediation, remediator: Remediator) -> Remediation | None:
    """An escalated change is still a lease: people are reminded of it daily, a symptom that stays may have it raised
    further, and it is reverted when the symptom is gone, the hold is over and the release test passes."""
    remediation = _remind(watch, remediation)
    if remediation.reason is Reason.NOT_PERMITTED:
        return None  # nothing of a plan that was tampered with is sent, its way back included
    drift = _drift(watch, remediation, remediator)
    if drift.ok and _gave_all_back(remediation):
        drift = Verdict.no(Reason.NOTHING_TO_DO, "nothing of it is left: others needed what it took")
    if not drift.ok:
        return _left_alone(watch, remediation, remediator, drift)
    symptom, verdict, now = _symptom(watch, remediation, remediator)
    if verdict.reason is Reason.CHANGE_IN_PROGRESS:
        return None
    if verdict.reason is Reason.SYMPTOM_PERSISTS:
        if remediation.hold_until:
            remediation = watch.ledger.save(replace(remediation, hold_until=None), before=remediation, now=now)
        return flow.again(watch, remediation, remediator) if _holds(watch, remediation) else None
    if remediation.hold_until is None:
        until = planned.until(remediation.signal, watch.service, now) or now + timedelta(seconds=remediation.hold_s)
        return watch.ledger.save(replace(remediation, hold_until=until), before=remediation, now=now)
    if now < remediation.hold_until:
        return None
    if remediator.lasting:
        moved = remediation.move(Status.KEPT, now, f"{verdict.detail}; it stays")
        return tell(watch, replace(moved, claim_until=None, due_at=now), remediation, release=True, cooldown=True)
    if not _may_revert(watch, remediation).ok:
        return None
    release = remediator.may_release(_plan(remediation), symptom, watch.context(remediation, remediator))
    if not release.ok:
        return None
    try:
        return _revert(watch, remediation, release.detail)
    except TargetBusy as error:
        watch.telemetry.log("info", "an escalated change waits", id=remediation.id, why=str(error))
        return None


def _may_revert(watch: Watch, remediation: Remediation) -> Verdict:
    """No while another Region serves and the change is in a setting that the Regions share: to revert it would lower
    what that Region stands on. It stays a lease. It goes back once this Region serves again, or a day after its hold:
    a Region that needed it by then has raised it itself. A person may revert it at any time."""
    if not any(step.shared for step in _plan(remediation).steps):
        return Verdict.yes("no other Region has this setting")
    if remediation.hold_until and watch.clock.now() >= remediation.hold_until + SHARED_FOR:
        return Verdict.yes("another Region has had a day to raise it itself")
    settings = watch.ledger.settings(
        remediation.remediator, watch.service.stack, watch.clock.now(), regional=watch.service.recovery is not None
    )
    return check_active(watch.service, remediation.target.kind, remediation.signal, settings.serving)


def _gave_all_back(remediation: Remediation) -> bool:
    """Whether its values are those before: what was raised was given back right after (`settle`)."""
    done = _plan(remediation).steps[: remediation.steps_done]
    first = {step.setting: step.before for step in reversed(done)}
    return all(first[step.setting] == step.after for step in {step.setting: step for step in done}.values())


def _remind(watch: Watch, remediation: Remediation) -> Remediation:
    """People are told once a day of an escalated change that is still active."""
    now = watch.clock.now()
    if remediation.remind_at is None or now < remediation.remind_at:
        return remediation
    since = remediation.escalated_at or remediation.created
    moved = remediation.move(
        Status.ESCALATED,
        now,
        f"still active since {since:%Y-%m-%d %H:%M} UTC: {_standing(remediation)}; it costs "
        f"{daily_cost(_plan(remediation)):.2f} USD a day",
        data={"reminder": True},
    )
    return tell(watch, replace(moved, remind_at=now + REMIND_AFTER), remediation)


def _standing(remediation: Remediation) -> str:
    done = _plan(remediation).steps[: remediation.steps_done]
    first = {step.setting: step.before for step in reversed(done)}
    return ", ".join(f"{name} {first[name]} -> {after}" for name, after in {s.setting: s.after for s in done}.items())


def _count_day(watch: Watch, remediation: Remediation) -> Remediation:
    """What an active change costs counts on each day that it lasts, not only on the first."""
    now, today = watch.clock.now(), iso(watch.clock.now())[:10]
    if remediation.status not in STANDING or (remediation.cost_day or iso(remediation.created)[:10]) >= today:
        return remediation
    cost = daily_cost(_plan(remediation))
    return watch.ledger.save(replace(remediation, cost_day=today), before=remediation, now=now, day_cost=cost)


def _hold_as_planned(watch: Watch, remediation: Remediation) -> Remediation:
    """A planned event is held as the configuration says at this moment: it may have been prolonged, cut short or
    called off since."""
    now = watch.clock.now()
    until = planned.until(remediation.signal, watch.service, now)
    if until == remediation.hold_until or (
        until is None and remediation.hold_until and now >= remediation.hold_until
    ):
        return remediation
    said = f"planned until {until:%Y-%m-%d %H:%M} UTC now" if until else "not planned any more"
    moved = remediation.move(Status.HOLDING, now, f"the event is {said}")
    return tell(watch, replace(moved, hold_until=until or now), remediation)


def _symptom(watch: Watch, remediation: Remediation, remediator: Remediator) -> tuple[Json, Verdict, datetime]:
    context = watch.context(remediation, remediator, since=remediation.applied_at)
    symptom = remediator.symptom(watch.aws, context)
    verdict = remediator.verify(_plan(remediation), symptom, context)
    if verdict.reason is Reason.NO_DATA and planned.began(remediation.signal):
        # What is ready before anybody comes needs no symptom to have gone.
        verdict = Verdict.yes(f"ready; {verdict.detail}")
    return symptom, verdict, context.now


def _revert(watch: Watch, remediation: Remediation, why: str, by: str = "sereno") -> Remediation:
    """Recorded before anything is undone, so that a crash in between is seen and finished."""
    now = watch.clock.now()
    moved = remediation.move(Status.REVERTING, now, why, by=by)
    held = moved.claimed_by(watch.owner, now, escalate_at=now + REVERT_WITHIN, reason=Reason.OK)
    recorded = watch.ledger.save(
        held,
        before=remediation,
        now=now,
        clear_wish=remediation.wish is not None,
        # What has ended gave its target back.
        retake=remediation.ended or not _holds(watch, remediation),
    )
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
        first = {step.setting: step.before for step in reversed(_plan(remediation).steps)}
        back = "; ".join(f"{setting} is {before} again" for setting, before in reversed(first.items()))
        moved = remediation.move(Status.REVERTED, now, back)
        moved = replace(moved, claim_until=None, due_at=now)
        return tell(watch, moved, remediation, release=True, cooldown=True)
    if outcome.verdict.reason is Reason.DRIFTED:
        return _keep_drifted(watch, remediation, outcome.verdict)
    if outcome.passing and remediation.escalate_at and now < remediation.escalate_at:
        later = replace(remediation, claim_until=None, due_at=now + NEXT_LOOK)
        return watch.ledger.save(later, before=remediation, now=now)
    return _escalate(watch, remediation, outcome.verdict, {})


def _keep_drifted(watch: Watch, remediation: Remediation, drift: Verdict) -> Remediation:
    now = watch.clock.now()
    moved = remediation.move(Status.KEPT, now, f"{drift.reason}: {drift.detail}; left as it is")
    until = now + authors.WITHIN if authors.findable(watch, remediation) else None
    moved = replace(moved, reason=drift.reason, claim_until=None, due_at=now, author_until=until)
    holds = _holds(watch, remediation)
    return tell(watch, moved, remediation, release=holds, cooldown=holds)


def _escalate(watch: Watch, remediation: Remediation, verdict: Verdict, symptom: Json) -> Remediation:
    """People are told, and the next rung begins. A change that is active stays a lease, and keeps its target."""
    now = watch.clock.now()
    undoing = remediation.status is Status.REVERTING
    # The same trouble an hour later is no news; people are reminded of it daily.
    known = undoing and remediation.escalated_for == verdict.reason and remediation.remind_at is not None
    moved = flow.escalated(
        remediation.move(Status.ESCALATED, now, f"{verdict.reason}: {verdict.detail}", data=symptom),
        verdict.reason,
        now,
    )
    moved = replace(
        moved,
        claim_until=None,
        due_at=now,
        hold_until=now + REVERT_AGAIN_AFTER if undoing else None,
        escalate_at=None,
        escalate_to=() if known else watch.play(remediation).after(remediation.remediator),
    )
    over = not moved.active and _holds(watch, remediation)
    return tell(watch, moved, remediation, release=over, cooldown=over, quiet=known)


def _plan(remediation: Remediation) -> Plan:
    if remediation.plan is None:
        raise ValueError(f"{remediation.id} is {remediation.status} without a plan")
    return remediation.plan
