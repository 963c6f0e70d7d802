"""An incident told afterwards: what customers saw, and what people should see to."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from dashboards.incident_story import follow_ups, impact, measured, post_mortem, timeline
from sereno.incident import Incident, Stage
from sereno.lifecycle import Remediation
from sereno.model import Call, Event, Plan, Reason, Signal, Status, Step, Target
from sereno.service import Api, Service

NOON = datetime(2026, 9, 29, 12, 0, tzinfo=UTC)
READ = Target("function", "shop-read", "eu-west-1", "123456789012")
SIGNAL = Signal("s", "cloudwatch", "shop/read/throttles", "throttles", "ALARM", "OK", READ, NOON)
CALL = Call("lambda", "put_function_concurrency", {})
PLAN = Plan((Step(CALL, "", "reserved concurrency", 120, 240, CALL),), "sized once")
INCIDENT = Incident("incident-1", "shop", "shop/read", "shop-read: throttles", NOON, alarms=("shop/read/throttles",))
SHOP = Service("shop", "123456789012", ("eu-west-1",), apis={"web": Api("web", "shop-web", "prod")})


def remediation(status, reason=Reason.OK, detail="", **facts):
    return Remediation(
        "r1", "raise_concurrency", SIGNAL, READ, NOON, status=status, reason=reason, detail=detail, plan=PLAN, **facts
    )


def minutes(value, first, last):
    """The same value for each minute from `first` to `last` after noon."""
    return [((NOON + timedelta(minutes=at)).timestamp(), value) for at in range(first, last + 1)]


def test_impact_counts_the_incident_and_ten_minutes_before_it_against_a_month_of_the_day_before():
    found = {
        "requests0": minutes(1000.0, -60, 60),
        "failed0": minutes(0.0, -60, -6) + minutes(40.0, -5, 5) + minutes(0.0, 6, 60),
        "requests1": minutes(10.0, -60, 60),
        "failed1": [],
        "day0": [((NOON - timedelta(hours=ago)).timestamp(), 60_000.0) for ago in range(24, 0, -1)],
        "day1": [],
    }
    cost = measured(found, 0.9999, NOON - timedelta(minutes=10), NOON + timedelta(minutes=20))
    assert (cost.requests, cost.failed) == (31 * 1010, 11 * 40)
    assert cost.availability == pytest.approx(1 - 440 / 31_310)
    # A day of 1,440,000 requests leaves 4,320 failures a month; the newest hour of them lies in the incident's start.
    assert cost.budget_spent == pytest.approx(440 / (60_000 * 23 * 30 * 0.0001), rel=0.05)


def test_without_requests_nothing_is_divided():
    cost = measured({}, 0.9999, NOON, NOON)
    assert (cost.requests, cost.availability, cost.budget_spent) == (0, None, None)
    assert impact(None, replace(SHOP, apis={}), INCIDENT, NOON) is None


@pytest.mark.parametrize(
    ("one", "part"),
    [
        (remediation(Status.KEPT), "was kept"),
        (remediation(Status.ESCALATED, steps_done=1), "is still in force and did not help"),
        (remediation(Status.REVERTED), "Is the value before still enough?"),
        (
            remediation(Status.SKIPPED, Reason.NO_HEADROOM, "NO_HEADROOM: room for 3"),
            "refused, NO_HEADROOM: room for 3",
        ),
        (remediation(Status.OBSERVED), "only watched"),
    ],
)
def test_what_people_should_see_to_follows_from_what_happened(one, part):
    (said,) = follow_ups(replace(INCIDENT, owner="ana"), [one], SHOP)
    assert part in said
    assert said.startswith("shop-read: ")


def test_a_refusal_that_passes_by_itself_is_no_follow_up():
    assert follow_ups(replace(INCIDENT, owner="ana"), [remediation(Status.SKIPPED, Reason.TARGET_BUSY)], SHOP) == []


def test_an_incident_that_nobody_took_asks_why():
    over = replace(INCIDENT, stage=Stage.RESOLVED, resolved_by="sereno")
    assert follow_ups(over, [], SHOP) == ["Nobody took it: was nobody needed, or did nobody hear of it?"]


def test_the_timeline_is_one_whoever_wrote_it():
    own = [Event(NOON + timedelta(minutes=3), "MITIGATED", "nothing is red")]
    history = {"r1": [Event(NOON + timedelta(minutes=at), phase) for at, phase in ((1, "CLAIMED"), (5, "REVERTED"))]}
    lines = timeline(INCIDENT, own, [remediation(Status.REVERTED)], history)
    assert [line.phase for line in lines] == ["OPENED", "CLAIMED", "MITIGATED", "REVERTED"]
    assert [line.of for line in lines] == ["incident-1", "r1", "incident-1", "r1"]


def test_a_post_mortem_breaks_no_table_whatever_people_and_aws_write():
    nasty = "a | b\nc"
    lines = timeline(INCIDENT, [Event(NOON, "RESOLVED", nasty, by=nasty)], [], {})
    cost = measured({"requests0": minutes(100.0, 0, 5), "failed0": minutes(1.0, 0, 5)}, 0.999, NOON, NOON)
    text = post_mortem(SHOP, replace(INCIDENT, title=nasty, owner=nasty), [], lines, cost, NOON)
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert {line.replace("\\|", "").count("|") for line in rows} == {3, 5}
    assert "# a \\| b c" in text
    assert "1 of 100 requests failed" in text
