"""The standby's prober and round through a year, decided by the real `sereno.recovery`, without an AWS around them.

As in `remediators.prober` and `remediators.region_round`: twelve tries a minute, three seconds until a look that
hangs is given up, the last word of each prober elsewhere, an outage that is answered once in each attempt, and a
round once a minute that judges the same evidence by its own moment, also while the prober is dead.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from remediators.eyes import TIMEOUT_S
from remediators.prober import TRIES
from sereno import recovery
from sereno.recovery import PROBE_EVERY_S, Evidence, Sighting, Witness
from sereno.service import Service

MINUTE = 60.0
# What an answer takes that does not hang.
ANSWER_S = 0.4
# Half an hour after all is well a person lets the primary serve again.
BACK_AFTER_S = 1800.0
# In the year the data is never what holds a move back.
LAG_S = 0.8


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happens: who fails (or falls silent), from and to (seconds), and by how much a clock is off."""

    kind: str
    who: tuple[str, ...]
    start: float
    end: float
    by: float = 0.0

    def at(self, moment: float) -> bool:
        """Whether it is going on."""
        return self.start <= moment < self.end


class Prober:
    """What the standby remembers through a year, and whether traffic is away."""

    def __init__(self, service: Service, start: datetime, rng: np.random.Generator) -> None:
        if service.recovery is None:
            raise ValueError(f"{service.name} has no recovery")
        self._service, self._start, self._rng = service, start, rng
        self._confirm_s = float(service.recovery.confirm_s)
        self._phase: dict[str, float] = {}
        self.known: Evidence | None = None
        self._heard: dict[str, float] = {}
        self._tried: set[str] = set()
        self.moves: list[float] = []
        self.away, self._needed = False, 0.0
        self.tries = 0

    def play(self, begins: float, ends: float, events: Sequence[Event]) -> None:
        """A stretch, try by try. When each schedule begins its minute is drawn anew for each stretch."""
        self._phase = {name: float(self._rng.uniform(0, MINUTE)) for name in ("standby", "witness", "heartbeat")}
        rounds = float(self._rng.uniform(0, MINUTE))
        # When each is done, and when a try began its look (a round has none).
        turns: list[tuple[float, float | None]] = []
        for number in range(int(begins // MINUTE) - 1, int(ends // MINUTE) + 1):
            turns.append((number * MINUTE + rounds, None))
            for looked in self._looks(number * MINUTE):
                hangs = any(one.at(looked) and "standby" in one.who for one in events)
                turns.append((looked + _takes(hangs), looked))
        turns.sort(key=lambda one: one[0])
        for at, began in turns:
            if begins <= at < ends:
                self._turn(at, began, [one for one in events if one.start - MINUTE <= at < one.end + MINUTE])

    def _looks(self, minute: float) -> Iterator[float]:
        for number in range(TRIES):
            yield minute + self._phase["standby"] + number * PROBE_EVERY_S

    def _turn(self, at: float, looked: float | None, events: Sequence[Event]) -> None:
        self._mind_customers(at, events)
        if looked is None:
            self._decide(at, events)
        elif not any("prober-silent" in one.who and (one.at(looked) or one.at(at)) for one in events):
            self._try(at, looked, events)

    def _mind_customers(self, at: float, events: Sequence[Event]) -> None:
        """Traffic that is away stays there while it is needed, and until a person lets the primary serve again."""
        if self.away and any("out" in one.who for one in events if one.at(at)):
            self._needed = at
        self.away = self.away and at - self._needed < BACK_AFTER_S

    def _try(self, at: float, looked: float, events: Sequence[Event]) -> None:
        """A try that has begun with a look, and is noted when the slowest answer is there."""
        served = not any(one.at(looked) and "standby" in one.who for one in events)
        self.tries += 1
        clock = self._clock(at, events)
        told = {str(Witness.STANDBY): _sighting(clock, served)}
        for name in (Witness.THIRD, Witness.HEARTBEAT):
            word = self._last_word(str(name), at, events)
            new = word is not None and word[0] > self._heard.get(name, -1.0)
            if word is not None:
                self._heard[name] = word[0]
            if name is Witness.HEARTBEAT:
                told[name] = Sighting(clock, new, "" if new else "silent")
            elif new and word is not None:
                told[name] = _sighting(clock, word[1])
        self.known = recovery.noted(self.known, clock, primary=told, standby=Sighting(clock, True), lag_s=LAG_S)
        self._decide(at, events)

    def _decide(self, at: float, events: Sequence[Event]) -> None:
        """Moves traffic when the primary is out: by a try, or by the round. What holds the target begins nothing new,
        and each attempt is made once."""
        known, clock = self.known, self._clock(at, events)
        if self.away or known is None:
            return
        out = recovery.still_out(known, clock, self._confirm_s)
        if not out.ok:
            return
        attempt = recovery.outage(self._service, known, clock, out.detail).id
        if attempt in self._tried:
            return
        self._tried.add(attempt)
        if recovery.standby_ready(known, clock, self._service.objectives.rpo_s).ok:
            self.away, self._needed = True, at
            self.moves.append(at)

    def _clock(self, at: float, events: Sequence[Event]) -> datetime:
        """What the standby's clock shows."""
        off = sum(one.by for one in events if one.at(at) and "clock" in one.who)
        return self._start + timedelta(seconds=at + off)

    def _last_word(self, name: str, at: float, events: Sequence[Event]) -> tuple[float, bool] | None:
        """When a prober elsewhere began the try of which it left word last, and whether it was served."""
        turn = at - (at - self._phase[name]) % PROBE_EVERY_S
        while turn > at - MINUTE:
            hit = [one for one in events if one.at(turn)]
            silent = any(f"{name}-silent" in one.who or (name == "heartbeat" and name in one.who) for one in hit)
            tries = (turn - self._phase[name]) % MINUTE < (TRIES - 1) * PROBE_EVERY_S + 1e-6
            fails = any(name in one.who for one in hit)
            if tries and not silent and turn + _takes(fails) <= at:
                return turn, not fails
            turn -= PROBE_EVERY_S
        return None


def _takes(hangs: bool) -> float:
    return TIMEOUT_S if hangs else ANSWER_S


def _sighting(at: datetime, ok: bool) -> Sighting:
    return Sighting(at, ok, "" if ok else "no answer")
