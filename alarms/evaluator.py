"""CloudWatch's evaluation of a metric alarm, offline: M out of N, with its real treatment of missing data.

CloudWatch fetches more datapoints than N (the *evaluation range*) and lets the newest N **real** ones decide; only
where the whole range holds fewer than N are the rest filled as TreatMissingData says. The range's size is not
published, so it is an argument here. See "Configuring how CloudWatch alarms treat missing data" in the User Guide.

Inside, a range is two bit masks (bit 0 is the newest period): which datapoints are real, and which of them breach.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from alarms import wording
from alarms.spec import AlarmSpec
from sereno.errors import InvalidInput, Problem

OK, ALARM, INSUFFICIENT_DATA = "OK", "ALARM", "INSUFFICIENT_DATA"
STATES = (OK, ALARM, INSUFFICIENT_DATA)

# The statistic is the first operand; equality breaches only where the operator says "OrEqualTo".
COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "GreaterThanThreshold": operator.gt,
    "GreaterThanOrEqualToThreshold": operator.ge,
    "LessThanThreshold": operator.lt,
    "LessThanOrEqualToThreshold": operator.le,
}

Points = Sequence[float | None]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One answer of the evaluator.

    `evaluated` are the real datapoints that decided, newest first; `breaching` counts those beyond the threshold;
    `filled` counts the missing datapoints that were treated as TreatMissingData says. `kept` says that the data did
    not decide and the state before was kept.
    """

    state: str
    reason: str
    evaluated: tuple[float, ...] = ()
    breaching: int = 0
    filled: int = 0
    kept: bool = False


@dataclass(frozen=True, slots=True)
class Transition:
    """A change of state in a series: `index` is that of the newest datapoint evaluated."""

    index: int
    previous: str
    evaluation: Evaluation


def evaluation_range(periods: int) -> int:
    """How many datapoints CloudWatch is taken to fetch for N evaluation periods.

    A guess, to be overridden: AWS prints it for N = 3 only (5 datapoints). It also fits what people have observed,
    that an alarm with N = 1 clears three periods after its last datapoint.
    """
    return periods + max(2, periods // 3)


def low_sample_minimum(statistic: str) -> float:
    """The samples a percentile needs in a period before EvaluateLowSampleCountPercentile=ignore lets it count.

    CloudWatch: 10 / (1 - p) for percentiles from 0.5 on (p99: 1,000), 10 / p below. 0 for other statistics.
    """
    try:
        share = float(statistic.removeprefix("p")) / 100 if statistic.startswith("p") else 0.0
    except ValueError:
        return 0.0
    if not 0 < share < 1:
        return 0.0
    return round(10 / (1 - share) if share >= 0.5 else 10 / share, 6)


def evaluate(
    spec: AlarmSpec,
    datapoints: Points,
    previous: str = OK,
    *,
    samples: Sequence[float | None] | None = None,
    at: datetime | None = None,
    dynamodb_always_ignores: bool = False,
) -> Evaluation:
    """The state of the alarm on one evaluation range.

    `datapoints` are the range, oldest first, None for a missing one, in the unit of the threshold; a list shorter
    than N is taken as missing before its begin. `previous` is the state before. `samples` are the sample counts of
    the same periods, which only a percentile with EvaluateLowSampleCountPercentile=ignore needs. `at` is the start
    of the newest period and puts times into the reason. `dynamodb_always_ignores` is the older reading of AWS's
    documentation: alarms on AWS/DynamoDB ignore missing data whatever they say (the newer one: only by default).

    Raises InvalidInput for an anomaly alarm (its band is a model that only CloudWatch has) and for sample counts
    that do not match.
    """
    compare = _comparison(spec)
    if previous not in STATES:
        raise InvalidInput("evaluate", [Problem("previous", previous, f"must be one of {', '.join(STATES)}")])
    real = breach = 0
    for value in datapoints:
        real, breach = _shift(real, breach, value, compare)
    treatment = _treatment(spec, dynamodb_always_ignores)
    needed = _samples_needed(spec, samples, len(datapoints))
    if needed and samples and _low(_decisive(real, spec.evaluation_periods), samples, len(samples) - 1, needed):
        return Evaluation(previous, wording.too_few_samples(spec), kept=True)
    state, kept = _decide(real, breach, spec.evaluation_periods, spec.points_needed, treatment, previous)
    return _explain(spec, datapoints, real, breach, state, kept, treatment, at)


def decide(spec: AlarmSpec, datapoints: Points, previous: str = OK) -> str:
    """The state that `evaluate` answers, without its reason: for who evaluates very often."""
    compare = _comparison(spec)
    real = breach = 0
    for value in datapoints:
        real, breach = _shift(real, breach, value, compare)
    treatment = _treatment(spec, dynamodb_always_ignores=False)
    return _decide(real, breach, spec.evaluation_periods, spec.points_needed, treatment, previous)[0]


def timeline(
    spec: AlarmSpec,
    series: Points,
    *,
    previous: str = OK,
    range_size: int | None = None,
    samples: Sequence[float | None] | None = None,
    start: datetime | None = None,
    dynamodb_always_ignores: bool = False,
) -> list[Transition]:
    """Every change of state when the alarm is evaluated after each datapoint of `series` (oldest first).

    `range_size` is the evaluation range in datapoints, by default `evaluation_range(N)`; `start` the begin of the
    first period. The other arguments and errors are those of `evaluate`.
    """
    size = _range_size(spec, range_size)
    step = timedelta(seconds=spec.period_seconds)
    found: list[Transition] = []
    state = previous
    for index, new in enumerate(
        states(
            spec,
            series,
            previous=previous,
            range_size=size,
            samples=samples,
            dynamodb_always_ignores=dynamodb_always_ignores,
        )
    ):
        if new != state:
            first = max(0, index + 1 - size)
            evaluation = evaluate(
                spec,
                series[first : index + 1],
                state,
                samples=None if samples is None else samples[first : index + 1],
                at=None if start is None else start + index * step,
                dynamodb_always_ignores=dynamodb_always_ignores,
            )
            found.append(Transition(index, state, evaluation))
            state = new
    return found


def states(
    spec: AlarmSpec,
    series: Points,
    *,
    previous: str = OK,
    range_size: int | None = None,
    samples: Sequence[float | None] | None = None,
    dynamodb_always_ignores: bool = False,
) -> Iterator[str]:
    """The state after each datapoint of `series`; the arguments are those of `timeline`."""
    compare = _comparison(spec)
    size = _range_size(spec, range_size)
    treatment = _treatment(spec, dynamodb_always_ignores)
    n, m = spec.evaluation_periods, spec.points_needed
    window = (1 << size) - 1
    needed = _samples_needed(spec, samples, len(series))
    real = breach = 0
    state = previous
    for index, value in enumerate(series):
        real, breach = _shift(real, breach, value, compare)
        real &= window
        breach &= window
        if needed and samples and _low(_decisive(real, n), samples, index, needed):
            yield state
            continue
        state, _ = _decide(real, breach, n, m, treatment, state)
        yield state


def _decide(real: int, breach: int, n: int, m: int, treatment: str, previous: str) -> tuple[str, bool]:
    """(state, whether it was kept because the data does not decide)."""
    have = real.bit_count()
    if have >= n:
        # The newest N real datapoints decide, however many missing ones lie between; TreatMissingData is not used.
        return (ALARM if (breach & _decisive(real, n)).bit_count() >= m else OK), False
    breaching = breach.bit_count()
    if treatment == "breaching":
        return (ALARM if breaching + n - have >= m else OK), False
    if breaching >= m:
        return ALARM, False
    if treatment == "notBreaching":
        return OK, False
    if breaching < have:
        return OK, False
    if treatment == "ignore":
        return previous, True
    if not have:
        return INSUFFICIENT_DATA, False
    # Only breaching datapoints, fewer than M. CloudWatch goes to ALARM prematurely if the oldest of them is at least
    # M periods old: M periods have then passed without a good one.
    if breach.bit_length() >= m:
        return ALARM, False
    # Too young for that. AWS says only that it is not ALARM; an alarm that was OK is taken to stay so.
    return (OK if previous == OK else INSUFFICIENT_DATA), True


def _decisive(real: int, n: int) -> int:
    """The mask of the newest N real datapoints (of all of them, where there are fewer)."""
    newest = (1 << n) - 1
    if real & newest == newest:
        return newest
    chosen = 0
    for _ in range(n):
        lowest = real & -real
        chosen |= lowest
        real ^= lowest
    return chosen


def _shift(real: int, breach: int, value: float | None, compare: Callable[[float], bool]) -> tuple[int, int]:
    if value is None:
        return real << 1, breach << 1
    return real << 1 | 1, breach << 1 | compare(value)


def _comparison(spec: AlarmSpec) -> Callable[[float], bool]:
    if spec.threshold is None:
        mend = "is an anomaly alarm; its band is a model that only CloudWatch has, so it cannot be evaluated here"
        raise InvalidInput("evaluate", [Problem("alarm", spec.name, mend)])
    compare, threshold = COMPARISONS[spec.comparison_operator], spec.threshold
    return lambda value: compare(value, threshold)


def _treatment(spec: AlarmSpec, dynamodb_always_ignores: bool) -> str:
    """TreatMissingData as it works: `missing` by default, but `ignore` for alarms on AWS/DynamoDB."""
    if any(query.namespace == "AWS/DynamoDB" for query in spec.stats):
        return "ignore" if dynamodb_always_ignores else spec.treat_missing_data or "ignore"
    return spec.treat_missing_data or "missing"


def _range_size(spec: AlarmSpec, given: int | None) -> int:
    size = evaluation_range(spec.evaluation_periods) if given is None else given
    if size < spec.evaluation_periods:
        mend = f"must be at least evaluation_periods ({spec.evaluation_periods})"
        raise InvalidInput("timeline", [Problem("range_size", size, mend)])
    return size


def _samples_needed(spec: AlarmSpec, samples: Sequence[float | None] | None, points: int) -> float:
    """The sample count that a datapoint needs to count; 0 where the alarm does not ask."""
    needed = low_sample_minimum(spec.extended_statistic or "")
    if spec.evaluate_low_sample_count_percentile != "ignore" or not needed:
        return 0.0
    if samples is None:
        mend = "give the sample counts: a percentile alarm that ignores low counts depends on them"
        raise InvalidInput("evaluate", [Problem("samples", None, mend)])
    if len(samples) != points:
        mend = f"counts do not match the {points} datapoints; give one for each"
        raise InvalidInput("evaluate", [Problem("samples", len(samples), mend)])
    return needed


def _low(decisive: int, samples: Sequence[float | None], newest: int, needed: float) -> bool:
    """Whether a deciding datapoint rests on too few samples. (AWS does not print the rule for M of N; this is the
    plain reading: the state does not change while the sample count is low.)"""
    return any((samples[newest - age] or 0) < needed for age in _ages(decisive))


def _ages(mask: int) -> Iterator[int]:
    """The set bits, newest (0) first."""
    while mask:
        lowest = mask & -mask
        yield lowest.bit_length() - 1
        mask ^= lowest


def _explain(
    spec: AlarmSpec,
    points: Points,
    real: int,
    breach: int,
    state: str,
    kept: bool,
    treatment: str,
    at: datetime | None,
) -> Evaluation:
    """The decision with its reason in CloudWatch's words."""
    n = spec.evaluation_periods
    decisive = _decisive(real, n)
    aged = [(age, points[-1 - age]) for age in _ages(decisive)]
    seen = tuple(value for _, value in aged if value is not None)
    breaching = (breach & decisive).bit_count()
    filled = n - len(seen)
    if state == INSUFFICIENT_DATA:
        reason = wording.insufficient(filled)
    elif filled:
        reason = wording.with_missing(len(seen), n, filled, treatment)
    else:
        named = [
            (value, age) for age, value in aged if value is not None and bool(breach >> age & 1) == (state == ALARM)
        ]
        reason = wording.crossed(spec, named, state == ALARM, at)
    return Evaluation(state, reason, seen, breaching, filled, kept)
