"""What takes a watch away again: `sereno destroy`. It asks for the service's name.

Of a service with two regions all are looked at before anything goes: a change in force in one of them keeps them all.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from console import answering, apply_show
from console.apply_regions import Declined, RegionOption, refusals, through
from console.operate import ByOption, who
from console.show import now, screen
from deploy import config as configuration
from deploy.apply import deployed, places, removal, rollout, states
from deploy.apply.deployed import Deployed
from deploy.apply.places import Place
from deploy.synth import names
from remediators.ledger import Ledger
from sereno.errors import Refused
from sereno.ports import Aws
from sereno.service import Service

DEFAULT = Path("sereno.yaml")
ConfigArgument = Annotated[Path, typer.Argument(metavar="FILE", help="The service's sereno.yaml.")]
RoleOption = Annotated[
    str | None,
    typer.Option(
        "--role-arn",
        metavar="ARN",
        help="Service role with which CloudFormation acts (default: with the rights of these credentials).",
    ),
]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


def add_to(app: typer.Typer) -> None:
    """Puts the command on the app."""
    app.command(short_help="Takes the watch away.")(destroy)


@dataclass(frozen=True, slots=True)
class Standing:
    """What stands in one region: its stack and its ledger, where there are any."""

    place: Place
    aws: Aws
    stack: Deployed | None
    ledger: Ledger | None

    @property
    def service(self) -> Service:
        """The service as this region has it."""
        return self.place.service

    @property
    def where(self) -> str:
        """The region for a sentence, where there are several."""
        return f" in {self.place}" if self.place.role else ""


def destroy(
    config: ConfigArgument = DEFAULT,
    region: RegionOption = None,
    delete_ledger: Annotated[
        bool, typer.Option("--delete-ledger", help="Also the record of all that was ever done.")
    ] = False,
    role_arn: RoleOption = None,
    yes: YesOption = False,
    by: ByOption = None,
) -> None:
    """Takes the watch away, in each region of the service. Refuses while changes are in force; keeps the ledger; asks
    for the service's name."""
    asked_by = who(by)
    with refusals():
        compiled = configuration.compile_config(configuration.load(config))
        found = [_look(one) for one in reversed(places.of(compiled, region))]
        _refuse(found)
        _confirm(found, delete_ledger, yes)
        with _stopped(found, asked_by):
            through("Taking away what stands in", [(one.place, partial(_delete, one, role_arn)) for one in found])
        for one in found:
            _last_words(one, delete_ledger)


def _look(place: Place) -> Standing:
    service, aws = place.service, answering.aws_of(place.region)
    ledger = Ledger(aws.client("dynamodb"), names.ledger(service), service.name)
    there = rollout.ledger_exists(aws, service)
    return Standing(place, aws, deployed.read(aws, names.stack(service)), ledger if there else None)


def _refuse(found: Sequence[Standing]) -> None:
    for one in found:
        if one.stack is not None and states.advice(one.stack.status).way is states.Way.WAIT:
            raise Refused(f"{one.place}: " * bool(one.place.role) + states.advice(one.stack.status).why)
    held = [lease for one in found if one.stack and one.ledger for lease in removal.leases(one.ledger)]
    if held:
        raise removal.LeasesInForce(held)


def _confirm(found: Sequence[Standing], delete_ledger: bool, yes: bool) -> None:
    """Raises Declined unless the service's name is typed. Where nothing would go, nobody is asked."""
    standing, service = [one for one in found if one.stack], found[0].service
    if not standing and not delete_ledger:
        return
    for one in standing:
        if warned := _warning(one, len(found)):
            screen().print(warned, style="yellow", markup=False, soft_wrap=True)
    if yes:
        return
    what = "its watch and its ledger" if delete_ledger else "its watch (the ledger stays)"
    if not standing:
        what = "its ledger"
    elif len(found) > 1:
        what += f" in {len(standing)} regions"
    typed = typer.prompt(f"This deletes {what}. Type the service's name to go on ({service.name})", default="")
    if typed.strip() != service.name:
        raise Declined


def _warning(one: Standing, regions: int) -> str:
    """What customers would notice: the standby's stack holds their name, and the switch."""
    recovery = one.service.recovery
    if recovery is None or not one.service.is_standby:
        return ""
    if recovery.zone:
        return (
            f"The records of {recovery.name} go with the standby's stack: until you have written others, customers "
            "find nothing there."
        )
    return "" if regions > 1 else "Without the standby's stack nothing takes over when the first region is out."


@contextmanager
def _stopped(found: Sequence[Standing], by: str) -> Iterator[None]:
    """Nothing new begins while the stacks go. The ledgers stay, and with them a mode: a watch that comes back must
    not find itself switched off."""
    stops: list[removal.Stop] = []
    try:
        for one in found:
            if one.stack is not None and one.ledger is not None:
                stops.append(removal.stop(one.ledger, by, now()))
        yield
    finally:
        for stop in stops:
            stop.undo(now())


def _delete(one: Standing, role_arn: str | None) -> None:
    if one.stack is None:
        screen().print(f"There is no stack {names.stack(one.service)}{one.where}.", markup=False)
        return
    enable_again = removal.empty_switch(one.aws, one.service)
    try:
        removal.delete_stack(one.aws, one.stack, apply_show.tell(screen()), role_arn=role_arn)
    except BaseException:
        enable_again()
        raise


def _last_words(one: Standing, delete_ledger: bool) -> None:
    console, name = screen(), one.service.name
    gone = delete_ledger and removal.delete_ledger(one.aws, one.service)
    if one.stack is None:
        if gone:
            console.print(f"The ledger of {name}{one.where} is deleted.", markup=False)
        return
    if gone:
        told = f"The watch of {name}{one.where} is gone, and its ledger too."
    elif one.ledger is not None:
        kept = f"Its ledger, {names.ledger(one.service)}, is kept; `sereno deploy` takes it over again."
        told = f"The watch of {name}{one.where} is gone. {kept}"
    else:
        told = f"The watch of {name}{one.where} is gone."
    console.print(told, markup=False, soft_wrap=True)
