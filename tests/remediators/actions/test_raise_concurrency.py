"""Raising a function's concurrency: sized once, refused with a reason, released when the value before is enough."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from remediators import flow
from remediators.actions.raise_concurrency import REMEDIATOR, may_release, plan, verify
from remediators.watch import parameters
from sereno.model import Call, Mode, Plan, Reason, Refusal, Signal, Status, Step, Target
from sereno.ports import Context
from sereno.service import Function, Objectives, Play, Service

NOON = datetime(2026, 9, 29, 12, 0, tzinfo=UTC)
READ = Target("function", "techmoda-read", "eu-west-1", "123456789012")


def context(normal=16.0, surge=9.0, ceiling=500, floor=100, **params):
    play = Play("exhaustion", (("raise_concurrency",),), Mode.AUTO, params={"ceiling": ceiling, **params})
    service = Service(
        "techmoda",
        "123456789012",
        ("eu-west-1",),
        Objectives(surge=surge),
        functions={"read": Function("read", "techmoda-read", "live", 120, normal)},
        playbook={"exhaustion": play},
        unreserved_floor=floor,
    )
    return Context(service, play, READ, NOON, parameters(REMEDIATOR, play))


def observation(demand=16.0, usual=16.0, reserved=120, slower=1.0, quota=1000, others=0, **facts):
    """An hour of the usual demand, then five minutes of this one, at 100 ms a call."""
    now = NOON.timestamp()
    minutes = [now - 60 * ago for ago in range(60, 0, -1)]

    def points(before, recent):
        return [[moment, before if moment < now - 310 else recent] for moment in minutes]

    return {
        "reserved": reserved,
        "state": "Active",
        "update": "Successful",
        "memory_mb": 512,
        "quota": quota,
        "unreserved": quota - others - (reserved or 0),
        "series": {
            "invocations": points(usual * 600, demand * 600 / slower),
            "duration": points(100.0, 100.0 * slower),
        },
        "provisioned": None,
        **facts,
    }


@pytest.mark.parametrize(
    ("told", "observed", "value"),
    [
        ({}, {}, 240),  # 9 x 16 = 144, and eight times its root
        ({}, {"demand": 120}, 300),  # 2.5 x what is asked for now
        ({"normal": 160.0, "ceiling": 5000}, {"quota": 5000, "usual": 160.0}, 2016),  # 1.4 x 1440 is more than peaks
        ({"normal": None}, {}, 240),  # undeclared: the usual demand is measured
        ({"normal": 1.0}, {"reserved": 20}, 40),  # 2.5 x 16; the surge's 9 + 8 x 3 = 33 is less
        ({"ceiling": 200}, {}, 200),
        ({}, {"others": 700}, 200),  # 300 left with its own 120, 100 must stay unreserved
        ({"floor": 150}, {"others": 700}, 150),
        ({}, {"reserved": None}, 240),
    ],
)
def test_the_limit_is_sized_once_from_demand_and_the_declared_surge(told, observed, value):
    answer = plan(observation(**observed), context(**told))
    assert isinstance(answer, Plan), answer
    (step,) = answer.steps
    assert step.after == value
    assert step.do.params == {"FunctionName": "techmoda-read", "ReservedConcurrentExecutions": value}
    assert answer.is_lease
    assert answer.monthly_cost == 0
    assert all(verdict.ok for _, verdict in answer.gates)


@pytest.mark.parametrize(
    ("told", "observed", "reason", "detail"),
    [
        ({}, {"reserved": 0}, Reason.OPERATOR_STOP, "a person stopped this function"),
        ({}, {"update": "InProgress"}, Reason.CHANGE_IN_PROGRESS, "its update is running"),
        ({}, {"state": "Pending"}, Reason.CHANGE_IN_PROGRESS, "the function is Pending"),
        ({}, {"series": {}}, Reason.NO_DATA, "no minute of the last ten"),
        ({}, {"demand": 64, "slower": 4.0}, Reason.NOT_DEMAND, "traffic x 1.0, duration x 4.0"),
        ({}, {"reserved": 240}, Reason.NOTHING_TO_DO, "240 is enough"),
        ({}, {"reserved": 230}, Reason.NOTHING_TO_DO, "230 is enough"),  # 240 is less than a tenth more
        ({"ceiling": 120}, {}, Reason.OVER_CEILING, "120 is reserved, the ceiling is 120; 240 is needed"),
        ({"ceiling": 125}, {}, Reason.OVER_CEILING, "120 is reserved, the ceiling is 125; 240 is needed"),
        ({"ceiling": 200}, {"reserved": None}, Reason.OVER_CEILING, "nothing is reserved, the ceiling is 200"),
        ({}, {"others": 780}, Reason.NO_HEADROOM, "100 of the account's 1000 are unreserved, 100 must stay"),
        ({}, {"others": 700, "reserved": None}, Reason.NO_HEADROOM, "room for 200, 240 is needed"),
        ({}, {"others": 950, "reserved": None}, Reason.NO_HEADROOM, "room for 0, 240 is needed"),
    ],
)
def test_it_refuses_with_a_reason(told, observed, reason, detail):
    answer = plan(observation(**observed), context(**told))
    assert isinstance(answer, Refusal), answer
    assert answer.verdict.reason is reason
    assert detail in answer.verdict.detail
    assert answer.gates[-1][1] == answer.verdict


@pytest.mark.parametrize(("waited", "acts"), [(20, False), (179, False), (180, True)])
def test_it_waits_for_metrics_that_tell_demand_from_slowness_but_not_for_ever(waited, acts):
    """The alarm's own minute is not published yet: what is known is as calm as ever."""
    seen = observation()
    for points in seen["series"].values():
        del points[-6:]
    signal = Signal(
        "1",
        "cloudwatch",
        "techmoda/read/throttles",
        "throttles",
        "ALARM",
        "OK",
        READ,
        NOON - timedelta(seconds=waited),
    )
    answer = plan(seen, replace(context(), signal=signal))
    assert isinstance(answer, Plan) is acts
    if not acts:
        assert answer.verdict.reason is Reason.NOT_TOLD


COUNTS = st.integers(1, 3000)


@given(st.none() | COUNTS, st.floats(0.1, 2000), COUNTS, st.integers(200, 5000), st.integers(0, 4000))
def test_whatever_it_sees_it_never_lowers_never_passes_the_ceiling_and_leaves_the_account_its_floor(
    reserved, demand, ceiling, quota, others
):
    seen = observation(demand, demand, reserved, quota=quota, others=others)
    if seen["unreserved"] < 0:
        return
    answer = plan(seen, context(ceiling=ceiling))
    if isinstance(answer, Refusal):
        assert not answer.verdict.ok
        return
    (step,) = answer.steps
    assert (reserved or 0) < step.after <= ceiling
    assert seen["unreserved"] - (step.after - (reserved or 0)) >= 100
    if reserved is None:
        assert step.after >= demand


def test_planning_again_after_the_raise_does_not_climb():
    first = plan(observation(demand=100), context())
    again = plan(observation(demand=100, reserved=first.steps[0].after), context())
    assert again.verdict.reason is Reason.NOTHING_TO_DO


# -- afterwards


def lease(before=120):
    call = Call("lambda", "put_function_concurrency", {})
    return Plan((Step(call, "", "reserved concurrency", before, 240, call),), "")


@pytest.mark.parametrize(
    ("newest", "waited_s", "reason"),
    [
        (0.0, 60, Reason.OK),
        (1.0, 60, Reason.SYMPTOM_PERSISTS),
        (None, 60, Reason.NO_DATA),
        (None, 299, Reason.NO_DATA),
        (None, 300, Reason.OK),
    ],
)
def test_the_symptom_is_gone_when_the_newest_minute_saw_no_throttle(newest, waited_s, reason):
    seen = {"throttles_newest": newest, "minutes": 1, "waited_s": waited_s}
    assert verify(lease(), seen, context()).reason is reason


@pytest.mark.parametrize(
    ("before", "peak", "ratio", "reason"),
    [
        (120, 84, 0.7, Reason.OK),
        (120, 85, 0.7, Reason.STILL_NEEDED),
        (120, 0, 0.7, Reason.OK),
        (120, 100, 0.9, Reason.OK),
        (40, 29, 0.7, Reason.STILL_NEEDED),
    ],
)
def test_a_change_is_released_when_the_peak_of_the_hold_fits_in_the_value_before(before, peak, ratio, reason):
    assert may_release(lease(before), {"peak": peak}, context(release_ratio=ratio)).reason is reason


# -- on the embedded AWS


def test_an_unreserved_function_gets_a_limit_and_is_given_back_to_the_account(house):
    house.little.real.client("lambda").delete_function_concurrency(FunctionName="techmoda-read")
    remediation = flow.start(house.watch, house.signal(), "raise_concurrency")
    assert (remediation.status, house.reserved()) == (Status.VERIFYING, 240)
    house.metrics.points.clear()
    house.rounds(21)
    assert (house.get(remediation.id).status, house.reserved()) == (Status.REVERTED, None)
    assert house.little.effects == [(None, 240), (240, None)]


@pytest.fixture
def warm(house):
    """A read function with 10 warm environments on its alias."""
    house.little.provisioned["techmoda-read", "live"] = 10
    read = Function("read", "techmoda-read", "live", 120, 16.0, 10, 512, provisioned=10)
    house.on(functions={"read": read})
    return house


def test_declared_provisioned_concurrency_follows_and_goes_back(warm):
    remediation = flow.start(warm.watch, warm.signal(), "raise_concurrency")
    assert [(step.setting, step.before, step.after) for step in remediation.plan.steps] == [
        ("reserved concurrency", 120, 240),
        ("provisioned concurrency", 10, 144),
    ]
    # 134 environments more, of an eighth of a GB (as the function has it now), for a month.
    assert remediation.plan.monthly_cost == pytest.approx(134 * 0.125 * 30 * 86_400 * 0.0000033334)
    assert warm.little.provisioned == {("techmoda-read", "live"): 144}
    warm.metrics.points.clear()
    warm.rounds(25)  # AWS takes minutes to make them, and the hold begins then
    assert warm.get(remediation.id).status is Status.REVERTED
    assert (warm.reserved(), warm.little.provisioned["techmoda-read", "live"]) == (120, 10)


def test_warm_environments_are_money_and_stay_under_the_days_ceiling(warm):
    exhaustion = Play("exhaustion", (("raise_concurrency",),), Mode.AUTO, cost_per_day=4.8)
    warm.on(functions=warm.watch.service.functions, playbook={"exhaustion": exhaustion})
    remediation = flow.start(warm.watch, warm.signal(), "raise_concurrency")
    assert (remediation.status, remediation.reason) == (Status.SKIPPED, Reason.COST_CEILING)
    assert warm.reserved() == 120


def test_where_application_auto_scaling_owns_it_its_minimum_is_raised_and_lowered(warm):
    scaling = warm.little.real.client("application-autoscaling")
    target = {
        "ServiceNamespace": "lambda",
        "ResourceId": "function:techmoda-read:live",
        "ScalableDimension": "lambda:function:ProvisionedConcurrency",
    }
    scaling.register_scalable_target(**target, MinCapacity=10, MaxCapacity=50)

    def bounds():
        found = scaling.describe_scalable_targets(ServiceNamespace="lambda")["ScalableTargets"]
        return [(one["MinCapacity"], one["MaxCapacity"]) for one in found]

    remediation = flow.start(warm.watch, warm.signal(), "raise_concurrency")
    assert remediation.plan.steps[1].setting == "provisioned target"
    assert bounds() == [(144, 144)]
    assert warm.little.provisioned["techmoda-read", "live"] == 10, "it would take a value set beside it back"
    warm.little.provisioned["techmoda-read", "live"] = 144  # auto scaling acts on its new minimum
    warm.metrics.points.clear()
    warm.rounds(21)
    assert (warm.get(remediation.id).status, bounds()) == (Status.REVERTED, [(10, 50)])
    scaling.deregister_scalable_target(**target)


def test_a_second_step_that_fails_takes_the_first_one_back(warm):
    denied = ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "Put")
    warm.aws.before = lambda number, label: denied if label.endswith("put_provisioned_concurrency_config") else None
    remediation = flow.start(warm.watch, warm.signal(), "raise_concurrency")
    assert (remediation.status, warm.reserved()) == (Status.FAILED, 120)
    assert remediation.detail.endswith("the steps done were taken back")


def test_a_second_value_that_somebody_changed_takes_the_first_one_back_and_is_kept(warm):
    def meddle(number, label):
        if label == "lambda.put_function_concurrency":
            warm.little.provisioned["techmoda-read", "live"] = 33

    warm.aws.before = meddle
    remediation = flow.start(warm.watch, warm.signal(), "raise_concurrency")
    assert (remediation.status, remediation.reason, warm.reserved()) == (Status.KEPT, Reason.DRIFTED, 120)
    assert warm.little.provisioned["techmoda-read", "live"] == 33
