"""What AWS Fault Injection Service can rehearse of a lost region: its templates written, and its gaps told."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rich.text import Text

from console.show import beside, counted, screen
from deploy import config as configuration
from deploy import synth
from deploy.synth import experiments, fis, names
from sereno.errors import InvalidInput, Problem
from sereno.service import Service


def of(path: Path) -> Iterator[Service]:
    """The watches of a configuration from whose region something can be rehearsed. Raises InvalidInput where there is
    none."""
    watches = [
        Service.from_json(one)
        for one in configuration.watches(configuration.compile_config(configuration.load(path)))
    ]
    found = [one for one in watches if fis.has(one)]
    if not found:
        mend = (
            "is missing: region drills need a second region (docs/regions.md)"
            if watches[0].recovery is None
            else "has nothing that FIS could befall (declare functions or tables)"
        )
        raise InvalidInput(path.name, [Problem("recovery", None, mend)])
    yield from found


def file_of(service: Service) -> str:
    """The file of a region's rehearsals."""
    return f"{names.fis_stack(service)}.{service.region}.json"


def write(service: Service, folder: Path) -> None:
    """Writes the template of one region."""
    (folder / file_of(service)).write_text(synth.text(fis.template(service)), encoding="utf-8")


def show(service: Service, folder: Path) -> None:
    """Each experiment: what it does, what FIS cannot do of the scenario, and what stands in for that."""
    console, found = screen(rows=True), experiments.of(service)
    told = f"{folder / file_of(service)}: {counted(len(found), 'experiment')} in {service.region}"
    console.print(told, markup=False, soft_wrap=True)
    for one in found:
        console.print(f"  {one.scenario}, {one.minutes} min", style="bold", markup=False)
        beside(console, "    does     ", Text(one.does))
        beside(console, "    cannot   ", Text(one.cannot))
        beside(console, "    instead  ", Text(one.instead))
        beside(console, "    stops at ", Text(", ".join(one.stops)))
