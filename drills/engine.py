"""The drill: a world, an embedded AWS, and time that jumps from one happening to the next.

One heap holds what is to come: alarms to evaluate, events under way, the round's minute, limits that take effect.
Between two happenings the world goes on. Everything random hangs on the seed.
"""

from __future__ import annotations

import heapq
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from alarms.spec import CompositeSpec
from drills import bell, cloud_tables
from drills import ledger_rows as ledgers
from drills.cloud import Cloud, Failure, embedded_aws
from drills.ground import make_world
from drills.scenario import Scenario
from drills.table_stage import TableStage
from drills.world import World
from sereno.model import Json
from sereno.service import Service

MINUTE = 60.0
# An account's default. https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
QUOTA = 1000
# From a state change over EventBridge to a running function. AWS promises "near real time" and no number; half a
# second is the typical figure of IngestionToInvocationStartLatency.
DELIVERY_S = (0.4, 1.5)
# A Python function of this size, first call and later ones.
COLD_S, WARM_S = (0.8, 1.4), (0.1, 0.3)
IDLE_S = 600.0
# "Changes take effect within seconds": PutFunctionConcurrency is no transaction.
EFFECT_S = 1.0
# A throttled asynchronous invocation is tried again after a second, then ever later, up to five minutes.
# https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
THROTTLED_S = (1.0, 300.0)
# Asynchronous invocation: the first try again after a minute, the second after two more.
# https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
TRY_AGAIN_S = (60.0, 120.0)

Delays = Callable[[Json, np.random.Generator], Iterable[float]]


@dataclass(frozen=True, slots=True)
class Happening:
    """Something a person watching would like to hear of. `at_s` counts from the drill's start."""

    at_s: float
    kind: str
    text: str
    data: Json = field(default_factory=dict)


@dataclass
class Run:
    """A drill that has been run: the world, the account as it stands at its end, and what happened."""

    scenario: Scenario
    seed: int
    service: Service
    world: World
    belfry: bell.Belfry
    signals: list[Json] = field(default_factory=list)
    transitions: dict[str, list[Json]] = field(default_factory=dict)
    remediations: list[Json] = field(default_factory=list)
    notifications: list[Json] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    dead_letters: int = 0
    # What was set before and after: reserved concurrency by function; of tables what `cloud_tables.settings` says.
    limits_before: dict[str, Any] = field(default_factory=dict)
    limits_after: dict[str, Any] = field(default_factory=dict)
    # When each function's limit was first raised (epoch seconds).
    raised_at: dict[str, float] = field(default_factory=dict)
    capacity_changes: list[Json] = field(default_factory=list)
    pages: list[Json] = field(default_factory=list)
    incidents: list[Json] = field(default_factory=list)
    # The ledger's items as DynamoDB holds them at the end, for a recording.
    ledger: list[Json] = field(default_factory=list)
    # How often each of Sereno's own functions began, and how often it found no place.
    own_runs: dict[str, int] = field(default_factory=dict)
    own_throttled: dict[str, int] = field(default_factory=dict)


def once(_: Json, rng: np.random.Generator) -> Iterable[float]:
    """How EventBridge delivers on an ordinary day: once, soon."""
    return (float(rng.uniform(*DELIVERY_S)),)


@dataclass
class Engine:
    """Runs one scenario. `delays` answers the delays (seconds) after which an event is delivered: none drops it, two
    deliver it twice. `watch_over` hears of happenings, `tick` of progress (seconds since the start)."""

    scenario: Scenario
    seed: int
    service: Service
    compiled: Json
    template: Path
    delays: Delays = once
    watch_over: Callable[[Happening], None] = lambda _: None
    tick: Callable[[float], None] = lambda _: None
    quota: int = QUOTA
    # Is handed the account and the run before the first second, for who wants to look and to meddle meanwhile.
    opened: Callable[[Cloud, Run], None] = lambda _cloud, _run: None

    def run(self) -> Run:
        """The whole drill. Raises what a fault in Sereno or in the scenario raises; AWS's errors are part of it."""
        start = self.scenario.start_s
        world = make_world(self.scenario, self.seed, self.service, self.quota)
        quota = self.scenario.account.concurrency or self.quota
        account = embedded_aws(
            self.service,
            self.compiled,
            self.template,
            world.store,
            start,
            fast=self.scenario.demand_metric,
            quota=quota,
            seed=self.seed,
            prepare=lambda cloud: cloud_tables.prepare(cloud, self.scenario),
        )
        with account as cloud:
            assume = self.scenario.assume
            world.store.late_s, world.store.partial = assume.late_s, assume.partial
            belfry = bell.Belfry.hang(cloud.alarms, cloud.composites, world.store, start, self.seed, assume)
            cloud.answers.alarms = lambda: belfry.described(cloud.arn_prefix)
            # Sereno's own functions take from the same account.
            own = {one.name for one in self.service.functions.values()}
            world.reserved_elsewhere = cloud.reserved_by_others(own)
            run = Run(self.scenario, self.seed, self.service, world, belfry)
            self.opened(cloud, run)
            _Stage(self, cloud, run).play()
        return run


class _Stage:
    """One run in progress."""

    def __init__(self, engine: Engine, cloud: Cloud, run: Run) -> None:
        self._engine = engine
        self._cloud = cloud
        self._run = run
        self._world = run.world
        self._start = engine.scenario.start_s
        self._end = self._start + engine.scenario.duration_s
        self._rng = np.random.default_rng([engine.seed, 20_26])
        self._heap: list[tuple[float, int, Callable[[], None]]] = []
        self._number = 0
        self._warm: dict[str, float] = {}
        self._now = self._start
        self._watch_faults = engine.scenario.watch_faults_for(engine.seed)
        self._tables = TableStage(engine.scenario, engine.seed, run, cloud, self._at, self._hear)
        self._own_reserved: dict[str, int | None] = {}
        # Since when something waits in the notifier's queue that no channel takes.
        self._waiting_since: float | None = None

    def play(self) -> None:
        """From the first second to the last."""
        functions = [one.name for one in self._engine.service.functions.values()]
        self._run.limits_before = self._settings(functions)
        self._tables.begin()
        for moment, number in self._run.belfry.first_ticks():
            self._at(moment, partial(self._evaluate, number))
        for rule in self._cloud.rules:
            if rule.schedule == "rate(1 minute)":
                phase = float(self._rng.uniform(0, MINUTE))
                for function in rule.functions:
                    self._at(self._start + phase, partial(self._minute, function))
        self._at(self._start + MINUTE, self._queues)
        while self._heap and self._heap[0][0] <= self._end:
            moment, _, action = heapq.heappop(self._heap)
            self._world.advance(moment)
            self._now = moment
            self._cloud.at(moment)
            action()
            self._engine.tick(moment - self._start)
        self._world.advance(self._end)
        self._cloud.at(self._end)
        self._engine.tick(self._end - self._start)
        self._close(functions)

    def _at(self, moment: float, action: Callable[[], None]) -> None:
        self._number += 1
        heapq.heappush(self._heap, (moment, self._number, action))

    # -- alarms

    def _evaluate(self, number: int) -> None:
        belfry = self._run.belfry
        self._at(self._now + belfry.bells[number].every, lambda: self._evaluate(number))
        for ring in belfry.evaluate(number, self._now):
            self._ring(ring)

    def _ring(self, ring: bell.Ring) -> None:
        name, service = ring.spec.name, self._engine.service
        if not isinstance(ring.spec, CompositeSpec):
            self._cloud.ring(name, ring.state, ring.reason)
        change = {"at_s": ring.at - self._start, "state": ring.state, "reason": ring.reason}
        self._run.transitions.setdefault(name, []).append(change)
        if ring.state == "ALARM" or ring.previous == "ALARM":
            self._hear("alarm", f"{name} is {ring.state}: {ring.reason}", name=name, state=ring.state)
        if ring.state == "ALARM" and ring.spec.alarm_actions:
            body = bell.sns_message(ring, account=service.account, region=service.region)
            self._cloud.tell(f'ALARM: "{name}" in {service.region}', body)
        event = bell.state_change(ring, account=service.account, region=service.region)
        matching = self._cloud.matching(event)
        if matching:
            self._run.signals.append({**change, "id": event["id"], "name": name, "what": ring.spec.what})
        for rule, function in matching:
            for delay in self._engine.delays(event, self._rng):
                self._at(self._now + delay, partial(self._deliver, rule, function, event))

    def _deliver(self, rule: str, function: str, event: Json) -> None:
        """EventBridge starts the function, or keeps what it could not deliver."""
        if not self._suffers("undelivered"):
            self._start_function(function, event)
            return
        self._put("AWS/Events", "FailedInvocations", {"RuleName": rule}, [1.0])
        self._cloud.dead_letter(event)

    def _suffers(self, kind: str) -> bool:
        """Whether this fault of the watchman lasts now."""
        at = self._now - self._start
        return any(one.kind == kind and one.start <= at < one.end for one in self._watch_faults)

    # -- functions

    def _start_function(self, function: str, event: Json, attempt: int = 0, waited: float = 0.0) -> None:
        """An invocation begins now; its work is done when its start-up is over. Without a place it waits its turn."""
        if not self._has_place(function):
            self._run.own_throttled[function] = self._run.own_throttled.get(function, 0) + 1
            self._put("AWS/Lambda", "Throttles", {"FunctionName": function}, [1.0])
            wait = min(max(2 * waited, THROTTLED_S[0]), THROTTLED_S[1])
            self._at(self._now + wait, lambda: self._start_function(function, event, attempt, wait))
            return
        self._run.own_runs[function] = self._run.own_runs.get(function, 0) + 1
        cold = self._now - self._warm.get(function, -IDLE_S) >= IDLE_S
        delay = float(self._rng.uniform(*(COLD_S if cold else WARM_S)))
        self._warm[function] = self._now
        self._at(self._now + delay, lambda: self._work(function, event, attempt))

    def _has_place(self, function: str) -> bool:
        """What a function has reserved is its own; any other needs a place in the account's pool."""
        if function not in self._own_reserved:
            self._own_reserved[function] = self._cloud.reserved(function)
        return bool(self._own_reserved[function]) or self._world.unreserved_left > 0

    def _work(self, function: str, event: Json, attempt: int) -> None:
        self._cloud.answers.topic_down = self._suffers("topic-down")
        if self._suffers("functions-fail"):
            failure: Failure | None = Failure(event, "Runtime.ExitError: broken by the scenario")
        else:
            failure = self._cloud.invoke(function, event)
        self._cloud.answers.topic_down = False
        self._count_invocation(function, failed=failure is not None)
        self._read_output()
        self._take_limits()
        self._tables.after_work(self._cloud.clock.now())
        if failure is None:
            return
        self._run.failures.append(failure)
        self._hear("failure", f"{function}: {failure.error}")
        if attempt < len(TRY_AGAIN_S):
            self._at(self._now + TRY_AGAIN_S[attempt], lambda: self._start_function(function, event, attempt + 1))
        else:
            self._cloud.dead_letter({"requestPayload": event, "error": failure.error})

    def _minute(self, function: str) -> None:
        self._at(self._now + MINUTE, lambda: self._minute(function))
        if not self._suffers("round-silent"):
            self._start_function(function, {"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}})

    def _take_limits(self) -> None:
        """What the account says about concurrency takes effect in the world a moment after the handler's calls."""
        if not self._cloud.answers.limits_touched:
            return
        self._cloud.answers.limits_touched = False
        for name in self._world.functions:
            wanted = self._cloud.reserved(name)
            if wanted != self._world.reserved(name):
                before, at = self._world.reserved(name), self._cloud.clock.now() + EFFECT_S
                self._at(at, partial(self._set, name, wanted))
                if (wanted or 0) > (before or 0):
                    self._run.raised_at.setdefault(name, at)
        for (name, _), allocation in self._cloud.answers.functions.allocations.items():
            if name in self._world.functions and not allocation.fails:
                self._world.set_provisioned(name, allocation.requested)

    def _set(self, name: str, value: int | None) -> None:
        before = self._world.reserved(name)
        if before != value:
            self._world.set_reserved(name, value)
            self._hear("limit", f"{name}: reserved concurrency {before} -> {value}", function=name)

    # -- what Sereno's own parts publish

    def _read_output(self) -> None:
        for line in self._cloud.printed():
            if "_aws" in line:
                self._metrics(line)

    def _metrics(self, line: Json) -> None:
        for directive in line["_aws"]["CloudWatchMetrics"]:
            for metric in directive["Metrics"]:
                found = line[metric["Name"]]
                values = [float(one) for one in (found if isinstance(found, list) else [found])]
                for dimensions in directive["Dimensions"]:
                    self._put(
                        directive["Namespace"],
                        metric["Name"],
                        {name: str(line[name]) for name in dimensions},
                        values,
                    )

    def _count_invocation(self, function: str, *, failed: bool) -> None:
        named = {"FunctionName": function}
        self._put("AWS/Lambda", "Invocations", named, [1.0])
        self._put("AWS/Lambda", "Errors", named, [1.0 if failed else 0.0])

    def _queues(self) -> None:
        """SQS publishes gauges each minute while a queue is active."""
        self._at(self._now + MINUTE, self._queues)
        troubled = self._run.failures or self._watch_faults
        waiting = self._cloud.dead_letters() if troubled else 0
        if waiting:
            name = f"sereno-{self._engine.service.name}-dlq"
            self._put("AWS/SQS", "ApproximateNumberOfMessagesVisible", {"QueueName": name}, [float(waiting)])
        if not self._suffers("channels-down"):
            self._waiting_since = None
        elif self._waiting_since is not None:
            named = {"QueueName": f"sereno-{self._engine.service.name}-notices"}
            self._put("AWS/SQS", "ApproximateAgeOfOldestMessage", named, [self._now - self._waiting_since])
        self._read_messages()

    def _put(self, namespace: str, name: str, dimensions: Json, values: list[float]) -> None:
        self._world.store.put(
            namespace,
            name,
            dimensions,
            self._now - self._now % MINUTE,
            60,
            visible_at=self._now + float(self._rng.uniform(5, 75)),
            total=sum(values),
            count=len(values),
            minimum=min(values),
            maximum=max(values),
        )

    # -- people

    def _read_messages(self) -> None:
        if not self._cloud.answers.published:
            return
        self._cloud.answers.published = False
        for message in self._cloud.messages():
            subject, text = message.get("Subject", ""), message.get("Message", "")
            told = {"at_s": self._now - self._start, "subject": subject, "text": text}
            if self._waiting_since is None and self._suffers("channels-down"):
                self._waiting_since = self._now
            body = json.loads(text)
            if "AlarmName" in body or body.get("urgent"):
                self._run.pages.append(told)
            told["text"] = _readable(body)
            self._run.notifications.append(told)
            self._hear("told", subject)

    def _hear(self, kind: str, text: str, **data: Any) -> None:
        self._engine.watch_over(Happening(self._now - self._start, kind, text, data))

    def _close(self, functions: list[str]) -> None:
        self._now = self._end
        self._read_messages()
        run, cloud = self._run, self._cloud
        run.dead_letters = cloud.dead_letters()
        run.limits_after = self._settings(functions)
        run.remediations = ledgers.ledger_rows(cloud, self._start, self._end)
        run.incidents = ledgers.opened(run.remediations)
        run.ledger = ledgers.raw(cloud)

    def _settings(self, functions: list[str]) -> Json:
        found: Json = {name: self._cloud.reserved(name) for name in functions}
        return {**found, **cloud_tables.settings(self._cloud, self._world.tables)}


def _readable(body: Json) -> str:
    if "AlarmName" in body:
        return f"{body['NewStateReason']}"
    return f"{body['detail']} ({body['do']})" if body.get("do") else str(body["detail"])
