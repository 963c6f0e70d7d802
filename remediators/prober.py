"""The eyes of a watch: every five seconds the regions are tried as a customer would.

The same function lives in three regions. In the witness region it tries the primary and leaves word in the standby's
ledger; in the primary it leaves a sign of life there, and a canary in the table that is replicated; in the standby it
tries all, folds what it sees with what the others say, and starts `fail_over` when two vantages agree. It never asks
anything of the primary but what a customer asks.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from remediators import evidence, flow, partitions, region_round
from remediators.actions import _switch
from remediators.evidence import Moved, Rows, Word
from remediators.eyes import Eyes, HttpEyes, Look
from remediators.handler import invocation
from remediators.watch import Watch
from sereno import recovery, serving
from sereno.errors import LedgerUnavailable
from sereno.model import Json, Target
from sereno.ports import Permission
from sereno.recovery import PROBE_EVERY_S, Evidence, Sighting, View, Witness
from sereno.service import REGION_OUT, Recovery

# What the primary's prober writes and the standby's reads, and the other way round.
CANARY, CANARY_BACK = "sereno-canary", "sereno-canary-back"
# In a minute: the last try begins at 55 s, and the next minute's invocation finds this one ended.
TRIES = 12
RUNS_S = PROBE_EVERY_S * TRIES - 2.0
PRIMARY_SEEN, STANDBY_SEEN, CUSTOMERS = "primary", "standby", "customers"
SWITCH_SEEN, HOLD_SEEN, READABLE_SEEN = "switch", "hold", "readable"

_CANARY_TABLE = "arn:{partition}:dynamodb:{region}:{account}:table/{canary}"


def _only(item: str) -> Json:
    """Of the table one item, and no other. ForAllValues holds when the key is absent, so the key must be present."""
    return {"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": [item]}, "Null": {"dynamodb:LeadingKeys": "false"}}


WITNESS: tuple[Permission, ...] = partitions.may_put(evidence.place(Witness.THIRD), ledger=partitions.STANDBY_LEDGER)
"""What the prober of the witness region may do: leave word, in its own name."""

PRIMARY: tuple[Permission, ...] = (
    *partitions.may_put(
        evidence.place(Witness.HEARTBEAT), evidence.place(evidence.BACK), ledger=partitions.STANDBY_LEDGER
    ),
    Permission("dynamodb.get_item", partitions.STANDBY_LEDGER),
    Permission("dynamodb.put_item", _CANARY_TABLE, condition=_only(CANARY)),
    Permission("dynamodb.get_item", _CANARY_TABLE, condition=_only(CANARY_BACK)),
    *partitions.may_put(partitions.EVIDENCE),
    Permission("dynamodb.query", partitions.LEDGER),
    Permission("dynamodb.batch_get_item", partitions.LEDGER),
)
"""What the prober of the primary may do: leave a sign of life and the canary, tell of the other canary, and note whom
customers reach."""

STANDBY: tuple[Permission, ...] = (
    *partitions.may_put(partitions.EVIDENCE),
    *partitions.may_delete(partitions.ASK),
    Permission("dynamodb.get_item", _CANARY_TABLE, condition=_only(CANARY)),
    Permission("dynamodb.put_item", _CANARY_TABLE, condition=_only(CANARY_BACK)),
)
"""What the prober of the standby may do beside what `fail_over` and the ledger need."""


@dataclass(frozen=True, slots=True)
class _Seen:
    """What one try has seen."""

    looks: Mapping[str, Look]
    rows: Rows


def try_once(watch: Watch, eyes: Eyes) -> Evidence | None:
    """One try of this region's prober; the evidence as noted (None where none is kept, or the ledger is away).

    Never raises what AWS raises: the next try is five seconds away. Raises ValueError where the service has no
    recovery.
    """
    wanted = watch.service.recovery
    if wanted is None:
        raise ValueError(f"{watch.service.name} has no recovery: in its sereno.yaml")
    try:
        if watch.service.is_standby:
            return _in_standby(watch, wanted, eyes)
        if watch.service.region == wanted.primary:
            return _in_primary(watch, wanted, eyes)
        _in_witness(watch, wanted, eyes)
    except (ClientError, BotoCoreError, LedgerUnavailable, ValueError, KeyError) as error:
        watch.telemetry.log("warning", "a try was lost", error=f"{type(error).__name__}: {error}")
        watch.telemetry.count("ProbeFailed")
    return None


def _in_witness(watch: Watch, wanted: Recovery, eyes: Eyes) -> None:
    looks = eyes.look_all({PRIMARY_SEEN: (wanted.urls[wanted.primary], wanted.paths), **_open_object(watch, wanted)})
    look = looks[PRIMARY_SEEN]
    _publish(watch, wanted.primary, Witness.THIRD, look)
    _leave_word(watch, wanted, Witness.THIRD, Word(_number(watch), look.ok, look.detail, _readable(looks)))


def _open_object(watch: Watch, wanted: Recovery) -> dict[str, tuple[str, Sequence[str]]]:
    """The public object that is always there: what hides it would hide the switch too. It is asked for as Route 53's
    checkers ask."""
    return {READABLE_SEEN: (wanted.bucket_url, (f"/{watch.service.name}/switch-readable",))} if wanted.bucket else {}


def _readable(looks: Mapping[str, Look]) -> bool | None:
    """Whether it was read from here; None where there is none."""
    look = looks.get(READABLE_SEEN)
    return None if look is None else look.has(serving.READABLE_WORD) is True


def _in_primary(watch: Watch, wanted: Recovery, eyes: Eyes) -> Evidence:
    """The sign of life comes first: what is slow afterwards must not make it late."""
    region, number = "", 0
    try:
        _leave_word(watch, wanted, Witness.HEARTBEAT, Word(_number(watch), None))
        region, number = evidence.who_serves(watch.aws.client("dynamodb", wanted.standby), watch.service)
    except (ClientError, BotoCoreError) as error:
        watch.telemetry.log("warning", "the standby cannot be told", error=str(error))
    _write_canary(watch, wanted, CANARY)
    looks = eyes.look_all({CUSTOMERS: (wanted.url, wanted.paths[:1]), **_open_object(watch, wanted)})
    look = looks[CUSTOMERS]
    _tell_of_the_way_back(watch, wanted, _readable(looks))
    rows = evidence.read(watch.aws.client("dynamodb"), watch.service)
    now = watch.clock.now()
    new = number != rows.heard.get(STANDBY_SEEN, 0)
    found = recovery.noted(rows.evidence, now, primary={}, standby=Sighting(now, new, "" if new else "silent"))
    route = serving.told(found, now, wanted, region if new else "")
    if route and route != found.sent:
        # The standby has waited for DNS already.
        found = replace(found, sent=route, sent_since=now, serving=route, serving_since=now)
    found = serving.reached(found, wanted, named=look.region, answers=look.ok)
    heard = {**rows.heard, STANDBY_SEEN: number or rows.heard.get(STANDBY_SEEN, 0)}
    evidence.write(watch.aws.client("dynamodb"), watch.service, found, heard, rows.canary)
    return found


def _leave_word(watch: Watch, wanted: Recovery, who: Witness, word: Word) -> None:
    evidence.tell(watch.aws.client("dynamodb", wanted.standby), watch.service, str(who), word)


def _number(watch: Watch) -> int:
    """Grows with each try of one prober. It says that something is new, never when it was."""
    return int(watch.clock.now().timestamp() * 1000)


def _tell_of_the_way_back(watch: Watch, wanted: Recovery, readable: bool | None) -> None:
    """What the standby wrote last and has come here (so it knows how far this region's data is behind), and whether
    the switch's public object can be read from here."""
    arrived = _read_canary(watch, wanted, CANARY_BACK)
    if not arrived and readable is None:
        return
    word = Word(arrived, None, readable=readable)
    try:
        evidence.tell(watch.aws.client("dynamodb", wanted.standby), watch.service, evidence.BACK, word)
    except (ClientError, BotoCoreError) as error:
        watch.telemetry.log("warning", "the standby cannot be told", error=str(error))


def _write_canary(watch: Watch, wanted: Recovery, name: str) -> None:
    if wanted.canary is None:
        return
    table = watch.service.tables[wanted.canary].name
    row = {wanted.canary_key: {"S": name}, "written_ms": {"N": str(_number(watch))}}
    watch.aws.client("dynamodb").put_item(TableName=table, Item=row)


def _read_canary(watch: Watch, wanted: Recovery, name: str) -> int:
    """When the canary that this region has was written (epoch milliseconds, 0: there is none)."""
    if wanted.canary is None:
        return 0
    answer = watch.aws.client("dynamodb").get_item(
        TableName=watch.service.tables[wanted.canary].name, Key={wanted.canary_key: {"S": name}}
    )
    return int(answer["Item"]["written_ms"]["N"]) if "Item" in answer else 0


def _in_standby(watch: Watch, wanted: Recovery, eyes: Eyes) -> Evidence:
    places: dict[str, tuple[str, Sequence[str]]] = {
        PRIMARY_SEEN: (wanted.urls[wanted.primary], wanted.paths),
        STANDBY_SEEN: (wanted.urls[wanted.standby], wanted.paths),
        CUSTOMERS: (wanted.url, wanted.paths[:1]),
    }
    if wanted.bucket:
        # As Route 53 sees it: a switch that it cannot read sends nobody anywhere.
        places[SWITCH_SEEN] = (wanted.bucket_url, (f"/{watch.service.name}/primary-out",))
        places[HOLD_SEEN] = (wanted.bucket_url, (f"/{watch.service.name}/hold",))
        places |= _open_object(watch, wanted)
    looks = eyes.look_all(places)
    client = watch.aws.client("dynamodb")
    seen = _Seen(looks, evidence.read(client, watch.service))
    canary = _read_canary(watch, wanted, CANARY)
    _write_canary(watch, wanted, CANARY_BACK)
    found, heard = _fold(watch, wanted, seen, canary)
    evidence.write(client, watch.service, found, heard, max(canary, seen.rows.canary))
    _publish(watch, wanted.primary, Witness.STANDBY, looks[PRIMARY_SEEN])
    _publish(watch, wanted.standby, Witness.STANDBY, looks[STANDBY_SEEN])
    ready = recovery.standby_ready(found, found.at, watch.service.objectives.rpo_s)
    watch.telemetry.count("StandbyReady", 1 if ready.ok else 0)
    if found.hidden_from is not None:
        watch.telemetry.count("SwitchReadable", 0 if found.hidden_from else 1)
    if found.lag_s is not None:
        watch.telemetry.count("ReplicationDelay", found.lag_s)
        watch.telemetry.count("RpoNow", found.lag_s)
    took_s = serving.recovery_time(seen.rows.evidence, found, wanted)
    if took_s is not None:
        evidence.note_move(client, watch.service, Moved(found.at, took_s))
        watch.telemetry.count("RecoveryTime", took_s)
    behind = evidence.behind(seen.rows, found.at)
    if behind is not None:
        watch.telemetry.count("ReplicationDelayBack", behind)
    if wanted.strategy == "metric-switch":
        watch.telemetry.count("PrimaryOut", 1 if seen.rows.out else 0)
        watch.telemetry.count("PrimaryHeld", 1 if seen.rows.held else 0)
    _keep_hold(watch, wanted, found, seen)
    for asked in seen.rows.asks:
        region_round.answer(watch, asked)
    answer(watch, found)
    return found


def _fold(watch: Watch, wanted: Recovery, seen: _Seen, canary: int) -> tuple[Evidence, dict[str, int]]:
    """What is known now. What others wrote is dated by this clock, when it is first seen: theirs may be wrong."""
    now, before = watch.clock.now(), seen.rows.evidence
    look, own = seen.looks[PRIMARY_SEEN], seen.looks[STANDBY_SEEN]
    primary = {str(Witness.STANDBY): Sighting(now, look.ok, look.detail)}
    heard = dict(seen.rows.heard)
    beats = False
    for name, word in seen.rows.words.items():
        new = word.number != heard.get(name)
        heard[name] = word.number
        if name == Witness.HEARTBEAT:
            beats = new
            primary[name] = Sighting(now, new, "" if new else "silent")
        elif new and word.ok is not None and name in set(map(str, Witness)):
            primary[name] = Sighting(now, word.ok, word.detail)
    found = recovery.noted(before, now, primary=primary, standby=Sighting(now, own.ok, own.detail))
    customers = seen.looks[CUSTOMERS]
    route = _route(seen, wanted)
    if route.out:
        route = replace(route, gives_back=serving.gives_back(found, now, held=_held(seen, wanted)))
    found = serving.sent(found, wanted, route)
    found = serving.reached(found, wanted, named=customers.region, answers=customers.ok)
    found = replace(found, hidden_from=_hidden_from(seen))
    # While the primary is out, or its prober, nothing new is written there, and the delay stays what it was.
    if canary and (canary != seen.rows.canary or beats or _cut_off(found, now)):
        found = replace(found, lag_s=max(0.0, now.timestamp() - canary / 1000))
    return found, heard


def _route(seen: _Seen, wanted: Recovery) -> serving.Route:
    """Where the switch and the records send customers, as they were read last."""
    if wanted.strategy == "metric-switch":
        return serving.Route(seen.rows.out, seen.rows.share)
    if not wanted.bucket:
        return serving.Route(False, seen.rows.share)
    return serving.Route(seen.looks[SWITCH_SEEN].has(serving.OUT_WORD), seen.rows.share)


def _hidden_from(seen: _Seen) -> tuple[str, ...] | None:
    """The probe locations that cannot read the switch's public object. Who has said nothing new since the last probe
    is not asked."""
    own = _readable(seen.looks)
    if own is None:
        return None
    read = {str(Witness.STANDBY): own}
    for name, beat in ((str(Witness.THIRD), str(Witness.THIRD)), (evidence.BACK, str(Witness.HEARTBEAT))):
        word, last = seen.rows.words.get(name), seen.rows.words.get(beat)
        if word and last and last.number != seen.rows.heard.get(beat) and word.readable is not None:
            read["primary" if name == evidence.BACK else name] = word.readable
    return tuple(name for name, readable in sorted(read.items()) if not readable)


def _held(seen: _Seen, wanted: Recovery) -> bool | None:
    """Whether the hold is set, as Route 53 sees it. None where it could not be read."""
    return seen.looks[HOLD_SEEN].has(serving.HOLD_WORD) if wanted.bucket else seen.rows.held


def _keep_hold(watch: Watch, wanted: Recovery, known: Evidence, seen: _Seen) -> None:
    """Sets and releases the hold, as the witnesses see the primary. What fails is tried again with the next probe."""
    if wanted.strategy == "weighted":
        return
    service = watch.service
    change = serving.hold(known, known.at, out=_route(seen, wanted).out, held=_held(seen, wanted))
    if change is None:
        return
    put, away = _switch.hold_calls(service)
    call = put if change else away
    try:
        writers = [
            Target("writer", service.functions[key].name, wanted.primary, service.account) for key in wanted.fence
        ]
        if not change and writers and watch.ledger.held(target.key for target in writers):
            return  # what is fenced answers nobody yet
        getattr(watch.aws.client(call.service), call.operation)(**call.params)
    except (ClientError, BotoCoreError, LedgerUnavailable) as error:
        watch.telemetry.log("warning", "the hold could not be changed", error=f"{type(error).__name__}: {error}")


def _cut_off(known: Evidence, now: datetime) -> bool:
    """Whether the primary serves, and only the line from here to it is cut: then what customers write there does not
    come here, and the delay grows."""
    told = recovery.opinions(known, now)
    views = {name: one.view for name, one in told.items()}
    third = known.primary.get(str(Witness.THIRD), ())
    return (
        views.get(str(Witness.STANDBY)) is View.DOWN
        and views.get(str(Witness.HEARTBEAT)) is View.DOWN
        and views.get(str(Witness.THIRD)) is View.UP
        and third[-1].ok
    )


def answer(watch: Watch, known: Evidence) -> bool:
    """Starts `fail_over` when the primary is out and nobody is at it; whether something was started. The round does
    the same, should this prober die."""
    wanted = watch.service.recovery
    play = watch.service.playbook.get(REGION_OUT)
    if wanted is None or play is None or not play.first:
        return False
    now = watch.clock.now()
    out = recovery.still_out(known, now, wanted.confirm_s)
    if recovery.suspected(known, now):
        watch.telemetry.log("warning", "the primary is suspected", verdict=out.detail)
    if not out.ok:
        return False
    signal = recovery.outage(watch.service, known, now, out.detail)
    if watch.ledger.held([signal.target.key]):
        return False
    return any(flow.start_all(watch, signal, "fail_over"))


def _publish(watch: Watch, region: str, who: Witness, look: Look) -> None:
    watch.telemetry.count("Availability", 1 if look.ok else 0, region=region, **{"from": str(who)})
    for path, took in (look.latency_ms or {}).items():
        watch.telemetry.count("ProbeLatency", took, region=region, path=path)


def run(
    watch: Watch, eyes: Eyes, *, sleep: Callable[[float], None] = time.sleep, lasts_s: float = RUNS_S
) -> dict[str, int]:
    """Tries for most of a minute; how often."""
    began, tries = watch.clock.now(), 0
    while True:
        started = watch.clock.now()
        try_once(watch, eyes)
        tries += 1
        watch.telemetry.flush()
        now = watch.clock.now()
        left = PROBE_EVERY_S - (now - started).total_seconds()
        if (now - began).total_seconds() + max(left, 0) >= lasts_s or watch.time_left() < PROBE_EVERY_S * 1.5:
            break
        sleep(max(left, 0.2))
    watch.telemetry.count("ProbeCompleted")
    return {"tries": tries}


def handler(_event: Any, context: Any) -> Json:
    """The Lambda entry: a minute's tick."""
    with invocation(os.environ, context, "prober") as watch:
        return dict(run(watch, HttpEyes()))
