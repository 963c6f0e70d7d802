"""Small pure pieces of which a chart is made: scales, ticks, thinning, paths.

Every plot has a viewBox of `WIDTH` by `HEIGHT` units and is stretched to the width of the page, so text never lives
inside it: labels are laid over the plot by their share (0..100) of its width and height, and stay legible on a phone.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

WIDTH = 1000.0
HEIGHT = 240.0

Values = Sequence[float | None]

_MINUTE = 60
_STEPS_S = (10, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 14400, 21600, 43200, 86400)


@dataclass(frozen=True, slots=True)
class Scale:
    """A straight line from a domain to a range; a domain without width maps to the start of the range."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        if self.high == self.low:
            return self.start
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)


def across(duration_s: float) -> Scale:
    """Seconds since the start to units of width."""
    return Scale(0, duration_s, 0, WIDTH)


def upward(top: float) -> Scale:
    """A value to units of height; zero is the bottom edge, as SVG counts from the top."""
    return Scale(0, top, HEIGHT, 0)


def ticks(peak: float, most: int = 5) -> list[float]:
    """Round values from 0 to the first one at or above `peak`; at most `most` of them above zero."""
    if peak <= 0:
        return [0.0, 1.0]
    magnitude = 10.0 ** math.floor(math.log10(peak / most))
    step = next(
        magnitude * factor for factor in (1, 2, 2.5, 5, 10, 20) if magnitude * factor * most >= peak * (1 - 1e-9)
    )
    count = max(1, math.ceil(peak / step - 1e-9))
    return [round(step * index, 10) for index in range(count + 1)]


def time_ticks(duration_s: float, most: int = 9) -> list[int]:
    """Whole steps of the clock, in seconds since the start; the last one lies at or before the end."""
    step = next((step for step in _STEPS_S if duration_s / step <= most), None)
    if step is None:
        step = math.ceil(duration_s / most / _STEPS_S[-1]) * _STEPS_S[-1]
    return list(range(0, int(duration_s) + 1, step))


def keep(series: Sequence[Values], buckets: int = 240) -> list[int]:
    """The indices worth drawing, ascending: both ends, and the lowest and highest point of each series per bucket.

    All series of a plot share the indices, so that stacked areas stay aligned and no peak of any of them is lost.
    A short series is kept whole.
    """
    length = max((len(values) for values in series), default=0)
    if length <= 4 * buckets:
        return list(range(length))
    kept = {0, length - 1}
    for bucket in range(buckets):
        window = range(bucket * length // buckets, (bucket + 1) * length // buckets)
        for values in series:
            known = [index for index in window if index < len(values) and values[index] is not None]
            if known:
                kept.add(min(known, key=lambda index: values[index] or 0))
                kept.add(max(known, key=lambda index: values[index] or 0))
    return sorted(kept)


def _runs(points: Iterable[tuple[float, float | None]]) -> list[list[tuple[float, float]]]:
    """Splits at unknown values: a gap in the data is a gap in the line, never a zero."""
    runs: list[list[tuple[float, float]]] = [[]]
    for x, y in points:
        if y is not None:
            runs[-1].append((x, y))
        elif runs[-1]:
            runs.append([])
    return [run for run in runs if run]


def _straightened(run: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Leaves out the inside of a level stretch: it draws the same and an idle limit costs two points."""
    return [
        point
        for index, point in enumerate(run)
        if index in (0, len(run) - 1) or not run[index - 1][1] == point[1] == run[index + 1][1]
    ]


def _coordinates(run: Iterable[tuple[float, float]]) -> str:
    return "L".join(f"{x:.1f},{y:.1f}" for x, y in run)


def line(times: Sequence[float], values: Values, indices: Sequence[int], x: Scale, y: Scale) -> str:
    """The `d` of a line through the points at `indices`."""
    points = ((x(times[index]), _placed(values, index, y)) for index in indices)
    return "".join("M" + _coordinates(_straightened(run)) for run in _runs(points))


def staircase(times: Sequence[float], values: Values, indices: Sequence[int], x: Scale, y: Scale) -> str:
    """The `d` of a line that jumps: a limit holds until it is changed, and a slope would tell otherwise."""
    points = ((x(times[index]), _placed(values, index, y)) for index in indices)
    drawn = []
    for run in _runs(points):
        stairs = [run[0]]
        for point in run[1:]:
            if point[1] != stairs[-1][1]:
                stairs.append((point[0], stairs[-1][1]))
            stairs.append(point)
        drawn.append("M" + _coordinates(_straightened(stairs)))
    return "".join(drawn)


def area(times: Sequence[float], lower: Values, upper: Values, indices: Sequence[int], x: Scale, y: Scale) -> str:
    """The `d` of the area between two series; an unknown value counts as zero, which closes the area."""

    def edge(values: Values) -> list[tuple[float, float]]:
        return _straightened([(x(times[index]), y(_known(values, index))) for index in indices])

    if not indices:
        return ""
    return "M" + _coordinates([*edge(upper), *reversed(edge(lower))]) + "Z"


def _known(values: Values, index: int) -> float:
    value = values[index] if index < len(values) else None
    return 0.0 if value is None else value


def _placed(values: Values, index: int, y: Scale) -> float | None:
    value = values[index] if index < len(values) else None
    return None if value is None else y(value)


def peak(*series: Values) -> float:
    """The highest known value of all, or 0."""
    return max((value for values in series for value in values if value is not None), default=0.0)


def peak_index(values: Values) -> int | None:
    """Where the highest value stands first, or None where nothing is above zero."""
    top = peak(values)
    return next((index for index, value in enumerate(values) if value == top), None) if top > 0 else None
