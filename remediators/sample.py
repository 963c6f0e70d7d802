"""Whether two regions hold the same: a sample of a table's items, read in both and compared in memory. What the items
say goes nowhere; only how many were alike is told.

The tables' own counts are of no use for that: DynamoDB brings them up to date about every six hours.
https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TableDescription.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from sereno.model import Json

# As many as one BatchGetItem answers; segments of a parallel scan are at most a million.
# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html
# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Scan.html
SIZE, SEGMENTS = 100, 1_000_000


@dataclass(frozen=True, slots=True)
class Compared:
    """What was found of one table: so many items were read in both regions, so many of them are not alike. `problem`
    says why nothing could be read."""

    table: str
    read: int = 0
    apart: int = 0
    problem: str = ""

    def to_json(self) -> Json:
        return {"table": self.table, "read": self.read, "apart": self.apart, "problem": self.problem}


def compare(here: Any, there: Any, table: str, now: datetime, leave_out: str = "") -> Compared:
    """Compares a sample of a table between two regions' clients of DynamoDB. Another part of the table is read each
    time. Items that are not alike are read once more, for they may have been written meanwhile. Items with a
    key that begins with `leave_out` are not compared: the canaries. Never raises what AWS raises.
    """
    try:
        names, sample = _sample(here, table, now)
        wanted = [one for one in sample if not _left_out(one, leave_out)]
        apart = _apart(here, there, table, names, wanted)
        if apart:
            apart = _apart(here, there, table, names, apart)
        return Compared(table, len(wanted), len(apart))
    except (ClientError, BotoCoreError) as error:
        return Compared(table, problem=f"{type(error).__name__}: {error}"[:200])


def _left_out(key: Json, prefix: str) -> bool:
    return bool(prefix) and any(value.get("S", "").startswith(prefix) for value in key.values())


def _sample(client: Any, table: str, now: datetime) -> tuple[Sequence[str], list[Json]]:
    """The names of the key attributes, and the keys of the sample."""
    told = client.describe_table(TableName=table)["Table"]
    names = [one["AttributeName"] for one in told["KeySchema"]]
    segments = min(max(int(told.get("ItemCount", 0)) // SIZE, 1), SEGMENTS)
    found = client.scan(
        TableName=table,
        Limit=SIZE,
        TotalSegments=segments,
        Segment=int(now.timestamp()) % segments,
        ProjectionExpression=", ".join(f"#k{number}" for number in range(len(names))),
        ExpressionAttributeNames={f"#k{number}": name for number, name in enumerate(names)},
    )
    return names, list(found["Items"])


def _apart(here: Any, there: Any, table: str, names: Sequence[str], keys: Sequence[Json]) -> list[Json]:
    """The keys whose items are not alike. What a region did not answer for want of capacity is left out."""
    if not keys:
        return []
    mine, unread = _items(here, table, names, keys)
    theirs, also = _items(there, table, names, keys)
    unknown = unread | also
    return [key for key in keys if (name := _name(key, names)) not in unknown and mine.get(name) != theirs.get(name)]


def _items(client: Any, table: str, names: Sequence[str], keys: Sequence[Json]) -> tuple[dict[str, Json], set[str]]:
    answer = client.batch_get_item(RequestItems={table: {"Keys": list(keys), "ConsistentRead": True}})
    unread = answer.get("UnprocessedKeys", {}).get(table, {}).get("Keys", [])
    found = {_name(one, names): one for one in answer["Responses"].get(table, [])}
    return found, {_name(one, names) for one in unread}


def _name(item: Mapping[str, Any], names: Sequence[str]) -> str:
    return repr([item[name] for name in names])
