"""Every alarm of the packs fires on its incident and is quiet on an ordinary day, whatever AWS leaves open."""

from __future__ import annotations

from dataclasses import replace

import pytest

from alarms.spec import AlarmSpec
from console import docs_pages
from drills import replay, replay_incidents, replay_table
from drills.replay import Assumed

SPECS = {spec.name: spec for spec in docs_pages.replayable()}


def fires(spec: AlarmSpec) -> float | None:
    incident = replay_incidents.of(spec)
    begins = replay_incidents.series(spec, incident)
    return replay.worst(spec, begins, incident.most_minutes * 60 // replay.slot_s(spec), thin=True).seconds


# On the worker of the generated pages, which hold the same table.
@pytest.mark.xdist_group("pages")
def test_every_alarm_fires_and_none_rings_on_an_ordinary_day():
    rows = docs_pages.replayed()
    assert [one.name for one in rows if one.seconds is None] == []
    assert [(one.name, one.rings) for one in rows if one.rings] == []
    known = {one.what for one in rows}
    composites = {"customers-hurt", "customers-hurt-part-1"}
    assert {spec.what for spec in SPECS.values()} - known <= composites, "each kind of alarm has a row"


@pytest.mark.xdist_group("pages")
@pytest.mark.parametrize(
    ("what", "minutes"),
    [
        ("5xx", 6),
        ("burn-fast", 14),
        ("errors", 8),
        ("exhaustion", 7),
        ("heartbeat", 7),
        ("outage", 10),
        ("read-capacity", 8),
        ("throttles", 5),
        ("traffic-stopped", 20),
    ],
)
def test_what_wakes_people_or_starts_a_raise_comes_within_its_bound(what, minutes):
    for row in docs_pages.replayed():
        if row.what == what:
            assert row.seconds is not None
            assert row.seconds <= 60 * minutes, row


@pytest.mark.parametrize(
    ("name", "periods"),
    [("techmoda/read/throttles", 1), ("techmoda/read/errors", 3), ("techmoda/read/exhaustion", 3)],
)
def test_an_alarm_that_looks_at_no_more_than_it_needs_can_stay_silent_for_ever(name, periods):
    """With metrics three minutes late and N datapoints fetched there is nothing to see: 1 of 1 and 2 of 3 were so."""
    assert fires(SPECS[name]) is not None
    assert fires(replace(SPECS[name], evaluation_periods=periods)) is None


def test_a_heartbeat_that_looks_at_three_minutes_only_rings_while_all_is_well():
    heartbeat = SPECS["sereno-techmoda/round/heartbeat"]
    day = replay_incidents.Day().series(heartbeat)
    late = Assumed(missing=(0, 1, 2))
    last = replay.history(heartbeat) + 30
    assert replay.state_at(heartbeat, day, last, late) == "OK"
    hasty = replace(heartbeat, evaluation_periods=3, datapoints_to_alarm=3)
    assert replay.state_at(hasty, day, last, late) == "ALARM"


def test_an_outage_at_one_request_a_minute_is_seen_by_one_alarm_alone():
    """5xx needs five failures in a minute, and a fast burn ten in five minutes."""
    alone = replay_incidents.INCIDENTS["outage"]
    for what, seen in (("outage", True), ("5xx", False), ("burn-fast-short", False)):
        spec = SPECS[f"techmoda/catalogue/{what}"]
        begins = replay_incidents.series(spec, alone)
        assert (replay.worst(spec, begins, 60, thin=True).seconds is not None) == seen, what


def test_slow_calls_at_one_a_minute_are_seen_and_do_not_stay_red_all_night():
    quiet, busy = SPECS["techmoda/read/latency-p90"], SPECS["techmoda/read/latency"]
    assert fires(quiet) is not None
    slow_evening = {"p99": 1_500.0, "samples": 6_000.0}
    night = {"p99": 1_500.0, "samples": 1.0}
    length = replay.history(busy) + 30
    data = {
        query.id: replay_incidents.stepped(slow_evening[query.id], night[query.id], replay.history(busy), length)
        for query in busy.stats
    }
    assert replay.state_at(busy, data, replay.history(busy) - 1, Assumed()) == "ALARM"
    assert replay.state_at(busy, data, length - 1, Assumed(), "ALARM") == "OK", "the state was kept below the floor"


@pytest.mark.evidence
def test_the_whole_cross_product_holds_for_every_alarm():
    rows = replay_table.table(SPECS.values(), thin=False)
    assert [one.name for one in rows if one.seconds is None] == []
    assert [(one.name, one.rings) for one in rows if one.rings] == []
    thin = {one.name: one.seconds for one in docs_pages.replayed()}
    worse = [(one.name, thin[one.name], one.seconds) for one in rows if (one.seconds or 0) > (thin[one.name] or 0)]
    assert worse == [], "the page holds the worst case"
