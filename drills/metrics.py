"""What CloudWatch would know: statistic sets by metric, dimensions and slot, each visible from its own moment on.

A metric's data lies in arrays with one place for each slot of its resolution, so that a read is a slice and a sum.
Percentiles come from histograms whose buckets grow by 1.5 %: an answer is within 0.75 % of the true sample.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Key = tuple[str, str, tuple[tuple[str, str], ...]]

LOWEST = 0.1
GROWTH = 1.015
MINUTE = 60
BUCKETS = 1024  # from 0.1 to 0.1 x 1.015^1024: in milliseconds, seven minutes
_WIDTH = math.log(GROWTH)
_PERCENTILE = re.compile(r"^p(\d{1,2}(?:\.\d+)?|100)$")


@dataclass(slots=True)
class Histogram:
    """How many samples fell into each bucket of the logarithmic scale."""

    counts: Ints = field(default_factory=lambda: np.zeros(BUCKETS, dtype=np.int64))

    def add(self, samples: Floats) -> None:
        """Counts the samples in. Values below 0.1 count as 0.1."""
        if len(samples):
            self.counts += np.bincount(buckets(samples), minlength=BUCKETS)

    def add_many(self, value: float, times: int) -> None:
        """Counts one value in `times` times."""
        if times:
            self.counts[int(buckets(np.array([value]))[0])] += times

    def merge(self, other: Histogram) -> None:
        """Counts another histogram's samples in."""
        self.counts += other.counts

    @property
    def count(self) -> int:
        return int(self.counts.sum())

    def percentile(self, percent: float) -> float | None:
        """The value below which `percent` (0-100) of the samples lie, or None without samples."""
        return percentile_of(self.counts, 0, percent)


def buckets(samples: Floats) -> Ints:
    """The bucket of each sample."""
    places = np.log(np.maximum(samples, LOWEST) / LOWEST) / _WIDTH
    return np.minimum(places.astype(np.int64), BUCKETS - 1)


def percentile_of(counts: NDArray[np.integer], first: int, percent: float) -> float | None:
    """The percentile of bucket counts that begin at bucket `first`: the middle of the bucket that holds it."""
    sums = np.cumsum(counts)
    total = int(sums[-1]) if len(sums) else 0
    if total == 0:
        return None
    rank = max(1, math.ceil(percent / 100 * total))
    place = first + int(np.searchsorted(sums, rank))
    return float(LOWEST * math.exp((place + 0.5) * _WIDTH))


@dataclass(slots=True)
class _Trimmed:
    """A histogram without its empty ends: a day of minutes would else fill the memory."""

    first: int
    counts: NDArray[np.int32]

    @staticmethod
    def of(histogram: Histogram) -> _Trimmed | None:
        used = np.flatnonzero(histogram.counts)
        if not len(used):
            return None
        first, last = int(used[0]), int(used[-1])
        return _Trimmed(first, histogram.counts[first : last + 1].astype(np.int32))


@dataclass(frozen=True, slots=True)
class _Seen:
    """What can be read: a datapoint visible by `whole` is complete, one visible by `in_part` holds a `part` of its
    samples."""

    whole: float
    in_part: float
    part: float


class _Series:
    """One metric with one set of dimensions."""

    __slots__ = ("base", "columns", "histograms", "resolution")

    def __init__(self, resolution: int, base: int) -> None:
        self.resolution = resolution
        self.base = base
        self.columns = _blank(64)
        self.histograms: dict[int, _Trimmed] = {}

    def put(self, slot: int, values: tuple[float, float, float, float, float]) -> None:
        self._make_room(slot)
        visible, total, count, low, high = values
        column = self.columns[:, slot - self.base]
        if math.isinf(column[0]):
            column[:] = values
            return
        # CloudWatch adds up what is sent for one timestamp.
        column[0] = max(column[0], visible)
        column[1] += total
        column[2] += count
        column[3] = min(column[3], low)
        column[4] = max(column[4], high)

    def _make_room(self, slot: int) -> None:
        size = self.columns.shape[1]
        if slot < self.base:
            extra = self.base - slot
            self.columns = np.concatenate([_blank(extra), self.columns], axis=1)
            self.base = slot
        elif slot - self.base >= size:
            wanted = max(size, slot - self.base + 1 - size)
            self.columns = np.concatenate([self.columns, _blank(wanted)], axis=1)

    def window(self, first: int, last: int) -> Floats:
        """The columns of slots first..last-1; slots never written are invisible."""
        size = self.columns.shape[1]
        low, high = first - self.base, last - self.base
        if low >= 0 and high <= size:
            return self.columns[:, low:high]
        inside = self.columns[:, max(low, 0) : max(min(high, size), 0)]
        before = min(max(-low, 0), last - first)
        after = last - first - before - inside.shape[1]
        return np.concatenate([_blank(before), inside, _blank(after)], axis=1)


def _blank(slots: int) -> Floats:
    columns = np.zeros((5, slots))
    columns[0] = math.inf
    columns[3] = math.inf
    columns[4] = -math.inf
    return columns


class MetricStore:
    """Statistic sets in, statistics out, each datapoint hidden until its moment. Times are epoch seconds.

    `late_s` delays every datapoint of a minute by so many seconds more; meanwhile `partial` of its samples is visible
    (1: none). Datapoints of 10 seconds are the application's own and come as they are published.
    """

    def __init__(self) -> None:
        self._series: dict[Key, _Series] = {}
        self.late_s = 0.0
        self.partial = 1.0

    def put(
        self,
        namespace: str,
        name: str,
        dimensions: Mapping[str, str],
        start: float,
        resolution: Literal[60, 10],
        *,
        visible_at: float,
        total: float,
        count: float,
        minimum: float,
        maximum: float,
        histogram: Histogram | None = None,
    ) -> None:
        """Stores one slot. Raises ValueError when `start` does not lie on the resolution or the metric was
        stored with another one."""
        slot, offset = divmod(int(start), resolution)
        if offset or start != int(start):
            raise ValueError(f"{name}: start {start} is not a multiple of the resolution {resolution} s")
        key = _key(namespace, name, dimensions)
        series = self._series.get(key)
        if series is None:
            series = self._series[key] = _Series(resolution, slot)
        if series.resolution != resolution:
            raise ValueError(f"{name} is stored each {series.resolution} s, not each {resolution} s")
        series.put(slot, (visible_at, total, count, minimum, maximum))
        trimmed = _Trimmed.of(histogram) if histogram is not None else None
        if trimmed is not None:
            series.histograms[slot] = _merged(series.histograms.get(slot), trimmed)

    def read(
        self,
        namespace: str,
        name: str,
        dimensions: Mapping[str, str],
        stat: str,
        period: int,
        start: float,
        end: float,
        now: float,
    ) -> list[float | None]:
        """One value for each period from `start` to `end`, None where nothing is visible at `now`.

        `stat` is Sum, SampleCount, Average, Minimum, Maximum or pNN(.N). The window may begin anywhere on the
        metric's resolution (CloudWatch slides it each minute). A period shorter than the resolution finds a
        value only in the period where a slot begins. Raises ValueError for an unknown statistic, or a window
        that is no whole number of periods.
        """
        first, slots = _window(period, start, end)
        series = self._series.get(_key(namespace, name, dimensions))
        if series is None:
            _check_stat(stat)
            return [None] * slots
        if period < series.resolution:
            return _spread(series, stat, period, first, slots, self._seen_at(series, now))
        if period % series.resolution:
            raise ValueError(f"period {period} s is no multiple of the resolution {series.resolution} s")
        if first % series.resolution:
            raise ValueError(f"the window starts at {first}, between slots of {series.resolution} s")
        return _aggregate(series, stat, period, first // series.resolution, slots, self._seen_at(series, now))

    def _seen_at(self, series: _Series, now: float) -> _Seen:
        if series.resolution < MINUTE:
            return _Seen(now, now, 1.0)
        return _Seen(now - self.late_s, now if self.partial < 1 else now - self.late_s, self.partial)

    def samples(
        self,
        namespace: str,
        name: str,
        dimensions: Mapping[str, str],
        period: int,
        start: float,
        end: float,
        now: float,
    ) -> list[int]:
        """The number of samples in each period: what decides about percentiles of few samples."""
        counts = self.read(namespace, name, dimensions, "SampleCount", period, start, end, now)
        return [int(count or 0) for count in counts]

    def names(self) -> list[tuple[str, str, dict[str, str]]]:
        """Every stored metric: namespace, name, dimensions."""
        return [(namespace, name, dict(dimensions)) for namespace, name, dimensions in self._series]


def _key(namespace: str, name: str, dimensions: Mapping[str, str]) -> Key:
    return (namespace, name, tuple(sorted(dimensions.items())))


def _merged(known: _Trimmed | None, more: _Trimmed) -> _Trimmed:
    if known is None:
        return more
    whole = Histogram()
    for part in (known, more):
        whole.counts[part.first : part.first + len(part.counts)] += part.counts
    merged = _Trimmed.of(whole)
    return merged or more


def _window(period: int, start: float, end: float) -> tuple[int, int]:
    slots, rest = divmod(int(end) - int(start), period)
    if rest or slots < 0 or start != int(start):
        raise ValueError(f"the window {start}..{end} is no whole number of periods of {period} s")
    return int(start), slots


def _check_stat(stat: str) -> float | None:
    """The percent of a pNN statistic, None for the plain ones. Raises ValueError for anything else."""
    if stat in {"Sum", "SampleCount", "Average", "Minimum", "Maximum"}:
        return None
    match = _PERCENTILE.match(stat)
    if match is None:
        raise ValueError(f"{stat!r} is no statistic here: Sum, SampleCount, Average, Minimum, Maximum or pNN")
    return float(match[1])


def _spread(series: _Series, stat: str, period: int, first: int, slots: int, seen_at: _Seen) -> list[float | None]:
    resolution = series.resolution
    answers: list[float | None] = [None] * slots
    for place in range(slots):
        moment = first + place * period
        # The slot that begins in this period, if one does.
        begins = -(-moment // resolution) * resolution
        if begins < moment + period:
            answers[place] = _aggregate(series, stat, resolution, begins // resolution, 1, seen_at)[0]
    return answers


def _aggregate(series: _Series, stat: str, period: int, first: int, slots: int, seen_at: _Seen) -> list[float | None]:
    percent = _check_stat(stat)
    each = period // series.resolution
    window = series.window(first, first + slots * each)
    seen = window[0] <= seen_at.in_part
    share: NDArray[Any] = seen
    if seen_at.part < 1:
        share = np.where(window[0] <= seen_at.whole, 1.0, np.where(seen, seen_at.part, 0.0))
    if percent is not None:
        return _percentiles(series, percent, first, seen.reshape(slots, each), window)
    counts = (share * window[2]).reshape(slots, each).sum(axis=1)
    if stat == "SampleCount":
        values = counts
    elif stat == "Minimum":
        values = np.where(seen, window[3], math.inf).reshape(slots, each).min(axis=1)
    elif stat == "Maximum":
        values = np.where(seen, window[4], -math.inf).reshape(slots, each).max(axis=1)
    else:
        values = (share * window[1]).reshape(slots, each).sum(axis=1)
        if stat == "Average":
            values = values / np.maximum(counts, 1e-300)
    return [value if count else None for value, count in zip(values.tolist(), counts.tolist(), strict=True)]


def _percentiles(
    series: _Series, percent: float, first: int, seen: NDArray[np.bool_], window: Floats
) -> list[float | None]:
    slots, each = seen.shape
    answers: list[float | None] = []
    for place in range(slots):
        places = [place * each + k for k in range(each) if seen[place, k]]
        parts = [series.histograms.get(first + where) for where in places]
        low = min((float(window[3, where]) for where in places), default=0.0)
        high = max((float(window[4, where]) for where in places), default=0.0)
        answers.append(_percentile(parts, percent, low, high))
    return answers


def _percentile(parts: list[_Trimmed | None], percent: float, low: float, high: float) -> float | None:
    known = [part for part in parts if part is not None]
    if not parts:
        return None
    if len(known) < len(parts):
        # Statistic sets have percentiles only when minimum and maximum agree (PutMetricData's reference).
        return low if low == high else None
    if len(known) == 1:
        value = percentile_of(known[0].counts, known[0].first, percent)
    else:
        whole = np.zeros(BUCKETS, dtype=np.int64)
        for part in known:
            whole[part.first : part.first + len(part.counts)] += part.counts
        value = percentile_of(whole, 0, percent)
    return None if value is None else min(max(value, low), high)
