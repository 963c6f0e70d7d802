"""What a reader can look up in the charts: the values at a moment, and the same as a table. Pure."""

from __future__ import annotations

import math
from typing import Any

from drills import charts, narrative
from drills.panel import short
from sereno.model import Json

# Finer than a finger can point on any screen, and it bounds the page of a 24 h drill.
_READOUTS = 720


def readouts(result: Json) -> Json:
    """What the tooltip shows: `t` in seconds, and for each row its values with Sereno and without.

    A long drill is read in stretches of `stretch_s`; each then shows its highest value (served and limits: the
    lowest), so that pointing anywhere tells the worst of that stretch.
    """
    series = result["series"]
    stride = max(1, math.ceil(len(series["t"]) / _READOUTS))
    rows = [
        _row("offered", series, ("offered",), stride, max),
        _row("served", series, ("served",), stride, min),
        _row("failed", series, ("failed",), stride, max),
    ]
    for name in dict.fromkeys([*series["with"]["functions"], *series["without"]["functions"]]):
        label = short(name, result["service"])
        row = _row(label, series, ("functions", name, "concurrency"), stride, max)
        rows.append({**row, "limit": _row(label, series, ("functions", name, "limit"), stride, min)})
    for name in dict.fromkeys([*series["with"].get("tables", {}), *series["without"].get("tables", {})]):
        for kind in ("read", "write"):
            path = ("tables", name, kind)
            label = f"{short(name, result['service'])} {kind}s"
            row = _row(label, series, (*path, "consumed"), stride, max)
            rows.append({**row, "limit": _row(label, series, (*path, "capacity"), stride, min)})
    return _page(result, rows, stride)


def of_regions(result: Json) -> Json:
    """The same of a regional drill: offered, failed, and served by each region."""
    series, names = result["series"], result["regions"]
    stride = max(1, math.ceil(len(series["t"]) / _READOUTS))
    rows = [
        _row("offered", series, ("offered",), stride, max),
        _row(names["primary"], series, ("primary",), stride, min),
        _row(names["standby"], series, ("standby",), stride, min),
        _row("failed", series, ("failed",), stride, max),
    ]
    return _page(result, rows, stride)


def _page(result: Json, rows: list[Json], stride: int) -> Json:
    series = result["series"]
    return {
        "start": result["start"],
        "duration": result["duration_s"],
        "stretch_s": stride * series["step_s"],
        "t": series["t"][::stride],
        "rows": rows,
    }


def _row(label: str, series: Json, path: tuple[str, ...], stride: int, pick: Any) -> Json:
    return {
        "label": label,
        **{side: _sampled(_at(series[side], path), stride, pick) for side in ("with", "without")},
    }


def _at(side: Json, path: tuple[str, ...]) -> list[float | None]:
    found: Any = side
    for key in path:
        found = found.get(key, {}) if isinstance(found, dict) else {}
    return found if isinstance(found, list) else []


def _sampled(values: list[float | None], stride: int, pick: Any) -> list[float | None]:
    sampled = []
    for index in range(0, len(values), stride):
        known = [value for value in values[index : index + stride] if value is not None]
        sampled.append(round(pick(known), 1) if known else None)
    return sampled


def samples(result: Json) -> list[tuple[str, str, list[str]]]:
    """The traffic charts as a table: elapsed time, clock time, and offered, failed without, failed with."""
    series = result["series"]
    start, rows = narrative.started(result), []
    for second in charts.time_ticks(result["duration_s"], most=16):
        index = min(int(second / series["step_s"]), len(series["t"]) - 1)
        if index < 0:
            continue
        columns = (series["with"]["offered"], series["without"]["failed"], series["with"]["failed"])
        rows.append(
            (
                narrative.elapsed(second),
                narrative.clock(start, second, with_seconds=False),
                [narrative.number(column[index]) for column in columns],
            )
        )
    return rows
