"""The way from a configuration to a stack: what is intended, what must be there first, and the carrying out.

Nothing asks a person here and nothing is printed: `console.apply` does both.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from deploy import package, synth
from deploy.apply import artifacts, change_set, retained, room, states
from deploy.apply.change_set import ChangeSet, Hear, Sleep, Wanted, as_role
from deploy.apply.deployed import STACK, Deployed, describe
from deploy.apply.difference import MOVED, Change, changes
from deploy.apply.failure import Failure, first
from deploy.apply.room import Room
from deploy.synth import names
from deploy.synth.split import PREFIX, Bundle
from sereno.errors import InvalidInput, Problem, Refused, SerenoError
from sereno.model import Json, Mode
from sereno.ports import Aws, Remediator
from sereno.service import Service

# What a person may choose for a stack; what is not chosen stays as it is.
CHOICES = ("KmsKeyArn", "Architecture", "Tracing")


class Failed(SerenoError):
    """A stack operation failed. Its text is the first cause with its mend, not the last line of a rollback."""

    def __init__(self, stack: str, status: str, failure: Failure | None) -> None:
        self.status = status
        self.failure = failure
        cause = str(failure) if failure else "CloudFormation names no cause; look at the stack's events"
        super().__init__(f"{stack} is {status}.\n{cause}")


@dataclass(frozen=True, slots=True)
class Intent:
    """What a deployment wants: the templates, the code, where both lie, the parameters' values, and what would change
    against what is deployed."""

    service: Service
    bundle: Bundle
    code: Path
    bucket: str
    parameters: Mapping[str, str]
    deployed: Deployed | None
    changes: tuple[Change, ...]
    role_arn: str | None = None

    @property
    def stack(self) -> str:
        """The name of the stack."""
        return names.stack(self.service)

    @property
    def creates(self) -> bool:
        """Whether the stack is new."""
        return self.deployed is None or states.advice(self.deployed.status).way is not states.Way.UPDATE


def intend(
    service: Service,
    compiled: Json,
    remediators: Mapping[str, Remediator],
    deployed: Deployed | None,
    code: Path,
    *,
    bucket: str | None = None,
    chosen: Mapping[str, str] | None = None,
    role_arn: str | None = None,
) -> Intent:
    """What deploying this configuration means. Builds the package to `code`; calls nothing on AWS.

    `role_arn` is the service role with which CloudFormation acts. `bucket` is the one given, else the one deployed
    from, else Sereno's own. `chosen` are values of `CHOICES`. Raises InvalidInput for what cannot be synthesised, and
    for an interpreter that is no Lambda runtime.
    """
    bundle = synth.bundle(service, compiled, remediators=remediators)
    _check_runtime(bundle.root)
    package.build(code, compiled, remediators=remediators)
    before = dict(deployed.parameters) if deployed else {}
    where = bucket or before.get("CodeBucket") or artifacts.bucket_name(service.account, service.region)
    kept = {name: before[name] for name in CHOICES if name in before}
    parameters = {
        **kept,
        **(chosen or {}),
        "CodeBucket": where,
        "CodeKey": artifacts.code_key(service, code),
        "Runtime": package.runtime(),
    }
    if bundle.nested:
        parameters[PREFIX] = artifacts.prefix(service)
    return Intent(
        service=service,
        bundle=bundle,
        code=code,
        bucket=where,
        parameters=parameters,
        deployed=deployed,
        changes=tuple(changes(deployed, bundle, parameters)),
        role_arn=role_arn,
    )


def again(intent: Intent, deployed: Deployed | None) -> Intent:
    """The same intent after the stack has become another: it is gone, or its rollback has gone on."""
    new = changes(deployed, intent.bundle, intent.parameters)
    return replace(intent, deployed=deployed, changes=tuple(new))


def _check_runtime(root: Json) -> None:
    known = root["Parameters"]["Runtime"]["AllowedValues"]
    if package.runtime() not in known:
        mend = f"is no Lambda runtime (run the command with one of: {', '.join(known)})"
        raise InvalidInput("sereno deploy", [Problem("this Python", package.runtime(), mend)])


def in_auto(service: Service) -> list[str]:
    """The *whats* whose play may act by itself."""
    return [what for what, play in service.playbook.items() if play.mode is Mode.AUTO]


def room_of(aws: Aws, intent: Intent) -> Room | None:
    """Whether the account has the concurrency that Sereno's own functions would reserve; None where they reserve
    none."""
    updates = intent.deployed is not None and not intent.creates
    before = room.wanted(intent.deployed.template) if intent.deployed is not None and updates else {}
    return room.read(aws, intent.bundle.root, before)


def moved(intent: Intent) -> list[Change]:
    """Alarms that would go from one stack to another. CloudFormation makes before it deletes, so their names would
    be taken: they must be deleted first."""
    return [one for one in intent.changes if one.what == MOVED]


def without_moved(intent: Intent) -> Json:
    """The deployed root template without the alarms that are to move, and without what depends on them: the first of
    the two deployments that a move takes. Only a root can be left: between nested stacks nothing ever moves unless
    their number changes, and then the nested stacks themselves go."""
    deployed = intent.deployed
    if deployed is None:
        return {}
    resources = deployed.template["Resources"]
    going = {one.logical_id for one in moved(intent)} | {
        logical_id for logical_id, one in resources.items() if one["Type"] == STACK
    }
    kept = {
        logical_id: one
        for logical_id, one in resources.items()
        if logical_id not in going and not going & set(one.get("DependsOn", ()))
    }
    return {**deployed.template, "Resources": kept}


def make_way(aws: Aws, intent: Intent, name: str, hear: Hear = lambda _: None, sleep: Sleep = time.sleep) -> None:
    """The first of the two deployments that a move takes: what is to move is deleted. Raises Failed."""
    deployed, service = intent.deployed, intent.service
    if deployed is None:
        return
    packed = synth.packed(without_moved(intent))
    key = artifacts.template_key(service, packed)
    artifacts.put(aws, intent.bucket, service.account, key, packed.encode())
    wanted = Wanted(
        stack=intent.stack,
        template_url=artifacts.url(intent.bucket, service.region, key),
        parameters=deployed.parameters,
        creates=False,
        nested=True,
        role_arn=intent.role_arn,
    )
    made = change_set.make(aws.client("cloudformation"), wanted, name, sleep)
    if not made.empty:
        carry_out(aws, intent, made, hear, sleep)


def make_bucket(
    aws: Aws,
    service: Service,
    hear: Hear = lambda _: None,
    sleep: Sleep = time.sleep,
    *,
    role_arn: str | None = None,
) -> str:
    """Makes Sereno's bucket of this account and region, by a little stack of its own. Raises Failed.

    It is called only while the bucket is not there. A stack that is there all the same (its first creation failed, or
    the bucket was deleted by hand, which no update brings back) is deleted first and made anew.
    """
    client = aws.client("cloudformation")
    template = synth.packed(artifacts.bootstrap(service.account, service.region))
    if remains := describe(client, artifacts.STACK):
        if states.advice(remains["StackStatus"]).way is states.Way.WAIT:
            raise Refused(f"{artifacts.STACK}: {states.advice(remains['StackStatus']).why}")
        _delete_remains(client, remains["StackId"], hear, sleep, as_role(role_arn))

    def begin() -> Any:
        return client.create_stack(StackName=artifacts.STACK, TemplateBody=template, **as_role(role_arn))

    status, heard = change_set.watch(client, artifacts.STACK, begin, hear, sleep)
    if not states.well(status):
        raise Failed(artifacts.STACK, status, first(heard))
    return artifacts.bucket_name(service.account, service.region)


def _delete_remains(client: Any, stack_id: str, hear: Hear, sleep: Sleep, role: Json) -> None:
    """Deletes a stack that holds nothing any more. Raises Failed."""

    def begin() -> Any:
        return client.delete_stack(StackName=stack_id, **role)

    gone = "DELETE_COMPLETE"
    to_its_end(client, (artifacts.STACK, stack_id), begin, lambda status: status == gone, hear, sleep)


def upload(aws: Aws, intent: Intent) -> int:
    """Puts code and templates into the bucket; how many of them were not there yet."""
    service = intent.service
    files = {
        intent.parameters["CodeKey"]: intent.code.read_bytes(),
        artifacts.template_key(service, intent.bundle.packed): intent.bundle.packed.encode(),
        **{
            artifacts.prefix(service) + intent.bundle.files[name]: synth.packed(template).encode()
            for name, template in intent.bundle.nested.items()
        },
    }
    return artifacts.put_all(aws, intent.bucket, service.account, files)


def propose(
    aws: Aws, intent: Intent, name: str, *, reverts_drift: bool = False, sleep: Sleep = time.sleep
) -> ChangeSet:
    """The change set of an intent whose files are uploaded. What an earlier stack left is taken over.
    `reverts_drift` also sets back what was changed by hand."""
    key = artifacts.template_key(intent.service, intent.bundle.packed)
    wanted = Wanted(
        stack=intent.stack,
        template_url=artifacts.url(intent.bucket, intent.service.region, key),
        parameters=intent.parameters,
        creates=intent.creates,
        imports=bool(retained.left_behind(aws, intent.bundle.root, None if intent.creates else intent.deployed)),
        nested=bool(intent.bundle.nested),
        reverts_drift=reverts_drift and not intent.creates,
        tags={"sereno:service": intent.service.name},
        role_arn=intent.role_arn,
    )
    return change_set.make(aws.client("cloudformation"), wanted, name, sleep=sleep)


def carry_out(
    aws: Aws, intent: Intent, made: ChangeSet, hear: Hear = lambda _: None, sleep: Sleep = time.sleep
) -> str:
    """Executes a change set and watches it to its end. The final status. Raises Failed with the first cause."""
    client = aws.client("cloudformation")

    def begin() -> object:
        return client.execute_change_set(ChangeSetName=made.id)

    return to_its_end(client, (intent.stack, made.stack_id), begin, states.well, hear, sleep)


def continue_rollback(
    aws: Aws,
    deployed: Deployed,
    hear: Hear = lambda _: None,
    sleep: Sleep = time.sleep,
    *,
    role_arn: str | None = None,
) -> None:
    """Lets a stack that hangs in a failed rollback go on. Raises Failed when it hangs again."""
    client = aws.client("cloudformation")

    def begin() -> object:
        return client.continue_update_rollback(StackName=deployed.id, **as_role(role_arn))

    wanted = "UPDATE_ROLLBACK_COMPLETE"
    to_its_end(client, (deployed.name, deployed.id), begin, lambda status: status == wanted, hear, sleep)


def to_its_end(
    client: Any,
    stack: tuple[str, str],
    begin: Callable[[], object],
    well: Callable[[str], bool],
    hear: Hear,
    sleep: Sleep,
) -> str:
    """Begins an operation on a stack (its name and ARN) and watches it. The final status. Raises Failed, with the
    first cause, when that is not `well`."""
    name, ident = stack
    status, heard = change_set.watch(client, ident, begin, hear, sleep)
    if not well(status):
        raise Failed(name, status, first(heard))
    return status


def why_it_failed(aws: Aws, deployed: Deployed) -> Failure | None:
    """The first cause of the stack's last operation."""
    found = change_set.last_operation(change_set.events(aws.client("cloudformation"), deployed.id))
    return first(found)


def ledger_exists(aws: Aws, service: Service) -> bool:
    """Whether the ledger's table is there already."""
    client = aws.client("dynamodb")
    try:
        client.describe_table(TableName=names.ledger(service))
    except client.exceptions.ResourceNotFoundException:
        return False
    return True
