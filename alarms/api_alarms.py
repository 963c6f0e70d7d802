"""The alarms of one API stage, REST or HTTP: what its customers see.

4xx answers are not watched: they are the callers' mistakes, or a scanner's, and nothing here could repair them.
"""

from __future__ import annotations

from alarms.api_metrics import LATENCY, NAMESPACE, metrics_of
from alarms.slo import FAST, SLOW, api_errors, burn_alarms, failing_share, ratio, reachable, runbook_link
from alarms.spec import AlarmSpec, AnySpec, dimensions
from alarms.wire import alarm_name
from sereno.service import Api, Service

ERRORS_FLOOR = 5  # failures in a minute, below which a share says more about the traffic than about the service


def api_alarms(service: Service, api: Api) -> list[AnySpec]:
    """`5xx`, `latency`, and the burn rates that the objective leaves room for."""
    found: list[AnySpec] = [server_errors(service, api), latency(service, api)]
    for burn in (FAST, SLOW):
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
            f"{ERRORS_FLOOR} failures in a minute count as none. Two of three minutes. A throttled function shows "
            "here as 5xx too: look at throttles first."
        ),
        metrics=ratio(*api_errors(api, 60), ERRORS_FLOOR, "share of failed requests"),
        comparison_operator="GreaterThanOrEqualToThreshold",
        threshold=share,
        evaluation_periods=3,
        datapoints_to_alarm=2,
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
            "Three of five minutes. With fewer than 1,000 requests in a minute a 99th percentile is chance, and the "
            "state is kept."
        ),
        namespace=NAMESPACE,
        metric_name=LATENCY,
        dimensions=dimensions(dict(metrics_of(api).dimensions)),
        extended_statistic="p99",
        evaluate_low_sample_count_percentile="ignore",
        period=60,
        comparison_operator="GreaterThanThreshold",
        threshold=promised,
        evaluation_periods=5,
        datapoints_to_alarm=3,
        treat_missing_data="notBreaching",
    )
