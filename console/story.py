"""`sereno why`: one remediation told from its signal to its end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

from console.show import beside, status, value
from remediators.approvals import needs_two
from sereno.lifecycle import Remediation
from sereno.model import Event, Verdict
from sereno.service import Service

LABEL = 10
# While one of these is the last word, something will happen by itself.
_NEXT = {
    "AWAITING_APPROVAL": "until {due} UTC somebody may say `sereno approve {id}`; after that it is dropped",
    "VERIFYING": "the round looks whether the symptom is gone; if it stays until {escalate} UTC, a person is told",
    "HOLDING": "taken back after {hold} UTC, once the demand fits in the value before",
}


def tell(one: Remediation, events: Sequence[Event], console: Console) -> None:
    """Why, what was decided at which gate, what changes, how it is undone, and what happened since."""
    console.print(Text(one.id, style="bold"), soft_wrap=True)
    _line(console, "status", status(one))
    _line(console, "signal", f"{one.signal.name} was {one.signal.state} at {one.signal.at:%Y-%m-%d %H:%M:%S} UTC")
    _line(console, "", one.signal.reason)
    _line(console, "incident", one.incident)
    _line(console, "remediator", f"{one.remediator}, mode {one.mode}")
    _line(console, "target", f"{one.target.kind} {one.target.name} ({one.target.account}, {one.target.region})")
    for name, verdict in _gates(one, events):
        mark = ("passed", "green") if verdict.ok else (str(verdict.reason), "bold yellow")
        _line(console, "gate", Text.assemble(f"{name}: ", mark, f"  {verdict.detail}".rstrip()))
    _decision(one, console)
    if one.wish:
        _line(console, "asked for", f"{one.wish}, by {one.wish_by}; the round sees to it within a minute")
    elif str(one.status) in _NEXT:
        _line(console, "next", _next(one))
    console.print()
    for event in events:
        by = "" if event.by == "sereno" else f" by {event.by}"
        beside(console, f"{event.at:%H:%M:%S}  ", Text(f"{event.phase}{by}", style="bold"))
        beside(console, " " * 10, Text(event.detail))


def plan_of(one: Remediation, service: Service, console: Console) -> None:
    """What an approval lets happen: the changes with their undo, risk, cost and deadline."""
    console.print(Text(one.id, style="bold"), soft_wrap=True)
    _line(console, "alarm", f"{one.signal.name}: {one.signal.reason}")
    _line(console, "target", f"{one.target.kind} {one.target.name} ({one.target.account}, {one.target.region})")
    _decision(one, console)
    if one.escalate_at:
        _line(console, "until", f"{one.escalate_at:%H:%M:%S} UTC")
    if needs_two(one, service):
        known = f"approved by {', '.join(one.approved_by)}; " if one.approved_by else ""
        _line(console, "high risk", f"{known}two different people must approve it")


def _decision(one: Remediation, console: Console) -> None:
    if one.plan is None:
        return
    _line(console, "plan", one.plan.digest)
    _line(console, "reason", one.plan.reason)
    _line(console, "risk", one.plan.risk)
    _line(console, "cost", f"{one.plan.monthly_cost:,.2f} USD a month if it stayed")
    for step in one.plan.steps:
        _line(console, "change", f"{step.setting}: {value(step.before)} -> {value(step.after)}")
        _line(console, "", step.why if step.why != one.plan.reason else "")
        _line(console, "  do", str(step.do))
        _line(console, "  undo", str(step.undo) if step.undo else "none: this cannot be taken back")


def _line(console: Console, label: str, text: str | Text) -> None:
    beside(console, f"{label:{LABEL}} ", Text(text) if isinstance(text, str) else text)


def _gates(one: Remediation, events: Sequence[Event]) -> Iterator[tuple[str, Verdict]]:
    """The gates of the plan; of a remediation without one, those that its refusal recorded."""
    if one.plan is not None:
        yield from one.plan.gates
        return
    for event in events:
        recorded: list[tuple[str, dict[str, Any]]] = event.data.get("gates", [])
        for name, verdict in recorded:
            yield name, Verdict.from_json(verdict)


def _next(one: Remediation) -> str:
    moments = {"due": one.due_at, "escalate": one.escalate_at, "hold": one.hold_until}
    shown = {name: f"{moment:%H:%M:%S}" if moment else "?" for name, moment in moments.items()}
    return _NEXT[str(one.status)].format(id=one.id, **shown)
