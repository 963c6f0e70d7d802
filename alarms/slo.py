"""Burn-rate alarms: is the error budget of a month being spent too fast?

An availability objective of 99.99 % leaves 0.01 % of a month's requests as the *error budget*: in time, 4.3 minutes
of a full outage in 30 days. A burn rate of 1 spends it exactly in a month. Each alarm asks for a high rate in a long
window (it matters) and in a short one (it still goes on), after the multi-window, multi-burn-rate alerts of Google's
"The Site Reliability Workbook", chapter 5. Each window is a metric alarm of one sliding period; a composite alarm
joins the two.
"""

from __future__ import annotations

from dataclasses import dataclass

from alarms.api_metrics import NAMESPACE, REQUESTS, metrics_of
from alarms.spec import AlarmSpec, AnySpec, CompositeSpec, MetricQuery, dimensions
from alarms.wire import alarm_name
from sereno.errors import InvalidInput, Problem
from sereno.service import Api, Service

MONTH_MINUTES = 30 * 24 * 60
# With 99.99 % a single failure among a hundred requests is already a burn rate of 100. A window counts only with this
# many failures, so a night of little traffic fires nothing, while a full outage passes the floor within ten requests.
# (A floor of requests would have to be about 7,000 in five minutes, and would hide a full outage at night.)
FLOOR = 10


@dataclass(frozen=True, slots=True)
class Burn:
    """One alarm: the burn rate that is too high, the two windows in seconds, and whom it calls."""

    what: str
    rate: float
    long_s: int
    short_s: int
    severity: str


# The rates spend 2 % of the budget in an hour, 5 % in six hours and 10 % in three days: table 5-8 of the chapter,
# with its severities. CloudWatch takes a period of three days (at most 7 days for periods from an hour on) and
# evaluates windows of more than a day once an hour.
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html
FAST = Burn("burn-fast", 14.4, 3600, 300, "page")
SLOW = Burn("burn-slow", 6.0, 21_600, 1800, "page")
STEADY = Burn("burn-steady", 1.0, 259_200, 21_600, "ticket")
BURNS = (FAST, SLOW, STEADY)


def ratio(errors: MetricQuery, requests: MetricQuery, floor: int, label: str) -> tuple[MetricQuery, ...]:
    """The queries of an error ratio that is 0 below `floor` errors in a period.

    The floor stands on the errors: below it the ratio says more about the traffic than about the service.
    """
    expression = f"IF({errors.id} >= {floor}, {errors.id} / {requests.id}, 0)"
    return (MetricQuery("ratio", expression, label=label), errors, requests)


def api_errors(api: Api, period: int) -> tuple[MetricQuery, MetricQuery]:
    """5xx answers and all requests of an API's stage, each period in seconds."""
    known = metrics_of(api)
    where = dimensions(dict(known.dimensions))
    return (
        MetricQuery("errors", None, NAMESPACE, known.failed, where, period, "Sum", return_data=False),
        MetricQuery("requests", None, NAMESPACE, REQUESTS, where, period, "Sum", return_data=False),
    )


def reachable(service: Service, burn: Burn) -> bool:
    """Whether a burn rate can be reached: with an objective of 90 % even a full outage burns at 10 only."""
    return 0 < burn.rate * (1 - service.objectives.availability) < 1


def failing_share(service: Service) -> tuple[float, str]:
    """(share of failed requests in a minute that is an alarm, how it follows from the objective).

    A hundred times the error budget: at that rate a month's budget is gone in about 7 hours. At least 1 %, below
    which a minute says little, and at most 25 %, so that a modest objective still gets an alarm.
    """
    objective = service.objectives.availability
    share = round(min(0.25, max(0.01, 100 * (1 - objective))), 6)
    return share, (
        f"{_percent(share)} is 100 times the error budget of the objective {_percent(objective)}, "
        "kept between 1 % and 25 %"
    )


def burn_alarms(service: Service, api: Api, burn: Burn) -> tuple[AnySpec, ...]:
    """The alarm of one burn rate: a composite, and its long and its short window.

    Raises InvalidInput when the objective leaves no budget, or so much that the rate can never be reached.
    """
    objective = service.objectives.availability
    budget = round(1 - objective, 12)
    threshold = round(burn.rate * budget, 12)
    if not reachable(service, burn):
        mend = f"must lie over {1 - 1 / burn.rate:.4f} and under 1, or the alarm {burn.what} cannot work"
        raise InvalidInput(f"service {service.name}", [Problem("objectives.availability", objective, mend)])
    name = alarm_name(service.name, api.key, burn.what)
    runbook = runbook_link(service, burn.what)
    windows = [
        AlarmSpec(
            name=f"{name}-{length}",
            description=(
                f"Share of requests to {api.name} ({api.stage}) answered with 5xx in {_spoken(seconds)}: "
                f"{_percent(threshold)} or more spends the error budget {_too_fast(burn)}. "
                f"Fewer than {FLOOR} failures count as none. One half of {burn.what}; it tells nobody by itself."
            ),
            metrics=ratio(*api_errors(api, seconds), FLOOR, "share of failed requests"),
            comparison_operator="GreaterThanOrEqualToThreshold",
            threshold=threshold,
            # One period that slides with every minute: CloudWatch evaluates periods of a minute and more each minute.
            evaluation_periods=1,
            datapoints_to_alarm=1,
            treat_missing_data="notBreaching",
            severity="info",
            runbook=runbook,
        )
        for length, seconds in (("long", burn.long_s), ("short", burn.short_s))
    ]
    joined = CompositeSpec(
        name=name,
        rule=" AND ".join(f'ALARM("{window.name}")' for window in windows),
        description=_arithmetic(api, burn, objective, budget, threshold),
        severity=burn.severity,
        runbook=runbook,
    )
    return (joined, *windows)


def runbook_link(service: Service, what: str) -> str:
    """Where a person finds what to do: the service's own runbook, or the chapter in Sereno's."""
    return service.runbook_link(what)


def _arithmetic(api: Api, burn: Burn, objective: float, budget: float, threshold: float) -> str:
    """How the threshold follows from the objective, for the person who was woken."""
    spent = burn.rate * burn.long_s / (MONTH_MINUTES * 60)
    return (
        f"{api.name} ({api.stage}) spends its error budget {_too_fast(burn)}. "
        f"The objective of {_percent(objective)} leaves {_percent(budget)} of requests, "
        f"or {budget * MONTH_MINUTES:.1f} minutes of full outage in 30 days. "
        f"{burn.rate:g} x {_percent(budget)} = {_percent(threshold)} failed requests over {_spoken(burn.long_s)} "
        f"spend {_percent(spent)} of it; going on like this the month's budget is gone in "
        f"{MONTH_MINUTES / 60 / burn.rate:.0f} hours. "
        f"The window of {_spoken(burn.short_s)} must show it too, so that the alarm ends soon after the failures do."
    )


def _too_fast(burn: Burn) -> str:
    """How fast, in words: at a rate of 1 the budget of a month is gone exactly when the month is."""
    return "until nothing is left of the month" if burn.rate == 1 else f"{burn.rate:g} times too fast"


def _spoken(seconds: int) -> str:
    hours, minutes = divmod(seconds // 60, 60)
    if hours >= 48:
        return f"{hours // 24} days"
    if hours:
        return "1 hour" if hours == 1 else f"{hours} hours"
    return f"{minutes} minutes"


def _percent(share: float) -> str:
    return f"{round(share * 100, 6):g} %"
