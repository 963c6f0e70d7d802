"""The products table: bounded calls, conditional writes, opaque cursors."""

from __future__ import annotations

import base64
import binascii
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Any

import boto3
from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionError, HTTPClientError
from products import ID

INDEX = "by-category"

# Retried a moment later these may pass; they are our trouble and not the caller's.
PASSING = frozenset(
    {
        "InternalServerError",
        "ItemCollectionSizeLimitExceededException",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "ServiceUnavailable",
        "ThrottlingException",
        "TransactionConflictException",
    }
)


class NotFound(Exception):
    """No product has this id."""


class Taken(Exception):
    """A product with this id is there already."""


class Changed(Exception):
    """The product stands at another version than the caller expected."""

    def __init__(self, current: int) -> None:
        super().__init__(f"the product stands at version {current}")
        self.current = current


class BadCursor(Exception):
    """The cursor was not made here, or for another filter."""


@dataclass(frozen=True, slots=True)
class Page:
    """One page of products, and the cursor of the next one (None at the end)."""

    items: list[dict[str, Any]]
    cursor: str | None


@lru_cache(maxsize=2)
def client(*, connect_s: float = 1.0, read_s: float = 2.0, attempts: int = 2) -> Any:
    """One client a purpose, made at the first use and kept as long as the environment lives.

    Two attempts of at most three seconds stay well below the function's timeout of ten: a slow table answers
    the caller with 503 instead of holding every environment until Lambda kills it.
    """
    config = Config(
        connect_timeout=connect_s,
        read_timeout=read_s,
        retries={"mode": "standard", "total_max_attempts": attempts},
    )
    return boto3.client("dynamodb", config=config)


def table() -> str:
    """The table's name, from the function's environment."""
    return os.environ["TABLE_NAME"]


def is_passing(error: Exception) -> bool:
    """Whether the table, and not the request, is at fault: throttled, failing or out of reach."""
    if isinstance(error, ClientError):
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return error.response["Error"]["Code"] in PASSING or status >= 500
    return isinstance(error, (ConnectionError, HTTPClientError))


def get(product_id: str) -> dict[str, Any]:
    """The product. Raises NotFound."""
    _require_possible(product_id)
    found = client().get_item(TableName=table(), Key=_key(product_id), ConsistentRead=True)
    if "version" not in found.get("Item", {}):
        raise NotFound(product_id)
    return _from_item(found["Item"])


def page(*, limit: int, category: str | None, cursor: str | None) -> Page:
    """At most `limit` products, of one category or of all. Raises BadCursor."""
    request: dict[str, Any] = {"TableName": table(), "Limit": limit}
    if cursor is not None:
        request["ExclusiveStartKey"] = _start(cursor, category)
    if category is None:
        # What watches the replication has an item here too, which is no product.
        answer = client().scan(**request, FilterExpression="attribute_exists(version)")
    else:
        answer = client().query(
            **request,
            IndexName=INDEX,
            KeyConditionExpression="category = :category",
            ExpressionAttributeValues={":category": {"S": category}},
        )
    last = answer.get("LastEvaluatedKey")
    return Page([_from_item(item) for item in answer["Items"]], _cursor(last, category) if last else None)


def create(product: Mapping[str, Any]) -> None:
    """Writes a product that must not be there yet. Raises Taken."""
    try:
        client().put_item(TableName=table(), Item=_to_item(product), ConditionExpression="attribute_not_exists(id)")
    except ClientError as error:
        if error.response["Error"]["Code"] == "ConditionalCheckFailedException":
            raise Taken(product["id"]) from error
        raise


def replace(product: Mapping[str, Any], *, expected: int) -> None:
    """Writes the product over the one at version `expected`. Raises NotFound, Changed."""
    _require_possible(product["id"])
    _guarded("put_item", expected, Item=_to_item(product))


def delete(product_id: str, *, expected: int) -> None:
    """Deletes the product that stands at version `expected`. Raises NotFound, Changed."""
    _require_possible(product_id)
    _guarded("delete_item", expected, Key=_key(product_id))


def probe() -> None:
    """A read whose cost and time are bounded: one attempt, half a second to connect, one to answer.

    Reads a key that no product can have, so it costs half a read unit and no product decides about health.
    """
    quick = client(connect_s=0.5, read_s=1.0, attempts=1)
    quick.get_item(TableName=table(), Key=_key("HEALTH"), ConsistentRead=False)


def _require_possible(product_id: str) -> None:
    """An id that no product can have is not there; DynamoDB would call a key over 2,048 bytes invalid."""
    if not ID.fullmatch(product_id):
        raise NotFound(product_id)


def _guarded(operation: str, expected: int, **request: Any) -> None:
    """A write on condition of the version. The condition compares one attribute and not the whole item, because
    DynamoDB limits a condition to 4 KB."""
    try:
        getattr(client(), operation)(
            TableName=table(),
            ConditionExpression="attribute_exists(id) AND #version = :expected",
            ExpressionAttributeNames={"#version": "version"},
            ExpressionAttributeValues={":expected": {"N": str(expected)}},
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
            **request,
        )
    except ClientError as error:
        if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
            raise
        old = error.response.get("Item")
        if not old:
            raise NotFound from error
        raise Changed(int(old["version"]["N"])) from error


def _key(product_id: str) -> dict[str, Any]:
    return {"id": {"S": product_id}}


def _to_item(product: Mapping[str, Any]) -> dict[str, Any]:
    serialize = TypeSerializer().serialize
    return {name: serialize(value) for name, value in product.items()}


def _from_item(item: Mapping[str, Any]) -> dict[str, Any]:
    deserialize = TypeDeserializer().deserialize
    return {name: _plain(deserialize(value)) for name, value in item.items()}


def _plain(value: Any) -> Any:
    """boto3 reads every number as Decimal; this catalogue stores integers only."""
    if isinstance(value, Decimal):
        return int(value)
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    return value


def _cursor(last: Mapping[str, Any], category: str | None) -> str:
    """Carries the filter too: a cursor of one category, used with another, would skip products silently."""
    text = json.dumps([category, last["id"]["S"]], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _start(cursor: str, category: str | None) -> dict[str, Any]:
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        of_category, last = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (binascii.Error, ValueError, TypeError) as error:
        raise BadCursor(cursor) from error
    if of_category != category or not isinstance(last, str) or not ID.fullmatch(last):
        raise BadCursor(cursor)
    return _key(last) if category is None else {**_key(last), "category": {"S": category}}
