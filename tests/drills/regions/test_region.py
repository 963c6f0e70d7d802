"""How a region is at a moment, and who can reach it."""

from __future__ import annotations

import pytest

from drills.regions.region import CUSTOMERS, LEFT_ALONE_S, WELL, Regions, Trouble

A, B, C = "eu-west-1", "eu-central-1", "eu-north-1"


def regions(*troubles: Trouble) -> Regions:
    return Regions((A, B, C), troubles)


def test_a_region_that_nothing_befalls_is_well_for_ever():
    assert regions().at(A, 1e9) == WELL
    assert WELL.well
    assert regions().reachable(A, B, 5)


def test_a_dark_region_answers_nobody_and_calls_nobody():
    one = regions(Trouble("dark", A, 10, 20))
    assert [one.at(A, at).dark for at in (9.9, 10, 19.9, 20)] == [False, True, True, False]
    assert not one.reachable(A, B, 15)
    assert not one.reachable(A, CUSTOMERS, 15)
    assert not one.reachable(B, A, 15), "its own functions reach nothing"
    assert one.reachable(B, C, 15)
    assert not one.at(A, 15).control_plane


def test_a_cut_line_is_between_two_places_only():
    one = regions(Trouble("unseen", A, 10, 20, seen_from=(B,)), Trouble("unseen", B, 10, 20, seen_from=(A,)))
    assert not one.reachable(A, B, 15)
    assert not one.reachable(B, A, 15)
    assert one.reachable(A, C, 15)
    assert one.reachable(A, CUSTOMERS, 15)


def test_a_gray_region_is_reached_and_fails_a_part():
    condition = regions(Trouble("gray", A, 10, 20, 0.7)).at(A, 12)
    assert (condition.dark, condition.fails, condition.control_plane) == (False, 0.7, True)


def test_a_lost_zone_fails_first_tries_until_it_is_left_alone():
    one = regions(Trouble("zone-loss", A, 100, 200, 1 / 3))
    assert one.at(A, 101).first_fails == pytest.approx(1 / 3)
    later = one.at(A, 101 + LEFT_ALONE_S)
    assert later.first_fails == 0
    assert later.slower > 1
    assert one.at(A, 200).well


def test_troubles_add_up_and_each_ends_by_itself():
    one = regions(Trouble("control-plane", A, 0, 100), Trouble("dark", A, 10, 20), Trouble("gray", A, 20, 30, 0.3))
    assert one.at(A, 15).dark
    assert (one.at(A, 25).fails, one.at(A, 25).control_plane) == (0.3, False)
    assert (one.at(A, 50).well, one.at(A, 50).control_plane) == (False, False)
    assert one.at(A, 100).well
    assert one.edges == [0, 10, 20, 30, 100]
