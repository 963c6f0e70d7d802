"""How plan and deploy are shown: what changes, what has drifted, and the stack's events while they happen."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from deploy.apply.difference import ABSENT, Change, Difference
from deploy.apply.drift import Drift
from deploy.apply.failure import Happening
from deploy.apply.retained import Difference as Imported
from sereno.model import Json

MARKS = {
    "added": ("+", "green"),
    "changed": ("~", "yellow"),
    "moved": (">", "magenta"),
    "removed": ("-", "red"),
    "Add": ("+", "green"),
    "Import": ("<", "green"),
    "Modify": ("~", "yellow"),
    "Dynamic": ("?", "yellow"),
    "Remove": ("-", "red"),
}
# A value longer than this says more by its beginning than by its length.
SHOWN = 60
# Of one resource so many properties are shown; a dashboard may differ in hundreds.
PROPERTIES = 8


def changes(console: Console, found: Sequence[Change]) -> None:
    """A line for each resource, below it the properties that differ."""
    if not found:
        return
    table = _table("", "resource", "type", "property", "before", "after")
    for one in found:
        mark, style = MARKS[one.what]
        head = (Text(mark, style=style), Text(one.name), Text(_short(one.kind)))
        _rows(table, head, one.differences)
    console.print(table)
    counts = {what: sum(1 for one in found if one.what == what) for what in ("added", "changed", "moved", "removed")}
    console.print(", ".join(f"{number} {what}" for what, number in counts.items() if number) + ".")


def change_set(console: Console, made: Iterable[Json], known: Sequence[Change]) -> None:
    """CloudFormation's own changes, with what it replaces, beside the values that differ."""
    by_id = {one.logical_id: one for one in known}
    table = _table("", "resource", "type", "replaced", "property", "before", "after")
    for one in made:
        mark, style = MARKS.get(one["Action"], ("?", "yellow"))
        own = by_id.get(one["LogicalResourceId"])
        name = own.name if own else one.get("PhysicalResourceId") or one["LogicalResourceId"]
        replaced = {"True": "yes", "Conditional": "perhaps"}.get(one.get("Replacement", ""), "")
        head = (Text(mark, style=style), Text(name), Text(_short(one["ResourceType"])), Text(replaced, style="red"))
        _rows(table, head, own.differences if own else ())
    console.print(table)


def drifts(console: Console, found: Sequence[Drift]) -> None:
    """What was changed by hand, and how to set it back."""
    if not found:
        return
    console.print("Changed by hand since it was deployed:", style="yellow")
    table = _table("resource", "type", "property", "deployed", "now")
    for one in found:
        if one.gone:
            table.add_row(Text(one.name), _short(one.kind), "", "", Text("gone", style="red"))
        else:
            _rows(table, (Text(one.name), Text(_short(one.kind))), one.differences)
    console.print(table)
    console.print(
        "Deploying leaves this as it is, where the template's own value does not change; `sereno deploy "
        "--revert-drift` sets it back."
    )


def imported(console: Console, taken_over: Sequence[str], found: Sequence[Imported]) -> None:
    """What was taken over from an earlier stack, and what of it is not as the template says."""
    console.print(f"Taken over as it was: {', '.join(taken_over)}.", markup=False, soft_wrap=True)
    for one in found:
        console.print(f"  {one}", style="yellow", markup=False, soft_wrap=True)
    if found:
        fix = "fix: deploy again with --revert-drift, which sets these back to the template."
        console.print(fix, style="yellow", markup=False, soft_wrap=True)


def problems(console: Console, title: str, found: Iterable[object], style: str) -> None:
    """A title, and a line for each."""
    lines = [str(one) for one in found]
    if lines:
        console.print(title, style=style)
        for line in lines:
            console.print(f"  {line}", markup=False, soft_wrap=True)


def tell(console: Console) -> Callable[[Happening], None]:
    """Tells each event of a stack as it happens."""

    def line(one: Happening) -> None:
        done, failed = one.status.endswith("_COMPLETE"), one.failed
        style = "red" if failed else "green" if done else "dim"
        text = Text.assemble((f"{one.at:%H:%M:%S}  ", "dim"), (f"{one.status:28}", style), one.logical_id)
        if failed and one.reason:
            text.append(f"  {one.reason}", style="red")
        console.print(text, soft_wrap=True)

    return line


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 1))
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _rows(table: Table, head: Sequence[Text], differences: Sequence[Difference]) -> None:
    """The first property beside the head, the others below it."""
    cells = [(Text(one.path), Text(_value(one.before)), Text(_value(one.after))) for one in differences[:PROPERTIES]]
    if len(differences) > PROPERTIES:
        cells.append((Text(f"and {len(differences) - PROPERTIES} more", style="dim"), Text(), Text()))
    table.add_row(*head, *(cells[0] if cells else ()))
    for cell in cells[1:]:
        table.add_row(*(Text() for _ in head), *cell)


def _short(kind: str) -> str:
    return kind.removeprefix("AWS::")


def _value(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    if value == ABSENT:
        return ABSENT
    return text if len(text) <= SHOWN else text[:SHOWN] + "..."
