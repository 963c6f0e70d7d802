"""How a table's minutes become CloudWatch metrics, late and one by one.

Rules of the reference page: consumed units are silent without requests; throttles publish no zeros; the provisioned
capacity comes every five minutes, and not for on-demand tables; a table's own metrics never hold its indexes';
ThrottledRequests exists by operation alone, and counts an index's throttles under its table.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/metrics-dimensions.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from drills.metrics import MetricStore
from drills.publishing import DELAY_S
from drills.table_model import KINDS
from drills.table_state import CAUSES, Resource

NAMESPACE = "AWS/DynamoDB"
CAPACITY_PERIOD_S = 300
# What all provisioned tables and indexes of an account may have in a Region, reads and writes each.
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ServiceQuotas.html
ACCOUNT_CAPACITY = 80_000


class TablePublisher:
    """Writes minutes into the store. Each minute draws as many delays whatever was published, from a stream of its
    own, so that two worlds with one seed see their metrics equally late."""

    def __init__(self, store: MetricStore, delays: np.random.Generator) -> None:
        self._store = store
        self._delays = delays

    def minute(self, start: float, resources: Sequence[Resource], requests: Mapping[tuple[str, str], int]) -> None:
        """Publishes the minute that began at `start` (epoch seconds). `requests` holds the throttled requests by
        table and operation."""
        size = len(KINDS) * (len(CAUSES) + 3) * len(resources) + len(requests) + len(KINDS)
        delays: Iterator[float] = iter(self._delays.uniform(*DELAY_S, size=size).tolist())
        for one in resources:
            self._resource(start, one, delays)
        for (table, operation), throttled in requests.items():
            dimensions = {"TableName": table, "Operation": operation}
            self._events("ThrottledRequests", dimensions, start, next(delays), throttled)
        self._account(start, resources, delays)

    def _resource(self, start: float, one: Resource, delays: Iterator[float]) -> None:
        for kind in KINDS:
            meter, name = one.meters[kind], kind.capitalize()
            wait = next(delays)
            calls = round(meter.minute_calls)
            if meter.minute_units > 0:
                each = meter.minute_units / max(meter.minute_calls, 1e-9)
                consumed = (meter.minute_units, max(1, calls), each, each)
                self._put(f"Consumed{name}CapacityUnits", one.dimensions, start, wait, *consumed)
            throttled = sum(meter.minute_causes.values())
            self._events(f"{name}ThrottleEvents", one.dimensions, start, next(delays), throttled)
            for cause in CAUSES:
                count = meter.minute_causes.get(cause, 0)
                self._events(f"{name}{cause}ThrottleEvents", one.dimensions, start, next(delays), count)
            wait, rate = next(delays), meter.bucket.rate
            if one.billing == "provisioned" and start % CAPACITY_PERIOD_S == 0:
                self._put(f"Provisioned{name}CapacityUnits", one.dimensions, start, wait, rate, 1, rate, rate)

    def _account(self, start: float, resources: Sequence[Resource], delays: Iterator[float]) -> None:
        for kind in KINDS:
            wait = next(delays)
            provisioned = [one.meters[kind].bucket.rate for one in resources if one.billing == "provisioned"]
            if provisioned and start % CAPACITY_PERIOD_S == 0:
                used = 100 * sum(provisioned) / ACCOUNT_CAPACITY
                name = f"AccountProvisioned{kind.capitalize()}CapacityUtilization"
                self._put(name, {}, start, wait, used, 1, used, used)

    def _events(self, name: str, dimensions: Mapping[str, str], start: float, wait: float, count: int) -> None:
        if count:
            self._put(name, dimensions, start, wait, float(count), count, 1.0, 1.0)

    def _put(
        self,
        name: str,
        dimensions: Mapping[str, str],
        start: float,
        wait: float,
        total: float,
        count: int,
        low: float,
        high: float,
    ) -> None:
        self._store.put(
            NAMESPACE,
            name,
            dimensions,
            start,
            60,
            visible_at=start + 60 + wait,
            total=total,
            count=count,
            minimum=low,
            maximum=high,
        )
