"""`sereno event`: surges that are known beforehand. What is planned, one more, and what one would change and cost."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer
from botocore.exceptions import BotoCoreError, ClientError

from console import events_show
from console.events_show import Entry
from console.on_paper import paper_of
from console.show import as_json, now, screen
from deploy import config as configuration
from deploy import config_edit, config_events, config_yaml, event_plan, units
from deploy.synth import names
from remediators.clients import QUICK, BotocoreAws
from remediators.ledger import Ledger
from sereno import planned
from sereno.errors import InvalidInput, LedgerUnavailable, Problem
from sereno.lifecycle import Remediation
from sereno.model import instant
from sereno.service import PlannedEvent, Service

ConfigOption = Annotated[Path, typer.Option("--config", "-c", metavar="FILE", help="The service's sereno.yaml.")]
JsonOption = Annotated[bool, typer.Option("--json", help="JSON for machines.")]
DEFAULT = Path("sereno.yaml")


def add_to(app: typer.Typer) -> None:
    """Puts the commands on the app."""
    events = typer.Typer(no_args_is_help=True)
    events.command("list", short_help="The planned events, and what is in force for them.")(list_events)
    events.command("add", short_help="Adds one to sereno.yaml.")(add_event)
    events.command("plan", short_help="What would be raised, when, and what it costs.")(plan_event)
    app.add_typer(events, name="event", help="Surges that are known beforehand.", short_help="Planned events.")


def list_events(config: ConfigOption = DEFAULT, json: JsonOption = False) -> None:
    """Shows the planned events: when each is prepared for, where it stands, and what is in force for it (where the
    ledger can be reached)."""
    service = configuration.service(config)
    leases, silent = _leases(service) if service.events else ({}, "")
    moment = now()
    entries = [Entry.of(one, moment, leases.get(one.name, ())) for one in planned_order(service)]
    notes = [*config_events.notes(service), *([silent] if silent else [])]
    if json:
        as_json({"service": service.name, "events": [one.to_json() for one in entries], "notes": notes})
    else:
        events_show.listing(service.name, entries, notes, moment, screen(rows=True))


def add_event(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What people call it, on one line.")],
    starts: Annotated[str, typer.Option("--from", metavar="MOMENT", help="Like 2026-11-27T08:00:00+01:00.")],
    ends: Annotated[str, typer.Option("--to", metavar="MOMENT", help="Likewise, with its zone.")],
    factor: Annotated[str, typer.Option("--factor", metavar="FACTOR", help="Over normal traffic, like 9x.")],
    prewarm: Annotated[
        str | None,
        typer.Option("--prewarm", metavar="DURATION", help="How long before (default: 30m)."),
    ] = None,
    config: ConfigOption = DEFAULT,
    json: JsonOption = False,
) -> None:
    """Adds a planned event to the file, which keeps its comments and its layout. Nothing is written unless the file
    is right afterwards; deploying brings the event to the watch."""
    fields = {"name": name, "from": starts, "to": ends, "factor": factor}
    if prewarm is not None:
        fields["prewarm"] = prewarm
    before = configuration.service(config)
    _understood(fields, before)
    text = config_edit.with_event(_text(config), config.name, fields)
    config_edit.write(config, text)
    service = configuration.service(config)
    entry = next(Entry.of(one, now(), ()) for one in service.events if one.name == name)
    notes = [note for note in config_events.notes(service) if note not in set(config_events.notes(before))]
    if json:
        as_json({"file": str(config), "event": entry.to_json(), "notes": notes})
        return
    console = screen(rows=True)
    console.print(f"{config}: {name} added", markup=False, soft_wrap=True)
    events_show.listing(service.name, [entry], notes, now(), console)
    console.print("Next: sereno event plan, then sereno deploy.", markup=False)


def plan_event(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="One event (default: all that are not over).")
    ] = None,
    config: ConfigOption = DEFAULT,
    live: Annotated[
        bool,
        typer.Option("--live", help="Begin with AWS's present values, not the declared ones; needs credentials."),
    ] = False,
    json: JsonOption = False,
) -> None:
    """Shows what would be raised for a planned event, from what to what, when, and what it costs. Where a limit
    leaves less than the event needs, the exit code is 1."""
    service = configuration.service(config)
    chosen = _chosen(service, name)
    paper = paper_of(service, live=live)
    plans = [event_plan.work_out(one, paper) for one in chosen]
    if json:
        as_json({"service": service.name, "live": live, "plans": [events_show.plan_json(one) for one in plans]})
    elif not plans:
        screen().print(f"{service.name}: no event is planned. Add one: sereno event add", markup=False)
    else:
        console = screen(rows=True)
        for number, one in enumerate(plans):
            if number:
                console.print()
            events_show.plan(one, paper, console)
    if not all(one.suffices for one in plans):
        raise typer.Exit(1)


def planned_order(service: Service) -> list[PlannedEvent]:
    """As they come."""
    return sorted(service.events, key=planned.begins)


def _chosen(service: Service, name: str | None) -> list[PlannedEvent]:
    if name is None:
        return [one for one in planned_order(service) if now() < instant(one.ends)]
    found = [one for one in service.events if one.name == name]
    if not found:
        known = ", ".join(one.name for one in service.events) or "none"
        raise InvalidInput("sereno event plan", [Problem("NAME", name, f"is no planned event (there are: {known})")])
    return found


def _understood(fields: Mapping[str, str], service: Service) -> None:
    """Raises InvalidInput with every argument that no file could hold, in the words of the command."""
    problems = []
    if any(one.name == fields["name"] for one in service.events):
        problems.append(Problem("NAME", fields["name"], "is planned already (choose another name, or edit the file)"))
    for option in ("from", "to"):
        try:
            instant(fields[option])
        except ValueError:
            mend = "is no moment with a time zone (write it like 2026-11-24T09:00:00+01:00)"
            problems.append(Problem(f"--{option}", fields[option], mend))
    try:
        units.factor(fields["factor"])
    except ValueError as error:
        problems.append(Problem("--factor", fields["factor"], str(error)))
    try:
        units.milliseconds(fields.get("prewarm", "30m"), usual="m")
    except ValueError as error:
        problems.append(Problem("--prewarm", fields["prewarm"], str(error)))
    if problems:
        raise InvalidInput("sereno event add", problems)


def _text(path: Path) -> str:
    """With its own line ends, which `read_text` would change."""
    return config_yaml.text_of(path, path.name)


def _leases(service: Service) -> tuple[dict[str, list[Remediation]], str]:
    """What is under way for each event, and why that is not known."""
    try:
        found = Ledger(
            BotocoreAws(service.region, QUICK).client("dynamodb"), names.ledger(service), service.name
        ).open()
    except (LedgerUnavailable, ClientError, BotoCoreError) as error:
        return {}, f"what is in force is not shown: {_short(error)}"
    by_event: dict[str, list[Remediation]] = {}
    for one in found:
        event = planned.event_of(one.signal, service)
        if event is not None and not one.ended:
            by_event.setdefault(event.name, []).append(one)
    return by_event, ""


def _short(error: Exception) -> str:
    cause = error.__cause__ if isinstance(error, LedgerUnavailable) and error.__cause__ else error
    if isinstance(cause, ClientError):
        return f"the ledger answered {cause.response.get('Error', {}).get('Code', 'an error')}"
    return str(cause).rstrip(".").partition("\n")[0]
