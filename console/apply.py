"""What brings a watch to an account, and takes it away: plan, deploy, destroy.

`plan` reads. `deploy` shows CloudFormation's own change set before it is carried out. `destroy` asks for the
service's name.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from console import apply_show
from console.operate import ByOption, who
from console.show import as_json, counted, now, screen
from deploy import config as configuration
from deploy.apply import artifacts, assumed, change_set, deployed, drift, presence, removal, rollout, states
from deploy.apply.change_set import CannotBeMade, TookTooLong
from deploy.apply.presence import Presence
from deploy.apply.rollout import Intent
from deploy.synth import names
from remediators import registry
from remediators.clients import BotocoreAws
from remediators.ledger import Ledger
from sereno.errors import InvalidInput, Refused
from sereno.model import Json
from sereno.ports import Aws
from sereno.service import Service

DEFAULT = Path("sereno.yaml")
ConfigArgument = Annotated[Path, typer.Argument(metavar="FILE", help="The service's sereno.yaml.")]
JsonOption = Annotated[bool, typer.Option("--json", help="JSON for machines.")]
BucketOption = Annotated[
    str | None,
    typer.Option("--bucket", metavar="NAME", help="Bucket for code and templates (default: one that deploy makes)."),
]
KeyOption = Annotated[
    str | None, typer.Option("--kms-key", metavar="ARN", help="Customer key that encrypts what the watch keeps.")
]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


class Architecture(StrEnum):
    """The functions' processor."""

    ARM64 = "arm64"
    X86_64 = "x86_64"


ArchitectureOption = Annotated[
    Architecture | None,
    typer.Option("--architecture", help="The functions' processor (default: arm64, or as it is)."),
]


def add_to(app: typer.Typer) -> None:
    """Puts the commands on the app."""
    app.command(short_help="What deploying would change, and what has drifted.")(plan)
    app.command(short_help="Brings the watch to the account.")(deploy)
    app.command(short_help="Takes the watch away.")(destroy)


@dataclass(frozen=True, slots=True)
class Look:
    """All that was read of the account: what deploying would change, what was changed by hand, what is not there, and
    what of the configuration was assumed."""

    intent: Intent
    drifts: tuple[drift.Drift, ...]
    presence: Presence
    assumptions: tuple[assumed.Assumption, ...]

    @property
    def clean(self) -> bool:
        """Nothing would change, and nothing has been changed."""
        return not self.intent.changes and not self.drifts

    def to_json(self) -> Json:
        """What `--json` prints."""
        stack = self.intent.deployed
        return {
            "service": self.intent.service.name,
            "stack": {"name": self.intent.stack, "status": stack.status if stack else None},
            "changes": [one.to_json() for one in self.intent.changes],
            "drift": [one.to_json() for one in self.drifts],
            "missing": [str(one) for one in self.presence.missing],
            "otherwise": [str(one) for one in self.presence.otherwise],
            "assumed": [str(one) for one in self.assumptions],
        }


def plan(
    config: ConfigArgument = DEFAULT,
    check: Annotated[
        bool, typer.Option("--check", help="Exit code 1 when anything would change or has drifted.")
    ] = False,
    bucket: BucketOption = None,
    kms_key: KeyOption = None,
    architecture: ArchitectureOption = None,
    json: JsonOption = False,
) -> None:
    """What deploying would change on the account, what was changed there by hand, and what sereno.yaml names that is
    not there. Reads only. Exit code 1 when something that it names is missing."""
    service, compiled = _configuration(config)
    with _built(
        config, service, compiled, BotocoreAws(service.region), bucket, _chosen(kms_key, architecture)
    ) as seen:
        if json:
            as_json(seen.to_json())
        else:
            _show(seen)
        if seen.presence.missing or (check and not seen.clean):
            raise typer.Exit(1)


def deploy(
    config: ConfigArgument = DEFAULT,
    bucket: BucketOption = None,
    kms_key: KeyOption = None,
    architecture: ArchitectureOption = None,
    revert_drift: Annotated[
        bool, typer.Option("--revert-drift", help="Also set back what was changed by hand.")
    ] = False,
    yes: YesOption = False,
    auto_from_the_start: Annotated[
        bool, typer.Option("--auto-from-the-start", help="Let a first deployment act by itself at once.")
    ] = False,
) -> None:
    """Brings the watch to the account: packages, uploads, shows CloudFormation's change set, asks, carries it out. A
    first deployment only observes. Nothing to change is no error; a failure names its first cause."""
    service, compiled = _configuration(config)
    aws = BotocoreAws(service.region)
    with (
        _refusals(),
        _built(config, service, compiled, aws, bucket, _chosen(kms_key, architecture)) as found,
    ):
        if found.presence.missing:
            raise InvalidInput(config.name, list(found.presence.missing))
        seen = _ready(aws, found, yes)
        intent = seen.intent
        if intent.creates and not auto_from_the_start and (acting := rollout.in_auto(service)):
            raise Refused(
                f"a first deployment observes: set mode: observe in {config} (now auto: {', '.join(acting)}), look "
                "for a while at what it would have done, and promote one remediator after the other (sereno mode). "
                "To let it act at once all the same: --auto-from-the-start"
            )
        rollout.check_room(aws, intent)
        _bucket(aws, intent, yes)
        _announce(rollout.upload(aws, intent))
        _carry_out(aws, _room_for_moves(aws, seen, yes), yes, revert_drift=revert_drift)


def destroy(
    config: ConfigArgument = DEFAULT,
    delete_ledger: Annotated[
        bool, typer.Option("--delete-ledger", help="Also the record of all that was ever done.")
    ] = False,
    yes: YesOption = False,
    by: ByOption = None,
) -> None:
    """Takes the watch away. Refuses while changes are in force; keeps the ledger; asks for the service's name."""
    with _refusals():
        _destroy(config, delete_ledger, yes, by)


def _destroy(config: Path, delete_ledger: bool, yes: bool, by: str | None) -> None:
    service, _ = _configuration(config)
    aws, asked_by = BotocoreAws(service.region), who(by)
    there = deployed.read(aws, names.stack(service))
    console = screen()
    if there is None:
        gone = delete_ledger and _confirmed(service, "its ledger", yes) and removal.delete_ledger(aws, service)
        console.print(f"There is no stack {names.stack(service)}." + (" The ledger is deleted." if gone else ""))
        return
    if states.advice(there.status).way is states.Way.WAIT:
        raise Refused(states.advice(there.status).why)
    what = "its watch and its ledger" if delete_ledger else "its watch (the ledger stays)"
    ledger = _ledger(aws, service) if rollout.ledger_exists(aws, service) else None
    if ledger is not None and (held := removal.leases(ledger)):
        raise removal.LeasesInForce(held)
    _confirmed(service, what, yes)
    stopped = removal.stop(ledger, asked_by, now()) if ledger is not None else None
    try:
        removal.delete_stack(aws, there, apply_show.tell(console))
    finally:
        # The ledger stays, and with it a mode: a watch that comes back must not find itself switched off.
        if stopped is not None:
            stopped.undo(now())
    if delete_ledger and removal.delete_ledger(aws, service):
        console.print(f"The watch of {service.name} is gone, and its ledger too.")
    else:
        told = (
            f" Its ledger, {names.ledger(service)}, is kept; `sereno deploy` takes it over again." if ledger else ""
        )
        console.print(f"The watch of {service.name} is gone.{told}", soft_wrap=True)


def _configuration(config: Path) -> tuple[Service, Json]:
    compiled = configuration.compile_config(configuration.load(config))
    return Service.from_json(compiled), compiled


def _chosen(kms_key: str | None, architecture: Architecture | None) -> dict[str, str]:
    given = {"KmsKeyArn": kms_key, "Architecture": architecture and str(architecture)}
    return {name: value for name, value in given.items() if value is not None}


@contextmanager
def _built(
    config: Path, service: Service, compiled: Json, aws: Aws, bucket: str | None, chosen: Mapping[str, str]
) -> Iterator[Look]:
    """The look at the account, with the package in a place that lasts as long."""
    found = presence.look(aws, service)
    if any(one.path == "account" for one in found.missing):
        raise InvalidInput(config.name, list(found.missing))
    there = deployed.read(aws, names.stack(service))
    with tempfile.TemporaryDirectory() as place:
        code = Path(place) / "sereno.zip"
        intent = rollout.intend(
            service, compiled, registry.all_remediators(), there, code, bucket=bucket, chosen=chosen
        )
        drifts = drift.look(aws, there) if there is not None and not intent.creates else []
        yield Look(intent, tuple(drifts), found, tuple(assumed.read(config.read_text(encoding="utf-8"))))


def _show(seen: Look) -> None:
    console = screen(rows=True)
    intent = seen.intent
    status = f"is {intent.deployed.status}" if intent.deployed else "does not exist yet"
    console.print(f"Stack {intent.stack} in {intent.service.region} {status}.", soft_wrap=True)
    apply_show.problems(console, "Named in the configuration, and not there:", seen.presence.missing, "red")
    apply_show.problems(console, "There, but otherwise than declared:", seen.presence.otherwise, "yellow")
    apply_show.problems(console, "Assumed, and to be confirmed:", seen.assumptions, "yellow")
    apply_show.drifts(console, seen.drifts)
    apply_show.changes(console, intent.changes)
    if seen.clean and not seen.presence.missing:
        console.print("Nothing to change.")


def _ready(aws: Aws, seen: Look, yes: bool) -> Look:
    """Brings a stack that a failure left to where a change set can begin."""
    there = seen.intent.deployed
    advice = states.advice(there.status if there else None)
    console = screen()
    if advice.way in (states.Way.WAIT, states.Way.REFUSE):
        raise Refused(advice.why)
    if there is None or advice.way in (states.Way.CREATE, states.Way.UPDATE):
        return seen
    console.print(advice.why[0].upper() + advice.why[1:] + ".", soft_wrap=True)
    if cause := rollout.why_it_failed(aws, there):
        console.print(f"What failed first: {cause}", markup=False, soft_wrap=True)
    if advice.way is states.Way.CONTINUE_ROLLBACK:
        _ask("Let the rollback go on?", yes)
        rollout.continue_rollback(aws, there, apply_show.tell(console))
    else:
        _ask("Delete the remains? (The ledger stays.)", yes)
        removal.delete_stack(aws, there, apply_show.tell(console))
    again = deployed.read(aws, seen.intent.stack)
    return replace(seen, intent=rollout.again(seen.intent, again))


def _bucket(aws: Aws, intent: Intent, yes: bool) -> None:
    """The bucket is there, or is made."""
    service = intent.service
    if artifacts.check(aws, intent.bucket, service.account, service.region):
        return
    if intent.bucket != artifacts.bucket_name(service.account, service.region):
        raise Refused(f"there is no bucket {intent.bucket} (without --bucket, deploy makes one)")
    _ask(f"Make the bucket {intent.bucket} for code and templates (stack {artifacts.STACK})?", yes)
    rollout.make_bucket(aws, service, apply_show.tell(screen()))


def _announce(sent: int) -> None:
    screen().print(f"Uploaded {counted(sent, 'file')}." if sent else "Code and templates are uploaded already.")


def _room_for_moves(aws: Aws, seen: Look, yes: bool) -> Look:
    """Alarms that move to a nested stack are deleted first: their names must be free."""
    intent, going = seen.intent, rollout.moved(seen.intent)
    if not going:
        return seen
    console = screen()
    console.print(
        f"The watch has grown past one template: {counted(len(going), 'resource')} move to nested stacks. They are "
        "deleted and made anew; their history goes, and until that is done they do not watch.",
        soft_wrap=True,
    )
    _ask("Move them?", yes)
    rollout.make_way(aws, intent, f"sereno-move-{now():%Y%m%dT%H%M%S}", apply_show.tell(console))
    return replace(seen, intent=rollout.again(intent, deployed.read(aws, intent.stack)))


def _carry_out(aws: Aws, seen: Look, yes: bool, *, revert_drift: bool) -> None:
    """The change set: made, shown, asked for, carried out."""
    intent, console = seen.intent, screen()
    client = aws.client("cloudformation")
    made = rollout.propose(aws, intent, f"sereno-{now():%Y%m%dT%H%M%S}", reverts_drift=revert_drift)
    if made.empty:
        console.print(f"Nothing to change: {intent.stack} is as {intent.service.name} wants it.", soft_wrap=True)
        return
    apply_show.drifts(console, seen.drifts)
    apply_show.change_set(console, made.changes, intent.changes)
    try:
        _ask(f"Carry this out on {intent.stack}?", yes)
    except (Refused, typer.Abort, KeyboardInterrupt):
        change_set.drop(client, made, with_stack=intent.deployed is None)
        raise
    status = rollout.carry_out(aws, intent, made, apply_show.tell(console))
    console.print(f"{intent.stack} is {status}.")
    outputs = (deployed.describe(client, intent.stack) or {}).get("Outputs", [])
    for one in outputs:
        if one["OutputKey"] == "DashboardUrl":
            console.print(f"Dashboard: {one['OutputValue']}", soft_wrap=True)


def _ask(question: str, yes: bool) -> None:
    """Raises Refused unless a person says yes. Without a terminal nobody is there to say so."""
    if not yes and not typer.confirm(question):
        raise Refused("nothing was changed")


def _confirmed(service: Service, what: str, yes: bool) -> bool:
    """Raises Refused unless the service's name is typed."""
    if yes:
        return True
    typed = typer.prompt(f"This deletes {what}. Type the service's name to go on ({service.name})", default="")
    if typed.strip() != service.name:
        raise Refused("nothing was changed")
    return True


@contextmanager
def _refusals() -> Iterator[None]:
    """What the account refused is no bad input: exit code 1."""
    try:
        yield
    except (rollout.Failed, removal.LeasesInForce, CannotBeMade, TookTooLong) as refused:
        raise Refused(str(refused)) from refused


def _ledger(aws: Aws, service: Service) -> Ledger:
    return Ledger(aws.client("dynamodb"), names.ledger(service), service.name)
