"""Reading a few CloudWatch series in one GetMetricData call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sereno.model import Json, Reason, Verdict

Points = list[tuple[float, float]]
# A minute's datapoint can come so many seconds after the minute: the latest that Sereno reckons with.
LATE_S = 180.0
# Without any datapoint for so long after the change the target is idle, and what is idle has no symptom.
IDLE_AFTER_S = 300.0


@dataclass(frozen=True, slots=True)
class Series:
    """One series to read: seconds of period, and the statistic in CloudWatch's spelling."""

    namespace: str
    name: str
    dimensions: Mapping[str, str]
    stat: str
    period: int = 60


def read(client: Any, wanted: Mapping[str, Series], start: datetime, end: datetime) -> dict[str, Points]:
    """{key: [(epoch seconds of the period's start, value), ...] oldest first}; missing periods are left out.

    The window is widened to whole minutes, because CloudWatch aligns periods to the minute.
    """
    answer_to: dict[str, Points] = {key: [] for key in wanted}
    token: Json = {}
    while True:
        answer = client.get_metric_data(
            MetricDataQueries=[_query(key, series) for key, series in wanted.items()],
            StartTime=start.replace(second=0, microsecond=0),
            EndTime=end.replace(second=0, microsecond=0) + timedelta(minutes=1),
            ScanBy="TimestampAscending",
            **token,
        )
        for result in answer["MetricDataResults"]:
            answer_to[result["Id"]] += [
                (moment.timestamp(), float(value))
                for moment, value in zip(result["Timestamps"], result["Values"], strict=True)
            ]
        if not answer.get("NextToken"):
            return answer_to
        token = {"NextToken": answer["NextToken"]}


def of_hold(points: Sequence[Sequence[float]], now_s: float, hold_s: float) -> Sequence[Sequence[float]]:
    """The datapoints (epoch seconds, value) of the last `hold_s` seconds; the newest before them where there is none.

    A metric comes late, so a short hold can show no datapoint in the middle of a surge. A resource that nobody uses
    publishes nothing, so where `LATE_S` more seconds show no datapoint either there is none.
    """
    held = [point for point in points if point[0] >= now_s - hold_s]
    return held or [point for point in points if point[0] >= now_s - hold_s - LATE_S]


def ceased(symptom: Json, thrown: str) -> Verdict:
    """By the newest whole minute since the change. `symptom` has `throttles_newest` (None: no such minute is
    published yet), `minutes` (how many are) and `waited_s`; `thrown` is what is throttled, such as `attempt`."""
    newest = symptom["throttles_newest"]
    if newest is None:
        if symptom["waited_s"] >= IDLE_AFTER_S:
            return Verdict.yes("idle since the change")
        return Verdict.no(Reason.NO_DATA, "no whole minute since the change has been published yet")
    if newest > 0:
        return Verdict.no(Reason.SYMPTOM_PERSISTS, f"{newest:.0f} throttled {thrown}s in the newest minute")
    return Verdict.yes(f"no throttled {thrown} in the newest of {symptom['minutes']} minutes since the change")


def _query(key: str, series: Series) -> Json:
    return {
        "Id": key,
        "MetricStat": {
            "Metric": {
                "Namespace": series.namespace,
                "MetricName": series.name,
                "Dimensions": [{"Name": name, "Value": text} for name, text in series.dimensions.items()],
            },
            "Period": series.period,
            "Stat": series.stat,
        },
    }
