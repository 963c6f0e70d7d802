"""What to watch of each DynamoDB table and its indexes: throttled calls, capacity that runs out, errors.

A table's metrics leave its global secondary indexes out, and each of these has a capacity of its own: an alarm
watches the table and its indexes together, by the one that is worst off. CloudWatch takes ten metrics into an
expression, so it is the table and its first nine indexes by name.
"""

from __future__ import annotations

from alarms.forecast import FORECAST_POINTS, two_minute_slope, with_slope
from alarms.lateness import points
from alarms.slo import runbook_link
from alarms.spec import AlarmSpec, AnySpec, MetricQuery, dimensions
from alarms.wire import Api, alarm_name
from sereno.service import Index, Service, Table

NAMESPACE = "AWS/DynamoDB"
KINDS = ("read", "write")
# CloudWatch: metrics in the expression of an alarm.
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-limits.html
METRICS_LIMIT = 10
# A partition that splits, or two scans that meet, throttle a few calls; the SDK tries each again, and nobody sees it.
THROTTLES_FLOOR = 10
# AWS prints no period for the metrics of a cause: a sliding window of five minutes holds either.
HOT_KEY_PERIOD_S = 300
HOT_KEY_FLOOR = 50
ERRORS_FLOOR = 5
# UpdateTable takes up to a few minutes, and what a table left unused in five minutes bridges them. Looking further
# ahead, an ordinary peak of half as much again, coming within a minute, would be taken for the beginning of a surge.
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/burst-adaptive-capacity.html
AHEAD_MINUTES = 3
SATURATED = 0.85
# Where an ordinary busy hour uses more than half of what is declared, auto scaling owns the capacity: then this many
# times the hour's use stands for it, so that an ordinary day rings nothing.
TIMES_NORMAL = 2.0
OPERATIONS = (
    "BatchGetItem",
    "BatchWriteItem",
    "DeleteItem",
    "GetItem",
    "PutItem",
    "Query",
    "Scan",
    "TransactGetItems",
    "TransactWriteItems",
    "UpdateItem",
)


def alarms(service: Service) -> list[AnySpec]:
    """The alarms of all tables of the service."""
    found: list[AnySpec] = []
    for table in service.tables.values():
        found += [throttles(service, table, kind) for kind in KINDS]
        found += [one for kind in KINDS if (one := capacity(service, table, kind))]
        found += [hot_key(service, table), errors(service, table)]
    return found


def throttles(service: Service, table: Table, kind: str) -> AlarmSpec:
    """Calls are turned away."""
    parts = _parts(table)
    queries = [_stat(f"m{number}", table, part, f"{kind.capitalize()}ThrottleEvents") for number, part in parts]
    return AlarmSpec(
        **_named(service, table, f"{kind}-throttles", "page"),
        description=(
            f"DynamoDB throttled {THROTTLES_FLOOR} or more {kind} calls to {table.name}{_and_indexes(table)} in a "
            "minute. An SDK tries a throttled call again, so the first ones are slower calls, not failed ones; who "
            "waits for them holds an execution of its function meanwhile. Fewer in a minute are a partition that "
            "splits. The metric is silent when nothing is throttled, which is no breach."
        ),
        metrics=(MetricQuery("events", "SUM(METRICS())", label=f"throttled {kind} calls"), *queries),
        comparison_operator="GreaterThanOrEqualToThreshold",
        threshold=float(THROTTLES_FLOOR),
        evaluation_periods=points(1),
        datapoints_to_alarm=1,
        treat_missing_data="notBreaching",
    )


def capacity(service: Service, table: Table, kind: str) -> AlarmSpec | None:
    """The capacity will be used up in minutes, or nearly is; None where none is declared.

    Consumed units are a minute's Sum; a unit of capacity is one a second. The divisor is the declared constant: the
    metric ProvisionedReadCapacityUnits comes every 300 seconds, and CloudWatch need not fetch so many minutes that
    FILL(..., REPEAT) finds the last one. The slope is that of `exhaustion`: see alarms.packs.lambda_functions. Where
    a datapoint is missing only the forecast is silent, and what is in use decides alone.
    """
    shares, queries = [], []
    for number, part in _parts(table):
        units = _units(part, kind)
        if units is None:
            continue
        one = f"m{number}"
        whole = f"{60 * units:g}"
        forecast = f"({one} + {AHEAD_MINUTES} * {two_minute_slope(one)}) / {whole}"
        shares += [with_slope(one, forecast), f"{one} / {SATURATED} / {whole}"]
        queries.append(_stat(one, table, part, f"Consumed{kind.capitalize()}CapacityUnits"))
    if not queries:
        return None
    return AlarmSpec(
        **_named(service, table, f"{kind}-capacity", "ticket"),
        description=(
            f"The declared {kind} capacity of {table.name}{_and_indexes(table)} is used up in {AHEAD_MINUTES} "
            f"minutes if demand goes on growing as in the last two, or {SATURATED:.0%} of it are in use now. The "
            "worst of them decides, as a share (where auto scaling lets an ordinary hour use more than half, of "
            f"{TIMES_NORMAL:g} x its use). The limit is a constant made from what is declared: after a raise it "
            "stays red through a healthy surge, so nothing is taken back on its word."
        ),
        metrics=(MetricQuery("share", f"MAX([{', '.join(shares)}])", label="share of the capacity"), *queries),
        comparison_operator="GreaterThanOrEqualToThreshold",
        threshold=1.0,
        evaluation_periods=FORECAST_POINTS,
        datapoints_to_alarm=1,
        treat_missing_data="notBreaching",
    )


def hot_key(service: Service, table: Table) -> AlarmSpec:
    """One range of keys gets more than a partition gives: more capacity does not help."""
    watched = [part for _, part in _parts(table)][: METRICS_LIMIT // len(KINDS)]
    queries = [
        _stat(f"m{number}", table, part, f"{kind.capitalize()}KeyRangeThroughputThrottleEvents", HOT_KEY_PERIOD_S)
        for number, (part, kind) in enumerate((part, kind) for part in watched for kind in KINDS)
    ]
    others = ", ".join(part.name for part in watched[1:])
    return AlarmSpec(
        **_named(service, table, "hot-key", "ticket"),
        description=(
            f"DynamoDB throttled {HOT_KEY_FLOOR} or more calls to one range of keys of {table.name}"
            f"{f' or its indexes {others}' if others else ''} in five minutes. One partition gives 3,000 read and "
            "1,000 write units a second, whatever the table has: a cache or a key that spreads helps, capacity does "
            "not. The metric is silent when nothing is throttled, which is no breach."
        ),
        metrics=(MetricQuery("events", "SUM(METRICS())", label="calls throttled for a hot key"), *queries),
        comparison_operator="GreaterThanOrEqualToThreshold",
        threshold=float(HOT_KEY_FLOOR),
        evaluation_periods=2,
        datapoints_to_alarm=1,
        treat_missing_data="notBreaching",
    )


def errors(service: Service, table: Table) -> AlarmSpec:
    """DynamoDB itself fails."""
    queries = [
        MetricQuery(
            f"m{number}",
            None,
            NAMESPACE,
            "SystemErrors",
            dimensions({"TableName": table.name, "Operation": operation}),
            60,
            "Sum",
            return_data=False,
        )
        for number, operation in enumerate(OPERATIONS)
    ]
    return AlarmSpec(
        **_named(service, table, "table-errors", "ticket"),
        description=(
            f"DynamoDB answered {ERRORS_FLOOR} or more calls to {table.name} in a minute with HTTP 500, in two of "
            "six minutes. SDKs try these again; a few happen in any month. The metric exists by operation alone, "
            "so the ten that move items are added up."
        ),
        metrics=(MetricQuery("errors", "SUM(METRICS())", label="errors of DynamoDB"), *queries),
        comparison_operator="GreaterThanOrEqualToThreshold",
        threshold=float(ERRORS_FLOOR),
        evaluation_periods=points(2),
        datapoints_to_alarm=2,
        treat_missing_data="notBreaching",
    )


def _parts(table: Table) -> list[tuple[int, Table | Index]]:
    """The table and as many indexes as an alarm can watch, numbered."""
    parts: list[Table | Index] = [table]
    parts += [table.indexes[name] for name in sorted(table.indexes)]
    return list(enumerate(parts[:METRICS_LIMIT]))


def _and_indexes(table: Table) -> str:
    watched = len(_parts(table)) - 1
    if not watched:
        return ""
    several = "its index" if watched == 1 else f"its {watched} indexes"
    missing = len(table.indexes) - watched
    return f" and {several}" + (f" (the last {missing} by name are not watched)" if missing else "")


def _units(part: Table | Index, kind: str) -> float | None:
    declared, normal = (part.read, part.normal_read) if kind == "read" else (part.write, part.normal_write)
    return None if declared is None else max(float(declared), TIMES_NORMAL * (normal or 0.0))


def _named(service: Service, table: Table, what: str, severity: str) -> Api:
    return {
        "name": alarm_name(service.name, table.key, what),
        "severity": severity,
        "runbook": runbook_link(service, what),
    }


def _stat(name: str, table: Table, part: Table | Index, metric: str, period: int = 60) -> MetricQuery:
    where = {"TableName": table.name}
    if isinstance(part, Index):
        where["GlobalSecondaryIndexName"] = part.name
    return MetricQuery(name, None, NAMESPACE, metric, dimensions(where), period, "Sum", return_data=False)
