"""Sereno at work in a regional drill: its probers, its round, and the person who fails back, on one clock.

Every try is made: a prober's twelve in each minute of the three regions, for less than a millisecond each. (Thinned
out, they would be cheaper and prove less: what a watch remembers of two minutes would hang on which were left out.)
What a try sees is what the world is when it begins; it is noted when the slowest look is over, as three seconds pass
until a dark region is given up.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial

import numpy as np

from drills import ledger_rows
from drills.engine import DELIVERY_S, Happening
from drills.function_model import stream
from drills.regions.account import Account, Rules, opened
from drills.regions.eyes import WorldEyes
from drills.regions.scenario import RegionScenario
from drills.regions.world import HOLD, SWITCH, World
from remediators import evidence, prober
from remediators import round as rounds
from remediators.ledger import Ledger
from remediators.outbox import Outbox
from remediators.watch import Watch
from sereno import recovery, serving
from sereno.errors import SerenoError
from sereno.lifecycle import Remediation
from sereno.model import Json
from sereno.recovery import PROBE_EVERY_S
from sereno.service import REGION_BACK, Service
from sereno.testing import CollectedTelemetry

MINUTE = 60.0
_METRICS = {"PrimaryOut": SWITCH, "PrimaryHeld": HOLD}


@dataclass
class Run:
    """A drill that has been run: the world, and what Sereno saw, did and said."""

    scenario: RegionScenario
    seed: int
    service: Service
    world: World
    rules: Rules
    remediations: list[Json] = field(default_factory=list)
    notifications: list[Json] = field(default_factory=list)
    incidents: list[Json] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    tries: int = 0
    rounds: int = 0
    # When the standby's prober found the primary out for the first time in each outage (seconds since the start).
    confirmed: list[float] = field(default_factory=list)
    # When (seconds since the start) the stack of a region (second) took another region (third) for the one that
    # serves.
    serving: list[tuple[float, str, str]] = field(default_factory=list)
    # The recovery times that the standby published (seconds).
    recovery_times: list[float] = field(default_factory=list)
    # By minute: the largest value of SwitchReadable, as CloudWatch keeps it.
    readable: dict[int, float] = field(default_factory=dict)


@dataclass
class Engine:
    """Runs one scenario with Sereno on watch. `tick` hears of progress in seconds since the start."""

    scenario: RegionScenario
    seed: int
    service: Service
    watch_over: Callable[[Happening], None] = lambda _: None
    tick: Callable[[float], None] = lambda _: None

    def run(self) -> Run:
        """The whole drill. AWS's errors are part of it; a fault in Sereno is raised."""
        scenario = self.scenario
        world = scenario.world(self.seed, self.service)
        rules = Rules(world.regions, world.place.primary, scenario.shut(self.seed), scenario.global_away(self.seed))
        run = Run(scenario, self.seed, self.service, world, rules)
        rng = stream(self.seed, scenario.name, "watch")
        with opened(self.service, world, rules, scenario.start_s, rng) as account:
            _Stage(self, account, run, rng).play()
        return run


@dataclass
class _Clock:
    stage: _Stage

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.stage.start + self.stage.now, UTC)


class _Stage:
    """One run in progress."""

    def __init__(self, engine: Engine, account: Account, run: Run, rng: np.random.Generator) -> None:
        self.start, self.now = engine.scenario.start_s, 0.0
        self._engine, self._account, self._run, self._rng = engine, account, run, rng
        self._world = run.world
        run.rules.now = lambda: self.now
        self._end = float(engine.scenario.duration_s)
        self._heap: list[tuple[float, int, Callable[[], None]]] = []
        self._number = 0
        wanted = account.recovery
        homes = (wanted.standby, wanted.witness, wanted.primary)
        self._said = {one: CollectedTelemetry() for one in homes}
        self._watches = {one: self._watch(one) for one in homes}
        names = engine.scenario.health_names_region
        self._eyes = {one: WorldEyes(one, wanted, self._world, rng, names=names) for one in self._watches}
        self._published = self._counted = 0

    def _watch(self, region: str) -> Watch:
        service = self._account.service
        regions = (region, *(one for one in service.regions if one != region))
        service, aws = replace(service, regions=regions), self._account.aws(region)
        table = evidence.table_of(service)
        client = aws.client("dynamodb")
        return Watch(
            service=service,
            ledger=Ledger(client, table, service.name, sleep=lambda _: None),
            aws=aws,
            clock=_Clock(self),
            outbox=Outbox(aws.client("sns"), f"arn:aws:sns:{region}:{service.account}:sereno", service.name),
            telemetry=self._said[region],
            owner="drill",
        )

    def play(self) -> None:
        """From the first second to the last."""
        for region in self._watches:
            self._at(float(self._rng.uniform(0, MINUTE)), partial(self._minute, region))
        standby = self._account.recovery.standby
        self._at(float(self._rng.uniform(0, MINUTE)), lambda: self._round(standby))
        for wish in self._engine.scenario.people:
            self._at(self._engine.scenario.moment(wish.at, self._engine.seed), self._fail_back)
        while self._heap and self._heap[0][0] <= self._end:
            moment, _, action = heapq.heappop(self._heap)
            self._world.advance(moment)
            self.now = moment
            self._account.at(moment)
            action()
            self._hear_news()
            self._engine.tick(moment)
        self._world.advance(self._end)
        self.now = self._end
        self._engine.tick(self._end)
        self._close()

    def _at(self, moment: float, action: Callable[[], None]) -> None:
        self._number += 1
        heapq.heappush(self._heap, (moment, self._number, action))

    # -- Sereno's functions

    def _runs(self, region: str) -> bool:
        """A dark region runs nothing."""
        return not self._world.regions.at(region, self.now).dark

    def _minute(self, region: str) -> None:
        """The schedule starts the prober, which tries for most of the minute."""
        self._at(self.now + MINUTE, lambda: self._minute(region))
        begins = float(self._rng.uniform(*DELIVERY_S))
        for number in range(prober.TRIES):
            self._at(self.now + begins + number * PROBE_EVERY_S, lambda: self._try(region))

    def _try(self, region: str) -> None:
        """A try begins; it is noted when all has been seen."""
        if self._runs(region):
            eyes = self._eyes[region]
            eyes.at = self.now
            self._at(self.now + eyes.takes(), partial(self._noted, region, self.now))

    def _noted(self, region: str, at: float) -> None:
        if not self._runs(region):
            return
        eyes = self._eyes[region]
        eyes.at = at
        self._run.tries += 1
        found = prober.try_once(self._watches[region], eyes)
        if found is None:
            return
        self._publish(region)
        self._keep_serving(region, serving.active(found, self._account.recovery))
        if region == self._account.recovery.standby:
            self._keep_confirmed(found)

    def _publish(self, region: str) -> None:
        """What the standby has counted of the switch and the hold is what Route 53's metric checks read."""
        if region != self._account.recovery.standby:
            return
        counts = self._said[region].counts
        for name, value, _ in counts[self._counted :]:
            if name in _METRICS:
                self._world.published(self.now, _METRICS[name], value)
            elif name == "SwitchReadable":
                minute = int(self.now // MINUTE)
                self._run.readable[minute] = max(value, self._run.readable.get(minute, 0.0))
        self._counted = len(counts)

    def _keep_serving(self, region: str, serves: str) -> None:
        earlier = [one for _, where, one in self._run.serving if where == region]
        if serves and (not earlier or earlier[-1] != serves):
            self._run.serving.append((self.now, region, serves))

    def _keep_confirmed(self, found: recovery.Evidence) -> None:
        confirmed, outages = self._run.confirmed, self._engine.scenario.outages(self._engine.seed)
        begun = [one for one in outages if one[0] <= self.now]
        if (
            begun
            and not any(begun[-1][0] <= one for one in confirmed)
            and recovery.confirmed_out(found, found.at, self._account.recovery.confirm_s).ok
        ):
            confirmed.append(self.now)

    def _round(self, region: str) -> None:
        self._at(self.now + MINUTE, lambda: self._round(region))
        if not self._runs(region):
            return
        self._run.rounds += 1
        try:
            rounds.make(self._watches[region])
        except SerenoError as error:
            logs = self._said[region].logs
            why = next((facts.get("error") for level, _, facts in reversed(logs) if level == "error"), error)
            self._run.errors.append(f"{self.now:.0f} s: {type(error).__name__}: {why}")

    # -- people

    def _fail_back(self) -> None:
        """A person asks for the primary, as `sereno dr failback` does."""
        watch = self._watches[self._account.recovery.standby]
        wanted = evidence.Ask(REGION_BACK, "drill", watch.clock.now())
        evidence.ask(watch.aws.client("dynamodb"), watch.service, wanted)

    def _hear_news(self) -> None:
        published = self._account.topics[self._account.recovery.standby].published
        for one in published[self._published :]:
            subject = str(one.get("subject", ""))
            told = {"at_s": self.now, "subject": subject, "text": str(one.get("detail", ""))}
            self._run.notifications.append({**told, "remediator": str(one.get("remediator", ""))})
            self._engine.watch_over(Happening(self.now, "told", subject))
        self._published = len(published)

    def _close(self) -> None:
        run, watch = self._run, self._watches[self._account.recovery.standby]
        every: list[Remediation] = []
        for day in sorted({f"{datetime.fromtimestamp(self.start + at, UTC):%Y-%m-%d}" for at in (0.0, self._end)}):
            every += [found for one in watch.ledger.day(day) if (found := watch.ledger.get(one)) is not None]
        counts = self._said[self._account.recovery.standby].counts
        run.recovery_times = [value for name, value, _ in counts if name == "RecoveryTime"]
        run.remediations = [self._row(watch, one) for one in every]
        run.incidents = ledger_rows.opened(run.remediations)

    def _row(self, watch: Watch, found: Remediation) -> Json:
        return {
            "id": found.id,
            "incident": found.incident,
            "signal": found.signal.name,
            "source": found.signal.source,
            "remediator": found.remediator,
            "target": found.target.to_json(),
            "status": str(found.status),
            "reason": str(found.reason),
            "detail": found.detail,
            "mode": str(found.mode),
            "what": found.signal.what,
            "at_s": found.created.timestamp() - self.start,
            "plan": found.plan.to_json() if found.plan else None,
            "events": [
                {**event.to_json(), "at_s": event.at.timestamp() - self.start}
                for event in watch.ledger.events(found.id)
            ],
        }
