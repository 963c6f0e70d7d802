"""The pages' markup, from Jinja templates: what a template may call, and nothing else. Pure."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from dashboards.page.room import Budget, Chart
from remediators.approvals import FITS
from sereno.incident import severity
from sereno.lifecycle import Remediation
from sereno.model import Status, iso

GOOD = frozenset({"REVERTED", "OK", "RESOLVED", "MITIGATED", "KEPT"})
BAD = frozenset({"FAILED", "ESCALATED", "ALARM", "OPEN"})
ACT = frozenset({"AWAITING_APPROVAL"})
WIDTH, HEIGHT = 640.0, 160.0
BUTTONS = (("approve", "Approve"), ("revert", "Take back"), ("keep", "Keep"))


def render(name: str, **facts: Any) -> str:
    """A page by its template's name. Raises jinja2.UndefinedError on a fact that is not given."""
    return _template(name).render(**facts)


def tone(status: object) -> str:
    """good, bad, act or calm: the colour beside the word, never instead of it."""
    word = str(status)
    return "act" if word in ACT else "bad" if word in BAD else "good" if word in GOOD else "calm"


def words(status: object) -> str:
    """A status as people read it."""
    return str(status).replace("_", " ").lower()


def span(gap: timedelta) -> str:
    """A length of time in its two largest units."""
    minutes, seconds = divmod(max(0, round(gap.total_seconds())), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = [(days, "d"), (hours, "h"), (minutes, "min"), (seconds, "s")]
    return " ".join([f"{number} {unit}" for number, unit in parts if number][:2]) or "0 s"


def buttons(one: Remediation) -> list[tuple[str, str]]:
    """(verb, label) of what can be asked of a remediation as it stands."""
    if one.wish:
        return []
    asked = one.status is Status.AWAITING_APPROVAL
    fitting = [(verb, label) for verb, label in BUTTONS if one.status in FITS[verb]]
    fitting = [pair for pair in fitting if pair[0] == "approve" or asked or (one.plan and one.plan.is_lease)]
    return [(verb, "Refuse" if asked and verb == "revert" else label) for verb, label in fitting]


def shown(value: object) -> str:
    """A value of AWS as text: a missing one is no limit at all."""
    if value is None:
        return "none"
    return value if isinstance(value, str) else json.dumps(value)


def curve(chart: Chart) -> dict[str, Any]:
    """The chart in a box of 640 by 160: its line's points, the heights of its limits, and the greatest value."""
    top = max([value for _, value in chart.points] + [limit for _, limit in chart.limits] + [1e-9]) * 1.05
    first, last = (chart.points[0][0], chart.points[-1][0]) if chart.points else (0.0, 1.0)
    wide = max(last - first, 1e-9)

    def down(value: float) -> float:
        return round(HEIGHT - value / top * HEIGHT, 1)

    line = " ".join(f"{(at - first) / wide * WIDTH:.1f},{down(value)}" for at, value in chart.points)
    return {"line": line, "limits": [(name, value, down(value)) for name, value in chart.limits], "top": top / 1.05}


def bars(budget: Budget) -> list[dict[str, Any]]:
    """A bar a day: the share of failed requests against what the objective allows, at most four times that."""
    allowed = max(1 - budget.objective, 1e-9)
    step = WIDTH / max(len(budget.days), 1)
    found = []
    for number, (day, requests, failed) in enumerate(budget.days):
        burn = failed / requests / allowed if requests else 0.0
        height = round(min(burn, 4.0) / 4.0 * HEIGHT, 1)
        found.append(
            {"x": round(number * step + 2, 1), "w": round(step - 4, 1), "h": height, "y": HEIGHT - height}
            | {"burn": burn, "day": day, "failed": failed, "requests": requests}
        )
    return found


def utc(moment: datetime) -> str:
    """The time as the page prints it; the browser adds the reader's own."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


@lru_cache(maxsize=1)
def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader("dashboards.page"),
        undefined=StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for know in (tone, words, span, buttons, shown, curve, bars, utc, iso, severity):
        made.filters[know.__name__] = know
    return made


def _template(name: str) -> Template:
    return _environment().get_template(f"{name}.html.j2")
