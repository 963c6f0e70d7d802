"""The fakes of the spine, shipped: a ledger's table and a topic in memory, with DynamoDB's own rules.

They stand in for moto where a test plays thousands of lives: a call costs microseconds and not milliseconds. The
ledger's tests run on both, so that they agree.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from botocore.exceptions import ClientError

from sereno.model import Json

Test = Callable[[Json, Mapping[str, Any]], bool]
_TOKEN = re.compile(r"\s*(<=|<>|>=|[=<>(),]|[#:]?\w+)")
_CLAUSE = re.compile(r"[^,(]+(?:\([^)]*\))?[^,(]*")
_IF_NOT_EXISTS = re.compile(r"if_not_exists\((\w+), *(:\w+)\)")
_PARTITION = re.compile(r"pk = (:\w+)(?: AND .*)?$")
_SECTION = re.compile(r"\b(SET|REMOVE|ADD)\b")
_COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {
    "=": lambda left, right: left == right,
    "<": lambda left, right: left < right,
    "<=": lambda left, right: left <= right,
}


class Rows(dict[tuple[str, str], Json]):
    """The items by their keys, and those of a partition (and those in the index) without looking at the others."""

    def __init__(self, rows: Mapping[tuple[str, str], Json] | None = None) -> None:
        super().__init__()
        self.parts: dict[str, dict[tuple[str, str], None]] = {}
        self.indexed: dict[tuple[str, str], None] = {}
        for key, row in (rows or {}).items():
            self[key] = row

    def __setitem__(self, key: tuple[str, str], row: Json) -> None:
        super().__setitem__(key, row)
        self.parts.setdefault(key[0], {})[key] = None
        if "due_at" in row:
            self.indexed[key] = None
        else:
            self.indexed.pop(key, None)

    def __delitem__(self, key: tuple[str, str]) -> None:
        super().__delitem__(key)
        del self.parts[key[0]][key]
        self.indexed.pop(key, None)

    def __reduce__(self) -> tuple[type[Rows], tuple[dict[tuple[str, str], Json]]]:
        return Rows, (dict(self),)

    def of(self, pk: str) -> list[Json]:
        """The items of a partition."""
        return [self[key] for key in self.parts.get(pk, ())]

    def in_index(self) -> list[Json]:
        """The items that the index of what is open holds."""
        return [self[key] for key in self.indexed]


@dataclass
class MemoryTable:
    """A DynamoDB client with one table: the operations and the kinds of expression that the ledger uses.

    An expression of another kind raises ValueError. Items come back as they were put.
    """

    rows: dict[tuple[str, str], Json] = field(default_factory=Rows)

    def __post_init__(self) -> None:
        if not isinstance(self.rows, Rows):
            self.rows = Rows(self.rows)

    def get_item(self, **params: Any) -> Json:
        """The item, if it is there."""
        found = self.rows.get(_key(params["Key"]))
        return {"Item": dict(found)} if found else {}

    def batch_get_item(self, **params: Any) -> Json:
        """The items of one table that are there."""
        ((table, asked),) = params["RequestItems"].items()
        found = [self.rows[_key(one)] for one in asked["Keys"] if _key(one) in self.rows]
        return {"Responses": {table: [dict(one) for one in found]}, "UnprocessedKeys": {}}

    def put_item(self, **params: Any) -> Json:
        """Puts an item, if its condition holds."""
        self._alone({"Put": params}, "PutItem")
        return {}

    def update_item(self, **params: Any) -> Json:
        """Updates an item, if its condition holds."""
        old = dict(self.rows.get(_key(params["Key"]), {}))
        self._alone({"Update": params}, "UpdateItem")
        wanted = params.get("ReturnValues", "NONE")
        if wanted == "NONE":
            return {}
        return {"Attributes": old if wanted == "ALL_OLD" else dict(self.rows[_key(params["Key"])])}

    def delete_item(self, **params: Any) -> Json:
        """Deletes an item, if its condition holds."""
        self._alone({"Delete": params}, "DeleteItem")
        return {}

    def transact_write_items(self, **params: Any) -> Json:
        """All or nothing; the reasons of a cancellation in the order of the writes."""
        writes = params["TransactItems"]
        keys = [_target(write) for write in writes]
        if len(set(keys)) < len(keys):
            raise _error("ValidationException", "TransactWriteItems", "one item stands twice in the transaction")
        refused = [not self._holds(write) for write in writes]
        if any(refused):
            reasons = [
                self._reason(write) if no else {"Code": "None"} for write, no in zip(writes, refused, strict=True)
            ]
            raise ClientError(
                {
                    "Error": {"Code": "TransactionCanceledException", "Message": "cancelled"},
                    "CancellationReasons": reasons,
                },
                "TransactWriteItems",
            )
        for write in writes:
            self._write(write)
        return {}

    def query(self, **params: Any) -> Json:
        """By key, or by the index of what is open."""
        known = params.get("ExpressionAttributeValues", {})
        condition = _condition(_named(params["KeyConditionExpression"], params))
        own = _PARTITION.match(params["KeyConditionExpression"])
        wanted = known[own[1]]["S"] if own else None
        assert isinstance(self.rows, Rows)
        if params.get("IndexName"):
            rows = self.rows.in_index()
        else:
            rows = list(self.rows.values()) if wanted is None else self.rows.of(wanted)
        found = [row for row in rows if condition(row, known)]
        if params.get("IndexName"):
            found = [row for row in found if "due_at" in row]
            return {"Items": [dict(row) for row in sorted(found, key=lambda row: float(row["due_at"]["N"]))]}
        forward = params.get("ScanIndexForward", True)
        ordered = sorted(found, key=_key, reverse=not forward)
        if "ExclusiveStartKey" in params:
            ordered = ordered[[_key(row) for row in ordered].index(_key(params["ExclusiveStartKey"])) + 1 :]
        page = ordered[: params.get("Limit")]
        more = {"LastEvaluatedKey": {"pk": page[-1]["pk"], "sk": page[-1]["sk"]}} if len(page) < len(ordered) else {}
        return {"Items": [dict(row) for row in page], **more}

    def scan(self, **_: Any) -> Json:
        """Everything."""
        return {"Items": [dict(row) for row in self.rows.values()]}

    def _alone(self, write: Json, operation: str) -> None:
        if not self._holds(write):
            refusal = _error("ConditionalCheckFailedException", operation, "the condition does not hold")
            refusal.response.update({name: one for name, one in self._reason(write).items() if name == "Item"})
            raise refusal
        self._write(write)

    def _holds(self, write: Json) -> bool:
        ((_, params),) = write.items()
        if "ConditionExpression" not in params:
            return True
        condition = _condition(_named(params["ConditionExpression"], params))
        return condition(self.rows.get(_target(write), {}), params.get("ExpressionAttributeValues", {}))

    def _reason(self, write: Json) -> Json:
        ((_, params),) = write.items()
        old = self.rows.get(_target(write))
        shown = {"Item": dict(old)} if old and params.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD" else {}
        return {"Code": "ConditionalCheckFailed", **shown}

    def _write(self, write: Json) -> None:
        if "Put" in write:
            self.rows[_target(write)] = dict(write["Put"]["Item"])
            return
        if "Delete" in write:
            if _target(write) in self.rows:
                del self.rows[_target(write)]
            return
        params = write["Update"]
        row = dict(self.rows.get(_target(write), params["Key"]))
        _update(row, _named(params["UpdateExpression"], params), params.get("ExpressionAttributeValues", {}))
        self.rows[_target(write)] = row


@dataclass
class MemoryTopic:
    """An SNS client that keeps what was published, decoded."""

    published: list[Json] = field(default_factory=list)

    def publish(self, **params: Any) -> Json:
        """Keeps a message."""
        self.published.append(json.loads(params["Message"]))
        return {"MessageId": str(len(self.published))}


def _error(code: str, operation: str, message: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, operation)


def _key(item: Json) -> tuple[str, str]:
    return item["pk"]["S"], item["sk"]["S"]


def _target(write: Json) -> tuple[str, str]:
    ((kind, params),) = write.items()
    return _key(params["Item"] if kind == "Put" else params["Key"])


def _named(expression: str, params: Json) -> str:
    """The expression with its names in place of `#name`."""
    for name, real in params.get("ExpressionAttributeNames", {}).items():
        expression = re.sub(rf"{re.escape(name)}\b", real, expression)
    return expression


def _update(row: Json, expression: str, known: Mapping[str, Any]) -> None:
    _, *parts = _SECTION.split(expression)
    for section, text in zip(parts[::2], parts[1::2], strict=True):
        for clause in _CLAUSE.findall(text):
            if section == "SET":
                name, value = (part.strip() for part in clause.split("=", 1))
                kept = _IF_NOT_EXISTS.fullmatch(value)
                row[name] = row[kept[1]] if kept and kept[1] in row else known[kept[2] if kept else value]
            elif section == "REMOVE":
                row.pop(clause.strip(), None)
            else:
                name, value = clause.split()
                if "SS" in known[value]:
                    row[name] = {"SS": sorted({*row.get(name, {"SS": []})["SS"], *known[value]["SS"]})}
                    continue
                added = float(row.get(name, {"N": "0"})["N"]) + float(known[value]["N"])
                row[name] = {"N": repr(int(added) if added.is_integer() else added)}


@lru_cache(maxsize=256)
def _condition(expression: str) -> Test:
    tokens = _TOKEN.findall(expression)
    test = _either(tokens)
    if tokens:
        raise ValueError(f"{expression!r}: {tokens} is of no known kind")
    return test


def _either(tokens: list[str]) -> Test:
    tests = [_both(tokens)]
    while tokens and tokens[0] == "OR":
        tokens.pop(0)
        tests.append(_both(tokens))
    return lambda row, known: any(test(row, known) for test in tests)


def _both(tokens: list[str]) -> Test:
    tests = [_single(tokens)]
    while tokens and tokens[0] == "AND":
        tokens.pop(0)
        tests.append(_single(tokens))
    return lambda row, known: all(test(row, known) for test in tests)


def _single(tokens: list[str]) -> Test:
    first = tokens.pop(0)
    if first == "NOT":
        refused = _single(tokens)
        return lambda row, known: not refused(row, known)
    if first == "contains":
        _, name, _, value, _ = (tokens.pop(0) for _ in range(5))
        return lambda row, known: known[value]["S"] in row.get(name, {"SS": []})["SS"]
    if first == "(":
        inner = _either(tokens)
        tokens.pop(0)
        return inner
    if first in ("attribute_exists", "attribute_not_exists"):
        _, name, _ = tokens.pop(0), tokens.pop(0), tokens.pop(0)
        wanted = first == "attribute_exists"
        return lambda row, _: (name in row) is wanted
    if first == "begins_with":
        _, name, _, value, _ = (tokens.pop(0) for _ in range(5))
        return lambda row, known: name in row and row[name]["S"].startswith(known[value]["S"])
    compare, value = _COMPARE[tokens.pop(0)], tokens.pop(0)
    if first.startswith(":"):
        return lambda _, known: compare(_plain(known[first]), _plain(known[value]))
    return lambda row, known: first in row and compare(_plain(row[first]), _plain(known[value]))


def _plain(value: Json) -> str | float:
    return float(value["N"]) if "N" in value else str(value["S"])
