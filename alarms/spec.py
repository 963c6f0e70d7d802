"""An alarm as Sereno writes it down: the fields of PutMetricAlarm and PutCompositeAlarm, and what they are for.

A specification that breaks CloudWatch's rules cannot be made: the constructor raises `InvalidInput` with every
problem at once. The rules themselves are in `alarms.spec_rules`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from alarms import spec_rules, wire
from alarms.wire import Api, Tags
from sereno.errors import InvalidInput, Problem

Dimensions = tuple[tuple[str, str], ...]


def dimensions(named: Mapping[str, str]) -> Dimensions:
    """The dimensions of a metric as sorted pairs."""
    return tuple(sorted(named.items()))


@dataclass(frozen=True, slots=True)
class MetricQuery:
    """One MetricDataQuery: either an expression, or a metric with its period (s) and statistic."""

    id: str
    expression: str | None = None
    namespace: str | None = None
    metric_name: str | None = None
    dimensions: Dimensions = ()
    period: int | None = None
    stat: str | None = None
    unit: str | None = None
    label: str = ""
    return_data: bool = True
    account_id: str | None = None

    @staticmethod
    def from_api(sent: Mapping[str, Any]) -> MetricQuery:
        """Reads a MetricDataQuery. ReturnData is true where it is left out, as in the API."""
        known = {
            "id": str(sent.get("Id", "")),
            "expression": sent.get("Expression"),
            "label": sent.get("Label", ""),
            "return_data": bool(sent.get("ReturnData", True)),
            "period": sent.get("Period"),
            "account_id": sent.get("AccountId"),
        }
        if stat := sent.get("MetricStat"):
            metric = stat["Metric"]
            known |= {
                "namespace": metric.get("Namespace"),
                "metric_name": metric.get("MetricName"),
                "dimensions": _pairs(metric.get("Dimensions", ())),
                "period": stat.get("Period"),
                "stat": stat.get("Stat"),
                "unit": stat.get("Unit"),
            }
        return MetricQuery(**known)

    def to_api(self) -> Api:
        """The MetricDataQuery of this query."""
        sent: Api = {"Id": self.id, "Label": self.label, "AccountId": self.account_id}
        if self.expression is not None:
            sent |= {"Expression": self.expression, "Period": self.period}
        else:
            metric = {
                "Namespace": self.namespace,
                "MetricName": self.metric_name,
                "Dimensions": _listed(self.dimensions),
            }
            stat = {
                "Metric": wire.without_nothing(metric),
                "Period": self.period,
                "Stat": self.stat,
                "Unit": self.unit,
            }
            sent["MetricStat"] = wire.without_nothing(stat)
        return wire.without_nothing(sent) | {"ReturnData": self.return_data}


@dataclass(frozen=True, slots=True)
class AlarmSpec:
    """A metric alarm.

    `period` is in seconds, `threshold` in the metric's unit. `warm_up_minutes` after its creation the alarm is first
    evaluated; until then it stays in INSUFFICIENT_DATA. `datapoints_to_alarm` (M) left out means
    `evaluation_periods` (N). `what` and `target` left out are read from a name of the form
    `<service>/<resource key>/<what>`. Raises InvalidInput with every rule of CloudWatch that is broken.
    """

    name: str
    comparison_operator: str
    evaluation_periods: int
    threshold: float | None = None
    description: str = ""
    namespace: str | None = None
    metric_name: str | None = None
    dimensions: Dimensions = ()
    statistic: str | None = None
    extended_statistic: str | None = None
    period: int | None = None
    datapoints_to_alarm: int | None = None
    treat_missing_data: str | None = None
    evaluate_low_sample_count_percentile: str | None = None
    unit: str | None = None
    metrics: tuple[MetricQuery, ...] = ()
    threshold_metric_id: str | None = None
    warm_up_minutes: int | None = None
    alarm_actions: tuple[str, ...] = ()
    ok_actions: tuple[str, ...] = ()
    insufficient_data_actions: tuple[str, ...] = ()
    actions_enabled: bool = True
    tags: Tags = ()
    what: str = ""
    severity: str = ""
    target: str = ""
    runbook: str = ""

    resource_type: ClassVar[str] = "AWS::CloudWatch::Alarm"

    def __post_init__(self) -> None:
        _name_tells(self)
        object.__setattr__(self, "dimensions", tuple(sorted(self.dimensions)))
        if problems := spec_rules.problems(self):
            raise InvalidInput(f"alarm {self.name}", problems)

    @property
    def period_seconds(self) -> int:
        """The period of a datapoint, whether the alarm watches one metric or an expression."""
        if self.period is not None:
            return self.period
        return next((query.period for query in self.metrics if query.period is not None), 60)

    @property
    def points_needed(self) -> int:
        """M: how many of the newest N datapoints must breach."""
        return self.datapoints_to_alarm or self.evaluation_periods

    @property
    def queries(self) -> tuple[MetricQuery, ...]:
        """What the alarm reads and computes, as queries; a single metric is one query with the id `m`."""
        if self.metrics:
            return self.metrics
        stat = self.statistic or self.extended_statistic
        where = (self.namespace, self.metric_name, self.dimensions)
        return (MetricQuery("m", None, *where, self.period, stat, self.unit),)

    @property
    def stats(self) -> tuple[MetricQuery, ...]:
        """The metrics among the queries."""
        return tuple(query for query in self.queries if query.expression is None)

    @staticmethod
    def from_api(sent: Mapping[str, Any]) -> AlarmSpec:
        """Reads the arguments of put_metric_alarm, or one MetricAlarm of describe_alarms.

        Raises InvalidInput for a field that Sereno does not know how to keep, and for every broken rule.
        """
        name = str(sent.get("AlarmName", ""))
        _refuse_unknown(f"alarm {name}", sent, _METRIC_FIELDS)
        fields = {mine: sent[theirs] for mine, theirs in _METRIC_FIELDS.items() if sent.get(theirs) is not None}
        for listed in ("alarm_actions", "ok_actions", "insufficient_data_actions"):
            fields[listed] = tuple(fields.get(listed, ()))
        fields["dimensions"] = _pairs(fields.get("dimensions", ()))
        fields["metrics"] = tuple(MetricQuery.from_api(query) for query in fields.get("metrics", ()))
        if "warm_up_minutes" in fields:
            fields["warm_up_minutes"] = fields["warm_up_minutes"].get("WarmUpPeriodDurationInMinutes")
        fields.setdefault("comparison_operator", "")
        fields.setdefault("evaluation_periods", 0)
        return AlarmSpec(**(fields | _read_common(sent, name)))

    def to_api(self) -> Api:
        """The arguments of put_metric_alarm."""
        sent = {theirs: getattr(self, mine) for mine, theirs in _METRIC_FIELDS.items()}
        sent |= _write_common(self)
        sent["Dimensions"] = _listed(self.dimensions)
        sent["Metrics"] = [query.to_api() for query in self.metrics]
        if self.warm_up_minutes is not None:
            sent["WarmUpConfiguration"] = {
                "WarmUpPeriodDurationInMinutes": self.warm_up_minutes,
                "OnlyStartEvaluatingAfterWarmUpPeriodEnds": True,
            }
        return wire.without_nothing(sent)

    def to_cloudformation(self) -> Api:
        """The properties of AWS::CloudWatch::Alarm, which are spelt as in the API."""
        return self.to_api()


@dataclass(frozen=True, slots=True)
class CompositeSpec:
    """A composite alarm: a rule over the states of other alarms.

    `wait_period` and `extension_period` are seconds and stand with `actions_suppressor` (an alarm whose ALARM
    holds the actions back). Raises InvalidInput with every rule of CloudWatch that is broken.
    """

    name: str
    rule: str
    description: str = ""
    actions_suppressor: str | None = None
    wait_period: int | None = None
    extension_period: int | None = None
    alarm_actions: tuple[str, ...] = ()
    ok_actions: tuple[str, ...] = ()
    insufficient_data_actions: tuple[str, ...] = ()
    actions_enabled: bool = True
    tags: Tags = ()
    what: str = ""
    severity: str = ""
    target: str = ""
    runbook: str = ""

    resource_type: ClassVar[str] = "AWS::CloudWatch::CompositeAlarm"

    def __post_init__(self) -> None:
        _name_tells(self)
        if problems := spec_rules.composite_problems(self):
            raise InvalidInput(f"alarm {self.name}", problems)

    @staticmethod
    def from_api(sent: Mapping[str, Any]) -> CompositeSpec:
        """Reads the arguments of put_composite_alarm, or one CompositeAlarm of describe_alarms."""
        name = str(sent.get("AlarmName", ""))
        _refuse_unknown(f"alarm {name}", sent, _COMPOSITE_FIELDS)
        fields = {mine: sent[theirs] for mine, theirs in _COMPOSITE_FIELDS.items() if sent.get(theirs) is not None}
        for listed in ("alarm_actions", "ok_actions", "insufficient_data_actions"):
            fields[listed] = tuple(fields.get(listed, ()))
        fields.setdefault("rule", "")
        return CompositeSpec(**(fields | _read_common(sent, name)))

    def to_api(self) -> Api:
        """The arguments of put_composite_alarm."""
        sent = {theirs: getattr(self, mine) for mine, theirs in _COMPOSITE_FIELDS.items()}
        return wire.without_nothing(sent | _write_common(self))

    def to_cloudformation(self) -> Api:
        """The properties of AWS::CloudWatch::CompositeAlarm, which are spelt as in the API.

        A child named in the rule must exist first: the template needs DependsOn for `alarms.composite.children`.
        """
        return self.to_api()


AnySpec = AlarmSpec | CompositeSpec

_COMMON_FIELDS = {
    "name": "AlarmName",
    "description": "AlarmDescription",
    "alarm_actions": "AlarmActions",
    "ok_actions": "OKActions",
    "insufficient_data_actions": "InsufficientDataActions",
    "actions_enabled": "ActionsEnabled",
    "tags": "Tags",
}
_METRIC_FIELDS = _COMMON_FIELDS | {
    "namespace": "Namespace",
    "metric_name": "MetricName",
    "dimensions": "Dimensions",
    "statistic": "Statistic",
    "extended_statistic": "ExtendedStatistic",
    "period": "Period",
    "evaluation_periods": "EvaluationPeriods",
    "datapoints_to_alarm": "DatapointsToAlarm",
    "threshold": "Threshold",
    "comparison_operator": "ComparisonOperator",
    "treat_missing_data": "TreatMissingData",
    "evaluate_low_sample_count_percentile": "EvaluateLowSampleCountPercentile",
    "unit": "Unit",
    "warm_up_minutes": "WarmUpConfiguration",
    "metrics": "Metrics",
    "threshold_metric_id": "ThresholdMetricId",
}
_COMPOSITE_FIELDS = _COMMON_FIELDS | {
    "rule": "AlarmRule",
    "actions_suppressor": "ActionsSuppressor",
    "wait_period": "ActionsSuppressorWaitPeriod",
    "extension_period": "ActionsSuppressorExtensionPeriod",
}


def _name_tells(spec: AnySpec) -> None:
    target, what = wire.name_parts(spec.name)
    object.__setattr__(spec, "what", spec.what or what)
    object.__setattr__(spec, "target", spec.target or target)


def _refuse_unknown(source: str, sent: Mapping[str, Any], fields: Mapping[str, str]) -> None:
    unknown = sorted(set(sent) - set(fields.values()) - wire.STATE_FIELDS)
    if unknown:
        known = ", ".join(sorted(fields.values()))
        raise InvalidInput(
            source, [Problem(name, None, f"is no field that is kept; known are {known}") for name in unknown]
        )


def _read_common(sent: Mapping[str, Any], name: str) -> Api:
    tags, own = wire.tags_in(sent.get("Tags", []), name)
    description, runbook = wire.split_description(sent.get("AlarmDescription") or "")
    return {"name": name, "description": description, "runbook": runbook, "tags": tags, **own}


def _write_common(spec: AnySpec) -> Api:
    return {
        "AlarmDescription": wire.join_description(spec.description, spec.runbook),
        "Tags": wire.tags_out(spec.tags, spec.name, spec.what, spec.target, spec.severity),
        "AlarmActions": list(spec.alarm_actions),
        "OKActions": list(spec.ok_actions),
        "InsufficientDataActions": list(spec.insufficient_data_actions),
    }


def _pairs(listed: Any) -> Dimensions:
    return tuple(sorted((str(one["Name"]), str(one["Value"])) for one in listed))


def _listed(pairs: Dimensions) -> list[Api]:
    return [{"Name": name, "Value": value} for name, value in pairs]
