"""What gets Sereno ready: check a configuration, write the template, build the package, print the schema."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from console import rehearsals
from console.headroom import check_headroom
from console.on_paper import own_concurrency
from console.show import as_json, beside, counted, screen
from deploy import config as configuration
from deploy import config_events, config_notices
from deploy import synth as synthesis
from deploy.apply import room
from deploy.synth import fleet
from remediators import registry
from remediators.actions._pool import UNRESERVED_MINIMUM
from sereno.errors import InvalidInput, Problem
from sereno.model import Json
from sereno.service import Play, Service

ConfigOption = Annotated[Path, typer.Option("--config", "-c", metavar="FILE", help="The service's sereno.yaml.")]
FilesArgument = Annotated[
    list[Path] | None, typer.Argument(metavar="FILE", help="One sereno.yaml, or several: one for each service.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="JSON for machines.")]
DEFAULT = Path("sereno.yaml")


def add_to(app: typer.Typer) -> None:
    """Puts the commands on the app."""
    checks = typer.Typer(invoke_without_command=True)
    checks.callback()(check)
    checks.command("headroom", short_help="Can the limits hold the surge?")(check_headroom)
    app.add_typer(checks, name="check", short_help="Checks a configuration, or its headroom.")
    app.command(short_help="Writes the watch's CloudFormation template.")(synth)
    app.command(short_help="Builds the functions' zip.")(package)
    app.command(short_help="Prints the JSON Schema of sereno.yaml.")(schema)


def check(context: typer.Context, config: ConfigOption = DEFAULT, json: JsonOption = False) -> None:
    """Checks a configuration and says what it amounts to. Every problem is told at once; then the exit code is 2."""
    from alarms.packs import all_alarms

    if context.invoked_subcommand is not None:
        # `sereno check -c FILE headroom` means the same file.
        context.default_map = {context.invoked_subcommand: {"config": str(config), "json": json}}
        return
    service = configuration.service(config)
    own = sum(own_concurrency(service).values())
    if found := [*room.declared_problems(service, own), *config_notices.unreached(service)]:
        raise InvalidInput(config.name, found)
    alarms, notes = all_alarms(service), list(_notes(service, own))
    if json:
        as_json({"service": service.name, "alarms": [one.name for one in alarms], "notes": notes})
        return
    console = screen(rows=True)
    counts = ((service.functions, "function"), (service.apis, "API"), (service.tables, "table"), (alarms, "alarm"))
    console.print(f"{config}: fine", markup=False, soft_wrap=True)
    told = ", ".join(counted(len(found), noun) for found, noun in counts)
    console.print(f"{service.name} in {service.region}: {told}", markup=False)
    longest = max(map(len, service.playbook), default=0)
    for what, play in service.playbook.items():
        beside(console, f"  {what:{longest}} {play.mode:8} ", Text(ladder(play)))
    for note in notes:
        console.print(f"note: {note}", markup=False, style="yellow")


def _notes(service: Service, own: int) -> Iterator[str]:
    """What a person should know before anything is deployed."""
    yield from config_events.notes(service)
    if service.own_concurrency != "reserved":
        yield room.WEAKER
        return
    yield (
        f"Sereno's own functions reserve {own} executions for this service; the account must have them and "
        f"{UNRESERVED_MINIMUM} more unreserved, or deploying fails (sereno plan looks; without: ownConcurrency)"
    )


def ladder(play: Play) -> str:
    """The remediators of a play as a person says them: `a with b, then c`."""
    return ", then ".join(" with ".join(rung) for rung in play.rungs)


def synth(
    files: FilesArgument = None,
    config: ConfigOption = DEFAULT,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FILE", help="Write it here (default: standard output).")
    ] = None,
    fis: Annotated[
        bool,
        typer.Option("--fis", help="Also rehearsals for AWS Fault Injection Service, for each region."),
    ] = False,
) -> None:
    """Writes the CloudFormation template of the watch. Of several services it writes one parent template, for a stack
    or a stack set. Nested templates are written beside it, and the templates of a service's other regions in folders
    of these names. With --fis it says what FIS cannot rehearse, and what stands in for it."""
    found_rehearsals = [one for path in files or [config] for one in rehearsals.of(path)] if fis else []
    if files and len(files) > 1:
        found = fleet.gather(one for path in files for one in _members(path))
        root, beside = found.parent, dict(found.files)
    else:
        home, *others = _members(files[0] if files else config)
        root, beside = home.bundle.root, _nested(home.bundle)
        for one in others:
            folder = f"{one.service.region}/"
            beside |= {folder + file: text for file, text in _nested(one.bundle).items()}
            beside[folder + (out.name if out else "")] = synthesis.text(one.bundle.root)
    with_regions = any("/" in file for file in beside)
    more = counted(len(beside), "template" if with_regions else "nested template")
    if out is None and found_rehearsals:
        raise InvalidInput("sereno synth", [Problem("--fis", None, "writes files of its own (name one: --out FILE)")])
    if out is None and beside:
        mend = f"has {more} beside it (name a file: --out FILE)"
        raise InvalidInput("sereno synth", [Problem("--out", None, mend)])
    if out is None:
        screen(rows=True).out(synthesis.text(root), end="")
        return
    writable(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(synthesis.text(root), encoding="utf-8")
    for file, text in beside.items():
        place = out.parent / file
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, encoding="utf-8")
    nested = f", {more} beside it" if beside else ""
    told = f"{out}: {counted(len(root['Resources']), 'resource')}{nested}"
    screen().print(told, markup=False, soft_wrap=True)
    for service in found_rehearsals:
        rehearsals.write(service, out.parent)
        rehearsals.show(service, out.parent)


def _members(path: Path) -> Iterator[fleet.Member]:
    """The watch of each region, the home region's first."""
    for compiled in configuration.watches(configuration.compile_config(configuration.load(path))):
        service = Service.from_json(compiled)
        yield fleet.Member(service, synthesis.bundle(service, compiled, remediators=registry.all_remediators()))


def _nested(bundle: synthesis.Bundle) -> dict[str, str]:
    return {file: synthesis.packed(bundle.nested[part]) for part, file in bundle.files.items()}


def package(
    files: FilesArgument = None,
    config: ConfigOption = DEFAULT,
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="FILE", help="The zip; of several services, a folder of zips.")
    ] = Path("dist/sereno.zip"),
) -> None:
    """Builds the functions' zip: the same bytes for the same input. Those of a service's other regions go to folders
    of these names; those of several services are named as their parent template expects them."""
    from deploy.package import build, report

    built = []
    for path in files or [config]:
        for compiled in configuration.watches(configuration.compile_config(configuration.load(path))):
            place = _zip(out, compiled, several=bool(files) and len(files or ()) > 1)
            writable(place)
            built.append(build(place, compiled))
    for one in built:
        screen().print(str(report(one)).replace(one.name, str(one), 1), markup=False, soft_wrap=True)


def _zip(out: Path, compiled: Json, *, several: bool) -> Path:
    """Where the zip of a watch goes."""
    service = Service.from_json(compiled)
    if several:
        folder = out.with_suffix("") if out.suffix else out
        return folder / fleet.code_key(service, synthesis.digest(compiled))
    recovery = service.recovery
    away = recovery is not None and service.region != recovery.primary
    return out.parent / service.region / out.name if away else out


def schema() -> None:
    """Prints the JSON Schema of sereno.yaml, for editors that complete and check it."""
    screen(rows=True).out(configuration.schema_text(), end="")


def writable(path: Path) -> None:
    """Looks before long work whether a file can be written at its end. Raises InvalidInput."""
    import os

    place = path if path.exists() else next(one for one in path.absolute().parents if one.exists())
    if path.is_dir():
        mend = "is a folder (name a file)"
    elif not path.exists() and not place.is_dir():
        mend = f"cannot be written: {place} is no folder"
    elif not os.access(place, os.W_OK):
        mend = f"cannot be written: no right to write to {place}"
    else:
        return
    raise InvalidInput(str(path), [Problem(str(path), None, mend)])
