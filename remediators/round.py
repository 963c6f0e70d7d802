"""The round: once a minute the world is looked at again.

A lost, late or doubled event costs a minute and never the outcome. The round runs alone (reserved concurrency 1), its
timeout is shorter than a claim, and it stops before a deadline: what is left is due the next minute.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from remediators import (
    aftermath,
    demote,
    flow,
    incident_round,
    limits,
    parity,
    prewarm,
    region_round,
    region_settings,
)
from remediators.attempts import GRACE_S, again, attempt_number
from remediators.handler import invocation
from remediators.items import remediation_from
from remediators.ledger import VersionConflict
from remediators.tend import tend
from remediators.watch import MARGIN_S, Watch
from sereno import breaker, untrusted
from sereno.errors import MalformedEvent, SerenoError
from sereno.escape import shown
from sereno.guard import targets_of
from sereno.lifecycle import Remediation, remediation_id
from sereno.model import Json, Signal, Target, instant
from sereno.signal import alarm_signal

# What the schedule's rule and the stack's rule send.
TICK, STACK_CHANGE = "Scheduled Event", "CloudFormation Stack Status Change"
# https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-cfn-describing-stacks.html
STACK_BUSY = "_IN_PROGRESS"


class RoundIncomplete(SerenoError):
    """Some remediations could not be tended; all others were."""


def make(watch: Watch) -> Json:
    """One pass; what it did, for the log. Raises LedgerUnavailable when the ledger cannot be read at all, and
    RoundIncomplete at the end when a remediation could not be tended or started."""
    done: Json = {"tended": 0, "started": 0, "left": 0, "conflicts": 0, "failed": 0, "incidents": 0}
    followed: list[Remediation] = []
    wrong: set[str] = set()
    for row in watch.ledger.due(watch.clock.now()):
        if watch.time_left() < MARGIN_S:
            done["left"] += 1
            continue
        with _apart(watch, done, row.get("pk", {}).get("S", "")):
            remediation = remediation_from(row)
            if aftermath.follows(remediation):
                followed.append(remediation)
                continue
            after = tend(watch, remediation)
            done["tended"] += 1 if after else 0
            if after is not None and breaker.counts(after):
                wrong.add(after.remediator)
    red = _read_red(watch)
    _start_missed(watch, red or [], done)
    _prewarm(watch, done)
    if limits.is_turn(watch.service, watch.clock.now()):
        with _apart(watch, done, "the account's limits"):
            limits.refresh(watch)
    if region_settings.tells(watch.service) and parity.due(watch.clock.now()):
        region_settings.tell(watch)
    if watch.service.is_standby:
        with _apart(watch, done, "the other region"):
            done["started"] += region_round.tend(watch)
        if parity.due(watch.clock.now()):
            with _apart(watch, done, "parity"):
                parity.check(watch)
    if red is not None:
        names = frozenset(signal.name for signal in red)
        for remediation in followed:
            if watch.time_left() < MARGIN_S:
                done["left"] += 1
                continue
            with _apart(watch, done, remediation.id):
                aftermath.follow(watch, remediation, names)
        with _apart(watch, done, "the incidents"):
            done["incidents"] += incident_round.tend(watch, names)
    with _apart(watch, done, "demotion"):
        demote.check_all(watch, wrong)
    watch.telemetry.count("RoundCompleted")
    watch.telemetry.log("info", "round", **done)
    if done["failed"]:
        # Seen as an error of the function, which has its alarm.
        raise RoundIncomplete(f"{done['failed']} remediations could not be tended: see the log")
    return done


@contextmanager
def _apart(watch: Watch, done: Json, what: str) -> Iterator[None]:
    """One that cannot be tended must not keep the others from it."""
    try:
        yield
    except VersionConflict:
        done["conflicts"] += 1
    except Exception as error:
        done["failed"] += 1
        watch.telemetry.log("error", "could not tend", id=what, error=f"{type(error).__name__}: {error}")


def _read_red(watch: Watch) -> list[Signal] | None:
    """The alarms in ALARM, as signals; None when they could not be read."""
    try:
        return list(_red(watch))
    except (ClientError, BotoCoreError) as error:
        watch.telemetry.log("warning", "could not read the alarms", error=str(error))
        watch.telemetry.count("LookFailed", remediator="round")
        return None


def _start_missed(watch: Watch, red: list[Signal], done: Json) -> None:
    """Alarms still in ALARM of which nothing is known, or whose refusal may have passed."""
    missed: list[tuple[Signal, str, Target]] = []
    for signal in red:
        play = watch.service.playbook.get(signal.what)
        for name in play.first if play else ():
            with _apart(watch, done, f"{name} for {signal.name}"):
                missed += _due(watch, signal, name)
    with _apart(watch, done, "the targets of red alarms"):
        # One read for all of them: most belong to a surge that is being tended already.
        held = watch.ledger.held(target.key for _, _, target in missed)
        for signal, name, target in missed:
            if target.key in held or watch.time_left() < MARGIN_S:
                continue
            with _apart(watch, done, f"{name} for {signal.name}"):
                if watch.ledger.get(remediation_id(signal, name, target)) is None:
                    done["started"] += 1 if flow.start(watch, signal, name, target) else 0
                    held |= watch.ledger.held([target.key])


def _due(watch: Watch, signal: Signal, name: str) -> list[tuple[Signal, str, Target]]:
    """What this minute is due of a red alarm: its signal as the attempt has it, and on which targets."""
    age_s = (watch.clock.now() - signal.at).total_seconds()
    if age_s < GRACE_S:
        return []  # its event may still arrive
    attempt = attempt_number(age_s)
    signal = again(signal, attempt) if attempt else signal
    return [(signal, name, target) for target in targets_of(watch.load(name).kind, signal, watch.service)]


def _prewarm(watch: Watch, done: Json) -> None:
    """What must be ready for the planned events of this moment."""
    for signal, name, target in prewarm.wanted(watch):
        if watch.time_left() < MARGIN_S:
            done["left"] += 1
            continue
        with _apart(watch, done, f"{name} on {target.name} for {signal.name}"):
            done["started"] += prewarm.start(watch, signal, name, target)


def _red(watch: Watch) -> Iterator[Signal]:
    client = watch.aws.client("cloudwatch")
    kinds = ["MetricAlarm", "CompositeAlarm"]
    queries: list[Json] = [{"AlarmNamePrefix": f"{watch.service.name}/"}]
    bound = sorted(watch.service.bindings)
    queries += [{"AlarmNames": bound[start : start + 100]} for start in range(0, len(bound), 100)]
    for query in queries:
        token: Json = {}
        while True:
            answer = client.describe_alarms(StateValue="ALARM", AlarmTypes=kinds, **query, **token)
            for alarm in (*answer.get("MetricAlarms", ()), *answer.get("CompositeAlarms", ())):
                if alarm["StateValue"] == "ALARM":
                    yield _signal(watch, alarm)
            if not answer.get("NextToken"):
                break
            token = {"NextToken": answer["NextToken"]}


def _signal(watch: Watch, alarm: Mapping[str, Any]) -> Signal:
    at: datetime = alarm.get("StateTransitionedTimestamp") or alarm["StateUpdatedTimestamp"]
    return alarm_signal(
        watch.service,
        arn=alarm["AlarmArn"],
        name=alarm["AlarmName"],
        state=alarm["StateValue"],
        previous="",
        at=at,
        reason=alarm.get("StateReason", ""),
        muted=bool(alarm.get("ActionsSuppressedBy")),
        source="round",
    )


def note_change(watch: Watch, event: Mapping[str, Any]) -> None:
    """A CloudFormation stack's status change: no remediation of its resources while it is in progress.

    Raises MalformedEvent.
    """
    detail = event.get("detail")
    stack_id = detail.get("stack-id", "") if isinstance(detail, Mapping) else ""
    parts, at = str(stack_id).split("/"), _time_of(event)
    details = detail.get("status-details", {}) if isinstance(detail, Mapping) else {}
    status = details.get("status", "") if isinstance(details, Mapping) else ""
    if len(parts) < 2 or not isinstance(status, str) or not status:
        raise MalformedEvent(f"event.detail: no stack-id and status of a stack in {shown(detail)[:60]!r}")
    if parts[1] != watch.service.stack:
        return
    if status.endswith(STACK_BUSY):
        watch.ledger.mark_change(parts[1], at, status)
    else:
        watch.ledger.clear_change(parts[1], at, status)


def _time_of(event: Mapping[str, Any]) -> datetime:
    try:
        return instant(str(event.get("time")))
    except ValueError as error:
        raise MalformedEvent(f"event.time: {shown(event.get('time'))!r} is not a time with a zone") from error


def handler(event: Any, context: Any) -> Json:
    """The Lambda entry of the round: the schedule's tick, or a stack's status change. Raises MalformedEvent."""
    with invocation(os.environ, context, "round") as watch:
        untrusted.check(event)
        if not isinstance(event, Mapping):
            raise MalformedEvent(f"event: expected an object, got {shown(event)}")
        kind = event.get("detail-type", TICK)
        if kind == STACK_CHANGE:
            note_change(watch, event)
            return {"noted": True}
        if kind != TICK:
            raise MalformedEvent(f"event.detail-type: {shown(kind)!r} is neither {TICK} nor {STACK_CHANGE}")
        return make(watch)
