"""CloudWatch's side of a drill: the deployed alarms are evaluated on the world's metrics, and ring.

An alarm whose period is a minute or longer is evaluated once a minute (once an hour where its window is longer than a
day), a high-resolution one every ten seconds (CloudWatch User Guide, "Alarm evaluation"). At which second of the
minute is not published: each alarm has a phase of its own, drawn from the seed.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np

from alarms import metric_math
from alarms.assumptions import USUAL, Assumptions
from alarms.composite import evaluate as evaluate_rule
from alarms.evaluator import Evaluation, evaluate, evaluation_range
from alarms.spec import AlarmSpec, CompositeSpec
from drills.metrics import MetricStore
from sereno.model import Json

MINUTE, HOUR, DAY = 60.0, 3_600.0, 86_400.0
INITIAL = "INSUFFICIENT_DATA"


@dataclass(frozen=True, slots=True)
class Ring:
    """A state change: times are epoch seconds."""

    spec: AlarmSpec | CompositeSpec
    at: float
    state: str
    previous: str
    previous_at: float
    reason: str


@dataclass(slots=True)
class _Bell:
    spec: AlarmSpec
    phase: float
    every: float
    state: str = INITIAL
    since: float = 0.0
    reason: str = "Unchecked: Initial alarm creation"


@dataclass(slots=True)
class _Composite:
    spec: CompositeSpec
    state: str = INITIAL
    since: float = 0.0
    reason: str = "Unchecked: Initial alarm creation"


@dataclass(slots=True)
class Belfry:
    """All alarms of a watch. `start` is the drill's first second (epoch); `assume` answers what AWS leaves open."""

    store: MetricStore
    start: float
    assume: Assumptions = USUAL
    bells: list[_Bell] = field(default_factory=list)
    composites: dict[str, _Composite] = field(default_factory=dict)

    @staticmethod
    def hang(
        metric_alarms: Iterable[AlarmSpec],
        composites: Iterable[CompositeSpec],
        store: MetricStore,
        start: float,
        seed: int,
        assume: Assumptions = USUAL,
    ) -> Belfry:
        """Every alarm with its phase. The phase follows from the alarm's name, not from the other alarms."""
        belfry = Belfry(store, start, assume)
        for spec in sorted(metric_alarms, key=lambda one: one.name):
            every = _every(spec)
            draw = float(np.random.default_rng([seed, *spec.name.encode()]).uniform(0, every))
            phase = draw if assume.phase_s is None else assume.phase_s % every
            belfry.bells.append(_Bell(spec, phase, every, since=start))
        for composite in composites:
            belfry.composites[composite.name] = _Composite(composite, since=start)
        return belfry

    def first_ticks(self) -> Iterator[tuple[float, int]]:
        """(moment, number of the bell) of every first evaluation; each goes on every `every` seconds."""
        for number, bell in enumerate(self.bells):
            yield self.start + bell.phase, number

    def evaluate(self, number: int, now: float) -> list[Ring]:
        """One alarm's evaluation at `now`: its ring, if it changed, and those of the composites above it."""
        bell = self.bells[number]
        if now - self.start < MINUTE * (bell.spec.warm_up_minutes or 0):
            return []  # EvaluationState IN_WARM_UP
        answer = self._answer(bell, now)
        if answer.state == bell.state:
            return []
        ring = Ring(bell.spec, now, answer.state, bell.state, bell.since, answer.reason)
        bell.state, bell.since, bell.reason = answer.state, now, answer.reason
        return [ring, *self._composites(now, bell.spec.name)]

    def state_of(self) -> dict[str, str]:
        """Every alarm's state by name."""
        states = {bell.spec.name: bell.state for bell in self.bells}
        return states | {name: one.state for name, one in self.composites.items()}

    def described(self, arn: str) -> Json:
        """All alarms as DescribeAlarms gives them; `arn` is the prefix of an alarm's ARN."""
        return {
            "MetricAlarms": [_described(one, arn) for one in self.bells],
            "CompositeAlarms": [_described(one, arn) for one in self.composites.values()],
        }

    def _composites(self, now: float, child: str) -> list[Ring]:
        rings: list[Ring] = []
        changed = True
        while changed:
            changed = False
            states = self.state_of()
            for one in self.composites.values():
                state = "ALARM" if evaluate_rule(one.spec.rule, states) else "OK"
                if state != one.state:
                    reason = f"{child} transitioned to {states[child]}"
                    rings.append(Ring(one.spec, now, state, one.state, one.since, reason))
                    one.state, one.since, one.reason, changed = state, now, reason, True
        return rings

    def _answer(self, bell: _Bell, now: float) -> Evaluation:
        spec = bell.spec
        period = spec.period_seconds
        extra = self.assume.range_extra
        size = evaluation_range(spec.evaluation_periods) if extra is None else spec.evaluation_periods + extra
        grid = min(MINUTE, period)
        # The window ends now, on the grid of the metric's resolution: a five-minute period slides by the minute.
        end = now - now % grid
        lead = self.assume.lead if spec.metrics else 0
        first = end - (size + lead) * period
        data = {
            query.id: self.store.read(
                query.namespace or "", query.metric_name or "", dict(query.dimensions), query.stat or "Average",
                period, first, end, now,
            )
            for query in spec.stats
        }  # fmt: skip
        points = metric_math.resolve(spec.metrics, data, period) if spec.metrics else data["m"]
        samples = None
        if spec.evaluate_low_sample_count_percentile == "ignore" and spec.extended_statistic:
            only = spec.stats[0]
            samples = self.store.samples(
                only.namespace or "", only.metric_name or "", dict(only.dimensions), period, first, end, now
            )
        at = datetime.fromtimestamp(end - period, UTC)
        return evaluate(spec, points[lead:], bell.state, samples=samples, at=at)


def _every(spec: AlarmSpec) -> float:
    """Seconds between two evaluations. A window of more than a day is evaluated once an hour.
    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-evaluation.html"""
    if spec.period_seconds < MINUTE:
        return 10.0
    return HOUR if spec.period_seconds * spec.evaluation_periods > DAY else MINUTE


def _described(one: _Bell | _Composite, arn: str) -> Json:
    since = datetime.fromtimestamp(one.since, UTC)
    return {
        "AlarmName": one.spec.name,
        "AlarmArn": arn + one.spec.name,
        "StateValue": one.state,
        "StateReason": one.reason,
        "StateUpdatedTimestamp": since,
        "StateTransitionedTimestamp": since,
    }


def state_change(ring: Ring, *, account: str, region: str) -> Json:
    """The EventBridge event of a ring."""
    arn = f"arn:aws:cloudwatch:{region}:{account}:alarm:{ring.spec.name}"
    return {
        "version": "0",
        "id": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{arn}@{ring.at}")),
        "detail-type": "CloudWatch Alarm State Change",
        "source": "aws.cloudwatch",
        "account": account,
        "time": _stamp(ring.at)[:19] + "Z",
        "region": region,
        "resources": [arn],
        "detail": {
            "alarmName": ring.spec.name,
            "configuration": _configuration(ring.spec),
            "previousState": {"value": ring.previous, "timestamp": _stamp(ring.previous_at)},
            "state": {"value": ring.state, "reason": ring.reason, "timestamp": _stamp(ring.at)},
        },
    }


def sns_message(ring: Ring, *, account: str, region: str) -> Json:
    """What CloudWatch itself publishes to an alarm's topic."""
    return {
        "AlarmName": ring.spec.name,
        "AlarmDescription": ring.spec.description,
        "AWSAccountId": account,
        "NewStateValue": ring.state,
        "NewStateReason": ring.reason,
        "StateChangeTime": _stamp(ring.at),
        "Region": region,
        "AlarmArn": f"arn:aws:cloudwatch:{region}:{account}:alarm:{ring.spec.name}",
        "OldStateValue": ring.previous,
    }


def _configuration(spec: AlarmSpec | CompositeSpec) -> Mapping[str, Any]:
    if isinstance(spec, CompositeSpec):
        return {"alarmRule": spec.rule}
    return {"description": spec.description, "metrics": [query.to_api() for query in spec.metrics]}


def _stamp(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "+0000"
