"""`sereno dashboard`: what CloudWatch shows, rendered, compared with what is live, and put there.

Deploying puts the dashboards too, as part of the stack. `push` is for between deployments: it changes no alarm and no
function, and draws the last days' deployments and remediations as vertical lines, which a template cannot know.
"""

from __future__ import annotations

import json as jsonlib
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer
from botocore.exceptions import BotoCoreError, ClientError

from console import answering, operate
from console.operate import ConfigOption, JsonOption
from console.show import as_json, counted, errors, now, screen
from dashboards import live
from dashboards.live import Change, Mark
from deploy import config as configuration
from deploy import synth
from deploy.synth.split import DASHBOARD
from remediators import registry
from remediators.clients import BotocoreAws
from sereno.errors import LedgerUnavailable
from sereno.model import Json
from sereno.service import Service

DEFAULT = Path("sereno.yaml")
# A year of days would not be readable; older ones are in `sereno history`.
MOST_DAYS = 60
DETAILS = 6
MARKS = {"new": "+", "gone": "-", "changed": "~", "moved": ">"}


def add_to(app: typer.Typer) -> None:
    """Puts the commands on the app."""
    dashboards = typer.Typer(no_args_is_help=True)
    dashboards.command("render", short_help="The dashboards, as files or on standard output.")(render)
    dashboards.command("diff", short_help="What is live beside what would be rendered.")(diff)
    dashboards.command("push", short_help="Puts them, with the last days' changes as lines.")(push)
    app.add_typer(dashboards, name="dashboard", help="What CloudWatch shows.", short_help="CloudWatch's dashboards.")


def render(
    config: ConfigOption = DEFAULT,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="DIR", help="Write a file for each here.")
    ] = None,
) -> None:
    """Prints every dashboard as `{name: body}`, or writes `DIR/NAME.json`. Needs no account."""
    found = _rendered(config)[1]
    if out is None:
        as_json({name: jsonlib.loads(body) for name, body in found.items()})
        return
    out.mkdir(parents=True, exist_ok=True)
    for name, body in found.items():
        path = out / f"{name}.json"
        path.write_text(jsonlib.dumps(jsonlib.loads(body), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        screen().print(f"Written: {path}", soft_wrap=True)


def diff(config: ConfigOption = DEFAULT, json: JsonOption = False) -> None:
    """Compares each live dashboard with what would be rendered, widget by widget. Exit code 1 when they differ.
    Lines that `push` drew are no difference."""
    service, wanted = _rendered(config)
    client = answering.aws_of(service.region).client("cloudwatch")
    found = {name: live.difference(_live(client, name), body) for name, body in wanted.items()}
    leftover = _leftover(client, service, wanted)
    if json:
        shown = {name: [one.to_json() for one in changes] for name, changes in found.items()}
        as_json({"dashboards": shown, "leftover": leftover})
    else:
        _show(found, leftover)
    if leftover or any(found.values()):
        raise typer.Exit(1)


def push(
    config: ConfigOption = DEFAULT,
    days: Annotated[
        int,
        typer.Option("--days", metavar="N", min=0, max=MOST_DAYS, help="Draw the changes of so many days; 0: none."),
    ] = 7,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    json: JsonOption = False,
) -> None:
    """Puts the dashboards that differ or have changes to draw, after a question. Exit code 1 when it is answered no.
    A dashboard that is gone from the configuration stays: `diff` names it."""
    service, rendered = _rendered(config)
    aws = answering.aws_of(service.region)
    client = aws.client("cloudwatch")
    since = now() - timedelta(days=days)
    marks = list(_marks(aws, service, config, since)) if days else []
    wanted = {name: live.marked(body, marks, since) for name, body in rendered.items()}
    before = {name: _live(client, name) for name in wanted}
    ours = {name: body for name, body in wanted.items() if not _same(before[name], body)}
    if not json:
        _show({name: live.difference(before[name], wanted[name]) for name in ours}, [])
        screen().print(f"{counted(len(marks), 'mark')} of the last {counted(days, 'day')} to draw.")
    if ours and not yes and not typer.confirm(f"Put {counted(len(ours), 'dashboard')}?", err=True):
        raise typer.Exit(1)
    warnings = [text for name, body in ours.items() for text in _put(client, name, body)]
    if json:
        as_json({"put": sorted(ours), "marks": [one.to_json() for one in marks], "warnings": warnings})
        return
    for text in warnings:
        errors().print(text, style="yellow", markup=False)
    screen().print(f"{counted(len(ours), 'dashboard')} put." if ours else "Everything is live already.")


def _rendered(config: Path) -> tuple[Service, dict[str, str]]:
    """The service, and its dashboards' bodies by name, as the synthesised stack has them. Raises InvalidInput."""
    compiled = configuration.compile_config(configuration.load(config))
    service = Service.from_json(compiled)
    bundle = synth.bundle(service, compiled, remediators=registry.all_remediators())
    found = {
        one["Properties"]["DashboardName"]: one["Properties"]["DashboardBody"]
        for _, template in bundle.every()
        for one in template["Resources"].values()
        if one["Type"] == DASHBOARD
    }
    return service, found


def _live(client: Any, name: str) -> str | None:
    """The body of a dashboard as it is on the account; None when there is none."""
    try:
        body: str = client.get_dashboard(DashboardName=name)["DashboardBody"]
        return body
    except ClientError as error:
        # https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetDashboard.html
        if error.response["Error"]["Code"] in (
            "ResourceNotFound",
            "ResourceNotFoundException",
            "DashboardNotFoundError",
        ):
            return None
        raise


def _leftover(client: Any, service: Service, wanted: dict[str, str]) -> list[str]:
    """Dashboards of this service that are rendered no more, each of which still costs its money."""
    prefix = f"sereno-{service.name}"
    pages = client.get_paginator("list_dashboards").paginate(DashboardNamePrefix=prefix)
    names = [one["DashboardName"] for page in pages for one in page.get("DashboardEntries", [])]
    parts = ("functions", "tables", "protection", "regions")
    own = [name for name in names if name.removeprefix(prefix).lstrip("-").partition("-")[0] in parts]
    return sorted(set(own) - wanted.keys())


def _marks(aws: BotocoreAws, service: Service, config: Path, since: datetime) -> Iterator[Mark]:
    """What is to be drawn. What cannot be read is told and left out: graphs without lines are better than none."""
    try:
        _, ledger = operate.opened(config)
        recent = [one for one in ledger.newest(live.MARKS, before=now()) if one.applied_at and one.created >= since]
        yield from live.remediation_marks((one, ledger.events(one.id)) for one in recent)
    except LedgerUnavailable as error:
        errors().print(
            f"Remediations are not drawn, the ledger cannot be read: {error}", style="yellow", markup=False
        )
    if service.stack is None:
        return
    try:
        client = aws.client("cloudformation")
        yield from live.deployment_marks(service.stack, _stack_events(client, service.stack, since))
    except (ClientError, BotoCoreError) as error:
        text = f"Deployments of {service.stack} are not drawn: {error}"
        errors().print(text, style="yellow", markup=False)


def _stack_events(client: Any, stack: str, since: datetime) -> Iterator[Json]:
    """A stack's events, the newest first, back to a moment."""
    for page in client.get_paginator("describe_stack_events").paginate(StackName=stack):
        for event in page["StackEvents"]:
            if event["Timestamp"] < since:
                return
            yield event


def _same(before: str | None, wanted: str) -> bool:
    try:
        return before is not None and jsonlib.loads(before) == jsonlib.loads(wanted)
    except ValueError:
        return False


def _put(client: Any, name: str, body: str) -> list[str]:
    """What CloudWatch warns of: it takes a dashboard with faults in it, and then shows it with holes."""
    answer = client.put_dashboard(DashboardName=name, DashboardBody=body)
    return [
        f"{name}: {one.get('DataPath', '')} {one.get('Message', '')}".rstrip()
        for one in answer.get("DashboardValidationMessages", [])
    ]


def _show(found: dict[str, list[Change]], leftover: list[str]) -> None:
    console = screen()
    for name, changes in found.items():
        console.print(
            f"{name}: {'as rendered' if not changes else counted(len(changes), 'difference')}", style="bold"
        )
        for one in changes:
            console.print(f"  {MARKS[one.kind]} {one.widget}", markup=False, soft_wrap=True)
            for line in one.details[:DETAILS]:
                console.print(f"      {line}", markup=False, soft_wrap=True)
            if len(one.details) > DETAILS:
                console.print(f"      and {counted(len(one.details) - DETAILS, 'value')} more")
    for name in leftover:
        console.print(
            f"{name}: is rendered no more, and still costs its money (delete it in CloudWatch)", style="yellow"
        )
