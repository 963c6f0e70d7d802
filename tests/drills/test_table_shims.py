"""DynamoDB's control plane as a caller meets it: on moto, with the drill's own sense of time."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from drills import shims
from drills.metrics import MetricStore
from drills.table_shims import Tables, wanted
from drills.table_updates import TableUpdates, Update
from remediators.clients import BotocoreAws

NOON = 1_795_521_600.0
TABLE, INDEX = "shop-products", "by-category"
LANES = {(None, "read"): 300.0, (None, "write"): 50.0, (INDEX, "read"): 150.0, (INDEX, "write"): 50.0}


class Place:
    """A table on moto, its capacities in a world, and a clock that the test moves."""

    def __init__(self) -> None:
        self.now = NOON
        self.capacities = dict(LANES)
        self.calendar: list[tuple[float, int, Callable[[], None]]] = []
        self.answers = shims.Answers(MetricStore(), lambda: self.now)
        world: Any = SimpleNamespace(tables=(TABLE,), capacity=self._capacity, set_capacity=self._set)
        self.updates = TableUpdates(world, 1, self._at, takes=(60, 60), through=self._through)
        self.tables = Tables(self.updates, lambda: self.now, lambda: self.client)

    def open(self) -> None:
        """The account begins, and with it the drill's answers."""
        self.aws = BotocoreAws("eu-west-1")
        self.client = self.aws.client("dynamodb")
        for name in (TABLE, "ledger"):
            self.client.create_table(
                TableName=name,
                KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
                AttributeDefinitions=[
                    {"AttributeName": "id", "AttributeType": "S"},
                    {"AttributeName": "category", "AttributeType": "S"},
                ],
                GlobalSecondaryIndexes=[
                    {
                        "IndexName": INDEX,
                        "KeySchema": [{"AttributeName": "category", "KeyType": "HASH"}],
                        "Projection": {"ProjectionType": "ALL"},
                        "ProvisionedThroughput": {"ReadCapacityUnits": 150, "WriteCapacityUnits": 50},
                    }
                ],
                ProvisionedThroughput={"ReadCapacityUnits": 300, "WriteCapacityUnits": 50},
            )
        self.answers.tables = self.tables

    def _through(self, update: Update) -> None:
        self.tables.apply(update)

    def _at(self, moment: float, action: Callable[[], None]) -> None:
        heapq.heappush(self.calendar, (moment, len(self.calendar), action))

    def _capacity(self, _: str, index: str | None) -> tuple[float, float]:
        return self.capacities[index, "read"], self.capacities[index, "write"]

    def _set(self, _: str, *, index: str | None, read: float | None = None, write: float | None = None) -> None:
        for kind, units in (("read", read), ("write", write)):
            if units is not None:
                self.capacities[index, kind] = units

    def wait(self, seconds: float) -> None:
        self.now += seconds
        while self.calendar and self.calendar[0][0] <= self.now:
            heapq.heappop(self.calendar)[2]()

    def table(self, name: str = TABLE) -> Any:
        return self.client.describe_table(TableName=name)["Table"]


@pytest.fixture
def place() -> Iterator[Place]:
    with mock_aws():
        found = Place()
        with shims.installed(found.answers):
            found.open()
            yield found


def index_of(table: Any) -> Any:
    (index,) = table["GlobalSecondaryIndexes"]
    return index


def raise_all(place: Place, read: int, index_read: int) -> Any:
    return place.client.update_table(
        TableName=TABLE,
        ProvisionedThroughput={"ReadCapacityUnits": read, "WriteCapacityUnits": 50},
        GlobalSecondaryIndexUpdates=[
            {
                "Update": {
                    "IndexName": INDEX,
                    "ProvisionedThroughput": {"ReadCapacityUnits": index_read, "WriteCapacityUnits": 50},
                }
            }
        ],
    )


def test_a_change_is_answered_with_the_table_as_it_still_is(place):
    answer = raise_all(place, 800, 400)["TableDescription"]
    assert answer["TableStatus"] == "UPDATING"
    assert answer["ProvisionedThroughput"]["ReadCapacityUnits"] == 300
    place.wait(59)
    table = place.table()
    assert (table["TableStatus"], index_of(table)["IndexStatus"]) == ("UPDATING", "UPDATING")
    assert table["ProvisionedThroughput"]["ReadCapacityUnits"] == 300
    assert place.capacities[None, "read"] == 300


def test_when_it_is_through_everybody_sees_the_new_values(place):
    raise_all(place, 800, 400)
    place.wait(60)
    table = place.table()
    assert (table["TableStatus"], index_of(table)["IndexStatus"]) == ("ACTIVE", "ACTIVE")
    assert table["ProvisionedThroughput"]["ReadCapacityUnits"] == place.capacities[None, "read"] == 800
    assert index_of(table)["ProvisionedThroughput"]["ReadCapacityUnits"] == place.capacities[INDEX, "read"] == 400
    assert table["ProvisionedThroughput"]["LastIncreaseDateTime"].timestamp() == NOON


def test_an_index_that_is_not_changed_stays_active(place):
    place.client.update_table(
        TableName=TABLE, ProvisionedThroughput={"ReadCapacityUnits": 800, "WriteCapacityUnits": 50}
    )
    assert index_of(place.table())["IndexStatus"] == "ACTIVE"


def test_aws_refuses_with_its_own_words(place):
    raise_all(place, 800, 400)
    with pytest.raises(ClientError, match="Table is being updated") as refused:
        raise_all(place, 900, 400)
    assert refused.value.response["Error"]["Code"] == "ResourceInUseException"
    place.wait(60)
    for units in (700, 600, 500, 450):
        raise_all(place, units, 400)
        place.wait(60)
    with pytest.raises(ClientError) as limited:
        raise_all(place, 300, 400)
    assert limited.value.response["Error"]["Code"] == "LimitExceededException"
    throughput = place.table()["ProvisionedThroughput"]
    assert throughput["NumberOfDecreasesToday"] == 4
    assert throughput["LastDecreaseDateTime"].timestamp() == NOON + 240
    assert index_of(place.table())["ProvisionedThroughput"]["NumberOfDecreasesToday"] == 0


def test_what_auto_scaling_changes_is_seen_by_everybody_too(place):
    place.updates.begin(TABLE, {(TABLE, INDEX, "write"): 90}, place.now, by="auto scaling")
    assert place.table()["TableStatus"] == "UPDATING"
    place.wait(60)
    throughput = index_of(place.table())["ProvisionedThroughput"]
    assert (throughput["ReadCapacityUnits"], throughput["WriteCapacityUnits"]) == (150, 90)


def test_tables_of_somebody_else_are_left_to_the_embedded_aws(place):
    place.client.update_table(
        TableName="ledger", ProvisionedThroughput={"ReadCapacityUnits": 5, "WriteCapacityUnits": 5}
    )
    assert place.table("ledger")["ProvisionedThroughput"]["ReadCapacityUnits"] == 5
    assert "LastIncreaseDateTime" not in place.table("ledger")["ProvisionedThroughput"]


def test_the_quotas_are_those_that_an_account_gets_today(place):
    assert place.client.describe_limits()["TableMaxReadCapacityUnits"] == 40_000


def test_a_registered_target_is_noticed_and_a_look_at_it_is_not(place):
    client = place.aws.client("application-autoscaling")
    where = {
        "ServiceNamespace": "dynamodb",
        "ResourceId": f"table/{TABLE}",
        "ScalableDimension": "dynamodb:table:ReadCapacityUnits",
    }
    client.describe_scalable_targets(ServiceNamespace="dynamodb")
    assert not place.answers.targets_touched
    client.register_scalable_target(**where, MinCapacity=800, MaxCapacity=4000)
    assert place.answers.targets_touched


def test_an_update_about_something_else_names_no_capacity():
    assert wanted({"TableName": TABLE, "DeletionProtectionEnabled": True}) == {}
    created = {"Create": {"IndexName": "new", "KeySchema": []}}
    assert wanted({"TableName": TABLE, "GlobalSecondaryIndexUpdates": [created]}) == {}
