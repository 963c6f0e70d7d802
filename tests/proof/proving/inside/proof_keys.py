"""The condition keys of DynamoDB that the emulator does not know: `dynamodb:LeadingKeys` of every request, and
`dynamodb:Attributes` of writes and conditions. Each member of a transaction carries its own keys.

Without them a statement that demands the key's presence (`Null: false`) refuses every call.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/specifying-conditions.html
"""

import importlib.util
import json
import re
import sys
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any

LEADING, ATTRIBUTES = "dynamodb:LeadingKeys", "dynamodb:Attributes"
MEMBERS = ("Put", "Update", "Delete", "ConditionCheck", "Get")
EXPRESSIONS = ("UpdateExpression", "ConditionExpression", "ProjectionExpression")
KEYWORDS = frozenset(
    {"SET", "REMOVE", "ADD", "DELETE", "AND", "OR", "NOT", "IN", "BETWEEN", "contains", "begins_with", "size"}
    | {"attribute_exists", "attribute_not_exists", "attribute_type", "if_not_exists", "list_append"}
)
_NAME = re.compile(r"(?<![\w:])#?[A-Za-z_]\w*")
_EQUALS = re.compile(r"(#?\w+)\s*=\s*(:\w+)")
_member: ContextVar[dict[str, list[str]] | None] = ContextVar("member", default=None)


def hash_key(table_name: str) -> str:
    """The name of the table's partition key; "" for a table that is not there."""
    from ministack.services.dynamodb import _tables

    table = _tables.get(table_name.rsplit("/", 1)[-1]) or {}
    return next((key["AttributeName"] for key in table.get("KeySchema", ()) if key["KeyType"] == "HASH"), "")


def keys_of(request: dict[str, Any]) -> dict[str, list[str]]:
    """The condition keys of one request, or of one member of a transaction; an absent key is left out."""
    if "RequestItems" in request:
        parts = [
            {"TableName": table, "Key": key}
            for table, asked in request["RequestItems"].items()
            for key in asked["Keys"]
        ]
        leading = [key for part in parts for key in keys_of(part).get(LEADING, ())]
        return {LEADING: leading} if leading else {}
    name = hash_key(str(request.get("TableName", "")))
    names = request.get("ExpressionAttributeNames") or {}
    row = request.get("Item") or request.get("Key") or {}
    leading = [_text(row[name])] if name in row else list(_queried(request, name, names))
    attributes = list(row)
    for field in EXPRESSIONS:
        attributes += [
            names.get(word, word) for word in _NAME.findall(request.get(field) or "") if word not in KEYWORDS
        ]
    found = {LEADING: leading, ATTRIBUTES: list(dict.fromkeys(attributes))}
    return {key: values for key, values in found.items() if values}


def _queried(request: dict[str, Any], name: str, names: dict[str, str]) -> Iterator[str]:
    values = request.get("ExpressionAttributeValues") or {}
    for attribute, place in _EQUALS.findall(request.get("KeyConditionExpression") or ""):
        if names.get(attribute, attribute) == name and place in values:
            yield _text(values[place])


def _text(value: dict[str, Any]) -> str:
    return str(next(iter(value.values())))


class _Checks(list[Any]):
    """The checks of a transaction: while one is being made, the keys of its member are in force."""

    def __init__(self, checks: list[Any], keys: list[dict[str, list[str]]]) -> None:
        super().__init__(checks)
        self.keys = keys

    def __iter__(self) -> Iterator[Any]:
        try:
            for check, keys in zip(list.__iter__(self), self.keys, strict=True):
                _member.set(keys)
                yield check
        finally:
            _member.set(None)


def _install() -> None:
    from ministack.core import iam_actions, iam_evaluator

    context_of, checks_of, enforce = (
        iam_actions.dynamodb_service_context,
        iam_actions.dynamodb_transaction_checks,
        iam_evaluator.enforce,
    )

    def context_with_keys(body: bytes) -> Any:
        return {**context_of(body), **keys_of(_read(body))}

    def checks_with_keys(action: str, body: bytes, *rest: Any) -> Any:
        members = [
            keys_of(item[kind]) for item in _read(body).get("TransactItems", ()) for kind in MEMBERS if kind in item
        ]
        checks = checks_of(action, body, *rest)
        return _Checks(checks, members) if checks else checks

    def enforce_with_keys(*args: Any, **kwargs: Any) -> Any:
        if (keys := _member.get()) is not None:
            kwargs["service_context"] = {**(kwargs.get("service_context") or {}), **keys}
        return enforce(*args, **kwargs)

    iam_actions.dynamodb_service_context = context_with_keys
    iam_actions.dynamodb_transaction_checks = checks_with_keys
    iam_evaluator.enforce = enforce_with_keys


def _read(body: bytes) -> dict[str, Any]:
    try:
        request = json.loads(body or b"{}")
    except ValueError:
        return {}
    return request if isinstance(request, dict) else {}


if "ministack" in sys.orig_argv and importlib.util.find_spec("ministack"):
    _install()
