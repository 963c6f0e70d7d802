"""Raising a table's capacity: each lane by its own need, in one call, with a decrease left for the operator."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remediators import flow
from remediators.actions.raise_capacity import REMEDIATOR, may_release, plan, read, verify
from remediators.watch import parameters
from sereno.errors import StillChanging
from sereno.model import Mode, Plan, Reason, Refusal, Signal, Status, Target, iso
from sereno.ports import Context
from sereno.service import Function, Index, Objectives, Play, Service, Table

NOON = datetime(2026, 9, 29, 12, 0, tzinfo=UTC)
PRODUCTS = Target("table", "techmoda-products", "eu-west-1", "123456789012")
NAME = "raise_capacity"


def context(normal=(66, 10), surge=9.0, indexed=None, **params):
    play = Play("read-capacity", ((NAME,),), Mode.AUTO, params=params)
    indexes = {"by-category": Index("by-category", 150, 50, *indexed)} if indexed else {}
    table = Table("products", "techmoda-products", "provisioned", 300, 50, *normal, indexes=indexes)
    service = Service(
        "techmoda",
        "123456789012",
        ("eu-west-1",),
        Objectives(surge=surge),
        functions={"read": Function("read", "techmoda-read", tables=("products",))},
        tables={"products": table},
    )
    return Context(service, play, PRODUCTS, NOON, parameters(REMEDIATOR, play))


def of_function(**changes):
    """The signal of a function at its limit, which leads to the table that it uses."""
    read = Target("function", "techmoda-read", "eu-west-1", "123456789012")
    signal = Signal("arn@1", "alarm", "techmoda/read/saturation", "saturation", "ALARM", "OK", read, NOON)
    return replace(context(**changes), signal=signal)


def lane(units=0, target=None, maximum=-1, warm=12_000, decreases=0, last=None):
    return {
        "units": units,
        "maximum": maximum,
        "warm": warm,
        "target": target,
        "decreases": decreases,
        "last_decrease": last,
    }


def minutes(usual, recent):
    now = NOON.timestamp()
    return [[now - 60 * ago, 60.0 * (recent if ago <= 5 else usual)] for ago in range(60, 0, -1)]


def observation(reads=66.0, writes=10.0, lanes=None, series=None, limits=None, **facts):
    """An hour of the usual load, then five minutes of this one."""
    return {
        "billing": "provisioned",
        "changing": [],
        "replicas": [],
        "originals": {},
        "lanes": {"read": lane(300), "write": lane(50), **(lanes or {})},
        "limits": {"account_read": 80_000, "account_write": 80_000, "table_read": 40_000, "table_write": 40_000}
        | (limits or {}),
        "series": {
            "read|consumed": minutes(66.0, reads),
            "write|consumed": minutes(10.0, writes),
            **(series or {}),
        },
        **facts,
    }


ON_DEMAND = {"billing": "on-demand"}


@pytest.mark.parametrize(
    ("told", "observed", "values"),
    [
        ({}, {}, {"read": 832, "write": 126}),  # 1.4 x 9 x 66, 1.4 x 9 x 10
        ({}, {"reads": 500}, {"read": 1250, "write": 126}),  # 2.5 x what is asked for now
        ({"surge": 3}, {}, {"read": 300, "write": 50}),  # 278 and 42 are less than what it has
        ({"surge": 4}, {}, {"read": 370, "write": 56}),
        ({"normal": (None, None)}, {}, {"read": 832, "write": 126}),  # undeclared: the usual is measured
        ({"normal": (200, 10)}, {}, {"read": 2520, "write": 126}),
        ({"read_ceiling": 600}, {}, {"read": 600, "write": 126}),
        ({"read_ceiling": 300}, {}, {"read": 300, "write": 126}),  # the writes can be raised all the same
        ({}, {"limits": {"table_read": 700}}, {"read": 700, "write": 126}),
        ({}, {"limits": {"account_write": 100}}, {"read": 832, "write": 100}),
        # 99 % of the account's reads are in use: 800 units are left.
        ({"normal": (200, 10)}, {"series": {"|account|read": [[0, 99.0]]}}, {"read": 1100, "write": 126}),
        # The functions get 12 times the calls; the table sees none of it yet, for their own limit holds it back.
        ({}, {"series": {"|Invocations|read": minutes(100, 1200)}}, {"read": 1109, "write": 168}),
        # 300 consumed, and 900 throttle events at three attempts: 600 units are asked for.
        ({}, {"reads": 300, "series": {"read|throttles": minutes(0, 900)[-5:]}}, {"read": 1500, "write": 126}),
    ],
)
def test_the_lanes_are_sized_once_from_demand_and_the_declared_surge(told, observed, values):
    answer = plan(observation(**observed), context(**told))
    if values == {"read": 300, "write": 50}:
        assert answer.verdict.reason is Reason.NOTHING_TO_DO
        assert "read 300, write 50 is enough" in answer.verdict.detail
        return
    assert isinstance(answer, Plan), answer
    (step,) = answer.steps
    assert (step.setting, step.before, step.after) == ("capacity", {"read": 300, "write": 50}, values)
    assert step.do.params == {
        "TableName": "techmoda-products",
        "ProvisionedThroughput": {"ReadCapacityUnits": values["read"], "WriteCapacityUnits": values["write"]},
    }
    assert step.undo.params["ProvisionedThroughput"] == {"ReadCapacityUnits": 300, "WriteCapacityUnits": 50}
    assert answer.is_lease
    assert all(verdict.ok for _, verdict in answer.gates)


def test_what_it_costs_is_what_is_added_at_list_price():
    answer = plan(observation(), context())
    assert answer.monthly_cost == pytest.approx((532 * 0.000147 + 76 * 0.000735) * 720)
    assert f"{answer.monthly_cost:.2f} USD a month (list price)" in answer.risk


@pytest.mark.parametrize(
    ("told", "observed", "reason", "detail"),
    [
        ({}, {"changing": ["the table is UPDATING"]}, Reason.CHANGE_IN_PROGRESS, "the table is UPDATING"),
        (
            {"normal": (None, None)},
            {"series": {"read|consumed": [], "write|consumed": []}},
            Reason.NO_DATA,
            "no minute",
        ),
        (
            {},
            {"lanes": {"read": lane(832), "write": lane(126)}},
            Reason.NOTHING_TO_DO,
            "read 832, write 126 is enough",
        ),
        (
            {},
            {"lanes": {"read": lane(800), "write": lane(126)}},
            Reason.NOTHING_TO_DO,
            "is enough",
        ),  # a tenth at least
        (
            {"read_ceiling": 300, "write_ceiling": 50},
            {},
            Reason.OVER_CEILING,
            "read is 300, the ceiling is 300; 832 is needed; write is 50, the ceiling is 50; 126 is needed",
        ),
        (
            {"write_ceiling": 50},
            {"limits": {"table_read": 310}},
            Reason.NO_HEADROOM,
            "10 read units are left of the table's quota of 310; read 532 more is needed",
        ),
        (
            {"write_ceiling": 50},
            {"series": {"|account|read": [[0, 100.0]]}},
            Reason.NO_HEADROOM,
            "0 read units are left of the account's quota of 80000",
        ),
        (
            {},
            {"series": {"read|throttles": minutes(0, 5)[-5:], "read|key_range|0": minutes(0, 5)[-5:]}},
            Reason.HOT_KEY,
            "read used 66 of 300 and 1500 calls were throttled, 1500 of them at one range of keys",
        ),
        ({}, {"series": {"read|throttles": minutes(0, 5)[-5:]}}, Reason.HOT_KEY, "a key that spreads, would help"),
    ],
)
def test_it_refuses_with_a_reason(told, observed, reason, detail):
    answer = plan(observation(**observed), context(**told))
    assert isinstance(answer, Refusal), answer
    assert answer.verdict.reason is reason
    assert detail in answer.verdict.detail
    assert answer.gates[-1][1] == answer.verdict


def test_an_index_is_sized_by_its_own_need_and_changes_with_its_table_in_one_call():
    seen = observation(
        lanes={"by-category read": lane(150), "by-category write": lane(200)},
        series={"by-category read|consumed": minutes(33, 33), "by-category write|consumed": minutes(10, 10)},
    )
    (step,) = plan(seen, context(indexed=(33, 10))).steps
    assert step.after == {"read": 832, "write": 126, "by-category read": 416, "by-category write": 200}
    (update,) = step.do.params["GlobalSecondaryIndexUpdates"]
    assert update == {
        "Update": {
            "IndexName": "by-category",
            "ProvisionedThroughput": {"ReadCapacityUnits": 416, "WriteCapacityUnits": 200},
        }
    }


@pytest.mark.parametrize(
    ("calls", "slower", "throttles", "reason"),
    [
        (110, 4, 0, Reason.NOT_DEMAND),  # the table has no part in it
        (110, 4, 50, None),  # it is the table that keeps them waiting
        (600, 2, 0, None),  # a surge on its way to the table, with new environments that start cold
        (100, 1, 0, None),  # a faster metric than these has seen the surge: they do not yet
    ],
)
def test_a_function_that_got_slow_is_no_reason_to_raise_its_table(calls, slower, throttles, reason):
    usual = [[at, 150.0] for at, _ in minutes(100, calls)]
    slow = [[at, 150.0 * slower] for at, _ in usual[-5:]]
    series = {"|Invocations|read": minutes(100, calls), "|Duration|read": usual[:-5] + slow}
    if throttles:
        series["read|throttles"] = minutes(0, throttles)
    answer = plan(observation(reads=290 if throttles else 66, series=series), of_function())
    assert (answer.verdict.reason if isinstance(answer, Refusal) else None) is reason


def test_what_auto_scaling_owns_gets_a_higher_minimum_and_a_maximum_that_lets_it_be():
    seen = observation(lanes={"read": lane(300, [300, 600]), "write": lane(50, [50, 1000])})
    steps = plan(seen, context()).steps
    assert [(step.setting, step.before, step.after) for step in steps] == [
        ("read target", [300, 600], [832, 832]),
        ("write target", [50, 1000], [126, 1000]),
    ]
    assert steps[0].do.params == {
        "ServiceNamespace": "dynamodb",
        "ResourceId": "table/techmoda-products",
        "ScalableDimension": "dynamodb:table:ReadCapacityUnits",
        "MinCapacity": 832,
        "MaxCapacity": 832,
    }
    assert (steps[0].undo.params["MinCapacity"], steps[0].undo.params["MaxCapacity"]) == (300, 600)


def test_an_index_beside_a_table_that_auto_scaling_owns_is_changed_first():
    seen = observation(
        lanes={
            "read": lane(300, [300, 600]),
            "write": lane(50, [50, 100]),
            "by-category read": lane(150),
            "by-category write": lane(50),
        }
    )
    steps = plan(seen, context(indexed=(33, 10))).steps
    assert [step.setting for step in steps] == ["capacity", "read target", "write target"]
    assert steps[0].after == {"by-category read": 416, "by-category write": 126}
    assert "ProvisionedThroughput" not in steps[0].do.params


def test_reads_beside_writes_that_auto_scaling_owns_are_left_alone():
    """UpdateTable sets both, and would take back what auto scaling has done meanwhile."""
    seen = observation(lanes={"read": lane(300), "write": lane(126, [50, 200])})
    verdict = plan(seen, context()).verdict
    assert verdict.reason is Reason.NO_HEADROOM
    assert "auto scaling owns the other half of read" in verdict.detail


# -- on demand


def on_demand(reads=66.0, **facts):
    lanes = {"read": lane(**facts.pop("read", {})), "write": lane(**facts.pop("write", {"warm": 4000}))}
    return observation(reads, lanes=lanes, **ON_DEMAND, **facts)


def test_an_on_demand_table_scales_by_itself():
    verdict = plan(on_demand(), context()).verdict
    assert verdict.reason is Reason.NOTHING_TO_DO
    assert (
        "scales by itself, up to twice its previous peak, and takes read 12000, write 4000 at once" in verdict.detail
    )
    assert "limits.warm" not in verdict.detail


def test_a_maximum_that_somebody_set_is_raised_and_given_back():
    answer = plan(on_demand(read={"maximum": 500}), context())
    (step,) = answer.steps
    assert (step.setting, step.before, step.after) == (
        "on-demand maximum",
        {"read": 500, "write": -1},
        {"read": 832, "write": -1},
    )
    assert step.do.params["OnDemandThroughput"] == {"MaxReadRequestUnits": 832, "MaxWriteRequestUnits": -1}
    assert answer.is_lease
    assert answer.monthly_cost == pytest.approx(332 * 0.1415e-6 * 2_592_000)


def test_a_maximum_that_is_enough_is_left_alone():
    assert plan(on_demand(read={"maximum": 832}), context()).verdict.reason is Reason.NOTHING_TO_DO


def test_an_on_demand_table_that_takes_less_than_the_surge_is_offered_a_warm_up():
    verdict = plan(on_demand(read={"warm": 700}), context()).verdict
    assert verdict.reason is Reason.NOTHING_TO_DO
    assert (
        "read 832 is needed: limits.warm offers to pre-warm it, once charged and never given back" in verdict.detail
    )


def test_warming_up_is_a_plan_without_an_undo():
    answer = plan(on_demand(read={"warm": 700}), context(warm=True))
    (step,) = answer.steps
    assert (step.setting, step.after, step.undo) == ("warm throughput", {"read": 832, "write": 4000}, None)
    assert step.do.params["WarmThroughput"] == {"ReadUnitsPerSecond": 832, "WriteUnitsPerSecond": 4000}
    assert not answer.is_lease
    assert "cannot be lowered again" in answer.risk


def test_an_on_demand_table_at_its_quota_needs_a_higher_quota():
    series = {"read|throttles": minutes(0, 9)[-5:], "read|account|0": minutes(0, 9)[-5:]}
    verdict = plan(on_demand(reads=40_000, series=series), context()).verdict
    assert (verdict.reason, "read 40000" in verdict.detail) == (Reason.NO_HEADROOM, True)


@pytest.mark.parametrize(("reads", "reason"), [(66.0, Reason.HOT_KEY), (7000.0, Reason.NOTHING_TO_DO)])
def test_an_on_demand_table_that_grows_is_not_taken_for_a_hot_key(reads, reason):
    throttled = {"read|throttles": minutes(0, 9)[-5:], "read|key_range|0": minutes(0, 9)[-5:]}
    seen = on_demand(reads, series={**throttled, "read|consumed": minutes(66.0, reads)})
    assert plan(seen, context()).verdict.reason is reason


COUNTS = st.integers(1, 50_000)


@given(COUNTS, COUNTS, st.floats(0, 50_000), st.floats(0, 50_000), COUNTS, COUNTS, st.floats(0, 100))
def test_whatever_it_sees_it_never_lowers_never_passes_the_ceiling_and_stays_within_the_quotas(
    reads, writes, read_demand, write_demand, ceiling, quota, used
):
    seen = observation(
        read_demand,
        write_demand,
        lanes={"read": lane(reads), "write": lane(writes)},
        limits={"table_read": quota, "table_write": quota},
        series={"|account|read": [[0, used]], "|account|write": [[0, used]]},
    )
    answer = plan(seen, context(read_ceiling=ceiling, write_ceiling=ceiling))
    if isinstance(answer, Refusal):
        assert not answer.verdict.ok
        return
    (step,) = answer.steps
    for kind in ("read", "write"):
        before, after = step.before[kind], step.after[kind]
        assert after >= before
        if after > before:
            assert after <= min(ceiling, quota)
            assert after - before <= 80_000 * (1 - used / 100) + 1e-6


def test_planning_again_after_the_raise_does_not_climb():
    first = plan(observation(reads=250), context()).steps[0].after
    again = plan(observation(250, lanes={name: lane(units) for name, units in first.items()}), context())
    assert again.verdict.reason is Reason.NOTHING_TO_DO


# -- afterwards


def lease():
    return plan(observation(), context())


def after(
    newest=0.0,
    units=(832, 126),
    waited_s=120,
    changing=(),
    reads=66.0,
    writes=10.0,
    decreases=0,
    last=None,
    stood=None,
):
    return {
        "minutes": 2,
        "throttles_newest": newest,
        "throttles": newest or 0.0,
        "peaks": {"read": reads, "write": writes},
        "stood": stood or {},
        "lanes": {
            name: lane(one, decreases=decreases, last=last)
            for name, one in zip(("read", "write"), units, strict=True)
        },
        "changing": list(changing),
        "waited_s": waited_s,
    }


@pytest.mark.parametrize(
    ("seen", "reason"),
    [
        ({}, Reason.OK),
        ({"newest": 1.0}, Reason.SYMPTOM_PERSISTS),
        ({"newest": None}, Reason.NO_DATA),
        ({"newest": None, "waited_s": 300}, Reason.OK),
        ({"changing": ["the table is UPDATING"]}, Reason.CHANGE_IN_PROGRESS),
        ({"units": (300, 126)}, Reason.CHANGE_IN_PROGRESS),
        ({"units": (2000, 126)}, Reason.OK),
    ],
)
def test_the_symptom_is_gone_when_nothing_is_throttled_and_the_capacity_is_there(seen, reason):
    assert verify(lease(), after(**seen), context()).reason is reason


@pytest.mark.parametrize(
    ("seen", "reason"),
    [
        ({"reads": 180}, Reason.OK),
        ({"reads": 200}, Reason.STILL_NEEDED),  # with the chance of a minute more than 0.7 x 300
        ({"writes": 40}, Reason.STILL_NEEDED),
        ({"decreases": 2}, Reason.OK),  # the third of four: one is left to the operator
        ({"decreases": 3, "last": iso(NOON - timedelta(hours=3))}, Reason.NO_DECREASE_LEFT),
        ({"decreases": 9}, Reason.NO_DECREASE_LEFT),
        ({"decreases": 3, "last": iso(NOON - timedelta(hours=13))}, Reason.OK),  # those were yesterday's
    ],
)
def test_it_is_released_when_the_peaks_fit_and_a_decrease_is_left_for_the_operator(seen, reason):
    assert may_release(lease(), after(**seen), context()).reason is reason


def test_what_auto_scaling_goes_on_changing_is_verified_by_the_capacity_that_is_there():
    seen = observation(lanes={"read": lane(300, [300, 600]), "write": lane(50, [50, 1000])})
    lease, busy = plan(seen, context()), ["the table is UPDATING"]
    assert verify(lease, after(changing=busy), context()).ok
    behind = verify(lease, after(changing=busy, units=(300, 126)), context())
    assert behind.reason is Reason.CHANGE_IN_PROGRESS
    # And it takes a new minimum while it does.
    assert isinstance(plan({**seen, "changing": busy}, context()), Plan)


def test_where_auto_scaling_owns_the_lanes_what_stood_before_must_be_enough_again_and_no_decrease_is_used():
    seen = observation(lanes={"read": lane(300, [300, 600]), "write": lane(50, [50, 1000])})
    lease = plan(seen, context())
    assert may_release(lease, after(reads=180, decreases=9), context()).ok
    assert may_release(lease, after(reads=280), context()).reason is Reason.STILL_NEEDED
    # In an ordinary hour auto scaling had it at 400: that is what demand must fit in, not the minimum.
    assert may_release(lease, after(reads=280, stood={"read": 400.0}), context()).ok
    assert may_release(lease, after(reads=380, stood={"read": 400.0}), context()).reason is Reason.STILL_NEEDED


# -- on the embedded AWS


def capacity(house):
    table = house.little.real.client("dynamodb").describe_table(TableName="techmoda-products")["Table"]
    (index,) = table["GlobalSecondaryIndexes"]
    return [
        (part["ProvisionedThroughput"]["ReadCapacityUnits"], part["ProvisionedThroughput"]["WriteCapacityUnits"])
        for part in (table, index)
    ]


def test_a_table_is_raised_verified_held_and_lowered_again(house, make_products):
    products = make_products()
    remediation = flow.start(house.watch, house.signal("read-capacity", "products"), NAME)
    assert remediation.status is Status.VERIFYING, remediation.detail
    assert remediation.target.name == "techmoda-products"
    assert capacity(house) == [(832, 126), (416, 126)]
    assert len(products.updates) == 1
    house.metrics.points.clear()
    house.rounds(21)
    assert house.get(remediation.id).status is Status.REVERTED
    assert capacity(house) == [(300, 50), (150, 50)]
    assert len(products.updates) == 2


def test_a_surge_of_a_function_reaches_its_table_before_it_is_hot(house, make_products):
    make_products()
    (remediation,) = flow.start_all(house.watch, house.signal("exhaustion", "read"), NAME)
    assert remediation.status is Status.VERIFYING, remediation.detail
    assert (remediation.signal.target.kind, remediation.target.kind) == ("function", "table")
    assert capacity(house)[0] == (832, 126)


def test_from_event_to_applied_it_takes_so_many_calls(house, make_products):
    """Like every call on the way to relief, each costs time: look, table and owners once more, the change."""
    make_products()
    flow.start(house.watch, house.signal("read-capacity", "products"), NAME)
    spine = (
        "dynamodb.get_",
        "dynamodb.put_",
        "dynamodb.query",
        "dynamodb.tra",
        "dynamodb.batch",
        "dynamodb.update_item",
    )
    own = [call for call in house.aws.calls if not call.startswith((*spine, "sns."))]
    assert own == [
        "dynamodb.describe_table",
        "application-autoscaling.describe_scalable_targets",
        "cloudwatch.get_metric_data",
        "dynamodb.describe_table",
        "application-autoscaling.describe_scalable_targets",
        "dynamodb.update_table",
    ]
    assert len(house.aws.calls) == 14


def test_scalable_targets_are_raised_and_lowered(house, make_products):
    products = make_products()
    scaling = house.little.real.client("application-autoscaling")
    for index, path in (("", ""), ("index", "/index/by-category")):
        for kind in ("Read", "Write"):
            scaling.register_scalable_target(
                ServiceNamespace="dynamodb",
                ResourceId=f"table/techmoda-products{path}",
                ScalableDimension=f"dynamodb:{index or 'table'}:{kind}CapacityUnits",
                MinCapacity=50,
                MaxCapacity=1000,
            )

    def bounds():
        found = scaling.describe_scalable_targets(ServiceNamespace="dynamodb")["ScalableTargets"]
        return sorted((one["MinCapacity"], one["MaxCapacity"]) for one in found)

    remediation = flow.start(house.watch, house.signal("read-capacity", "products"), NAME)
    assert remediation.status is Status.VERIFYING, remediation.detail
    assert bounds() == [(126, 1000), (126, 1000), (416, 1000), (832, 1000)]
    assert products.updates == [], "auto scaling would take a value set beside it back"
    house.little.real.client("dynamodb").update_table(
        TableName="techmoda-products",
        ProvisionedThroughput={"ReadCapacityUnits": 832, "WriteCapacityUnits": 126},
        GlobalSecondaryIndexUpdates=[
            {
                "Update": {
                    "IndexName": "by-category",
                    "ProvisionedThroughput": {"ReadCapacityUnits": 416, "WriteCapacityUnits": 126},
                }
            }
        ],
    )
    house.metrics.points.clear()
    house.rounds(21)
    assert (house.get(remediation.id).status, bounds()) == (Status.REVERTED, [(50, 1000)] * 4)


def test_while_aws_carries_a_change_out_nothing_can_be_said_of_drift(house, make_products):
    products = make_products()
    products.slow = True
    aws, told = house.watch.aws, context()
    assert read(aws, told)["capacity"]["read"] == 300
    units = {"ReadCapacityUnits": 832, "WriteCapacityUnits": 126}
    aws.client("dynamodb").update_table(TableName="techmoda-products", ProvisionedThroughput=units)
    with pytest.raises(StillChanging, match="techmoda-products: the table is UPDATING"):
        read(aws, told)
    products.settle()
    assert read(aws, told)["capacity"]["read"] == 832


def test_a_capacity_that_somebody_changed_is_left_alone(house, make_products):
    make_products()
    remediation = flow.start(house.watch, house.signal("read-capacity", "products"), NAME)
    by_hand = {"ReadCapacityUnits": 1000, "WriteCapacityUnits": 126}
    house.little.real.client("dynamodb").update_table(TableName="techmoda-products", ProvisionedThroughput=by_hand)
    house.rounds(1)
    assert (house.get(remediation.id).status, house.get(remediation.id).reason) == (Status.KEPT, Reason.DRIFTED)
    assert capacity(house)[0] == (1000, 126)


def test_it_waits_for_the_next_day_when_the_decreases_are_used_up(house, make_products):
    products = make_products()
    remediation = flow.start(house.watch, house.signal("read-capacity", "products"), NAME)
    products.decreases, products.decreased_at = {"": 3}, NOON - timedelta(hours=1)
    house.metrics.points.clear()
    house.rounds(25)
    held = house.get(remediation.id)
    assert (held.status, held.reason) == (Status.HOLDING, Reason.NO_DECREASE_LEFT)
    products.decreases = {}
    house.rounds(2)
    assert house.get(remediation.id).status is Status.REVERTED


def test_a_surge_that_costs_more_than_the_days_ceiling_is_not_paid_for(house, make_products):
    plays = {"read-capacity": Play("read-capacity", ((NAME,),), Mode.AUTO, cost_per_day=1.0)}
    make_products(playbook=plays)
    remediation = flow.start(house.watch, house.signal("read-capacity", "products"), NAME)
    assert (remediation.status, remediation.reason) == (Status.SKIPPED, Reason.COST_CEILING)
    assert capacity(house)[0] == (300, 50)


def test_a_raised_maximum_of_an_on_demand_table_is_given_back(house, make_products):
    products = make_products("PAY_PER_REQUEST")
    products.maxima[""] = {"MaxReadRequestUnits": 500, "MaxWriteRequestUnits": 200}
    remediation = flow.start(house.watch, house.signal("read-throttles", "products"), NAME)
    assert remediation.status is Status.VERIFYING, remediation.detail
    assert products.maxima[""] == {"MaxReadRequestUnits": 832, "MaxWriteRequestUnits": 200}
    house.metrics.points.clear()
    house.rounds(21)
    assert house.get(remediation.id).status is Status.REVERTED
    assert products.maxima[""] == {"MaxReadRequestUnits": 500, "MaxWriteRequestUnits": 200}


def test_a_warm_up_asks_first_even_in_auto(house, make_products):
    plays = {
        "read-throttles": Play("read-throttles", ((NAME,),), Mode.AUTO, params={"warm": True, "read_ceiling": 20_000})
    }
    products = make_products("PAY_PER_REQUEST", playbook=plays, objectives=Objectives(surge=200.0))
    remediation = flow.start(house.watch, house.signal("read-throttles", "products"), NAME)
    assert remediation.status is Status.AWAITING_APPROVAL, remediation.detail
    assert products.updates == []


def test_a_warm_up_keeps_to_the_quota_of_each_part():
    short = plan(on_demand(read={"warm": 700}, limits={"table_read": 750}), context(warm=True)).verdict
    assert short.reason is Reason.NO_HEADROOM
    assert "50 read units are left of its quota of 750" in short.detail


def test_a_change_that_aws_takes_minutes_over_is_no_drift_and_no_news(house, make_products):
    products = make_products()
    products.slow = True
    remediation = flow.start(house.watch, house.signal("read-capacity", "products"), NAME)
    assert remediation.status is Status.VERIFYING, remediation.detail
    house.rounds(3)
    assert house.get(remediation.id).status is Status.VERIFYING
    assert capacity(house)[0] == (300, 50), "DescribeTable tells the values before"
    products.settle()
    house.rounds(2)
    house.metrics.points.clear()
    house.rounds(25)
    assert house.get(remediation.id).status is Status.REVERTED
    products.settle()
    assert (capacity(house), len(products.updates)) == ([(300, 50), (150, 50)], 2)
