"""What an invocation works with, gathered once: the service, the ledger, AWS, the clock, the outbox."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from remediators import registry
from remediators.ledger import Ledger
from remediators.outbox import Outbox
from sereno.lifecycle import Remediation
from sereno.ports import Aws, Clock, Context, Remediator, Telemetry
from sereno.service import Play, Service

# Before every call that changes something this much must be left of the invocation: a call may take 5 s.
MARGIN_S = 6.0


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """This moment, in UTC."""
        return datetime.now(UTC)


def plenty() -> float:
    """Seconds left where nothing ends the process."""
    return 3600.0


@dataclass(frozen=True, slots=True)
class Watch:
    """The dependencies of the flow. `time_left` answers the seconds this invocation may still run."""

    service: Service
    ledger: Ledger
    aws: Aws
    clock: Clock
    outbox: Outbox
    telemetry: Telemetry
    owner: str = "local"
    time_left: Callable[[], float] = plenty
    load: Callable[[str], Remediator] = field(default=registry.load)

    def context(self, remediation: Remediation, remediator: Remediator, *, since: datetime | None = None) -> Context:
        """What the remediator may know, at this moment."""
        play = self.play(remediation)
        return Context(
            service=self.service,
            play=play,
            target=remediation.target,
            now=self.clock.now(),
            params=parameters(remediator, play),
            signal=remediation.signal,
            since=since,
            plan=remediation.plan,
        )

    def play(self, remediation: Remediation) -> Play:
        """The playbook's line for this remediation; the defaults when it has been taken out meanwhile."""
        what = remediation.signal.what
        return self.service.playbook.get(what) or Play(what, ((remediation.remediator,),))


def parameters(remediator: Remediator, play: Play) -> Mapping[str, Any]:
    """The remediator's knobs: its defaults, then what the playbook says."""
    return {name: play.params.get(name, param.default) for name, param in remediator.params.items()}
