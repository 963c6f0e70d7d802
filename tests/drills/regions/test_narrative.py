"""What is said of a region's loss: only what was measured."""

from __future__ import annotations

import pytest

from drills.regions import narrative
from tests.drills.regions import results


@pytest.fixture(name="gray")
def _gray():
    return results.gray()


@pytest.fixture(name="noise")
def _noise():
    return results.noise()


def test_the_headline_tells_when_customers_were_served_again(gray):
    served = gray["outages"][0]["with"]["served_s"]
    assert narrative.headline(gray).startswith(
        f"Out for 11 min; customers were served again after {round(served) // 60} min"
    )
    gray["outages"][0]["without"]["served_s"] = 300.0
    assert narrative.headline(gray).endswith("Without Sereno, after 5 min.")


def test_who_was_not_helped_is_told_so(gray):
    gray["outages"][0]["with"]["served_s"] = None
    assert narrative.headline(gray) == "Out for 11 min, and customers were not served for good until it was over."


def test_a_drill_without_an_outage_says_whether_anything_moved(gray):
    gray["outages"] = []
    assert narrative.headline(gray) == "Traffic was moved, and the primary was not out."
    gray["moves"], gray["switch"] = [], []
    assert narrative.headline(gray) == "Nothing moved, and nothing should have."


def test_the_parts_are_told_in_their_order_and_leave_no_gap(gray):
    detection, decision, switch, dns = narrative.parts(gray["outages"][0]["with"])
    assert [one.name for one in (detection, decision, switch, dns)] == ["detection", "decision", "switch", "DNS"]
    assert detection.begins == 0
    assert detection.ends == decision.begins
    assert decision.ends == switch.begins
    assert dns.ends == gray["outages"][0]["with"]["served_s"]
    assert narrative.lead(gray)[0].startswith("Detection ")


def test_what_nobody_switched_has_no_parts():
    nothing = dict.fromkeys(
        ("confirmed_s", "switched_s", "switch_seen_s", "plain_seen_s", "answered_s", "served_s", "availability")
    )
    assert narrative.parts(nothing) == []


def test_a_check_of_dns_that_saw_nothing_is_told(gray):
    gray["outages"][0]["with"]["plain_seen_s"] = None
    assert "The health check of DNS saw nothing." in narrative.lead(gray)


def test_lost_writes_are_told_with_the_oldest(gray):
    lost = gray["lost_writes"]
    assert lost["count"] > 1
    assert f"{lost['count']} writes had not left the region and were lost, the oldest" in " ".join(
        narrative.lead(gray)
    )
    lost["count"] = 1
    assert "1 write had not left the region" in " ".join(narrative.lead(gray))


@pytest.mark.parametrize(
    ("moves", "words"), [([], "never"), ([{"at_s": 1, "chances": {}}], "once"), ([{}, {}, {}], "3 times")]
)
def test_how_often_dns_changed_its_answer(gray, moves, words):
    gray["moves"] = moves
    line = next(one for one in narrative.comparison(gray) if one.name == "DNS changed its answer")
    assert line.attended == words


def test_a_year_is_told_by_its_outages(noise):
    assert narrative.year_headline(noise) == f"3 of 3 outages found, no false move in {noise['events']} happenings."
    noise["false_moves"] = [10.0, 20.0]
    noise["outages"][1]["found_s"] = None
    assert narrative.year_headline(noise).startswith("2 of 3 outages found, 2 false moves in")
    assert narrative.year_lead(noise)[1].endswith("was missed.")
