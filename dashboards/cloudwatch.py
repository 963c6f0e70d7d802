"""The service's dashboard in CloudWatch, rendered from `templates/cloudwatch.json.j2`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import orjson
from jinja2 import Environment, PackageLoader, StrictUndefined, Template, select_autoescape

from alarms.api_metrics import metrics_of
from alarms.spec import AlarmSpec, AnySpec
from sereno.errors import InvalidInput, Problem
from sereno.model import Json
from sereno.service import Function, Service

COLUMNS = 24
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_limits.html
WIDGET_LIMIT = 500
METRICS_A_WIDGET = 500
METRICS_A_DASHBOARD = 2500
# An alarm widget names at most 100 alarms.
ALARMS_A_WIDGET = 100


class Grid:
    """Places widgets from left to right; a widget that does not fit begins a new row."""

    def __init__(self) -> None:
        self._x = self._y = self._height = 0

    def place(self, width: int, height: int) -> str:
        """The next free place, as the members of a JSON object."""
        if self._x + width > COLUMNS:
            self.begin_row()
        x, self._x = self._x, self._x + width
        self._height = max(self._height, height)
        return f'"x": {x}, "y": {self._y}, "width": {width}, "height": {height}'

    def begin_row(self) -> bool:
        """Goes on below everything placed so far."""
        self._y, self._x, self._height = self._y + self._height, 0, 0
        return True


@dataclass(frozen=True, slots=True)
class Names:
    """What the watch's own resources are called (`deploy.synth.names` names them so)."""

    round: str
    dead_letters: str
    ledger: str

    @staticmethod
    def of(service: Service) -> Names:
        """The names for this service."""
        return Names(*(f"sereno-{service.name}-{part}" for part in ("round", "dlq", "ledger")))


def render(service: Service, alarms: Sequence[AnySpec]) -> str:
    """The dashboard's body: JSON for PutDashboard or AWS::CloudWatch::Dashboard.

    Raises InvalidInput, with the counts, when it is larger than CloudWatch takes.
    """
    metric_alarms = [one for one in alarms if isinstance(one, AlarmSpec)]
    grid = Grid()
    rendered = _template().render(
        service=service,
        names=Names.of(service),
        place=grid.place,
        begin_row=grid.begin_row,
        introduction=_introduction(service),
        availability_percent=round(service.objectives.availability * 100, 6),
        alarm_chunks=_chunks([_arn(service, one.name) for one in alarms]),
        burning=[one for one in metric_alarms if one.what.startswith("burn")],
        of_what=lambda what, key: [one for one in metric_alarms if (one.what, one.target) == (what, key)],
        metrics_of=metrics_of,
        flat=lambda dimensions: list(_flat(dimensions)),
        limit_lines=_limit_lines,
        series=series,
        threshold=threshold,
        search=lambda dimensions, metric: _search(service, dimensions, metric),
    )
    body = orjson.loads(rendered)
    _check(body)
    return orjson.dumps(body).decode()


@lru_cache(maxsize=1)
def _template() -> Template:
    """Compiled once a process: that takes ten times as long as rendering does."""
    environment = Environment(
        loader=PackageLoader("dashboards"),
        undefined=StrictUndefined,
        autoescape=select_autoescape(("html",)),
    )
    # The body is JSON and goes through a parser, so nothing needs jinja's escapes for HTML, which cost more than the
    # encoding itself.
    environment.filters["tojson"] = lambda value: orjson.dumps(value).decode()
    return environment.get_template("cloudwatch.json.j2")


def series(spec: AlarmSpec) -> list[list[Any]]:
    """What an alarm sees, as the metrics of a widget: the graph and the alarm cannot come apart."""
    if not spec.metrics:
        options = {"stat": spec.statistic or spec.extended_statistic, "period": spec.period_seconds}
        return [[spec.namespace, spec.metric_name, *_flat(spec.dimensions), options]]
    found: list[list[Any]] = []
    for query in spec.metrics:
        options = {"id": query.id, "visible": query.return_data, "period": query.period or spec.period_seconds}
        if query.label:
            options["label"] = query.label
        if query.expression is not None:
            found.append([{"expression": query.expression, **options}])
        else:
            place = [query.namespace, query.metric_name, *_flat(query.dimensions)]
            found.append([*place, {"stat": query.stat, **options}])
    return found


def threshold(spec: AlarmSpec) -> list[Json]:
    """The line at which an alarm fires, shaded on the side that breaches; none for an anomaly band."""
    if spec.threshold is None:
        return []
    side = "above" if spec.comparison_operator.startswith("Greater") else "below"
    return [{"label": "alarm", "value": spec.threshold, "fill": side, "color": "#d62728"}]


def _flat(dimensions: Sequence[tuple[str, str]]) -> Iterator[str]:
    for name, value in dimensions:
        yield from (name, value)


def _limit_lines(function: Function) -> list[Json]:
    """The declared limit: the one in force is no metric, and may have been raised meanwhile."""
    if function.reserved is None:
        return []
    return [{"label": "declared limit", "value": function.reserved, "color": "#d62728"}]


def _search(service: Service, dimensions: str, metric: str) -> str:
    """Every series of one of Sereno's own metrics, as it comes: statuses and reasons are not known beforehand."""
    where = f'{{Sereno,service,{dimensions}}} MetricName="{metric}" service="{service.name}"'
    return f"SEARCH('{where}', 'Sum', 300)"


def _arn(service: Service, name: str) -> str:
    area = "aws-cn" if service.region.startswith("cn-") else "aws"
    area = "aws-us-gov" if service.region.startswith("us-gov-") else area
    return f"arn:{area}:cloudwatch:{service.region}:{service.account}:alarm:{name}"


def _introduction(service: Service) -> str:
    promised = service.objectives
    lines = [
        f"# {service.name}",
        f"Promised: **{promised.availability * 100:.6g} %** available, p99 under **{promised.p99_ms:g} ms**, "
        f"**{promised.surge:g}x** normal traffic.",
    ]
    if service.runbook_url:
        lines.append(f"[Runbook]({service.runbook_url})")
    return "\n".join(lines)


def _chunks(arns: list[str]) -> list[list[str]]:
    return [arns[start : start + ALARMS_A_WIDGET] for start in range(0, len(arns), ALARMS_A_WIDGET)]


def _check(body: Json) -> None:
    """CloudWatch's limits."""
    counts = [len(widget["properties"].get("metrics", ())) for widget in body["widgets"]]
    problems = []
    if len(counts) > WIDGET_LIMIT:
        problems.append(
            Problem("dashboard", len(counts), f"widgets, CloudWatch takes {WIDGET_LIMIT}: split the service")
        )
    if sum(counts) > METRICS_A_DASHBOARD:
        mend = f"metrics, CloudWatch takes {METRICS_A_DASHBOARD} a dashboard: split the service"
        problems.append(Problem("dashboard", sum(counts), mend))
    if max(counts) > METRICS_A_WIDGET:
        mend = f"metrics in one widget, CloudWatch takes {METRICS_A_WIDGET}: split the service"
        problems.append(Problem("dashboard", max(counts), mend))
    if problems:
        raise InvalidInput("dashboard", problems)
