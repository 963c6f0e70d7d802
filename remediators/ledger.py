"""The ledger: the DynamoDB table of remediations.

One table, keys `pk` and `sk`:

    R#<id>       STATE        the remediation as it stands; `open` and `due_at` put it into the round's index
    R#<id>       E#<number>   its history, append-only
    D#<day>      <time>#<id>  a pointer for listing, written with the claim
    T#<target>   LOCK         who holds the target, and until when it cools down
    B#<purse>#<day> SPENT     how often its remediator acted and what that costs (micro-USD a day)
    MODE         *|<remediator>  what operators set at run time; no function of Sereno may write it
    CAP          <remediator>  the most it may do since it was demoted, while newer than its mode
    READY        <remediator>  what its last self-test proved
    CHANGE       <stack>      a change on AWS is in progress (CloudFormation, CodeDeploy)

and the rows of `incidents` and `evidence`.

Every write is one transaction with conditions, so a doubled, late or crashed invocation cannot act twice.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from remediators import items
from remediators.incidents import IncidentBook
from remediators.items import Settings
from remediators.reading import pages, read_many
from sereno.errors import LedgerUnavailable
from sereno.lifecycle import Remediation
from sereno.model import Event, Json, Mode, Verdict, iso
from sereno.service import Play

ATTEMPTS = 4
# A cancelled transaction with only these codes is a passing conflict or throttle, never a refusal.
# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html
PASSING = frozenset({"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded", "None"})
CHANGE_LASTS = timedelta(hours=2)
LOOK_BACK_DAYS = 60


class VersionConflict(Exception):
    """Somebody else wrote this remediation first."""


class Ledger:
    """Reads and writes the ledger. `client` is a DynamoDB client; `sleep` waits between tries, in seconds."""

    def __init__(self, client: Any, table: str, service: str, sleep: Callable[[float], None] = time.sleep) -> None:
        self._client = client
        self._table = table
        self._service = service
        self._sleep = sleep
        self.incidents = IncidentBook(client, table, service)

    # -- what is set at run time

    def settings(self, remediator: str, stack: str | None, now: datetime, *, regional: bool = False) -> Settings:
        """Modes, changes in progress and, with `regional`, which region serves, in one read. Never raises: what
        cannot be read fails closed."""
        keys = [items.key("MODE", "*"), items.key("MODE", remediator), items.key("CAP", remediator)]
        if regional:
            keys.append(items.key("EVIDENCE", "primary"))
        if stack:
            keys.append(items.key("CHANGE", stack))
        try:
            answer = self._client.batch_get_item(RequestItems={self._table: {"Keys": keys, "ConsistentRead": True}})
            if answer.get("UnprocessedKeys"):
                return Settings(None)
            return items.settings_from(answer["Responses"].get(self._table, []), now)
        except (ClientError, BotoCoreError, ValueError, KeyError):
            return Settings(None)

    def modes(self) -> dict[str, Mode]:
        """Every mode set at run time, by remediator (`*` is the whole watch)."""
        return {name: row.mode for name, row in self.mode_rows().items()}

    def mode_rows(self) -> dict[str, items.ModeRow]:
        """Every mode set at run time, with by whom, when and why. A cap that counts stands in its place."""
        rows = [
            row
            for pk in ("MODE", "CAP")
            for row in self._pages(KeyConditionExpression="pk = :pk", ExpressionAttributeValues=items.values(pk=pk))
        ]
        modes = {row["sk"]["S"]: items.mode_row(row) for row in rows if row["pk"]["S"] == "MODE"}
        caps = items.caps_from(rows)
        lower = {
            name: cap for name, cap in caps.items() if name not in modes or cap.mode.rank < modes[name].mode.rank
        }
        return {**modes, **lower}

    def set_mode(self, remediator: str, mode: Mode, by: str, now: datetime, *, reason: str = "") -> None:
        """Sets the mode of a remediator, or of the whole watch (`*`), and notes why."""
        why = {"reason": reason} if reason else {}
        item = items.item("MODE", remediator, mode=str(mode), by=by, at=iso(now), **why)
        self._call("put_item", TableName=self._table, Item=item)

    def cap(self, remediator: str, mode: Mode, now: datetime, *, reason: str) -> None:
        """The most that a remediator may do from now on, until an operator sets its mode, or that of the whole stack.
        A row of its own, so that no function of Sereno need write a mode."""
        item = items.item("CAP", remediator, mode=str(mode), by="sereno", at=iso(now), reason=reason)
        self._call("put_item", TableName=self._table, Item=item)

    def note_ready(self, remediator: str, doc: str, now: datetime) -> None:
        """What a remediator's self-test proved."""
        row = items.item("READY", remediator, doc=doc, at=iso(now))
        self._call("put_item", TableName=self._table, Item=row)

    def readiness(self) -> dict[str, str]:
        """The last self-test of each remediator, as it was noted."""
        rows = self._pages(KeyConditionExpression="pk = :pk", ExpressionAttributeValues=items.values(pk="READY"))
        return {row["sk"]["S"]: row["doc"]["S"] for row in rows}

    def mark_change(self, stack: str, at: datetime, detail: str) -> bool:
        """A change of this stack was in progress at this moment; forgotten after two hours if its end is never told.
        False when something newer is known."""
        return self._put_if(items.change(self._table, stack, at, at + CHANGE_LASTS, detail))

    def clear_change(self, stack: str, at: datetime, detail: str) -> bool:
        """The change of this stack had ended at this moment. False when something newer is known."""
        return self._put_if(items.change(self._table, stack, at, None, detail))

    # -- admission

    def admit(
        self, remediation: Remediation, play: Play, now: datetime, *, rested: bool = True, counted: bool = True
    ) -> items.Admission:
        """Claims the target, or says which gate refused, in one transaction. Without `rested` the cooldown is no
        gate, without `counted` the budget of the day is none. Raises LedgerUnavailable."""
        writes = [
            items.put_new(self._table, remediation, self._service),
            items.take_lock(self._table, remediation, now, rested=rested),
            items.spend(self._table, remediation, play.per_day if counted else None),
            items.pointer(self._table, remediation),
            *items.history(self._table, remediation),
        ]
        reasons = self._transact(writes)
        if reasons is None:
            return items.Admission(Verdict.yes(f"{remediation.target.name} was free"))
        return items.explain(reasons, play, now)

    def refuse(self, remediation: Remediation, *, publish: bool) -> bool:
        """Records a refusal that claimed nothing; False when the signal already has its row. With `publish` the
        round tells people of it."""
        row = remediation if publish else replace(remediation, unpublished=())
        writes = [
            items.put_new(self._table, row, self._service),
            items.pointer(self._table, remediation),
            *items.history(self._table, remediation),
        ]
        return self._transact(writes) is None

    # -- the life

    def save(
        self,
        remediation: Remediation,
        *,
        before: Remediation,
        published: bool = False,
        release: bool = False,
        cooldown: timedelta = timedelta(0),
        refund: bool = False,
        cost: tuple[float, float] | None = None,
        now: datetime,
        clear_wish: bool = False,
        retake: bool = False,
        again: tuple[int | None, tuple[float, float] | None] | None = None,
        day_cost: float = 0.0,
    ) -> Remediation:
        """Writes the record and its new events, if nobody wrote since `before` was read.

        `published` says that people have been told of all of it; `release` frees the target and starts its
        cooldown, `retake` takes it again; `refund` gives the day's budget back (nothing was done);
        `cost` is (USD a day of this plan, ceiling); `clear_wish` says that the wish in the record was carried out.
        `again` is (actions a day, (USD a day that this adds, ceiling)) where an active change is raised further, on
        the day of `now`; `day_cost` is what an active change costs on one more day (USD).
        Raises VersionConflict, LedgerUnavailable, BudgetSpent when `again` finds the day used up, CostCeiling when
        the day's money is spent, and TargetBusy when `retake` finds another holder.
        """
        along: list[Json] = []
        if retake:
            along.append(items.take_lock(self._table, remediation, now, rested=False))
        if release:
            along.append(items.free_lock(self._table, remediation, now + cooldown))
        if refund:
            along.append(items.refund(self._table, remediation))
        if cost is not None:
            along.append(items.spend_money(self._table, remediation, *cost))
        if day_cost:
            along.append(items.count_money(self._table, remediation, day_cost, now))
        if again is not None:
            along.append(items.act_again(self._table, remediation, *again, now))
        saved, reasons = self._write(remediation, before, along, published=published, clear_wish=clear_wish)
        late = items.late_wish(reasons[0], before.version) if reasons else None
        if late is not None and not (clear_wish and before.wish == "approve"):
            # Somebody asked for something meanwhile: the same write again, with the wish kept for the round. Not so
            # when an approval is being carried out: who refused before this write must be heard before anything is
            # done, most of all where it cannot be taken back.
            asked = replace(remediation, wish=late[0], wish_by=late[1])
            saved, reasons = self._write(asked, before, along, published=published, clear_wish=False)
        if not reasons:
            return saved
        if items.failed(reasons[0]):
            raise VersionConflict(remediation.id)
        if retake:
            raise TargetBusy(f"{remediation.target.name} is held by another remediation")
        if again is not None and items.failed(reasons[-1]):
            raise BudgetSpent(f"{again[0]} actions a day, or the money of the day, are used up")
        if cost is not None and items.failed(reasons[-1]):
            raise CostCeiling(
                f"{cost[0]:.2f} USD a day on top of today's others is over the ceiling of {cost[1]:.2f}"
            )
        raise VersionConflict(remediation.id)

    def _write(
        self, remediation: Remediation, before: Remediation, along: list[Json], *, published: bool, clear_wish: bool
    ) -> tuple[Remediation, list[Json]]:
        """(the record as written, why it was not): the row, its new lines of history, and what goes along."""
        fresh = remediation.unpublished[len(before.unpublished) :]
        numbered = replace(
            remediation,
            version=before.version + 1,
            unpublished=() if published else remediation.unpublished,
            wish=None if clear_wish else remediation.wish,
            wish_by=None if clear_wish else remediation.wish_by,
        )
        answered = remediation.wish if clear_wish else None
        state = items.update_state(self._table, numbered, self._service, answered=answered)
        lines = items.history(self._table, numbered, events=fresh, first=before.sequence)
        return numbered, self._transact([state, *lines, *along]) or []

    def wish(
        self, remediation_id: str, wish: str, by: str, now: datetime, *, seen: Remediation | None = None
    ) -> None:
        """Notes what an operator asked for; the round carries it out. With `seen` only if the row is still that one.
        Raises VersionConflict when it is not, and when there is no such remediation."""
        condition, known = "attribute_exists(pk)", {}
        if seen is not None:
            condition = "version = :version AND " + ("wish = :asked" if seen.wish else "attribute_not_exists(wish)")
            known = items.values(version=seen.version, **({"asked": seen.wish} if seen.wish else {}))
        try:
            self._client.update_item(
                TableName=self._table,
                Key=items.key(f"R#{remediation_id}", "STATE"),
                UpdateExpression="SET wish = :wish, wish_by = :by, due_at = :due, #open = :service",
                ConditionExpression=condition,
                ExpressionAttributeNames={"#open": "open"},
                ExpressionAttributeValues={
                    **items.values(wish=wish, by=by, due=now.timestamp(), service=self._service),
                    **known,
                },
            )
        except ClientError as error:
            if error.response["Error"]["Code"] == "ConditionalCheckFailedException":
                raise VersionConflict(remediation_id) from error
            raise LedgerUnavailable(str(error)) from error
        except BotoCoreError as error:
            raise LedgerUnavailable(str(error)) from error

    # -- reading

    def get(self, remediation_id: str) -> Remediation | None:
        """The remediation as it stands, read consistently."""
        answer = self._call(
            "get_item", TableName=self._table, Key=items.key(f"R#{remediation_id}", "STATE"), ConsistentRead=True
        )
        return items.remediation_from(answer["Item"]) if "Item" in answer else None

    def histories(self, remediations: Sequence[Remediation]) -> dict[str, list[Event]]:
        """The histories of several remediations by their ids, oldest first: a hundred lines in a call. The row of a
        remediation says how many lines it has."""
        keys = [items.key(f"R#{one.id}", f"E#{number:06d}") for one in remediations for number in range(one.sequence)]
        rows = sorted(read_many(self._call, self._table, keys), key=lambda row: row["sk"]["S"])
        found: dict[str, list[Event]] = {one.id: [] for one in remediations}
        for row in rows:
            found[row["pk"]["S"].removeprefix("R#")].append(Event.from_json(json.loads(row["doc"]["S"])))
        return found

    def events(self, remediation_id: str) -> list[Event]:
        """The history of a remediation, oldest first."""
        rows = self._pages(
            KeyConditionExpression="pk = :pk AND begins_with(sk, :e)",
            ExpressionAttributeValues=items.values(pk=f"R#{remediation_id}", e="E#"),
            ConsistentRead=True,
        )
        return [Event.from_json(json.loads(row["doc"]["S"])) for row in rows]

    def due(self, now: datetime) -> list[Json]:
        """The rows that the round must look at: open, and due. They are not read yet (`items.remediation_from`), so
        that one that cannot be read does not keep the others from it."""
        return self._pages(
            IndexName="open",
            KeyConditionExpression="#open = :service AND due_at <= :now",
            ExpressionAttributeNames={"#open": "open"},
            ExpressionAttributeValues=items.values(service=self._service, now=now.timestamp()),
        )

    def open(self) -> list[Remediation]:
        """Everything that is not over."""
        rows = self._pages(
            IndexName="open",
            KeyConditionExpression="#open = :service",
            ExpressionAttributeNames={"#open": "open"},
            ExpressionAttributeValues=items.values(service=self._service),
        )
        return [items.remediation_from(row) for row in rows]

    def day(self, day: str) -> list[str]:
        """Ids of the remediations begun on a day (YYYY-MM-DD, UTC), oldest first."""
        rows = self._pages(KeyConditionExpression="pk = :pk", ExpressionAttributeValues=items.values(pk=f"D#{day}"))
        return [row["sk"]["S"].split("#", 1)[1] for row in rows]

    def newest(self, limit: int = 50, *, before: datetime, days: int = LOOK_BACK_DAYS) -> list[Remediation]:
        """The newest remediations, newest first, from the day of `before` on backwards: as many as `limit`, and no
        further back than so many days."""
        found: list[str] = []
        for back in range(days):
            if len(found) >= limit:
                break
            day = f"{before - timedelta(days=back):%Y-%m-%d}"
            found += self._newest_of(day, limit - len(found))
        return self.many(found)

    def many(self, ids: Sequence[str]) -> list[Remediation]:
        """These remediations, in this order, read consistently; those that are not there are left out."""
        rows = read_many(self._call, self._table, [items.key(f"R#{one}", "STATE") for one in dict.fromkeys(ids)])
        known = {one.id: one for one in map(items.remediation_from, rows)}
        return [known[one] for one in ids if one in known]

    def _newest_of(self, day: str, limit: int) -> list[str]:
        answer = self._call(
            "query",
            TableName=self._table,
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues=items.values(pk=f"D#{day}"),
            ScanIndexForward=False,
            Limit=limit,
        )
        return [row["sk"]["S"].split("#", 1)[1] for row in answer["Items"]]

    def holder(self, target_key: str) -> str | None:
        """The id of the remediation that holds a target, or None."""
        answer = self._call(
            "get_item", TableName=self._table, Key=items.key(f"T#{target_key}", "LOCK"), ConsistentRead=True
        )
        return answer.get("Item", {}).get("holder", {}).get("S") or None

    def held(self, target_keys: Iterable[str]) -> set[str]:
        """Those of the targets that a remediation holds, read consistently, a hundred in a call."""
        rows = read_many(self._call, self._table, [items.key(f"T#{one}", "LOCK") for one in sorted(set(target_keys))])
        return {row["pk"]["S"].removeprefix("T#") for row in rows if row.get("holder", {}).get("S")}

    def spent(self, purses: Iterable[str], day: str) -> dict[str, tuple[int, float]]:
        """{purse: (times acted, USD a day of what that costs)} on a day (YYYY-MM-DD, UTC); a purse that nothing was
        taken from is left out."""
        wanted = {f"B#{purse}#{day}": purse for purse in purses}
        rows = read_many(self._call, self._table, [items.key(pk, "SPENT") for pk in wanted])
        return {
            wanted[row["pk"]["S"]]: (
                int(float(row.get("used", {"N": "0"})["N"])),
                float(row.get("cost", {"N": "0"})["N"]) / items.MICRO,
            )
            for row in rows
        }

    def told(self, thread: str, remediation_id: str, channels: Iterable[str]) -> dict[str, int]:
        """{channel: the number of the newest line of this history that was shown there, or held back}, as the
        notifier's book has it (`remediators.notifier.book`); a channel that heard nothing is left out."""
        places = {f"N#{thread}#{channel}": channel for channel in channels}
        rows = read_many(self._call, self._table, [items.key(pk, f"S#{remediation_id}") for pk in places])
        return {places[row["pk"]["S"]]: int(row["shown"]["N"]) for row in rows if "shown" in row}

    # -- plumbing

    def _pages(self, **query: Any) -> list[Json]:
        return pages(self._call, self._table, query)

    def _call(self, operation: str, **params: Any) -> Json:
        try:
            answer: Json = getattr(self._client, operation)(**params)
            return answer
        except (ClientError, BotoCoreError) as error:
            raise LedgerUnavailable(f"{operation}: {error}") from error

    def _put_if(self, put: Json) -> bool:
        try:
            self._client.put_item(**put)
            return True
        except ClientError as error:
            if error.response["Error"]["Code"] == "ConditionalCheckFailedException":
                return False
            raise LedgerUnavailable(f"put_item: {error}") from error
        except BotoCoreError as error:
            raise LedgerUnavailable(f"put_item: {error}") from error

    def _transact(self, writes: Sequence[Json]) -> list[Json] | None:
        """None when written; the cancellation reasons, in the order of `writes`, when a condition said no."""
        for attempt in range(ATTEMPTS):
            try:
                self._client.transact_write_items(TransactItems=list(writes))
                return None
            except ClientError as error:
                reasons: list[Json] = error.response.get("CancellationReasons", [])
                code = error.response["Error"]["Code"]
                if any(items.failed(reason) for reason in reasons):
                    return reasons
                if code not in ("TransactionCanceledException", "TransactionInProgressException") or not all(
                    reason.get("Code", "None") in PASSING for reason in reasons
                ):
                    raise LedgerUnavailable(f"transact_write_items: {error}") from error
                if attempt == ATTEMPTS - 1:
                    raise LedgerUnavailable(f"transact_write_items kept conflicting: {error}") from error
            except BotoCoreError as error:
                raise LedgerUnavailable(f"transact_write_items: {error}") from error
            self._sleep(0.05 * 2**attempt)
        return None


class TargetBusy(Exception):
    """Another remediation holds the target."""


class BudgetSpent(Exception):
    """The day's actions, or its money, are used up."""


class CostCeiling(Exception):
    """The day's money is spent."""
