"""The central types turn into JSON and back without loss, and times read as AWS prints them."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sereno.lifecycle import Remediation
from sereno.model import (
    Call,
    Event,
    Mode,
    Plan,
    Reason,
    Signal,
    Status,
    Step,
    Target,
    Verdict,
    instant,
    iso,
)

TEXT = st.text(max_size=20)
VALUES = st.none() | st.integers(0, 10_000) | TEXT | st.lists(st.integers(0, 9), max_size=2)
PARAMS = st.dictionaries(TEXT, VALUES, max_size=3)
# The ledger and the events keep milliseconds, as CloudWatch does.
MOMENTS = st.datetimes(datetime(2020, 1, 1), datetime(2080, 1, 1), timezones=st.just(UTC)).map(
    lambda moment: moment.replace(microsecond=moment.microsecond // 1000 * 1000)
)
TARGETS = st.builds(Target, TEXT, TEXT, TEXT, TEXT)
VERDICTS = st.builds(Verdict, st.booleans(), st.sampled_from(Reason), TEXT)
CALLS = st.builds(Call, TEXT, TEXT, PARAMS)
STEPS = st.builds(Step, CALLS, TEXT, TEXT, VALUES, VALUES, st.none() | CALLS, st.none() | TEXT)
GATES = st.lists(st.tuples(TEXT, VERDICTS), max_size=3).map(tuple)
MONEY = st.floats(0, 1e6, allow_nan=False)
PLANS = st.builds(Plan, st.lists(STEPS, max_size=3).map(tuple), TEXT, TEXT, MONEY, GATES)
EVENTS = st.builds(Event, MOMENTS, TEXT, TEXT, TEXT, PARAMS)
SIGNALS = st.builds(
    Signal, TEXT, TEXT, TEXT, TEXT, TEXT, TEXT, TARGETS, MOMENTS, TEXT, TEXT, muted=st.booleans(), raw_ref=TEXT
)
REMEDIATIONS = st.builds(
    Remediation,
    id=TEXT,
    remediator=TEXT,
    signal=SIGNALS,
    target=TARGETS,
    created=MOMENTS,
    status=st.sampled_from(Status),
    mode=st.sampled_from(Mode),
    reason=st.sampled_from(Reason),
    detail=TEXT,
    plan=st.none() | PLANS,
    steps_done=st.integers(0, 3),
    claim_until=st.none() | MOMENTS,
    due_at=st.none() | MOMENTS,
    escalate_at=st.none() | MOMENTS,
    escalate_to=st.lists(TEXT, max_size=2).map(tuple),
    sequence=st.integers(0, 100),
    unpublished=st.lists(EVENTS, max_size=2).map(tuple),
)


@pytest.mark.parametrize(
    ("kind", "strategy"),
    [
        (Target, TARGETS),
        (Verdict, VERDICTS),
        (Signal, SIGNALS),
        (Call, CALLS),
        (Step, STEPS),
        (Plan, PLANS),
        (Event, EVENTS),
        (Remediation, REMEDIATIONS),
    ],
)
def test_what_is_written_as_json_reads_back_the_same(kind, strategy):
    @given(strategy)
    def there_and_back(one):
        assert kind.from_json(json.loads(json.dumps(one.to_json()))) == one

    there_and_back()


NINE = datetime(2026, 11, 24, 9, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-24T09:30:00Z", NINE),
        ("2026-11-24T09:30:00.000Z", NINE),
        ("2026-11-24T09:30:00.000+0000", NINE),
        ("2026-11-24T10:30:00+01:00", NINE),
        ("2026-11-24T09:30:00.123456+00:00", NINE.replace(microsecond=123456)),
    ],
)
def test_every_form_in_which_aws_prints_a_time_is_read(text, moment):
    assert instant(text) == moment


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("2026-11-24T09:30:00", "has no time zone"),
        ("2026-11-24", "has no time zone"),
        ("half past nine", "Invalid isoformat string"),
        ("0001-01-01T00:00:00+05:00", "lies outside the calendar"),
    ],
)
def test_what_is_no_moment_is_refused(text, why):
    with pytest.raises(ValueError, match=why):
        instant(text)


@given(st.datetimes(timezones=st.just(UTC)))
def test_a_written_time_reads_back_to_the_millisecond_and_sorts_as_text(moment):
    assert 0 <= (moment - instant(iso(moment))).total_seconds() < 0.001
    assert len(iso(moment)) == len("2026-11-24T09:30:00.000Z")


def test_the_strictest_mode_allows_least():
    assert Mode.strictest(Mode.AUTO, Mode.OBSERVE, Mode.APPROVE) is Mode.OBSERVE
    assert Mode.strictest(Mode.OFF, Mode.AUTO) is Mode.OFF
    assert [mode.rank for mode in Mode] == [0, 1, 2, 3]


def test_a_plan_is_a_lease_when_every_step_can_be_taken_back():
    back, gone = Step(Call("a", "b"), "", "s", 1, 2, Call("a", "c")), Step(Call("a", "b"), "", "s", 1, 2)
    assert Plan((back,), "").is_lease
    assert not Plan((back, gone), "").is_lease
    assert not Plan((), "").is_lease


def test_a_call_reads_as_a_person_would_type_it():
    call = Call("lambda", "put_function_concurrency", {"FunctionName": "read", "ReservedConcurrentExecutions": 5})
    assert str(call) == "lambda.put_function_concurrency(FunctionName='read', ReservedConcurrentExecutions=5)"
