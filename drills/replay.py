"""Each alarm under every assumption that AWS leaves open: how late it fires on its incident, and whether it is quiet.

A closed loop over series, not a drill: no account, no functions. An incident begins somewhere within a minute; at
each minute after it the alarm is evaluated as CloudWatch would under one assumption: how many datapoints are fetched,
how many more metric math reads, which of the newest minutes have no datapoint yet, whether the newest one is
complete, and for which of the alarm's metrics that holds. An evaluation comes within a minute after the minutes it
sees, at any second; so the bound adds a whole one.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from alarms import metric_math
from alarms.assumptions import LEADS, PARTIAL, RANGE_EXTRA
from alarms.evaluator import ALARM, OK, decide
from alarms.spec import AlarmSpec
from drills.bell import DAY, HOUR, MINUTE

Floats = NDArray[np.float64]
# One value for each slot of a minute (or of the period, where that is shorter), by the id of the metric; NaN is none.
Data = Mapping[str, Floats]
# Which of the newest minutes have no datapoint: up to three of them, and any gap among these.
PATTERNS = tuple(tuple(age for age in range(3) if number >> age & 1) for number in range(8))
FEW_PATTERNS = ((), (0,), (0, 1, 2), (1,))
# Where in its first minute an incident begins, in parts of the minute.
ONSETS = (0.0, 0.35, 0.7)
# Statistics whose value grows with the number of samples: a minute that is not complete shows a part of them.
GROWING = frozenset({"Sum", "SampleCount"})


@dataclass(frozen=True, slots=True)
class Assumed:
    """One assumption: datapoints fetched beyond N, those that math reads before, the newest slots without a
    datapoint, whether the newest slot that has one is complete, and which metrics that is about."""

    extra: int = 0
    lead: int = 0
    missing: tuple[int, ...] = ()
    partial: bool = False
    metrics: str = "all"

    def __str__(self) -> str:
        told = [f"range N + {self.extra}"]
        if self.lead:
            told.append(f"math reads {self.lead} more")
        if self.missing:
            whose = {"all": "", "first": " of its first metric", "others": " of all but its first metric"}
            ages = ", ".join(str(age + 1) for age in self.missing)
            told.append(f"newest minute {ages} missing{whose[self.metrics]}")
        if self.partial:
            told.append("newest minute partial")
        return ", ".join(told)


@dataclass(frozen=True, slots=True)
class Fired:
    """The longest time from the begin of an incident to ALARM (seconds, None: it never fires), and when it is."""

    seconds: float | None
    assumed: Assumed


def assumptions(spec: AlarmSpec, *, thin: bool = False) -> Iterator[Assumed]:
    """Every assumption that can matter to an alarm; `thin`: the corners, and one between them."""
    is_math, several = bool(spec.metrics), len(spec.stats) > 1
    extras = (0, 2, 10) if thin else RANGE_EXTRA
    leads = ((0, 2) if thin else LEADS) if is_math else (0,)
    patterns = FEW_PATTERNS if thin else PATTERNS
    if spec.period_seconds < MINUTE:
        patterns = ((), (0,))  # the application's own metric is there within seconds
    whose = ("all", "first", "others") if several else ("all",)
    for extra, lead, missing, partial, metrics in product(extras, leads, patterns, (False, True), whose):
        if metrics == "all" or missing or partial:
            yield Assumed(extra, lead, missing, partial, metrics)


def slot_s(spec: AlarmSpec) -> int:
    """The seconds of one slot of the series."""
    return int(min(MINUTE, spec.period_seconds))


def every_s(spec: AlarmSpec) -> float:
    """Seconds between two evaluations."""
    if spec.period_seconds < MINUTE:
        return 10.0
    return HOUR if spec.period_seconds * spec.evaluation_periods > DAY else MINUTE


def history(spec: AlarmSpec) -> int:
    """How many slots before an incident an evaluation can read."""
    datapoints = spec.evaluation_periods + RANGE_EXTRA[-1] + LEADS[-1]
    return datapoints * spec.period_seconds // slot_s(spec)


def state_at(spec: AlarmSpec, data: Data, last: int, assumed: Assumed, previous: str = OK) -> str:
    """The state when the slots up to `last` have passed."""
    each = spec.period_seconds // slot_s(spec)
    size = spec.evaluation_periods + assumed.extra
    lead = assumed.lead if spec.metrics else 0
    slots = (size + lead) * each
    series = {}
    for place, query in enumerate(spec.stats):
        window = data[query.id][last + 1 - slots : last + 1]
        if assumed.metrics == "all" or (assumed.metrics == "first") == (place == 0):
            window = _late(window, query.stat or "", assumed)
        series[query.id] = _points(window.reshape(-1, each), query.stat or "")
    points = metric_math.resolve(spec.metrics, series, spec.period_seconds) if spec.metrics else series["m"]
    return decide(spec, points[lead:], previous)


def fired(spec: AlarmSpec, data: Data, begin: int, onset: float, assumed: Assumed, most: int) -> float | None:
    """Seconds from the begin of an incident in slot `begin` (at `onset` of it) to ALARM; None when it has not fired
    after `most` slots. The evaluation after a slot comes up to one evaluation interval later."""
    state, step = OK, max(1, int(every_s(spec)) // slot_s(spec) // 4)
    for last in range(begin, begin + most, step):
        state = state_at(spec, data, last, assumed, state)
        if state == ALARM:
            # A look at every few minutes only, as at windows of days, may have missed the first.
            return float((last + 1 - begin - onset) * slot_s(spec) + every_s(spec))
    return None


def worst(spec: AlarmSpec, incidents: Sequence[tuple[float, Data]], most: int, *, thin: bool = False) -> Fired:
    """The latest that an alarm fires, over all assumptions and all begins (`incidents`: where in its slot each
    begins, and the series, with the incident in slot `history(spec)`)."""
    found = Fired(0.0, Assumed())
    begin = history(spec)
    for assumed in assumptions(spec, thin=thin):
        for onset, data in incidents:
            seconds = fired(spec, data, begin, onset, assumed, most)
            if seconds is None:
                return Fired(None, assumed)
            if found.seconds is not None and seconds > found.seconds:
                found = Fired(seconds, assumed)
    return found


def rings(spec: AlarmSpec, data: Data, moments: Sequence[int], *, thin: bool = False) -> Assumed | None:
    """The first assumption under which an alarm that is OK goes to ALARM after one of these slots; None: none."""
    known: set[tuple[object, ...]] = set()
    for assumed in assumptions(spec, thin=thin):
        if thin and assumed.extra == 2:
            continue
        for last in moments:
            if _same(known, spec, data, last, assumed):
                continue
            if state_at(spec, data, last, assumed) == ALARM:
                return assumed
    return None


def _same(known: set[tuple[object, ...]], spec: AlarmSpec, data: Data, last: int, assumed: Assumed) -> bool:
    """Whether the same series were evaluated before under this assumption: most metrics are still all day."""
    slots = history(spec)
    seen = (assumed, *(data[query.id][last + 1 - slots : last + 1].tobytes() for query in spec.stats))
    digest = (hash(seen),)
    if digest in known:
        return True
    known.add(digest)
    return False


def moments(spec: AlarmSpec, data: Data, many: int) -> list[int]:
    """Slots at which an alarm is most likely to ring by mistake: where its metrics are highest, lowest, and grow or
    fall the most over one and two slots; and some between."""
    first, found = history(spec) + 3, set[int]()
    length = min(len(series) for series in data.values())
    for series in data.values():
        day = np.nan_to_num(series[first:length])
        for values in (day, -day, np.diff(day, prepend=day[:1]), day - np.roll(day, 2)):
            best = np.argsort(values[2:])[-many:] + 2
            found.update(int(place) + first + later for place in best for later in (0, 1))
    found.update(range(first, length, max(1, (length - first) // many)))
    return sorted(place for place in found if place < length)


def _late(window: Floats, stat: str, assumed: Assumed) -> Floats:
    if not assumed.missing and not assumed.partial:
        return window
    late = window.copy()
    for age in assumed.missing:
        if age < len(late):
            late[-1 - age] = math.nan
    if assumed.partial and stat in GROWING:
        newest = next(age for age in range(len(PATTERNS)) if age not in assumed.missing)
        if newest < len(late):
            late[-1 - newest] = np.floor(late[-1 - newest] * PARTIAL) if late[-1 - newest] >= 1 else math.nan
    return late


def _points(periods: Floats, stat: str) -> list[float | None]:
    """One datapoint a period, of the slots that have one."""
    if periods.shape[1] == 1:
        return [None if math.isnan(value) else value for value in periods[:, 0].tolist()]
    there = ~np.isnan(periods)
    some: list[bool] = np.any(there, axis=1).tolist()
    if stat in GROWING:
        values = np.where(there, periods, 0.0).sum(axis=1)
    elif stat == "Average":
        values = np.where(there, periods, 0.0).sum(axis=1) / np.maximum(there.sum(axis=1), 1)
    elif stat == "Minimum":
        values = np.where(there, periods, math.inf).min(axis=1)
    else:  # a maximum; a percentile of several minutes is at most their highest
        values = np.where(there, periods, -math.inf).max(axis=1)
    return [value if real else None for value, real in zip(values.tolist(), some, strict=True)]
