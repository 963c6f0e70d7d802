"""How the command speaks: tables and colour for people, JSON for machines."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from sereno.errors import SerenoError
from sereno.lifecycle import Remediation
from sereno.model import Event, Json, Mode, Status, iso

STYLE = {
    Status.REVERTED: "green",
    Status.HOLDING: "cyan",
    Status.VERIFYING: "cyan",
    Status.APPLYING: "cyan",
    Status.REVERTING: "cyan",
    Status.AWAITING_APPROVAL: "bold yellow",
    Status.ESCALATED: "bold red",
    Status.FAILED: "bold red",
    Status.KEPT: "yellow",
    Status.OBSERVED: "magenta",
}


class Refused(SerenoError):
    """What was asked for cannot be: exit code 1."""


def screen() -> Console:
    """Standard output; rich itself respects NO_COLOR and pipes."""
    return Console(highlight=False, soft_wrap=False)


def errors() -> Console:
    """Standard error."""
    return Console(stderr=True, highlight=False, soft_wrap=True)


def as_json(data: Any) -> None:
    """For machines: one document, nothing else on standard output."""
    print(json.dumps(data, indent=2, ensure_ascii=False))  # noqa: T201 - the command's very output


def remediation_json(one: Remediation) -> Json:
    """A remediation as `--json` shows it."""
    return {**one.to_json(), "wish": one.wish, "wish_by": one.wish_by}


def table(remediations: Sequence[Remediation], now: datetime, title: str) -> Table:
    """A line for each remediation."""
    shown = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for column in ("id", "age", "target", "status", "change", "detail"):
        shown.add_column(column, overflow="fold", no_wrap=column in ("id", "age"))
    for one in remediations:
        shown.add_row(
            one.id,
            age(now - one.created),
            one.target.name,
            Text(str(one.status), style=STYLE.get(one.status, "dim")),
            changes(one),
            one.detail if not one.wish else f"{one.wish} asked for by {one.wish_by}; {one.detail}",
        )
    return shown


def changes(one: Remediation) -> str:
    """Before and after of every step."""
    if one.plan is None:
        return ""
    return ", ".join(f"{step.setting} {step.before} -> {step.after}" for step in one.plan.steps)


def age(span: timedelta) -> str:
    """How long ago, shortly."""
    seconds = max(0, int(span.total_seconds()))
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "m")):
        if seconds >= size:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def story(one: Remediation, events: Sequence[Event], console: Console) -> None:
    """Everything about one remediation: why, what, the gates, the undo, the history."""
    console.print(Text.assemble((one.id, "bold"), "  ", (str(one.status), STYLE.get(one.status, "dim"))))
    console.print(f"signal    {one.signal.name} was {one.signal.state} at {iso(one.signal.at)}", markup=False)
    console.print(f"          {one.signal.reason}", markup=False)
    console.print(f"target    {one.target.kind} {one.target.name} ({one.target.account}, {one.target.region})")
    console.print(f"mode      {one.mode}")
    if one.plan is not None:
        console.print(f"reason    {one.plan.reason}", markup=False)
        console.print(f"risk      {one.plan.risk}", markup=False)
        console.print(f"cost      {one.plan.monthly_cost:.2f} USD a month while it stays")
        for step in one.plan.steps:
            console.print(f"change    {step.setting}: {step.before} -> {step.after}", markup=False)
            console.print(f"  do      {step.do}", markup=False)
            console.print(f"  undo    {step.undo or 'none: this cannot be taken back'}", markup=False)
        for name, verdict in one.plan.gates:
            _gate(console, name, verdict.ok, str(verdict.reason), verdict.detail)
    for event in events:
        if one.plan is None:
            for name, verdict in event.data.get("gates", []):
                _gate(console, name, verdict["ok"], verdict["reason"], verdict["detail"])
    console.print()
    for event in events:
        by = "" if event.by == "sereno" else f" by {event.by}"
        line = Text.assemble((f"{iso(event.at)[11:19]}  ", "dim"), (f"{event.phase}{by}  ", "bold"), event.detail)
        console.print(line)


def _gate(console: Console, name: str, ok: bool, reason: str, detail: str) -> None:
    mark = ("pass ", "green") if ok else (f"{reason} ", "yellow")
    console.print(Text.assemble(f"gate      {name}: ", mark, detail))


def mode_lines(modes: dict[str, Mode], plays: Sequence[tuple[str, str, Mode]]) -> Table:
    """The playbook's modes, and what operators set over them."""
    shown = Table(box=None, pad_edge=False)
    for column in ("what", "remediator", "playbook", "set at run time", "in force"):
        shown.add_column(column)
    for what, remediator, declared in plays:
        own = modes.get(remediator)
        force = Mode.strictest(own or declared, modes.get("*", Mode.AUTO))
        shown.add_row(what, remediator, str(declared), str(own or modes.get("*") or "-"), str(force))
    return shown


def now() -> datetime:
    """This moment."""
    return datetime.now(UTC)
