"""Whether two regions hold the same, told from a sample."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from moto import mock_aws

from remediators import sample

NOW = datetime(2026, 11, 27, 20, 0, tzinfo=UTC)
TABLE = "techmoda-products"


@pytest.fixture
def pair():
    """The table in two regions, with the same fifty items."""
    with mock_aws():
        clients = [boto3.client("dynamodb", region_name=region) for region in ("eu-central-1", "eu-west-1")]
        for client in clients:
            client.create_table(
                TableName=TABLE,
                BillingMode="PAY_PER_REQUEST",
                KeySchema=[
                    {"AttributeName": "shop", "KeyType": "HASH"},
                    {"AttributeName": "name", "KeyType": "RANGE"},
                ],
                AttributeDefinitions=[
                    {"AttributeName": "shop", "AttributeType": "S"},
                    {"AttributeName": "name", "AttributeType": "N"},
                ],
            )
            for number in range(50):
                put(client, number)
        yield clients


def put(client: Any, number: int, price: str = "10", shop: str = "s") -> None:
    """`name` is a reserved word of DynamoDB, as keys like to be."""
    item = {"shop": {"S": shop}, "name": {"N": str(number)}, "price": {"S": price}}
    client.put_item(TableName=TABLE, Item=item)


class Meanwhile:
    """A client that lets something happen before its first read of items."""

    def __init__(self, inner: Any, happens: Any = None, unread: int = 0) -> None:
        self._inner, self._happens, self._unread = inner, happens, unread

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def batch_get_item(self, **params: Any) -> Any:
        answer = self._inner.batch_get_item(**params)
        if self._happens:
            self._happens()
            self._happens = None
        if self._unread:
            rows = answer["Responses"][TABLE]
            left, answer["Responses"][TABLE] = rows[: self._unread], rows[self._unread :]
            keys = [{"shop": one["shop"], "name": one["name"]} for one in left]
            answer["UnprocessedKeys"] = {TABLE: {"Keys": keys}}
        return answer


def test_what_is_the_same_is_told_so(pair):
    assert sample.compare(*pair, TABLE, NOW) == sample.Compared(TABLE, 50, 0)


def test_what_differs_or_is_missing_is_counted(pair):
    here, there = pair
    put(here, 3, "11")
    there.delete_item(TableName=TABLE, Key={"shop": {"S": "s"}, "name": {"N": "4"}})
    assert sample.compare(here, there, TABLE, NOW) == sample.Compared(TABLE, 50, 2)


def test_what_is_written_meanwhile_is_looked_at_again(pair):
    here, there = pair

    def replicated() -> None:
        put(there, 3, "11")

    put(here, 3, "11")
    # It arrives between the read here and the read there of the second look.
    assert sample.compare(here, Meanwhile(there, replicated), TABLE, NOW).apart == 0


def test_canaries_are_left_out(pair):
    here, there = pair
    put(here, 1, shop="sereno-canary")
    put(here, 1, shop="sereno-canary-back")
    assert sample.compare(here, there, TABLE, NOW, leave_out="sereno-canary").apart == 0
    assert sample.compare(here, there, TABLE, NOW).apart == 2


def test_what_was_not_answered_is_no_difference(pair):
    here, there = pair
    assert sample.compare(here, Meanwhile(there, unread=5), TABLE, NOW).apart == 0


def test_a_region_that_does_not_answer_is_told(pair):
    here, there = pair
    there.delete_table(TableName=TABLE)
    found = sample.compare(here, there, TABLE, NOW)
    assert (found.read, found.apart) == (0, 0)
    assert "ResourceNotFoundException" in found.problem


def test_an_empty_table_has_nothing_to_compare():
    with mock_aws():
        client = boto3.client("dynamodb", region_name="eu-west-1")
        client.create_table(
            TableName=TABLE,
            BillingMode="PAY_PER_REQUEST",
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        )
        assert sample.compare(client, client, TABLE, NOW) == sample.Compared(TABLE)


@pytest.mark.parametrize(("items", "segments"), [(0, 1), (99, 1), (250, 2), (10**9, 1_000_000)])
def test_another_part_of_a_large_table_is_read_each_time(items, segments):
    asked = []

    class Large:
        def describe_table(self, **_: Any) -> Any:
            return {"Table": {"KeySchema": [{"AttributeName": "id"}], "ItemCount": items}}

        def scan(self, **params: Any) -> Any:
            asked.append((params["TotalSegments"], params["Segment"], params["Limit"]))
            return {"Items": []}

    sample.compare(Large(), None, TABLE, NOW)
    assert asked == [(segments, int(NOW.timestamp()) % segments, 100)]
