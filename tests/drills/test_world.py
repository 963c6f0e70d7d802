"""What AWS and the clients do, rule by rule."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drills.clients import Traffic
from drills.faults import Fault
from drills.function_model import FunctionModel
from drills.lambda_model import FunctionState
from drills.world import World

T = 1_764_000_000 - 1_764_000_000 % 3600
READ = "techmoda-read"
NAMED = {"FunctionName": READ}


def read_function(reserved=None, **changes):
    return FunctionModel(**{"name": READ, "share": 1.0, "mean_ms": 150, "reserved": reserved, **changes})


def a_world(*functions, rate=100.0, seed=1, **options):
    traffic = rate if isinstance(rate, Traffic) else Traffic.steady(rate)
    return World(functions, traffic, seed, T, api_name="techmoda-catalogue", stage="prod", **options)


def lived(world, seconds, step=10):
    for second in range(step, seconds + 1, step):
        world.advance(T + second)
    return world


def metric(world, name, stat, minutes, namespace="AWS/Lambda", dimensions=NAMED, late=100):
    end = T + 60 * minutes
    return world.store.read(namespace, name, dimensions, stat, 60, T, end, end + late)


def erlang_b(load, places):
    """The part of arrivals that find every place taken (Erlang's loss formula)."""
    lost = 1.0
    for place in range(1, places + 1):
        lost = load * lost / (place + load * lost)
    return lost


# -- counting ---------------------------------------------------------------------------------------------------


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 1000),
    limit=st.none() | st.integers(0, 60),
    errors=st.sampled_from([0.0, 0.05, 0.5]),
    gateway=st.sampled_from([0.0, 0.2]),
    slow=st.sampled_from([1.0, 4.0]),
)
def test_whatever_happens_each_request_is_served_or_failed_and_each_attempt_has_one_fate(
    seed, limit, errors, gateway, slow
):
    faults = [Fault("errors", 20, 40, errors), Fault("gateway", 30, 50, gateway), Fault("slow", 10, 60, slow)]
    world = lived(a_world(read_function(limit), rate=150, seed=seed, faults=faults), 120)
    total = world.totals["total"]
    assert total.offered == total.served + total.failed
    assert total.offered <= total.attempts <= 3 * total.offered
    assert total.served + total.served_on_retry == total.invocations - total.errors
    series = world.series["total"]
    assert (series.offered == series.served + series.failed).all()
    assert int(series.throttled.sum()) == total.throttled


def test_the_same_seed_gives_the_same_world():
    first, second = (lived(a_world(read_function(12)), 180) for _ in range(2))
    assert first.totals == second.totals
    assert (first.failed_times["total"] == second.failed_times["total"]).all()
    assert metric(first, "Duration", "p99", 3) == metric(second, "Duration", "p99", 3)


def test_how_finely_time_is_let_pass_changes_nothing():
    coarse, fine = lived(a_world(read_function(14)), 180, step=60), a_world(read_function(14))
    for tenth in range(1, 1801):
        fine.advance(T + tenth / 10)
    assert coarse.totals == fine.totals
    assert coarse.first_throttle == fine.first_throttle
    assert metric(coarse, "Throttles", "Sum", 3) == metric(fine, "Throttles", "Sum", 3)


def test_worlds_with_one_seed_meet_the_same_requests_whatever_their_limits():
    tight, wide = (lived(a_world(read_function(limit)), 300) for limit in (5, 500))
    assert (tight.series[READ].offered == wide.series[READ].offered).all()
    assert tight.totals[READ].failed > 0 == wide.totals[READ].failed


def test_another_seed_is_another_day():
    one, other = (lived(a_world(read_function(), seed=seed), 60) for seed in (1, 2))
    assert one.totals[READ].offered != other.totals[READ].offered


def test_the_calm_way_and_the_exact_way_agree(monkeypatch):
    ramp = Traffic((0, 60, 180, 240), (60, 60, 260, 100))
    faults = [Fault("slow", 30, 60, 1.5), Fault("errors", 200, 220, 0.01)]

    def ramped():
        other = FunctionModel("other", 0.2, 80)
        return lived(a_world(read_function(33, share=0.8), other, rate=ramp, faults=faults), 300)

    mixed = ramped()
    monkeypatch.setattr(FunctionState, "is_exact", lambda self, limit: True)
    walked = ramped()
    assert mixed.totals == walked.totals
    assert mixed.totals["total"].throttled > 0
    assert mixed.totals["total"].errors > 0
    for name in ("other", READ):
        assert (mixed.series[name].peak == walked.series[name].peak).all()
    assert metric(mixed, "Duration", "Sum", 5) == pytest.approx(metric(walked, "Duration", "Sum", 5))


# -- chance -----------------------------------------------------------------------------------------------------


def test_executions_in_flight_scatter_as_poisson_around_rate_times_duration():
    world = lived(a_world(read_function(1000), rate=400), 600)
    highest = [peak for peak in metric(world, "ConcurrentExecutions", "Maximum", 10) if peak]
    mean = 400 * 0.150
    assert all(mean + 1.5 * math.sqrt(mean) < peak < mean + 6 * math.sqrt(mean) for peak in highest)
    concurrency = [value / 60_000 for value in metric(world, "Duration", "Sum", 10)]
    assert np.mean(concurrency) == pytest.approx(mean, rel=0.02)


def test_a_limit_of_100_throttles_at_a_mean_of_70_which_a_fluid_would_not():
    world = lived(a_world(read_function(100), rate=70 / 0.150), 2 * 3600, step=60)
    assert world.first_throttle[READ] < T + 1800
    total = world.totals[READ]
    assert total.throttled / total.attempts == pytest.approx(erlang_b(70, 100), rel=0.3)


def test_losses_follow_erlang_with_retries_as_part_of_the_load():
    world = lived(a_world(read_function(20), rate=100), 1800, step=60)
    total = world.totals[READ]
    assert total.throttled / total.attempts == pytest.approx(erlang_b(total.attempts / 1800 * 0.150, 20), rel=0.1)


def test_durations_have_the_mean_they_are_given():
    world = lived(a_world(read_function(mean_ms=220, sigma=0.8), rate=300), 600)
    assert np.mean(metric(world, "Duration", "Average", 10)) == pytest.approx(220, rel=0.02)


# -- Lambda's limits --------------------------------------------------------------------------------------------


@settings(max_examples=10, deadline=None)
@given(limit=st.integers(0, 40), seed=st.integers(0, 100))
def test_never_more_in_flight_than_the_limit(limit, seed):
    world = lived(a_world(read_function(limit), rate=200, seed=seed), 60)
    assert world.series[READ].peak.max() <= limit


def test_reserved_concurrency_of_zero_stops_the_function():
    world = a_world(read_function(50))
    lived(world, 60)
    world.set_reserved(READ, 0)
    world.advance(T + 240)
    assert metric(world, "Invocations", "Sum", 4)[2:] == [None, None]
    assert metric(world, "Errors", "Sum", 4)[2:] == [None, None]
    assert min(metric(world, "Throttles", "Sum", 4)[2:]) > 100 * 60 * 2


def test_a_raise_ends_the_throttling_and_the_trouble_is_measured():
    world = lived(a_world(read_function(10)), 60)
    assert world.trouble().ended is None
    world.set_reserved(READ, 100)
    world.advance(T + 300)
    trouble = world.trouble()
    assert trouble.began == world.first_throttle[READ] < T + 10
    # The last throttle was before the raise; what clients tried again afterwards was served.
    assert trouble.ended == pytest.approx(T + 60, abs=1)
    assert world.trouble(quiet=1000).ended is None
    assert world.series[READ].limit[[0, 5, 6, 29]].tolist() == [10, 10, 100, 100]


def test_lowering_a_limit_lets_what_is_in_flight_finish():
    world = lived(a_world(read_function(100), rate=200), 60)
    world.set_reserved(READ, 5)
    world.advance(T + 60.1)
    world.advance(T + 120)
    assert world.series[READ].peak[6] > 5 >= world.series[READ].peak[7]
    assert world.totals[READ].errors == 0


def test_functions_without_a_reserve_share_what_the_account_has_left():
    one = FunctionModel("one", 0.4, 300)
    other = FunctionModel("other", 0.4, 300)
    reserved = FunctionModel("reserved", 0.2, 50, reserved=50)
    world = lived(a_world(one, other, reserved, rate=500, account_limit=130, reserved_elsewhere=30), 120)
    assert world.limit("one") == world.limit("other") == 130 - 30 - 50
    for name in ("one", "other"):
        assert world.totals[name].throttled > 1000
    assert world.totals["reserved"].throttled == 0
    unreserved = metric(world, "UnreservedConcurrentExecutions", "Maximum", 2, dimensions={})
    assert unreserved == [50, 50]
    assert metric(world, "ClaimedAccountConcurrency", "Maximum", 2, dimensions={}) == [130, 130]


def test_new_environments_come_a_thousand_each_ten_seconds():
    slow = read_function(None, mean_ms=8000, sigma=0.1, cold_ms=0)
    surge = Traffic((0, 10, 10.1), (1, 1, 1000))
    world = lived(a_world(slow, rate=surge, account_limit=20_000), 30)
    before, first, second = (int(peak) for peak in world.series[READ].peak[:3])
    already_warm = 20  # for a mean of 8 in flight before the surge
    assert 900 < first - before <= 1000 + already_warm
    assert 900 < second - first <= 1000
    assert world.totals[READ].throttled > 0
    assert world.totals[READ].cold_starts <= 2000


def test_ten_requests_a_second_for_each_slot_and_no_more():
    quick = read_function(10, mean_ms=5, sigma=0.1)
    world = lived(a_world(quick, rate=300), 60)
    assert world.series[READ].peak.max() < 10 or world.totals[READ].throttled > 0
    assert metric(world, "Invocations", "Sum", 1)[0] == pytest.approx(100 * 60, rel=0.01)


def test_environments_are_reused_and_start_cold_only_beyond_the_peak_of_late():
    calm = lived(a_world(read_function(500), rate=100), 600)
    assert calm.totals[READ].cold_starts < 10
    doubled = Traffic((0, 300, 310), (100, 100, 200))
    surge = lived(a_world(read_function(500), rate=doubled), 600)
    peak = int(surge.series[READ].peak.max())
    assert peak - 35 < surge.totals[READ].cold_starts < peak


def test_an_idle_environment_does_not_wait_for_ever():
    twice = Traffic((0, 100, 101, 160, 161, 800, 801, 900), (20, 20, 300, 300, 20, 20, 300, 300))
    soon = Traffic((0, 100, 101, 160, 161, 200, 201, 300), (20, 20, 300, 300, 20, 20, 300, 300))
    late, quick = (lived(a_world(read_function(500), rate=rate), 960).totals[READ] for rate in (twice, soon))
    assert late.cold_starts > 1.5 * quick.cold_starts


def test_a_cold_start_lengthens_the_answer_but_not_the_duration():
    cold = read_function(500, cold_ms=5000, sigma=0.1)
    surge = Traffic((0, 30, 31), (10, 10, 400))
    world = lived(a_world(cold, rate=surge), 60)
    assert metric(world, "Duration", "Maximum", 1)[0] < 300
    api = {"ApiName": "techmoda-catalogue", "Stage": "prod"}
    assert metric(world, "Latency", "Maximum", 1, "AWS/ApiGateway", api)[0] > 5000


def test_provisioned_environments_are_warm_but_take_two_minutes_to_make():
    surge = Traffic((0, 240, 241), (10, 10, 300))
    plain, ready = (a_world(read_function(500), rate=surge) for _ in range(2))
    ready.set_provisioned(READ, 100)
    for world in (plain, ready):
        world.advance(T + 100)
        assert world.provisioned(READ) == 0
        world.advance(T + 300)
    assert ready.provisioned(READ) == 100
    assert ready.totals[READ].cold_starts == 0 < plain.totals[READ].cold_starts
    with pytest.raises(ValueError, match="provisioned"):
        ready.set_provisioned(READ, 501)


# -- clients ----------------------------------------------------------------------------------------------------


def test_clients_try_twice_again_and_then_give_up():
    world = lived(a_world(read_function(0), rate=Traffic((0, 60, 60.1), (100, 100, 0))), 120)
    total = world.totals[READ]
    assert total.throttled == total.attempts == 3 * total.offered
    assert total.failed == total.offered


def test_retries_spread_over_one_and_then_two_seconds():
    burst = Traffic((0, 30, 30.02, 31, 31.02), (0, 0, 500, 500, 0))
    world = lived(a_world(read_function(0), rate=burst), 60)
    times = world.failed_times[READ] - T
    assert 30 <= times.min() < 30.2
    assert 32.5 < times.max() <= 31.1 + 1.02 + 2.02


def test_a_later_success_does_not_undo_the_failure():
    world = lived(a_world(read_function(16)), 300)
    total = world.totals[READ]
    assert total.served_on_retry > 0
    assert total.served + total.served_on_retry == total.invocations
    assert total.failed >= total.served_on_retry


def test_overload_feeds_itself():
    world = lived(a_world(read_function(15), rate=130), 300)
    total = world.totals[READ]
    assert total.attempts > 1.5 * total.offered


# -- faults -----------------------------------------------------------------------------------------------------


def test_failing_invocations_are_errors_and_5xx_but_no_throttles():
    fault = Fault("errors", 60, 120, 0.3, READ)
    world = lived(a_world(read_function(200), faults=[fault]), 180)
    errors, started = metric(world, "Errors", "Sum", 3), metric(world, "Invocations", "Sum", 3)
    assert errors[0] == 0
    assert errors[1] / started[1] == pytest.approx(0.3, abs=0.03)
    assert metric(world, "Throttles", "Sum", 3) == [0, 0, 0]
    api = {"ApiName": "techmoda-catalogue", "Stage": "prod"}
    assert metric(world, "5XXError", "Sum", 3, "AWS/ApiGateway", api) == errors
    assert metric(world, "Count", "Sum", 3, "AWS/ApiGateway", api) == started


def test_the_gateways_own_errors_reach_no_function():
    world = lived(a_world(read_function(200), faults=[Fault("gateway", 0, 120, 0.2)]), 120)
    api = {"ApiName": "techmoda-catalogue", "Stage": "prod"}
    assert metric(world, "Errors", "Sum", 2) == [0, 0]
    rate = metric(world, "5XXError", "Average", 2, "AWS/ApiGateway", api)
    assert rate == pytest.approx([0.2, 0.2], abs=0.02)
    assert world.first_throttle["total"] is None


def test_slowness_raises_concurrency_without_a_customer_more():
    world = lived(a_world(read_function(500), faults=[Fault("slow", 60, 120, 4, READ)]), 120)
    calm, slow = metric(world, "Duration", "Average", 2)
    assert slow / calm == pytest.approx(4, rel=0.05)
    before, after = metric(world, "ConcurrentExecutions", "Maximum", 2)
    assert after > 2 * before
    calm, slow = metric(world, "Invocations", "Sum", 2)
    assert slow == pytest.approx(calm, rel=0.1)


def test_what_takes_longer_than_the_timeout_is_an_error():
    hung = Fault("slow", 60, 120, 100, READ)
    world = lived(a_world(read_function(500, timeout_s=3), rate=30, faults=[hung]), 180)
    assert metric(world, "Duration", "Maximum", 3)[1] == 3000
    errors, started = metric(world, "Errors", "Sum", 3)[1], metric(world, "Invocations", "Sum", 3)[1]
    assert errors > 0.95 * started


def test_a_fault_of_one_function_leaves_the_others_alone():
    other = FunctionModel("other", 0.5, 100, reserved=100)
    fault = Fault("errors", 0, 60, 1.0, READ)
    world = lived(a_world(read_function(100, share=0.5), other, faults=[fault]), 60)
    assert world.totals["other"].errors == 0
    assert world.totals[READ].served == 0


# -- metrics ----------------------------------------------------------------------------------------------------


def test_each_metric_of_a_minute_appears_by_itself_5_to_75_seconds_late():
    world = lived(a_world(read_function(200)), 600)
    seen = []
    for name in ("Invocations", "Errors", "Throttles", "Duration", "ConcurrentExecutions"):
        for minute in range(8):
            end = T + 60 * (minute + 1)
            late = (
                second
                for second in range(0, 80)
                if world.store.read("AWS/Lambda", name, NAMED, "SampleCount", 60, end - 60, end, end + second)[0]
            )
            seen.append(next(late))
    assert min(seen) >= 5
    assert max(seen) <= 75
    assert len(set(seen)) > 15


def test_without_requests_nothing_is_published():
    world = lived(a_world(read_function(200), rate=0), 180)
    assert world.store.names() == []
    assert world.totals["total"].availability == 1.0


def test_the_minutes_add_up_to_the_totals():
    world = lived(a_world(read_function(14), FunctionModel("other", 0.1, 50, reserved=9)), 300)
    total = world.totals[READ]
    assert sum(metric(world, "Invocations", "Sum", 5)) == total.invocations
    assert sum(metric(world, "Throttles", "Sum", 5)) == total.throttled > 0
    assert metric(world, "Throttles", "SampleCount", 5) == [
        a + b
        for a, b in zip(metric(world, "Invocations", "Sum", 5), metric(world, "Throttles", "Sum", 5), strict=True)
    ]
    api = {"ApiName": "techmoda-catalogue", "Stage": "prod"}
    count = metric(world, "Count", "Sum", 5, "AWS/ApiGateway", api)
    assert sum(count) == world.totals["total"].attempts
    assert count == metric(world, "Count", "Sum", 5, "AWS/ApiGateway", {"ApiName": "techmoda-catalogue"})


def test_the_ten_second_metric_knows_only_requests_that_ran():
    world = lived(a_world(read_function(10), rate=300, fast_namespace="Sereno/techmoda"), 120)
    end = T + 120

    def demand(now):
        return world.store.read("Sereno/techmoda", "DemandMs", NAMED, "Sum", 10, T, end, now)

    busy = [value / 10_000 for value in demand(end + 10)]
    # 45 would be wanted; what ran can never show more than the ten slots.
    assert all(7 < value < 11.5 for value in busy[1:])
    counted = world.store.read("Sereno/techmoda", "DemandCalls", NAMED, "Sum", 10, T, end, end + 10)
    assert [value / calls for value, calls in zip(demand(end + 10), counted, strict=True)] == pytest.approx(
        [150] * 12, rel=0.1
    )
    assert demand(end + 1.9)[-1] is None
    assert demand(end - 1.9)[-2] is not None


def test_a_world_begins_on_a_whole_minute():
    with pytest.raises(ValueError, match="whole minute"):
        World([read_function()], Traffic.steady(1), 1, T + 30, api_name="a", stage="b")
    with pytest.raises(ValueError, match="below 0"):
        a_world(read_function()).set_reserved(READ, -1)
