"""The life of a remediation: which status may follow which, and what its id says."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sereno.lifecycle import CLAIM, ENDED, IN_FORCE, MOVES, IllegalMove, Remediation, claim_free, remediation_id
from sereno.model import Signal, Status, Target

NOON = datetime(2026, 9, 29, 12, 0, tzinfo=UTC)
READ = Target("function", "techmoda-read", "eu-west-1", "123456789012")
SIGNAL = Signal("arn@1", "alarm", "techmoda/read/exhaustion", "exhaustion", "ALARM", "OK", READ, NOON)


def remediation(status: Status = Status.CLAIMED) -> Remediation:
    return Remediation("r1", "raise_concurrency", SIGNAL, READ, NOON, status=status)


USUAL = [
    (Status.CLAIMED, Status.PLANNED),
    (Status.PLANNED, Status.AWAITING_APPROVAL),
    (Status.AWAITING_APPROVAL, Status.APPLYING),
    (Status.PLANNED, Status.APPLYING),
    (Status.APPLYING, Status.VERIFYING),
    (Status.VERIFYING, Status.HOLDING),
    (Status.HOLDING, Status.VERIFYING),
    (Status.HOLDING, Status.REVERTING),
    (Status.REVERTING, Status.REVERTED),
    (Status.HOLDING, Status.REVERTED),
    (Status.ESCALATED, Status.REVERTING),
    (Status.ESCALATED, Status.APPLYING),
    (Status.KEPT, Status.REVERTING),
]
NEVER = [
    (Status.CLAIMED, Status.VERIFYING),
    (Status.PLANNED, Status.REVERTED),
    (Status.AWAITING_APPROVAL, Status.HOLDING),
    (Status.REVERTED, Status.APPLYING),
    (Status.SKIPPED, Status.APPLYING),
    (Status.OBSERVED, Status.APPLYING),
    (Status.FAILED, Status.APPLYING),
]


@pytest.mark.parametrize(("before", "after"), USUAL)
def test_the_usual_moves_are_allowed(before, after):
    assert remediation(before).move(after, NOON).status is after


@pytest.mark.parametrize(("before", "after"), NEVER)
def test_a_move_that_skips_a_phase_or_wakes_the_dead_is_refused(before, after):
    with pytest.raises(IllegalMove, match=f"r1: {before} -> {after}"):
        remediation(before).move(after, NOON)


@given(st.lists(st.sampled_from(Status), max_size=12))
def test_however_it_moves_what_has_ended_only_ever_goes_on_to_be_taken_back_or_kept(path):
    one = remediation()
    for status in path:
        before = one
        try:
            one = before.move(status, NOON)
        except IllegalMove:
            assert status not in MOVES[before.status]
            continue
        if before.ended and status is not before.status:
            assert before.status in (Status.ESCALATED, Status.KEPT)
            # What is active is raised further, put back by somebody else, reverted or kept.
            assert status in (Status.REVERTING, Status.KEPT, Status.APPLYING, Status.REVERTED)
        assert one.sequence == before.sequence + 1
        assert one.unpublished[:-1] == before.unpublished


def test_every_status_has_its_moves_and_only_ends_can_be_reached_for_good():
    assert set(MOVES) == set(Status)
    assert not ENDED & IN_FORCE
    reachable = {Status.CLAIMED}
    for _ in Status:
        reachable |= {after for before in reachable for after in MOVES[before]}
    assert reachable == set(Status)


@pytest.mark.parametrize("status", [status for status in Status if status not in ENDED])
def test_from_every_open_status_some_end_is_in_reach(status):
    seen = {status}
    for _ in Status:
        seen |= {after for before in seen for after in MOVES[before]}
    assert seen & ENDED


def test_the_same_signal_and_remediator_have_one_id_that_tells_when_and_what():
    one = remediation_id(SIGNAL, "raise_concurrency")
    assert one == remediation_id(replace(SIGNAL, reason="told otherwise"), "raise_concurrency")
    assert one.startswith("20260929T120000-raise-concurrency-")
    assert one != remediation_id(SIGNAL, "open_incident")
    assert one == remediation_id(SIGNAL, "raise_concurrency", SIGNAL.target)
    assert one != remediation_id(SIGNAL, "raise_concurrency", replace(SIGNAL.target, name="another"))
    assert one != remediation_id(replace(SIGNAL, id="arn@2"), "raise_concurrency")


def test_a_claim_is_free_when_its_time_is_over():
    held = replace(remediation(), claim_until=NOON + CLAIM)
    assert not claim_free(held, NOON)
    assert not claim_free(held, NOON + CLAIM - timedelta(milliseconds=1))
    assert claim_free(held, NOON + CLAIM)
    assert claim_free(remediation(), NOON)


def test_a_move_notes_when_what_and_by_whom():
    moved = remediation(Status.HOLDING).move(Status.KEPT, NOON, "kept by ana", by="ana", reason="OK")
    (event,) = moved.unpublished
    assert (event.at, event.phase, event.detail, event.by) == (NOON, "KEPT", "kept by ana", "ana")
    assert moved.detail == "kept by ana"
