"""The executor: one step after the other, each from the value that the plan relies on, and back in reverse."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from botocore.exceptions import ClientError, ParamValidationError, ReadTimeoutError

from remediators import bounds, executor, flow
from remediators.registry import load
from sereno.errors import LedgerUnavailable
from sereno.lifecycle import CLAIM, Remediation
from sereno.model import Call, Plan, Reason, Status, Step
from sereno.ports import Permission


def error(code: str, status: int = 400) -> ClientError:
    answer = {"Error": {"Code": code, "Message": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(answer, "Set")


@dataclass
class Dials:
    """A little AWS of dials. `troubles` are raised by the calls with their numbers, before or after the effect."""

    values: dict[str, Any] = field(default_factory=lambda: {"a": 1, "b": 1, "c": 1})
    sent: list[tuple[str, int]] = field(default_factory=list)
    before: dict[int, Exception] = field(default_factory=dict)
    after: dict[int, Exception] = field(default_factory=dict)
    reads_fail: Exception | None = None

    def client(self, service, region=None):
        return self

    def set(self, dial, to):
        self.sent.append((dial, to))
        number = len(self.sent)
        if number in self.before:
            raise self.before[number]
        self.values[dial] = to
        if number in self.after:
            raise self.after[number]

    def read(self):
        if self.reads_fail and self.sent:
            raise self.reads_fail
        return dict(self.values)


def step(dial: str, before: int = 1, after: int = 2) -> Step:
    def to(value):
        return Call("dials", "set", {"dial": dial, "to": value})

    return Step(to(after), f"turn {dial}", dial, before, after, to(before))


@pytest.fixture
def dials():
    return Dials()


@pytest.fixture
def run(house, dials, monkeypatch):
    """`run(executor.apply)` or `run(executor.undo)` on a plan of the dials a, b and c."""
    turning = bounds.Rule(frozenset({"dial", "to"}), lambda params, target: "*")
    monkeypatch.setattr(bounds, "RULES", {"dials.set": turning})
    remediator = replace(
        load("raise_concurrency"),
        permissions=(Permission("dials.set", "*", "a dial has no ARN"),),
        read=lambda aws, context: dials.read(),
    )
    signal, now = house.signal(), house.clock.now()
    plan = Plan((step("a"), step("b"), step("c")), "turn them")
    one = Remediation(
        "r1",
        "raise_concurrency",
        signal,
        signal.target,
        now,
        status=Status.APPLYING,
        plan=plan,
        claim_until=now + CLAIM,
    )
    watch = replace(house.watch, aws=dials)
    records = []

    def running(what, *, done=0, watch=watch, record=records.append, **changes):
        remediation = replace(one, steps_done=done, **changes)
        context = watch.context(remediation, remediator)
        if what is executor.undo:
            return what(watch, remediation, remediator, context)
        return what(watch, remediation, remediator, context, record)

    running.watch, running.records = watch, records
    return running


def test_steps_are_done_in_order_and_recorded_between(run, dials):
    assert run(executor.apply) == executor.Outcome(3, executor.Verdict.yes())
    assert dials.sent == [("a", 2), ("b", 2), ("c", 2)]
    assert run.records == [1, 2]


def test_steps_are_taken_back_in_reverse(run, dials):
    dials.values = {"a": 2, "b": 2, "c": 2}
    assert run(executor.undo, done=3).verdict.ok
    assert dials.sent == [("c", 1), ("b", 1), ("a", 1)]


def test_only_what_was_done_is_taken_back(run, dials):
    dials.values = {"a": 2, "b": 1, "c": 1}
    assert run(executor.undo, done=1).verdict.ok
    assert dials.sent == [("a", 1)]


@pytest.mark.parametrize("dial", ["a", "b", "c"])
def test_a_value_that_somebody_changed_stops_the_plan_there(run, dials, dial):
    dials.values[dial] = 7
    outcome = run(executor.apply)
    assert (outcome.done, outcome.verdict.reason) == ("abc".index(dial), Reason.DRIFTED)
    assert dials.values[dial] == 7
    assert not outcome.passing
    assert not outcome.sent


def test_a_value_that_somebody_changed_is_not_taken_back(run, dials):
    dials.values = {"a": 2, "b": 7, "c": 2}
    outcome = run(executor.undo, done=3)
    assert (outcome.done, outcome.verdict.reason) == (1, Reason.DRIFTED)
    assert dials.values == {"a": 2, "b": 7, "c": 1}


def test_a_replay_finds_its_own_effect_and_does_not_act_twice(run, dials):
    dials.values["a"] = 2
    assert run(executor.apply).done == 3
    assert dials.sent == [("b", 2), ("c", 2)]


def test_no_answer_after_the_effect_counts_as_done(run, dials):
    dials.after[2] = ReadTimeoutError(endpoint_url="https://dials")
    assert run(executor.apply).verdict.ok
    assert dials.sent == [("a", 2), ("b", 2), ("c", 2)]


def test_no_answer_before_the_effect_may_be_tried_again(run, dials):
    dials.before[2] = ReadTimeoutError(endpoint_url="https://dials")
    outcome = run(executor.apply)
    assert (outcome.done, outcome.passing, outcome.sent) == (1, True, True)
    assert outcome.verdict.reason is Reason.AWS_ERROR


def test_no_answer_and_no_look_is_unknown_and_may_be_tried_again(run, dials):
    dials.after[1] = ReadTimeoutError(endpoint_url="https://dials")
    dials.reads_fail = error("AccessDeniedException")
    outcome = run(executor.apply)
    assert (outcome.done, outcome.passing, outcome.sent) == (0, True, True)


@pytest.mark.parametrize(
    ("trouble", "passing"),
    [
        (error("ThrottlingException"), True),
        (error("TooManyRequestsException", 429), True),
        (error("ResourceConflictException", 409), True),
        (error("SomethingNew", 503), True),
        (ReadTimeoutError(endpoint_url="https://dials"), True),
        (error("AccessDeniedException", 403), False),
        (error("InvalidParameterValueException"), False),
        (ParamValidationError(report="to: wrong type"), False),
    ],
)
def test_some_errors_pass_and_others_are_final(run, dials, trouble, passing):
    dials.before[1] = trouble
    assert run(executor.apply).passing is passing


def test_a_fault_of_the_remediator_is_an_outcome_and_not_a_lock_for_ever(run, dials):
    dials.values = {"a": 1}
    del dials.values["a"]
    dials.read = lambda: {}["a"]
    outcome = run(executor.apply)
    assert (outcome.verdict.reason, outcome.verdict.detail) == (Reason.FAULTY, "KeyError: 'a'")


def test_what_cannot_be_recorded_stops_the_plan_before_the_next_step(run, dials):
    def down(done):
        raise LedgerUnavailable("down")

    with pytest.raises(LedgerUnavailable):
        run(executor.apply, record=down)
    assert dials.sent == [("a", 2)]


@pytest.mark.parametrize("left_s", [0, 5.9])
def test_an_invocation_that_is_about_to_end_does_not_act(run, dials, left_s):
    with pytest.raises(executor.ClaimLost, match="of this invocation are left"):
        run(executor.apply, watch=replace(run.watch, time_left=lambda: left_s))
    assert dials.sent == []


@pytest.mark.parametrize("paused_s", [85, 90, 600])
def test_an_invocation_that_wakes_after_its_claim_does_not_act(run, house, dials, paused_s):
    house.clock.forward(paused_s)
    with pytest.raises(executor.ClaimLost, match="the claim ends at"):
        run(executor.apply)
    dials.values = {"a": 2, "b": 2, "c": 2}
    with pytest.raises(executor.ClaimLost, match="the claim ends at"):
        run(executor.undo, done=3)
    assert dials.sent == []


def test_without_a_claim_nothing_is_done(run, dials):
    with pytest.raises(executor.ClaimLost):
        run(executor.apply, claim_until=None)
    assert dials.sent == []


def test_what_has_no_plan_cannot_be_executed(run):
    with pytest.raises(ValueError, match="r1 has no plan to execute"):
        run(executor.apply, plan=None)


# -- what AWS says it has set


@pytest.mark.parametrize(("live", "status"), [(240, Status.FAILED), (150, Status.ESCALATED)])
def test_an_answer_with_another_value_is_not_taken_for_done(house, monkeypatch, live, status):
    """What was set after all is taken back; a value that is neither before nor after is left, and people are told."""
    little = house.little.client("lambda")

    def clamped(self, **asked):
        self.real.put_function_concurrency(**{**asked, "ReservedConcurrentExecutions": live})
        return {"ReservedConcurrentExecutions": 150}

    with monkeypatch.context() as patched:
        patched.setattr(type(little), "put_function_concurrency", clamped, raising=False)
        # Only the raise is clamped: the way back goes through.
        house.aws.after = lambda number, label: patched.undo() if label == "lambda.put_function_concurrency" else None
        remediation = flow.start(house.watch, house.signal(), "raise_concurrency")
    assert (remediation.status, remediation.reason) == (status, Reason.NOT_TAKEN)
    assert remediation.escalate_to == ("open_incident",)
    assert house.reserved() == (120 if status is Status.FAILED else 150)
