"""CloudWatch's metric math over aligned series: read once, evaluated often.

A series is a list of datapoints, oldest first, one for each period, None for a missing one. The rules for missing
datapoints are those of "Using metric math" in the CloudWatch User Guide: arithmetic and comparisons take a missing
side as 0, a division by zero drops the datapoint, AVG over several metrics counts a missing one as 0, and IF takes a
missing THEN as 0 but leaves a missing ELSE missing. A period in which no series has a datapoint gives none.

`alarms.metric_math_grammar` reads the text; this module knows what it means.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from alarms.metric_math_functions import Env, Node, Series
from alarms.metric_math_grammar import read
from alarms.spec import MetricQuery
from sereno.errors import InvalidInput, Problem


@dataclass(frozen=True, slots=True)
class Expression:
    """An expression that has been read. `ids` are the series it names, in the order of their first mention;
    `uses_metrics` says that METRICS() makes it read all metrics of the alarm."""

    text: str
    ids: tuple[str, ...]
    uses_metrics: bool
    advised_against: tuple[str, ...]
    node: Node

    def evaluate(
        self, series: Mapping[str, Sequence[float | None]], period: int = 60, metrics: Iterable[str] | None = None
    ) -> Series:
        """The series of results, aligned with the given ones. `period` is in seconds.

        `metrics` are the ids that METRICS() means; all of `series` where it is left out. Raises InvalidInput for an
        id that is not given and for series of different lengths.
        """
        names = tuple(series) if metrics is None else tuple(metrics)
        absent = [name for name in self.ids if name not in series]
        if absent:
            known = ", ".join(series) or "none"
            raise InvalidInput(
                f"metric math {self.text}",
                [Problem("id", name, f"is not given; known ids are {known}") for name in absent],
            )
        lengths = {len(values) for values in series.values()}
        if len(lengths) > 1:
            mend = "lengths differ; align the series, with None for missing datapoints"
            raise InvalidInput(f"metric math {self.text}", [Problem("series", sorted(lengths), mend)])
        length = lengths.pop() if lengths else 0
        result: Series = self.node.run(Env(series, names, period, length))
        return list(result)


@lru_cache(maxsize=4096)
def compile_expression(text: str) -> Expression:
    """Reads an expression. Raises InvalidInput with the position for what is no metric math, for functions that
    Sereno does not know, and for an expression whose result is not one time series."""
    reading = read(text)
    if reading.node.kind != "series":
        given = "a number" if reading.node.kind == "number" else "several time series"
        mend = f"gives {given}; an alarm needs an expression with one time series"
        raise InvalidInput("metric math", [Problem("expression", text, mend)])
    return Expression(
        text, tuple(dict.fromkeys(reading.ids)), reading.uses_metrics, tuple(reading.advised_against), reading.node
    )


def evaluate_expression(text: str, series: Mapping[str, Sequence[float | None]], period: int = 60) -> Series:
    """Reads (once) and evaluates an expression; see `Expression.evaluate`."""
    return compile_expression(text).evaluate(series, period)


def resolve(queries: Sequence[MetricQuery], data: Mapping[str, Sequence[float | None]], period: int = 60) -> Series:
    """The series that an alarm's queries return.

    `data` maps the ids of the metrics among `queries` to their aligned series; expressions may name each other.
    Raises InvalidInput for an id without data, for a circle of expressions and for queries that return nothing.
    """
    by_id = {query.id: query for query in queries}
    stats = [query.id for query in queries if query.expression is None]
    known: dict[str, Sequence[float | None]] = {}
    absent = [name for name in stats if name not in data]
    if absent:
        raise InvalidInput("metric math", [Problem("data", name, "has no series") for name in absent])
    known.update((name, data[name]) for name in stats)
    returned = next((query.id for query in queries if query.return_data), None)
    if returned is None:
        raise InvalidInput("metric math", [Problem("metrics", None, "no query returns data")])
    _resolve(returned, by_id, known, stats, period, ())
    return list(known[returned])


def _resolve(
    wanted: str,
    by_id: Mapping[str, MetricQuery],
    known: dict[str, Sequence[float | None]],
    stats: Sequence[str],
    period: int,
    asking: tuple[str, ...],
) -> None:
    """Adds the series `wanted`, and those it needs, to `known`."""
    if wanted in known:
        return
    if wanted in asking:
        circle = " -> ".join((*asking, wanted))
        raise InvalidInput("metric math", [Problem("metrics", circle, "is a circle of expressions")])
    query = by_id.get(wanted)
    if query is None or query.expression is None:
        raise InvalidInput("metric math", [Problem("id", wanted, f"is not given; known are {', '.join(by_id)}")])
    expression = compile_expression(query.expression)
    for name in expression.ids:
        _resolve(name, by_id, known, stats, period, (*asking, wanted))
    reads = {name: known[name] for name in (*expression.ids, *(stats if expression.uses_metrics else ()))}
    if not reads and stats:
        reads = {stats[0]: known[stats[0]]}  # only for the length of the result
    known[wanted] = expression.evaluate(reads, period, stats if expression.uses_metrics else ())
