"""How many datapoints an alarm must look at so that lateness neither hides an incident nor feigns silence.

How many datapoints CloudWatch fetches beyond N is not published, so an alarm must work with N. Of these the newest
three may not be there yet, and the next may hold a part of its minute only. An alarm that needs M breaching
datapoints of a minute therefore looks at M + 4. It fires as soon as M of them breach, and stays in ALARM up to four
minutes longer. An alarm for which silence is the failure looks at three more than the silence lasts.
"""

from __future__ import annotations

LATE = 3
PARTIAL = 1


def points(breaching: int) -> int:
    """N of an alarm on metrics of a minute that needs so many breaching datapoints (M)."""
    return breaching + LATE + PARTIAL


def silent_points(minutes: int) -> int:
    """N and M of an alarm for which so many minutes of silence are a failure."""
    return minutes + LATE
