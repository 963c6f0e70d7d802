"""The Lambda entry of every remediator. Its environment names its one remediator; no other is imported.

SERENO_REMEDIATOR  raise_concurrency
SERENO_CONFIG      path of the compiled configuration
SERENO_LEDGER      name of the ledger's table
SERENO_TOPIC       ARN of the topic
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from remediators import init_phase  # isort: skip - it must come before all that is large

from remediators import flow, registry, settle
from remediators.clients import BotocoreAws
from remediators.ledger import Ledger
from remediators.outbox import Outbox
from remediators.telemetry import PowertoolsTelemetry, traced
from remediators.watch import SystemClock, Watch, plenty
from sereno.errors import MalformedEvent, SerenoError
from sereno.model import Json
from sereno.ports import Remediator
from sereno.service import Service
from sereno.signal import parse

NEEDED = ("SERENO_CONFIG", "SERENO_LEDGER", "SERENO_TOPIC")
_watches: dict[tuple[str, ...], Watch] = {}


def set_up(environment: Mapping[str, str]) -> Watch:
    """Everything an invocation works with, made once for a process: configuration, clients, logger, metrics.

    Raises SerenoError naming the variables that are missing.
    """
    missing = [name for name in NEEDED if not environment.get(name)]
    if missing:
        raise SerenoError(f"environment: {', '.join(missing)} not set")
    key = tuple(environment[name] for name in NEEDED)
    if key not in _watches:
        service = Service.from_json(json.loads(Path(environment["SERENO_CONFIG"]).read_text()))
        aws = BotocoreAws(service.region)
        _watches[key] = Watch(
            service=service,
            ledger=Ledger(aws.client("dynamodb"), environment["SERENO_LEDGER"], service.name),
            aws=aws,
            clock=SystemClock(),
            outbox=Outbox(aws.client("sns"), environment["SERENO_TOPIC"], service.name),
            telemetry=PowertoolsTelemetry(service.name),
        )
    return _watches[key]


def warm_up(environment: Mapping[str, str]) -> Watch:
    """`set_up`, and the remediator with the clients its calls need: all that a cold start must do."""
    watch = set_up(environment)
    for client in _clients(registry.load(environment["SERENO_REMEDIATOR"]), watch.service):
        watch.aws.client(client)
    return watch


def _clients(remediator: Remediator, service: Service) -> list[str]:
    """The AWS services that the remediator will ask."""
    found = {permission.operation.split(".")[0] for permission in remediator.permissions}
    if not any(function.provisioned for function in service.functions.values()):
        # Only provisioned concurrency has a scalable target; should one be declared, the client is made when used.
        found.discard("application-autoscaling")
    return sorted(found)


@contextmanager
def invocation(environment: Mapping[str, str], context: Any, name: str) -> Iterator[Watch]:
    """A watch for one invocation, traced when sampled; what was counted is written at its end."""
    left = getattr(context, "get_remaining_time_in_millis", None)
    watch = replace(
        set_up(environment),
        owner=str(getattr(context, "aws_request_id", "local")),
        time_left=(lambda: left() / 1000) if left else plenty,
    )
    try:
        with traced(environment, f"sereno.{name}"):
            yield watch
    finally:
        watch.telemetry.flush()


def handler(event: Any, context: Any) -> Json:
    """Starts the function's remediator on the event's signals.

    Raises MalformedEvent and LedgerUnavailable: Lambda tries again and then hands the event to the OnFailure queue.
    """
    name = os.environ.get("SERENO_REMEDIATOR")
    if not name:
        raise SerenoError("environment: SERENO_REMEDIATOR not set")
    with invocation(os.environ, context, name) as watch:
        if isinstance(event, Mapping) and event.get("sereno") == "self-test":
            from remediators import readiness  # not on the way of a signal

            return readiness.run(watch, name)
        try:
            signals = parse(event, watch.service)
        except MalformedEvent as error:
            watch.telemetry.log("error", "malformed event", error=str(error))
            watch.telemetry.count("MalformedEvent")
            raise
        started = [one for signal in signals for one in flow.answer(watch, signal, name)]
        settle.after(watch, started)
        return {"remediations": [_brief(one) for one in started]}


def _initialise(environment: Mapping[str, str]) -> None:
    """What Lambda's Init phase does for the function's first event."""
    # The round uses the same set-up and has no remediator of its own.
    (warm_up if environment.get("SERENO_REMEDIATOR") else set_up)(environment)
    init_phase.end()


def _brief(remediation: Any) -> Json:
    if remediation is None:
        return {"status": "DUPLICATE"}
    return {"id": remediation.id, "status": str(remediation.status), "reason": str(remediation.reason)}


if init_phase.RUNS:
    _initialise(os.environ)
