"""What CloudWatch takes as a dashboard: the structure of its body, and how much may stand in it.

PutDashboard answers some mistakes with warnings only, and CloudFormation drops those: a graph is then empty when it
is needed. So the structure is checked here, before anything is sent.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.alias_generators import to_camel

from dashboards.layout import COLUMNS
from sereno.errors import InvalidInput, Problem
from sereno.model import Json

# https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_limits.html
WIDGET_LIMIT = 500
METRICS_A_WIDGET = 500
METRICS_A_DASHBOARD = 2500
# An alarm widget names at most 100 alarms.
ALARMS_A_WIDGET = 100
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_Dimension.html
DIMENSIONS = 30

_ID = r"^[a-z][A-Za-z0-9_]*$"
_COLOUR = r"^#[0-9a-fA-F]{6}$"
_REGION = r"^[a-z]{2}(-[a-z]+)+-\d$"
_STAT = r"^(SampleCount|Average|Sum|Minimum|Maximum|IQM|(p|tm|wm|tc|ts)\d{1,2}(\.\d+)?|p100|(PR|TM|WM|TC|TS)\(.+\))$"
_RELATIVE = r"^-P(\d+[DWM]|T\d+[HM])$"
Period = Annotated[int, Field(ge=1)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, alias_generator=to_camel)


class _Axis(_Strict):
    label: str = ""
    min: float | None = None
    max: float | None = None
    show_units: bool = True


class _Axes(_Strict):
    left: _Axis | None = None
    right: _Axis | None = None


class _Line(_Strict):
    value: float
    label: str = ""
    color: str = Field(default="#000000", pattern=_COLOUR)
    fill: Literal["above", "below", "none"] = "none"
    visible: bool = True
    y_axis: Literal["left", "right"] = "left"


class _Moment(_Strict):
    value: str = Field(pattern=r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{3})?Z$")
    label: str = ""
    color: str = Field(default="#000000", pattern=_COLOUR)
    fill: Literal["after", "before", "none"] = "none"
    visible: bool = True


class _Annotations(_Strict):
    horizontal: list[_Line] = []
    vertical: list[_Moment] = []


class _Options(_Strict):
    """The last element of a metric: how it is shown."""

    id: str | None = Field(default=None, pattern=_ID)
    expression: str | None = Field(default=None, min_length=1, max_length=2048)
    label: str | None = None
    stat: str | None = Field(default=None, pattern=_STAT)
    period: Period | None = None
    color: str | None = Field(default=None, pattern=_COLOUR)
    visible: bool | None = None
    y_axis: Literal["left", "right"] | None = None
    region: str | None = Field(default=None, pattern=_REGION)


class _Graph(_Strict):
    title: str
    region: str = Field(pattern=_REGION)
    metrics: list[list[Any]] = Field(min_length=1, max_length=METRICS_A_WIDGET)
    view: Literal["timeSeries", "singleValue", "gauge", "bar", "pie"]
    stacked: bool = False
    stat: str = Field(default="Average", pattern=_STAT)
    period: Period = 300
    y_axis: _Axes | None = None
    annotations: _Annotations | None = None
    set_period_to_time_range: bool = False
    start: str | None = Field(default=None, pattern=_RELATIVE)
    end: str | None = None


class _Text(_Strict):
    markdown: str = Field(min_length=1)


class _Alarms(_Strict):
    title: str
    alarms: list[Annotated[str, Field(pattern=r"^arn:aws[a-z-]*:cloudwatch:[a-z0-9-]+:\d{12}:alarm:.{1,255}$")]] = (
        Field(min_length=1, max_length=ALARMS_A_WIDGET)
    )
    sort_by: Literal["default", "stateUpdatedTimestamp", "timestamp"] = "default"


class _UpdateOn(_Strict):
    refresh: bool
    resize: bool
    time_range: bool


class _Custom(_Strict):
    title: str
    endpoint: str = Field(pattern=r"^arn:aws[a-z-]*:lambda:[a-z0-9-]+:\d{12}:function:[A-Za-z0-9_-]{1,64}$")
    params: dict[str, str]
    update_on: _UpdateOn


class _Placed(_Strict):
    x: int = Field(ge=0, le=COLUMNS - 1)
    y: int = Field(ge=0)
    width: int = Field(ge=1, le=COLUMNS)
    height: int = Field(ge=1, le=1000)


class _MetricWidget(_Placed):
    type: Literal["metric"]
    properties: _Graph


class _TextWidget(_Placed):
    type: Literal["text"]
    properties: _Text


class _AlarmWidget(_Placed):
    type: Literal["alarm"]
    properties: _Alarms


class _CustomWidget(_Placed):
    type: Literal["custom"]
    properties: _Custom


class _Body(_Strict):
    start: str = Field(pattern=_RELATIVE)
    period_override: Literal["auto", "inherit"]
    widgets: list[Annotated[_MetricWidget | _TextWidget | _AlarmWidget | _CustomWidget, Field(discriminator="type")]]


_BODY, _OPTIONS = TypeAdapter(_Body), TypeAdapter(_Options)


def check(body: Json, name: str) -> None:
    """Raises InvalidInput with everything about a dashboard that CloudWatch would not take, or would not show."""
    problems = list(_too_much(body))
    if not problems:
        try:
            _BODY.validate_python(body)
        except ValidationError as error:
            problems = [Problem(_path(one["loc"]), _short(one["input"]), one["msg"]) for one in error.errors()]
    if not problems:
        for number, widget in enumerate(body["widgets"]):
            problems += _widget(f"widgets[{number}]", widget)
    if problems:
        raise InvalidInput(name, problems)


def _too_much(body: Json) -> Iterator[Problem]:
    """CloudWatch's limits."""
    widgets = body.get("widgets")
    if not isinstance(widgets, list) or not all(isinstance(one, dict) for one in widgets):
        return
    counts = [len((one.get("properties") or {}).get("metrics") or ()) for one in widgets]
    if len(counts) > WIDGET_LIMIT:
        yield Problem("widgets", len(counts), f"widgets, CloudWatch takes {WIDGET_LIMIT}: split the service")
    if sum(counts) > METRICS_A_DASHBOARD:
        mend = f"metrics, CloudWatch takes {METRICS_A_DASHBOARD} a dashboard: split the service"
        yield Problem("widgets", sum(counts), mend)
    if max(counts, default=0) > METRICS_A_WIDGET:
        mend = f"metrics in one widget, CloudWatch takes {METRICS_A_WIDGET}: split the service"
        yield Problem("widgets", max(counts), mend)


def _widget(place: str, widget: Json) -> Iterator[Problem]:
    if widget["x"] + widget["width"] > COLUMNS:
        yield Problem(f"{place}.width", widget["width"], f"leaves the grid of {COLUMNS} columns")
    if widget["type"] != "metric":
        return
    ids: set[str] = set()
    for number, metric in enumerate(widget["properties"]["metrics"]):
        where = f"{place}.metrics[{number}]"
        yield from _metric(where, metric)
        named = metric[-1].get("id") if metric and isinstance(metric[-1], dict) else None
        if named in ids:
            yield Problem(f"{where}.id", named, "stands twice in this widget")
        if named:
            ids.add(named)


def _metric(where: str, metric: list[Any]) -> Iterator[Problem]:
    """`[namespace, name, dimension, value, ..., {options}]`, or `[{expression}]` alone."""
    words = metric[:-1] if metric and isinstance(metric[-1], dict) else metric
    options = metric[-1] if len(words) < len(metric) else {}
    try:
        _OPTIONS.validate_python(options)
    except ValidationError as error:
        for one in error.errors():
            yield Problem(f"{where}.{_path(one['loc'])}", _short(one["input"]), one["msg"])
    if "expression" in options:
        if words:
            yield Problem(where, words[0], "is a metric and an expression at once")
        return
    if len(words) < 2 or len(words) % 2 or not all(isinstance(one, str) and one for one in words):
        yield Problem(where, _short(words), "must be namespace, name, and pairs of dimension and value")
    elif len(words) > 2 + 2 * DIMENSIONS:
        yield Problem(where, (len(words) - 2) // 2, f"dimensions, CloudWatch takes {DIMENSIONS}")


def _path(place: tuple[int | str, ...]) -> str:
    return "".join(f"[{one}]" if isinstance(one, int) else f".{one}" for one in place).lstrip(".")


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
