"""What to watch of each Lambda function: symptoms (errors, latency, throttles), and their coming.

All alarms watch FunctionName alone, which counts every version and alias: a concurrency limit holds for all of them.
"""

from __future__ import annotations

from alarms.forecast import FORECAST_POINTS, two_minute_slope, with_slope
from alarms.slo import failing_share, ratio, runbook_link
from alarms.spec import AlarmSpec, AnySpec, MetricQuery, dimensions
from alarms.wire import Api, alarm_name
from sereno.chance import mean_within
from sereno.service import Function, Service

NAMESPACE = "AWS/Lambda"
ERRORS_FLOOR = 5  # errors in a minute, below which a share says more about the traffic than about the function
SATURATED = 0.85  # of the limit, in the busiest instant of a minute
# Requests come at random: a mean whose peaks, so many standard deviations up, meet the limit exhausts it.
SIGMAS = 6.0
AHEAD_MINUTES = 10
# With fewer, a single request is most of the limit, and running at it is often what its owner wants.
SMALLEST_LIMIT = 5
MINUTE_MS, BUCKET_S = 60_000, 10


def alarms(service: Service) -> list[AnySpec]:
    """The alarms of all functions of the service."""
    found: list[AnySpec] = []
    for function in service.functions.values():
        found += [errors(service, function), latency(service, function), throttles(service, function)]
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
            "in a minute count as none. Two of three minutes, so that one bad minute wakes nobody. Throttled "
            "requests are no errors: see throttles."
        ),
        metrics=queries,
        comparison_operator="GreaterThanOrEqualToThreshold",
        threshold=share,
        evaluation_periods=3,
        datapoints_to_alarm=2,
        treat_missing_data="notBreaching",
    )


def latency(service: Service, function: Function) -> AlarmSpec:
    """The slowest hundredth of invocations is slower than promised."""
    promised, timeout = service.objectives.p99_ms, 800.0 * function.timeout_s
    limit = min(promised, timeout)
    source = (
        f"the service's objective of {promised:g} ms"
        if promised <= timeout
        else f"80 % of its timeout of {function.timeout_s} s, which ends invocations before the objective is passed"
    )
    return AlarmSpec(
        **_named(service, function, "latency", "ticket"),
        description=(
            f"The 99th percentile of Duration of {function.name} is over {limit:g} ms: {source}. Three of five "
            "minutes. With fewer than 1,000 invocations in a minute a 99th percentile is chance: the state is kept."
        ),
        namespace=NAMESPACE,
        metric_name="Duration",
        dimensions=_where(function),
        extended_statistic="p99",
        evaluate_low_sample_count_percentile="ignore",
        period=60,
        comparison_operator="GreaterThanThreshold",
        threshold=limit,
        evaluation_periods=5,
        datapoints_to_alarm=3,
        treat_missing_data="notBreaching",
    )


def throttles(service: Service, function: Function) -> AlarmSpec:
    """Requests are turned away: customers are hurt now."""
    return AlarmSpec(
        **_named(service, function, "throttles", "page"),
        description=(
            f"Lambda turned away requests to {function.name}: it met its concurrency limit, or the account's. Each "
            "throttle is a failed request of a customer, so a single one in a minute is enough. Throttled requests "
            "count neither as Invocations nor as Errors."
        ),
        namespace=NAMESPACE,
        metric_name="Throttles",
        dimensions=_where(function),
        statistic="Sum",
        period=60,
        comparison_operator="GreaterThanOrEqualToThreshold",
        threshold=1.0,
        evaluation_periods=1,
        datapoints_to_alarm=1,
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
        evaluation_periods=1,
        datapoints_to_alarm=1,
        treat_missing_data="notBreaching",
    )


def exhaustion(service: Service, function: Function, reserved: int) -> AlarmSpec:
    """The limit will be met within ten minutes if demand goes on growing as it does.

    The slope is that of the last two minutes (see `two_minute_slope`): an ordinary peak that comes within one minute
    is over by the second, while a ramp goes on. Over one minute only, a step to 1.5 times would be forecast as a
    surge of 6.5 times. One of six datapoints is enough, so a late minute delays the forecast and never hides it; in
    exchange the alarm stays in ALARM up to five minutes after the growth has ended.
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
        evaluation_periods=1,
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


def _stat(name: str, function: Function, metric: str, stat: str) -> MetricQuery:
    return MetricQuery(name, None, NAMESPACE, metric, _where(function), 60, stat, return_data=False)
