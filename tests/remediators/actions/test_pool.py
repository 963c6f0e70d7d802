"""What a function takes of the account's concurrency is never what its neighbours use."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from remediators import flow, handler, round, settle
from remediators.actions._pool import must_stay, others_peak
from remediators.actions._provisioned import ready
from remediators.actions.raise_concurrency import REMEDIATOR, may_release, plan, smaller
from remediators.watch import parameters
from sereno.model import Call, Mode, Plan, Reason, Status, Step, Target
from sereno.ports import Context
from sereno.service import PLANNED_EVENT, Function, Objectives, PlannedEvent, Play, Service

NAME = "raise_concurrency"
NOON = datetime(2026, 9, 29, 12, 0, tzinfo=UTC)
READ = Target("function", "techmoda-read", "eu-west-1", "123456789012")
THROTTLED = ClientError({"Error": {"Code": "TooManyRequestsException", "Message": "15 a second"}}, "Get")


def context(ceiling=5000, normal=32.0, **params):
    play = Play("exhaustion", ((NAME,),), Mode.AUTO, params={"ceiling": ceiling, **params})
    service = Service(
        "techmoda",
        "123456789012",
        ("eu-west-1",),
        Objectives(surge=9.0),
        functions={"read": Function("read", "techmoda-read", "live", 120, normal)},
        playbook={"exhaustion": play},
    )
    return Context(service, play, READ, NOON, parameters(REMEDIATOR, play))


def observation(reserved=120, unreserved=880, pool=0.0, own=None, demand=300.0, **facts):
    """An hour of 32 executions at once at 100 ms each, then five minutes of `demand`; `pool` is the most that was
    used of the unreserved concurrency in each minute, `own` what of it was this function's."""
    now = NOON.timestamp()
    minutes = [now - 60 * ago for ago in range(60, 0, -1)]
    series = {
        "invocations": [[at, 32 * 600 if at < now - 310 else demand * 600] for at in minutes],
        "duration": [[at, 100.0] for at in minutes],
        "pool": [[at, pool] for at in minutes],
    }
    if own is not None:
        series["own"] = [[at, own] for at in minutes]
    return {
        "reserved": reserved,
        "kind": "",
        "state": "Active",
        "update": "Successful",
        "memory_mb": 512,
        "quota": 1000,
        "unreserved": unreserved,
        "series": series,
        "provisioned": None,
        **facts,
    }


# -- sizing


def test_a_raise_leaves_what_neighbours_use():
    """With a high ceiling it took all but 100, while others ran 300."""
    (step,) = plan(observation(pool=300.0), context()).steps
    assert step.after == 880 + 120 - 375, "300 with a margin of a quarter stay"


def test_where_neighbours_use_all_of_the_pool_there_is_no_headroom_and_the_reason_says_who():
    verdict = plan(observation(pool=700.0), context()).verdict
    assert verdict.reason is Reason.NO_HEADROOM
    assert "875 must stay (other functions used up to 700 at once in the last hour)" in verdict.detail


def test_what_the_function_itself_uses_of_the_pool_is_not_its_neighbours():
    seen = observation(reserved=None, unreserved=1000, pool=200.0, own=180.0, demand=60.0)
    (step,) = plan(seen, context(normal=16.0)).steps
    assert step.after == 240
    alone = plan({**seen, "series": {**seen["series"], "own": []}}, context(normal=80.0)).verdict
    assert alone.reason is Reason.NO_HEADROOM


def growing(*newest, usual=20.0):
    """The pool's minutes: an hour as usual, and the newest ones."""
    values = [*[usual] * (60 - len(newest)), *newest]
    return [[NOON.timestamp() - 60 * ago, value] for ago, value in zip(range(60, 0, -1), values, strict=True)]


@pytest.mark.parametrize(
    ("newest", "stays"),
    [
        ((), 100),  # steady: AWS's minimum
        ((25.0,), 100),  # chance
        ((50.0,), 207),  # nine times twenty, as this service may grow, with the peaks of that
        ((50.0, 126.0), 207),
        ((126.0, 172.0), 215),  # they have come as far: what they use, with a margin
    ],
)
def test_neighbours_that_grow_too_keep_what_they_are_about_to_need(newest, stays):
    """Thirty services surge together: raises took all but 100, and neighbours without a reservation failed."""
    seen = observation(demand=400.0)
    seen["series"]["pool"] = growing(*newest)
    (step,) = plan(seen, context()).steps
    assert step.after == 880 + 120 - stays
    assert must_stay(seen["series"], {"pool_margin": 1.25}, 0, 9.0) == stays


def test_a_refusal_for_neighbours_that_grow_says_so():
    seen = observation(unreserved=250, demand=300.0)
    seen["series"]["pool"] = growing(60.0, usual=30.0)
    verdict = plan(seen, context()).verdict
    assert verdict.reason is Reason.NO_HEADROOM
    assert "303 must stay (other functions use up to 60 at once by now and grow" in verdict.detail


def test_too_few_minutes_tell_no_growth():
    series = {"pool": growing(60.0)[-3:]}
    assert must_stay(series, {"pool_margin": 1.25}, 0, 9.0) == 100
    assert must_stay({}, {"pool_margin": 1.25}, 0, 9.0) == 100


@given(st.lists(st.tuples(st.integers(0, 900), st.integers(0, 900)), max_size=30))
def test_the_use_of_others_is_never_negative_and_never_more_than_the_pools(minutes):
    series = {
        "pool": [[at, max(pool, own)] for at, (pool, own) in enumerate(minutes)],
        "own": [[at, own] for at, (_, own) in enumerate(minutes)],
    }
    assert 0 <= others_peak(series) <= max((max(pool, own) for pool, own in minutes), default=0)


# -- release


def lease(before, after=900, *more, superseded=()):
    call = Call("lambda", "put_function_concurrency", {"FunctionName": "techmoda-read"})
    step = Step(call, "", "reserved concurrency", before, after, call, superseded=superseded)
    return Plan((step, *more), "")


@pytest.mark.parametrize(
    ("peak", "unreserved", "stays", "reason"),
    [
        (870, 100, 100, Reason.STILL_NEEDED),  # 0.7 x 900: it would be throttled at once
        (600, 100, 100, Reason.OK),
        (600, 100, 400, Reason.STILL_NEEDED),  # neighbours use 300 of it by now
        (0, 100, 100, Reason.OK),
    ],
)
def test_a_function_without_a_reservation_is_released_only_when_the_pool_carries_its_peak(
    peak, unreserved, stays, reason
):
    symptom = {"peak": peak, "pool": {"unreserved": unreserved, "stays": stays}}
    assert may_release(lease(None), symptom, context()).reason is reason


def test_on_the_embedded_aws_it_stays_reserved_until_the_pool_can_carry_it(house):
    house.little.real.client("lambda").delete_function_concurrency(FunctionName="techmoda-read")
    remediation = flow.start(house.watch, house.signal(), NAME)
    assert house.reserved() == 240
    house.metrics.points.clear()
    house.little.quota = 400  # its 240, the 40 of the other function, and 120 unreserved
    house.metrics.minutes(house.clock, ConcurrentExecutions=200.0, UnreservedConcurrentExecutions=10.0)
    end = house.clock.now()
    house.metrics.points["ConcurrentExecutions"] = [(end + timedelta(minutes=ago), 200.0) for ago in range(25)]
    house.rounds(20)
    found = house.get(remediation.id)
    assert (found.status, found.reason, house.reserved()) == (Status.HOLDING, Reason.STILL_NEEDED, 240)
    assert "the unreserved pool would leave room for 182" in found.detail


# -- after the write


@pytest.mark.parametrize(
    ("before", "after", "left", "stays", "value"),
    [
        (120, 500, 300, 300, None),  # it fits
        (120, 500, 250, 300, 450),
        (120, 500, 0, 360, 140),
        (120, 500, 0, 380, 120),  # 120 is left: no raise at all
        (120, 500, 0, 900, 120),  # never below the value before
        (None, 500, 250, 300, None),  # handled below: all of it goes back
    ],
)
def test_after_the_write_it_shrinks_to_what_fits(before, after, left, stays, value):
    less = smaller(lease(before, after), left, stays)
    if before is None:
        assert (less.steps[0].after, less.steps[0].superseded) == (None, (500,))
    elif value is None:
        assert less is None
    else:
        assert (less.steps[0].after, less.steps[0].before) == (value, before)
        assert less.steps[0].superseded == (500,)


@given(st.integers(1, 900), st.integers(1, 900), st.integers(0, 1000), st.integers(100, 1000))
def test_however_much_others_took_it_is_never_below_before_and_never_grows(before, more, left, stays):
    less = smaller(lease(before, before + more), left, stays)
    if less is not None:
        assert before <= less.steps[0].after < before + more


def test_it_does_not_shrink_below_what_the_same_plan_provisions():
    call = Call("lambda", "put_provisioned_concurrency_config", {})
    warm = Step(call, "", "provisioned concurrency", 10, 300, call)
    assert smaller(lease(120, 500, warm), 0, 900).steps[0].after == 300


@pytest.fixture
def raced(house):
    """Another service reserves so many executions in the moment of the raise."""

    def race(executions):
        def meddle(number, label):
            if label == "lambda.put_function_concurrency" and not raced_once:
                raced_once.append(number)
                house.little.quota -= executions

        raced_once = []
        house.aws.before = meddle

    return race


def test_two_raises_in_one_moment_leave_the_account_its_floor(house, raced):
    raced(700)
    remediation = flow.start(house.watch, house.signal(), NAME)
    assert house.reserved() == 240, "300 are left, 100 must stay: 20 are unreserved"
    settled = settle.look(house.watch, remediation)
    assert house.reserved() == 160
    assert house.little.effects == [(120, 240), (240, 160)]
    assert (settled.status, settled.plan.steps[0].after) == (Status.VERIFYING, 160)
    assert house.get(remediation.id).plan.steps[0].superseded == (240,)
    house.metrics.points.clear()
    house.rounds(21)
    assert (house.get(remediation.id).status, house.reserved()) == (Status.REVERTED, 120)
    assert any("240 -> 160" in event.detail for event in house.books.events(remediation.id))


def test_where_nothing_fits_all_of_it_goes_back_and_the_next_step_takes_over(house, raced):
    raced(800)
    remediation = flow.start(house.watch, house.signal(), NAME)
    settle.look(house.watch, remediation)
    assert house.reserved() == 120
    house.rounds(2)
    assert house.get(remediation.id).status is Status.REVERTED, "nothing of it is active any more"
    history = [event.detail for event in house.books.events(remediation.id) if event.phase == "ESCALATED"]
    assert history, "people heard that it could not help"
    assert history[0].startswith("NO_HEADROOM: ")
    assert any(one.remediator == "open_incident" for one in house.all())


def test_the_functions_entry_settles_and_the_result_was_published_before(house, raced, monkeypatch, event):
    raced(700)
    monkeypatch.setenv("SERENO_REMEDIATOR", NAME)
    monkeypatch.setattr("remediators.handler.set_up", lambda environment: house.watch)
    handler.handler(event(), None)
    assert house.reserved() == 160
    published = house.aws.calls.index("sns.publish")
    assert house.aws.calls.count("lambda.get_account_settings") == 2
    last = len(house.aws.calls) - 1 - house.aws.calls[::-1].index("lambda.get_account_settings")
    assert last > published


def test_an_invocation_that_dies_before_it_gives_back_is_finished_by_the_reconciler(house, raced, fault):
    raced(700)
    remediation = flow.start(house.watch, house.signal(), NAME)

    def refuse(number, label):
        return THROTTLED if label == "lambda.put_function_concurrency" else None

    house.aws.before = refuse
    settle.look(house.watch, remediation)
    assert (house.reserved(), house.get(remediation.id).plan.steps[0].after) == (240, 160)
    house.aws.before = None
    house.rounds(2)
    found = house.get(remediation.id)
    assert house.reserved() == 160
    assert found.status in (Status.VERIFYING, Status.HOLDING)


def test_a_look_that_fails_after_the_write_changes_nothing(house):
    remediation = flow.start(house.watch, house.signal(), NAME)
    house.aws.before = lambda number, label: THROTTLED if label == "lambda.get_account_settings" else None
    assert settle.look(house.watch, remediation) == remediation
    settle.after(house.watch, [remediation, None])
    assert house.reserved() == 240


# -- provisioned concurrency


@pytest.fixture
def warm(house):
    house.little.provisioned["techmoda-read", "live"] = 10
    house.on(functions={"read": Function("read", "techmoda-read", "live", 120, 16.0, 10, 512, provisioned=10)})
    return house


def provisioned(wanted=144):
    call = Call("lambda", "put_provisioned_concurrency_config", {})
    return lease(120, 240, Step(call, "", "provisioned concurrency", 10, wanted, call))


@pytest.mark.parametrize(
    ("status", "requested", "reason"),
    [
        ("READY", 144, Reason.OK),
        ("READY", 10, Reason.CHANGE_IN_PROGRESS),
        ("IN_PROGRESS", 144, Reason.CHANGE_IN_PROGRESS),
        ("FAILED", 144, Reason.NOT_TAKEN),
    ],
)
def test_provisioned_concurrency_is_there_when_it_is_ready(status, requested, reason):
    state = {"status": status, "why": "no capacity", "requested": requested, "allocated": 10, "available": 10}
    verdict = ready(provisioned(), state)
    assert verdict.reason is reason
    if status == "FAILED":
        assert "FAILED (no capacity); 10 of 144 warm environments are allocated" in verdict.detail
    assert ready(lease(120), None).ok, "nothing is provisioned"


def failing(house, monkeypatch, status, why=""):
    """Provisioned concurrency stays in this status."""
    from tests.remediators import conftest

    real = conftest._Lambda.get_provisioned_concurrency_config

    def told(self, **params):
        return {**real(self, **params), "Status": status, "StatusReason": why}

    monkeypatch.setattr(conftest._Lambda, "get_provisioned_concurrency_config", told)


def test_provisioned_concurrency_that_fails_is_a_failed_verification(warm, monkeypatch):
    failing(warm, monkeypatch, "FAILED", "no capacity")
    remediation = flow.start(warm.watch, warm.signal(), NAME)
    warm.rounds(12)
    found = warm.get(remediation.id)
    assert (found.status, found.reason) == (Status.ESCALATED, Reason.NOT_TAKEN)
    assert "FAILED (no capacity)" in found.detail


def test_provisioned_concurrency_that_fails_in_the_hold_is_told_at_once_and_reverted_in_the_end(warm, monkeypatch):
    remediation = flow.start(warm.watch, warm.signal(), NAME)
    warm.metrics.minutes(warm.clock, Invocations=106 * 60, Throttles=0, Duration=150, ConcurrentExecutions=16)
    for _ in range(10):
        warm.calm()
        warm.rounds(1)
    assert warm.get(remediation.id).status is Status.HOLDING
    with monkeypatch.context() as failed:
        failing(warm, failed, "FAILED", "no capacity")
        warm.calm()
        warm.rounds(1)
        found = warm.get(remediation.id)
        assert (found.status, found.reason) == (Status.ESCALATED, Reason.NOT_TAKEN)
        assert "FAILED (no capacity)" in found.detail
        assert [one["status"] for one in warm.messages() if one["id"] == remediation.id][-1] == "ESCALATED"
        warm.metrics.points.clear()
        warm.rounds(40)
    found = warm.get(remediation.id)
    assert (found.status, warm.reserved()) == (Status.REVERTED, 120), "an escalated change is still a lease"
    assert warm.little.provisioned["techmoda-read", "live"] == 10


@pytest.mark.parametrize("status", ["FAILED", "IN_PROGRESS"])
def test_a_planned_event_is_not_ready_while_its_warm_environments_are_not(warm, monkeypatch, status):
    failing(warm, monkeypatch, status)
    starts = warm.clock.now() + timedelta(minutes=20)
    sale = PlannedEvent("sale", starts.isoformat(), (starts + timedelta(hours=2)).isoformat(), 9.0, 1800)
    plays = {**warm.watch.service.playbook, PLANNED_EVENT: Play(PLANNED_EVENT, ((NAME,),), Mode.AUTO)}
    service = replace(warm.watch.service, events=(sale,), playbook=plays)
    warm.watch = replace(warm.watch, service=service)
    for _ in range(5):
        warm.clock.forward(60)
        round.make(warm.watch)
    (found,) = [one for one in warm.all() if one.remediator == NAME]
    assert found.status is Status.VERIFYING, "nothing says that it is ready"


# -- what reserved concurrency does not limit


@pytest.mark.parametrize(
    ("configuration", "detail"),
    [
        (
            {
                "CapacityProviderConfig": {
                    "LambdaManagedInstancesCapacityProviderConfig": {"CapacityProviderArn": "a"}
                }
            },
            "runs on Managed Instances",
        ),
        ({"TenancyConfig": {"TenantIsolationMode": "PER_TENANT"}}, "isolates its tenants"),
    ],
)
def test_a_function_that_something_else_limits_is_refused_with_the_reason(house, monkeypatch, configuration, detail):
    from tests.remediators import conftest

    real = conftest._Lambda.get_function

    def told(self, **params):
        answer = real(self, **params)
        return {**answer, "Configuration": {**answer["Configuration"], **configuration}}

    monkeypatch.setattr(conftest._Lambda, "get_function", told)
    remediation = flow.start(house.watch, house.signal(), NAME)
    assert (remediation.status, remediation.reason) == (Status.SKIPPED, Reason.NOT_SUPPORTED)
    assert detail in remediation.detail
    assert house.reserved() == 120
    assert remediation.escalate_to, "a person must look: the symptom stays"
