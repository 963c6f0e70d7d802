"""The incident that each alarm is there for, and an ordinary day, as series of the alarm's own metrics."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from alarms.spec import AlarmSpec, MetricQuery
from drills import scenario
from drills.bell import HOUR
from drills.replay import GROWING, ONSETS, Data, Floats, history, slot_s

# A level over time (minutes since the begin of the incident), None where the metric has no datapoint. Of Sum and
# SampleCount it is a rate a minute.
Level = Callable[[float], float | None]

REQUESTS = 6_000.0  # a minute of an ordinary busy hour
CALL_MS = 150.0


@dataclass(frozen=True, slots=True)
class Incident:
    """What happens to the metrics of an alarm. `before` and `after` go by the metric's name, or by name and statistic
    (`Duration.p99`). `most_minutes` is how long it is followed; `every_minutes` how often the metrics are published.
    Where an alarm reads one metric of several resources, it happens to the first of them alone."""

    text: str
    before: Mapping[str, float | None]
    after: Mapping[str, float | Level | Once | None]
    most_minutes: int = 60
    every_minutes: int = 1


def _ramp(normal: float) -> Level:
    """Nine times the traffic within ten minutes."""
    return lambda minutes: normal * (1 + 8 * min(max(minutes, 0.0), 10.0) / 10)


def _ages(scale: float) -> Level:
    """An age: it grows with time."""
    return lambda minutes: scale * max(0.0, minutes)


@dataclass(frozen=True, slots=True)
class Once:
    """One event, at the begin of the incident: the datapoint of its minute, and none after it."""

    value: float


def _failing(name: str, share: float, most_minutes: int = 60) -> Incident:
    return Incident(
        f"{share * 100:g} % of requests fail",
        {name: 0.0, "Count": REQUESTS, "Invocations": REQUESTS},
        {name: share * REQUESTS},
        most_minutes,
    )


def _appears(name: str, value: float, text: str) -> Incident:
    return Incident(text, {name: None}, {name: value})


_SLOW = {"p99": 10 * CALL_MS, "p90": 10 * CALL_MS}
_FAILED = "5XXError"
INCIDENTS: Mapping[str, Incident] = {
    "errors": _failing("Errors", 0.2),
    "5xx": _failing(_FAILED, 0.2),
    "outage": Incident(
        "every request fails, at one a minute",
        {_FAILED: 0.0, "Errors": 0.0, "Count": 1.0, "Invocations": 1.0},
        {_FAILED: 1.0, "Errors": 1.0},
    ),
    "burn-fast-long": _failing(_FAILED, 0.01),
    "burn-fast-short": _failing(_FAILED, 0.01),
    "burn-slow-long": _failing(_FAILED, 0.005, 240),
    "burn-slow-short": _failing(_FAILED, 0.005),
    "burn-steady-long": _failing(_FAILED, 0.0005, 4 * 1440),
    "burn-steady-short": _failing(_FAILED, 0.0005, 4 * 1440),
    "latency": Incident("calls take ten times as long", {"p99": CALL_MS, "SampleCount": REQUESTS}, _SLOW),
    "latency-p90": Incident(
        "calls take ten times as long, at one a minute", {"p90": CALL_MS, "SampleCount": 1.0}, _SLOW
    ),
    "traffic-stopped": Incident("no request arrives any more", {"Count": 100.0}, {"Count": None}),
    "traffic-quiet-silent": Incident("no request arrives any more", {"Count": 100.0}, {"Count": None}),
    "traffic-quiet-busy": Incident("an API gets busy", {"Count": None}, {"Count": 100.0}),
    "throttles": Incident("50 requests a minute are throttled", {"Throttles": 0.0}, {"Throttles": 50.0}),
    "rejected": Incident(
        "half of the callers are throttled",
        {"Throttles": 0.0, "Invocations": REQUESTS, "AsyncEventsReceived": None},
        {"Throttles": REQUESTS / 2, "Invocations": REQUESTS / 2},
    ),
    "events-lost": Incident(
        "one event is given up",
        dict.fromkeys(("AsyncEventsDropped", "DeadLetterErrors", "DestinationDeliveryFailures")),
        {"AsyncEventsDropped": Once(1.0)},
    ),
    "iterator-age": Incident("a stream is not read any more", {"IteratorAge": 500.0}, {"IteratorAge": _ages(60_000)}),
    "saturation": Incident(
        "110 of 120 executions are in use", {"ConcurrentExecutions": 30.0}, {"ConcurrentExecutions": 110.0}
    ),
    "exhaustion": Incident(
        "nine times the traffic within ten minutes", {"Duration": 16 * 60_000.0}, {"Duration": _ramp(16 * 60_000.0)}
    ),
    "exhaustion-fast": Incident(
        "five times the traffic at once", {"DemandMs": 16 * 60_000.0}, {"DemandMs": 80 * 60_000.0}
    ),
    "read-throttles": _appears("ReadThrottleEvents", 100.0, "100 reads a minute are throttled"),
    "write-throttles": _appears("WriteThrottleEvents", 100.0, "100 writes a minute are throttled"),
    "hot-key": _appears("ReadKeyRangeThroughputThrottleEvents", 100.0, "100 reads a minute of one key are throttled"),
    "read-capacity": Incident(
        "nine times the traffic within ten minutes",
        {"ConsumedReadCapacityUnits": 53 * 60.0},
        {"ConsumedReadCapacityUnits": _ramp(66 * 60.0)},
    ),
    "write-capacity": Incident(
        "nine times the traffic within ten minutes",
        {"ConsumedWriteCapacityUnits": 13 * 60.0},
        {"ConsumedWriteCapacityUnits": _ramp(13 * 60.0)},
    ),
    "table-errors": _appears("SystemErrors", 20.0, "20 calls a minute fail in DynamoDB"),
    "account-concurrency": Incident(
        "95 % of the account's executions are claimed",
        {"ClaimedAccountConcurrency": 300.0},
        {"ClaimedAccountConcurrency": 950.0},
    ),
    "account-requests": Incident("8,500 requests a second", {"Count": 7_200.0}, {"Count": 8_500 * 60.0}),
    "account-capacity": Incident(
        "85 % of the account's capacity are provisioned",
        dict.fromkeys(
            ("AccountProvisionedReadCapacityUtilization", "AccountProvisionedWriteCapacityUtilization"), 20.0
        )
        | dict.fromkeys(
            ("MaxProvisionedTableReadCapacityUtilization", "MaxProvisionedTableWriteCapacityUtilization"), 5.0
        ),
        {"AccountProvisionedReadCapacityUtilization": 85.0},
        every_minutes=5,
    ),
    "queue-age": Incident(
        "a queue is not read any more",
        {"ApproximateAgeOfOldestMessage": 2.0},
        {"ApproximateAgeOfOldestMessage": _ages(60.0)},
    ),
    "untold": Incident(
        "a message waits for its channel",
        {"ApproximateAgeOfOldestMessage": 0.0, "Untold": None},
        {"ApproximateAgeOfOldestMessage": _ages(60.0)},
    ),
    "throttled": _appears("ReadThrottleEvents", 10.0, "10 calls a minute are throttled"),
    "unpublished": _appears("Unpublished", 1.0, "no message can be published"),
    "not-ready": Incident("a right is missing", {"NotReady": 0.0}, {"NotReady": 1.0}, every_minutes=5),
    "parity": Incident("the standby is smaller", {"ParityMissing": 0.0}, {"ParityMissing": 1.0}, every_minutes=5),
    "replication-lag": Incident(
        "the other Region falls behind",
        {"ReplicationLatency": 1_000.0},
        {"ReplicationLatency": _ages(60_000.0)},
        every_minutes=5,
    ),
    "rpo": Incident("the other Region falls behind", {"RpoNow": 2.0}, {"RpoNow": _ages(60.0)}),
    "rpo-near": Incident("the other Region falls behind", {"RpoNow": 2.0}, {"RpoNow": _ages(60.0)}),
    "rto": Incident("a move took an hour", {"RecoveryTime": None}, {"RecoveryTime": Once(3_600.0)}),
    "region-suspected": Incident("no probe is answered", {"Availability": 1.0}, {"Availability": 0.0}),
    "undelivered": Incident("one event is given up", {"FailedInvocations": None}, {"FailedInvocations": Once(1.0)}),
}
"""By the alarm's *what*. One that is not here gets the plain incident of `of`."""


def of(spec: AlarmSpec) -> Incident:
    """The incident of an alarm. Where none is written, its metric steps over the threshold, or falls silent where
    silence or a low value is what it is there for."""
    if spec.what in INCIDENTS and not (spec.what == "errors" and not spec.metrics):
        return INCIDENTS[spec.what]
    names = [query.metric_name or "" for query in spec.stats]
    threshold = spec.threshold or 0.0
    if spec.what in ("heartbeat", "probe-silent"):
        return Incident(f"{names[0]} falls silent", dict.fromkeys(names, 1.0), {names[0]: None})
    if spec.comparison_operator.startswith("Less"):
        low = None if spec.treat_missing_data == "breaching" else 0.0
        text = f"{names[0]} falls silent" if low is None else f"{names[0]} falls to 0"
        return Incident(text, dict.fromkeys(names, max(1.0, 2 * threshold)), {names[0]: low})
    level = math.ceil(1.5 * threshold)
    return Incident(f"{names[0]} is {level:g} each minute", dict.fromkeys(names), {names[0]: float(level)})


def series(spec: AlarmSpec, incident: Incident) -> list[tuple[float, Data]]:
    """(where in its minute the incident begins, the series) for each begin: the incident is in slot `history`."""
    slots_a_minute = 60 // slot_s(spec)
    # In a window of hours the second at which an incident begins does not matter.
    onsets = ONSETS if spec.period_seconds < HOUR else ONSETS[-1:]
    length = history(spec) + (incident.most_minutes + 1) * slots_a_minute
    found: list[tuple[float, Data]] = []
    for onset in onsets:
        for phase in {0, incident.every_minutes // 2, incident.every_minutes - 1}:
            data: dict[str, Floats] = {}
            hit: set[str] = set()
            for query in spec.stats:
                name = query.metric_name or ""
                before, after = _of(incident.before, query), _of(incident.after, query, _MISSING)
                changes = after is not _MISSING and name not in hit
                hit |= {name} if changes else set()
                values = _series(spec, query, before, after if changes else before, onset, length)
                if incident.every_minutes > 1:
                    there = (np.arange(length) - history(spec)) % incident.every_minutes == phase
                    values = np.where(there, values, math.nan)
                data[query.id] = values
            found.append((onset, data))
    return found


_MISSING = object()


def _of(levels: Mapping[str, object], query: MetricQuery, default: object = None) -> object:
    """The level of a metric: by its statistic where that is written, else by its name."""
    return levels.get(query.stat or "", levels.get(query.metric_name or "", default))


def _series(spec: AlarmSpec, query: MetricQuery, before: object, after: object, onset: float, length: int) -> Floats:
    begin, slot = history(spec), slot_s(spec)
    growing = query.stat in GROWING
    scale = slot / 60 if growing else 1.0
    values = np.full(length, _number(before) * scale)
    if isinstance(after, Once):
        values[begin] = after.value
        return values
    for place in range(begin, length):
        if not callable(after) and place > begin:
            values[place:] = _number(after) * scale
            break
        parts = [after((place - begin + part - onset) * slot / 60) if callable(after) else after for part in _PARTS]
        mixed = [
            _number(before if place == begin and part < onset else now)
            for part, now in zip(_PARTS, parts, strict=True)
        ]
        values[place] = _joined(mixed, query.stat or "") * scale
    return values


def stepped(before: float | None, after: float | None, at: int, length: int) -> Floats:
    """A series that changes once, at a slot."""
    values = np.full(length, _number(before))
    values[at:] = _number(after)
    return values


_PARTS = tuple((number + 0.5) / 20 for number in range(20))


def _joined(parts: list[float], stat: str) -> float:
    """A slot's value of what it was in its parts; a part without a datapoint adds nothing."""
    there = [value for value in parts if not math.isnan(value)]
    if not there:
        return math.nan
    if stat in GROWING:
        return sum(there) / len(parts)
    if stat == "Average":
        return sum(there) / len(there)
    if stat == "Minimum":
        return min(there)
    if stat == "Maximum":
        return max(there)
    return there[len(there) // 2]  # a percentile is that of most of the slot


def _number(level: object) -> float:
    return math.nan if level is None else float(level)  # type: ignore[arg-type]


# -- an ordinary day


@lru_cache(maxsize=1)
def _quiet_day() -> scenario.Scenario:
    return scenario.load("quiet-day")


@dataclass(slots=True)
class Day:
    """The scenario `quiet-day`, minute by minute, after as much history as the alarm reads."""

    seed: int = 1
    _rates: dict[int, Floats] = field(default_factory=dict)

    def series(self, spec: AlarmSpec) -> Data:
        """The alarm's metrics over the day. What traffic does not move stands still, as `of` has it before."""
        incident = of(spec)
        length = history(spec) + 1440 * 60 // slot_s(spec)
        data: dict[str, Floats] = {}
        for number, query in enumerate(spec.stats):
            draw = np.random.default_rng([self.seed, number, *spec.name.encode()])
            values = self._moved(spec, query, length, draw)
            if values is None:
                scale = slot_s(spec) / 60 if query.stat in GROWING else 1.0
                values = np.full(length, _number(_of(incident.before, query)) * scale)
                if incident.every_minutes > 1:
                    values[np.arange(length) % incident.every_minutes != 0] = math.nan
            data[query.id] = values
        return data

    def _moved(self, spec: AlarmSpec, query: MetricQuery, length: int, draw: np.random.Generator) -> Floats | None:
        if spec.name.startswith("sereno-"):
            return None  # customers' traffic does not move Sereno's own metrics
        known = _quiet_day()
        load = next((one for one in known.functions if f"/{one.key}/" in spec.name), None)
        share = load.share if load else 1.0
        mean_ms, sigma = (load.mean_ms, load.sigma) if load else (CALL_MS, 0.5)
        slot = slot_s(spec)
        rate = self._rate(length, slot) * share  # requests a second
        calls = draw.poisson(rate * slot).astype(float)
        name, stat = query.metric_name, query.stat or ""
        if stat == "SampleCount" or name in ("Invocations", "Count"):
            return np.where(calls > 0, calls, math.nan)
        if name in ("Errors", "5XXError"):
            return np.where(calls > 0, draw.binomial(calls.astype(int), 2e-5).astype(float), math.nan)
        if name in ("Duration", "DemandMs") and stat == "Sum":
            spread = mean_ms * math.sqrt(math.exp(sigma**2) - 1)
            noise = np.sqrt(calls) * spread * draw.standard_normal(length)
            return np.asarray(np.maximum(0.0, calls * mean_ms + noise), dtype=float)
        if stat.startswith("p"):
            deviations = {"p99": 2.326, "p90": 1.282}[stat]
            value = mean_ms * math.exp(sigma * deviations - sigma**2 / 2)
            noise = draw.standard_normal(length) / np.sqrt(np.maximum(calls, 1.0))
            return np.asarray(value * (1 + noise), dtype=float)
        if name == "ConcurrentExecutions":
            mean = rate * mean_ms / 1000
            return np.asarray(draw.poisson(mean[:, None], (length, 200)).max(axis=1), dtype=float)
        for kind, normal in (("Read", 66.0), ("Write", 13.0)):
            if name == f"Consumed{kind}CapacityUnits":
                units = normal * self._rate(length, slot) / 120 * slot
                return np.asarray(draw.poisson(np.maximum(units, 0.0)), dtype=float)
        return None

    def _rate(self, length: int, slot: int) -> Floats:
        """Requests a second in each slot; the days before are like this one."""
        if (key := length * 100 + slot) not in self._rates:
            traffic = _quiet_day().traffic(self.seed)
            ends = (np.arange(length) - length + 1440 * 60 // slot) * slot
            self._rates[key] = traffic.rate(np.mod(ends, 86_400).astype(float))
        return self._rates[key]
