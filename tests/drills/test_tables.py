"""A starved table, and what becomes of the functions and clients that hang on it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drills.clients import Traffic
from drills.faults import Fault
from drills.function_model import FunctionModel
from drills.table_model import TableModel, Use
from drills.world import World

T = 1_764_000_000 - 1_764_000_000 % 3600
TABLE, INDEX = "products", "by-category"
READS = (Use(TABLE, read_units=1.0),)


def a_function(name="read", share=1.0, mean_ms=150, uses=READS, reserved=800, **changes):
    return FunctionModel(name, share, mean_ms, uses=uses, reserved=reserved, **changes)


def a_table(read=10_000, write=1_000, **changes):
    return TableModel(TABLE, read, write, **{"cold": True, **changes})


def a_world(*functions, table=None, rate=200.0, seed=1, **options):
    traffic = rate if isinstance(rate, Traffic) else Traffic.steady(rate)
    tables = [table if table is not None else a_table()]
    return World(functions, traffic, seed, T, api_name="catalogue", stage="prod", tables=tables, **options)


def lived(world, seconds, step=60):
    for second in range(step, seconds + 1, step):
        world.advance(T + second)
    return world


def metric(world, name, minutes, stat="Sum", index=None, **dimensions):
    named = {"TableName": TABLE, **({"GlobalSecondaryIndexName": index} if index else {}), **dimensions}
    end = T + 60 * minutes
    return world.store.read("AWS/DynamoDB", name, named, stat, 60, T, end, end + 100)


def of_lambda(world, name, minutes, stat, function="read"):
    end = T + 60 * minutes
    return world.store.read("AWS/Lambda", name, {"FunctionName": function}, stat, 60, T, end, end + 100)


# -- nothing is lost ------------------------------------------------------------------------------------------------


@settings(max_examples=10, deadline=None)
@given(
    seed=st.integers(0, 1000),
    read=st.integers(5, 150),
    write=st.integers(2, 30),
    reserved=st.none() | st.integers(10, 100),
    attempts=st.integers(1, 5),
    refuses=st.booleans(),
    timeout=st.sampled_from([1.0, 3.0, 10.0]),
    gateway=st.sampled_from([80, 10_000]),
)
def test_whatever_happens_each_request_has_one_fate_and_no_table_gives_more_than_it_has(
    seed, read, write, reserved, attempts, refuses, timeout, gateway
):
    sdk = {"sdk_attempts": attempts, "refuses": refuses, "timeout_s": timeout}
    either = (Use(TABLE, read_units=0.6, ratio=0.6), Use(TABLE, INDEX, read_units=0.8, ratio=0.4))
    functions = (
        a_function("read", 0.8, uses=either, reserved=reserved, **sdk),
        a_function("write", 0.2, uses=(Use(TABLE, write_units=1.0),), reserved=40, sdk_attempts=10, sdk_base_s=0.05),
    )
    table = a_table(read, write, indexes={INDEX: (read, write)})
    faults = [Fault("errors", 10, 20, 0.2), Fault("gateway", 15, 25, 0.2), Fault("hot-key", 20, 40, 0.9)]
    over = Traffic((0, 60, 61), (100, 100, 0))
    limits = {"gateway_rps": gateway, "gateway_burst": 50}
    world = a_world(*functions, table=table, rate=over, seed=seed, faults=faults, **limits)
    lived(world, 60)
    total = world.totals["total"]
    assert total.offered == total.served + total.failed + total.waiting
    lived(world, 180, step=180)
    total = world.totals["total"]
    assert total.waiting == 0
    assert total.offered == total.served + total.failed
    assert total.offered <= total.attempts <= 3 * total.offered
    assert total.served + total.served_on_retry == total.invocations - total.errors - total.refusals
    for key, series in world.table_series.items():
        for units, capacity in ((series.read, read), (series.write, write)):
            assert units.sum() * 10 <= capacity * 181 + 60, key
    assert world.table_totals["total"].throttled == sum(
        int(one.read_throttled.sum() + one.write_throttled.sum()) for one in world.table_series.values()
    )


def test_the_same_seed_gives_the_same_world_however_finely_time_is_let_pass():
    def starved():
        function = a_function(sdk_attempts=4, error_ratio=0.01)
        faults = [Fault("hot-key", 30, 60, 0.5), Fault("strangers", 20, 40, 300)]
        return a_world(function, table=a_table(150), faults=faults, fast_namespace="Sereno/techmoda")

    coarse, fine = lived(starved(), 120), starved()
    for part in range(1, 401):
        fine.advance(T + part * 0.3)
    assert coarse.totals == fine.totals
    assert coarse.table_totals == fine.table_totals
    assert coarse.table_totals[TABLE].throttled > 1000
    assert metric(coarse, "ReadThrottleEvents", 2) == metric(fine, "ReadThrottleEvents", 2)
    assert (coarse.failed_times["total"] == fine.failed_times["total"]).all()


def test_a_table_that_suffices_changes_nothing_at_all():
    calling, silent = (
        lived(a_world(a_function(reserved=35)), 180),
        lived(a_world(a_function(uses=(), reserved=35)), 180),
    )
    assert calling.totals == silent.totals
    assert calling.totals["read"].throttled > 0
    assert of_lambda(calling, "Duration", 3, "p99") == of_lambda(silent, "Duration", 3, "p99")
    assert calling.table_totals[TABLE].read_units == pytest.approx(calling.totals["read"].invocations)


# -- a starved table --------------------------------------------------------------------------------------------


def test_a_starved_table_meets_its_load_as_the_sum_of_all_attempts_says():
    """A request is six attempts of a call at most: two of the SDK in each of three of the client. With a part q of
    them throttled, rate x (1 - q^6) get through, and that is the capacity. The first answers fail in q^2, and an
    invocation waits half a second on average for each first attempt that is throttled."""
    rate, capacity = 300, 200
    q = (1 - capacity / rate) ** (1 / 6)
    world = lived(a_world(a_function(), table=a_table(capacity), rate=rate), 300)
    total = world.totals["read"]
    assert world.consumed(TABLE, seconds=240)[0] == pytest.approx(capacity, rel=0.01)
    assert total.failed / total.offered == pytest.approx(q**2, rel=0.03)
    assert np.mean(of_lambda(world, "Duration", 5, "Average")[1:]) == pytest.approx(150 + 500 * q, rel=0.02)


def test_a_starved_table_fills_the_environments_though_nobody_came_in_addition():
    calm = lived(a_world(a_function(reserved=60)), 180)
    starved = lived(a_world(a_function(reserved=60), table=a_table(80)), 180)
    assert calm.totals["read"].throttled < 100
    assert starved.series["read"].peak.max() == 60
    assert starved.totals["read"].throttled > 5_000
    before, after = (np.mean(of_lambda(one, "Duration", 3, "Average")) for one in (calm, starved))
    assert after > 2 * before


def test_the_end_of_the_shortage_ends_the_trouble():
    world = lived(a_world(a_function(), table=a_table(100)), 120)
    assert world.table_trouble().ended is None
    world.set_capacity(TABLE, read=1_000)
    assert world.capacity(TABLE) == (1_000, 1_000)
    lived(world, 300, step=300)
    trouble = world.table_trouble(TABLE)
    assert trouble.began == world.first_table_throttle[TABLE] == world.first_table_throttle["total"]
    assert trouble.ended == pytest.approx(T + 120, abs=2)
    assert world.first_throttle["total"] is None
    assert world.table_series[TABLE].read_capacity[[11, 12]].tolist() == [100, 1_000]
    assert world.totals["read"].waiting == 0


def test_a_rested_table_lives_on_its_credit_first():
    world = lived(a_world(a_function(), table=a_table(50, cold=False)), 120)
    # 15,000 units of credit, 150 a second short of what is asked.
    assert world.first_table_throttle[TABLE] - T == pytest.approx(100, abs=6)


@pytest.mark.parametrize("refuses", [True, False])
def test_only_a_function_that_does_not_refuse_makes_an_error_of_it_but_both_are_5xx(refuses):
    world = lived(a_world(a_function(refuses=refuses), table=a_table(100)), 60)
    total = world.totals["read"]
    wanted, other = (total.refusals, total.errors) if refuses else (total.errors, total.refusals)
    assert other == 0 < wanted
    assert sum(of_lambda(world, "Errors", 1, "Sum")) == total.errors
    api = {"ApiName": "catalogue", "Stage": "prod"}
    assert world.store.read("AWS/ApiGateway", "5XXError", api, "Sum", 60, T, T + 60, T + 160) == [wanted]


def test_a_patient_sdk_holds_the_environments_longest():
    quick, patient = (
        lived(a_world(a_function(sdk_attempts=attempts, sdk_base_s=0.05), table=a_table(100)), 60)
        for attempts in (1, 10)
    )
    assert quick.series["read"].peak.max() < 120
    assert patient.series["read"].peak.max() > 300
    assert patient.totals["read"].served > quick.totals["read"].served


def test_nobody_waits_beyond_the_functions_timeout():
    world = lived(a_world(a_function(sdk_attempts=10, timeout_s=3), table=a_table(10)), 120)
    assert max(of_lambda(world, "Duration", 2, "Maximum")) == 3000
    assert world.totals["read"].errors > 1_000


# -- keys and indexes -----------------------------------------------------------------------------------------------


def test_no_capacity_helps_a_hot_key():
    hot = [Fault("hot-key", 0, 120, 0.9, table=TABLE)]
    uses = (Use(TABLE, read_units=20.0),)
    worlds = [lived(a_world(a_function(uses=uses), table=a_table(read), faults=hot), 120) for read in (8_000, 32_000)]
    for world in worlds:
        throttled = metric(world, "ReadThrottleEvents", 2)
        assert metric(world, "ReadKeyRangeThroughputThrottleEvents", 2) == throttled
        assert metric(world, "ReadProvisionedThroughputThrottleEvents", 2) == [None, None]
        assert min(throttled) > 1_000
    few, many = (world.table_totals[TABLE].read_throttled for world in worlds)
    assert many > 0.8 * few


def test_a_shortage_is_told_apart_from_a_hot_key():
    world = lived(a_world(a_function(), table=a_table(100)), 120)
    assert metric(world, "ReadProvisionedThroughputThrottleEvents", 2) == metric(world, "ReadThrottleEvents", 2)
    assert metric(world, "ReadKeyRangeThroughputThrottleEvents", 2) == [None, None]
    assert metric(world, "ReadThrottleEvents", 2) == metric(world, "ThrottledRequests", 2, Operation="GetItem")


def test_a_hot_key_is_gone_with_its_fault_and_spares_an_index():
    hot = [Fault("hot-key", 60, 120, 0.9, table=TABLE)]
    uses = (Use(TABLE, read_units=10.0, ratio=0.5), Use(TABLE, INDEX, read_units=10.0, ratio=0.5))
    table = a_table(40_000, indexes={INDEX: (40_000, 1_000)})
    world = lived(a_world(a_function(uses=uses), table=table, faults=hot, rate=400), 180)
    throttled = metric(world, "ReadThrottleEvents", 3)
    assert throttled[0] is throttled[2] is None
    assert throttled[1] > 100
    assert metric(world, "ReadThrottleEvents", 3, index=INDEX) == [None] * 3


def test_an_index_that_cannot_follow_throttles_the_tables_writes():
    uses = (Use(TABLE, write_units=1.0),)
    world = lived(a_world(a_function(uses=uses), table=a_table(indexes={INDEX: (100, 50)})), 120)
    assert world.consumed(TABLE)[1] == world.consumed(TABLE, INDEX)[1] == pytest.approx(50, rel=0.02)
    assert metric(world, "WriteThrottleEvents", 2) == [None, None]
    events = metric(world, "WriteProvisionedThroughputThrottleEvents", 2, index=INDEX)
    assert events == metric(world, "WriteThrottleEvents", 2, index=INDEX)
    assert events == metric(world, "ThrottledRequests", 2, Operation="PutItem")
    assert world.first_table_throttle[TABLE] is None
    assert world.first_table_throttle[f"{TABLE}/{INDEX}"] == world.first_table_throttle["total"]


def test_a_starved_index_stops_only_those_who_ask_it():
    uses = (Use(TABLE, read_units=0.5, ratio=0.5), Use(TABLE, INDEX, read_units=0.5, ratio=0.5))
    world = lived(a_world(a_function(uses=uses), table=a_table(indexes={INDEX: (1, 1_000)})), 120)
    total = world.totals["read"]
    # Half the requests never ask the index; hardly any of the others gets an answer.
    assert total.served / total.offered == pytest.approx(0.5, abs=0.03)
    assert world.table_totals[TABLE].throttled == 0


def test_a_world_knows_its_tables():
    with pytest.raises(ValueError, match=r"read uses orders, which is no table of this world; known: products"):
        a_world(a_function(uses=(Use("orders", read_units=1),)))
    world = a_world(a_function())
    assert world.tables == (TABLE,)
    assert world.consumed(TABLE) == (0.0, 0.0)
    with pytest.raises(KeyError):
        world.set_capacity("orders", read=1)
    with pytest.raises(KeyError):
        world.capacity(TABLE, "by-brand")
