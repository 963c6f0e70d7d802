"""State reasons in CloudWatch's own words, so that a person reads in a drill what the console would say."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from alarms.spec import AlarmSpec

_THAN = {
    "GreaterThanThreshold": "greater than",
    "GreaterThanOrEqualToThreshold": "greater than or equal to",
    "LessThanThreshold": "less than",
    "LessThanOrEqualToThreshold": "less than or equal to",
}
_TREATED = {"breaching": "Breaching", "notBreaching": "NonBreaching", "ignore": "Ignored", "missing": "Missing"}
REASON_LIMIT = 1023  # API: StateReason
_SHOWN = 10  # more datapoints would pass the limit; CloudWatch cuts its list as well


def number(value: float) -> str:
    """A number as CloudWatch (a Java service) prints a double: 50.0, 1.0E7, 5.0E-4."""
    value = float(value)
    if value == 0 or 1e-3 <= abs(value) < 1e7:
        return repr(value)
    for places in range(1, 17):  # the shortest mantissa that gives the number back
        mantissa, _, exponent = f"{value:.{places}e}".partition("e")
        if float(f"{mantissa}e{exponent}") == value:
            break
    return f"{mantissa}E{int(exponent)}"


def counted(amount: int, noun: str) -> str:
    """`1 period`, `2 periods`."""
    return f"{amount} {noun}" if amount == 1 else f"{amount} {noun}s"


def crossed(spec: AlarmSpec, named: Sequence[tuple[float, int]], alarming: bool, at: datetime | None) -> str:
    """The reason where real datapoints decided. `named` are (value, age in periods), newest first."""
    step = timedelta(seconds=spec.period_seconds)
    n, m = spec.evaluation_periods, spec.points_needed
    shown = []
    for value, age in named[:_SHOWN]:
        when = f" ({at - age * step:%d/%m/%y %H:%M:%S})" if at else ""
        shown.append(number(value) + when)
    more = ", ..." if len(named) > _SHOWN else ""
    verb = ("was" if len(named) == 1 else "were") + ("" if alarming else " not")
    needed = m if alarming else n - m + 1
    change = "OK -> ALARM" if alarming else "ALARM -> OK"
    return (
        f"Threshold Crossed: {len(named)} out of the last {n} datapoints [{', '.join(shown)}{more}] {verb} "
        f"{_THAN[spec.comparison_operator]} the threshold ({number(spec.threshold or 0.0)}) "
        f"(minimum {counted(needed, 'datapoint')} for {change} transition)."
    )


def with_missing(received: int, n: int, filled: int, treatment: str) -> str:
    """The reason where missing datapoints took part."""
    got = counted(received, "datapoint") if received else "no datapoints"
    were, treated = ("was" if received == 1 else "were"), ("was" if filled == 1 else "were")
    return (
        f"Threshold Crossed: {got} {were} received for {counted(n, 'period')} and "
        f"{counted(filled, 'missing datapoint')} {treated} treated as [{_TREATED[treatment]}]."
    )


def insufficient(missing: int) -> str:
    """The reason of INSUFFICIENT_DATA."""
    return f"Insufficient Data: {counted(missing, 'datapoint')} {'was' if missing == 1 else 'were'} unknown."


def too_few_samples(spec: AlarmSpec) -> str:
    """Sereno's own words: CloudWatch gives no reason where it does not change the state."""
    return f"The state was kept: too few samples for {spec.extended_statistic}."
