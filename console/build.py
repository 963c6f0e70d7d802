"""What gets Sereno ready: check a configuration, write the template, build the package, print the schema."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from console.show import as_json, counted, screen
from deploy import config as configuration
from deploy import synth as synthesis
from remediators import registry
from sereno.errors import InvalidInput, Problem
from sereno.service import Play, Service

ConfigOption = Annotated[Path, typer.Option("--config", "-c", metavar="FILE", help="The service's sereno.yaml.")]
JsonOption = Annotated[bool, typer.Option("--json", help="JSON for machines.")]
DEFAULT = Path("sereno.yaml")


def add_to(app: typer.Typer) -> None:
    """Puts the commands on the app."""
    app.command(short_help="Checks a configuration.")(check)
    app.command(short_help="Writes the watch's CloudFormation template.")(synth)
    app.command(short_help="Builds the functions' zip.")(package)
    app.command(short_help="Prints the JSON Schema of sereno.yaml.")(schema)


def check(config: ConfigOption = DEFAULT, json: JsonOption = False) -> None:
    """Checks a configuration and says what it amounts to. Every problem is told at once; then the exit code is 2."""
    from alarms.packs import all_alarms

    service = configuration.service(config)
    synthesis.used_remediators(service, registry.all_remediators())
    alarms = all_alarms(service)
    if json:
        as_json({"service": service.name, "alarms": [one.name for one in alarms]})
        return
    console = screen(rows=True)
    counts = ((service.functions, "function"), (service.apis, "API"), (service.tables, "table"), (alarms, "alarm"))
    console.print(f"{config}: fine", markup=False, soft_wrap=True)
    told = ", ".join(counted(len(found), noun) for found, noun in counts)
    console.print(f"{service.name} in {service.region}: {told}", markup=False)
    for what, play in service.playbook.items():
        console.print(f"  {what:16} {play.mode:8} {ladder(play)}", markup=False)


def ladder(play: Play) -> str:
    """The remediators of a play as a person says them: `a with b, then c`."""
    return ", then ".join(" with ".join(rung) for rung in play.rungs)


def synth(
    config: ConfigOption = DEFAULT,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FILE", help="Write it here (default: standard output).")
    ] = None,
) -> None:
    """Writes the CloudFormation template of the watch."""
    compiled = configuration.compile_config(configuration.load(config))
    service = Service.from_json(compiled)
    template = synthesis.synthesise(service, compiled, remediators=registry.all_remediators())
    text = synthesis.text(template)
    if out is None:
        screen(rows=True).out(text, end="")
        return
    writable(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(text, encoding="utf-8")
    screen().print(f"{out}: {counted(len(template['Resources']), 'resource')}", markup=False, soft_wrap=True)


def package(
    config: ConfigOption = DEFAULT,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FILE", help="The zip.")] = Path("dist/sereno.zip"),
) -> None:
    """Builds the functions' zip: the same bytes for the same input."""
    from deploy.package import build, report

    compiled = configuration.compile_config(configuration.load(config))
    writable(out)
    built = build(out, compiled)
    screen().print(str(report(built)).replace(built.name, str(built), 1), markup=False, soft_wrap=True)


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
