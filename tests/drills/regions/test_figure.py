"""The charts of a region's loss."""

from __future__ import annotations

import pytest

from drills.regions import figure
from tests.drills.regions import results


@pytest.fixture(name="gray")
def _gray():
    return results.gray()


@pytest.fixture(name="noise")
def _noise():
    return results.noise()


def lanes(made, heading):
    return dict(made.groups)[heading]


def test_the_whole_shows_what_befell_the_region_and_where_customers_were_sent(gray):
    made = figure.whole(gray)
    (primary,) = lanes(made, "The regions")
    assert primary.label == "eu-west-1 (primary)"
    assert [one.words.split()[0] for one in primary.segments] == ["dark", "gray"]
    without, with_it = lanes(made, "Where DNS sends customers")
    assert [one.kind for one in with_it.segments] == ["here", "there"], "and nobody asked for the way back"
    assert [one.kind for one in without.segments] == ["here", "there", "here"], "into a region that is half well"
    assert [one.title for one in made.panels] == ["Without Sereno", "With Sereno"]


def test_a_way_leaves_no_gap(gray):
    for lane in lanes(figure.whole(gray), "Where DNS sends customers"):
        ends = 0.0
        for one in lane.segments:
            assert abs(one.left - ends) < 0.31
            ends = one.left + one.width
        assert abs(ends - 100) < 0.31


def test_the_first_minutes_have_the_parts_of_the_way(gray):
    made = figure.first_minutes(gray)
    assert made is not None
    assert [one.label for one in lanes(made, "The way to the standby")] == [
        "detection",
        "decision",
        "switch",
        "DNS",
        "DNS's own check",
    ]
    out = next(left for left, words, _ in made.axis if words == "out")
    detection = lanes(made, "The way to the standby")[0].segments[0]
    assert abs(detection.left - out) < 0.3


def test_where_nothing_was_out_there_are_no_first_minutes(gray):
    gray["outages"] = []
    assert figure.first_minutes(gray) is None


def test_a_region_that_was_well_has_no_lane(gray):
    gray["troubles"] = []
    assert "The regions" not in dict(figure.whole(gray).groups)


def test_a_year_has_a_lane_for_each_noise_and_its_months(noise):
    made = figure.year(noise)
    outages, moved, false = lanes(made, "Outages, and moves of traffic")
    assert (len(outages.segments), len(moved.segments), len(false.segments)) == (3, 3, 0)
    assert {one.label for one in lanes(made, "Noise")} == set(noise["noise"])
    assert [words for _, words, _ in made.axis][:3] == ["Jan", "Feb", "Mar"]
    assert len(made.axis) == 12
