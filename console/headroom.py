"""`sereno check headroom`: can the limits hold the surge that was promised?"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from console.on_paper import paper_of
from console.show import as_json, beside, counted, screen
from deploy import config as configuration
from deploy import config_events, headroom
from deploy.headroom import Finding, State
from deploy.on_paper import Paper
from sereno.model import Json, Mode

ConfigOption = Annotated[Path, typer.Option("--config", "-c", metavar="FILE", help="The service's sereno.yaml.")]
JsonOption = Annotated[bool, typer.Option("--json", help="JSON for machines.")]
LiveOption = Annotated[
    bool, typer.Option("--live", help="Read settings, quotas and traffic from AWS; needs credentials.")
]
STYLE = {State.HOLDS: "green", State.SHORT: "bold red", State.UNKNOWN: "yellow", State.LOOK: "yellow"}
DOES = {
    Mode.OFF: "does nothing",
    Mode.OBSERVE: "plans the raise and does not make it",
    Mode.APPROVE: "asks before it raises",
    Mode.AUTO: "raises by itself",
}
ASSUMED = "As declared, under AWS's default quotas unless `quotas:` tells others; --live reads the account."


def check_headroom(
    config: ConfigOption = Path("sereno.yaml"), live: LiveOption = False, json: JsonOption = False
) -> None:
    """Holds the limits against the declared surge and each planned event, and names the number to change where one
    is too small; then the exit code is 1."""
    paper = paper_of(configuration.service(config), live=live)
    found = headroom.check(paper)
    short, notes = headroom.short(found), _notes(paper)
    if json:
        as_json(
            {
                "service": paper.service.name,
                "live": paper.account.live,
                "holds": not short,
                "findings": [_json(one) for one in found],
                "notes": notes,
            }
        )
    else:
        _tell(paper, found, notes, config.name, screen(rows=True))
    if short:
        raise typer.Exit(1)


def _tell(paper: Paper, found: tuple[Finding, ...], notes: list[str], source: str, console: Console) -> None:
    where = f"{paper.service.account}, {paper.service.region}"
    said = f"Read from {where}." if paper.account.live else ASSUMED
    console.print(f"{paper.service.name}: can the limits hold the surge? {said}", markup=False)
    for (surge, factor), rows in groupby(found, key=lambda one: (one.surge, one.factor)):
        console.print(f"\n{surge} {factor:g}x", style="bold", markup=False)
        console.print(_table(rows))
    for title, state in (
        ("To change", State.SHORT),
        ("Not known", State.UNKNOWN),
        ("Worth a look", State.LOOK),
    ):
        mends = _mends(found, state, source)
        if mends:
            console.print(f"\n{title}:", style=STYLE[state], markup=False)
            for mend in mends:
                console.print(Text(f"  {mend}"), soft_wrap=True)
    if notes:
        console.print("\nTo know:", markup=False)
        for note in notes:
            beside(console, "  ", Text(note))
    short = headroom.short(found)
    verdict = (
        f"{counted(len(short), 'limit')} too small." if short else "Every limit holds what is known to be needed."
    )
    if unknown := sum(1 for one in found if one.state is State.UNKNOWN):
        verdict += f" {counted(unknown, 'need')} not known."
    console.print(f"\n{verdict}", style="bold red" if short else "green", markup=False)


def _table(found: Iterable[Finding]) -> Table:
    shown = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    shown.add_column("  where", overflow="fold")
    shown.add_column("what", overflow="fold")
    shown.add_column("need", justify="right", no_wrap=True)
    shown.add_column("limit", justify="right", no_wrap=True)
    shown.add_column("", no_wrap=True)
    shown.add_column("whose limit", overflow="fold")
    where = ""
    for one in found:
        place = f"  {one.where}" if one.where != where else ""
        state = Text(str(one.state), style=STYLE[one.state])
        numbers = (amount(one.need), amount(one.limit))
        shown.add_row(Text(place), Text(one.what), *numbers, state, Text(one.whose))
        where = one.where
    return shown


def amount(value: float | None) -> str:
    """A number as people write it; a dash for what is not known or not set."""
    if value is None:
        return "-"
    return f"{value:,.0f}" if value >= 10 or value == int(value) else f"{value:.1f}"


def _mends(found: tuple[Finding, ...], state: State, source: str) -> list[str]:
    """Each mend once, the largest number where several surges ask for the same one. What stands in the file begins
    with its name."""
    largest: dict[tuple[str, str], Finding] = {}
    for one in found:
        if one.state is state and one.mend:
            key = (one.where, one.what) if state is not State.SHORT else (one.mend.split(" -> ")[0], "")
            if key not in largest or (one.need or 0) > (largest[key].need or 0):
                largest[key] = one
    lines = []
    for one in largest.values():
        if one.mend.startswith(("playbook.", "resources.")):
            lines.append(f"{source}: {one.mend}")
        else:
            lines.append(one.mend if state is State.SHORT else f"{one.where} {one.what}: {one.mend}")
    return lines


def _notes(paper: Paper) -> list[str]:
    notes = list(config_events.notes(paper.service))
    watched: dict[Mode, list[str]] = {}
    for surge in headroom.surges(paper.service, paper.now):
        for play in surge.plays:
            if play.mode is not Mode.AUTO and play.what not in watched.setdefault(play.mode, []):
                watched[play.mode].append(play.what)
    for mode, whats in watched.items():
        notes.append(f"{', '.join(whats)}: in mode {mode} Sereno {DOES[mode]}; a ceiling holds nothing by itself")
    return notes


def _json(one: Finding) -> Json:
    return {
        "surge": one.surge,
        "factor": one.factor,
        "where": one.where,
        "what": one.what,
        "unit": one.unit,
        "need": one.need,
        "limit": one.limit,
        "state": str(one.state),
        "whose": one.whose,
        "mend": one.mend,
    }
