"""What the round of the standby does for the other region: when it is out, or a person wants traffic moved,
everything that answers that is started, should the prober have died or been beaten to it."""

from __future__ import annotations

from botocore.exceptions import BotoCoreError, ClientError

from remediators import evidence, flow
from remediators.actions._switch import FULL, primary_share, readable_call
from remediators.evidence import Ask, Rows
from remediators.watch import MARGIN_S, Watch
from sereno import recovery
from sereno.guard import targets_of
from sereno.lifecycle import remediation_id
from sereno.model import Mode, Signal, Target
from sereno.recovery import Witness


def tend(watch: Watch) -> int:
    """How many remediations it started. Raises LedgerUnavailable, and what AWS raises."""
    rows = evidence.of(watch.aws, watch.service)
    _note_share(watch, rows)
    _keep_readable(watch, rows)
    started = sum(answer(watch, one) for one in rows.asks)
    signal = _out(watch, rows)
    return started + (start_missing(watch, signal) if signal else 0)


def _note_share(watch: Watch, rows: Rows) -> None:
    """Reads the primary's share of the records while something changes it, and notes it for the prober, which never
    asks Route 53's control plane. A share that cannot be read stays what it was."""
    service, wanted = watch.service, watch.service.recovery
    if wanted is None or not wanted.zone:
        return
    traffic = Target("traffic", wanted.primary, service.region, service.account)
    settled = rows.share in (None, FULL) and wanted.strategy != "weighted"
    if settled and not watch.ledger.held([traffic.key]):
        return
    try:
        share = primary_share(watch.aws, service)
    except (ClientError, BotoCoreError) as error:
        watch.telemetry.log("warning", "could not read the primary's share of the records", error=str(error))
        return
    if share is not None and share != rows.share:
        evidence.note_share(watch.aws.client("dynamodb"), service, share)


def _keep_readable(watch: Watch, rows: Rows) -> None:
    """Writes the public object that is always there, when the prober of this region has just failed to read it. It
    may be missing, or hidden: the next probes tell. While a removal has everything switched off it stays away."""
    known, now = rows.evidence, watch.clock.now()
    if known is None or str(Witness.STANDBY) not in (known.hidden_from or ()) or now - known.at > recovery.FRESH:
        return
    if watch.ledger.modes().get("*") is Mode.OFF:
        return
    call = readable_call(watch.service)
    try:
        getattr(watch.aws.client(call.service), call.operation)(**call.params)
    except (ClientError, BotoCoreError) as error:
        watch.telemetry.log("warning", "the readable object could not be written", error=str(error))


def answer(watch: Watch, asked: Ask) -> int:
    """Begins what a person asked for, once; how many remediations that started."""
    started = start_missing(watch, recovery.asked_signal(watch.service, asked.what, asked.at, asked.by))
    evidence.answered(watch.aws.client("dynamodb"), watch.service, asked)
    return started


def start_missing(watch: Watch, signal: Signal) -> int:
    """Starts what the play's first rung says, on every target that nobody holds; how many."""
    play = watch.service.playbook.get(signal.what)
    wanted: list[tuple[str, Target]] = [
        (name, target)
        for name in (play.first if play else ())
        for target in targets_of(watch.load(name).kind, signal, watch.service)
    ]
    held = watch.ledger.held(target.key for _, target in wanted)
    started = 0
    for name, target in wanted:
        if target.key in held or watch.time_left() < MARGIN_S:
            continue
        if watch.ledger.get(remediation_id(signal, name, target)) is None:
            started += 1 if flow.start(watch, signal, name, target) else 0
    return started


def _out(watch: Watch, rows: Rows) -> Signal | None:
    """The outage that is confirmed at this moment."""
    known, service, now = rows.evidence, watch.service, watch.clock.now()
    if known is None or service.recovery is None:
        return None
    out = recovery.still_out(known, now, service.recovery.confirm_s)
    return recovery.outage(service, known, now, out.detail) if out.ok else None
