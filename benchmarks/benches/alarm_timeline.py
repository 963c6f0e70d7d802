"""A day of minutes for a hundred alarms, against a loop that counts M of N and knows nothing of missing data."""

from __future__ import annotations

from alarms.evaluator import ALARM, OK, timeline
from alarms.spec import AlarmSpec
from benchmarks.measure import Row, Size, Target, milliseconds, paired

DAY = 1440
RULES = 100


def spec(number: int) -> AlarmSpec:
    """One of the rules: 3 out of 5 minutes above a threshold of its own."""
    return AlarmSpec.from_api(
        {
            "AlarmName": f"techmoda/read/rule-{number}",
            "Namespace": "AWS/Lambda",
            "MetricName": "Errors",
            "Dimensions": [{"Name": "FunctionName", "Value": "techmoda-read"}],
            "Statistic": "Sum",
            "Period": 60,
            "EvaluationPeriods": 5,
            "DatapointsToAlarm": 3,
            "Threshold": 10.0 + number % 7,
            "ComparisonOperator": "GreaterThanThreshold",
            "TreatMissingData": "notBreaching",
        }
    )


def series(number: int, minutes: int) -> list[float]:
    """Errors a minute: a few always, and a bad quarter of an hour every three hours."""
    return [
        float((minute * 7 + number) % 9 + (20 if (minute + number) % 180 < 15 else 0)) for minute in range(minutes)
    ]


def changes(spec: AlarmSpec, points: list[float]) -> list[tuple[int, str]]:
    """The floor: the plainest way to say when M of the newest N breach."""
    n, m, threshold = spec.evaluation_periods, spec.points_needed, spec.threshold or 0.0
    found, state = [], OK
    for index in range(len(points)):
        breaching = 0
        for point in points[max(0, index + 1 - n) : index + 1]:
            if point > threshold:
                breaching += 1
        new = ALARM if breaching >= m else OK
        if new != state:
            found.append((index, new))
            state = new
    return found


def run(size: Size) -> list[Row]:
    """Both find the same changes; ours explains each of them, and would know what to do with a missing minute."""
    minutes, rules = max(60, round(DAY * size.load)), max(1, round(RULES * size.load))
    load = [(spec(number), series(number, minutes)) for number in range(rules)]

    def ours() -> list[list[tuple[int, str]]]:
        return [[(one.index, one.evaluation.state) for one in timeline(rule, points)] for rule, points in load]

    def floor() -> list[list[tuple[int, str]]]:
        return [changes(rule, points) for rule, points in load]

    assert ours() == floor(), "the evaluator and the plain loop differ"
    mine, theirs = paired(size.pairs, milliseconds(ours), milliseconds(floor))
    row = Row("alarm_timeline", "ms", mine, theirs, "plain M-of-N loop", Target(ratio=2.5))
    rate = rules * minutes / row.figure * 1000
    return [Row(row.name, row.unit, mine, theirs, row.peer, row.target, f"{rate:,.0f} alarm-periods/s")]
