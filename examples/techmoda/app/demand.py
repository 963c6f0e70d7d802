"""A 10-second demand metric, published through the log.

Lambda's own metrics come once a minute. A surge of 9x exhausts a concurrency limit sooner, so each environment
adds up the milliseconds it worked in every 10 seconds and writes them as one line in CloudWatch's embedded metric
format. Summed over the function's environments and divided by 10,000 ms that is the mean number of concurrent
executions in these 10 seconds. It saturates at the limit: requests throttled before they start run no code.
The number of requests that ended goes with it, so that more requests can be told from slower ones.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

BUCKET_MS = 10_000


@dataclass(slots=True)
class Demand:
    """The work of one environment, which serves one request at a time.

    A bucket is written when work of a later bucket comes in. What an environment holds when it goes to rest is
    written with its next request, under its own timestamp; in a surge no environment rests.
    """

    namespace: str
    function: str
    write: Callable[[str], object]
    _open: dict[int, int] = field(default_factory=dict)
    _ended: dict[int, int] = field(default_factory=dict)

    def record(self, start_ms: int, end_ms: int) -> None:
        """Adds work from `start_ms` to `end_ms` (epoch milliseconds), each part to the bucket in which it fell."""
        at = start_ms
        while at < end_ms:
            bucket = at - at % BUCKET_MS
            until = min(end_ms, bucket + BUCKET_MS)
            self._open[bucket] = self._open.get(bucket, 0) + until - at
            at = until
        last = (end_ms - 1) - (end_ms - 1) % BUCKET_MS
        if end_ms > start_ms:
            self._ended[last] = self._ended.get(last, 0) + 1
        self._flush(before=end_ms - end_ms % BUCKET_MS)

    def _flush(self, *, before: int) -> None:
        for bucket in sorted(done for done in self._open if done < before):
            self.write(self._line(bucket, self._open.pop(bucket), self._ended.pop(bucket, 0)))

    def _line(self, bucket: int, milliseconds: int, calls: int) -> str:
        # StorageResolution 1 lets CloudWatch keep and alarm on periods of 10 s; the default of 60 would not.
        work = {"Name": "DemandMs", "Unit": "Milliseconds", "StorageResolution": 1}
        ended = {"Name": "DemandCalls", "Unit": "Count", "StorageResolution": 1}
        directive = {"Namespace": self.namespace, "Dimensions": [["FunctionName"]], "Metrics": [work, ended]}
        return json.dumps(
            {
                "_aws": {"Timestamp": bucket, "CloudWatchMetrics": [directive]},
                "FunctionName": self.function,
                "DemandMs": milliseconds,
                "DemandCalls": calls,
            },
            separators=(",", ":"),
        )

    @contextmanager
    def measured(self) -> Iterator[None]:
        """Records the time that the block takes, also when it raises."""
        start = time.time_ns() // 1_000_000
        try:
            yield
        finally:
            self.record(start, time.time_ns() // 1_000_000)


def _print(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def from_environment(environment: dict[str, str] | None = None) -> Demand | None:
    """The meter that the environment asks for with DEMAND_METRIC=1, or None."""
    known = dict(os.environ) if environment is None else environment
    if known.get("DEMAND_METRIC") != "1":
        return None
    return Demand(f"Sereno/{known['WATCHED_AS']}", known["AWS_LAMBDA_FUNCTION_NAME"], _print)
