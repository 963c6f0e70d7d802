"""How planned events are shown: where each stands, and what one changes and costs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from rich.console import Console
from rich.table import Table
from rich.text import Text

from console.headroom import ASSUMED, DOES
from console.show import age, beside, changes, status
from deploy.event_plan import EventPlan, Outcome
from deploy.on_paper import Paper
from sereno import planned
from sereno.lifecycle import Remediation
from sereno.model import Json, Reason, instant, iso
from sereno.service import PLANNED_EVENT, PlannedEvent

STYLE = {"coming": "cyan", "prewarming": "bold yellow", "running": "bold green", "over": "dim"}
# With its zone a moment has about 20 characters; a table of all columns needs this much room.
TABLE_WIDTH = 110
PRICES = "USD, list prices of eu-west-1; other regions differ by up to a third, and a contract by more."


@dataclass(frozen=True, slots=True)
class Entry:
    """A planned event at a moment: its state, and what is under way for it."""

    event: PlannedEvent
    begins: datetime
    starts: datetime
    ends: datetime
    state: str
    leases: tuple[Remediation, ...]

    @staticmethod
    def of(event: PlannedEvent, moment: datetime, leases: Iterable[Remediation]) -> Entry:
        begins, starts, ends = planned.begins(event), instant(event.starts), instant(event.ends)
        state = "coming"
        for name, since in (("prewarming", begins), ("running", starts), ("over", ends)):
            state = name if moment >= since else state
        return Entry(event, begins, starts, ends, state, tuple(leases))

    def to_json(self) -> Json:
        return {
            "name": self.event.name,
            "factor": self.event.factor,
            "state": self.state,
            "prewarm": iso(self.begins),
            "from": iso(self.starts),
            "to": iso(self.ends),
            "in_force": [
                {"id": one.id, "status": str(one.status), "target": one.target.to_json(), "change": changes(one)}
                for one in self.leases
            ],
        }


def listing(service: str, entries: Sequence[Entry], notes: Sequence[str], moment: datetime, console: Console) -> None:
    """A table where there is room, a paragraph for each event where there is not."""
    if not entries:
        console.print(f"{service}: no event is planned. Add one: sereno event add", markup=False)
    elif console.width >= TABLE_WIDTH:
        console.print(_table(entries, moment))
    else:
        for one in entries:
            _paragraph(one, moment, console)
    for one in entries:
        for lease in one.leases:
            told = Text.assemble(status(lease), f"  {lease.target.name}  {changes(lease)}")
            beside(console, f"{one.event.name}  ", told)
    for note in notes:
        console.print(Text(f"note: {note}", style="yellow"), soft_wrap=True)


def _table(entries: Sequence[Entry], moment: datetime) -> Table:
    shown = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for column in ("event", "factor", "state", "prewarm", "from", "to"):
        shown.add_column(column, overflow="fold", no_wrap=column not in ("event",))
    for one in entries:
        times = [_moments(at) for at in (one.begins, one.starts, one.ends)]
        shown.add_row(Text(one.event.name), f"{one.event.factor:g}x", _state(one, moment), *times)
    return shown


def _paragraph(one: Entry, moment: datetime, console: Console) -> None:
    head = Text.assemble((one.event.name, "bold"), f"  {one.event.factor:g}x  ", _state(one, moment))
    console.print(head, soft_wrap=True)
    for label, at in (("prewarm", one.begins), ("from", one.starts), ("to", one.ends)):
        console.print(Text(f"  {label:8} {', '.join(_zones(at))}"), soft_wrap=True)


def _state(one: Entry, moment: datetime) -> Text:
    """The state, and how long until the next."""
    until = {"coming": one.begins, "prewarming": one.starts, "running": one.ends}.get(one.state)
    left = {"coming": "prewarm in", "prewarming": "begins in", "running": "ends in"}.get(one.state, "")
    said = f"{one.state}, {left} {age(until - moment)}" if until else one.state
    return Text(said, style=STYLE[one.state])


def _moments(at: datetime) -> Text:
    local, *utc = _zones(at)
    return Text.assemble(local, *[(f"\n{one}", "dim") for one in utc])


def _zones(at: datetime) -> list[str]:
    """In this machine's zone and in UTC; once where they are the same."""
    local, utc = at.astimezone(), at.astimezone(UTC)
    shown = [f"{local:%Y-%m-%d %H:%M %Z}"]
    return shown if local.utcoffset() == timedelta(0) else [*shown, f"{utc:%Y-%m-%d %H:%M} UTC"]


# -- a plan


def plan(found: EventPlan, paper: Paper, console: Console) -> None:
    """What is raised and what it costs, then what the traffic costs beside it."""
    event, play = found.event, paper.service.playbook[PLANNED_EVENT]
    console.print(Text.assemble((event.name, "bold"), f": {event.factor:g}x the normal traffic"), soft_wrap=True)
    for label, at in (
        ("prewarm", found.begins),
        ("from", instant(event.starts)),
        ("to", instant(event.ends)),
        ("held to", found.until),
    ):
        at_least = " at least" if at == found.until else ""
        console.print(Text(f"  {label:8} {', '.join(_zones(at))}{at_least}"), soft_wrap=True)
    console.print(Text(f"  {'mode':8} {play.mode}: Sereno {DOES[play.mode]}"), soft_wrap=True)
    account = paper.service.account
    source = f"Values read from {account}, {paper.service.region}." if paper.account.live else ASSUMED
    console.print(Text(f"  {source}\n", style="dim"), soft_wrap=True)
    console.print(_outcomes(found, paper))
    _traffic(found, console)
    console.print(Text(PRICES, style="dim"), soft_wrap=True)
    short = [one for one in found.outcomes if not one.verdict.ok and one.verdict.reason is not Reason.NO_DATA]
    if short:
        told = ", ".join(dict.fromkeys(one.target.name for one in short))
        text = f"Less than the event needs: {told}. `sereno check headroom` names the number to change."
        console.print(Text(text, style="bold red"), soft_wrap=True)


def _outcomes(found: EventPlan, paper: Paper) -> Table:
    shown = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    shown.add_column("target", overflow="fold")
    shown.add_column("setting", overflow="fold")
    shown.add_column("before", justify="right", no_wrap=True)
    shown.add_column("event", justify="right", no_wrap=True)
    shown.add_column("USD", justify="right", no_wrap=True)
    for one in found.outcomes:
        for number, change in enumerate(one.changes):
            first = number == 0
            name, cost = (one.target.name, _money(one.cost) if one.cost else "free") if first else ("", "")
            shown.add_row(Text(name), Text(change.setting), change.before, change.after, cost)
        if said := _said(one, paper):
            shown.add_row(Text("" if one.changes else one.target.name), said)
    shown.add_row("", "", "", Text("total", style="bold"), Text(_money(found.cost), style="bold"))
    return shown


def _said(one: Outcome, paper: Paper) -> Text | None:
    """What is to say beside, or instead of, the changes."""
    if one.verdict.ok and one.changes:
        return None
    if one.verdict.ok:
        table = paper.account.tables.get(one.target.name)
        on_demand = one.target.kind == "table" and table is not None and not table.provisioned
        return Text(one.verdict.detail) if on_demand else Text("enough as it is", style="green")
    if one.verdict.reason is Reason.NO_DATA:
        return Text("not known: its normal is not declared", style="yellow")
    return Text(f"{one.verdict.reason}: {one.verdict.detail}", style="bold red")


def _traffic(found: EventPlan, console: Console) -> None:
    if found.traffic:
        text = f"The traffic itself, which is the service's business: about {_money(found.traffic_cost)} USD more."
        console.print(Text(text), soft_wrap=True)
        for one in found.traffic:
            console.print(Text(f"  {one.where}: {_money(one.cost)} ({one.how})"), soft_wrap=True)
    if found.unpriced:
        console.print(Text(f"  not estimated, as no normal is known: {', '.join(found.unpriced)}"), soft_wrap=True)


def _money(usd: float) -> str:
    return f"{usd:,.2f}"


def plan_json(found: EventPlan) -> Json:
    """A plan as `--json` shows it: moments in UTC, money in USD."""
    return {
        "name": found.event.name,
        "factor": found.event.factor,
        "prewarm": iso(found.begins),
        "from": iso(instant(found.event.starts)),
        "to": iso(instant(found.event.ends)),
        "held_to": iso(found.until),
        "suffices": found.suffices,
        "usd": round(found.cost, 2),
        "targets": [
            {
                "remediator": one.remediator,
                "target": one.target.to_json(),
                "changes": [
                    {"setting": change.setting, "before": change.before, "after": change.after}
                    for change in one.changes
                ],
                "usd": round(one.cost, 2),
                "ok": one.verdict.ok,
                "reason": str(one.verdict.reason),
                "detail": one.verdict.detail,
            }
            for one in found.outcomes
        ],
        "traffic": {
            "usd": round(found.traffic_cost, 2),
            "places": [{"where": one.where, "usd": round(one.cost, 2), "how": one.how} for one in found.traffic],
            "not_estimated": list(found.unpriced),
        },
    }
