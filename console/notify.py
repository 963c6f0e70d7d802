"""`sereno notify test`: proves that people can be reached, end to end, before a night in which they must be."""

from __future__ import annotations

import json as json_text
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from botocore.exceptions import ClientError
from rich.text import Text

from console import answering
from console.operate import DEFAULT, ConfigOption, JsonOption
from console.show import as_json, screen
from deploy import config as configuration
from deploy.synth import names
from remediators.notifier import routing, subscriptions, trial
from remediators.notifier.escalation import own_channels
from sereno.errors import InvalidInput, Problem, Refused
from sereno.partition import partition
from sereno.ports import Aws
from sereno.service import Service

ChannelArgument = Annotated[
    str | None, typer.Argument(metavar="CHANNEL", help="One channel, such as slack; left out: all that are declared.")
]
MENDS = {
    subscriptions.PENDING: "unconfirmed: a new confirmation mail was sent; open the link in it within two days",
    subscriptions.GONE: "gone: subscribed again; open the link in the confirmation mail within two days",
}


def add_to(app: typer.Typer) -> None:
    """Puts the command on the app."""
    notify = typer.Typer(no_args_is_help=True)
    notify.command("test", short_help="Sends a test message through each channel.")(send)
    app.add_typer(notify, name="notify", help="Whether people can be reached.", short_help="Test notifications.")


def send(channel: ChannelArgument = None, config: ConfigOption = DEFAULT, json: JsonOption = False) -> None:
    """Sends a test message through each channel, by the notifier that is deployed: token, invitation, routing key,
    role and way out are proved. Email subscriptions that are unconfirmed or gone are subscribed again. Exit code 1: a
    channel does not work."""
    service = configuration.service(config)
    found = run(answering.aws_of(service.region), service, channel)
    if json:
        as_json([one.to_json() for one in found])
    else:
        for one in found:
            mark = Text("ok    ", style="green") if one.ok else Text("FAILED", style="bold red")
            screen().print(mark, Text(f" {one.channel}: {one.detail}"), soft_wrap=True)
    if not all(one.ok for one in found):
        raise typer.Exit(1)


def run(aws: Aws, service: Service, channel: str | None) -> list[trial.Result]:
    """The results by channel, and one for each address. Raises InvalidInput, Refused, ClientError, BotoCoreError."""
    declared = declared_by(service)
    if not declared:
        raise InvalidInput("sereno.yaml", [Problem("notifications", None, "declares no channel (see docs/slack.md)")])
    if channel is not None and channel not in declared:
        mend = f"is not declared (declared are {', '.join(declared)})"
        raise InvalidInput("sereno notify test", [Problem("CHANNEL", channel, mend)])
    wanted = [channel] if channel else list(declared)
    found = _sent(aws, service, wanted)
    return found + _addresses(aws, service, wanted)


def declared_by(service: Service) -> tuple[str, ...]:
    """Every channel that a configuration declares, the contacts' own among them."""
    own = own_channels(service.notices.escalation)
    return (*routing.channels(service.notices, service.emails), *own)


def _sent(aws: Aws, service: Service, wanted: Sequence[str]) -> list[trial.Result]:
    function = names.notifier(service)
    try:
        answer: Any = aws.client("lambda").invoke(
            FunctionName=function, Payload=json_text.dumps({"sereno": trial.EVENT, "channels": list(wanted)}).encode()
        )
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") == "ResourceNotFoundException":
            raise Refused(f"{function} is not there: deploy first (see: sereno plan)") from error
        raise
    body = json_text.loads(answer["Payload"].read())
    if answer.get("FunctionError"):
        raise Refused(f"{function} failed: {str(body.get('errorMessage', body))[:300]}")
    return [trial.Result(str(one["channel"]), bool(one["ok"]), str(one["detail"])) for one in body["channels"]]


def _addresses(aws: Aws, service: Service, wanted: Sequence[str]) -> list[trial.Result]:
    """The state of each address of the wanted channels; what is not confirmed is subscribed again."""
    owners = {
        email: contact
        for email, contact in service.addresses.items()
        if (f"{routing.EMAIL}:{contact}" if contact else routing.EMAIL) in wanted
    }
    if not owners:
        return []
    client = aws.client("sns")
    topic = f"arn:{partition(service.region)}:sns:{service.region}:{service.account}:{names.people(service)}"
    found = []
    for email, state in subscriptions.states(tuple(owners), subscriptions.read(client, topic)).items():
        if state != subscriptions.CONFIRMED:
            owner = owners[email]
            attributes = {"FilterPolicy": json_text.dumps({"contact": [owner]})} if owner else {}
            client.subscribe(TopicArn=topic, Protocol="email", Endpoint=email, Attributes=attributes)
        found.append(trial.Result(email, state == subscriptions.CONFIRMED, MENDS.get(state, "confirmed")))
    return found
