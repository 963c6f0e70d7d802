"""Writing down how a remediation begins, is refused, moves and ends, and telling people of it.

Each move is one write, together with the fact that people were told of it.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from remediators.watch import Watch
from sereno import planned
from sereno.errors import LedgerUnavailable
from sereno.guard import WORTH_A_PERSON
from sereno.lifecycle import NEXT_LOOK, Remediation, incident_id, remediation_id
from sereno.model import Event, Json, Refusal, Signal, Status, Target, Verdict

Gates = tuple[tuple[str, Verdict], ...]


class NotRecorded(LedgerUnavailable):
    """Not even that the signal came could be recorded, and so nothing was changed. `remediation` is what would have
    been."""

    def __init__(self, remediation: Remediation, error: LedgerUnavailable) -> None:
        super().__init__(str(error))
        self.remediation = remediation


def new(watch: Watch, signal: Signal, name: str, target: Target) -> Remediation:
    """The record of a signal that has just come, claimed by this invocation; nothing is written yet."""
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
        incident=incident_id(signal) if planned.began(signal) else "",
    ).claimed_by(watch.owner, now)


def skip(
    watch: Watch,
    remediation: Remediation,
    refusal: Refusal,
    gates: Gates,
    *,
    clear_wish: bool = False,
    loud: bool = False,
) -> Remediation:
    """A claimed remediation that must not act: the target is free again and the budget given back. People are told
    when they should know; with `loud` in any case."""
    verdict, now = refusal.verdict, watch.clock.now()
    data = _gate_data((*gates, *refusal.gates))
    moved = remediation.move(Status.SKIPPED, now, f"{verdict.reason}: {verdict.detail}", data=data)
    moved = replace(moved, reason=verdict.reason, claim_until=None, due_at=now)
    worth = verdict.reason in WORTH_A_PERSON
    if worth:
        moved = replace(moved, escalate_to=watch.play(remediation).after(remediation.remediator))
    watch.telemetry.count("Refused", reason=str(verdict.reason))
    return tell(
        watch, moved, remediation, release=True, refund=True, quiet=not (worth or loud), clear_wish=clear_wish
    )


def refuse(watch: Watch, remediation: Remediation, gates: Gates) -> Remediation:
    """A signal that was not admitted: recorded, counted, and told when a person should know."""
    verdict, now = first_no(gates), watch.clock.now()
    worth = verdict.reason in WORTH_A_PERSON
    first = replace(remediation, unpublished=(), sequence=0, claim_until=None, due_at=now if worth else None)
    moved = first.move(Status.SKIPPED, now, f"{verdict.reason}: {verdict.detail}", data=_gate_data(gates))
    moved = replace(moved, reason=verdict.reason)
    if worth:
        moved = replace(moved, escalate_to=watch.play(remediation).after(remediation.remediator))
    watch.telemetry.count("Refused", reason=str(verdict.reason))
    try:
        watch.ledger.refuse(moved, publish=worth)
    except LedgerUnavailable as error:
        raise NotRecorded(remediation, error) from error
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
    if moved.ended and told and not moved.escalate_to:
        moved = replace(moved, due_at=now + NEXT_LOOK if moved.follow_until or moved.author_until else None)
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


def all_ok(gates: Gates) -> bool:
    """Whether no gate refused."""
    return all(verdict.ok for _, verdict in gates)


def first_no(gates: Gates) -> Verdict:
    """The verdict of the gate that refused."""
    return next(verdict for _, verdict in gates if not verdict.ok)


def _gate_data(gates: Gates) -> Json:
    return {"gates": [[name, verdict.to_json()] for name, verdict in gates]}
