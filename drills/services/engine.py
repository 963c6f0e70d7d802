"""The drill of many services: a world and a Sereno for each, one clock, one account.

Events of all services lie in one heap. An invocation runs to its end when it begins; its calls take virtual time, and
the account's buckets judge each call at its own moment, so that invocations overlap as they would.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deploy.embedded_meter import Meter
from deploy.embedded_rates import LIMITS
from deploy.embedded_throttling import LimitedAws, Throttle, attempts_of
from drills import bell
from drills.engine import COLD_S, DELIVERY_S, EFFECT_S, IDLE_S, TRY_AGAIN_S, WARM_S, Happening
from drills.function_model import stream
from drills.ground import make_world
from drills.quota_shims import Quotas
from drills.services import account
from drills.services.members import REGION, Member
from drills.services.scenario import ServicesScenario
from drills.table_updates import TableUpdates
from drills.world import World
from remediators import flow, limits, readiness
from remediators import round as rounds
from remediators.clients import CONFIG
from remediators.evidence import table_of
from remediators.ledger import Ledger
from remediators.outbox import Outbox
from remediators.watch import Watch
from sereno.errors import SerenoError
from sereno.model import Json
from sereno.signal import parse
from sereno.testing import CollectedTelemetry

MINUTE, SELF_TEST_S = 60.0, 300.0
# Timeouts of the deployed functions: a remediator, and the reconciler.
TIMEOUT_S = 30.0
Floats = NDArray[np.float64]


@dataclass
class Party:
    """One service in the drill: its world, its alarms, its Sereno. `answers` are the moments at which its first
    raise was applied or refused, `failures` what its own functions could not do."""

    member: Member
    world: World
    belfry: bell.Belfry
    watch: Watch
    telemetry: CollectedTelemetry
    topic: Any
    rows: list[Json] = field(default_factory=list)
    signals: list[Json] = field(default_factory=list)
    failures: list[Json] = field(default_factory=list)
    runs: int = 0
    reconciled: int = 0
    lowest: int | None = None


@dataclass
class Run:
    """A drill that has been run."""

    scenario: ServicesScenario
    seed: int
    parties: list[Party]
    functions: account.SharedLambda
    throttle: Throttle
    least_unreserved: int
    # (seconds since the start, what the account has unreserved, executions that use it) after each invocation.
    levels: list[tuple[float, int, int]] = field(default_factory=list)


class Pool:
    """What the other services' functions without a reservation hold of the pool now, as one world sees it."""

    def __init__(self, number: int, worlds: Sequence[World]) -> None:
        self._number, self._worlds = number, worlds

    def rate(self, times: Floats) -> Floats:
        """The same at all times: what is known now."""
        held = sum(one.pool_in_use for number, one in enumerate(self._worlds) if number != self._number)
        return np.full(len(times), float(held))


def make_worlds(scenario: ServicesScenario, seed: int, members: Sequence[Member]) -> list[World]:
    """The worlds, each of which takes from the account what the others leave."""
    worlds: list[World] = []
    for member in members:
        one = scenario.of_service(member.number)
        world = make_world(one, seed, member.service, scenario.concurrency)
        world.share_pool(Pool(len(worlds), worlds))
        worlds.append(world)
    share_reservations(worlds, sum(member.own_reserved for member in members))
    return worlds


def share_reservations(worlds: Sequence[World], own: int) -> None:
    """Tells each world what the others, and Sereno's own functions, have reserved."""
    by_world = [sum(world.reserved(name) or 0 for name in world.functions) for world in worlds]
    for world, mine in zip(worlds, by_world, strict=True):
        world.reserved_elsewhere = own + sum(by_world) - mine


def without(
    scenario: ServicesScenario, seed: int, members: Sequence[Member], tick: Callable[[float], None]
) -> list[World]:
    """The same traffic on the same ground, with nobody to act."""
    worlds = make_worlds(scenario, seed, members)
    at = scenario.start_s
    while at < scenario.start_s + scenario.duration_s:
        at += MINUTE / 6
        for world in worlds:
            world.advance(at)
        tick(at - scenario.start_s)
    return worlds


@dataclass
class _Clock:
    virtual: account.VirtualClock

    def now(self) -> datetime:
        return account.moment(self.virtual.now())


class Engine:
    """Runs one scenario. `watch_over` hears of happenings, `tick` of progress (seconds since the start)."""

    def __init__(
        self,
        scenario: ServicesScenario,
        seed: int,
        members: Sequence[Member],
        *,
        meter: Meter | None = None,
        watch_over: Callable[[Happening], None] = lambda _: None,
        tick: Callable[[float], None] = lambda _: None,
    ) -> None:
        self.scenario, self.seed, self._watch_over, self._tick = scenario, seed, watch_over, tick
        self._start = scenario.start_s
        self._end = self._start + scenario.duration_s
        self._now = self._start
        self._clock = account.VirtualClock(self._start)
        self._rng = stream(seed, scenario.name, "invocations")
        self._heap: list[tuple[float, int, Callable[[], None]]] = []
        self._number = 0
        self._warm: dict[str, float] = {}
        self._worlds = make_worlds(scenario, seed, members)
        self._own = sum(one.own_reserved for one in members)
        functions = account.SharedLambda(scenario.concurrency, self._own, self._clock.now)
        draw = random.Random(seed).random
        self.throttle = Throttle(meter or Meter(), self._clock, draw)
        quotas = Quotas(lambda: scenario.concurrency, self._clock.now)
        parties = [
            self._party(member, world, functions, quotas) for member, world in zip(members, self._worlds, strict=True)
        ]
        self._run = Run(scenario, seed, parties, functions, self.throttle, functions.unreserved())

    def _party(self, member: Member, world: World, functions: account.SharedLambda, quotas: Quotas) -> Party:
        service = member.service
        for name in world.functions:
            functions.reserved[name] = world.reserved(name)
        belfry = bell.Belfry.hang(member.alarms, member.composites, world.store, self._start, self.seed)
        arn = f"arn:aws:cloudwatch:{REGION}:{service.account}:alarm:"
        updates = TableUpdates(world, self.seed, self._at)
        clients = account.clients_of(
            member, functions, quotas, world.store, updates, self._clock, lambda: belfry.described(arn)
        )
        aws = LimitedAws(account.ServiceAws(clients), self.throttle, REGION, attempts_of(CONFIG, "any"))
        telemetry = CollectedTelemetry()
        watch = Watch(
            service=service,
            ledger=Ledger(aws.client("dynamodb"), table_of(service), service.name, sleep=self._clock.wait),
            aws=aws,
            clock=_Clock(self._clock),
            outbox=Outbox(aws.client("sns"), f"arn:aws:sns:{REGION}:{service.account}:{service.name}", service.name),
            telemetry=telemetry,
            owner="drill",
            time_left=lambda: self._clock.deadline - self._clock.at,
        )
        # A deployment reads the account's limits once; those of thirty services lie weeks apart.
        limits.seed(account.ServiceAws(clients), service, account.moment(self._start))
        return Party(member, world, belfry, watch, telemetry, clients["sns"])

    def run(self) -> Run:
        """The whole drill. AWS's errors are part of it."""
        for party in self._run.parties:
            for at, number in party.belfry.first_ticks():
                self._at(at, partial(self._evaluate, party, number))
            self._at(self._start + float(self._rng.uniform(0, MINUTE)), partial(self._minute, party))
            tested = float(self._rng.uniform(0, SELF_TEST_S))
            self._at(self._start + tested, partial(self._self_tests, party))
        self._at(self._start, self._others)
        while self._heap and self._heap[0][0] <= self._end:
            self._now, _, action = heapq.heappop(self._heap)
            action()
            self._tick(self._now - self._start)
        for party in self._run.parties:
            party.world.advance(self._end)
            party.rows = list(self._rows(party))
        return self._run

    def _at(self, at: float, action: Callable[[], None]) -> None:
        self._number += 1
        heapq.heappush(self._heap, (at, self._number, action))

    def _others(self) -> None:
        """What the rest of the account asks of the control planes in the next second: it takes from the same buckets,
        and Sereno's calls meet what it leaves."""
        self._at(self._now + 1.0, self._others)
        for name, rate in self.scenario.others.items():
            limit = next(one for one in LIMITS if one.name == name)
            operation = limit.operations[0] if limit.operations else "AnyOther"
            for at in sorted(self._rng.uniform(self._now, self._now + 1.0, self._rng.poisson(rate))):
                self.throttle.meter.take(limit.service, operation, REGION, float(at))

    # -- alarms

    def _evaluate(self, party: Party, number: int) -> None:
        party.world.advance(self._now)
        self._at(self._now + party.belfry.bells[number].every, partial(self._evaluate, party, number))
        for ring in party.belfry.evaluate(number, self._now):
            self._ring(party, ring)

    def _ring(self, party: Party, ring: bell.Ring) -> None:
        service = party.member.service
        if ring.state == "ALARM":
            text = f"{ring.spec.name} is {ring.state}: {ring.reason}"
            self._watch_over(Happening(self._now - self._start, "alarm", text))
        event = bell.state_change(ring, account=service.account, region=REGION)
        started = [name for pattern, name in party.member.patterns if pattern.matches_event(event)]
        if started:
            at_s = self._now - self._start
            party.signals.append({"at_s": at_s, "name": ring.spec.name, "what": ring.spec.what, "state": ring.state})
        for name in started:
            delay = float(self._rng.uniform(*DELIVERY_S))
            self._at(self._now + delay, partial(self._begin, party, name, partial(_answer, event, name)))

    # -- Sereno's functions

    def _minute(self, party: Party) -> None:
        self._at(self._now + MINUTE, partial(self._minute, party))
        self._begin(party, "round", _reconcile, retried=False)

    def _self_tests(self, party: Party) -> None:
        """The schedule starts all of a service's self-tests at once, as the deployed rule does."""
        self._at(self._now + SELF_TEST_S, partial(self._self_tests, party))
        for name in party.member.remediators:
            self._begin(party, name, partial(_self_test, name), retried=False)

    def _begin(
        self, party: Party, function: str, work: Callable[[Watch], None], attempt: int = 0, *, retried: bool = True
    ) -> None:
        """An invocation begins now; its work is done after its start-up."""
        key = f"{party.member.service.name}/{function}"
        cold = self._now - self._warm.get(key, -IDLE_S) >= IDLE_S
        self._warm[key] = self._now
        delay = float(self._rng.uniform(*(COLD_S if cold else WARM_S)))
        self._at(self._now + delay, partial(self._work, party, function, work, attempt, retried))

    def _work(self, party: Party, function: str, work: Callable[[Watch], None], attempt: int, retried: bool) -> None:
        party.world.advance(self._now)
        self._clock.at, self._clock.deadline = self._now, self._now + TIMEOUT_S
        party.runs += 1
        error = ""
        try:
            work(party.watch)
        except account.TimedOut:
            error = f"Task timed out after {TIMEOUT_S:.2f} seconds"
        except Exception as problem:
            error = f"{type(problem).__name__}: {problem}"
        ended, self._clock.deadline = self._clock.at, float("inf")
        if function == "round" and not error:
            party.reconciled += 1
        self._take_effect(ended)
        if not error:
            return
        party.failures.append({"at_s": self._now - self._start, "function": function, "error": error})
        self._watch_over(Happening(self._now - self._start, "failure", f"{party.member.service.name}: {error}"))
        if retried and attempt < len(TRY_AGAIN_S):
            again = partial(self._begin, party, function, work, attempt + 1)
            self._at(self._now + TRY_AGAIN_S[attempt], again)

    def _take_effect(self, ended: float) -> None:
        functions = self._run.functions
        unreserved, in_use = functions.unreserved(), sum(one.pool_in_use for one in self._worlds)
        self._run.least_unreserved = min(self._run.least_unreserved, unreserved)
        self._run.levels.append((ended - self._start, unreserved, in_use))
        touched, functions.touched = functions.touched, []
        for name in touched:
            self._at(ended + EFFECT_S, partial(self._set, name, functions.reserved[name]))

    def _set(self, name: str, value: int | None) -> None:
        party = next(one for one in self._run.parties if one.member.function == name)
        party.world.advance(self._now)
        before = party.world.reserved(name)
        if before == value:
            return
        party.world.set_reserved(name, value)
        share_reservations(self._worlds, self._own)
        if value is not None:
            party.lowest = value if party.lowest is None else min(party.lowest, value)
        text = f"{name}: reserved concurrency {before} -> {value}"
        self._watch_over(Happening(self._now - self._start, "limit", text))

    # -- the end

    def _rows(self, party: Party) -> Sequence[Json]:
        """The service's ledger, as a reader beside the drill sees it."""
        ledger = party.watch.ledger
        self.throttle.counts = False
        found = []
        for day in sorted({f"{account.moment(at):%Y-%m-%d}" for at in (self._start, self._end)}):
            found += [one for name in ledger.day(day) if (one := ledger.get(name)) is not None]
        rows = [
            {
                "id": one.id,
                "incident": one.incident,
                "signal": one.signal.name,
                "source": one.signal.source,
                "remediator": one.remediator,
                "target": one.target.to_json(),
                "status": str(one.status),
                "reason": str(one.reason),
                "detail": one.detail,
                "mode": str(one.mode),
                "what": one.signal.what,
                "service": party.member.service.name,
                "at_s": one.created.timestamp() - self._start,
                "plan": one.plan.to_json() if one.plan else None,
                "events": [
                    {**event.to_json(), "at_s": event.at.timestamp() - self._start} for event in ledger.events(one.id)
                ],
            }
            for one in found
        ]
        self.throttle.counts = True
        return rows


def _answer(event: Json, name: str, watch: Watch) -> None:
    for signal in parse(event, watch.service):
        flow.answer(watch, signal, name)


def _reconcile(watch: Watch) -> None:
    try:
        rounds.make(watch)
    except SerenoError as error:
        raise RuntimeError(f"{type(error).__name__}: {error}") from error


def _self_test(name: str, watch: Watch) -> None:
    readiness.run(watch, name)
