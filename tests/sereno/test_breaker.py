"""Too many failures and reverts by people in too few days take a remediator's right to act away."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sereno.breaker import check, counts, demotable
from sereno.lifecycle import Remediation
from sereno.model import Call, Mode, Plan, Reason, Signal, Status, Step, Target
from sereno.service import Demotion

NOON = datetime(2026, 9, 29, 12, 0, tzinfo=UTC)
READ = Target("function", "shop-read", "eu-west-1", "123456789012")
SIGNAL = Signal("s", "cloudwatch", "shop/read/throttles", "throttles", "ALARM", "OK", READ, NOON)
CALL = Call("lambda", "put_function_concurrency", {})
LEASE = Plan((Step(CALL, "", "reserved concurrency", 120, 240, CALL),), "")
RULE = Demotion(times=3, days=7)


def one(status, reason=Reason.OK, days_ago=0.0, name="raise_concurrency", **facts):
    facts = {"plan": LEASE, "steps_done": 1, **facts}
    at = NOON - timedelta(days=days_ago)
    return Remediation(f"r{days_ago}", name, SIGNAL, READ, at, status=status, reason=reason, **facts)


@pytest.mark.parametrize(
    ("remediation", "against"),
    [
        (one(Status.FAILED, Reason.FAULTY), True),
        (one(Status.FAILED, Reason.AWS_ERROR), False),  # AWS was the one that failed
        (one(Status.ESCALATED, Reason.SYMPTOM_PERSISTS), True),
        (one(Status.ESCALATED, Reason.AWS_ERROR), False),
        (one(Status.ESCALATED, Reason.SYMPTOM_PERSISTS, steps_done=0), False),
        (one(Status.REVERTED, ended_by="ana"), True),
        (one(Status.REVERTED), False),  # it gave it back itself
        (one(Status.KEPT, ended_by="ana"), False),  # somebody liked it
        (one(Status.SKIPPED, Reason.NO_HEADROOM, steps_done=0), False),
        (one(Status.HOLDING), False),
    ],
)
def test_what_speaks_against_a_remediator(remediation, against):
    assert counts(remediation) is against


def test_three_in_a_week_are_too_many_and_older_or_forgiven_ones_do_not_count():
    bad = [one(Status.FAILED, Reason.FAULTY, days) for days in (0.1, 2, 6.9)]
    assert check("raise_concurrency", bad, RULE, NOON, None).ok is False
    assert check("raise_concurrency", bad[:2], RULE, NOON, None).ok
    assert check("raise_concurrency", [*bad[:2], one(Status.FAILED, Reason.FAULTY, 7.1)], RULE, NOON, None).ok
    assert check("raise_capacity", bad, RULE, NOON, None).ok
    assert check("raise_concurrency", bad, RULE, NOON, NOON - timedelta(days=1)).ok, "promoted again yesterday"
    said = check("raise_concurrency", bad, RULE, NOON, None).detail
    assert said.startswith("3 failures and reverts by people in 7 days, 3 are allowed: r0.1 (FAILED)")


@given(st.lists(st.tuples(st.sampled_from(sorted(Status)), st.floats(0, 20), st.booleans()), max_size=20))
def test_good_deeds_never_demote_and_one_more_bad_one_never_helps(cases):
    past = [one(status, Reason.SYMPTOM_PERSISTS, days, ended_by="ana" * by) for status, days, by in cases]
    good = [case for case in past if not counts(case)]
    assert check("raise_concurrency", good, RULE, NOON, None).ok
    before = check("raise_concurrency", past, RULE, NOON, None).ok
    after = check("raise_concurrency", [*past, one(Status.FAILED, Reason.FAULTY)], RULE, NOON, None).ok
    assert before or not after


def test_only_what_may_act_can_be_demoted():
    assert [demotable(mode) for mode in Mode] == [False, False, True, True]
