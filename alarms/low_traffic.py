"""Alarms that work however little traffic there is: a total outage, and slow answers below a percentile's floor."""

from __future__ import annotations

from dataclasses import replace

from alarms.spec import MetricQuery

# A total outage: at least half of the requests fail, and at least three in five minutes. At one request a minute five
# fail in each window; two windows are looked at, so that three minutes without data hide none.
OUTAGE_SHARE = 0.5
OUTAGE_FLOOR = 3
OUTAGE_PERIOD_S = 300
OUTAGE_WINDOWS = 2
# CloudWatch: a percentile needs 10 / (1 - p) samples, which is 1,000 for p99. Below it the state of an alarm was
# kept, so a quiet function was never watched, and an alarm of the evening stayed all night.
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/percentiles-with-low-samples.html
P99_SAMPLES = 1000
QUIET_PERIOD_S = 300
# The p90 alarm answers where p99 does not: fewer than 1,000 samples a minute.
QUIET_SAMPLES = P99_SAMPLES * QUIET_PERIOD_S // 60


def gated_percentile(query: MetricQuery, label: str, *, low_traffic: bool) -> tuple[MetricQuery, ...]:
    """The queries of a percentile that is 0 where its sample count is not the one it is meant for.

    `query` is the percentile, with an id of its own. With `low_traffic` it counts below the floor only, else above.
    """
    samples = replace(query, id="samples", stat="SampleCount")
    test = f"samples < {QUIET_SAMPLES}" if low_traffic else f"samples >= {P99_SAMPLES}"
    return (MetricQuery("gated", f"IF({test}, {query.id}, 0)", label=label), query, samples)
