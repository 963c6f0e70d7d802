"""One signal's way, from the alarm to the published result."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from remediators import flow
from remediators.registry import load
from sereno.errors import LedgerUnavailable
from sereno.model import Call, Mode, Plan, Reason, Status, Step
from sereno.service import Play

NAME = "raise_concurrency"


def test_a_forecast_of_exhaustion_raises_the_limit_to_the_declared_surge(house):
    remediation = flow.start(house.watch, house.signal(), NAME)

    assert remediation.status is Status.VERIFYING
    # 9 x 16 executions with their Poisson peaks; more than 2.5 x the demand of 48.
    assert house.reserved() == 240
    assert remediation.plan.steps[0].before == 120
    assert "declared surge 9 x 16.0" in remediation.plan.reason


def test_from_event_to_published_result_takes_twelve_calls(house):
    flow.start(house.watch, house.signal(), NAME)

    assert house.aws.calls == [
        "dynamodb.batch_get_item",  # modes, and changes in progress
        "dynamodb.update_item",  # which incident its part of the service has
        "dynamodb.update_item",  # and that this belongs to it
        "dynamodb.transact_write_items",  # admission: one transaction decides
        "lambda.get_function",
        "lambda.get_account_settings",
        "cloudwatch.get_metric_data",
        "dynamodb.transact_write_items",  # the plan, before anything is done
        "lambda.get_function_concurrency",  # read back: is it still what the plan relies on?
        "lambda.put_function_concurrency",
        "sns.publish",
        "dynamodb.transact_write_items",  # done, and told
    ]


def test_the_same_event_twice_acts_once(house):
    first = flow.start(house.watch, house.signal(), NAME)
    again = flow.start(house.watch, house.signal(), NAME)

    assert first.status is Status.VERIFYING
    assert again is None
    assert house.aws.mutating() == ["lambda.put_function_concurrency"]


def test_another_alarm_on_the_same_function_finds_it_busy(house):
    flow.start(house.watch, house.signal("exhaustion"), NAME)
    second = flow.start(house.watch, house.signal("throttles"), NAME)

    assert (second.status, second.reason) == (Status.SKIPPED, Reason.TARGET_BUSY)
    assert house.watch.ledger.get(second.id).reason is Reason.TARGET_BUSY


def test_observe_mode_says_what_it_would_have_done_and_changes_nothing(house):
    house.on(mode=Mode.OBSERVE)
    remediation = flow.start(house.watch, house.signal(), NAME)

    assert remediation.status is Status.OBSERVED
    assert "would have: reserved concurrency: 120 -> 240" in remediation.detail
    assert house.reserved() == 120
    assert house.messages()[0]["status"] == "OBSERVED"


def test_the_history_tells_every_phase(house):
    remediation = flow.start(house.watch, house.signal(), NAME)

    phases = [event.phase for event in house.watch.ledger.events(remediation.id)]
    assert phases == ["CLAIMED", "PLANNED", "APPLYING", "VERIFYING"]
    assert [event["phase"] for event in house.messages()[0]["events"]] == phases


def test_off_does_nothing_and_says_why(house):
    house.on(mode=Mode.OFF)
    remediation = flow.start(house.watch, house.signal(), NAME)

    assert (remediation.status, remediation.reason) == (Status.SKIPPED, Reason.MODE_OFF)
    assert house.get(remediation.id).detail == "MODE_OFF: from the playbook"
    assert house.messages() == []


def test_approve_asks_first_and_holds_the_target_meanwhile(house):
    house.on(mode=Mode.APPROVE)
    remediation = flow.start(house.watch, house.signal(), NAME)

    assert remediation.status is Status.AWAITING_APPROVAL
    assert house.reserved() == 120
    assert house.books.holder(remediation.target.key) == remediation.id
    (message,) = house.messages()
    assert (message["urgent"], message["do"]) == (True, f"sereno approve {remediation.id}")


def test_when_the_mode_cannot_be_read_sereno_only_watches(house):
    house.aws.before = lambda number, label: ReadTimeoutError(endpoint_url="x") if "batch_get" in label else None
    assert flow.start(house.watch, house.signal(), NAME).status is Status.OBSERVED
    assert house.aws.mutating() == []


def test_an_operators_word_counts_more_than_the_playbook(house):
    house.books.set_mode("*", Mode.OFF, "ana", house.clock.now())
    assert flow.start(house.watch, house.signal(), NAME).detail == "MODE_OFF: the whole watch is set to off"


def test_while_the_stack_changes_nothing_is_remediated(house):
    house.books.mark_change("techmoda", house.clock.now(), "UPDATE_IN_PROGRESS")
    remediation = flow.start(house.watch, house.signal(), NAME)
    assert (remediation.reason, remediation.detail) == (
        Reason.CHANGE_IN_PROGRESS,
        "CHANGE_IN_PROGRESS: techmoda: UPDATE_IN_PROGRESS",
    )
    assert house.messages() == []


def test_people_are_told_of_a_symptom_in_the_midst_of_a_change_too(house):
    house.books.mark_change("techmoda", house.clock.now(), "UPDATE_IN_PROGRESS")
    flow.start(house.watch, house.signal("burn-fast"), "open_incident")
    assert len(house.opened) == 1


def test_a_refusal_is_recorded_with_every_gate_that_was_passed(house):
    remediation = flow.start(house.watch, house.signal(at=house.clock.now() - timedelta(minutes=16)), NAME)
    assert remediation.reason is Reason.STALE
    (event,) = house.books.events(remediation.id)
    assert [gate for gate, _ in event.data["gates"]] == ["signal", "target"]
    assert house.telemetry.total("Refused") == 1
    assert house.watch.ledger.open() == []


def test_a_refusal_by_the_plan_frees_the_target_and_gives_the_budget_back(house):
    house.set_reserved(400)
    remediation = flow.start(house.watch, house.signal(), NAME)
    assert (remediation.status, remediation.reason) == (Status.SKIPPED, Reason.NOTHING_TO_DO)
    assert house.books.holder(remediation.target.key) is None
    assert flow.start(house.watch, house.signal("throttles"), NAME).reason is Reason.NOTHING_TO_DO
    assert house.messages() == []


def test_a_refusal_worth_a_person_goes_on_to_an_incident(house):
    house.set_reserved(0)
    remediation = flow.start(house.watch, house.signal(), NAME)
    assert (remediation.reason, remediation.escalate_to) == (Reason.OPERATOR_STOP, ("open_incident",))
    house.rounds(1)

    assert [one.remediator for one in house.all()] == [NAME, "open_incident"]
    assert house.all()[1].status is Status.ESCALATED
    (item,) = house.opened
    assert item.target.name == "techmoda/read/exhaustion"
    assert "reserved concurrency is 0" in item.plan.reason
    assert house.get(remediation.id).escalate_to == ()


def test_a_spent_budget_is_told_and_goes_on_to_an_incident(house):
    house.on(playbook={"exhaustion": Play("exhaustion", ((NAME,), ("open_incident",)), Mode.AUTO, per_day=0)})
    remediation = flow.start(house.watch, house.signal(), NAME)
    assert remediation.reason is Reason.BUDGET_SPENT
    house.rounds(1)
    # The budget limits changes; it never keeps a page from people.
    assert [(message["status"], message["severity"]) for message in house.messages()] == [
        ("SKIPPED", "ticket"),
        ("ESCALATED", "page"),
    ]


def test_a_remediator_of_another_kind_is_not_bound(house):
    signal = replace(house.signal(), target=replace(house.signal().target, kind="table"))
    remediation = flow.start(house.watch, signal, NAME)
    assert remediation.detail == "NOT_BOUND: raise_concurrency changes a function, and techmoda-read leads to none"


def test_what_cannot_be_taken_back_never_runs_by_itself(house):
    step = Step(Call("lambda", "put_function_concurrency", {}), "", "warm throughput", 1, 2)
    charge = replace(load(NAME), plan=lambda observation, context: Plan((step,), "a one-off charge"))
    watch = replace(house.watch, load=lambda name: charge)
    remediation = flow.start(watch, house.signal(), NAME)
    assert (remediation.mode, remediation.status) == (Mode.APPROVE, Status.AWAITING_APPROVAL)
    assert house.aws.mutating() == []


def test_a_plan_over_the_days_money_is_refused_before_anything_is_done(house):
    dear = replace(load(NAME), plan=lambda *args: replace(load(NAME).plan(*args), monthly_cost=3001.0))
    remediation = flow.start(replace(house.watch, load=lambda name: dear), house.signal(), NAME)
    assert (remediation.status, remediation.reason) == (Status.SKIPPED, Reason.COST_CEILING)
    assert "100.03 USD a day" in remediation.detail
    assert house.aws.mutating() == []
    assert house.books.holder(remediation.target.key) is None


def test_a_fault_in_a_remediator_frees_its_target_and_a_person_is_told(house):
    faulty = replace(load(NAME), plan=lambda observation, context: 1 / 0)
    remediation = flow.start(replace(house.watch, load=lambda name: faulty), house.signal(), NAME)
    assert (remediation.status, remediation.reason) == (Status.FAILED, Reason.FAULTY)
    assert house.books.holder(remediation.target.key) is None
    house.rounds(1)
    assert len(house.opened) == 1


def fails(label, error, times=1):
    left = [times]

    def meddler(number, called):
        if called == label and left[0]:
            left[0] -= 1
            return error
        return None

    return meddler


THROTTLED = ClientError({"Error": {"Code": "TooManyRequestsException", "Message": "slow down"}}, "Get")
DENIED = ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "Get")


def test_when_aws_cannot_be_asked_the_round_looks_again(house):
    house.aws.before = fails("lambda.get_function", THROTTLED)
    remediation = flow.start(house.watch, house.signal(), NAME)
    assert remediation.status is Status.CLAIMED
    house.rounds(1)
    assert house.get(remediation.id).status is Status.VERIFYING
    assert house.reserved() == 240


def test_when_aws_cannot_be_asked_for_ten_minutes_a_person_is_told(house):
    house.aws.before = fails("lambda.get_function", THROTTLED, times=99)
    remediation = flow.start(house.watch, house.signal(), NAME)
    house.rounds(12)
    assert house.get(remediation.id).reason is Reason.AWS_ERROR
    assert len(house.opened) == 1


def test_who_may_not_look_does_not_try_again(house):
    house.aws.before = fails("lambda.get_function", DENIED)
    assert flow.start(house.watch, house.signal(), NAME).reason is Reason.AWS_ERROR


@pytest.mark.parametrize(
    ("meanwhile", "reason"),
    [
        (lambda house: house.books.set_mode("*", Mode.OFF, "ana", house.clock.now()), Reason.MODE_OFF),
        (lambda house: house.books.mark_change("techmoda", house.clock.now(), "UPDATE_IN_PROGRESS"),
         Reason.CHANGE_IN_PROGRESS),
    ],
)  # fmt: skip
def test_what_was_switched_off_between_two_looks_does_not_act(house, meanwhile, reason):
    house.aws.before = fails("lambda.get_function", THROTTLED)
    remediation = flow.start(house.watch, house.signal(), NAME)
    meanwhile(house)
    house.rounds(1)
    assert (house.get(remediation.id).status, house.get(remediation.id).reason) == (Status.SKIPPED, reason)
    assert house.aws.mutating() == []


def test_a_raise_that_aws_refuses_for_good_fails_with_nothing_in_force(house):
    house.aws.before = fails("lambda.put_function_concurrency", DENIED)
    remediation = flow.start(house.watch, house.signal(), NAME)
    assert (remediation.status, remediation.reason) == (Status.FAILED, Reason.AWS_ERROR)
    assert (house.reserved(), remediation.steps_done) == (120, 0)
    assert house.books.holder(remediation.target.key) is None


def test_a_raise_whose_outcome_cannot_be_seen_is_no_failure_but_a_persons_work(house):
    """It took effect, no answer came, and looking is not allowed any more."""
    silent = ReadTimeoutError(endpoint_url="https://lambda")
    house.aws.after = fails("lambda.put_function_concurrency", silent)
    house.watch = replace(house.watch, aws=_Blind(house))
    remediation = flow.start(house.watch, house.signal(), NAME)
    assert remediation.status is Status.APPLYING
    house.rounds(2)

    found = house.get(remediation.id)
    assert (found.status, found.steps_done, house.reserved()) == (Status.ESCALATED, 1, 240)
    assert "it may be in force" in found.detail


class _Blind:
    """AWS, where the limit can be read once and never again."""

    def __init__(self, house):
        self.aws, self.reads = house.aws, 0

    def client(self, service, region=None):
        client = self.aws.client(service, region)
        if service != "lambda":
            return client
        outer = self

        class Client:
            def __getattr__(self, name):
                if name == "get_function_concurrency" and outer.reads:
                    raise DENIED
                outer.reads += name == "get_function_concurrency"
                return getattr(client, name)

        return Client()


def test_an_event_that_comes_again_while_the_round_takes_over_leaves_it_to_the_round(house):
    house.aws.before = fails("lambda.get_function", KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        flow.start(house.watch, house.signal(), NAME)
    signal = house.signal()
    house.clock.forward(91)

    transactions = []

    def faster(number, label):
        """The first transaction finds the duplicate; just before the second, which claims it, the round claims it."""
        if label == "dynamodb.transact_write_items":
            transactions.append(number)
            if len(transactions) == 2:
                (one,) = house.all()
                house.books.save(one, before=one, now=house.clock.now())

    house.aws.before = faster
    assert flow.start(house.watch, signal, NAME) is None
    assert house.aws.mutating() == []


def test_without_a_ledger_nothing_is_done(house):
    house.aws.before = fails("dynamodb.transact_write_items", DENIED, times=9)
    with pytest.raises(LedgerUnavailable):
        flow.start(house.watch, house.signal(), NAME)
    assert house.aws.mutating() == []


def test_somebody_who_changes_the_limit_between_plan_and_raise_keeps_it(house):
    house.aws.before = lambda number, label: (
        house.set_reserved(150) if label == "lambda.get_function_concurrency" else None
    )
    remediation = flow.start(house.watch, house.signal(), NAME)
    assert (remediation.status, remediation.reason, house.reserved()) == (Status.KEPT, Reason.DRIFTED, 150)
    (message,) = house.messages()
    assert message["do"] == f"sereno why {remediation.id}"


def test_an_event_that_comes_again_after_a_crash_goes_on_where_it_ended(house):
    house.aws.before = fails("lambda.get_function", KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        flow.start(house.watch, house.signal(), NAME)
    signal = house.signal()
    assert flow.start(house.watch, signal, NAME) is None  # its claim still runs
    house.clock.forward(91)
    assert flow.start(house.watch, signal, NAME).status is Status.VERIFYING


def test_a_person_is_told_although_the_mode_cannot_be_read(house):
    """To fail closed is to change nothing; telling people changes nothing."""
    house.aws.before = lambda number, label: ReadTimeoutError(endpoint_url="x") if "batch_get" in label else None
    assert flow.start(house.watch, house.signal("burn-fast"), "open_incident").status is Status.ESCALATED
    assert len(house.opened) == 1
