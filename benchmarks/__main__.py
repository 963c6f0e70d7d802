"""`python -m benchmarks`: every bench, as a table or as JSON. Exit code 1 when a target is missed."""

from __future__ import annotations

import argparse
import importlib
import json
import pkgutil
import sys
from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.table import Table

from benchmarks import benches
from benchmarks.measure import FULL, Row, Size


def names() -> list[str]:
    """The benches that are there."""
    return sorted(one.name for one in pkgutil.iter_modules(benches.__path__))


def rows(chosen: Sequence[str], size: Size, console: Console) -> Iterator[Row]:
    """Runs the chosen benches one after the other: two at once would measure each other."""
    for name in chosen:
        console.print(f"[dim]{name} ...[/dim]")
        yield from importlib.import_module(f"benchmarks.benches.{name}").run(size)


def table(found: Sequence[Row]) -> Table:
    """What a person reads."""
    made = Table(title="Less is better; ratio is to the peer, in pairs", title_justify="left")
    for heading in ("bench", "median (min-max)", "peer", "ratio", "target", "met"):
        made.add_column(heading, justify="right" if heading in ("median (min-max)", "ratio") else "left")
    for row in found:
        shown = row.to_json()
        made.add_row(
            f"{row.name}\n[dim]{row.note}[/dim]" if row.note else row.name,
            f"{_short(row.figure)} {row.unit}\n[dim]{_short(min(row.ours))}-{_short(max(row.ours))}[/dim]",
            f"{row.peer}\n[dim]{_short(float(str(shown['peer_median'])))} {row.unit}[/dim]",
            _short(row.ratio),
            str(shown["target"]),
            {None: "", True: "[green]yes[/green]", False: "[red]NO[/red]"}[row.met],
        )
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """The command. `arguments` as on the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--json", action="store_true", help="JSON for machines")
    parser.add_argument("--only", action="append", choices=names(), metavar="NAME", help=", ".join(names()))
    parser.add_argument("--pairs", type=_positive, default=FULL.pairs, help="pairs of runs (default %(default)s)")
    chosen = parser.parse_args(arguments)
    console = Console(stderr=True)
    found = list(rows(chosen.only or names(), Size(chosen.pairs, FULL.load), console))
    if chosen.json:
        sys.stdout.write(json.dumps([row.to_json() for row in found], indent=1) + "\n")
    else:
        Console().print(table(found))
    return 1 if any(row.met is False for row in found) else 0


def _positive(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f'"{text}" is no whole number from 1 on')
    return int(text)


def _short(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


if __name__ == "__main__":
    sys.exit(main())
