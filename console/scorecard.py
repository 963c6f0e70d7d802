"""`sereno scorecard` and `sereno promote`: what is known of each remediator, and one step up on that evidence."""

from __future__ import annotations

import sys
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from console.operate import DEFAULT, ByOption, ConfigOption, JsonOption, opened, who
from console.show import as_json, beside, now, screen
from remediators import registry, scorecard
from remediators.items import ModeRow
from remediators.ledger import Ledger
from remediators.scorecard import Score
from sereno.errors import InvalidInput, Problem, Refused
from sereno.guard import effective_mode
from sereno.model import Json, Mode
from sereno.service import Service

DaysOption = Annotated[int, typer.Option("--days", metavar="N", min=1, max=60, help="How many days back.")]


def add_to(app: typer.Typer) -> None:
    """Puts the commands on the app."""
    app.command("scorecard", short_help="How each remediator did.")(show)
    app.command(short_help="Lets a remediator do one step more.")(promote)


def show(config: ConfigOption = DEFAULT, days: DaysOption = 30, json: JsonOption = False) -> None:
    """Shows how each remediator did: what it would have done and what became of that, what it did and whether that
    helped, what it refused, and who was demoted."""
    service, ledger = opened(config)
    found = {one.remediator: one for one in scorecard.scores(scorecard.read(ledger, now(), days))}
    names = sorted({*found, *(name for play in service.playbook.values() for name in play.remediators)})
    rows, modes = ledger.mode_rows(), ledger.modes()
    scores = [(found.get(name, Score(name)), _modes(service, name, modes)) for name in names]
    if json:
        as_json(
            [{**one.to_json(), "modes": in_force, "set": _set(rows.get(one.remediator))} for one, in_force in scores]
        )
        return
    table = Table(box=None, pad_edge=False)
    for column in ("remediator", "mode", "would act", "alone", "people", "not", "acted", "right", "wrong", "refused"):
        table.add_column(
            column, no_wrap=column == "remediator", justify="left" if len(table.columns) < 2 else "right"
        )
    for one, in_force in scores:
        numbers = (one.would, one.alone, one.people, one.not_yet, one.acted, one.right, one.wrong)
        wrong = "bold red" if one.wrong else ""
        shown = [Text(str(number) if number else "-") for number in numbers]
        shown[-1].stylize(wrong)
        refused = str(sum(one.refused.values()) or "-")
        table.add_row(Text(one.remediator, style="bold"), Text(", ".join(in_force)), *shown, refused)
    console = screen(rows=True)
    console.print(table)
    for name, row in sorted(rows.items()):
        if row.by == "sereno":
            beside(
                console, "", Text(f"{name} was put back to {row.mode} on {row.at:%Y-%m-%d %H:%M} UTC: {row.reason}")
            )


def promote(
    remediator: Annotated[str, typer.Argument(metavar="REMEDIATOR", help="One of the playbook's.")],
    to: Annotated[
        Mode | None, typer.Option("--to", metavar="MODE", help="approve or auto; at most one step up.")
    ] = None,
    config: ConfigOption = DEFAULT,
    days: DaysOption = 30,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why, where the evidence is thin.")] = "",
    by: ByOption = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Without being asked.")] = False,
    json: JsonOption = False,
) -> None:
    """States the evidence of the scorecard, asks, and lets a remediator do one step more: from observe to approve,
    from approve to auto. Evidence that is thin, or speaks against it, needs a reason."""
    if remediator not in registry.names():
        known = ", ".join(registry.names())
        raise InvalidInput(
            "sereno promote", [Problem("REMEDIATOR", remediator, f"is no remediator (there are: {known})")]
        )
    service, ledger = opened(config)
    mode = _lowest(service, remediator, ledger.modes())
    wanted = _wanted(remediator, mode, to)
    found = scorecard.score(
        remediator, [one for one in scorecard.read(ledger, now(), days) if one.remediator == remediator]
    )
    speaks, why = scorecard.advice(found)
    if not json:
        console = screen()
        console.print(Text(f"{remediator}: {mode} -> {wanted}", style="bold"))
        for line in scorecard.evidence(found, days):
            beside(console, "  ", Text(line))
        beside(
            console,
            "  ",
            Text(
                f"The evidence speaks {'for' if speaks else 'against'} it: {why}.",
                style="green" if speaks else "yellow",
            ),
        )
    if not speaks and not reason.strip():
        raise Refused(f"the evidence is not enough ({why}); promote it all the same with --reason TEXT")
    _agreed(remediator, wanted, yes=yes)
    _set_mode(ledger, remediator, wanted, by, reason.strip() or why)
    if json:
        as_json(
            {
                "remediator": remediator,
                "from": str(mode),
                "to": str(wanted),
                "reason": reason.strip() or why,
                "score": found.to_json(),
            }
        )
    else:
        screen().print(f"{remediator} is set to {wanted}.")


def _wanted(remediator: str, mode: Mode, to: Mode | None) -> Mode:
    """One step up. Raises Refused from the top, for a step down and for two at once."""
    up = scorecard.next_mode(mode)
    if up is None:
        raise Refused(f"{remediator} is in mode auto: there is nothing above")
    if to is not None and to is not up:
        raise Refused(f"{remediator} is in mode {mode}: one step up is {up} (any mode is set with sereno mode)")
    return up


def _agreed(remediator: str, wanted: Mode, *, yes: bool) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        raise InvalidInput("sereno promote", [Problem("--yes", None, "nobody is there to be asked (write --yes)")])
    if not typer.confirm(f"Set {remediator} to {wanted}?"):
        raise Refused("nothing was changed")


def _set_mode(ledger: Ledger, remediator: str, mode: Mode, by: str | None, reason: str) -> None:
    ledger.set_mode(remediator, mode, who(by), now(), reason=reason)


def _modes(service: Service, name: str, modes: dict[str, Mode]) -> list[str]:
    """The modes in force of a remediator, each once: plays may differ."""
    plays = [play for play in service.playbook.values() if name in play.remediators]
    return list(dict.fromkeys(str(effective_mode(play, modes, name)[0]) for play in plays)) or ["not in the playbook"]


def _lowest(service: Service, name: str, modes: dict[str, Mode]) -> Mode:
    """The strictest mode in force among the plays. Raises Refused for one that no play names, and where the whole
    watch is bounded."""
    plays = [play for play in service.playbook.values() if name in play.remediators]
    if not plays:
        raise Refused(f"no play names {name}")
    own = [effective_mode(play, {key: mode for key, mode in modes.items() if key != "*"}, name)[0] for play in plays]
    return Mode.strictest(*own)


def _set(row: ModeRow | None) -> Json | None:
    return {"mode": str(row.mode), "by": row.by, "reason": row.reason or None} if row else None
