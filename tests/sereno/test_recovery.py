"""Whether a region is out: two vantages must say so, for a while, and nobody otherwise."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sereno import recovery
from sereno.model import Reason
from sereno.recovery import Evidence, Sighting, View

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


def tries(marks: str, *, until: datetime = NOW, every: float = 5) -> tuple[Sighting, ...]:
    """`+` served, `-` failed; the last one at `until`."""
    first = until - timedelta(seconds=every * (len(marks) - 1))
    return tuple(
        Sighting(first + timedelta(seconds=every * number), mark == "+", "" if mark == "+" else "timed out")
        for number, mark in enumerate(marks)
    )


def evidence(standby: str = "", *, serves: str = "+++++", lag_s: float | None = None, **primary: str) -> Evidence:
    primary = {"standby": standby, **primary}
    return Evidence(NOW, {name: tries(marks) for name, marks in primary.items() if marks}, tries(serves), lag_s=lag_s)


@pytest.mark.parametrize(
    ("marks", "view"),
    [
        ("", View.SILENT),
        ("+++++", View.UP),
        ("++++-", View.UP),
        ("+++--", View.UNSURE),
        ("+----", View.DOWN),
        ("-----", View.DOWN),
        ("-+---", View.DOWN),
        ("--+-+", View.UNSURE),
        ("+-+-+-+-+-", View.UNSURE),
        ("---", View.UNSURE),
        ("++++", View.UP),
    ],
)
def test_what_a_witness_says(marks, view):
    assert recovery.opinion(tries(marks), NOW).view is view


def test_who_has_said_nothing_for_long_says_nothing():
    told = recovery.opinion(tries("-----", until=NOW - timedelta(seconds=26)), NOW)
    assert told.view is View.SILENT


def test_an_outage_begins_where_the_tries_tip_and_ends_at_a_gap():
    assert recovery.opinion(tries("+++++-------"), NOW).since == NOW - timedelta(seconds=15)
    gap = (*tries("-----", until=NOW - timedelta(seconds=60)), *tries("-----"))
    assert recovery.opinion(gap, NOW).since == NOW - timedelta(seconds=5), "the fourth failing try after it"
    assert recovery.opinion((*gap[:5], *tries("-")), NOW).view is View.UNSURE, "one try after it tells nothing yet"


OUT = "+++++-------"  # down for 15 s
OVER = "++++-------+"  # down for 15 s, and just now served


@pytest.mark.parametrize(
    ("given", "ok"),
    [
        (evidence(OUT, witness=OUT), True),
        (evidence(OUT, witness=OUT, heartbeat=OUT), True),
        (evidence(OUT, witness=OUT, heartbeat="+++++"), True),  # it runs, and customers fail all the same
        (evidence(OUT, edge=OUT), True),
        (evidence(OUT), False),
        (evidence(OUT, heartbeat=OUT), False),  # they share a way: the regions cannot see each other
        (evidence("", heartbeat=OUT, witness=OUT), False),  # a heartbeat tries nothing
        (evidence(OUT, witness="+++++"), False),
        (evidence(OUT, witness=OUT, edge="+++++"), False),
        (evidence(OUT, witness="+++--"), False),
        (evidence("+----", witness=OUT), False),  # not for long enough
        (evidence(OVER, witness=OVER), False),
        (evidence(OUT, witness=OVER), False),
    ],
)
def test_never_one_alone_and_nobody_otherwise(given, ok):
    verdict = recovery.confirmed_out(given, NOW, 10)
    assert verdict.ok is ok
    assert ok or verdict.reason is Reason.NO_QUORUM


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (evidence(), Reason.OK),
        (evidence(lag_s=3), Reason.OK),
        (evidence(lag_s=901), Reason.STANDBY_NOT_READY),
        (evidence(serves="-----"), Reason.STANDBY_NOT_READY),
        (evidence(serves=""), Reason.STANDBY_NOT_READY),
    ],
)
def test_a_standby_that_cannot_serve_takes_nothing_over(given, reason):
    assert recovery.standby_ready(given, NOW, 900).reason is reason


def noted(marks: str, step: float = 5) -> Evidence:
    found = None
    for number, mark in enumerate(marks):
        at = NOW + timedelta(seconds=step * number)
        one = Sighting(at, mark == "+")
        found = recovery.noted(found, at, primary={"standby": one, "witness": one}, standby=Sighting(at, True))
    assert found is not None
    return found


def test_health_lasts_as_long_as_nobody_saw_it_broken():
    found = noted("-----" + "+" * 200)
    verdict = recovery.healthy_again(found, found.at, 600)
    assert verdict.ok, verdict
    broken = noted("+" * 200 + "--" + "+" * 20)
    assert recovery.healthy_again(broken, broken.at, 600).reason is Reason.NOT_TOLD
    assert not recovery.healthy_again(noted("+" * 200 + "----"), NOW + timedelta(seconds=1015), 600).ok


def test_health_begins_anew_where_nobody_was_looking():
    """The standby's prober was dead for an hour: what the primary did meanwhile nobody knows."""
    found = noted("+" * 200)
    later = found.at + timedelta(hours=1)
    for number in range(6):
        now = later + timedelta(seconds=5 * number)
        one = Sighting(now, True)
        found = recovery.noted(found, now, primary={"standby": one, "witness": one})
    verdict = recovery.healthy_again(found, found.at, 600)
    assert (verdict.reason, verdict.detail) == (Reason.NOT_TOLD, "healthy for 10 s of 600 s")


def test_what_is_told_twice_or_late_counts_once():
    one = Sighting(NOW, False)
    found = recovery.noted(None, NOW, primary={"witness": one})
    again = recovery.noted(found, NOW, primary={"witness": one})
    late = recovery.noted(again, NOW, primary={"witness": Sighting(NOW - timedelta(seconds=9), True)})
    assert late.primary["witness"] == (one,)


def test_the_memory_of_each_witness_is_bounded():
    found = noted("+" * 500)
    assert {len(kept) for kept in found.primary.values()} == {recovery.KEPT}
    assert Evidence.from_json(found.to_json()) == found


marks = st.text("+-", min_size=0, max_size=24)


@given(standby=marks, witness=marks, heartbeat=marks, edge=marks)
def test_traffic_never_moves_on_one_vantage_or_against_one_that_is_served(standby, witness, heartbeat, edge):
    found = evidence(standby, witness=witness, heartbeat=heartbeat, edge=edge)
    if recovery.confirmed_out(found, NOW, 10).ok:
        views = {name: one.view for name, one in recovery.opinions(found, NOW).items() if name != "heartbeat"}
        assert View.UP not in views.values()
        assert list(views.values()).count(View.DOWN) >= 2
        assert sum(not found.primary[name][-1].ok for name, view in views.items() if view is View.DOWN) >= 2


@given(first=st.integers(0, 10), pause=st.integers(0, 10))
def test_a_blip_of_less_than_twenty_seconds_is_no_outage_wherever_the_prober_pauses(first, pause):
    """A prober tries for most of a minute, and begins anew ten seconds after its last try."""
    found, at = None, NOW
    for number in range(40):
        at += timedelta(seconds=10 if number % 11 == pause else 5)
        one = Sighting(at, not 11 + first <= number < 11 + first + 4)
        found = recovery.noted(found, at, primary={"standby": one, "witness": one}, standby=Sighting(at, True))
        assert not recovery.confirmed_out(found, at, 10).ok
