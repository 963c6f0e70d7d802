"""The metrics of graphs, in a dashboard's notation: `[namespace, name, dimension, value, ..., {...}]`.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html
Where an alarm exists, its graph is made from the alarm, so that the two cannot come apart.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from alarms.spec import AlarmSpec
from sereno.model import Json
from sereno.service import Function, Service, Table

Metrics = list[list[Any]]
RED, GREEN = "#d62728", "#2ca02c"
FULL: list[Json] = [{"label": "full", "value": 100, "color": RED}]
LAMBDA, DYNAMODB, BACKUP = "AWS/Lambda", "AWS/DynamoDB", "AWS/Backup"
# What a catalogue's functions call; a table that is never asked so publishes nothing under the name.
OPERATIONS = ("GetItem", "BatchGetItem", "Query", "PutItem", "UpdateItem", "TransactWriteItems")


def series(spec: AlarmSpec) -> Metrics:
    """What an alarm sees, as the metrics of a widget."""
    if not spec.metrics:
        options = {"stat": spec.statistic or spec.extended_statistic, "period": spec.period_seconds}
        return [[spec.namespace, spec.metric_name, *flat(spec.dimensions), options]]
    found: Metrics = []
    for query in spec.metrics:
        options = {"id": query.id, "visible": query.return_data, "period": query.period or spec.period_seconds}
        if query.label:
            options["label"] = query.label
        if query.expression is not None:
            found.append([{"expression": query.expression, **options}])
        else:
            place = [query.namespace, query.metric_name, *flat(query.dimensions)]
            found.append([*place, {"stat": query.stat, **options}])
    return found


def threshold(spec: AlarmSpec) -> list[Json]:
    """The line at which an alarm fires, shaded on the side that breaches; none for an anomaly band."""
    if spec.threshold is None:
        return []
    side = "above" if spec.comparison_operator.startswith("Greater") else "below"
    return [{"label": "alarm", "value": spec.threshold, "fill": side, "color": RED}]


def flat(dimensions: Sequence[tuple[str, str]]) -> list[str]:
    """Dimensions as the notation has them: name, value, name, value."""
    return [text for pair in dimensions for text in pair]


def limit_lines(function: Function) -> list[Json]:
    """The declared limit: the one in force is no metric, and may have been raised meanwhile."""
    if function.reserved is None:
        return []
    return [{"label": "declared limit", "value": function.reserved, "color": RED}]


def search(service: Service, dimensions: str, metric: str, *, status: str = "", period: int = 300) -> str:
    """Every series of one of Sereno's own metrics, as it comes: statuses and reasons are not known beforehand."""
    only = f' status="{status}"' if status else ""
    where = f'{{Sereno,service,{dimensions}}} MetricName="{metric}" service="{service.name}"{only}'
    return f"SEARCH('{where}', 'Sum', {period})"


def changes(service: Service) -> list[Any]:
    """The remediations that began to change something, on the right axis: an annotation that is never out of date."""
    found = search(service, "status,remediator", "Remediation", status="APPLYING", period=60)
    return [{"expression": f"SUM({found})", "id": "changes", "label": "changes by Sereno", "yAxis": "right"}]


def versions(functions: Iterable[Function]) -> Metrics:
    """Calls by the version behind an alias: a deployment is where one line ends and the next begins."""
    found: Metrics = []
    for number, one in enumerate(functions):
        where = (
            f'{{AWS/Lambda,ExecutedVersion,FunctionName,Resource}} MetricName="Invocations" '
            f'FunctionName="{one.name}" Resource="{one.name}:{one.alias}"'
        )
        label = f"{one.key} ${{PROP('Dim.ExecutedVersion')}}"
        found.append([{"expression": f"SEARCH('{where}', 'Sum', 60)", "id": f"v{number}", "label": label}])
    return found


def share_of_limit(functions: Iterable[Function]) -> Metrics:
    """Concurrency as percent of the declared limit."""
    found: Metrics = []
    for number, one in enumerate(functions):
        found.append(
            [LAMBDA, "ConcurrentExecutions", "FunctionName", one.name, {"id": f"m{number}", "visible": False}]
        )
        percent = f"100 * m{number} / {one.reserved}"
        found.append([{"expression": percent, "id": f"e{number}", "label": one.key}])
    return found


def share_of_capacity(tables: Iterable[Table]) -> Metrics:
    """Consumed as percent of provisioned units, which a remediator or auto scaling may have changed meanwhile."""
    found: Metrics = []
    for number, one in enumerate(tables):
        for kind, short in (("Read", "r"), ("Write", "w")):
            used, there = f"{short}{number}", f"{short}{number}p"
            of = ["TableName", one.name]
            hidden = {"visible": False}
            found.append([DYNAMODB, f"Consumed{kind}CapacityUnits", *of, {"id": used, "stat": "Sum", **hidden}])
            found.append(
                [DYNAMODB, f"Provisioned{kind}CapacityUnits", *of, {"id": there, "stat": "Average", **hidden}]
            )
            percent = f"100 * {used} / PERIOD({used}) / {there}"
            found.append([{"expression": percent, "id": f"{used}e", "label": f"{one.key} {kind.lower()}s"}])
    return found


def throttles(functions: Iterable[Function]) -> Metrics:
    """Calls that were throttled, and that failed."""
    return [
        [LAMBDA, metric, "FunctionName", one.name, {"label": f"{one.key} {said}"}]
        for one in functions
        for metric, said in (("Throttles", "throttled"), ("Errors", "errors"))
    ]


def concurrency(functions: Iterable[Function]) -> Metrics:
    """The most at once."""
    return [
        [LAMBDA, "ConcurrentExecutions", "FunctionName", one.name, {"stat": "Maximum", "label": one.key}]
        for one in functions
    ]


def table_throttles(tables: Iterable[Table]) -> Metrics:
    """Reads and writes that were throttled, whatever the cause."""
    return [
        [DYNAMODB, f"{kind}ThrottleEvents", "TableName", one.name, {"label": f"{one.key} {kind.lower()}s"}]
        for one in tables
        for kind in ("Read", "Write")
    ]


def why_throttled(of: Sequence[str]) -> Metrics:
    """Throttles by cause: too little capacity, a hot key, a ceiling of the table, or one of the account."""
    causes = {
        "ProvisionedThroughput": "capacity",
        "KeyRangeThroughput": "hot key",
        "MaxOnDemandThroughput": "the table's maximum",
        "AccountLimit": "the account's limit",
    }
    return [
        [DYNAMODB, f"{kind}{cause}ThrottleEvents", *of, {"label": f"{kind.lower()}s: {said}"}]
        for kind in ("Read", "Write")
        for cause, said in causes.items()
    ]


def latencies(of: Sequence[str]) -> Metrics:
    """How long DynamoDB itself took, by operation."""
    return [
        [DYNAMODB, "SuccessfulRequestLatency", *of, "Operation", one, {"stat": "p99", "label": f"{one} p99"}]
        for one in OPERATIONS
    ]


def failures(of: Sequence[str]) -> Metrics:
    """DynamoDB's own failures, by operation."""
    return [[DYNAMODB, "SystemErrors", *of, "Operation", one, {"label": one}] for one in OPERATIONS]


def lags(tables: Iterable[Table], region: str) -> Metrics:
    """How far the replicas in a region are behind, in milliseconds; published where the write was made."""
    return [
        [DYNAMODB, "ReplicationLatency", "TableName", one.name, "ReceivingRegion", region, {"label": one.key}]
        for one in tables
    ]


def writes(tables: Iterable[Table]) -> Metrics:
    """How much is written: what a restore to an earlier moment would lose."""
    return [[DYNAMODB, "ConsumedWriteCapacityUnits", "TableName", one.name, {"label": one.key}] for one in tables]


def refused_writes(tables: Iterable[Table]) -> Metrics:
    """Writes that a condition or another transaction stood against."""
    return [
        [DYNAMODB, metric, "TableName", one.name, {"label": f"{one.key}: {said}"}]
        for one in tables
        for metric, said in (("ConditionalCheckFailedRequests", "condition"), ("TransactionConflict", "conflict"))
    ]


def backups(kind: str) -> Metrics:
    """Jobs of AWS Backup on DynamoDB: `Backup` or `Restore`."""
    outcomes = {"Completed": GREEN, "Failed": RED}
    return [
        [BACKUP, f"NumberOf{kind}Jobs{one}", "ResourceType", "DynamoDB", {"label": one.lower(), "color": color}]
        for one, color in outcomes.items()
    ]


def chunks(items: Iterable[Any], size: int = 50) -> Iterator[list[Any]]:
    """So many at a time: a graph of hundreds of lines tells nothing."""
    known = list(items)
    for start in range(0, len(known), size):
        yield known[start : start + size]
