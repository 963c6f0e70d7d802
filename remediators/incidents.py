"""The incidents' part of the ledger, and what the round does for them.

    I#<incident> INCIDENT   the incident as it stands; `open` puts it into the index, in a partition of its own
    I#<incident> E#<number> its history: who took it, when it was mitigated, resolved, opened again
    J#<month>    <time>#<incident>  a pointer for listing
    G#<group>    CURRENT    the incident that a part of the service has at this moment

The first signal of a part of the service opens an incident, and every later one joins it until it is resolved: one
conditional write decides, so two Lambdas that wake at once agree. Joining is a write of its own outside admission's
transaction, so that a storm on one part is not serialised by its incident's row.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from remediators import items
from remediators.reading import pages, read_many
from sereno import planned
from sereno.errors import LedgerUnavailable, Refused
from sereno.incident import Incident, Stage, group_of
from sereno.lifecycle import Remediation, incident_id
from sereno.model import Event, Json, Signal, iso
from sereno.service import Service

# A part of the service whose incident nobody closed, because no round ran, begins a new one after this long.
FORGOTTEN = timedelta(hours=24)
# What the ids of remediations that page people have in them, as `remediation_id` makes them.
PAGING = "-open-incident-"
# The attributes in which a request of a person waits for the reconciler, in the order in which they are carried out.
ASKED: Mapping[str, str] = {"ack": "ask_ack", "mute": "ask_mute", "resolve": "ask_resolve"}
# How many months are looked through for the newest, a query each.
MONTHS = 3


@dataclass(frozen=True, slots=True)
class Thread:
    """Which incident a signal belongs to, and why."""

    incident: str
    group: str
    why: str


class IncidentBook:
    """Reads and writes incidents. `client` is a DynamoDB client. Every method raises LedgerUnavailable."""

    def __init__(self, client: Any, table: str, service: str) -> None:
        self._client = client
        self._table = table
        self._service = service

    # -- how signals join

    def thread(self, service: Service, signal: Signal, now: datetime) -> Thread:
        """The incident that a signal opens or joins. A planned event has a thread of its own."""
        candidate = incident_id(signal)
        if planned.began(signal):
            return Thread(candidate, "", f"{signal.name} is planned")
        group, why = group_of(service, signal.target)
        current = self._claim(group, candidate, now)
        if current == candidate:
            return Thread(candidate, group, f"opens {candidate}: {why}")
        return Thread(current, group, f"joins {current}: {why}")

    def _claim(self, group: str, candidate: str, now: datetime) -> str:
        """The current incident of a part of the service, which is the candidate when there was none."""
        try:
            self._client.update_item(
                TableName=self._table,
                Key=items.key(f"G#{group}", "CURRENT"),
                UpdateExpression="SET incident = :incident, taken = :now",
                ConditionExpression="attribute_not_exists(incident) OR incident = :incident OR taken <= :long_ago",
                ExpressionAttributeValues=items.values(
                    incident=candidate, now=now.timestamp(), long_ago=(now - FORGOTTEN).timestamp()
                ),
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
            return candidate
        except ClientError as error:
            if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                raise LedgerUnavailable(f"update_item: {error}") from error
            row = error.response.get("Item") or self._row(f"G#{group}", "CURRENT")
            return str(row["incident"]["S"]) if row else candidate
        except BotoCoreError as error:
            raise LedgerUnavailable(f"update_item: {error}") from error

    def join(self, thread: Thread, remediation: Remediation, now: datetime) -> None:
        """Adds a remediation and its alarm to an incident, which is opened if it is not there. One that belongs to it
        already, because its event came twice, changes nothing."""
        signal = remediation.signal
        self._call_if(
            "update_item",
            TableName=self._table,
            Key=items.key(f"I#{thread.incident}", "INCIDENT"),
            UpdateExpression=(
                "SET #group = if_not_exists(#group, :group), title = if_not_exists(title, :title), "
                "opened = if_not_exists(opened, :now), stage = if_not_exists(stage, :stage), "
                "#open = :open, due_at = :now REMOVE quiet ADD members :members, alarms :alarms, joined :one"
            ),
            ConditionExpression="NOT contains(members, :member)",
            ExpressionAttributeNames={"#group": "group", "#open": "open"},
            ExpressionAttributeValues={
                ":member": {"S": remediation.id},
                **items.values(
                    group=thread.group,
                    title=title_of(signal),
                    now=now.timestamp(),
                    stage=str(Stage.OPEN),
                    open=self._partition,
                    one=1,
                ),
                ":members": {"SS": [remediation.id]},
                ":alarms": {"SS": [signal.name]},
            },
        )

    def release(self, thread: Thread) -> None:
        """Gives a part of the service back when an event that came once more has claimed it for an incident that is
        resolved."""
        found = self.get(thread.incident)
        if found is not None and not found.is_open:
            self._call_if("update_item", **_free(self._table, found)["Update"])

    # -- what people do

    def acknowledge(self, incident_id: str, by: str, now: datetime) -> Incident:
        """A person has it. Raises Refused when it is resolved, or there is no such incident."""
        before = self._must(incident_id)
        if not before.is_open:
            raise Refused(f"{incident_id} is {before.stage}")
        stage = Stage.ACKNOWLEDGED if before.stage is Stage.OPEN else before.stage
        after = replace(before, stage=stage, owner=by, acknowledged_at=before.acknowledged_at or now)
        return self._save(after, before, Event(now, "ACKNOWLEDGED", f"{by} has it", by))

    def resolve(self, incident_id: str, by: str, now: datetime) -> Incident:
        """A person says it is over; what is still red opens a new one. Raises Refused when it is resolved, there is
        no such incident, or a change of it is active."""
        before = self._must(incident_id)
        if not before.is_open:
            raise Refused(f"{incident_id} is {before.stage}")
        self._refuse_over_active(before)
        after = replace(before, stage=Stage.RESOLVED, resolved_at=now, resolved_by=by)
        return self._save(after, before, Event(now, "RESOLVED", f"{by} says that it is over", by))

    def mute(self, incident_id: str, until: datetime, by: str, now: datetime) -> Incident:
        """No messages of it until then, except that it is over. Raises Refused as above."""
        before = self._must(incident_id)
        if not before.is_open:
            raise Refused(f"{incident_id} is {before.stage}")
        after = replace(before, muted_until=until)
        return self._save(after, before, Event(now, "MUTED", f"silent until {until:%H:%M} UTC", by))

    # -- what people ask for, where who asks may write a request and nothing else

    def ask(self, incident_id: str, verb: str, by: str, *, until: datetime | None = None) -> None:
        """Asks for `ack`, `mute` (until a moment) or `resolve`; the reconciler carries it out. Raises Refused as they
        do, so far as it can be told now."""
        known = self._must(incident_id)
        if not known.is_open:
            raise Refused(f"{incident_id} is {known.stage}")
        if verb == "resolve":
            self._refuse_over_active(known)
        said = json.dumps({"by": by, "until": until.timestamp() if until else None})
        asked = self._call_if(
            "update_item",
            TableName=self._table,
            Key=items.key(f"I#{incident_id}", "INCIDENT"),
            UpdateExpression=f"SET {ASKED[verb]} = :said",
            ConditionExpression="attribute_exists(pk)",
            ExpressionAttributeValues=items.values(said=said),
        )
        if not asked:
            raise Refused(f'no incident "{incident_id}" (see: sereno incident list)')

    def answer(self, incident: Incident, now: datetime) -> Incident:
        """Carries out what was asked for, each request once. One that no longer fits is taken out alone."""
        known = incident
        for verb, said in incident.asks:
            try:
                known = self._carry_out(known, verb, json.loads(said), now)
            except (Refused, ValueError, KeyError, TypeError):
                known = self.get(incident.id) or known
            self._call_if(
                "update_item",
                TableName=self._table,
                Key=items.key(f"I#{incident.id}", "INCIDENT"),
                UpdateExpression=f"REMOVE {ASKED[verb]}",
                ConditionExpression=f"{ASKED[verb]} = :said",
                ExpressionAttributeValues=items.values(said=said),
            )
        return known

    def _carry_out(self, incident: Incident, verb: str, asked: Mapping[str, Any], now: datetime) -> Incident:
        by = str(asked["by"])
        if verb == "ack":
            return incident if incident.owner else self.acknowledge(incident.id, by, now)
        if verb == "resolve":
            return self.resolve(incident.id, by, now)
        return self.mute(incident.id, datetime.fromtimestamp(float(asked["until"]), UTC), by, now)

    def _refuse_over_active(self, incident: Incident) -> None:
        """Raises Refused while any change of it is active, escalated or held: an incident ends with its changes
        reverted or kept."""
        if active := [member.id for member in self.members(incident) if member.active]:
            listed = ", ".join(active[:3]) + (f" and {len(active) - 3} more" if len(active) > 3 else "")
            raise Refused(
                f"{incident.id} cannot be resolved while a change of it is active: {listed} "
                f"(fix: sereno revert {active[0]}, or sereno keep {active[0]}, and wait a minute)"
            )

    # -- reading

    def get(self, incident_id: str) -> Incident | None:
        """The incident as it stands."""
        row = self._row(f"I#{incident_id}", "INCIDENT")
        return _incident(row, self._service) if row else None

    def ops_item(self, incident_id: str) -> str:
        """The id of its OpsItem, which the notifier notes beside the pages; empty while there is none."""
        row = self._row(f"N#{incident_id}#opscenter", "THREAD")
        return str(row["ref"]["S"]) if row and "ref" in row else ""

    def open(self) -> list[Incident]:
        """Every incident that is not resolved, or of whose end people have not been told; the oldest first."""
        rows = self._pages(
            IndexName="open",
            KeyConditionExpression="#open = :open",
            ExpressionAttributeNames={"#open": "open"},
            ExpressionAttributeValues=items.values(open=self._partition),
        )
        return sorted((_incident(row, self._service) for row in rows), key=lambda one: one.opened)

    def newest(self, limit: int = 50, *, before: datetime) -> list[Incident]:
        """The newest incidents, newest first, from the day of `before` on backwards: as many as `limit`, and no
        further back than the two months before. One that nothing has happened to yet is known from the index."""
        found: list[str] = []
        for month in _months(before):
            if len(found) >= limit:
                break
            answer = self._call(
                "query",
                TableName=self._table,
                KeyConditionExpression="pk = :pk AND sk < :after",
                ExpressionAttributeValues=items.values(pk=f"J#{month}", after=f"{_end_of(before):%Y%m%dT}"),
                ScanIndexForward=False,
                Limit=limit,
            )
            found += [row["sk"]["S"].split("#", 1)[1] for row in answer["Items"]]
        known = {one.id: one for one in (*self.many(found[:limit]), *self.open()) if one.opened <= _end_of(before)}
        return sorted(known.values(), key=lambda one: (one.opened, one.id), reverse=True)[:limit]

    def many(self, ids: Sequence[str]) -> list[Incident]:
        """These incidents, in this order; those that are not there are left out."""
        keys = [items.key(f"I#{one}", "INCIDENT") for one in ids]
        rows = {row["pk"]["S"]: row for row in read_many(self._call, self._table, keys)}
        return [_incident(rows[f"I#{one}"], self._service) for one in ids if f"I#{one}" in rows]

    def events(self, incident_id: str) -> list[Event]:
        """The history of an incident, oldest first."""
        rows = self._pages(
            KeyConditionExpression="pk = :pk AND begins_with(sk, :e)",
            ExpressionAttributeValues=items.values(pk=f"I#{incident_id}", e="E#"),
            ConsistentRead=True,
        )
        return [Event.from_json(json.loads(row["doc"]["S"])) for row in rows]

    def members(self, incident: Incident) -> list[Remediation]:
        """The remediations of an incident, the oldest first."""
        keys = [items.key(f"R#{one}", "STATE") for one in incident.members]
        rows = read_many(self._call, self._table, keys)
        return sorted((items.remediation_from(row) for row in rows), key=lambda one: (one.created, one.id))

    def pages(self, incident: Incident) -> list[Remediation]:
        """The remediations of an incident that page people."""
        return self.remediations([one for one in incident.members if PAGING in one])

    def remediations(self, ids: Sequence[str]) -> list[Remediation]:
        """The remediations with these ids that exist, in no order."""
        rows = read_many(self._call, self._table, [items.key(f"R#{one}", "STATE") for one in ids])
        return [items.remediation_from(row) for row in rows]

    # -- the round's writes

    def move(self, after: Incident, before: Incident, event: Event) -> Incident:
        """Writes a new stage with its line of history. Raises Refused when somebody was faster."""
        return self._save(after, before, event)

    def note_quiet(self, incident: Incident, since: datetime | None) -> None:
        """Since when nothing of it is red: no news, but the next round must know."""
        sets = "SET quiet = :quiet" if since else "REMOVE quiet"
        self._call(
            "update_item",
            TableName=self._table,
            Key=items.key(f"I#{incident.id}", "INCIDENT"),
            UpdateExpression=sets,
            **({"ExpressionAttributeValues": items.values(quiet=since.timestamp())} if since else {}),
        )

    def told(self, incident: Incident) -> None:
        """People know of its last news. One that is resolved leaves the index, and its part of the service is free
        for the next, unless something has joined meanwhile."""
        done = not incident.is_open
        self._call_if(
            "update_item",
            TableName=self._table,
            Key=items.key(f"I#{incident.id}", "INCIDENT"),
            UpdateExpression="REMOVE untold" + (", #open, due_at" if done else ""),
            ConditionExpression="version = :version AND joined = :joined",
            **({"ExpressionAttributeNames": {"#open": "open"}} if done else {}),
            ExpressionAttributeValues=items.values(version=incident.version, joined=incident.joined),
        )

    def _call_if(self, operation: str, **params: Any) -> bool:
        try:
            getattr(self._client, operation)(**params)
            return True
        except ClientError as error:
            if error.response["Error"]["Code"] == "ConditionalCheckFailedException":
                return False
            raise LedgerUnavailable(f"{operation}: {error}") from error
        except BotoCoreError as error:
            raise LedgerUnavailable(f"{operation}: {error}") from error

    @property
    def _partition(self) -> str:
        return f"{self._service}/incidents"

    def _must(self, incident_id: str) -> Incident:
        found = self.get(incident_id)
        if found is None:
            raise Refused(f'no incident "{incident_id}" (see: sereno incident list)')
        return found

    def _save(self, after: Incident, before: Incident, event: Event) -> Incident:
        saved = replace(after, sequence=before.sequence + 1, version=before.version + 1, untold=True)
        writes = [
            _update(self._table, saved, before),
            {"Put": {"TableName": self._table, "Item": _pointer(saved.id, event.at)}},
            {
                "Put": {
                    "TableName": self._table,
                    "Item": items.item(f"I#{saved.id}", f"E#{before.sequence:06d}", doc=json.dumps(event.to_json())),
                }
            },
        ]
        if not saved.is_open:
            writes.append(_free(self._table, saved))
        try:
            self._client.transact_write_items(TransactItems=writes)
        except ClientError as error:
            reasons = error.response.get("CancellationReasons", [])
            if reasons and items.failed(reasons[0]):
                raise Refused(f"{saved.id} has changed meanwhile: look again") from error
            if len(reasons) > 3 and items.failed(reasons[3]):
                # Another incident has taken the part of the service over: nothing to free.
                return self._again(writes[:3], saved)
            raise LedgerUnavailable(f"transact_write_items: {error}") from error
        except BotoCoreError as error:
            raise LedgerUnavailable(f"transact_write_items: {error}") from error
        return saved

    def _again(self, writes: list[Json], saved: Incident) -> Incident:
        self._call("transact_write_items", TransactItems=writes)
        return saved

    def _row(self, pk: str, sk: str) -> Json | None:
        answer = self._call("get_item", TableName=self._table, Key=items.key(pk, sk), ConsistentRead=True)
        found: Json | None = answer.get("Item")
        return found

    def _pages(self, **query: Any) -> list[Json]:
        return pages(self._call, self._table, query)

    def _call(self, operation: str, **params: Any) -> Json:
        try:
            answer: Json = getattr(self._client, operation)(**params)
            return answer
        except (ClientError, BotoCoreError) as error:
            raise LedgerUnavailable(f"{operation}: {error}") from error


def title_of(signal: Signal) -> str:
    """What an incident is called: by the alarm that opened it."""
    return f"{signal.target.name}: {signal.what}" if signal.what else signal.name


def _pointer(incident: str, now: datetime) -> Json:
    moment = incident.removeprefix("incident-")[:15]
    return items.item(f"J#{moment[:4]}-{moment[4:6]}", f"{moment}#{incident}", at=iso(now))


def _months(before: datetime) -> list[str]:
    """The month of a moment and the two before it: 60 days lie in three months at most."""
    months = before.year * 12 + before.month - 1
    return [f"{one // 12:04d}-{one % 12 + 1:02d}" for one in range(months, months - MONTHS, -1)]


def _incident(row: Mapping[str, Any], service: str) -> Incident:
    def text(name: str) -> str:
        return str(row.get(name, {}).get("S", ""))

    def moment(name: str) -> datetime | None:
        return datetime.fromtimestamp(float(row[name]["N"]), UTC) if name in row else None

    def number(name: str) -> int:
        return int(row.get(name, {}).get("N", 0))

    return Incident(
        id=row["pk"]["S"].removeprefix("I#"),
        service=service,
        group=text("group"),
        title=text("title"),
        opened=moment("opened") or datetime.fromtimestamp(0, UTC),
        stage=Stage(text("stage") or "OPEN"),
        members=tuple(sorted(row.get("members", {}).get("SS", ()))),
        alarms=tuple(sorted(row.get("alarms", {}).get("SS", ()))),
        owner=text("owner"),
        acknowledged_at=moment("acknowledged_at"),
        mitigated_at=moment("mitigated_at"),
        resolved_at=moment("resolved_at"),
        resolved_by=text("resolved_by"),
        quiet_since=moment("quiet"),
        muted_until=moment("muted_until"),
        asks=tuple((verb, text(name)) for verb, name in ASKED.items() if name in row),
        sequence=number("sequence"),
        untold="untold" in row,
        joined=number("joined"),
        version=number("version"),
    )


def _update(table: str, saved: Incident, before: Incident) -> Json:
    """What people or the round said of it; members and alarms are only ever added to, by `join`."""
    plain: dict[str, str | float | int | None] = {
        "stage": str(saved.stage),
        "owner": saved.owner or None,
        "acknowledged_at": _seconds(saved.acknowledged_at),
        "mitigated_at": _seconds(saved.mitigated_at),
        "resolved_at": _seconds(saved.resolved_at),
        "resolved_by": saved.resolved_by or None,
        "quiet": _seconds(saved.quiet_since),
        "muted_until": _seconds(saved.muted_until),
        "sequence": saved.sequence,
        "version": saved.version,
        "untold": 1,
    }
    sets = {name: one for name, one in plain.items() if one is not None}
    gone = [f"#{name}" for name, one in plain.items() if one is None]
    expression = "SET " + ", ".join(f"#{name} = :{name}" for name in sets)
    if gone:
        expression += " REMOVE " + ", ".join(gone)
    known = "#version = :before" if before.version else "attribute_not_exists(#version)"
    return {
        "Update": {
            "TableName": table,
            "Key": items.key(f"I#{saved.id}", "INCIDENT"),
            "UpdateExpression": expression,
            "ConditionExpression": known,
            "ExpressionAttributeNames": {f"#{name}": name for name in plain},
            "ExpressionAttributeValues": {
                **items.values(**sets),
                **(items.values(before=before.version) if before.version else {}),
            },
        }
    }


def _free(table: str, incident: Incident) -> Json:
    return {
        "Update": {
            "TableName": table,
            "Key": items.key(f"G#{incident.group}", "CURRENT"),
            "UpdateExpression": "REMOVE incident",
            "ConditionExpression": "attribute_not_exists(incident) OR incident = :incident",
            "ExpressionAttributeValues": items.values(incident=incident.id),
        }
    }


def _end_of(day: datetime) -> datetime:
    return day.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)


def _seconds(moment: datetime | None) -> float | None:
    return moment.timestamp() if moment else None
