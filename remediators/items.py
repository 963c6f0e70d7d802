"""The ledger's rows: DynamoDB's shapes of what `ledger` writes and reads. No I/O."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from sereno.lifecycle import Remediation
from sereno.model import Event, Json, Mode, Reason, Verdict, instant, iso
from sereno.service import Play

MICRO = 1_000_000
# More than a day can hold.
UNLIMITED = 10**9


class Admission(NamedTuple):
    """What admission said, and the earlier remediation of the same signal, when there is one."""

    verdict: Verdict
    earlier: Remediation | None = None


@dataclass(frozen=True, slots=True)
class ModeRow:
    """A mode that was set at run time, by whom, when and why."""

    mode: Mode
    by: str
    at: datetime
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Settings:
    """What operators and AWS changes say at this moment; `modes` is None when it could not be read. `serving` is the
    region that customers reach, as far as the prober knows; `caps` are the most that demoted remediators may do."""

    modes: dict[str, Mode] | None
    changes: tuple[str, ...] = ()
    serving: str = ""
    caps: dict[str, Mode] = field(default_factory=dict)


def value(plain: str | float | int) -> Json:
    """A DynamoDB attribute value."""
    return {"S": plain} if isinstance(plain, str) else {"N": repr(plain)}


def values(**named: str | float | int) -> Json:
    """ExpressionAttributeValues."""
    return {f":{name}": value(plain) for name, plain in named.items()}


def key(pk: str, sk: str) -> Json:
    """A primary key."""
    return {"pk": {"S": pk}, "sk": {"S": sk}}


def item(pk: str, sk: str, **attributes: str | float | int) -> Json:
    """A whole item."""
    return {**key(pk, sk), **{name: value(plain) for name, plain in attributes.items()}}


def _text(document: Json) -> str:
    return json.dumps(document, separators=(",", ":"))


def _state(remediation: Remediation) -> Json:
    """The attributes of a STATE row beside its key; `open` and `due_at` only while something is left to do."""
    attributes: dict[str, str | float | int] = {
        "doc": _text(remediation.to_json()),
        "status": str(remediation.status),
        "version": remediation.version,
        "claim_until": remediation.claim_until.timestamp() if remediation.claim_until else 0,
    }
    return {name: value(plain) for name, plain in attributes.items()}


def _is_open(remediation: Remediation) -> bool:
    followed = remediation.follow_until or remediation.author_until
    waiting = bool(remediation.unpublished or remediation.escalate_to or remediation.wish or followed)
    return not remediation.ended or waiting


def _index(remediation: Remediation, service: str) -> Json:
    """The round's index: an ended remediation stays in it until its news is out and its successor has begun."""
    if not _is_open(remediation):
        return {}
    due = remediation.due_at or remediation.created
    return {"open": value(service), "due_at": value(due.timestamp())}


def put_new(table: str, remediation: Remediation, service: str) -> Json:
    """The row of a new remediation; fails when its id exists: the same signal came before."""
    row = {
        **key(f"R#{remediation.id}", "STATE"),
        **_state(remediation),
        **_index(remediation, service),
    }
    return {
        "Put": {
            "TableName": table,
            "Item": row,
            "ConditionExpression": "attribute_not_exists(pk)",
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }
    }


def update_state(table: str, remediation: Remediation, service: str, *, answered: str | None = None) -> Json:
    """The row after a move, if its version is still the one before. `answered` is the wish that this move carries
    out.

    A wish does not count as a version. So a row may leave the round's index, and a wish may be taken out, only if no
    other wish has come meanwhile: it would never be carried out.
    """
    sets, removes = {**_state(remediation), **_index(remediation, service)}, []
    condition, known = "#version = :expected", {}
    if not _is_open(remediation):
        removes += ["#open", "#due_at"]
        condition += " AND attribute_not_exists(wish)" if answered is None else ""
    if answered is not None:
        removes += ["#wish", "#wish_by"]
        condition += " AND wish = :answered"
        known = values(answered=answered)
    names = {f"#{name}": name for name in sets} | {name: name[1:] for name in removes}
    expression = "SET " + ", ".join(f"#{name} = :{name}" for name in sets)
    if removes:
        expression += " REMOVE " + ", ".join(removes)
    return {
        "Update": {
            "TableName": table,
            "Key": key(f"R#{remediation.id}", "STATE"),
            "UpdateExpression": expression,
            "ConditionExpression": condition,
            "ExpressionAttributeNames": names,
            "ExpressionAttributeValues": {
                **{f":{name}": one for name, one in sets.items()},
                **values(expected=remediation.version - 1),
                **known,
            },
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }
    }


def late_wish(reason: Json, version: int) -> tuple[str, str] | None:
    """(wish, by whom) when a row's update failed for nothing but a wish that came meanwhile."""
    row = reason.get("Item", {})
    if failed(reason) and "wish" in row and int(row["version"]["N"]) == version:
        return row["wish"]["S"], row["wish_by"]["S"]
    return None


def history(
    table: str, remediation: Remediation, *, events: Sequence[Event] | None = None, first: int = 0
) -> list[Json]:
    """New lines of the history; a line once written is never written again."""
    lines = remediation.unpublished if events is None else events
    return [
        {
            "Put": {
                "TableName": table,
                "Item": item(f"R#{remediation.id}", f"E#{first + offset:06d}", doc=_text(event.to_json())),
                "ConditionExpression": "attribute_not_exists(pk)",
            }
        }
        for offset, event in enumerate(lines)
    ]


def pointer(table: str, remediation: Remediation) -> Json:
    """The listing's pointer."""
    day = iso(remediation.created)
    return {"Put": {"TableName": table, "Item": item(f"D#{day[:10]}", f"{day}#{remediation.id}")}}


def take_lock(table: str, remediation: Remediation, now: datetime, *, rested: bool = True) -> Json:
    """Takes the target, if nobody holds it and it has cooled down; without `rested` it need not have: a person's word
    and a planned event do not wait. One item may stand once in a transaction, so the lock and the cooldown are one
    row, and its old image tells which of them refused."""
    cool = " AND (attribute_not_exists(cool) OR cool <= :now)" if rested else ""
    return {
        "Update": {
            "TableName": table,
            "Key": key(f"T#{remediation.target.key}", "LOCK"),
            "UpdateExpression": "SET holder = :id, taken = :now",
            "ConditionExpression": f"attribute_not_exists(holder){cool}",
            "ExpressionAttributeValues": values(id=remediation.id, now=now.timestamp()),
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }
    }


def free_lock(table: str, remediation: Remediation, cool_until: datetime) -> Json:
    """Frees the target, if this remediation is its holder."""
    return {
        "Update": {
            "TableName": table,
            "Key": key(f"T#{remediation.target.key}", "LOCK"),
            "UpdateExpression": "SET cool = :cool REMOVE holder",
            "ConditionExpression": "holder = :id",
            "ExpressionAttributeValues": values(id=remediation.id, cool=cool_until.timestamp()),
        }
    }


def _budget_key(remediation: Remediation, day: str = "") -> Json:
    """The purse of a day (YYYY-MM-DD, UTC); left out: of the day on which it was created."""
    return key(f"B#{remediation.purse}#{day or iso(remediation.created)[:10]}", "SPENT")


def change(table: str, stack: str, at: datetime, until: datetime | None, detail: str) -> Json:
    """PutItem's arguments for what is known of a stack's change; `until` is None when it has ended.

    Events come in any order: older news never replaces newer, and within one second (the resolution of
    CloudFormation's times) the end wins.
    """
    attributes: dict[str, str | float | int] = {
        "at": at.timestamp(),
        "until": until.timestamp() if until else 0,
        "detail": detail,
        "ttl": int(at.timestamp()) + 86_400,
    }
    return {
        "TableName": table,
        "Item": item("CHANGE", stack, **attributes),
        "ConditionExpression": f"attribute_not_exists(pk) OR #at {'<' if until else '<='} :at",
        "ExpressionAttributeNames": {"#at": "at"},
        "ExpressionAttributeValues": values(at=at.timestamp()),
    }


def act_again(
    table: str, remediation: Remediation, per_day: int | None, cost: tuple[float, float] | None, now: datetime
) -> Json:
    """One more action of an active change, and what it adds to the day's cost (USD, ceiling), if the day has room for
    both. Kept for a week."""
    limit = UNLIMITED if per_day is None else per_day
    added, ceiling = cost or (0.0, 0.0)
    micro, most = round(added * MICRO), round(ceiling * MICRO)
    room = " AND (attribute_not_exists(cost) OR cost <= :room)" if cost else ""
    first = " OR attribute_not_exists(used)" if limit > 0 and micro <= most else ""
    known = values(one=1, limit=limit, cost=micro, ttl=int(now.timestamp()) + 7 * 86_400)
    return {
        "Update": {
            "TableName": table,
            "Key": _budget_key(remediation, iso(now)[:10]),
            "UpdateExpression": "ADD used :one, cost :cost SET #ttl = :ttl",
            "ConditionExpression": f"(used < :limit{first}){room}",
            "ExpressionAttributeNames": {"#ttl": "ttl"},
            "ExpressionAttributeValues": {**known, **(values(room=most - micro) if cost else {})},
        }
    }


def spend(table: str, remediation: Remediation, per_day: int | None) -> Json:
    """One of the actions of the day it was created on (UTC), if any is left (`per_day` None: without a limit). Kept
    for a week."""
    limit = UNLIMITED if per_day is None else per_day
    kept_until = int(remediation.created.timestamp()) + 7 * 86_400
    return {
        "Update": {
            "TableName": table,
            "Key": _budget_key(remediation),
            "UpdateExpression": "ADD used :one SET #ttl = :ttl",
            # A budget of 0 is none, on the first signal of the day too.
            "ConditionExpression": "used < :limit" + (" OR attribute_not_exists(used)" if limit > 0 else ""),
            "ExpressionAttributeNames": {"#ttl": "ttl"},
            "ExpressionAttributeValues": values(one=1, limit=limit, ttl=kept_until),
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }
    }


def refund(table: str, remediation: Remediation) -> Json:
    """Gives one action back: it was claimed, but nothing was done."""
    return {
        "Update": {
            "TableName": table,
            "Key": _budget_key(remediation),
            "UpdateExpression": "ADD used :minus",
            "ExpressionAttributeValues": values(minus=-1),
        }
    }


def spend_money(table: str, remediation: Remediation, cost: float, ceiling: float) -> Json:
    """Adds a plan's daily cost (USD), if the day's ceiling allows it."""
    micro, most = round(cost * MICRO), round(ceiling * MICRO)
    return {
        "Update": {
            "TableName": table,
            "Key": _budget_key(remediation),
            "UpdateExpression": "ADD cost :cost",
            "ConditionExpression": "(attribute_not_exists(cost) AND :cost <= :most) OR cost <= :room",
            "ExpressionAttributeValues": values(cost=micro, most=most, room=most - micro),
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }
    }


def count_money(table: str, remediation: Remediation, cost: float, now: datetime) -> Json:
    """Adds what an active change costs on one more day (USD): no ceiling refuses what is there already, but what it
    costs leaves less for others. Kept for a week."""
    return {
        "Update": {
            "TableName": table,
            "Key": _budget_key(remediation, iso(now)[:10]),
            "UpdateExpression": "ADD cost :cost SET #ttl = :ttl",
            "ExpressionAttributeNames": {"#ttl": "ttl"},
            "ExpressionAttributeValues": values(cost=round(cost * MICRO), ttl=int(now.timestamp()) + 7 * 86_400),
        }
    }


def failed(reason: Json) -> bool:
    """Whether this member of a cancelled transaction said no."""
    return bool(reason.get("Code") == "ConditionalCheckFailed")


def explain(reasons: Sequence[Json], play: Play, now: datetime) -> Admission:
    """Which gate refused: the order is that of `Ledger.admit`'s writes."""
    same, lock, budget = reasons[0], reasons[1], reasons[2]
    if failed(same):
        earlier = remediation_from(same["Item"]) if same.get("Item") else None
        return Admission(Verdict.no(Reason.DUPLICATE, "this signal has its remediation"), earlier)
    if failed(lock):
        row = lock.get("Item", {})
        if "holder" in row:
            return Admission(Verdict.no(Reason.TARGET_BUSY, f"held by {row['holder']['S']}"))
        left = float(row["cool"]["N"]) - now.timestamp() if "cool" in row else 0
        resting = Verdict.no(Reason.COOLDOWN, f"{left:.0f} s of the cooldown of {play.cooldown_s} s are left")
        return Admission(resting)
    if failed(budget):
        return Admission(Verdict.no(Reason.BUDGET_SPENT, f"{play.per_day} actions a day are used up"))
    return Admission(Verdict.no(Reason.DUPLICATE, "its history exists"))


def remediation_from(row: Json) -> Remediation:
    """The remediation that a STATE row holds."""
    return Remediation.from_json(
        json.loads(row["doc"]["S"]),
        version=int(row["version"]["N"]),
        wish=row.get("wish", {}).get("S"),
        wish_by=row.get("wish_by", {}).get("S"),
    )


def settings_from(rows: Sequence[Json], now: datetime) -> Settings:
    """Modes and changes in progress. Raises ValueError or KeyError on a row that cannot be read."""
    modes: dict[str, Mode] = {}
    changes: list[str] = []
    serving = ""
    own = [row for row in rows if row["pk"]["S"] in ("MODE", "CAP")]
    for row in rows:
        if row["pk"]["S"] == "EVIDENCE":
            serving = row.get("serving", {}).get("S", "")
        elif row["pk"]["S"] == "MODE":
            modes[row["sk"]["S"]] = Mode(row["mode"]["S"])
        elif row["pk"]["S"] == "CAP":
            continue
        elif float(row["until"]["N"]) > now.timestamp():  # 0 when the change has ended
            changes.append(f"{row['sk']['S']}: {row['detail']['S']}")
    caps = {name: row.mode for name, row in caps_from(own).items()}
    return Settings(modes, tuple(changes), serving, caps)


def mode_row(row: Json) -> ModeRow:
    """A MODE or a CAP row. Raises ValueError or KeyError on one that cannot be read."""
    reason = row.get("reason", {}).get("S", "")
    return ModeRow(Mode(row["mode"]["S"]), row["by"]["S"], instant(row["at"]["S"]), reason)


def caps_from(rows: Sequence[Json]) -> dict[str, ModeRow]:
    """The caps that count, by remediator: those newer than its mode, and than that of the whole stack. To set a mode
    is to lift a cap."""
    modes = {row["sk"]["S"]: mode_row(row) for row in rows if row["pk"]["S"] == "MODE"}
    caps = {row["sk"]["S"]: mode_row(row) for row in rows if row["pk"]["S"] == "CAP"}
    return {
        name: cap
        for name, cap in caps.items()
        if all(cap.at > modes[other].at for other in (name, "*") if other in modes)
    }
