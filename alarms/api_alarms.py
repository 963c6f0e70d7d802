"""The alarms of one API stage, REST or HTTP: what its customers see.

4xx answers are not watched: they are the callers' mistakes, or a scanner's, and nothing here could repair them.
"""

from __future__ import annotations

from alarms import traffic
from alarms.api_metrics import LATENCY, NAMESPACE, metrics_of
from alarms.lateness import points
from alarms.low_traffic import (
    OUTAGE_FLOOR,
    OUTAGE_PERIOD_S,
    OUTAGE_SHARE,
    OUTAGE_WINDOWS,
    QUIET_PERIOD_S,
    gated_percentile,
)
from alarms.slo import BURNS, api_errors, burn_alarms, failing_share, ratio, reachable, runbook_link
from alarms.spec import AlarmSpec, AnySpec, MetricQuery, dimensions
from alarms.wire import alarm_name
from sereno.service import Api, Service

ERRORS_FLOOR = 5  # failures in a minute, below which a share says more about the traffic than about the service


def api_alarms(service: Service, api: Api) -> list[AnySpec]:
    """What customers see of an API, how fast its error budget goes, and whether requests arrive at all."""
    found: list[AnySpec] = [
        server_errors(service, api),
        outage(service, api),
        latency(service, api),
        latency_at_low_traffic(service, api),
        *traffic.alarms(service, api),
    ]
    for burn in BURNS:
        if reachable(service, burn):
            found += burn_alarms(service, api, burn)
    return found


def server_errors(service: Service, api: Api) -> AlarmSpec:
    """Too large a share of requests is answered with 5xx."""
    share, why = failing_share(service)
    return AlarmSpec(
        name=alarm_name(service.name, api.key, "5xx"),
        severity="page",
        runbook=runbook_link(service, "5xx"),
        description=(
            f"Requests to {api.name} ({api.stage}) answered with 5xx, as a share of all: {why}. Fewer than "
            f"{ERRORS_FLOOR} failures in a minute count as none. Two of six minutes. A throttled function shows "
            "here as 5xx too: look at throttles first."
        ),
        metrics=ratio(*api_errors(api, 60), ERRORS_FLOOR, "share of failed requests"),
        comparison_operator="GreaterThanOrEqualToThreshold",
        threshold=share,
        evaluation_periods=points(2),
        datapoints_to_alarm=2,
        treat_missing_data="notBreaching",
    )


def outage(service: Service, api: Api) -> AlarmSpec:
    """Nothing works, however few requests there are."""
    return AlarmSpec(
        name=alarm_name(service.name, api.key, "outage"),
        severity="page",
        runbook=runbook_link(service, "outage"),
        description=(
            f"{OUTAGE_SHARE:.0%} or more of the requests to {api.name} ({api.stage}) were answered with 5xx, and at "
            f"least {OUTAGE_FLOOR} of them, in five minutes. It needs one request a minute only; 5xx and the burn "
            "rates need more."
        ),
        metrics=ratio(*api_errors(api, OUTAGE_PERIOD_S), OUTAGE_FLOOR, "share of failed requests"),
        comparison_operator="GreaterThanOrEqualToThreshold",
        threshold=OUTAGE_SHARE,
        evaluation_periods=OUTAGE_WINDOWS,
        datapoints_to_alarm=1,
        treat_missing_data="notBreaching",
    )


def latency(service: Service, api: Api) -> AlarmSpec:
    """The slowest hundredth of answers is slower than promised."""
    promised = service.objectives.p99_ms
    return AlarmSpec(
        name=alarm_name(service.name, api.key, "latency"),
        severity="ticket",
        runbook=runbook_link(service, "latency"),
        description=(
            f"The 99th percentile of Latency of {api.name} ({api.stage}) is over the objective of {promised:g} ms. "
            "Three of seven minutes. A minute with fewer than 1,000 requests does not count: see latency-p90."
        ),
        metrics=gated_percentile(_latency(api, "p99", 60), "p99 of busy minutes", low_traffic=False),
        comparison_operator="GreaterThanThreshold",
        threshold=promised,
        evaluation_periods=points(3),
        datapoints_to_alarm=3,
        treat_missing_data="notBreaching",
    )


def latency_at_low_traffic(service: Service, api: Api) -> AlarmSpec:
    """A tenth of the answers is slower than promised, where there are too few for a 99th percentile."""
    promised = service.objectives.p99_ms
    return AlarmSpec(
        name=alarm_name(service.name, api.key, "latency-p90"),
        severity="ticket",
        runbook=runbook_link(service, "latency-p90"),
        description=(
            f"The 90th percentile of Latency of {api.name} ({api.stage}) is over the objective of {promised:g} ms, "
            "in three windows of five minutes, one after the other. It counts where there are fewer than 1,000 "
            "requests a minute, too few for a 99th percentile."
        ),
        metrics=gated_percentile(_latency(api, "p90", QUIET_PERIOD_S), "p90 of quiet minutes", low_traffic=True),
        comparison_operator="GreaterThanThreshold",
        threshold=promised,
        evaluation_periods=3,
        datapoints_to_alarm=3,
        treat_missing_data="notBreaching",
    )


def _latency(api: Api, stat: str, period: int) -> MetricQuery:
    where = dimensions(dict(metrics_of(api).dimensions))
    return MetricQuery(stat, None, NAMESPACE, LATENCY, where, period, stat, return_data=False)
