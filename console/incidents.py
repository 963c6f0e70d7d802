"""`sereno incident`: what people see of a symptom, from the first alarm to the post-mortem."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer
from botocore.exceptions import BotoCoreError, ClientError
from rich.table import Table
from rich.text import Text

from console import operate
from console.operate import ByOption, ConfigOption, JsonOption, who
from console.show import age, as_json, beside, counted, errors, listing, now, screen
from dashboards import incident_story
from dashboards.incident_story import Impact, Line
from remediators.clients import QUICK, BotocoreAws
from remediators.incidents import IncidentBook
from remediators.ledger import Ledger
from sereno.errors import Refused
from sereno.incident import Incident, Stage
from sereno.lifecycle import Remediation
from sereno.model import Json, iso
from sereno.service import Service

DEFAULT = Path("sereno.yaml")
LIMIT = 200
STYLE = {Stage.OPEN: "bold red", Stage.ACKNOWLEDGED: "yellow", Stage.MITIGATED: "cyan", Stage.RESOLVED: "green"}
IncidentArgument = Annotated[
    str, typer.Argument(metavar="ID", help="An incident's id, or a beginning or an end of it that only one has.")
]


def add_to(app: typer.Typer) -> None:
    """Puts the commands on the app."""
    incidents = typer.Typer(no_args_is_help=True)
    incidents.command("list", short_help="Open incidents, or all of the last days.")(list_incidents)
    incidents.command("show", short_help="One incident: timeline, impact, remediations.")(show)
    incidents.command("ack", short_help="You have it.")(ack)
    incidents.command("resolve", short_help="It is over, by your word.")(resolve)
    incidents.command("mute", short_help="No messages of it for a while.")(mute)
    incidents.command("export", short_help="A post-mortem draft in Markdown.")(export)
    app.add_typer(incidents, name="incident", help="What people see of a symptom.", short_help="Incidents.")


def list_incidents(
    config: ConfigOption = DEFAULT,
    everything: Annotated[bool, typer.Option("--all", "-a", help="Resolved ones too, 60 days back.")] = False,
    json: JsonOption = False,
) -> None:
    """Shows the incidents that are not resolved, or all, newest first."""
    _, ledger = operate.opened(config)
    book = ledger.incidents
    found = book.newest(LIMIT, before=now()) if everything else [one for one in reversed(book.open()) if one.is_open]
    if json:
        as_json([to_json(one) for one in found])
    elif not found:
        screen().print("No incident in the last 60 days." if everything else "All calm: no incident is open.")
    else:
        _table(found)


def show(id: IncidentArgument, config: ConfigOption = DEFAULT, json: JsonOption = False) -> None:
    """Everything about one incident: how far it is, what customers saw, its remediations, its timeline."""
    service, ledger = operate.opened(config)
    one = _find(ledger.incidents, id)
    members, lines = _told(ledger, one)
    cost = _impact(service, one)
    ops_item = ledger.incidents.ops_item(one.id) if service.notices.ops_center else ""
    if json:
        shown = {"impact": cost.to_json() if cost else None, "timeline": [line.to_json() for line in lines]}
        as_json({**to_json(one), "ops_item": ops_item or None, **shown})
        return
    console = screen()
    console.print(Text(one.id, style="bold"), soft_wrap=True)
    for label, text in _facts(one, cost, ops_item):
        beside(console, f"{label:10} ", text if isinstance(text, Text) else Text(text))
    console.print()
    listing(members, now(), screen(rows=True))
    console.print()
    for line in lines:
        by = "" if line.by in ("sereno", "cloudwatch") else f" by {line.by}"
        beside(console, f"{line.at:%H:%M:%S}  ", Text(f"{line.phase}{by}  {line.target}".rstrip(), style="bold"))
        beside(console, " " * 10, Text(line.detail))


def ack(id: IncidentArgument, config: ConfigOption = DEFAULT, by: ByOption = None, json: JsonOption = False) -> None:
    """Says that you have it; everybody is told."""
    _act(id, config, by, json, lambda book, one, name: book.acknowledge(one, name, now()), "is yours")


def resolve(
    id: IncidentArgument, config: ConfigOption = DEFAULT, by: ByOption = None, json: JsonOption = False
) -> None:
    """Says that it is over. What is still in ALARM opens a new one. Refused while a change of it is active."""
    _act(id, config, by, json, lambda book, one, name: book.resolve(one, name, now()), "is resolved")


def mute(
    id: IncidentArgument,
    minutes: Annotated[int, typer.Option("--minutes", metavar="N", min=1, max=1440, help="For how long.")] = 30,
    config: ConfigOption = DEFAULT,
    by: ByOption = None,
    json: JsonOption = False,
) -> None:
    """No messages of it for a while, except that it is over. Sereno goes on acting."""
    until = now() + timedelta(minutes=minutes)
    done = f"is silent until {until:%H:%M} UTC"
    _act(id, config, by, json, lambda book, one, name: book.mute(one, until, name, now()), done)


def export(
    id: IncidentArgument,
    out: Annotated[Path | None, typer.Option("--out", "-o", metavar="FILE", help="Write it here.")] = None,
    config: ConfigOption = DEFAULT,
) -> None:
    """Writes a post-mortem draft: timeline, impact in requests and error budget, what Sereno did, follow-ups."""
    service, ledger = operate.opened(config)
    one = _find(ledger.incidents, id)
    members, lines = _told(ledger, one)
    text = incident_story.post_mortem(service, one, members, lines, _impact(service, one), now())
    if out is None:
        typer.echo(text, nl=False)
        return
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(text, encoding="utf-8")
    screen().print(f"Written: {out}", soft_wrap=True)


def to_json(one: Incident) -> Json:
    """An incident for machines."""
    moments = {
        "opened": one.opened,
        "acknowledged": one.acknowledged_at,
        "mitigated": one.mitigated_at,
        "resolved": one.resolved_at,
        "muted_until": one.muted_until,
    }
    return {
        "id": one.id,
        "title": one.title,
        "stage": str(one.stage),
        "group": one.group,
        "owner": one.owner or None,
        "resolved_by": one.resolved_by or None,
        **{name: iso(moment) if moment else None for name, moment in moments.items()},
        "alarms": list(one.alarms),
        "remediations": list(one.members),
    }


def _told(ledger: Ledger, one: Incident) -> tuple[list[Remediation], list[Line]]:
    members = ledger.incidents.members(one)
    histories = {member.id: ledger.events(member.id) for member in members}
    return members, incident_story.timeline(one, ledger.incidents.events(one.id), members, histories)


def _impact(service: Service, one: Incident) -> Impact | None:
    """What customers saw; told to be unknown where metrics cannot be read, for the rest is in the ledger."""
    try:
        return incident_story.impact(BotocoreAws(service.region, QUICK), service, one, now())
    except (ClientError, BotoCoreError) as error:
        errors().print(f"What customers saw cannot be read from CloudWatch: {error}", style="yellow", markup=False)
        return None


def _act(
    given: str,
    config: Path,
    by: str | None,
    json: bool,
    act: Callable[[IncidentBook, str, str], Incident],
    done: str,
) -> None:
    _, ledger = operate.opened(config)
    name = who(by)
    one = act(ledger.incidents, _find(ledger.incidents, given).id, name)
    if json:
        as_json(to_json(one))
    else:
        screen().print(f"{one.id} {done}. Everybody is told within a minute.", soft_wrap=True)


def _find(book: IncidentBook, given: str) -> Incident:
    """An incident by its id, or by an unambiguous beginning or end of it. Raises Refused."""
    exact = book.get(given) if given else None
    if exact is not None:
        return exact
    known = book.newest(LIMIT, before=now())
    found = [one for one in known if one.id.startswith(given) or one.id.endswith(given)] if given else []
    if len(found) == 1:
        return found[0]
    if found:
        raise Refused(f'"{given}" fits {counted(len(found), "incident")}: {", ".join(one.id for one in found[:5])}')
    raise Refused(f'no incident "{given}" in the last 60 days (see: sereno incident list --all)')


def _facts(one: Incident, cost: Impact | None, ops_item: str) -> list[tuple[str, str | Text]]:
    stage = Text(str(one.stage), style=STYLE[one.stage])
    facts: list[tuple[str, str | Text]] = [
        ("stage", stage),
        ("symptom", one.title),
        ("opened", f"{one.opened:%Y-%m-%d %H:%M:%S} UTC, {age(now() - one.opened)} ago"),
        ("owner", one.owner),
        ("mitigated", f"{one.mitigated_at:%H:%M:%S} UTC" if one.mitigated_at else ""),
        ("resolved", f"{one.resolved_at:%H:%M:%S} UTC by {one.resolved_by}" if one.resolved_at else ""),
        ("silent", f"until {one.muted_until:%H:%M} UTC" if one.muted_until and one.muted_until > now() else ""),
        ("alarms", ", ".join(one.alarms)),
        ("OpsItem", ops_item),
    ]
    if cost is not None and cost.requests:
        spent = "" if cost.budget_spent is None else f", {cost.budget_spent * 100:.1f} % of a month's error budget"
        facts.append(("impact", f"{cost.failed:,} of {cost.requests:,} requests failed{spent}"))
    return facts


def _table(found: list[Incident]) -> None:
    shown = Table(box=None, pad_edge=False)
    for column in ("id", "age", "stage", "symptom", "owner", "alarms", "changes"):
        shown.add_column(column, overflow="fold", no_wrap=column in ("id", "age", "stage"))
    for one in found:
        stage = Text(str(one.stage), style=STYLE[one.stage])
        numbers = (str(len(one.alarms)), str(len(one.members)))
        shown.add_row(Text(one.id), age(now() - one.opened), stage, Text(one.title), Text(one.owner), *numbers)
    screen(rows=True).print(shown)
