"""What the round of the standby does for the other region: when it is out, everything that answers that is started,
should the prober have died or been beaten to it."""

from __future__ import annotations

from remediators import evidence, flow
from remediators.watch import MARGIN_S, Watch
from sereno import recovery
from sereno.guard import targets_of
from sereno.lifecycle import remediation_id
from sereno.model import Signal, Target
from sereno.service import REGION_OUT


def tend(watch: Watch) -> int:
    """How many remediations it started. Raises LedgerUnavailable, and what AWS raises."""
    signal = _out(watch)
    play = watch.service.playbook.get(REGION_OUT)
    if signal is None or play is None:
        return 0
    wanted: list[tuple[str, Target]] = [
        (name, target) for name in play.first for target in targets_of(watch.load(name).kind, signal, watch.service)
    ]
    held = watch.ledger.held(target.key for _, target in wanted)
    started = 0
    for name, target in wanted:
        if target.key in held or watch.time_left() < MARGIN_S:
            continue
        if watch.ledger.get(remediation_id(signal, name, target)) is None:
            started += 1 if flow.start(watch, signal, name, target) else 0
    return started


def _out(watch: Watch) -> Signal | None:
    """The outage that is confirmed at this moment."""
    known, service = evidence.of(watch.aws, watch.service).evidence, watch.service
    now = watch.clock.now()
    if known is None or service.recovery is None:
        return None
    out = recovery.confirmed_out(known, now, service.recovery.confirm_s)
    if not out.ok:
        return None
    return recovery.attempt(recovery.out_signal(service, recovery.out_since(known, now), out.detail), now)
