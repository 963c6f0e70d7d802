"""What brings a watch to an account: plan, deploy.

`plan` reads. `deploy` shows CloudFormation's own change set before it is carried out. Of a service with two regions
both go through the regions one after the other; nothing is changed in any before all of them have been looked at.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from botocore.exceptions import BotoCoreError, ClientError

from console import answering, apply_show, destroy
from console.apply_regions import Declined, RegionOption, refusals, through
from console.destroy import DEFAULT, ConfigArgument, RoleOption, YesOption
from console.show import as_json, counted, now, screen
from deploy import config as configuration
from deploy import config_yaml
from deploy.apply import (
    artifacts,
    assumed,
    change_set,
    deployed,
    drift,
    places,
    presence,
    removal,
    retained,
    rollout,
    room,
    states,
)
from deploy.apply.places import Place
from deploy.apply.presence import Presence
from deploy.apply.rollout import Intent
from deploy.apply.room import Room
from deploy.synth import names
from remediators import limits, registry
from sereno.errors import InvalidInput, Problem, Refused
from sereno.model import Json
from sereno.ports import Aws

JsonOption = Annotated[bool, typer.Option("--json", help="JSON for machines.")]
BucketOption = Annotated[
    str | None,
    typer.Option("--bucket", metavar="NAME", help="Bucket for code and templates (default: one that deploy makes)."),
]
KeyOption = Annotated[
    str | None, typer.Option("--kms-key", metavar="ARN", help="Customer key that encrypts what the watch keeps.")
]


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
    destroy.add_to(app)


@dataclass(frozen=True, slots=True)
class Look:
    """All that was read of the account: what deploying would change, what was changed by hand, what is not there,
    what concurrency there is for Sereno's own functions (None: they reserve none), and what of the configuration was
    assumed."""

    place: Place
    aws: Aws
    intent: Intent
    drifts: tuple[drift.Drift, ...]
    presence: Presence
    room: Room | None
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
            "region": self.place.region,
            **({"role": self.place.role} if self.place.role else {}),
            "stack": {"name": self.intent.stack, "status": stack.status if stack else None},
            "changes": [one.to_json() for one in self.intent.changes],
            "drift": [one.to_json() for one in self.drifts],
            "missing": [str(one) for one in self.presence.missing],
            "otherwise": [str(one) for one in self.presence.otherwise],
            "advice": [str(one) for one in self.presence.advice],
            "assumed": [str(one) for one in self.assumptions],
            "room": self.room.to_json() if self.room else None,
            "no_room": [str(one) for one in room.problems(self.room)],
        }


def plan(
    config: ConfigArgument = DEFAULT,
    check: Annotated[
        bool, typer.Option("--check", help="Exit code 1 when anything would change or has drifted.")
    ] = False,
    region: RegionOption = None,
    bucket: BucketOption = None,
    kms_key: KeyOption = None,
    architecture: ArchitectureOption = None,
    json: JsonOption = False,
) -> None:
    """What deploying would change on the account, what was changed there by hand, and what sereno.yaml names that is
    not there, in each region of the service. Reads only. Exit code 1 when something that it names is missing, or when
    the account has no room for the concurrency that Sereno's own functions reserve."""
    with _looked(config, region, bucket, _chosen(kms_key, architecture)) as looks:
        if json:
            told = [one.to_json() for one in looks]
            as_json(told[0] if len(told) == 1 else {"service": told[0]["service"], "regions": told})
        else:
            for number, one in enumerate(looks):
                _show(one, assumptions=number == 0)
        if any(one.presence.missing or room.problems(one.room) or (check and not one.clean) for one in looks):
            raise typer.Exit(1)


def deploy(
    config: ConfigArgument = DEFAULT,
    region: RegionOption = None,
    bucket: BucketOption = None,
    kms_key: KeyOption = None,
    architecture: ArchitectureOption = None,
    revert_drift: Annotated[
        bool, typer.Option("--revert-drift", help="Also set back what was changed by hand.")
    ] = False,
    role_arn: RoleOption = None,
    yes: YesOption = False,
    auto_from_the_start: Annotated[
        bool, typer.Option("--auto-from-the-start", help="Let a first deployment act by itself at once.")
    ] = False,
) -> None:
    """Brings the watch to the account: packages, uploads, shows CloudFormation's change set, asks, carries it out. A
    first deployment only observes. Nothing to change is no error; a failure names its first cause. Two regions are
    deployed one after the other, the one that serves last; the first failure ends it."""
    with refusals(), _looked(config, region, bucket, _chosen(kms_key, architecture), role_arn) as looks:
        _nothing_missing(config, looks)
        for one in looks:
            _may_change(one)
            _observes_first(config, one, auto_from_the_start)
            _has_room(one, several=len(looks) > 1)
        through("Deploying to", [(one.place, partial(_deploy, one, yes, revert_drift=revert_drift)) for one in looks])


def _deploy(found: Look, yes: bool, *, revert_drift: bool) -> None:
    seen = _ready(found, yes)
    _bucket(seen, yes)
    _announce(rollout.upload(seen.aws, seen.intent))
    _carry_out(_room_for_moves(seen, yes), yes, revert_drift=revert_drift)


def _nothing_missing(config: Path, looks: Sequence[Look]) -> None:
    """Raises InvalidInput with all that is missing in any region."""
    several = len(looks) > 1
    found = [
        Problem(f"{one.place.region}: {problem.path}", problem.value, problem.mend) if several else problem
        for one in looks
        for problem in one.presence.missing
    ]
    if found:
        raise InvalidInput(config.name, found)


def _may_change(seen: Look) -> None:
    there = seen.intent.deployed
    advice = states.advice(there.status if there else None)
    if advice.way in (states.Way.WAIT, states.Way.REFUSE):
        where = f"{seen.place}: " if seen.place.role else ""
        raise Refused(f"{where}{advice.why}")


def _observes_first(config: Path, seen: Look, auto_from_the_start: bool) -> None:
    intent = seen.intent
    acts = seen.place.role != places.WITNESS and rollout.in_auto(intent.service)
    if intent.creates and not auto_from_the_start and acts:
        raise Refused(
            f"a first deployment observes: set mode: observe in {config} (now auto: {', '.join(acts)}), look "
            "for a while at what it would have done, and promote one remediator after the other (sereno mode). "
            "To let it act at once all the same: --auto-from-the-start"
        )


def _has_room(seen: Look, *, several: bool) -> None:
    if found := room.problems(seen.room):
        raise InvalidInput(f"sereno deploy, {seen.place}" if several else "sereno deploy", found)


def _chosen(kms_key: str | None, architecture: Architecture | None) -> dict[str, str]:
    given = {"KmsKeyArn": kms_key, "Architecture": architecture and str(architecture)}
    return {name: value for name, value in given.items() if value is not None}


@contextmanager
def _looked(
    config: Path,
    region: str | None,
    bucket: str | None,
    chosen: Mapping[str, str],
    role_arn: str | None = None,
) -> Iterator[tuple[Look, ...]]:
    """A look at each region, in the order of deploying, with the packages in a place that lasts as long."""
    found = places.of(configuration.compile_config(configuration.load(config)), region)
    places.check_bucket(found, bucket)
    with ExitStack() as held:
        yield tuple([held.enter_context(_built(config, one, bucket, chosen, role_arn)) for one in found])


@contextmanager
def _built(
    config: Path, place: Place, bucket: str | None, chosen: Mapping[str, str], role_arn: str | None
) -> Iterator[Look]:
    """The look at one region of the account, by its own clients."""
    service, aws = place.service, answering.aws_of(place.region)
    found = presence.look(aws, service)
    if any(one.path == "account" for one in found.missing):
        raise InvalidInput(config.name, list(found.missing))
    own = {name: places.key_in(place, value) if name == "KmsKeyArn" else value for name, value in chosen.items()}
    there = deployed.read(aws, names.stack(service))
    with tempfile.TemporaryDirectory() as folder:
        code = Path(folder) / "sereno.zip"
        house = registry.all_remediators()
        intent = rollout.intend(
            service, place.compiled, house, there, code, bucket=bucket, chosen=own, role_arn=role_arn
        )
        drifts = drift.look(aws, there) if there is not None and not intent.creates else []
        assumptions = assumed.read(config_yaml.text_of(config, config.name))
        spare = rollout.room_of(aws, intent)
        yield Look(place, aws, intent, tuple(drifts), found, spare, tuple(assumptions))


def _show(seen: Look, *, assumptions: bool) -> None:
    """`assumptions` are the file's, so they are told once."""
    console = screen(rows=True)
    intent = seen.intent
    status = f"is {intent.deployed.status}" if intent.deployed else "does not exist yet"
    console.print(f"Stack {intent.stack} in {seen.place} {status}.", soft_wrap=True)
    apply_show.problems(console, "Named in the configuration, and not there:", seen.presence.missing, "red")
    apply_show.problems(console, "There, but otherwise than declared:", seen.presence.otherwise, "yellow")
    apply_show.problems(console, "Well as it is, and could be better:", seen.presence.advice, "dim")
    if assumptions:
        apply_show.problems(console, "Assumed, and to be confirmed:", seen.assumptions, "yellow")
    apply_show.problems(console, "Deploying would fail for want of room:", room.problems(seen.room), "red")
    if seen.place.service.own_concurrency != "reserved":
        console.print(room.WEAKER, style="yellow", soft_wrap=True)
    apply_show.drifts(console, seen.drifts)
    apply_show.changes(console, intent.changes)
    if seen.clean and not seen.presence.missing:
        console.print("Nothing to change.")


def _ready(seen: Look, yes: bool) -> Look:
    """Brings a stack that a failure left to where a change set can begin."""
    aws, there = seen.aws, seen.intent.deployed
    advice = states.advice(there.status if there else None)
    console = screen()
    if there is None or advice.way in (states.Way.CREATE, states.Way.UPDATE):
        return seen
    console.print(advice.why[0].upper() + advice.why[1:] + ".", soft_wrap=True)
    if cause := rollout.why_it_failed(aws, there):
        console.print(f"What failed first: {cause}", markup=False, soft_wrap=True)
    if advice.way is states.Way.CONTINUE_ROLLBACK:
        _ask("Let the rollback go on?", yes)
        rollout.continue_rollback(aws, there, apply_show.tell(console), role_arn=seen.intent.role_arn)
    else:
        _ask("Delete the remains? (The ledger stays.)", yes)
        removal.delete_stack(aws, there, apply_show.tell(console), role_arn=seen.intent.role_arn)
    again = deployed.read(aws, seen.intent.stack)
    return replace(seen, intent=rollout.again(seen.intent, again))


def _bucket(seen: Look, yes: bool) -> None:
    """The bucket is there, or is made."""
    aws, intent, service = seen.aws, seen.intent, seen.place.service
    if artifacts.check(aws, intent.bucket, service.account, service.region):
        return
    if intent.bucket != artifacts.bucket_name(service.account, service.region):
        raise Refused(f"there is no bucket {intent.bucket} (without --bucket, deploy makes one)")
    _ask(f"Make the bucket {intent.bucket} for code and templates (stack {artifacts.STACK})?", yes)
    rollout.make_bucket(aws, service, apply_show.tell(screen()), role_arn=intent.role_arn)


def _announce(sent: int) -> None:
    screen().print(f"Uploaded {counted(sent, 'file')}." if sent else "Code and templates are uploaded already.")


def _room_for_moves(seen: Look, yes: bool) -> Look:
    """Alarms that move to a nested stack are deleted first: their names must be free."""
    aws, intent, going = seen.aws, seen.intent, rollout.moved(seen.intent)
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


def _carry_out(seen: Look, yes: bool, *, revert_drift: bool) -> None:
    """The change set: made, shown, asked for, carried out."""
    aws, intent, console = seen.aws, seen.intent, screen()
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
    if made.imported:
        apply_show.imported(console, made.imported, retained.differences(client, intent.stack, made.imported))
    if seen.place.role != places.WITNESS:
        _seed_limits(seen)
    outputs = (deployed.describe(client, intent.stack) or {}).get("Outputs", [])
    for one in outputs:
        if one["OutputKey"] == "DashboardUrl":
            console.print(f"Dashboard: {one['OutputValue']}", soft_wrap=True)


def _seed_limits(seen: Look) -> None:
    """Notes what AWS allows the account, so that the first remediation knows it. Without the right to, the reconciler
    does it within ten minutes."""
    try:
        limits.seed(seen.aws, seen.place.service, now())
    except (ClientError, BotoCoreError) as error:
        why = error.response["Error"]["Code"] if isinstance(error, ClientError) else type(error).__name__
        screen().print(f"The account's limits are read by the reconciler, not now ({why}).", soft_wrap=True)


def _ask(question: str, yes: bool) -> None:
    """Raises Refused unless a person says yes. Without a terminal nobody is there to say so."""
    if not yes and not typer.confirm(question):
        raise Declined
