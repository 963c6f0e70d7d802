"""How the command speaks: tables and colour for people, JSON for machines."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from sereno.escape import printable
from sereno.guard import effective_mode
from sereno.lifecycle import Remediation
from sereno.model import Json, Mode, Status
from sereno.service import Play

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
# An id has about 45 characters and stays whole; a table of all columns needs this much room beside it.
TABLE_WIDTH = 140
# In a pipe a remediation is one line, however long, for grep and its kin.
PIPE_WIDTH = 1000


# JSON escapes the controls below a blank by itself. A terminal would obey these, or fail to show them.
_HIDDEN = re.compile(r"[\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]")


class _Plain(Console):
    """A console that shows text as text: square brackets are no markup, and nothing from outside moves the cursor,
    sets a colour or hides. Styles are added after this, so those of the command itself stay."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """As rich's, each piece of text made harmless."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else segment._replace(text=printable(segment.text))


class _Screen(_Plain):
    """Standard output. When its reader has gone (`| head`), the command says no more and ends as it would have."""

    def on_broken_pipe(self) -> None:
        """Rich would exit with 1, which here means a missed objective."""
        self.quiet = True
        hush()


def hush() -> None:
    """Nothing more goes to standard output: whoever read it has gone."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def screen(*, rows: bool = False) -> Console:
    """Standard output; rich itself respects NO_COLOR, COLUMNS and pipes. With `rows`, a line is never broken in a
    pipe."""
    console = _Screen(highlight=False, soft_wrap=False, markup=False, emoji=False)
    if rows and not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = PIPE_WIDTH
    return console


def errors() -> Console:
    """Standard error."""
    return _Plain(stderr=True, highlight=False, soft_wrap=True, markup=False, emoji=False)


def as_json(data: Any) -> None:
    """For machines: one document, nothing else on standard output."""
    text = _HIDDEN.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(data, indent=2, ensure_ascii=False))
    try:
        print(text, flush=True)  # noqa: T201 - the command's very output
    except BrokenPipeError:
        hush()


def counted(number: int, noun: str) -> str:
    """1 function, 3 functions."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def remediation_json(one: Remediation) -> Json:
    """A remediation as `--json` shows it."""
    return {**one.to_json(), "wish": one.wish, "wish_by": one.wish_by}


def listing(remediations: Sequence[Remediation], now: datetime, console: Console) -> None:
    """A line for each remediation where there is room, a paragraph where there is not, those of one incident together
    under its id. Ids are never broken."""
    groups = by_incident(remediations)
    if console.width >= TABLE_WIDTH:
        console.print(_table(groups, now))
        return
    for incident, members in groups:
        if len(members) > 1:
            console.print(Text(incident, style="bold underline"), soft_wrap=True)
            beside(console, "", Text(_about(members)))
        for one in members:
            console.print(Text.assemble((one.id, "bold"), f"  {age(now - one.created)}"), soft_wrap=True)
            beside(console, "  ", Text.assemble(status(one), f"  {one.target.name}  {changes(one)}"))
            beside(console, "  ", Text(_detail(one)))


def by_incident(remediations: Sequence[Remediation]) -> list[tuple[str, list[Remediation]]]:
    """(incident, its remediations), each incident where its first remediation stands."""
    groups: dict[str, list[Remediation]] = {}
    for one in remediations:
        groups.setdefault(one.incident or one.id, []).append(one)
    return list(groups.items())


def _about(members: Sequence[Remediation]) -> str:
    """What an incident is about, in one line: its signals, and how many remediations it has."""
    signals = dict.fromkeys(one.signal.name for one in members)
    return f"{', '.join(signals)}: {counted(len(members), 'remediation')}"


def beside(console: Console, label: str, text: Text) -> None:
    """A label, and beside it text that wraps in its own column. No text, no line."""
    if not text:
        return
    lines = text.wrap(console, max(20, console.width - len(label)), overflow="fold")
    for number, part in enumerate(lines):
        part.rstrip()
        console.print(Text.assemble((label if number == 0 else " " * len(label), "dim"), part), soft_wrap=True)


def _table(groups: Sequence[tuple[str, Sequence[Remediation]]], now: datetime) -> Table:
    shown = Table(box=None, pad_edge=False)
    for column in ("id", "age", "status", "target", "change", "detail"):
        shown.add_column(column, overflow="fold", no_wrap=column in ("id", "age", "status"))
    for incident, members in groups:
        together = len(members) > 1
        if together:
            shown.add_row(Text(incident, style="bold"), "", "", "", "", Text(_about(members)))
        for one in members:
            texts = (one.target.name, changes(one), _detail(one))
            shown.add_row(Text(f"{'  ' * together}{one.id}"), age(now - one.created), status(one), *map(Text, texts))
    return shown


def status(one: Remediation) -> Text:
    """The status in its colour."""
    return Text(str(one.status), style=STYLE.get(one.status, "dim"))


def _detail(one: Remediation) -> str:
    """The last word of the history, without the change that stands beside it."""
    said = one.detail.removeprefix(changes(one)).lstrip(". ")
    return f"{one.wish} asked for by {one.wish_by}; {said}".removesuffix("; ") if one.wish else said


def changes(one: Remediation) -> str:
    """Before and after of every step."""
    if one.plan is None:
        return ""
    return "; ".join(f"{step.setting}: {value(step.before)} -> {value(step.after)}" for step in one.plan.steps)


def value(setting: object) -> str:
    """A setting's value; None is what AWS calls not set."""
    return "not set" if setting is None else str(setting)


def age(span: timedelta) -> str:
    """How long ago, shortly."""
    seconds = max(0, int(span.total_seconds()))
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "m")):
        if seconds >= size:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def mode_lines(modes: dict[str, Mode], plays: Sequence[tuple[Play, str]]) -> Table:
    """The playbook's modes, what operators set over them, and which counts. A play stands beside a remediator."""
    shown = Table(box=None, pad_edge=False, padding=(0, 1))
    for column in ("what", "remediator", "playbook", "set", "in force"):
        shown.add_column(column)
    for play, remediator in plays:
        force, _ = effective_mode(play, modes, remediator)
        shown.add_row(play.what, remediator, str(play.mode), str(modes.get(remediator, "-")), str(force))
    return shown


def now() -> datetime:
    """This moment."""
    return datetime.now(UTC)
