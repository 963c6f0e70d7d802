"""`sereno drill`: rehearse a scenario on the embedded AWS, with no account."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from console import seeds as many
from console.build import writable
from console.progress import Live, display
from console.show import as_json, screen
from sereno.errors import InvalidInput, Problem
from sereno.model import Json, Mode

if TYPE_CHECKING:
    from drills.engine import Run
    from drills.library import AnyScenario
    from drills.scenario import Scenario


class Assume(StrEnum):
    """What is assumed of everything that CloudWatch leaves open: see alarms.assumptions."""

    USUAL = "usual"
    WORST = "worst"
    PARTIAL = "partial"
    LONG = "long"


class Speed(StrEnum):
    """`live` runs in real time and tells as it goes; `max` as fast as it can."""

    LIVE = "live"
    MAX = "max"


def _speed(text: str) -> str:
    """`live`, `max`, or how many times as fast as the clock on the wall. Raises BadParameter."""
    if text in tuple(Speed) or _times(text) is not None:
        return text
    raise typer.BadParameter("is neither live nor max nor a factor (write it like 60x)")


def _times(text: str) -> float | None:
    """The factor of a speed such as `60x`; 1 of `live`, None of anything else."""
    if text == Speed.LIVE:
        return 1.0
    try:
        factor = float(text.removesuffix("x")) if text.endswith("x") else 0.0
    except ValueError:
        return None
    return factor if 0.1 <= factor <= 1000 else None


def add_to(app: typer.Typer) -> None:
    """Puts the commands on the app."""
    app.command(short_help="Rehearses a scenario on the embedded AWS.")(drill)
    app.command(short_help="Lists what can be rehearsed.")(scenarios)


def scenarios(json: Annotated[bool, typer.Option("--json", help="JSON for machines.")] = False) -> None:
    """Lists what can be rehearsed."""
    require_extra()
    from drills import library

    found = [library.load(name) for name in library.names()]
    if json:
        as_json([{"name": one.name, "title": one.title, "duration_s": one.duration_s} for one in found])
        return
    console = screen(rows=True)
    width = max(len(one.name) for one in found)
    for one in found:
        # A row stays one line at any width, for grep and awk.
        console.print(Text.assemble((f"{one.name:{width}}", "bold"), " ", one.title), soft_wrap=True)


def drill(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A scenario's name, or the path of a scenario file.")],
    config: Annotated[
        Path | None, typer.Option("--config", "-c", metavar="FILE", help="Another sereno.yaml than the scenario's.")
    ] = None,
    seed: Annotated[int, typer.Option(metavar="N", min=0, help="The same seed gives the same drill.")] = 1,
    seeds: Annotated[
        int, typer.Option(metavar="N", min=1, max=1000, help="Run so many seeds, from --seed on, two at a time.")
    ] = 1,
    speed: Annotated[
        str,
        typer.Option(
            metavar="SPEED", callback=_speed, help="live (real time), max (as fast as it can), or like 60x."
        ),
    ] = "max",
    report: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Write the HTML report here; of several seeds, the report of the one that missed most objectives.",
        ),
    ] = None,
    record: Annotated[
        Path | None,
        typer.Option(
            "--record", metavar="FILE", help="Write a recording here: sereno serve --recording FILE shows it."
        ),
    ] = None,
    serve: Annotated[
        bool, typer.Option("--serve", help="A game day: the on-call page over a world that you stir up yourself.")
    ] = False,
    assume: Annotated[
        Assume,
        typer.Option(
            "--assume",
            metavar="NAME",
            help="How CloudWatch evaluates: usual, worst (short range, metrics 3 minutes late), partial or long.",
        ),
    ] = Assume.USUAL,
    mode: Annotated[
        Mode | None,
        typer.Option("--mode", metavar="MODE", help="With --serve: every remediator's mode, like approve."),
    ] = None,
    port: Annotated[
        int, typer.Option("--port", metavar="N", min=0, max=65535, help="With --serve: the page's port; 0 takes any.")
    ] = 8750,
    json: Annotated[
        bool, typer.Option("--json", help="JSON for machines; a list when there are several seeds.")
    ] = False,
) -> None:
    """Rehearses a scenario twice, unattended and with Sereno on watch. Exit code 1 when an objective is missed. With
    --serve it is a game day instead: all is calm until a button on the page plays the scenario."""
    require_extra()
    from drills import library

    if record is not None and (serve or seeds > 1):
        mend = "records one drill that runs by itself: leave out --serve and --seeds"
        raise InvalidInput("sereno drill", [Problem("--record", record, mend)])
    if serve:
        _game_day(_of_one_region(_assuming(library.load(name), assume), "--serve"), seed, speed, mode, port)
        return
    _check_options(mode, speed, seeds)
    for path in (report, record):
        if path is not None:
            writable(path)
    found = _assuming(library.load(name), assume)
    if record is not None:
        _of_one_region(found, "--record")
    if seeds == 1:
        results = [_rehearse(found, seed, config, Speed(speed), record, quiet=json)]
    else:
        results = _rehearse_all(found, range(seed, seed + seeds), config, quiet=json)
    if report is not None:
        _write_report(many.worst(results), report, quiet=json)
    if json:
        as_json(for_machines(results[0]) if seeds == 1 else [for_machines(one) for one in results])
    if any(many.missed(one) for one in results):
        raise typer.Exit(1)


def _assuming(found: AnyScenario, assume: Assume) -> AnyScenario:
    """The scenario under another assumption about CloudWatch. Raises InvalidInput for one of two regions."""
    if assume is Assume.USUAL:
        return found
    from alarms.assumptions import NAMED

    return _of_one_region(found, "--assume").assuming(NAMED[assume])


def _check_options(mode: Mode | None, speed: str, seeds: int) -> None:
    """Raises InvalidInput for what goes with a game day only, or with one seed only."""
    if mode is not None:
        mend = "goes with --serve: a drill has its scenario's modes"
        raise InvalidInput("sereno drill", [Problem("--mode", mode, mend)])
    if speed not in tuple(Speed):
        mend = "goes with --serve (without it write live or max)"
        raise InvalidInput("sereno drill", [Problem("--speed", speed, mend)])
    if speed == Speed.LIVE and seeds > 1:
        mend = "with --speed live: real time follows one seed (leave one of them out)"
        raise InvalidInput("sereno drill", [Problem("--seeds", seeds, mend)])


def _of_one_region(found: AnyScenario, option: str) -> Scenario:
    """The scenario, where the page can show it. Raises InvalidInput."""
    from drills.scenario import Scenario

    if isinstance(found, Scenario):
        return found
    mend = f"plays in one region: leave it out, or write --report FILE to see {found.name}"
    raise InvalidInput("sereno drill", [Problem(option, None, mend)])


def _rehearse(
    found: AnyScenario, seed: int, config: Path | None, speed: Speed, record: Path | None, *, quiet: bool
) -> Json:
    from drills import drill as rehearsal
    from drills import library, recording
    from drills.scenario import Scenario
    from drills.verdict import print_verdict

    def keep(result: Json, run: Run, compiled: Json) -> None:
        if record is not None:
            recording.write(recording.recorded(result, run, compiled), record)

    with display(f"{found.name}, seed {seed}", quiet=quiet and speed is Speed.MAX) as shown:
        if speed is Speed.LIVE:
            live = Live(found.duration_s, shown)
            heard: dict[str, Any] = {"tick": live.tick, "watch_over": live.hear}
        else:
            heard = {"tick": shown.advance}
        if isinstance(found, Scenario):
            result = rehearsal.run(found, seed, config=config, keep=keep, **heard)
        else:
            result = library.run(found, seed, config=config, **heard)
    if not quiet:
        print_verdict(result, screen())
        if record is not None:
            screen().print(f"Recording: {record}", markup=False, soft_wrap=True)
    return result


def _game_day(found: Scenario, seed: int, speed: str, mode: Mode | None, port: int) -> None:
    """Plays a game day until it is interrupted. Raises InvalidInput where the page cannot be served."""
    from console.serve import door, run
    from drills.gameday import GameDay
    from drills.rooms import DrillRoom, over

    factor = _times(speed)
    if factor is None:
        problem = Problem("--speed", speed, "is too fast to watch (write live, or a factor like 60x)")
        raise InvalidInput("sereno drill", [problem])
    guarded = door("127.0.0.1", [], None, [], None)
    game = GameDay(found, seed, factor, mode)
    game.begin()
    try:
        screen().print(f"A game day on {game.service.name}, {factor:g}x: press a button on the page, and watch.")
        run(DrillRoom(game), guarded, "127.0.0.1", port)
    finally:
        game.end()
    screen().print(over(game))


def _rehearse_all(found: AnyScenario, seeds: range, config: Path | None, *, quiet: bool) -> list[Json]:
    results: list[Json] = []
    with display(f"{found.name}, {len(seeds)} seeds", quiet=quiet, ticking=True) as shown:
        done = 0

        def finished() -> None:
            nonlocal done
            done += 1
            shown.draw(done / len(seeds))

        for result in many.results(found, seeds, config, finished):
            results.append(result)
            if not quiet:
                with shown.aside():
                    screen(rows=True).print(many.line(result))
    if not quiet:
        many.print_summary(results, screen(rows=True))
    return results


def _write_report(result: Json, path: Path, *, quiet: bool) -> None:
    from drills import report

    report.write(result, path)
    if not quiet:
        screen().print(f"Report of seed {result['seed']}: {path}", markup=False, soft_wrap=True)


def for_machines(result: Json) -> Json:
    """Without the series, which only pictures need."""
    return {key: value for key, value in result.items() if key not in ("series", "closely", "happenings")}


def require_extra() -> None:
    """Raises InvalidInput when what drills need is not installed."""
    try:
        import moto  # noqa: F401
        import numpy  # noqa: F401
    except ImportError as error:
        problem = Problem("install", str(error.name), "is missing: drills need `pip install 'sereno[drill]'`")
        raise InvalidInput("sereno", [problem]) from None
