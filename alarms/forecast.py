"""Growth carried ahead by metric math, in a form that is silent where a datapoint is missing.

Arithmetic of metric math takes a missing side as 0 (User Guide, "Using metric math"): without care a missing
DIFF(DIFF()) counts as no change of slope, and the slope of one minute decides, which an ordinary step of traffic
passes. A missing *condition* of IF stays missing, so the condition carries the need for all three datapoints.
"""

from __future__ import annotations

from alarms.lateness import points

# A slope over two minutes needs two datapoints before its own. With seven there is a forecast even where CloudWatch
# fetches no more than N, metric math reads nothing before them, and the newest are late or not complete.
FORECAST_POINTS = 2 + points(1)
# Below any change of demand: the comparison is true wherever there is a value.
_BELOW_ALL = "-1000000000"


def two_minute_slope(series: str) -> str:
    """The growth of a series a minute, (d - d two minutes before) / 2, as (2 DIFF(d) - DIFF(DIFF(d))) / 2."""
    return f"(2 * DIFF({series}) - DIFF(DIFF({series}))) / 2"


def with_slope(series: str, expression: str) -> str:
    """The expression where `series` has its datapoint and two before it, and nothing elsewhere."""
    return f"IF(DIFF(DIFF({series})) > {_BELOW_ALL}, {expression})"
