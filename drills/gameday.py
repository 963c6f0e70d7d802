"""A game day: a drill that people watch and meddle with, at real time or so many times as fast.

The world is calm until somebody presses a button; each button plays the traffic and faults of a scenario from that
moment on. The engine runs in a thread of its own and waits for the clock on the wall between two happenings; whoever
looks at the world meanwhile does so under the same lock, so that nobody sees half a happening.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from drills import drill as rehearsal
from drills import scenario as scenarios
from drills.clients import Traffic
from drills.cloud import Cloud
from drills.engine import Engine, Happening, Run
from drills.scenario import Scenario
from remediators.ledger import Ledger
from sereno.errors import SerenoError
from sereno.model import Json, Mode
from sereno.service import Service

CALM = "calm"
# What may be pressed beside the scenario that was asked for: those whose world is the same but for its traffic.
OTHERS = ("surge-ramp", "surge-step", "slow-downstream")
# A game day ends by itself after this much of its own time.
LONGEST_S = 24 * 3600
LOOK_S = 0.05


class Over(Exception):
    """The game day has been ended."""


@dataclass
class GameDay:
    """One game day. `speed` is how many seconds of the drill pass in one of the wall. Raises InvalidInput where the
    scenario cannot be played."""

    scenario: Scenario
    seed: int = 1
    speed: float = 1.0
    mode: Mode | None = None
    heard: Callable[[Happening], None] = lambda _: None
    monotonic: Callable[[], float] = time.monotonic
    at_s: float = field(default=0.0, init=False)
    happenings: list[Happening] = field(default_factory=list, init=False)
    failed: BaseException | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        calm = replace(self.scenario, points=((0.0, 1.0),), daily=None, faults=(), jitter_s=0.0, duration_s=LONGEST_S)
        compiled, self.service = rehearsal.prepared(calm)
        if self.mode is not None:
            for play in compiled["playbook"].values():
                play["mode"] = str(self.mode)
            self.service = Service.from_json(compiled)
        self._plays = {one.name: one for one in _playable(self.scenario)}
        self._lock = threading.RLock()
        self._ready, self._over = threading.Event(), threading.Event()
        self._began = 0.0
        self._cloud: Cloud | None = None
        self._run: Run | None = None
        self._engine = Engine(
            calm,
            self.seed,
            self.service,
            compiled,
            rehearsal.template_of(calm),
            watch_over=self._hear,
            tick=self._tick,
            opened=self._opened,
        )
        self._thread = threading.Thread(target=self._play, name="game day", daemon=True)

    # -- its life

    def begin(self) -> None:
        """Starts it, and comes back when its world stands. Raises what kept it from standing."""
        self._thread.start()
        self._ready.wait()
        if self.failed is not None:
            raise self.failed

    def end(self) -> None:
        """Ends it and waits until its world is gone."""
        self._over.set()
        self._thread.join(timeout=30)

    @contextmanager
    def still(self) -> Iterator[Cloud]:
        """The world between two happenings. Raises SerenoError when there is none any more."""
        with self._lock:
            if self._cloud is None:
                raise SerenoError("the game day is over")
            yield self._cloud

    def ledger(self, cloud: Cloud) -> Ledger:
        """The watch's ledger."""
        return Ledger(cloud.clients("dynamodb"), cloud.created.physical("Ledger"), self.service.name)

    def now(self) -> datetime:
        """The time of the drill."""
        return datetime.fromtimestamp(self.scenario.start_s + self.at_s, UTC)

    # -- what may be pressed

    def controls(self) -> Sequence[tuple[str, str]]:
        """(name, title) of each button."""
        return (*((name, one.title) for name, one in self._plays.items()), (CALM, "Back to ordinary traffic"))

    def press(self, name: str) -> str:
        """Plays a scenario's traffic and faults from the next minute on, or calms the world. Raises KeyError."""
        with self._lock:
            if self._run is None:
                raise SerenoError("the game day is over")
            world, begins = self._run.world, _next_minute(self.at_s)
            if name == CALM:
                world.meddle(Traffic.profile(self.scenario.normal, ((0.0, 1.0),)), ())
                return "Ordinary traffic from the next minute on."
            one = self._plays[name]
            shift = begins - _first_change(one)
            traffic = Traffic.profile(one.normal, one.points or ((0.0, 1.0),), shift)
            faults = tuple(
                replace(fault, start=max(begins, fault.start + shift), end=fault.end + shift)
                for fault in one.faults_for(self.seed)
            )
            world.meddle(traffic, faults)
        return f"{one.title}: from minute {begins / 60:.0f} of the drill on."

    # -- the engine's thread

    def _play(self) -> None:
        self._lock.acquire()
        try:
            self._engine.run()
        except Over:
            pass
        except BaseException as error:
            self.failed = error
        finally:
            self._cloud = self._run = None
            self._ready.set()
            self._lock.release()

    def _opened(self, cloud: Cloud, run: Run) -> None:
        self._cloud, self._run = cloud, run
        self._began = self.monotonic()
        self._ready.set()

    def _tick(self, at_s: float) -> None:
        """The drill has come to `at_s`: the wall's clock must come there too before it goes on."""
        while True:
            if self._over.is_set():
                raise Over
            passed = (self.monotonic() - self._began) * self.speed
            self.at_s = min(at_s, max(self.at_s, passed))
            if passed >= at_s:
                self.at_s = at_s
                # Whoever waits for the lock gets it between two happenings, however fast they come.
                self._lock.release()
                time.sleep(0)
                self._lock.acquire()
                return
            self._lock.release()
            self._over.wait(min((at_s - passed) / self.speed, LOOK_S))
            self._lock.acquire()

    def _hear(self, happening: Happening) -> None:
        self.happenings.append(happening)
        self.heard(happening)


def _playable(asked: Scenario) -> Iterator[Scenario]:
    """The scenario that was asked for, and others of the same service, each once."""
    for name in dict.fromkeys((asked.name, *OTHERS)):
        one = asked if name == asked.name else scenarios.load(name)
        if one.service == asked.service and (one.points or one.faults):
            yield one


def _first_change(one: Scenario) -> float:
    """When a scenario's traffic begins to move, or its first fault."""
    changes = [at for (at, factor), (_, after) in zip(one.points, one.points[1:], strict=False) if factor != after]
    changes += [fault.start for fault in one.faults]
    return min(changes, default=0.0)


def _next_minute(at_s: float) -> float:
    return (at_s // 60 + 1) * 60


def as_json(happening: Happening) -> Json:
    """For a page or a file."""
    found: dict[str, Any] = {"at_s": happening.at_s, "kind": happening.kind, "text": happening.text}
    return found
