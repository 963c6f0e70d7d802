"""What has been shown where: rows of the ledger's table that let news be delivered often and shown once.

    N#<thread>#<channel>  THREAD     the channel's own name of the thread (`ref`), who posts to it now (`lock`), and
                                     what its first message is made of (`state`)
    N#<thread>#<channel>  S#<id>     the newest news of this id that was shown there, by its number, and what may be
                                     answered about it (`ask`)
    N#rate#<channel>      M#<minute> how much was shown in a minute
    N#digest#<channel>    W#<start>  what was folded together in a window; `sealed` before it is told: from then on
                                     nothing is added; `told` once people have read it

One post at a time goes to a thread: two at once would open it twice. Whoever dies with the lock leaves it to expire,
and the next one knows that the last post may be there already.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from remediators import items
from remediators.notifier.channels import Post, Thread
from remediators.notifier.state import Kept, ask_from_json, ask_of, ask_to_json, from_json, to_json
from remediators.reading import pages
from sereno.errors import LedgerUnavailable
from sereno.model import Json

# Longer than an invocation may last.
LOCK_S = 90
KEPT_S = 30 * 86_400
RATE_KEPT_S = 3_600
WINDOW_S = 120
# Of what a deferred ticket is about: a night's alarms fit in one item of 400 KB.
HEAD_LIMIT = 100
# Windows that are looked through for digests nobody has read: more than a day of storms.
WINDOWS = 1000
NOTHING = Kept()


@dataclass(frozen=True, slots=True)
class Shown:
    """A thread as a channel has it: its name there, and by id the newest news shown, and the newest that may be there
    though the channel gave no answer. `paged`: it shows that a person must look. `over_at`: when its incident ended
    (epoch seconds), once that is shown. `kept` is what its first message is made of."""

    thread: Thread
    newest: dict[str, int]
    tried: dict[str, int]
    paged: bool = False
    over_at: float | None = None
    kept: Kept = NOTHING


@dataclass(frozen=True, slots=True)
class Digest:
    """What was folded in a window that begins at `start` (epoch seconds): how much, and of what. `heads` name what
    came while no route was open."""

    channel: str
    start: int
    news: int
    alarms: int
    incidents: int
    services: tuple[str, ...]
    statuses: dict[str, int]
    heads: tuple[str, ...] = ()


class Book:
    """Reads and writes what has been shown. Every method raises LedgerUnavailable."""

    def __init__(self, client: Any, table: str, owner: str) -> None:
        self._client = client
        self._table = table
        self._owner = owner

    def open(self, thread: str, channel: str, now: datetime) -> Shown | None:
        """Takes a thread to post to it, and what it shows; None while another invocation posts there."""
        place, moment = _place(thread, channel), now.timestamp()
        try:
            old = self._client.update_item(
                TableName=self._table,
                Key=items.key(place, "THREAD"),
                UpdateExpression="SET lock_until = :until, lock_by = :me, #ttl = :ttl",
                ConditionExpression="attribute_not_exists(lock_until) OR lock_until <= :now OR lock_by = :me",
                ExpressionAttributeNames={"#ttl": "ttl"},
                ExpressionAttributeValues=items.values(
                    until=moment + LOCK_S, me=self._owner, now=moment, ttl=int(moment) + KEPT_S
                ),
                ReturnValues="ALL_OLD",
            ).get("Attributes", {})
        except ClientError as error:
            if error.response["Error"]["Code"] == "ConditionalCheckFailedException":
                return None
            raise LedgerUnavailable(f"update_item: {error}") from error
        except BotoCoreError as error:
            raise LedgerUnavailable(f"update_item: {error}") from error
        rows = self._pages(KeyConditionExpression="pk = :pk", ExpressionAttributeValues=items.values(pk=place))
        news = {row["sk"]["S"][2:]: row for row in rows if row["sk"]["S"].startswith("S#")}
        newest = {one: int(row["shown"]["N"]) for one, row in news.items() if "shown" in row}
        tried = {one: int(row["tried"]["N"]) for one, row in news.items() if "tried" in row}
        unsure = "unsure" in old
        if not unsure and "lock_until" in old and old.get("lock_by", {}).get("S") != self._owner:
            unsure = True
            self._remember_doubt(place)
        over_at = float(old["over_at"]["N"]) if "over_at" in old else None
        where = Thread(thread, old.get("ref", {}).get("S", ""), unsure, over_at is not None, "moved" in old)
        asks = {one: ask_from_json(json.loads(row["ask"]["S"])) for one, row in news.items() if "ask" in row}
        kept = from_json(json.loads(old["state"]["S"]), asks) if "state" in old else Kept(asks=asks)
        return Shown(where, newest, tried, "paged" in old, over_at, kept)

    def kept(self, thread: str, channel: str) -> Kept | None:
        """What a thread has shown in a channel, without its asks; None where it has shown nothing."""
        row = self._call(
            "get_item", TableName=self._table, Key=items.key(_place(thread, channel), "THREAD"), ConsistentRead=True
        ).get("Item", {})
        return from_json(json.loads(row["state"]["S"]), {}) if "state" in row else None

    def has_paged(self, thread: str, channel: str) -> bool:
        """Whether a page of this thread is, or may be, in a channel."""
        row = self._call(
            "get_item", TableName=self._table, Key=items.key(_place(thread, channel), "THREAD"), ConsistentRead=True
        ).get("Item", {})
        return "paged" in row or "unsure" in row

    def _remember_doubt(self, place: str) -> None:
        """What a dead one left in doubt stays so until something is shown, whoever lets the thread go before."""
        self._call(
            "update_item",
            TableName=self._table,
            Key=items.key(place, "THREAD"),
            UpdateExpression="SET unsure = :one",
            ExpressionAttributeValues=items.values(one=1),
        )

    def shown(self, channel: str, post: Post, thread: Thread, now: datetime, kept: Kept | None = None) -> None:
        """A post is there: its number, where its thread is, and what the thread's first message is made of."""
        place, ttl = _place(post.thread, channel), int(now.timestamp()) + KEPT_S
        more: dict[str, float | str] = {"paged": 1.0} if post.severity == "page" else {}
        more |= {"over_at": post.at} if post.over else {}
        more |= {"moved": 1.0} if thread.moved else {}
        names = {"#ref": "ref"} | ({"#state": "state"} if kept else {})
        expression = ", ".join(["#ref = :ref", *(f"{name} = :{name}" for name in more)])
        if kept:
            expression += ", #state = :state"
            more["state"] = json.dumps(to_json(kept))
        self._call(
            "transact_write_items",
            TransactItems=[
                {"Update": {"TableName": self._table, **_seen(place, post, ttl)}},
                {
                    "Update": {
                        "TableName": self._table,
                        "Key": items.key(place, "THREAD"),
                        "UpdateExpression": f"SET {expression} REMOVE unsure" + ("" if thread.moved else ", moved"),
                        "ExpressionAttributeNames": names,
                        "ExpressionAttributeValues": items.values(ref=thread.ref, **more),
                    }
                },
            ],
        )

    def silenced(self, channel: str, post: Post, now: datetime) -> None:
        """News that nobody is shown, because its incident is muted: it must not come again later."""
        ttl = int(now.timestamp()) + KEPT_S
        self._call("update_item", TableName=self._table, **_seen(_place(post.thread, channel), post, ttl))

    def doubt(self, channel: str, post: Post, now: datetime) -> None:
        """A post may be there, or not: nothing older of the same id may be shown from now on."""
        self._call(
            "update_item",
            TableName=self._table,
            Key=items.key(_place(post.thread, channel), f"S#{post.id}"),
            UpdateExpression="SET tried = :tried, #ttl = :ttl",
            ExpressionAttributeNames={"#ttl": "ttl"},
            ExpressionAttributeValues=items.values(tried=post.sequence, ttl=int(now.timestamp()) + KEPT_S),
        )

    def close(self, thread: str, channel: str, *, unsure: bool = False) -> None:
        """Lets the thread go. `unsure`: the last post may be there, or not."""
        expression = "SET unsure = :one REMOVE lock_until, lock_by" if unsure else "REMOVE lock_until, lock_by"
        values = items.values(me=self._owner, **({"one": 1} if unsure else {}))
        try:
            self._client.update_item(
                TableName=self._table,
                Key=items.key(_place(thread, channel), "THREAD"),
                UpdateExpression=expression,
                ConditionExpression="lock_by = :me",
                ExpressionAttributeValues=values,
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                raise LedgerUnavailable(f"update_item: {error}") from error
        except BotoCoreError as error:
            raise LedgerUnavailable(f"update_item: {error}") from error

    # -- storms

    def count(self, channel: str, now: datetime) -> int:
        """Counts one more in this minute; how many it is now."""
        minute = int(now.timestamp()) // 60
        answer = self._call(
            "update_item",
            TableName=self._table,
            Key=items.key(f"N#rate#{channel}", f"M#{minute}"),
            UpdateExpression="SET #ttl = :ttl ADD shown :one",
            ExpressionAttributeNames={"#ttl": "ttl"},
            ExpressionAttributeValues=items.values(one=1, ttl=(minute + 1) * 60 + RATE_KEPT_S),
            ReturnValues="UPDATED_NEW",
        )
        return int(float(answer["Attributes"]["shown"]["N"]))

    def fold(self, channel: str, post: Post, what: str, now: datetime, *, opens: datetime | None = None) -> None:
        """Adds news to the digest of this window, and marks them as seen, both or neither. With `opens` it is told
        when the channel's route opens: what it is about is kept by name, for whoever reads it in the morning."""
        start = int((opens or now).timestamp()) // WINDOW_S * WINDOW_S
        place, ttl = _place(post.thread, channel), int(now.timestamp()) + KEPT_S
        status = f"s_{post.status}"
        digest: Json = {
            "TableName": self._table,
            "Key": items.key(f"N#digest#{channel}", f"W#{start:012d}"),
            "UpdateExpression": (
                "SET #ttl = :ttl ADD news :one, #status :one, alarms :alarm, incidents :incident, services :service"
                + (", heads :head" if opens else "")
            ),
            # What comes too late for a window is tried again, and finds the next one.
            "ConditionExpression": "attribute_not_exists(sealed)",
            "ExpressionAttributeNames": {"#ttl": "ttl", "#status": status},
            "ExpressionAttributeValues": {
                **items.values(ttl=ttl, one=1),
                # A storm of ten thousand alarms must fit in one item of 400 KB: a few letters tell them apart.
                # https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
                ":alarm": {"SS": [_mark(what)]},
                ":incident": {"SS": [_mark(post.thread)]},
                ":service": {"SS": [post.service]},
                **({":head": {"SS": [post.head[:HEAD_LIMIT]]}} if opens else {}),
            },
        }
        seen = {"TableName": self._table, **_seen(place, post, ttl, only_newer=True)}
        try:
            self._client.transact_write_items(TransactItems=[{"Update": seen}, {"Update": digest}])
        except ClientError as error:
            reasons = error.response.get("CancellationReasons", [])
            if reasons and items.failed(reasons[0]):
                return  # it was folded, or something newer was shown
            raise LedgerUnavailable(f"transact_write_items: {error}") from error
        except BotoCoreError as error:
            raise LedgerUnavailable(f"transact_write_items: {error}") from error

    def digests(self, channel: str, now: datetime) -> list[Digest]:
        """What was folded in windows that are over, and nobody has read yet, the oldest first."""
        rows = self._pages(
            KeyConditionExpression="pk = :pk", ExpressionAttributeValues=items.values(pk=f"N#digest#{channel}")
        )
        found = [_digest(channel, row) for row in rows[-WINDOWS:] if "told" not in row]
        return [one for one in found if one.start + WINDOW_S <= now.timestamp()]

    def seal(self, digest: Digest) -> Digest:
        """Closes a window, and what it holds for good: what was folded while it was looked at is told with it."""
        answer = self._call(
            "update_item",
            TableName=self._table,
            Key=items.key(f"N#digest#{digest.channel}", f"W#{digest.start:012d}"),
            UpdateExpression="SET sealed = :one",
            ExpressionAttributeValues=items.values(one=1),
            ReturnValues="ALL_NEW",
        )
        row = answer["Attributes"]
        # Another tick has told it meanwhile; its thread says so to whoever opens it.
        return digest if "told" in row else _digest(digest.channel, row)

    def told(self, digest: Digest) -> None:
        """People have read a digest: its marks are of no more use, and would be read at every tick."""
        self._call(
            "update_item",
            TableName=self._table,
            Key=items.key(f"N#digest#{digest.channel}", f"W#{digest.start:012d}"),
            UpdateExpression="SET told = :one REMOVE alarms, incidents, services, heads",
            ExpressionAttributeValues=items.values(one=1),
        )

    def _pages(self, **query: Any) -> list[Json]:
        return pages(self._call, self._table, {**query, "ConsistentRead": True})

    def _call(self, operation: str, **params: Any) -> Json:
        try:
            answer: Json = getattr(self._client, operation)(**params)
            return answer
        except (ClientError, BotoCoreError) as error:
            raise LedgerUnavailable(f"{operation}: {error}") from error


def newer(posts: Sequence[Post], shown: Shown) -> list[Post]:
    """The posts that are newer than what the thread shows of the same id, in order, each number once."""
    found: dict[tuple[str, int], Post] = {}
    for post in posts:
        if post.sequence > shown.newest.get(post.id, -1) and post.sequence >= shown.tried.get(post.id, -1):
            found.setdefault((post.id, post.sequence), post)
    return sorted(found.values(), key=lambda one: (one.sequence, one.id))


def _place(thread: str, channel: str) -> str:
    return f"N#{thread}#{channel}"


def _seen(place: str, post: Post, ttl: int, *, only_newer: bool = False) -> Json:
    condition = {"ConditionExpression": "attribute_not_exists(shown) OR shown < :shown"} if only_newer else {}
    ask = ask_of(post)
    rest = {"ask": json.dumps(ask_to_json(ask))} if ask else {}
    return {
        "Key": items.key(place, f"S#{post.id}"),
        "UpdateExpression": "SET shown = :shown, #ttl = :ttl" + (", ask = :ask" if ask else " REMOVE ask"),
        "ExpressionAttributeNames": {"#ttl": "ttl"},
        "ExpressionAttributeValues": items.values(shown=post.sequence, ttl=ttl, **rest),
        **condition,
    }


def _mark(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[:8]


def _digest(channel: str, row: Json) -> Digest:
    return Digest(
        channel=channel,
        start=int(row["sk"]["S"][2:]),
        news=int(float(row["news"]["N"])),
        alarms=len(row["alarms"]["SS"]),
        incidents=len(row["incidents"]["SS"]),
        services=tuple(sorted(row["services"]["SS"])),
        statuses={name[2:]: int(float(one["N"])) for name, one in row.items() if name.startswith("s_")},
        heads=tuple(sorted(row.get("heads", {}).get("SS", ()))),
    )
