"""Traffic that stops: customers cannot reach the API, and nothing fails that could be counted.

A wrong DNS record, an expired certificate or a deleted stage shows as silence alone. Silence is also what an API is
by nature when nobody needs it, so there is a model of that:

* With `pause` declared (the longest ordinary time between two requests) silence of that length is an alarm, at any
  hour: `traffic-stopped`, which pages.
* Without it silence is a ticket, `traffic-quiet`, and only while the API is busy: with 240 requests or more in the
  last three hours, a mean of 1.3 a minute, 15 minutes without any come by chance less than once in a century
  (requests at random: e^-20 for each gap). An API whose callers stop at once, as an office does, declares its pause.
* A service with a second region has only the ticket, whatever is declared: the standby is silent by nature, and so is
  the first region once traffic has moved. Its probers try the customers' address from outside.
"""

from __future__ import annotations

from alarms.api_metrics import NAMESPACE, REQUESTS, metrics_of
from alarms.slo import runbook_link
from alarms.spec import AlarmSpec, AnySpec, CompositeSpec, MetricQuery, dimensions
from alarms.wire import alarm_name
from sereno.service import Api, Service

STOPPED, QUIET = "traffic-stopped", "traffic-quiet"
SILENT_MINUTES = 15
BUSY_REQUESTS = 240
BUSY_WINDOW_S = 10_800
# Metrics come up to three minutes late, and a minute that is not there yet looks silent.
LATE_MINUTES = 3


def alarms(service: Service, api: Api) -> list[AnySpec]:
    """`traffic-stopped` where the API declares its pause; else `traffic-quiet`, with what says that it is busy."""
    if api.pause_s is not None and service.recovery is None:
        minutes = -(-api.pause_s // 60)
        text = (
            f"No request has reached {api.name} ({api.stage}) for {minutes} minutes; sereno.yaml says that an "
            "ordinary pause is no longer. Usual causes: DNS, a certificate that has expired, a deleted stage."
        )
        return [_silent(service, api, STOPPED, minutes, "page", text)]
    silent = _silent(
        service,
        api,
        f"{QUIET}-silent",
        SILENT_MINUTES,
        "info",
        f"No request has reached {api.name} ({api.stage}) for {SILENT_MINUTES} minutes. One half of {QUIET}; it "
        "notifies nobody by itself.",
    )
    busy = AlarmSpec(
        name=alarm_name(service.name, api.key, f"{QUIET}-busy"),
        severity="info",
        runbook=runbook_link(service, STOPPED),
        description=(
            f"{api.name} ({api.stage}) got {BUSY_REQUESTS} requests or more in three hours, so silence is not its "
            f"nature now. One half of {QUIET}; it notifies nobody by itself."
        ),
        namespace=NAMESPACE,
        metric_name=REQUESTS,
        dimensions=dimensions(dict(metrics_of(api).dimensions)),
        statistic="SampleCount",
        period=BUSY_WINDOW_S,
        comparison_operator="GreaterThanOrEqualToThreshold",
        threshold=float(BUSY_REQUESTS),
        evaluation_periods=1,
        datapoints_to_alarm=1,
        treat_missing_data="notBreaching",
    )
    stopped = CompositeSpec(
        name=alarm_name(service.name, api.key, QUIET),
        rule=f'ALARM("{silent.name}") AND ALARM("{busy.name}")',
        severity="ticket",
        runbook=runbook_link(service, STOPPED),
        description=(
            f"No request has reached {api.name} ({api.stage}) for {SILENT_MINUTES} minutes, though it was busy in "
            "the last three hours. Usual causes: DNS, a certificate that has expired, a deleted stage. Declare "
            "the API's longest ordinary pause (`pause`) in sereno.yaml, and it pages."
        ),
    )
    return [stopped, silent, busy]


def _silent(service: Service, api: Api, what: str, minutes: int, severity: str, text: str) -> AlarmSpec:
    """No request in so many minutes, one after the other.

    FILL makes a number of a silent minute: treating missing data as breaching would wait until the last request has
    left the evaluation range, whose size is not published. All of the minutes must be 0, and three more than the
    silence lasts, because the newest are 0 as long as metrics are late. Where FILL gives nothing because there is no
    datapoint at all, missing data is breaching.
    """
    return AlarmSpec(
        name=alarm_name(service.name, api.key, what),
        severity=severity,
        runbook=runbook_link(service, STOPPED),
        description=text,
        metrics=(
            MetricQuery("arrived", "FILL(requests, 0)", label="requests"),
            MetricQuery(
                "requests",
                None,
                NAMESPACE,
                REQUESTS,
                dimensions(dict(metrics_of(api).dimensions)),
                60,
                "SampleCount",
                return_data=False,
            ),
        ),
        comparison_operator="LessThanThreshold",
        threshold=1.0,
        evaluation_periods=minutes + LATE_MINUTES,
        datapoints_to_alarm=minutes + LATE_MINUTES,
        treat_missing_data="breaching",
        warm_up_minutes=minutes + 15,
    )
