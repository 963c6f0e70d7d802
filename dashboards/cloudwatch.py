"""The service's dashboards in CloudWatch, rendered from `templates/*.json.j2` and held against CloudWatch's rules.

There are as few as can be, for each costs 3 USD a month beyond the account's first three: the overview, one of
functions, one of tables, one of data protection, and one of regions where there are several. Functions and tables of
large services go on to further dashboards, so that none has more widgets or metrics than CloudWatch takes.
https://aws.amazon.com/cloudwatch/pricing/
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import orjson
from jinja2 import Environment, PackageLoader, StrictUndefined, Template, TemplateError, select_autoescape

from alarms.api_metrics import metrics_of
from alarms.spec import AlarmSpec, AnySpec
from dashboards import body as rules
from dashboards import series
from dashboards.layout import COLUMNS, Board
from sereno.errors import InvalidInput, Problem
from sereno.model import Json
from sereno.partition import console_host
from sereno.service import Service, Table

# A function has 7 widgets and some 20 metrics at most; a table 6 and 26, each of its indexes 3 and 14.
FUNCTIONS_A_BOARD = 60
PARTS_A_BOARD = 100
# A region's column: six units are the narrowest that a graph can still be read in.
NARROWEST = 6


@dataclass(frozen=True, slots=True)
class Names:
    """What the watch's own resources are called (`deploy.synth.names` names them so)."""

    round: str
    dead_letters: str
    ledger: str
    widget: str

    @staticmethod
    def of(service: Service) -> Names:
        """The names for this service."""
        return Names(*(f"sereno-{service.name}-{part}" for part in ("round", "dlq", "ledger", "widget")))


@dataclass(frozen=True, slots=True)
class Dashboard:
    """One dashboard: what it is of (`overview`, `functions-2`), its name in CloudWatch, and its body as JSON."""

    part: str
    name: str
    body: str


def boards(service: Service, alarms: Sequence[AnySpec]) -> tuple[Dashboard, ...]:
    """Every dashboard of a service, the overview first.

    Raises InvalidInput when a template does not give what CloudWatch takes, with the place and the counts.
    """
    planned = list(_planned(service, alarms))
    links = _links(service, [part for part, _, _ in planned])
    return tuple(
        Dashboard(part, name_of(service, part), _render(service, part, template, {**facts, "links": links}))
        for part, template, facts in planned
    )


def name_of(service: Service, part: str) -> str:
    """What a dashboard is called in CloudWatch, where names are the account's: those of another region than the
    first say which."""
    first = service.recovery is None or service.region == service.recovery.primary
    own = f"sereno-{service.name}" if first else f"sereno-{service.name}-{service.region}"
    return own if part == "overview" else f"{own}-{part}"


def widget_arn(service: Service) -> str:
    """The function behind the custom widgets."""
    return f"arn:{_area(service)}:lambda:{service.region}:{service.account}:function:{Names.of(service).widget}"


def _planned(service: Service, alarms: Sequence[AnySpec]) -> Iterator[tuple[str, str, Json]]:
    """(part, template, what only it needs) of each dashboard."""
    metric_alarms = [one for one in alarms if isinstance(one, AlarmSpec)]
    functions, tables = list(service.functions.values()), list(service.tables.values())
    yield "overview", "overview", _overview(service, alarms, metric_alarms)
    by_place: dict[tuple[str, str], list[AlarmSpec]] = {}
    for one in metric_alarms:
        by_place.setdefault((one.what, one.target), []).append(one)
    for number, page in enumerate(series.chunks(functions, FUNCTIONS_A_BOARD)):
        facts = {"functions": page, "of_what": lambda what, key: by_place.get((what, key), [])}
        yield _numbered("functions", number), "functions", facts
    for number, tables_here in enumerate(_pages(tables)):
        yield _numbered("tables", number), "tables", {"tables": tables_here}
    if tables:
        yield "protection", "protection", {"tables": tables, "others": service.regions[1:], "lag_chunk": 100}
    if len(service.regions) > 1:
        width = max(NARROWEST, COLUMNS // len(service.regions))
        compared = [one for one in service.apis.values() if one.kind != "http"]
        yield "regions", "regions", {"regions": service.regions, "width": width, "compared_apis": compared}


def _overview(service: Service, alarms: Sequence[AnySpec], metric_alarms: Sequence[AlarmSpec]) -> Json:
    functions = service.functions.values()
    return {
        "alarm_chunks": list(series.chunks([_arn(service, one.name) for one in alarms], rules.ALARMS_A_WIDGET)),
        "burning": [one for one in metric_alarms if one.what.startswith("burn")],
        "availability_percent": round(service.objectives.availability * 100, 6),
        "error_budget": round(1 - service.objectives.availability, 9),
        "limited": [one for one in functions if one.reserved],
        "provisioned": [one for one in service.tables.values() if one.provisioned],
        "aliased": [one for one in functions if one.alias],
        "changes": series.changes(service),
    }


def _numbered(part: str, number: int) -> str:
    return f"{part}-{number + 1}" if number else part


def _pages(tables: Sequence[Table]) -> Iterator[list[Table]]:
    """Tables with their indexes, so many to a dashboard."""
    page: list[Table] = []
    parts = 0
    for one in tables:
        own = 2 + len(one.indexes)
        if page and parts + own > PARTS_A_BOARD:
            yield page
            page, parts = [], 0
        page.append(one)
        parts += own
    if page:
        yield page


def _render(service: Service, part: str, template: str, facts: Json) -> str:
    board = Board(service.region, widget_arn(service))
    links = facts.pop("links")
    try:
        rendered = _template(template).render(
            board=board,
            service=service,
            names=Names.of(service),
            introduction=_introduction(service, part, links),
            search=lambda dimensions, metric: series.search(service, dimensions, metric),
            **facts,
        )
        body = orjson.loads(rendered)
    except TemplateError as error:
        place = f"dashboards/templates/{template}.json.j2"
        raise InvalidInput(place, [Problem(place, None, f"cannot be rendered: {error}")]) from error
    except orjson.JSONDecodeError as error:
        place = f"dashboards/templates/{template}.json.j2"
        raise InvalidInput(place, [Problem(place, None, f"gives no JSON: {error}")]) from error
    rules.check(body, name_of(service, part))
    return orjson.dumps(body).decode()


@lru_cache(maxsize=1)
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("dashboards"),
        undefined=StrictUndefined,
        autoescape=select_autoescape(("html",)),
        # Looking at every template's time for each of a thousand services costs more than rendering.
        auto_reload=False,
    )
    # The body is JSON and goes through a parser, so nothing needs jinja's escapes for HTML, which cost more than the
    # encoding itself.
    environment.filters["tojson"] = lambda value: orjson.dumps(value).decode()
    used: tuple[Callable[..., Any], ...] = (
        series.series,
        series.threshold,
        series.flat,
        series.limit_lines,
        series.versions,
        series.share_of_limit,
        series.share_of_capacity,
        series.throttles,
        series.concurrency,
        series.table_throttles,
        series.why_throttled,
        series.latencies,
        series.failures,
        series.lags,
        series.writes,
        series.refused_writes,
        series.backups,
        series.chunks,
        metrics_of,
    )
    environment.globals.update({one.__name__: one for one in used}, full=series.FULL, part=_part)
    return environment


@lru_cache(maxsize=8)
def _template(name: str) -> Template:
    """Compiled once a process: that takes ten times as long as rendering does."""
    return _environment().get_template(f"{name}.json.j2")


def _part(loop: Any) -> str:
    """` (2 of 3)` in a loop over chunks, nothing where there is one."""
    return "" if loop.length == 1 else f" ({loop.index} of {loop.length})"


def _area(service: Service) -> str:
    if service.region.startswith("cn-"):
        return "aws-cn"
    return "aws-us-gov" if service.region.startswith("us-gov-") else "aws"


def _arn(service: Service, name: str) -> str:
    return f"arn:{_area(service)}:cloudwatch:{service.region}:{service.account}:alarm:{name}"


def _links(service: Service, parts: Sequence[str]) -> dict[str, str]:
    """Where each dashboard stands, by its part."""
    region = service.region
    page = f"https://{console_host(region)}/cloudwatch/home?region={region}#dashboards/dashboard/"
    return {part: page + name_of(service, part) for part in parts}


def _introduction(service: Service, part: str, links: dict[str, str]) -> str:
    promised = service.objectives
    others = " | ".join(f"[{one}]({url})" for one, url in links.items() if one != part)
    if part != "overview":
        return f"# {service.name}: {part}\n{others}"
    lines = [
        f"# {service.name}",
        f"Promised: **{promised.availability * 100:.6g} %** available, p99 under **{promised.p99_ms:g} ms**, "
        f"**{promised.surge:g}x** normal traffic.",
        "",
        others,
    ]
    if service.runbook_url:
        lines.append(f"[Runbook]({service.runbook_url})")
    return "\n".join(lines)
