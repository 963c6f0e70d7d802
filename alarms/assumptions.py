"""What AWS does not publish about the evaluation of an alarm, as values that a drill or a test can choose.

CloudWatch documents M out of N and the treatment of missing data. It leaves open how many datapoints an evaluation
fetches, how far before them metric math reads, how late a datapoint is, whether the newest one is complete, and at
which second of a minute an alarm is evaluated. An alarm that needs one answer to these questions is unsafe.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

# AWS prints the size of the evaluation range for N = 3 only (5 datapoints); these are the sizes that are tried.
RANGE_EXTRA = tuple(range(11))
# Datapoints that metric math may read before the evaluation range.
LEADS = (0, 1, 2)
# Whole minutes at the end of the window without a datapoint.
LATE_MINUTES = (0, 1, 2, 3)
# The part of a minute's data that is there before the minute is complete.
PARTIAL = 0.4


@dataclass(frozen=True, slots=True)
class Assumptions:
    """One answer to everything that AWS leaves open.

    `range_extra` is how many datapoints beyond N an evaluation fetches (None: as `evaluation_range` takes it);
    `lead` how many datapoints before them metric math reads; `late_s` the seconds that each datapoint of a minute
    comes later than it would (5 to 75 s after its minute); `partial` the part of a minute's data that is visible
    meanwhile (1: a minute appears complete or not at all); `phase_s` the second of the minute at which every alarm is
    evaluated (None: each alarm has its own, drawn from the seed). `text` tells it to a reader.
    """

    text: str = ""
    range_extra: int | None = None
    lead: int = 2
    late_s: float = 0.0
    partial: float = 1.0
    phase_s: float | None = None

    @property
    def delay_s(self) -> float:
        """How many seconds later than usual an alarm can ring: the lateness, and one evaluation."""
        return self.late_s + (60.0 if self.late_s or self.phase_s is not None else 0.0)


USUAL = Assumptions()
# In an ordinary drill a datapoint is there 75 s after the end of its minute at the latest. With these it is there
# 180 s after its timestamp, which is the minute's start: at an evaluation the newest two minutes are missing.
LATEST_S = 45.0
# The newest minutes are missing, nothing is read beyond N datapoints, and an alarm is evaluated as late as it can be.
WORST = Assumptions(
    "metrics are 3 minutes late, evaluations fetch N datapoints and math reads nothing before them",
    range_extra=0,
    lead=0,
    late_s=LATEST_S,
    phase_s=59.0,
)
# As late, but each minute is visible in part before it is complete.
PARTIAL_DATA = Assumptions(
    "as worst, but a minute is visible in part while it is not complete",
    range_extra=0,
    lead=0,
    late_s=LATEST_S,
    partial=PARTIAL,
    phase_s=59.0,
)
# Evaluations reach far back: what recovers, or falls silent, is seen late.
LONG = Assumptions(
    "metrics are 3 minutes late, evaluations fetch N + 10 datapoints",
    range_extra=RANGE_EXTRA[-1],
    lead=2,
    late_s=LATEST_S,
    phase_s=59.0,
)

NAMED: Mapping[str, Assumptions] = {"usual": USUAL, "worst": WORST, "partial": PARTIAL_DATA, "long": LONG}
