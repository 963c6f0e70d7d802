"""Reading a DynamoDB table whole answers at a time: every page of a query, and rows by their keys."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from sereno.errors import LedgerUnavailable
from sereno.model import Json

# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html
READ_AT_ONCE = 100
Call = Callable[..., Json]


def pages(call: Call, table: str, query: Any) -> list[Json]:
    """Every row of a query. `call` is (operation, **params) and raises LedgerUnavailable."""
    rows: list[Json] = []
    start: Json = {}
    while True:
        answer = call("query", TableName=table, **query, **start)
        rows += answer["Items"]
        if "LastEvaluatedKey" not in answer:
            return rows
        start = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}


def read_many(call: Call, table: str, keys: Sequence[Json]) -> list[Json]:
    """The rows of these keys that are there, read consistently, a hundred in a call, in no order. Raises
    LedgerUnavailable, also when the table answers nothing of what is asked."""
    rows: list[Json] = []
    for start in range(0, len(keys), READ_AT_ONCE):
        wanted = list(keys[start : start + READ_AT_ONCE])
        while wanted:
            answer = call("batch_get_item", RequestItems={table: {"Keys": wanted, "ConsistentRead": True}})
            rows += answer["Responses"].get(table, [])
            left = answer.get("UnprocessedKeys", {}).get(table, {}).get("Keys", [])
            if len(left) == len(wanted):
                raise LedgerUnavailable("batch_get_item: the table answers nothing of what is asked")
            wanted = left
    return rows
