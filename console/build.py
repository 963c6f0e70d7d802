"""What gets Sereno ready: check a configuration, write the template, build the package."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from console.show import as_json, screen
from deploy import config as configuration
from deploy import synth as synthesis
from remediators import registry

ConfigOption = Annotated[Path, typer.Option("--config", "-c", help="The service's sereno.yaml.")]
JsonOption = Annotated[bool, typer.Option("--json", help="JSON for machines.")]
DEFAULT = Path("sereno.yaml")


def add_to(app: typer.Typer) -> None:
    """Puts the commands on the app."""
    app.command()(check)
    app.command()(synth)
    app.command()(package)


def check(config: ConfigOption = DEFAULT, json: JsonOption = False) -> None:
    """Checks a configuration and says what it amounts to. Every problem at once; exit code 2."""
    from alarms.packs import all_alarms

    service = configuration.service(config)
    synthesis.used_remediators(service, registry.all_remediators())
    alarms = all_alarms(service)
    if json:
        as_json({"service": service.name, "alarms": [one.name for one in alarms]})
        return
    screen().print(
        f"{config}: fine. {service.name} in {service.region}: {len(service.functions)} functions, "
        f"{len(service.apis)} APIs, {len(service.tables)} tables, {len(alarms)} alarms."
    )
    for what, play in service.playbook.items():
        screen().print(f"  {what:16} {' then '.join(play.remediators):38} {play.mode}")


def synth(
    config: ConfigOption = DEFAULT,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="A file (default: standard output).")] = None,
) -> None:
    """Writes the CloudFormation template of the watch."""
    compiled = configuration.compile_config(configuration.load(config))
    service = configuration.service(config)
    template = synthesis.synthesise(service, compiled, remediators=registry.all_remediators())
    text = synthesis.text(template)
    if out is None:
        typer.echo(text, nl=False)
        return
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(text)
    screen().print(f"{out}: {len(template['Resources'])} resources")


def package(
    config: ConfigOption = DEFAULT,
    out: Annotated[Path, typer.Option("--out", "-o", help="The zip.")] = Path("dist/sereno.zip"),
) -> None:
    """Builds the functions' zip: the same bytes for the same input."""
    from deploy.package import build

    compiled = configuration.compile_config(configuration.load(config))
    built = build(out, compiled)
    screen().print(f"{built}: {built.stat().st_size / 1e6:.2f} MB")
