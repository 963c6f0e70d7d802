"""No change is ever forgotten: one that is escalated stays a lease until it is reverted or kept."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest
from botocore.exceptions import ClientError

from deploy import iam
from remediators import authors, flow, items, settle
from remediators.registry import all_remediators
from sereno import breaker
from sereno.errors import Refused
from sereno.incident import Stage
from sereno.lifecycle import Remediation
from sereno.model import Mode, Reason, Status

NAME = "raise_concurrency"
DENIED = ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "Put")


def minutes(house, count, **series):
    """Rounds, each after a minute with these metrics (calm unless told otherwise)."""
    usual = {"Invocations": 106 * 60, "Throttles": 0, "Duration": 150, "ConcurrentExecutions": 35}
    for _ in range(count):
        house.clock.forward(60)
        house.metrics.minutes(house.clock, **usual, **{f"recent_{name}": value for name, value in series.items()})
        house.clock.forward(-60)
        house.rounds(1)


@pytest.fixture
def escalated(house):
    """A limit raised from 120 to 240, which did not help within eight minutes."""
    house.in_memory()
    raised = flow.start(house.watch, house.signal(), NAME)
    minutes(house, 8, Throttles=50)
    found = house.get(raised.id)
    assert (found.status, found.active, found.ended) == (Status.ESCALATED, True, False)
    return found


def test_it_is_reverted_when_the_symptom_is_gone_and_the_hold_is_over(house, escalated):
    minutes(house, 14)
    assert (house.get(escalated.id).status, house.reserved()) == (Status.ESCALATED, 240)
    minutes(house, 3)
    assert (house.get(escalated.id).status, house.reserved()) == (Status.REVERTED, 120)
    assert house.books.holder(escalated.target.key) is None
    assert house.books.open() == []


def test_it_stays_while_the_hold_has_a_peak_that_needs_it(house, escalated):
    minutes(house, 40, ConcurrentExecutions=200)
    assert (house.get(escalated.id).status, house.reserved()) == (Status.ESCALATED, 240)
    minutes(house, 20)
    assert (house.get(escalated.id).status, house.reserved()) == (Status.REVERTED, 120)


def test_its_target_stays_its_own_and_the_next_raise_keeps_the_original_value(house, escalated):
    """A new alarm does not take the raised value for the one to revert to."""
    house.clock.forward(300)
    house.metrics.minutes(house.clock, Invocations=106 * 60, recent_Invocations=106 * 540, Duration=150, Throttles=0)
    second = flow.start(house.watch, house.signal("throttles"), NAME)
    assert (second.status, second.reason) == (Status.SKIPPED, Reason.TARGET_BUSY)
    found = house.get(escalated.id)
    assert (found.status, house.reserved(), found.again_from) == (Status.VERIFYING, 358, 1)
    minutes(house, 30)
    assert (house.get(escalated.id).status, house.reserved()) == (Status.REVERTED, 120)
    assert house.little.effects == [(120, 240), (240, 358), (358, 120)]


def test_a_third_raise_goes_back_to_the_original_value_at_once_too(house, escalated):
    def surge(factor):
        house.clock.forward(360)
        house.metrics.minutes(
            house.clock, Invocations=106 * 60, recent_Invocations=106 * 60 * factor, Duration=150, Throttles=0
        )
        flow.start(house.watch, house.signal("throttles"), NAME)

    surge(8)
    second = house.reserved()
    minutes(house, 9, Throttles=50)
    assert house.get(escalated.id).status is Status.ESCALATED
    surge(10)
    third = house.reserved()
    assert 240 < second < third
    minutes(house, 40)
    assert (house.get(escalated.id).status, house.reserved()) == (Status.REVERTED, 120)
    assert house.little.effects[-1] == (third, 120)


@pytest.mark.parametrize(("quota", "left"), [(438, 298), (400, 240)])
def test_a_second_raise_that_takes_what_others_need_is_settled_too(house, escalated, quota, left):
    """Others reserve in the moment of the second raise, from 240 to 358: 100 stay unreserved, and the first raise is
    never given back for it."""
    house.clock.forward(300)
    house.metrics.minutes(house.clock, Invocations=106 * 60, recent_Invocations=106 * 540, Duration=150, Throttles=0)
    once = []

    def meddle(number, label):
        if label == "lambda.put_function_concurrency" and not once:
            once.append(number)
            house.little.quota = quota

    house.aws.before = meddle
    flow.start(house.watch, house.signal("throttles"), NAME)
    house.aws.before = None
    assert house.reserved() == 358
    settle.look(house.watch, house.get(escalated.id))
    assert house.reserved() == left
    found = house.get(escalated.id)
    assert [(step.before, step.after) for step in found.plan.steps] == [(120, 240), (240, left)]
    assert settle.look(house.watch, house.get(escalated.id)).plan == found.plan, "it is settled once"
    minutes(house, 40)
    assert (house.get(escalated.id).status, house.reserved()) == (Status.REVERTED, 120)


def test_a_second_raise_that_aws_refuses_leaves_the_first_a_lease(house, escalated):
    house.clock.forward(300)
    house.metrics.minutes(house.clock, Invocations=106 * 60, recent_Invocations=106 * 540, Duration=150, Throttles=0)
    house.aws.before = lambda number, label: DENIED if label == "lambda.put_function_concurrency" else None
    flow.start(house.watch, house.signal("throttles"), NAME)
    house.aws.before = None
    found = house.get(escalated.id)
    assert (found.status, found.steps_done, house.reserved()) == (Status.ESCALATED, 1, 240)
    assert house.books.holder(escalated.target.key) == escalated.id
    minutes(house, 30)
    assert (house.get(escalated.id).status, house.reserved()) == (Status.REVERTED, 120)


@pytest.mark.parametrize("mode", [Mode.OBSERVE, Mode.APPROVE])
def test_it_is_raised_further_in_auto_alone(house, escalated, mode):
    house.books.set_mode(NAME, mode, "ana", house.clock.now())
    house.clock.forward(300)
    house.metrics.minutes(house.clock, Invocations=106 * 60, recent_Invocations=106 * 540, Duration=150, Throttles=0)
    flow.start(house.watch, house.signal("throttles"), NAME)
    assert (house.get(escalated.id).status, house.reserved()) == (Status.ESCALATED, 240)


def test_its_incident_does_not_resolve_before_it_is_reverted(house, escalated):
    house.red()
    minutes(house, 1, Throttles=50)
    house.green()
    minutes(house, 10)
    stages = {incident.stage for incident in house.books.incidents.open()}
    assert stages == {Stage.MITIGATED}
    minutes(house, 10)
    assert house.get(escalated.id).status is Status.REVERTED
    assert house.books.incidents.open() == []


def test_a_person_cannot_resolve_it_over_an_active_change(house, escalated):
    with pytest.raises(Refused, match=f"while a change of it is active: {escalated.id} .*sereno revert"):
        house.books.incidents.resolve(escalated.incident, "ana", house.clock.now())


def far_later(house, remediation, days):
    """Days later, with the demand still high enough to keep the change."""
    house.clock.forward(days * 86_400)
    minutes(house, 1, ConcurrentExecutions=200)
    return house.get(remediation.id)


def test_people_are_reminded_once_a_day(house, escalated):
    minutes(house, 1, ConcurrentExecutions=200)
    house.messages()
    for _ in range(3):
        far_later(house, escalated, 1)
        minutes(house, 2, ConcurrentExecutions=200)
        told = [one for one in house.messages() if one["id"] == escalated.id and one["status"] == "ESCALATED"]
        (reminder,) = told
        assert reminder["detail"].startswith(
            "still active since 2026-09-29 12:08 UTC: reserved concurrency 120 -> 240"
        )
        assert "sereno revert" in reminder["do"]
        assert "sereno keep" in reminder["do"]


def test_what_it_costs_counts_on_each_day_that_it_lasts(house, escalated):
    """A day's ceiling sees what yesterday's changes still cost."""
    costly = replace(escalated, plan=replace(escalated.plan, monthly_cost=90.0))
    house.watch.ledger.save(costly, before=escalated, now=house.clock.now())
    for day in ("2026-09-30", "2026-10-01"):
        far_later(house, escalated, 1)
        minutes(house, 3, ConcurrentExecutions=200)
        assert house.books.spent([NAME], day) == {NAME: (0, 3.0)}


def test_a_revert_that_aws_refuses_is_tried_again_each_hour_and_told_once(house):
    raised = flow.start(house.watch, house.signal(), NAME)
    minutes(house, 15)
    house.aws.before = lambda number, label: DENIED if label == "lambda.put_function_concurrency" else None
    minutes(house, 2)
    assert house.get(raised.id).status is Status.ESCALATED
    house.messages()
    minutes(house, 125)
    tries = [one for one in house.books.events(raised.id) if one.phase == "REVERTING"]
    assert len(tries) == 3
    assert [one for one in house.messages() if one["status"] == "ESCALATED"] == []
    house.aws.before = None
    minutes(house, 62)
    assert (house.get(raised.id).status, house.reserved()) == (Status.REVERTED, 120)


def test_that_it_did_not_help_speaks_against_its_remediator_when_it_is_reverted_too(house, escalated):
    minutes(house, 20)
    ended = house.get(escalated.id)
    assert ended.status is Status.REVERTED
    assert breaker.counts(ended)


def test_a_person_keeps_it_and_its_target_is_free(house, escalated):
    house.books.wish(escalated.id, "keep", "ana", house.clock.now())
    minutes(house, 1)
    assert (house.get(escalated.id).status, house.reserved()) == (Status.KEPT, 240)
    assert house.books.holder(escalated.target.key) is None


def test_one_that_escalated_when_such_changes_gave_their_targets_back_can_be_reverted(house, escalated):
    """Rows of an earlier version hold no target."""
    table = house.little.real.client("dynamodb")
    table.update_item(**items.free_lock("sereno-techmoda-ledger", escalated, house.clock.now())["Update"])
    house.books.wish(escalated.id, "revert", "ana", house.clock.now())
    minutes(house, 1)
    assert (house.get(escalated.id).status, house.reserved()) == (Status.REVERTED, 120)


def test_the_flag_survives_the_codec(escalated):
    read = Remediation.from_json(json.loads(json.dumps(escalated.to_json())), version=escalated.version)
    assert read == escalated
    assert (read.escalated_for, read.remind_at) == ("SYMPTOM_PERSISTS", escalated.escalated_at + timedelta(days=1))


# -- somebody else writes


def test_a_value_that_somebody_put_back_is_reverted_and_not_drift(house, escalated):
    house.set_reserved(120)
    minutes(house, 1)
    found = house.get(escalated.id)
    assert (found.status, found.reason) == (Status.REVERTED, Reason.OK)
    assert found.detail == "reserved concurrency is 120 again: not by this remediation"
    assert house.books.holder(escalated.target.key) is None


class Trail:
    """CloudTrail's event history. `known` are (name, user, parameters, moment when it is told)."""

    def __init__(self, house):
        self.house, self.known, self.asked = house, [], 0

    def lookup_events(self, **asked):
        self.asked += 1
        (attribute,) = asked["LookupAttributes"]
        assert attribute["AttributeKey"] == "EventName"
        events = [
            {
                "EventName": name,
                "Username": user,
                "EventTime": self.house.clock.now() - timedelta(minutes=3),
                "CloudTrailEvent": json.dumps({"requestParameters": parameters, **more}),
            }
            for name, user, parameters, told, more in self.known
            if name == attribute["AttributeValue"] and told <= self.house.clock.now()
        ]
        return {"Events": events}

    def tells(self, name, user, after_min=0, function="techmoda-read", **more):
        told = self.house.clock.now() + timedelta(minutes=after_min)
        self.known.append((name, user, {"functionName": function}, told, more))


@pytest.fixture
def trail(house, monkeypatch):
    trail, real = Trail(house), house.little.client
    monkeypatch.setattr(
        house.little, "client", lambda name, region=None: trail if name == "cloudtrail" else real(name, region)
    )
    return trail


def test_who_changed_the_value_is_shown_when_cloudtrail_tells_late(house, trail):
    raised = flow.start(house.watch, house.signal(), NAME)
    house.set_reserved(333)
    trail.tells("PutFunctionConcurrency20171031", f"sereno-techmoda-{NAME}")
    trail.tells("PutFunctionConcurrency20171031", "bob", function="other")
    trail.tells("PutFunctionConcurrency20171031", "eve", errorCode="AccessDenied")
    trail.tells("PutFunctionConcurrency20171031", "ana", after_min=14)
    minutes(house, 5)
    found = house.get(raised.id)
    assert (found.status, found.reason) == (Status.KEPT, Reason.DRIFTED)
    assert "written by" not in found.detail
    house.messages()
    minutes(house, 12)
    found = house.get(raised.id)
    assert "written by ana (PutFunctionConcurrency20171031, 12:" in found.detail
    assert [one["detail"] for one in house.messages() if one["id"] == raised.id] == [found.detail]
    assert house.books.open() == []


@pytest.mark.parametrize("broken", [True, False])
def test_who_changed_it_is_given_up_in_silence_after_twenty_minutes(house, trail, monkeypatch, broken):
    if broken:
        monkeypatch.setattr(trail, "lookup_events", lambda **asked: (_ for _ in ()).throw(DENIED))
    raised = flow.start(house.watch, house.signal(), NAME)
    house.set_reserved(333)
    minutes(house, 2)
    house.messages()
    minutes(house, 24)
    assert house.messages() == []
    assert house.books.open() == []
    assert house.get(raised.id).status is Status.KEPT
    # A tenth of what AWS answers, at most: two names each second minute.
    assert trail.asked <= 2 * (authors.WITHIN / authors.EACH + 2)


def test_the_reconciler_alone_may_read_the_history():
    read = "cloudtrail.lookup_events"
    assert read in {one.operation for one in iam.ROUND}
    every = [one.operation for remediator in all_remediators().values() for one in remediator.permissions]
    assert read not in every
    assert read not in {one.operation for one in iam.COMMON}
