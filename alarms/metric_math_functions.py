"""What the operators and functions of metric math do, point by point.

A node carries the kind of its value (`number`, `series`, or `array`: several series) and a closure that computes it,
so that evaluating walks no tree.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Point = float | None
Series = list[Point]


@dataclass(frozen=True, slots=True)
class Env:
    """The series at hand, which of them METRICS() means, the period in seconds, the number of periods."""

    series: Mapping[str, Sequence[Point]]
    metrics: tuple[str, ...]
    period: int
    length: int


@dataclass(frozen=True, slots=True)
class Node:
    """A part of an expression. `run` gives a float, a list of datapoints, or a list of such lists, as `kind` says."""

    kind: str
    run: Callable[[Env], Any]


def _divide(left: float, right: float) -> Point:
    return left / right if right else None  # CloudWatch drops the datapoint


def _power(left: float, right: float) -> Point:
    try:
        result = left**right
    except (OverflowError, ZeroDivisionError):
        return None
    return result if isinstance(result, float) and math.isfinite(result) else None


BINARY: dict[str, Callable[[float, float], Point]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": _divide,
    "^": _power,
    "==": lambda left, right: float(left == right),
    "!=": lambda left, right: float(left != right),
    "<": lambda left, right: float(left < right),
    ">": lambda left, right: float(left > right),
    "<=": lambda left, right: float(left <= right),
    ">=": lambda left, right: float(left >= right),
    "AND": lambda left, right: float(bool(left) and bool(right)),
    "OR": lambda left, right: float(bool(left) or bool(right)),
}


def binary(symbol: str, left: Node, right: Node) -> Node:
    """Two values joined by an operator. A missing side is 0 beside a series that has the datapoint; a number has no
    datapoints of its own, so beside it a missing one stays missing."""
    join, a, b = BINARY[symbol], left.run, right.run
    if left.kind == "number" and right.kind == "number":
        return Node("number", lambda env: _numbers(join, a(env), b(env)))
    if right.kind == "number":
        return Node("series", lambda env: _with_number(a(env), b(env), join))
    if left.kind == "number":
        return Node("series", lambda env: _with_number(b(env), a(env), lambda x, y: join(y, x)))
    return Node("series", lambda env: [_joined(join, x, y) for x, y in zip(a(env), b(env), strict=True)])


def _numbers(join: Callable[[float, float], Point], left: Point, right: Point) -> Point:
    return None if left is None or right is None else join(left, right)


def _with_number(values: Sequence[Point], fixed: Point, join: Callable[[float, float], Point]) -> Series:
    if fixed is None:
        return [None] * len(values)
    return [None if value is None else join(value, fixed) for value in values]


def _joined(join: Callable[[float, float], Point], left: Point, right: Point) -> Point:
    if left is None:
        return None if right is None else join(0.0, right)
    return join(left, 0.0 if right is None else right)


def each(function: Callable[[float], float], inner: Node) -> Node:
    """A function of one value, applied point by point."""
    run = inner.run
    if inner.kind == "number":
        return Node("number", lambda env: None if (value := run(env)) is None else function(value))
    return Node("series", lambda env: [None if value is None else function(value) for value in run(env)])


def condition(test: Node, then: Node, other: Node | None) -> Node:
    """IF. A missing condition gives nothing, a missing THEN gives 0, a missing ELSE gives nothing: the asymmetry is
    in AWS's own tables. Without ELSE the periods where the condition does not hold are dropped."""

    def run(env: Env) -> Series:
        tests, thens = _spread(test, env), _spread(then, env)
        others = _spread(other, env) if other else [None] * env.length
        return [
            None if tested is None else ((0.0 if a is None else a) if tested else b)
            for tested, a, b in zip(tests, thens, others, strict=True)
        ]

    return Node("series", run)


def _spread(node: Node, env: Env) -> Sequence[Point]:
    value = node.run(env)
    return [value] * env.length if node.kind == "number" else value


def _sum(values: Sequence[float]) -> float:
    return math.fsum(values)


AGGREGATES: dict[str, Callable[[Sequence[float]], float]] = {"MAX": max, "MIN": min, "SUM": _sum, "AVG": _sum}


def aggregate(name: str, inner: Node) -> Node:
    """MAX, MIN, SUM, AVG: across an array a series, over a single series a number.

    Across an array a period without any datapoint gives none. AVG divides by the number of metrics, so a missing one
    counts as 0; MAX and MIN leave it out.
    """
    join, run = AGGREGATES[name], inner.run
    if inner.kind == "series":
        return Node("number", lambda env: _over_time(name, join, run(env)))

    def across(env: Env) -> Series:
        arrays = run(env)
        if not arrays:
            return [None] * env.length
        result: Series = []
        for column in zip(*arrays, strict=True):
            real = [value for value in column if value is not None]
            value = join(real) if real else None
            result.append(value / len(column) if name == "AVG" and value is not None else value)
        return result

    return Node("series", across)


def _over_time(name: str, join: Callable[[Sequence[float]], float], values: Sequence[Point]) -> Point:
    real = [value for value in values if value is not None]
    if not real:
        return None
    return join(real) / len(real) if name == "AVG" else join(real)


def diff(inner: Node, *, per_second: bool) -> Node:
    """DIFF: each datapoint less the one before it; RATE: the same for each second between the two. The first
    datapoint has none before it and gives nothing."""
    inside = inner.run

    def run(env: Env) -> Series:
        result: Series = []
        last, age = None, 0
        for value in inside(env):
            age += 1
            if value is None:
                result.append(None)
                continue
            if last is None:
                result.append(None)
            else:
                result.append((value - last) / (age * env.period) if per_second else value - last)
            last, age = value, 0
        return result

    return Node("series", run)


def fill(inner: Node, filler: Node | str) -> Node:
    """FILL with a number, a series, REPEAT (the last datapoint before) or LINEAR (the line between the two around).
    Where REPEAT and LINEAR have no neighbour the datapoint stays missing."""
    inside = inner.run
    if filler == "REPEAT":
        return Node("series", lambda env: _repeat(inside(env)))
    if filler == "LINEAR":
        return Node("series", lambda env: _linear(inside(env)))
    assert isinstance(filler, Node)
    node = filler
    return Node(
        "series",
        lambda env: [
            other if value is None else value for value, other in zip(inside(env), _spread(node, env), strict=True)
        ],
    )


def _repeat(values: Sequence[Point]) -> Series:
    result: Series = []
    last: Point = None
    for value in values:
        last = last if value is None else value
        result.append(last)
    return result


def _linear(values: Sequence[Point]) -> Series:
    result = list(values)
    before: int | None = None
    for index, value in enumerate(values):
        if value is None:
            continue
        start = values[before] if before is not None else None
        if before is not None and start is not None:
            slope = (value - start) / (index - before)
            for gap in range(before + 1, index):
                result[gap] = start + slope * (gap - before)
        before = index
    return result
