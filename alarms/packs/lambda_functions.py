"""What to watch of each Lambda function: symptoms (errors, latency, throttles), and their coming.

All alarms watch FunctionName alone, which counts every version and alias: a concurrency limit holds for all of them.
"""

from __future__ import annotations

from alarms.forecast import FORECAST_POINTS, two_minute_slope, with_slope
from alarms.lateness import points
from alarms.low_traffic import (
    OUTAGE_FLOOR,
    OUTAGE_PERIOD_S,
    OUTAGE_SHARE,
    OUTAGE_WINDOWS,
    QUIET_PERIOD_S,
    gated_percentile,
)
from alarms.slo import failing_share, ratio, runbook_link
from alarms.spec import AlarmSpec, AnySpec, MetricQuery, dimensions
from alarms.wire import Api, alarm_name
from sereno.chance import mean_within
from sereno.service import Function, Service

NAMESPACE = "AWS/Lambda"
ERRORS_FLOOR = 5  # errors in a minute, below which a share says more about the traffic than about the function
LOST_PERIOD_S = 300
BEHIND = 0.5  # of the recovery point, for the age of a stream's records
SATURATED = 0.85  # of the limit, in the busiest instant of a minute
# Requests come at random: a mean whose peaks, so many standard deviations up, meet the limit exhausts it.
SIGMAS = 6.0
AHEAD_MINUTES = 10
# With fewer, a single request is most of the limit, and running at it is often what its owner wants.
SMALLEST_LIMIT = 5
MINUTE_MS, BUCKET_S = 60_000, 10
FAST_POINTS = 3  # the newest ten seconds may not be there yet, and those before them in part


def alarms(service: Service) -> list[AnySpec]:
    """The alarms of all functions of the service."""
    found: list[AnySpec] = []
    for function in service.functions.values():
        found += [
            errors(service, function),
            outage(service, function),
            latency(service, function),
            latency_at_low_traffic(service, function),
            throttles(service, function),
            events_lost(service, function),
            iterator_age(service, function),
        ]
        if not service.apis:
            found.append(rejected(service, function))
        if function.reserved is not None and function.reserved >= SMALLEST_LIMIT:
            found += [
                saturation(service, function, function.reserved),
                exhaustion(service, function, function.reserved),
            ]
            if function.fast_metric:
                found.append(exhaustion_fast(service, function, function.reserved))
    return found


def errors(service: Service, function: Function) -> AlarmSpec:
    """Too large a share of invocations fails."""
    share, why = failing_share(service)
    queries = ratio(
        _stat("errors", function, "Errors", "Sum"),
        _stat("requests", function, "Invocations", "Sum"),
        ERRORS_FLOOR,
        "share of failed invocations",
    )
    return AlarmSpec(
        **_named(service, function, "errors", "page"),
        description=(
            f"Invocations of {function.name} that fail, as a share of all: {why}. Fewer than {ERRORS_FLOOR} errors "
            "in a minute count as none. Two of six minutes, so that one bad minute wakes nobody. Throttled "
            "requests are no errors: see throttles."
        ),
        metrics=queries,
        comparison_operator="GreaterThanOrEqualToThreshold",
        threshold=share,
        evaluation_periods=points(2),
        datapoints_to_alarm=2,
        treat_missing_data="notBreaching",
    )


def outage(service: Service, function: Function) -> AlarmSpec:
    """Nothing works, however few invocations there are."""
    queries = ratio(
        _stat("errors", function, "Errors", "Sum", OUTAGE_PERIOD_S),
        _stat("requests", function, "Invocations", "Sum", OUTAGE_PERIOD_S),
        OUTAGE_FLOOR,
        "share of failed invocations",
    )
    return AlarmSpec(
        **_named(service, function, "outage", "page"),
        description=(
            f"{OUTAGE_SHARE:.0%} or more of the invocations of {function.name} failed, and at least {OUTAGE_FLOOR} "
            "of them, in five minutes. It needs one invocation a minute only; errors needs five that fail."
        ),
        metrics=queries,
        comparison_operator="GreaterThanOrEqualToThreshold",
        threshold=OUTAGE_SHARE,
        evaluation_periods=OUTAGE_WINDOWS,
        datapoints_to_alarm=1,
        treat_missing_data="notBreaching",
    )


def _promised(service: Service, function: Function) -> tuple[float, str]:
    """(the milliseconds that a call may take, where the figure is from)."""
    promised, timeout = service.objectives.p99_ms, 800.0 * function.timeout_s
    if promised <= timeout:
        return promised, f"the service's objective of {promised:g} ms"
    return timeout, (
        f"80 % of its timeout of {function.timeout_s} s, which ends invocations before the objective is passed"
    )


def latency(service: Service, function: Function) -> AlarmSpec:
    """The slowest hundredth of invocations is slower than promised."""
    limit, source = _promised(service, function)
    return AlarmSpec(
        **_named(service, function, "latency", "ticket"),
        description=(
            f"The 99th percentile of Duration of {function.name} is over {limit:g} ms: {source}. Three of seven "
            "minutes. A minute with fewer than 1,000 invocations does not count: see latency-p90."
        ),
        metrics=gated_percentile(_stat("p99", function, "Duration", "p99"), "p99 of busy minutes", low_traffic=False),
        comparison_operator="GreaterThanThreshold",
        threshold=limit,
        evaluation_periods=points(3),
        datapoints_to_alarm=3,
        treat_missing_data="notBreaching",
    )


def latency_at_low_traffic(service: Service, function: Function) -> AlarmSpec:
    """A tenth of the invocations is slower than promised, where there are too few for a 99th percentile."""
    limit, source = _promised(service, function)
    return AlarmSpec(
        **_named(service, function, "latency-p90", "ticket"),
        description=(
            f"The 90th percentile of Duration of {function.name} is over {limit:g} ms: {source}. Three windows of "
            "five minutes, one after the other. It counts where there are fewer than 1,000 invocations a minute, too "
            "few for a 99th percentile."
        ),
        metrics=gated_percentile(
            _stat("p90", function, "Duration", "p90", QUIET_PERIOD_S), "p90 of quiet minutes", low_traffic=True
        ),
        comparison_operator="GreaterThanThreshold",
        threshold=limit,
        evaluation_periods=3,
        datapoints_to_alarm=3,
        treat_missing_data="notBreaching",
    )


def throttles(service: Service, function: Function) -> AlarmSpec:
    """Lambda throttles the function: room must be made at once."""
    return AlarmSpec(
        **_named(service, function, "throttles", "ticket"),
        description=(
            f"Lambda throttled {function.name}: it met its concurrency limit, or the account's. A single throttle in "
            "a minute is enough to make room. A throttled synchronous request fails, which pages as 5xx, burn-fast "
            "or rejected; an asynchronous event is tried again by Lambda for up to six hours, and hurts nobody yet. "
            "Throttled requests count neither as Invocations nor as Errors."
        ),
        namespace=NAMESPACE,
        metric_name="Throttles",
        dimensions=_where(function),
        statistic="Sum",
        period=60,
        comparison_operator="GreaterThanOrEqualToThreshold",
        threshold=1.0,
        evaluation_periods=points(1),
        datapoints_to_alarm=1,
        treat_missing_data="notBreaching",
    )


def rejected(service: Service, function: Function) -> AlarmSpec:
    """Callers of a function without an API are throttled: nothing else would show that they are hurt.

    An asynchronous event is received as one and tried again by Lambda, so in a window in which any was received
    throttles say nothing about callers: events-lost does.
    """
    share, why = failing_share(service)
    throttled = "throttled / (throttled + requests)"
    metrics = (
        MetricQuery(
            "share",
            # Arithmetic takes missing events as 0; a comparison of them would be missing, and never true.
            f"IF(throttled - 1000000 * events >= {ERRORS_FLOOR}, {throttled}, 0)",
            label="share of throttled requests",
        ),
        _stat("throttled", function, "Throttles", "Sum", OUTAGE_PERIOD_S),
        _stat("requests", function, "Invocations", "Sum", OUTAGE_PERIOD_S),
        _stat("events", function, "AsyncEventsReceived", "Sum", OUTAGE_PERIOD_S),
    )
    return AlarmSpec(
        **_named(service, function, "rejected", "page"),
        description=(
            f"Lambda throttled requests to {function.name}, as a share of all in five minutes: {why}. Fewer than "
            f"{ERRORS_FLOOR} count as none. While asynchronous events arrive it is silent: Lambda tries those again."
        ),
        metrics=metrics,
        comparison_operator="GreaterThanOrEqualToThreshold",
        threshold=share,
        evaluation_periods=OUTAGE_WINDOWS,
        datapoints_to_alarm=1,
        treat_missing_data="notBreaching",
    )


def events_lost(service: Service, function: Function) -> AlarmSpec:
    """Asynchronous events are given up, or what was to keep them cannot."""
    names = ("AsyncEventsDropped", "DeadLetterErrors", "DestinationDeliveryFailures")
    queries = [_stat(f"m{number}", function, name, "Sum", LOST_PERIOD_S) for number, name in enumerate(names)]
    return AlarmSpec(
        **_named(service, function, "events-lost", "ticket"),
        description=(
            f"Lambda gave up an asynchronous event of {function.name} after its retries (AsyncEventsDropped), or "
            "could not send one to the dead-letter queue or the destination (DeadLetterErrors, "
            "DestinationDeliveryFailures). One in five minutes is enough. The usual cause of the last two is a "
            "missing permission."
        ),
        metrics=(MetricQuery("lost", "SUM(METRICS())", label="events given up"), *queries),
        comparison_operator="GreaterThanOrEqualToThreshold",
        threshold=1.0,
        evaluation_periods=2,
        datapoints_to_alarm=1,
        treat_missing_data="notBreaching",
    )


def iterator_age(service: Service, function: Function) -> AlarmSpec:
    """A function that reads a stream falls behind."""
    threshold = round(1000.0 * BEHIND * service.objectives.rpo_s, 6)
    return AlarmSpec(
        **_named(service, function, "iterator-age", "ticket"),
        description=(
            f"{function.name} reads records of a stream {threshold / 1000:g} s or more after they were written, in "
            f"three of seven minutes: half of the recovery point of {service.objectives.rpo_s} s. It fails on a "
            "record, or is too slow. A function that reads no stream publishes nothing here, which is no breach."
        ),
        namespace=NAMESPACE,
        metric_name="IteratorAge",
        dimensions=_where(function),
        statistic="Maximum",
        period=60,
        comparison_operator="GreaterThanOrEqualToThreshold",
        threshold=threshold,
        evaluation_periods=points(3),
        datapoints_to_alarm=3,
        treat_missing_data="notBreaching",
    )


def saturation(service: Service, function: Function, reserved: int) -> AlarmSpec:
    """The busiest instant came near the limit."""
    return AlarmSpec(
        **_named(service, function, "saturation", "ticket"),
        description=(
            f"{function.name} ran at {SATURATED:.0%} or more of its {reserved} reserved concurrent executions in the "
            "busiest instant of a minute. The threshold is a constant made from the declared limit: after a raise it "
            "stays red through a healthy surge, so nothing is taken back on its word."
        ),
        namespace=NAMESPACE,
        metric_name="ConcurrentExecutions",
        dimensions=_where(function),
        statistic="Maximum",
        period=60,
        comparison_operator="GreaterThanOrEqualToThreshold",
        threshold=round(SATURATED * reserved, 6),
        evaluation_periods=points(1),
        datapoints_to_alarm=1,
        treat_missing_data="notBreaching",
    )


def exhaustion(service: Service, function: Function, reserved: int) -> AlarmSpec:
    """The limit will be met within ten minutes if demand goes on growing as it does.

    The slope is that of the last two minutes (see `two_minute_slope`): an ordinary peak that comes within one minute
    is over by the second, while a ramp goes on. Over one minute only, a step to 1.5 times would be forecast as a
    surge of 6.5 times. One of seven datapoints is enough, so a late minute delays the forecast and never hides it;
    in exchange the alarm stays in ALARM up to six minutes after the growth has ended.
    """
    usable = mean_within(reserved, SIGMAS)
    forecast = f"demand + {AHEAD_MINUTES} * {two_minute_slope('demand')}"
    return AlarmSpec(
        **_named(service, function, "exhaustion", "ticket"),
        description=(
            f"{function.name} is on its way to its limit of {reserved} reserved concurrent executions. Demand is "
            "SUM(Duration) / 60,000: the mean of concurrent executions in a minute. Its slope over the last two "
            f"minutes is carried {AHEAD_MINUTES} minutes ahead, and the forecast breaches at {usable:.1f}: from "
            f"there on the peaks of random arrivals ({SIGMAS:.0f} standard deviations) meet the limit. (The Maximum "
            "of ConcurrentExecutions would not do: by chance alone its slope fires nine times on a quiet day.)"
        ),
        metrics=(
            MetricQuery("forecast", with_slope("demand", forecast), label="demand in 10 minutes"),
            MetricQuery("demand", f"duration / {MINUTE_MS}", label="demand", return_data=False),
            _stat("duration", function, "Duration", "Sum"),
        ),
        comparison_operator="GreaterThanOrEqualToThreshold",
        threshold=round(usable, 3),
        evaluation_periods=FORECAST_POINTS,
        datapoints_to_alarm=1,
        treat_missing_data="notBreaching",
    )


def exhaustion_fast(service: Service, function: Function, reserved: int) -> AlarmSpec:
    """The same from the application's own metric, in seconds instead of minutes."""
    usable = mean_within(reserved, SIGMAS)
    demand = MetricQuery(
        "work",
        None,
        f"Sereno/{service.name}",
        "DemandMs",
        _where(function),
        BUCKET_S,
        "Sum",
        return_data=False,
    )
    return AlarmSpec(
        **_named(service, function, "exhaustion-fast", "ticket"),
        description=(
            f"{function.name} used {usable:.1f} or more of its {reserved} reserved concurrent executions over "
            f"{BUCKET_S} seconds: the peaks of random arrivals meet the limit. Demand is DemandMs / "
            f"{BUCKET_S * 1000:,}, the milliseconds of work that the "
            "application itself publishes for each bucket. There is no forecast: over 10 seconds a slope is noise. "
            "Turned-away requests run no code, so this metric stops growing at the limit: see throttles."
        ),
        metrics=(MetricQuery("demand", f"work / {BUCKET_S * 1000}", label="demand"), demand),
        comparison_operator="GreaterThanOrEqualToThreshold",
        threshold=round(usable, 3),
        evaluation_periods=FAST_POINTS,
        datapoints_to_alarm=1,
        treat_missing_data="notBreaching",
    )


def _named(service: Service, function: Function, what: str, severity: str) -> Api:
    return {
        "name": alarm_name(service.name, function.key, what),
        "severity": severity,
        "runbook": runbook_link(service, what),
    }


def _where(function: Function) -> tuple[tuple[str, str], ...]:
    return dimensions({"FunctionName": function.name})


def _stat(name: str, function: Function, metric: str, stat: str, period: int = 60) -> MetricQuery:
    return MetricQuery(name, None, NAMESPACE, metric, _where(function), period, stat, return_data=False)
