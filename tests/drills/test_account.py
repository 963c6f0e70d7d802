"""What the account's others leave, and the gateway's throttle."""

import pytest

from drills.clients import Traffic
from drills.faults import Fault
from drills.function_model import FunctionModel
from drills.world import World

T = 1_764_000_000 - 1_764_000_000 % 3600
API = {"ApiName": "a", "Stage": "b"}


def a_world(*functions, rate=200.0, **options):
    return World(functions, Traffic.steady(rate), 1, T, api_name="a", stage="b", **options)


def a_function(name="read", share=1.0, **changes):
    return FunctionModel(name, share, 150, **changes)


def metric(world, name, minutes=3, stat="Maximum", namespace="AWS/Lambda", dimensions=None):
    end = T + 60 * minutes
    return world.store.read(namespace, name, dimensions or {}, stat, 60, T, end, end + 100)


# -- strangers ------------------------------------------------------------------------------------------------------


def test_strangers_take_from_the_pool_but_not_from_a_reserve():
    free, reserved = a_function("free", 0.5), a_function("reserved", 0.5, reserved=100)
    world = a_world(free, reserved, strangers=Traffic((0, 60, 61), (100, 100, 890)))
    world.advance(T + 60)
    assert world.limit("free") == 1000 - 100 - 100
    assert world.totals["free"].throttled == 0
    world.advance(T + 180)
    assert (world.strangers, world.limit("free"), world.limit("reserved")) == (890, 10, 100)
    assert world.totals["free"].throttled > 1_000
    assert world.totals["reserved"].throttled == 0


def test_strangers_show_in_the_accounts_metrics_alone():
    world = a_world(a_function(reserved=100), faults=[Fault("strangers", 60, 120, 400)])
    world.advance(T + 180)
    own = metric(world, "ConcurrentExecutions", dimensions={"FunctionName": "read"})
    assert metric(world, "ConcurrentExecutions") == [own[0], own[1] + 400, own[2]]
    assert metric(world, "UnreservedConcurrentExecutions") == [None, 400, None]
    assert metric(world, "ClaimedAccountConcurrency") == [100, 500, 100]


def test_strangers_take_no_more_than_there_is():
    world = a_world(a_function(reserved=300), strangers=Traffic.steady(5_000), reserved_elsewhere=50)
    world.advance(T + 10)
    assert world.strangers == 650
    assert world.totals["read"].throttled == 0


def test_strangers_are_seen_even_when_nobody_else_is_there():
    world = a_world(a_function(), rate=0, strangers=Traffic.steady(70))
    world.advance(T + 60)
    assert metric(world, "ConcurrentExecutions", 1) == [70]


# -- the gateway ----------------------------------------------------------------------------------------------------


def test_the_gateway_answers_429_to_what_exceeds_its_rate():
    world = a_world(a_function(reserved=500), rate=200, gateway_rps=150, gateway_burst=100)
    world.advance(T + 180)
    total = world.totals["read"]
    assert total.invocations == pytest.approx(150 * 180 + 100, rel=0.01)
    assert total.offered == total.served + total.failed
    assert total.limited > 0
    api = {"namespace": "AWS/ApiGateway", "dimensions": API, "stat": "Sum"}
    assert sum(metric(world, "4XXError", **api)) == total.limited
    assert metric(world, "5XXError", **api) == [0, 0, 0]
    assert sum(metric(world, "Count", **api)) == total.attempts
    assert world.first_throttle["total"] is None


def test_the_throttle_is_shared_in_proportion_and_lets_a_burst_pass():
    one, other = a_function("one", 0.75, reserved=500), a_function("other", 0.25, reserved=500)
    world = a_world(one, other, rate=200, gateway_rps=150, gateway_burst=6_000)
    world.advance(T + 60)
    assert world.totals["total"].limited == 0  # 50 a second too many for two minutes: the burst holds
    world.advance(T + 300)
    shares = [world.totals[name].limited / world.totals[name].attempts for name in ("one", "other")]
    assert shares[0] == pytest.approx(shares[1], rel=0.1)
    assert shares[0] > 0.2


def test_what_the_gateway_fails_itself_is_apart_from_what_it_throttles():
    fault = Fault("gateway", 0, 60, 0.3)
    world = a_world(a_function(reserved=500), gateway_rps=150, gateway_burst=0, faults=[fault])
    world.advance(T + 120)
    total = world.totals["read"]
    assert min(total.limited, total.rejected) > 1_000
    assert total.served + total.served_on_retry == total.invocations


def test_the_accounts_ordinary_throttle_is_never_met_here():
    plain, wide = a_world(a_function(reserved=20)), a_world(a_function(reserved=20), gateway_rps=1e9)
    plain.advance(T + 60)
    wide.advance(T + 60)
    assert plain.totals == wide.totals
