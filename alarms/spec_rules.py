"""The rules that PutMetricAlarm and PutCompositeAlarm hold a specification to, each with its mend.

The numbers are those of the CloudWatch API reference (PutMetricAlarm, MetricDataQuery, PutCompositeAlarm).
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

from alarms import composite, wire
from sereno.errors import InvalidInput, Problem

if TYPE_CHECKING:
    from alarms.spec import AlarmSpec, CompositeSpec, MetricQuery

STATIC_OPERATORS = (
    "GreaterThanThreshold",
    "GreaterThanOrEqualToThreshold",
    "LessThanThreshold",
    "LessThanOrEqualToThreshold",
)
BAND_OPERATORS = (
    "LessThanLowerOrGreaterThanUpperThreshold",
    "LessThanLowerThreshold",
    "GreaterThanUpperThreshold",
)
STATISTICS = ("SampleCount", "Average", "Sum", "Minimum", "Maximum")
TREATMENTS = ("breaching", "notBreaching", "ignore", "missing")
HIGH_RESOLUTION = (10, 20, 30)
HOUR, DAY, WEEK = 3600, 86_400, 604_800
LARGEST = 2.0**360  # CloudWatch rejects values beyond it, and NaN and infinities
METRICS_LIMIT = 10  # in one alarm, and as many expressions; neither can be raised
SUPPRESSOR_LIMIT = 86_400

_NUMBER = r"\d{1,3}(\.\d{1,10})?"
_EXTENDED = re.compile(
    rf"(p|tm|tc|ts|wm)(100|{_NUMBER})|IQM|PR\([-\d.]*:[-\d.]*\)|(TC|TM|TS|WM)\([-\d.]*%?:[-\d.]*%?\)"
)
_ID = re.compile(r"[a-z][a-zA-Z0-9_]{0,254}")


def problems(spec: AlarmSpec) -> list[Problem]:
    """Every rule that a metric alarm breaks; empty when CloudWatch would take it."""
    shown = wire.join_description(spec.description, spec.runbook)
    actions = {
        "alarm_actions": spec.alarm_actions,
        "ok_actions": spec.ok_actions,
        "insufficient_data_actions": spec.insufficient_data_actions,
    }
    found = wire.common_problems(spec.name, shown, spec.severity, spec.tags, actions)
    found += _source(spec) + _periods(spec) + _comparison(spec) + _choices(spec)
    return found


def composite_problems(spec: CompositeSpec) -> list[Problem]:
    """Every rule that a composite alarm breaks, its rule expression included."""
    shown = wire.join_description(spec.description, spec.runbook)
    actions = {
        "alarm_actions": spec.alarm_actions,
        "ok_actions": spec.ok_actions,
        "insufficient_data_actions": spec.insufficient_data_actions,
    }
    found = wire.common_problems(spec.name, shown, spec.severity, spec.tags, actions)
    try:
        if spec.name in composite.children(spec.rule):
            found.append(Problem("rule", spec.name, "names itself; a cycle is never evaluated"))
    except InvalidInput as refused:
        found += refused.problems
    for field, action in ((name, one) for name, listed in actions.items() for one in listed):
        if ":automate:" in action or ":autoscaling:" in action:
            found.append(Problem(field, action, "composite alarms run neither EC2 nor Auto Scaling actions"))
    return found + _suppression(spec)


def _suppression(spec: CompositeSpec) -> list[Problem]:
    found = []
    for field, seconds in (("wait_period", spec.wait_period), ("extension_period", spec.extension_period)):
        if (seconds is None) != (spec.actions_suppressor is None):
            found.append(Problem(field, seconds, "must be set exactly when actions_suppressor is set"))
        elif seconds is not None and not 0 <= seconds <= SUPPRESSOR_LIMIT:
            found.append(Problem(field, seconds, f"seconds must lie in 0..{SUPPRESSOR_LIMIT}"))
    return found


def _source(spec: AlarmSpec) -> list[Problem]:
    """One metric or a list of queries, never both."""
    single = {
        "namespace": spec.namespace,
        "metric_name": spec.metric_name,
        "dimensions": spec.dimensions,
        "statistic": spec.statistic,
        "extended_statistic": spec.extended_statistic,
        "period": spec.period,
        "unit": spec.unit,
    }
    if spec.metrics:
        mend = "leave it out: with metrics the fields of a single metric are forbidden"
        return [Problem(name, value, mend) for name, value in single.items() if value] + _queries(spec)
    found = [
        Problem(name, None, "is missing: give it, or give metrics")
        for name in ("namespace", "metric_name", "period")
        if not single[name]
    ]
    if bool(spec.statistic) == bool(spec.extended_statistic):
        both = f"{spec.statistic} and {spec.extended_statistic}" if spec.statistic else None
        found.append(Problem("statistic", both, "give exactly one of statistic and extended_statistic"))
    if spec.statistic and spec.statistic not in STATISTICS:
        found.append(Problem("statistic", spec.statistic, f"must be one of {', '.join(STATISTICS)}"))
    if spec.extended_statistic and not _EXTENDED.fullmatch(spec.extended_statistic):
        found.append(Problem("extended_statistic", spec.extended_statistic, "is none; write for example p99"))
    return found + _dimensions("dimensions", spec.dimensions)


def _queries(spec: AlarmSpec) -> list[Problem]:
    found: list[Problem] = []
    stats = [query for query in spec.metrics if query.expression is None]
    expressions = len(spec.metrics) - len(stats)
    for kind, count in (("metrics", len(stats)), ("expressions", expressions)):
        if count > METRICS_LIMIT:
            found.append(Problem("metrics", count, f"{kind} are too many: an alarm takes {METRICS_LIMIT}"))
    ids = [query.id for query in spec.metrics]
    for repeated in sorted({one for one in ids if ids.count(one) > 1}):
        found.append(Problem("metrics", repeated, "stands twice; each id must be unique"))
    if len({query.period for query in stats}) > 1:
        periods = sorted({query.period or 0 for query in stats})
        found.append(Problem("metrics", periods, "periods differ; all metrics of an alarm need the same"))
    shown = sum(query.return_data for query in spec.metrics)
    wanted = 2 if spec.threshold_metric_id else 1
    if shown != wanted:
        found.append(Problem("metrics", shown, f"queries return data; exactly {wanted} must have return_data"))
    if spec.threshold_metric_id and spec.threshold_metric_id not in ids:
        found.append(Problem("threshold_metric_id", spec.threshold_metric_id, "is no id of metrics"))
    if expressions:
        found += [
            Problem("alarm_actions", action, "an alarm on an expression cannot run EC2 actions")
            for action in spec.alarm_actions
            if ":automate:" in action
        ]
    for place, query in enumerate(spec.metrics):
        found += _query(f"metrics[{place}]", query)
    return found


def _query(path: str, query: MetricQuery) -> list[Problem]:
    found: list[Problem] = []
    if not _ID.fullmatch(query.id):
        found.append(Problem(f"{path}.id", query.id, "must begin with a-z and hold letters, digits and _"))
    if query.expression is not None:
        if not 1 <= len(query.expression) <= 2048:
            found.append(Problem(f"{path}.expression", len(query.expression), "characters; 1 to 2048 are taken"))
        if query.metric_name or query.namespace or query.stat:
            found.append(Problem(path, query.id, "give an expression or a metric, not both"))
        return found
    for name in ("namespace", "metric_name", "period", "stat"):
        if not getattr(query, name):
            found.append(Problem(f"{path}.{name}", None, "is missing"))
    if query.stat and query.stat not in STATISTICS and not _EXTENDED.fullmatch(query.stat):
        found.append(Problem(f"{path}.stat", query.stat, "is none; write for example Sum or p99"))
    return found + _dimensions(f"{path}.dimensions", query.dimensions)


def _dimensions(path: str, pairs: tuple[tuple[str, str], ...]) -> list[Problem]:
    found = [Problem(path, name, "needs a name and a value") for name, value in pairs if not name or not value]
    names = [name for name, _ in pairs]
    found += [Problem(path, name, "stands twice") for name in sorted(set(names)) if names.count(name) > 1]
    if len(pairs) > 30:
        found.append(Problem(path, len(pairs), "dimensions are too many: a metric has at most 30"))
    return found


def _periods(spec: AlarmSpec) -> list[Problem]:
    found: list[Problem] = []
    n, m, period = spec.evaluation_periods, spec.datapoints_to_alarm, spec.period_seconds
    if n < 1:
        found.append(Problem("evaluation_periods", n, "must be at least 1"))
    if m is not None and not 1 <= m <= n:
        found.append(Problem("datapoints_to_alarm", m, f"must lie in 1..evaluation_periods ({n})"))
    if period not in HIGH_RESOLUTION and (period < 60 or period % 60):
        found.append(Problem("period", period, "must be 10, 20, 30 or a multiple of 60 seconds"))
    window = WEEK if period >= HOUR else DAY  # 7 days for periods of an hour and more, else one day
    if period * n > window:
        mend = f"seconds of period x evaluation_periods; at most {window} are allowed with this period"
        found.append(Problem("evaluation_periods", period * n, mend))
    return found


def _comparison(spec: AlarmSpec) -> list[Problem]:
    operator, threshold = spec.comparison_operator, spec.threshold
    if spec.threshold_metric_id or operator in BAND_OPERATORS:
        found = []
        if operator not in BAND_OPERATORS:
            mend = f"an anomaly alarm takes one of {', '.join(BAND_OPERATORS)}"
            found.append(Problem("comparison_operator", operator, mend))
        if not spec.threshold_metric_id:
            found.append(Problem("threshold_metric_id", None, "is missing: name the band's id"))
        if threshold is not None:
            found.append(Problem("threshold", threshold, "leave it out: an anomaly alarm compares with its band"))
        return found
    found = []
    if operator not in STATIC_OPERATORS:
        found.append(Problem("comparison_operator", operator, f"must be one of {', '.join(STATIC_OPERATORS)}"))
    if threshold is None:
        found.append(Problem("threshold", None, "is missing"))
    elif not math.isfinite(threshold) or abs(threshold) > LARGEST:
        found.append(Problem("threshold", threshold, "must be a finite number within -2^360..2^360"))
    return found


def _choices(spec: AlarmSpec) -> list[Problem]:
    found = []
    if spec.treat_missing_data not in (None, *TREATMENTS):
        mend = f"must be one of {', '.join(TREATMENTS)}"
        found.append(Problem("treat_missing_data", spec.treat_missing_data, mend))
    if spec.evaluate_low_sample_count_percentile not in (None, "evaluate", "ignore"):
        given = spec.evaluate_low_sample_count_percentile
        found.append(Problem("evaluate_low_sample_count_percentile", given, "must be evaluate or ignore"))
    return found
