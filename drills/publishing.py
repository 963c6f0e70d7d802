"""How the world's minutes become CloudWatch metrics, late and one by one.

Rules of idleness, from the metrics' reference pages: Invocations, Duration and ConcurrentExecutions are silent
without invocations; Errors publishes 0 for each success; Throttles publishes 0 for each invocation and 1 for each
throttled attempt, so that total throttling shows in Throttles alone; API Gateway publishes a 0 or 1 for each request.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from alarms.api_metrics import metrics_of
from drills.harvest import GATEWAY_MS, INVOKE_MS, THROTTLED_MS, Harvest
from drills.metrics import Histogram, MetricStore
from sereno.service import Api

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# A minute's datapoint appears some seconds to a bit over a minute after it ended, each metric for itself.
DELAY_S = (5.0, 75.0)
# A custom metric of ten seconds travels through the log (EMF) and is there in seconds.
FAST_DELAY_S = (2.0, 8.0)
FAST_METRIC = "DemandMs"
FAST_CALLS = "DemandCalls"


@dataclass(slots=True)
class Samples:
    """A statistic set with its histogram."""

    total: float = 0.0
    count: int = 0
    low: float = np.inf
    high: float = -np.inf
    histogram: Histogram = field(default_factory=Histogram)

    def add(self, values: Floats) -> None:
        if len(values):
            self.total += float(values.sum())
            self.count += len(values)
            self.low = min(self.low, float(values.min()))
            self.high = max(self.high, float(values.max()))
            self.histogram.add(values)

    def add_many(self, value: float, times: int) -> None:
        if times:
            self.total += value * times
            self.count += times
            self.low, self.high = min(self.low, value), max(self.high, value)
            self.histogram.add_many(value, times)


@dataclass(slots=True)
class FunctionMinute:
    """What one function did in one minute."""

    invocations: int = 0
    errors: int = 0
    throttles: int = 0
    rejected: int = 0
    limited: int = 0
    refusals: int = 0
    duration: Samples = field(default_factory=Samples)

    def add(self, part: Harvest) -> None:
        self.invocations += int(part.started.sum())
        self.errors += part.errors
        self.throttles += int(part.throttled.sum())
        self.rejected += int(part.rejected.sum())
        self.limited += int(part.limited.sum())
        self.refusals += part.refusals
        self.duration.add(part.run_ms)


@dataclass(slots=True)
class Minute:
    """All that is published of one minute."""

    functions: dict[str, FunctionMinute]
    integration: Samples = field(default_factory=Samples)
    latency: Samples = field(default_factory=Samples)

    def add(self, name: str, part: Harvest) -> None:
        """Counts in what a function did in a part of the minute."""
        self.functions[name].add(part)
        answers = part.answer_ms + INVOKE_MS
        throttled, turned = int(part.throttled.sum()), int(part.rejected.sum() + part.limited.sum())
        self.integration.add(answers)
        self.integration.add_many(THROTTLED_MS, throttled)
        self.latency.add(answers + GATEWAY_MS)
        self.latency.add_many(THROTTLED_MS + GATEWAY_MS, throttled)
        self.latency.add_many(GATEWAY_MS, turned)


class Publisher:
    """Writes minutes into the store. `delays` is a stream of its own: each minute draws as many numbers whatever
    was published, so that two worlds with one seed see their metrics equally late."""

    def __init__(
        self,
        store: MetricStore,
        delays: np.random.Generator,
        *,
        api_name: str,
        stage: str,
        functions: list[str],
        fast_namespace: str | None,
        api_id: str | None = None,
    ) -> None:
        self._store = store
        self._delays = delays
        self._fast_delays = delays.spawn(1)[0]
        # An API with an id is an HTTP API, whose metrics have other names and keys.
        self._api_names = metrics_of(Api("api", api_name, stage, "http" if api_id else "rest", api_id))
        # AWS publishes for the API as a whole and for each stage.
        keyed = self._api_names.dimensions
        self._api_dimensions = (dict(keyed[:1]), dict(keyed))
        self._functions = functions
        self._fast_namespace = fast_namespace
        self._fast: dict[int, dict[str, tuple[float, int, float, float]]] = {}

    def minute(
        self,
        start: float,
        minute: Minute,
        concurrency: Mapping[str, Ints],
        account: Mapping[str, Ints],
        *,
        strangers: bool = False,
    ) -> None:
        """Publishes the minute that began at `start` (epoch seconds). `concurrency` holds the executions in
        flight by step for each function, `account` the same for the account's own metrics, to which `strangers` may
        have contributed."""
        delays: Iterator[float] = iter(self._delays.uniform(*DELAY_S, size=5 * len(self._functions) + 10).tolist())

        def put(name: str, dimensions: Mapping[str, str], samples: Samples, percentiles: bool = False) -> None:
            visible_at = start + 60 + next(delays)
            if samples.count:
                self._put("AWS/Lambda", name, dimensions, start, visible_at, samples, percentiles)

        for name in self._functions:
            done, named = minute.functions[name], {"FunctionName": name}
            put("Invocations", named, _marks(done.invocations, done.invocations))
            # Who waits for a table may fail in a later minute than it was invoked in.
            put("Errors", named, _marks(done.errors, max(done.errors, done.invocations)))
            put("Throttles", named, _marks(done.throttles, done.throttles + done.invocations))
            put("Duration", named, done.duration, percentiles=True)
            put("ConcurrentExecutions", named, _gauge(concurrency[name]))
        throttles = sum(done.throttles for done in minute.functions.values())
        invocations = sum(done.invocations for done in minute.functions.values())
        put("Throttles", {}, _marks(throttles, throttles + invocations))
        put("Invocations", {}, _marks(invocations, invocations))
        for name in ("ConcurrentExecutions", "UnreservedConcurrentExecutions", "ClaimedAccountConcurrency"):
            put(name, {}, _gauge(account[name]) if invocations or strangers else Samples())
        self._api(start, minute, delays)

    def _api(self, start: float, minute: Minute, delays: Iterator[float]) -> None:
        functions = minute.functions.values()
        requests = minute.latency.count
        failures = sum(done.errors + done.refusals + done.throttles + done.rejected for done in functions)
        limited = sum(done.limited for done in functions)
        published = (
            ("Count", _marks(requests, requests), False),
            (self._api_names.failed, _marks(failures, requests), False),
            (self._api_names.refused, _marks(limited, requests), False),
            ("Latency", minute.latency, True),
            ("IntegrationLatency", minute.integration, True),
        )
        for name, samples, percentiles in published:
            visible_at = start + 60 + next(delays)
            for dimensions in self._api_dimensions:
                if samples.count:
                    self._put("AWS/ApiGateway", name, dimensions, start, visible_at, samples, percentiles)

    def _put(
        self,
        namespace: str,
        name: str,
        dimensions: Mapping[str, str],
        start: float,
        visible_at: float,
        samples: Samples,
        percentiles: bool,
    ) -> None:
        self._store.put(
            namespace,
            name,
            dimensions,
            start,
            60,
            visible_at=visible_at,
            total=samples.total,
            count=samples.count,
            minimum=samples.low,
            maximum=samples.high,
            histogram=samples.histogram if percentiles else None,
        )

    def note_demand(self, name: str, bins: Ints, ms: Floats) -> None:
        """Keeps what the invocations that end in each ten seconds (counted from the world's start) will report.
        Only code that runs can report: of throttled attempts this metric knows nothing."""
        if self._fast_namespace is None or not len(bins):
            return
        first = int(bins.min())
        for number in range(first, int(bins.max()) + 1):
            ended = ms[bins == number]
            if len(ended):
                known = self._fast.setdefault(number, {})
                total, count, low, high = known.get(name, (0.0, 0, np.inf, -np.inf))
                known[name] = (
                    total + float(ended.sum()),
                    count + len(ended),
                    min(low, float(ended.min())),
                    max(high, float(ended.max())),
                )

    def fast(self, number: int, start: float) -> None:
        """Publishes the ten seconds `number` that began at `start` (epoch seconds)."""
        if self._fast_namespace is None:
            return
        delays = self._fast_delays.uniform(*FAST_DELAY_S, size=len(self._functions)).tolist()
        reports = self._fast.pop(number, {})
        for name, delay in zip(self._functions, delays, strict=True):
            if name not in reports:
                continue
            total, count, low, high = reports[name]
            for metric, sums, least, most in ((FAST_METRIC, total, low, high), (FAST_CALLS, count, 1.0, 1.0)):
                self._store.put(
                    self._fast_namespace,
                    metric,
                    {"FunctionName": name},
                    start,
                    10,
                    visible_at=start + 10 + delay,  # one line of the log carries both
                    total=float(sums),
                    count=count,
                    minimum=least,
                    maximum=most,
                )


def _marks(ones: int, of: int) -> Samples:
    """A metric that sends 1 for each event and 0 for each other occasion."""
    return Samples(float(ones), of, 1.0 if ones == of else 0.0, 1.0 if ones else 0.0) if of else Samples()


def _gauge(steps: Ints) -> Samples:
    """A level, sampled each second at its highest; silent when nothing ran."""
    seconds = steps.reshape(60, -1).max(axis=1)
    if not seconds.any():
        return Samples()
    return Samples(float(seconds.sum()), 60, float(seconds.min()), float(seconds.max()))
