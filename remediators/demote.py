"""A remediator that did harm too often only watches from now on, and everybody hears of it."""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta

from remediators.watch import Watch
from sereno import breaker
from sereno.guard import effective_mode
from sereno.model import Mode

BY = "sereno"
MOST = 2000
TRIES = 3


def check_all(watch: Watch, remediators: Collection[str]) -> list[str]:
    """Demotes those of the remediators that went wrong too often; their names. Called for those that something has
    just gone wrong with, so an ordinary round reads nothing. Raises LedgerUnavailable."""
    if not remediators:
        return []
    now, demotion = watch.clock.now(), watch.service.demotion
    start = now - timedelta(days=demotion.days)
    newest = watch.ledger.newest(MOST, before=now, days=demotion.days + 1)
    past = [one for one in newest if one.created >= start]
    rows, demoted = watch.ledger.mode_rows(), []
    modes = {name: row.mode for name, row in rows.items()}
    for name in sorted(remediators):
        plays = [play for play in watch.service.playbook.values() if name in play.remediators]
        if not any(breaker.demotable(effective_mode(play, modes, name)[0]) for play in plays):
            continue
        set_by_person = rows[name].at if name in rows and rows[name].by != BY else None
        verdict = breaker.check(name, past, demotion, now, set_by_person)
        if verdict.ok:
            continue
        # The brake comes first: it must not hang on a message. A topic that is away is counted, which has its alarm,
        # and the card and `sereno mode` say who was demoted and why.
        watch.ledger.cap(name, Mode.OBSERVE, now, reason=verdict.detail)
        if not any(
            watch.outbox.publish_demotion(name, watch.service.name, verdict.detail, now) for _ in range(TRIES)
        ):
            watch.telemetry.count("Unpublished")
        watch.telemetry.count("Demoted", remediator=name)
        watch.telemetry.log("error", "demoted", remediator=name, why=verdict.detail)
        demoted.append(name)
    return demoted
