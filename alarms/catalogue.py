"""What the metrics of AWS are really like, and a linter that holds alarms against it.

CloudWatch takes an alarm on a metric that does not exist, and the alarm then stays silent for ever. Almost always it
is a wrong set of dimensions, a statistic without sense, or missing data left to chance. The knowledge is in
`catalogue.json`.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from importlib import resources

from alarms import composite
from alarms.metric_math import compile_expression
from alarms.spec import AlarmSpec, AnySpec, MetricQuery
from alarms.spec_rules import STATISTICS
from sereno.errors import InvalidInput, Problem


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric: under which sets of dimensions it exists, its unit, what its statistics mean.

    `idle` says what is published without activity (none, zero, nonzero, steady); `period` is the shortest in seconds
    that leaves no gaps; `highest` the largest value that a statistic can take.
    """

    namespace: str
    name: str
    dimensions: tuple[tuple[str, ...], ...]
    unit: str
    statistics: tuple[str, ...]
    idle: str
    period: int
    trap: str = ""
    highest: dict[str, float] = field(default_factory=dict)


@lru_cache(maxsize=1)
def metrics() -> dict[tuple[str, str], Metric]:
    """Every metric of the catalogue by (namespace, name); a namespace may end in `*`."""
    data = json.loads(resources.files("alarms").joinpath("catalogue.json").read_text("utf-8"))
    found = {}
    for namespace, described in data["namespaces"].items():
        for name, one in described["metrics"].items():
            found[namespace, name] = Metric(
                namespace,
                name,
                tuple(tuple(sorted(names)) for names in one["dimensions"]),
                one["unit"],
                tuple(one["statistics"]),
                one["idle"],
                one.get("period", described["period"]),
                one.get("trap", ""),
                one.get("highest", {}),
            )
    return found


def known(namespace: str, name: str) -> Metric | None:
    """The metric, or None when the catalogue has it not."""
    exact = metrics().get((namespace, name))
    return exact or metrics().get((namespace.split("/", maxsplit=1)[0] + "/*", name))


def check(spec: AnySpec) -> list[Problem]:
    """What is unwise about an alarm that CloudWatch would take. Metrics of namespaces that the catalogue does not
    have are the application's own, and only the general habits are asked of them."""
    if not isinstance(spec, AlarmSpec):
        return []
    found = list(_missing_data(spec))
    for query in spec.stats:
        found += _metric(f"metric {query.metric_name}", query)
    found += _expressions(spec)
    found += _reachable(spec)
    return found


def check_all(specs: tuple[AnySpec, ...]) -> list[Problem]:
    """`check` for each alarm, with the alarm's name as place, and what only shows in all of them together: names
    that stand twice, and children of composite alarms that do not exist."""
    names = Counter(spec.name for spec in specs)
    found = [
        Problem(name, None, "stands twice; an alarm's name is its identity")
        for name in sorted(names)
        if names[name] > 1
    ]
    for spec in specs:
        found += [Problem(f"{spec.name}: {one.path}", one.value, one.mend) for one in check(spec)]
        if not isinstance(spec, AlarmSpec):
            found += [
                Problem(f"{spec.name}: rule", child, "is no alarm of this service")
                for child in composite.children(spec.rule)
                if child not in names
            ]
    return found


def _missing_data(spec: AlarmSpec) -> Iterator[Problem]:
    if spec.treat_missing_data is None:
        yield Problem("treat_missing_data", None, "say what a missing datapoint means; the default surprises")
    if spec.evaluate_low_sample_count_percentile and not (spec.extended_statistic or "").startswith("p"):
        yield Problem(
            "evaluate_low_sample_count_percentile",
            spec.evaluate_low_sample_count_percentile,
            "leave it out: it has a meaning for percentiles only",
        )


def _metric(path: str, query: MetricQuery) -> Iterator[Problem]:
    namespace, name, stat = query.namespace or "", query.metric_name or "", query.stat or ""
    if query.unit:
        yield Problem(f"{path}: unit", query.unit, "leave it out: with a unit not published there is no data")
    metric = known(namespace, name)
    if metric is None:
        others = sorted(one.name for one in metrics().values() if one.namespace == namespace)
        if others:
            yield Problem(path, namespace, f"has no such metric that is known; known are {', '.join(others)}")
        return
    given = tuple(sorted(key for key, _ in query.dimensions))
    if given not in metric.dimensions:
        sets = " or ".join("+".join(one) or "none" for one in metric.dimensions)
        trap = f" ({metric.trap})" if metric.trap else ""
        yield Problem(f"{path}: dimensions", "+".join(given) or "none", f"never have data; give {sets}{trap}")
    kind = stat if stat in STATISTICS else "percentile"
    if kind not in metric.statistics:
        trap = f" ({metric.trap})" if metric.trap else ""
        yield Problem(f"{path}: statistic", stat, f"has no sense; use {', '.join(metric.statistics)}{trap}")
    if (query.period or 0) < metric.period:
        yield Problem(f"{path}: period", query.period, f"leaves gaps; the metric comes every {metric.period} s")


def _expressions(spec: AlarmSpec) -> Iterator[Problem]:
    ids = {query.id for query in spec.metrics}
    for query in spec.metrics:
        if query.expression is None or spec.threshold_metric_id == query.id:
            continue
        try:
            expression = compile_expression(query.expression)
        except InvalidInput as refused:
            yield from refused.problems
            continue
        for name in expression.ids:
            if name not in ids:
                yield Problem(f"expression {query.id}", name, f"is no id of this alarm; known are {sorted(ids)}")
        for advice in expression.advised_against:
            mend = f"uses {advice}, whose value depends on how many datapoints CloudWatch fetches"
            yield Problem(f"expression {query.id}", query.expression, mend)


def _reachable(spec: AlarmSpec) -> Iterator[Problem]:
    """Thresholds that no value can pass."""
    if spec.metrics or spec.threshold is None:
        return
    query = spec.stats[0]
    metric = known(query.namespace or "", query.metric_name or "")
    highest = metric.highest.get(query.stat or "") if metric else None
    if highest is None:
        return
    strictly = spec.comparison_operator == "GreaterThanThreshold" and spec.threshold >= highest
    if strictly or (spec.comparison_operator == "GreaterThanOrEqualToThreshold" and spec.threshold > highest):
        yield Problem("threshold", spec.threshold, f"is never reached: {query.stat} is at most {highest}")
