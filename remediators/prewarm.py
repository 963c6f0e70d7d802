"""Being ready for planned events: the round opens a lease on every function and table before an event begins.

A lease on a target that something else holds waits for it, minute by minute. What was refused is tried again ever
more rarely, as for a red alarm; what was done, or what a person decided, is not.
"""

from __future__ import annotations

from collections.abc import Iterator

from remediators import flow
from remediators.attempts import again, attempt_number
from remediators.watch import Watch
from sereno import planned
from sereno.guard import effective_mode, targets_of
from sereno.lifecycle import Remediation, remediation_id
from sereno.model import Mode, Reason, Signal, Status, Target
from sereno.service import PLANNED_EVENT

# Refusals that stand: there is nothing to raise, or a person has said no.
FINAL = frozenset({Reason.NOTHING_TO_DO, Reason.AWAITING_APPROVAL})


def wanted(watch: Watch) -> Iterator[tuple[Signal, str, Target]]:
    """What must be ready at this moment: each event's signal, with each remediator of its play and each target."""
    play = watch.service.playbook.get(PLANNED_EVENT)
    if play is None:
        return
    for event in planned.due(watch.service, watch.clock.now()):
        signal = planned.signal_of(event, watch.service)
        for name in play.first:
            for target in targets_of(watch.load(name).kind, signal, watch.service):
                yield signal, name, target


def start(watch: Watch, signal: Signal, name: str, target: Target) -> int:
    """Starts the lease if nothing is known of it and its target is free, or if another attempt is due; how many were
    started. However many rounds come by, one event has one lease on a target."""
    first = watch.ledger.get(remediation_id(signal, name, target))
    if first is not None and not _may_try_again(watch, first):
        return 0
    if watch.ledger.holder(target.key):
        return 0
    attempt = _attempt(watch, signal)
    if first is None:
        return 1 if flow.start(watch, signal, name, target) else 0
    for number in range(1, attempt + 1):
        known = watch.ledger.get(remediation_id(again(signal, number), name, target))
        if known is not None and (number == attempt or not _may_try_again(watch, known)):
            return 0
    return 1 if attempt and flow.start(watch, again(signal, attempt), name, target) else 0


def _attempt(watch: Watch, signal: Signal) -> int:
    event = planned.event_of(signal, watch.service)
    age = watch.clock.now() - planned.begins(event) if event else None
    return attempt_number(age.total_seconds()) if age is not None else 0


def _may_try_again(watch: Watch, known: Remediation) -> bool:
    """What was refused for a reason that may have gone. What was only observed may act once its mode lets it."""
    if known.status is Status.OBSERVED:
        settings = watch.ledger.settings(known.remediator, watch.service.stack, watch.clock.now())
        mode, _ = effective_mode(watch.play(known), settings.modes, known.remediator, settings.caps)
        return mode.rank > Mode.OBSERVE.rank
    return known.status is Status.FAILED or (known.status is Status.SKIPPED and known.reason not in FINAL)
