"""A table's minutes as CloudWatch shows them."""

import pytest

from drills.clients import Traffic
from drills.function_model import FunctionModel
from drills.table_model import TableModel, Use
from drills.world import World

T = 1_764_000_000 - 1_764_000_000 % 3600
TABLE, INDEX = "products", "by-category"
NAMESPACE = "AWS/DynamoDB"


def published(billing="provisioned", seconds=660, rate=100, start=T, read=10_000):
    uses = (Use(TABLE, read_units=0.8, ratio=0.8), Use(TABLE, INDEX, read_units=0.4, ratio=0.2, operation="Query"))
    function = FunctionModel("read", 1.0, 100, uses=uses)
    table = TableModel(TABLE, read, 60, billing, indexes={INDEX: (200, 60)}, cold=True)
    world = World([function], Traffic.steady(rate), 1, start, api_name="a", stage="b", tables=[table])
    world.advance(start + seconds)
    return world


def read(world, name, minutes=10, stat="Sum", late=100, start=T, **dimensions):
    end = start + 60 * minutes
    return world.store.read(NAMESPACE, name, dimensions, stat, 60, start, end, end + late)


def test_what_was_consumed_comes_each_minute_for_the_table_without_its_index():
    world = published()
    mine = read(world, "ConsumedReadCapacityUnits", TableName=TABLE)
    its = read(world, "ConsumedReadCapacityUnits", TableName=TABLE, GlobalSecondaryIndexName=INDEX)
    assert sum(mine) / 600 == pytest.approx(80, rel=0.02)
    assert sum(its) / 600 == pytest.approx(40, rel=0.02)
    # The average is that of a request, not a rate.
    assert read(world, "ConsumedReadCapacityUnits", stat="Average", TableName=TABLE) == pytest.approx(
        [1.0] * 10, rel=0.01
    )
    calls = read(
        world, "ConsumedReadCapacityUnits", stat="SampleCount", TableName=TABLE, GlobalSecondaryIndexName=INDEX
    )
    assert sum(calls) * 2 == pytest.approx(sum(its), rel=0.01)
    assert read(world, "ConsumedWriteCapacityUnits", TableName=TABLE) == [None] * 10


def test_the_capacity_comes_every_five_minutes_and_not_for_an_on_demand_table():
    world = published()
    for dimensions, units in (
        ({"TableName": TABLE}, 10_000),
        ({"TableName": TABLE, "GlobalSecondaryIndexName": INDEX}, 200),
    ):
        capacity = read(world, "ProvisionedReadCapacityUnits", stat="Average", **dimensions)
        assert capacity == [units, None, None, None, None] * 2
    assert read(world, "AccountProvisionedReadCapacityUtilization", stat="Maximum")[5] == 100 * 10_200 / 80_000
    names = {name for _, name, _ in published("on-demand").store.names()}
    assert "ConsumedReadCapacityUnits" in names
    assert not any("Provisioned" in name for name in names)


def test_a_drill_that_begins_between_has_its_first_capacity_at_the_next_five_minutes():
    capacity = read(
        published(start=T + 120), "ProvisionedReadCapacityUnits", stat="Average", start=T + 120, TableName=TABLE
    )
    assert capacity[:4] == [None, None, None, 10_000]


def test_without_throttles_nothing_is_published_of_them_and_without_requests_only_the_capacity():
    assert not any("Throttle" in name for namespace, name, _ in published().store.names() if namespace == NAMESPACE)
    idle = {name for _, name, _ in published(rate=0).store.names()}
    assert idle == {
        "ProvisionedReadCapacityUnits",
        "ProvisionedWriteCapacityUnits",
        "AccountProvisionedReadCapacityUtilization",
        "AccountProvisionedWriteCapacityUtilization",
    }


def test_what_an_on_demand_table_has_not_grown_to_is_throttled_by_its_partitions():
    function = FunctionModel("read", 1.0, 100, uses=(Use(TABLE, read_units=200.0),))
    table = TableModel(TABLE, 1_000, 10, "on-demand")
    world = World([function], Traffic.steady(100), 1, T, api_name="a", stage="b", tables=[table])
    world.advance(T + 60)
    assert world.capacity(TABLE)[0] == 12_000
    assert world.consumed(TABLE)[0] == pytest.approx(12_000, rel=0.03)
    throttled = read(world, "ReadThrottleEvents", 1, TableName=TABLE)
    assert read(world, "ReadKeyRangeThroughputThrottleEvents", 1, TableName=TABLE) == throttled
    assert throttled[0] > 1_000


def test_each_metric_appears_by_itself_5_to_75_seconds_late():
    world, seen = published(read=25, rate=40), []
    for name in ("ConsumedReadCapacityUnits", "ReadThrottleEvents", "ReadProvisionedThroughputThrottleEvents"):
        for minute in range(1, 9):
            start, end = T + 60 * minute, T + 60 * minute + 60
            late = (
                second
                for second in range(0, 80)
                if world.store.read(NAMESPACE, name, {"TableName": TABLE}, "Sum", 60, start, end, end + second)[0]
            )
            seen.append(next(late))
    assert min(seen) >= 5
    assert max(seen) <= 75
    assert len(set(seen)) > 10
