"""The drill's verdict in the terminal: what was promised, what was measured, and what Sereno did."""

from __future__ import annotations

from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from drills import lanes, leases, narrative, voices
from sereno.model import Json

_TONES = {"REVERTED": "green", "FAILED": "red", "ESCALATED": "red", "OBSERVED": "dim"}


def print_verdict(result: Json, console: Console) -> None:
    """Prints the verdict. Colour is the console's own choice, which honours NO_COLOR; marks and words say it all.

    Raises InvalidInput when the result is not what the engine writes.
    """
    voice = voices.of(result)
    checked = voice.check(result)
    passed = narrative.all_met(checked)
    console.print()
    which = f"({checked['scenario']}, seed {checked['seed']})"
    beside = cell_len(checked["title"]) + cell_len(which) + 2 <= console.width
    console.print(Text.assemble((checked["title"], "bold"), "  " if beside else "\n", which))
    console.print(Text(voice.headline(checked), style="bold green" if passed else "bold red"))
    lead = " ".join(voice.lead(checked))
    if lead:
        console.print(Text(lead))
    console.print()
    for one in narrative.objectives(checked):
        console.print(_objective(one))
    contrasts = voice.comparison(checked)
    if contrasts:
        console.print(_comparison(contrasts))
    _print_remediations(checked, console)
    console.print(Text(f"{narrative.tally(checked)}.", style="bold green" if passed else "bold red"))


def _objective(one: narrative.Objective) -> Text:
    mark = ("✓ met   ", "green") if one.met else ("✕ missed", "bold red")
    return Text.assemble(mark, "  ", (one.name, "bold"), f": {one.measured} (target {one.target})")


def _comparison(contrasts: Sequence[narrative.Contrast]) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("")
    table.add_column("without", justify="right")
    table.add_column("with Sereno", justify="right", style="bold")
    for row in contrasts:
        table.add_row(row.name, row.unattended, row.attended)
    return table


def _print_remediations(result: Json, console: Console) -> None:
    shown = leases.acted(result)
    # A grid, so that a long line goes on under itself and not under the times.
    grid = Table.grid(padding=(0, 2))
    grid.add_column(justify="right", min_width=8, no_wrap=True)
    grid.add_column(overflow="fold")
    for one in shown:
        grid.add_row(narrative.elapsed(one["at_s"]), _remediation(one))
    if shown:
        console.print(grid)
    skipped = len(result["remediations"]) - len(shown)
    if skipped:
        console.print(Text(f"{skipped} skipped; the report gives each reason", style="dim"))
    if shown or skipped:
        console.print()


def _remediation(one: Json) -> Text:
    return Text.assemble(
        (one["remediator"], "bold"),
        f" on {one['target']['name']}  ",
        lanes.change_text(one),
        "  ",
        (one["status"], _TONES.get(one["status"], "yellow")),
    )
