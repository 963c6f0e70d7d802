"""The round: what events missed is found, what is due is tended, and no one trouble stops the rest."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from botocore.exceptions import ClientError

from remediators import flow, round
from remediators.attempts import attempt_number
from remediators.registry import load
from sereno.errors import LedgerUnavailable, MalformedEvent
from sereno.model import Mode, Reason, Status, iso

NAME = "raise_concurrency"


def test_a_lost_event_is_found_by_the_second_round(house):
    house.red()
    house.rounds(1)
    assert house.all() == []  # its event may still arrive
    house.rounds(1)
    (found,) = house.all()
    assert (found.status, found.signal.source) == (Status.VERIFYING, "round")
    assert house.reserved() == 240


def test_a_late_event_finds_that_the_round_has_acted(house):
    house.red()
    signal = house.signal()
    house.rounds(2)
    assert flow.start(house.watch, signal, NAME) is None
    assert house.aws.mutating() == ["lambda.put_function_concurrency"]


@pytest.mark.parametrize(
    ("age_s", "attempt"),
    [(0, 0), (299, 0), (300, 1), (599, 1), (600, 2), (1199, 2), (1200, 3), (2400, 4)],
)
def test_a_red_alarm_is_tried_again_ever_more_rarely(age_s, attempt):
    assert attempt_number(age_s) == attempt


def test_a_refused_alarm_is_tried_at_5_10_20_and_40_minutes_and_not_between(house):
    house.on(mode=Mode.OFF)
    house.red()
    began = house.clock.now()
    house.rounds(45)
    tries = [round_off(one.created - began) for one in house.all()]
    assert tries == [2, 5, 10, 20, 40]
    assert {one.reason for one in house.all()} == {Reason.MODE_OFF}


def round_off(age):
    return int(age.total_seconds() // 60)


def test_what_was_refused_is_done_once_the_reason_has_gone(house):
    house.books.mark_change("techmoda", house.clock.now(), "UPDATE_IN_PROGRESS")
    house.red()
    house.rounds(4)
    assert [one.reason for one in house.all()] == [Reason.CHANGE_IN_PROGRESS]
    house.books.clear_change("techmoda", house.clock.now(), "UPDATE_COMPLETE")
    house.rounds(1)
    assert house.reserved() == 240


def test_an_alarm_that_has_been_red_for_hours_is_no_stale_news(house):
    house.red(StateTransitionedTimestamp=house.clock.now() - timedelta(hours=5))
    house.rounds(1)
    assert [one.status for one in house.all()] == [Status.VERIFYING]


def test_every_page_of_red_alarms_is_read_and_bound_ones_by_name(house):
    house.on(bindings={"Old alarm": ("exhaustion", "write")}, mode=Mode.OFF)
    for what in ("exhaustion", "saturation", "throttles", "burn-fast", "nothing-bound"):
        house.red(what)
    old = house.little.alarms["techmoda/read/exhaustion"]
    house.little.alarms["Old alarm"] = {
        **old,
        "AlarmName": "Old alarm",
        "AlarmArn": old["AlarmArn"].replace("techmoda/read/exhaustion", "Old alarm"),
    }
    house.rounds(2)
    assert sorted(one.signal.name for one in house.all()) == [
        "Old alarm",
        "techmoda/read/burn-fast",
        "techmoda/read/exhaustion",
        "techmoda/read/saturation",
        "techmoda/read/throttles",
    ]


def test_a_suppressed_alarm_starts_nothing(house):
    house.red(ActionsSuppressedBy="Alarm")
    house.rounds(2)
    assert [one.reason for one in house.all()] == [Reason.MUTED]


def test_while_a_target_is_held_its_other_alarms_start_nothing(house):
    flow.start(house.watch, house.signal(), NAME)
    house.red("throttles")
    house.rounds(4)
    assert len(house.all()) == 1


def test_alarms_that_cannot_be_read_do_not_stop_the_round(house):
    denied = ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "DescribeAlarms")
    house.aws.before = lambda number, label: denied if label == "cloudwatch.describe_alarms" else None
    house.rounds(1)
    assert house.telemetry.total("RoundCompleted") == 1
    assert house.telemetry.total("LookFailed") == 1


def test_without_a_ledger_there_is_no_round_and_no_heartbeat(house):
    denied = ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "Query")
    house.aws.before = lambda number, label: denied if label == "dynamodb.query" else None
    with pytest.raises(LedgerUnavailable):
        round.make(house.watch)
    assert house.telemetry.total("RoundCompleted") == 0


# -- one trouble does not stop the rest


def break_row(house, remediation):
    house.little.real.client("dynamodb").update_item(
        TableName="sereno-techmoda-ledger",
        Key={"pk": {"S": f"R#{remediation.id}"}, "sk": {"S": "STATE"}},
        UpdateExpression="SET doc = :junk",
        ExpressionAttributeValues={":junk": {"S": "{"}},
    )


def test_a_row_that_cannot_be_read_does_not_stop_the_others_and_is_told(house):
    first = flow.start(house.watch, house.signal(resource="write"), NAME)
    second = flow.start(house.watch, house.signal(), NAME)
    break_row(house, min(first, second, key=lambda one: one.id))
    house.red("burn-fast")
    house.clock.forward(120)
    house.calm()
    with pytest.raises(round.RoundIncomplete, match="1 remediations could not be tended"):
        round.make(house.watch)

    assert house.get(max(first.id, second.id)).status is Status.HOLDING
    pages = [one for one in house.messages() if one["remediator"] == "open_incident"]
    assert [one["status"] for one in pages] == ["ESCALATED"]  # the missed alarm was seen to as well
    (logged,) = [facts for level, _, facts in house.telemetry.logs if level == "error"]
    assert logged["id"] == f"R#{min(first.id, second.id)}"


def test_a_remediator_that_cannot_be_loaded_stops_only_its_own_alarm(house):
    def some(name):
        if name == NAME:
            raise ImportError("broken")
        return load(name)

    house.watch = replace(house.watch, load=some)
    house.red("exhaustion")
    house.red("burn-fast")
    house.clock.forward(120)
    with pytest.raises(round.RoundIncomplete):
        round.make(house.watch)
    assert [one.remediator for one in house.all()] == ["open_incident"]
    assert house.telemetry.total("RoundCompleted") == 1


def test_somebody_elses_work_is_a_conflict_and_no_failure(house):
    one = flow.start(house.watch, house.signal(), NAME)
    house.clock.forward(60)
    house.calm()

    def meddle(number, label):
        if label == "lambda.get_function_concurrency":
            read = house.get(one.id)
            house.books.save(read, before=read, now=house.clock.now())

    house.aws.before = meddle
    assert round.make(house.watch)["conflicts"] == 1
    assert house.get(one.id).status is Status.VERIFYING


def test_what_is_left_at_the_deadline_is_due_the_next_minute(house):
    flow.start(house.watch, house.signal(resource="write"), NAME)
    flow.start(house.watch, house.signal(), NAME)
    house.red("burn-fast")
    house.clock.forward(120)
    house.calm()
    asked = []

    def left():
        asked.append(1)
        return 30.0 if len(asked) <= 1 else 5.0

    done = round.make(replace(house.watch, time_left=left))
    assert (done["tended"], done["left"], done["started"]) == (1, 1, 0)
    assert [one.status for one in house.all()].count(Status.VERIFYING) == 1
    house.rounds(1)
    assert [one.status for one in house.all()].count(Status.HOLDING) == 2


# -- changes of the stack


def stack_event(house, status, *, stack="techmoda", **changed):
    arn = f"arn:aws:cloudformation:eu-west-1:123456789012:stack/{stack}/ec9fffc0"
    return {
        "source": "aws.cloudformation",
        "detail-type": "CloudFormation Stack Status Change",
        "time": iso(house.clock.now()),
        "detail": {"stack-id": arn, "status-details": {"status": status, "status-reason": ""}},
        **changed,
    }


@pytest.mark.parametrize(
    ("status", "stack", "busy"),
    [
        ("UPDATE_IN_PROGRESS", "techmoda", True),
        ("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "techmoda", True),
        ("UPDATE_ROLLBACK_IN_PROGRESS", "techmoda", True),
        ("UPDATE_COMPLETE", "techmoda", False),
        ("ROLLBACK_FAILED", "techmoda", False),
        ("UPDATE_IN_PROGRESS", "another", False),
    ],
)
def test_a_stack_in_progress_keeps_sereno_from_its_resources(house, status, stack, busy):
    round.note_change(house.watch, stack_event(house, status, stack=stack))
    remediation = flow.start(house.watch, house.signal(), NAME)
    assert (remediation.reason is Reason.CHANGE_IN_PROGRESS) is busy


def test_the_end_told_before_the_beginning_leaves_no_change_behind(house):
    beginning = stack_event(house, "UPDATE_IN_PROGRESS")
    house.clock.forward(40)
    round.note_change(house.watch, stack_event(house, "UPDATE_COMPLETE"))
    round.note_change(house.watch, beginning)
    assert flow.start(house.watch, house.signal(), NAME).status is Status.VERIFYING


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"detail": None}, "no stack-id and status"),
        ({"detail": {"stack-id": "x"}}, "no stack-id and status"),
        ({"detail": {"stack-id": "a/b/c", "status-details": "busy"}}, "no stack-id and status"),
        ({"time": "today"}, "event.time: 'today' is not a time with a zone"),
    ],
)
def test_a_stack_event_of_no_known_shape_is_refused(house, changed, told):
    with pytest.raises(MalformedEvent, match=told):
        round.note_change(house.watch, stack_event(house, "UPDATE_COMPLETE", **changed))


def test_the_round_function_takes_both_the_tick_and_the_stacks_news(house, monkeypatch):
    monkeypatch.setattr("remediators.handler.set_up", lambda environment: house.watch)
    assert round.handler(stack_event(house, "UPDATE_IN_PROGRESS"), None) == {"noted": True}
    done = round.handler({"source": "aws.scheduler"}, None)
    assert done == {"tended": 0, "started": 0, "left": 0, "conflicts": 0, "failed": 0, "incidents": 0}


class TestTheTailOfAForecast:
    """A forecast alarm looks at six minutes, so it is in ALARM up to nine minutes longer than the growth: five of its
    window, and three by which metrics may be late. Nothing starts a second remediation from that."""

    TAIL = 9

    @pytest.mark.parametrize("hold_s", [900, 60])
    def test_the_change_is_made_and_reverted_once(self, house, hold_s):
        plays = {what: replace(play, hold_s=hold_s) for what, play in house.watch.service.playbook.items()}
        house.on(playbook=plays)
        house.surge()
        house.red()
        flow.start(house.watch, house.signal(), NAME)
        assert house.reserved() == 240
        for minute in range(40):
            if minute == self.TAIL:
                house.green()
            house.calm()
            house.rounds(1)
        changed = [one for one in house.all() if one.plan and one.plan.steps]
        assert [one.status for one in changed] == [Status.REVERTED]
        assert house.aws.mutating() == ["lambda.put_function_concurrency"] * 2, "raised once, reverted once"
        assert house.reserved() == 120
