"""A game day as the on-call page sees it: the same page, buttons and ledger; only the account is not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import TypeVar

from alarms.api_metrics import NAMESPACE, REQUESTS, metrics_of
from dashboards.page.ledger_room import LedgerRoom
from dashboards.page.room import (
    Budget,
    Chart,
    Done,
    DrillNote,
    IncidentView,
    Kind,
    Overview,
    RemediationView,
)
from drills.gameday import GameDay
from remediators import metrics
from remediators.clients import BotocoreAws
from remediators.metrics import Series
from remediators.scorecard import Score
from sereno.errors import SerenoError
from sereno.incident import Incident
from sereno.lifecycle import Remediation

T = TypeVar("T")
SHOWN_S = 3600


class DrillRoom:
    """A `Room` over a running game day. Every look is under its lock; its time is the drill's."""

    kind = Kind.DRILL

    def __init__(self, game: GameDay) -> None:
        self._game = game
        with game.still() as cloud:
            ledger = game.ledger(cloud)
            # Clients of its own: they see the world's metrics and alarms, as Sereno's functions do.
            self._aws = BotocoreAws(game.service.region)
            self._room = LedgerRoom(game.service, ledger, self._aws, game)

    @property
    def title(self) -> str:
        """The scenario's."""
        return self._game.scenario.title

    def now(self) -> datetime:
        """The time of the drill."""
        return self._game.now()

    def version(self) -> str:
        """Changes with the ledger, the alarms, and each minute of the drill, whose charts go on."""
        return f"{self._still(self._room.version)}|{int(self._game.at_s // 10)}|{len(self._game.happenings)}"

    def overview(self) -> Overview:
        """How things stand."""
        return self._still(self._room.overview)

    def timeline(self, before: datetime | None = None) -> Sequence[Remediation]:
        """The newest remediations."""
        return self._still(lambda: self._room.timeline(before))

    def incidents(self) -> Sequence[Incident]:
        """The newest incidents."""
        return self._still(self._room.incidents)

    def incident(self, id: str) -> IncidentView | None:
        """One incident."""
        return self._still(lambda: self._room.incident(id))

    def remediation(self, id: str) -> RemediationView | None:
        """One remediation."""
        return self._still(lambda: self._room.remediation(id))

    def budget(self) -> Sequence[Budget]:
        """The error budget, from the drill's own metrics."""
        return self._still(self._room.budget)

    def scorecard(self) -> Sequence[tuple[Score, str]]:
        """How each remediator did in this game day."""
        return self._still(self._room.scorecard)

    def drills(self) -> Sequence[DrillNote]:
        """This one."""
        minutes = int(self._game.at_s // 60)
        note = f"minute {minutes}, {self._game.speed:g} times as fast as the clock on the wall"
        return (DrillNote(self._game.scenario.name, self.now() - timedelta(minutes=minutes), "running", note),)

    def charts(self) -> Sequence[Chart]:
        """What the service was asked for in the last hour of the drill, and what was turned away."""
        return self._still(self._charts)

    def act(self, verb: str, id: str, *, actor: str, plan: str | None = None) -> Done:
        """As on a real account: noted in the ledger, and carried out by the next round."""
        return self._still(lambda: self._room.act(verb, id, actor=actor, plan=plan))

    def controls(self) -> Sequence[tuple[str, str]]:
        """The scenarios that may be played."""
        return self._game.controls()

    def press(self, name: str, *, actor: str) -> Done:
        """Plays one. Who pressed it is nobody's business but theirs: it is a drill."""
        if name not in dict(self.controls()):
            return Done(False, f"{actor} cannot press {name[:40]}: there is no such button")
        return Done(True, self._game.press(name))

    def _charts(self) -> list[Chart]:
        api = next(iter(self._game.service.apis.values()))
        known = metrics_of(api)
        wanted = {
            name: Series(NAMESPACE, metric, dict(known.dimensions), "Sum")
            for name, metric in (("asked", REQUESTS), ("failed", known.failed))
        }
        end = self.now()
        found = metrics.read(self._aws.client("cloudwatch"), wanted, end - timedelta(seconds=SHOWN_S), end)
        return [
            Chart(title, "requests a second", tuple((at, value / 60) for at, value in found[name]))
            for name, title in (("asked", "Asked for"), ("failed", "Turned away"))
        ]

    def _still(self, look: Callable[[], T]) -> T:
        with self._game.still():
            return look()


def over(game: GameDay) -> str:
    """What a game day came to, in a sentence for the terminal. Raises what it failed of."""
    if game.failed is not None and not isinstance(game.failed, SerenoError):
        raise game.failed
    changed = sum(one.kind == "limit" for one in game.happenings)
    return f"The game day is over after {game.at_s / 60:.0f} minutes of its own, with {changed} changes of a limit."
