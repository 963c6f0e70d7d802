"""`sereno drill`: rehearse a scenario on the embedded AWS, with no account."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from console.show import as_json, errors, screen
from sereno.errors import InvalidInput, Problem
from sereno.model import Json

if TYPE_CHECKING:
    from drills.engine import Happening


class Speed(StrEnum):
    """`live` runs in real time and tells as it goes; `max` as fast as it can."""

    LIVE = "live"
    MAX = "max"


def add_to(app: typer.Typer) -> None:
    """Puts the command on the app."""
    app.command()(drill)
    app.command()(scenarios)


def scenarios(json: Annotated[bool, typer.Option("--json", help="JSON for machines.")] = False) -> None:
    """Lists what can be rehearsed."""
    _require_extra()
    from drills import scenario

    found = [scenario.load(name) for name in scenario.names()]
    if json:
        as_json([{"name": one.name, "title": one.title, "duration_s": one.duration_s} for one in found])
        return
    for one in found:
        screen().print(f"[bold]{one.name:22}[/bold] {one.title}")


def drill(
    name: Annotated[str, typer.Argument(help="A scenario's name, or the path of a scenario file.")],
    config: Annotated[
        Path | None, typer.Option("--config", "-c", help="Another sereno.yaml than the scenario's.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same drill.")] = 1,
    seeds: Annotated[int, typer.Option(min=1, max=1000, help="Run so many seeds, from --seed on.")] = 1,
    speed: Annotated[Speed, typer.Option(help="Real time, or as fast as it can.")] = Speed.MAX,
    report: Annotated[Path | None, typer.Option(help="Write the HTML report here.")] = None,
    json: Annotated[bool, typer.Option("--json", help="JSON for machines.")] = False,
) -> None:
    """Rehearses a scenario twice, unattended and with Sereno on watch. Exit code 1 when an objective is missed."""
    _require_extra()
    from drills import report as reporting
    from drills import scenario
    from drills.verdict import print_verdict

    found = scenario.load(name)
    results = []
    for number in range(seed, seed + seeds):
        label = f"{found.name}, seed {number}"
        with _progress(label, quiet=json) as advance:
            results.append(_one(found, number, config, speed, advance))
        if not json:
            if seeds == 1:
                print_verdict(results[-1], screen())
            else:
                screen().print(_line(results[-1]))
    if report is not None:
        reporting.write(results[0], report)
        if not json:
            screen().print(f"report: {report}")
    if json:
        as_json(_for_machines(results[0]) if seeds == 1 else [_for_machines(one) for one in results])
    if not all(objective["met"] for one in results for objective in one["objectives"]):
        raise typer.Exit(1)


def _one(found: object, seed: int, config: Path | None, speed: Speed, advance: Callable[[float], None]) -> Json:
    from drills import drill as rehearsal
    from drills.scenario import Scenario

    assert isinstance(found, Scenario)
    pace, hear = _live(found.duration_s) if speed is Speed.LIVE else (None, None)

    def tick(part: float) -> None:
        advance(part)
        if pace is not None:
            pace(part)

    if hear is None:
        return rehearsal.run(found, seed, config=config, tick=tick)
    return rehearsal.run(found, seed, config=config, tick=tick, watch_over=hear)


def _live(duration_s: float) -> tuple[Callable[[float], None], Callable[[Happening], None]]:
    """Keeps to real time (the unattended twin, a fifth of the progress, runs at once) and tells what happens."""
    began: list[float] = []

    def pace(part: float) -> None:
        if part < 0.2:
            return
        if not began:
            began.append(time.monotonic())
        ahead = (part - 0.2) / 0.8 * duration_s - (time.monotonic() - began[0])
        if ahead > 0:
            time.sleep(ahead)

    def hear(happening: Happening) -> None:
        minutes, seconds = divmod(int(happening.at_s), 60)
        errors().print(f"{minutes:4d}:{seconds:02d}  {happening.kind:8} {happening.text}", markup=False)

    return pace, hear


@contextmanager
def _progress(label: str, *, quiet: bool) -> Iterator[Callable[[float], None]]:
    console = errors()
    if quiet or not console.is_terminal:
        yield lambda _: None
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:3.0f} %"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True, auto_refresh=False) as progress:
        task, shown = progress.add_task(label, total=1.0), [0.0]

        def advance(part: float) -> None:
            # The drill stops the clock of this process, so the bar is drawn by the drill, not by a thread.
            if part - shown[0] >= 0.01 or part >= 1:
                shown[0] = part
                progress.update(task, completed=part, refresh=True)

        yield advance


def _line(result: Json) -> str:
    marks = ", ".join(
        f"{one['name']} {'met' if one['met'] else 'MISSED'} ({_short(one['measured'])})"
        for one in result["objectives"]
    )
    return f"seed {result['seed']:>3}: {marks}"


def _short(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _for_machines(result: Json) -> Json:
    """Without the series, which only pictures need."""
    return {key: value for key, value in result.items() if key != "series"}


def _require_extra() -> None:
    try:
        import moto  # noqa: F401
        import numpy  # noqa: F401
    except ImportError as error:
        problem = Problem("install", str(error.name), "is missing: drills need `pip install 'sereno[drill]'`")
        raise InvalidInput("sereno", [problem]) from None
