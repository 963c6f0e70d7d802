"""Route 53's side of a failover: sixteen checkers, checks of checks, records, and who is told what."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drills.regions import dns
from drills.regions.dns import Answer, Calculated, Check, Checked, Health, Records, Zone, weighted

PRIMARY, STANDBY = "eu-west-1", "eu-central-1"


def rng(seed: int = 1) -> np.random.Generator:
    return np.random.default_rng(seed)


def dark_from(begins: float, ends: float = float("inf")):
    """An endpoint that does not answer for a while; who asks waits in vain for four seconds."""
    return lambda _, at: (False, dns.PATIENCE_S) if begins <= at < ends else (True, dns.PROMPT_S)


def first_change(check: Check, look, until: int = 400, seed: int = 1) -> float | None:
    checked = Checked(check, look, rng(seed))
    before = checked.healthy
    for second in range(until):
        checked.advance(float(second))
        if checked.healthy is not before:
            return float(second)
    return None


@pytest.mark.parametrize("seed", range(1, 11))
def test_a_dark_endpoint_is_found_unhealthy_by_three_looks_and_their_patience(seed):
    found = first_change(Check("plain"), dark_from(100), seed=seed)
    assert found is not None
    # Two pauses of ten seconds, four seconds of patience, and until 82 % of the checkers had their turn.
    assert 24 <= found - 100 <= 36


@pytest.mark.parametrize("seed", range(1, 11))
def test_a_blip_shorter_than_two_pauses_is_nothing(seed):
    assert first_change(Check("plain"), dark_from(100, 119.9), seed=seed) is None


@pytest.mark.parametrize("seed", range(1, 11))
def test_an_inverted_check_turns_unhealthy_when_what_it_looks_for_appears(seed):
    check = Check("switch", threshold=2, inverted=True)
    assert Checked(check, lambda *_: (False, 0.2), rng(seed)).healthy
    found = first_change(check, lambda _, at: (at >= 100, 0.2), seed=seed)
    assert found is not None
    # More than 18 % of the checkers must have found it, so the first few are enough.
    assert 10 <= found - 100 <= 16


def test_what_cannot_be_reached_is_as_good_as_not_there_for_an_inverted_check():
    check = Check("switch", threshold=2, inverted=True)
    assert first_change(check, lambda *_: (False, dns.PATIENCE_S)) is None


def test_an_endpoint_that_fails_for_most_of_the_world_is_healthy_while_a_fifth_of_it_is_served():
    served = ("us-east-1", "sa-east-1")  # four of the sixteen checkers: 25 %
    assert first_change(Check("plain"), lambda place, at: (place in served, 0.2)) is None
    assert first_change(Check("plain"), lambda place, at: (place == "us-east-1", 0.2)) is not None


def test_a_check_of_checks_needs_all_that_it_asks_for_and_the_name_servers_learn_of_it_a_little_later():
    looks = [(Check("plain"), dark_from(100)), (Check("switch", threshold=2, inverted=True), lambda *_: (False, 0.2))]
    health = Health(looks, [Calculated("both", ("plain", "switch"), 2)], rng())
    for second in range(200):
        health.advance(float(second))
    assert health.known == {"plain": False, "switch": True, "both": False}
    ((at, _, healthy),) = [one for one in health.changes if one[1] == "both"]
    assert not healthy
    assert 126 <= at <= 141


FAILOVER = Records("failover", (Answer("shares", check="both"), Answer(STANDBY)))
SHARES = Records("weighted", (Answer(PRIMARY, 100), Answer(STANDBY, 0)))


def zone() -> Zone:
    return Zone({"api": FAILOVER, "shares": SHARES}, rng())


def test_customers_are_led_through_the_shares_and_past_them_when_the_check_is_unhealthy():
    assert zone().chances("api", {"both": True}) == {PRIMARY: 1.0}
    assert zone().chances("api", {"both": False}) == {STANDBY: 1.0}


def test_a_changed_record_is_told_within_a_minute_and_not_at_once():
    one = zone()
    one.change("shares", weighted(SHARES, {PRIMARY: 10, STANDBY: 90}), 0.0)
    assert not one.advance(9.0)
    assert one.chances("api", {}) == {PRIMARY: 1.0}
    assert one.advance(61.0)
    assert one.chances("api", {}) == {PRIMARY: 0.1, STANDBY: 0.9}
    with pytest.raises(KeyError):
        one.change("nobody", SHARES, 0.0)


def test_are_all_unhealthy_the_answer_is_as_if_all_were_healthy():
    both = Records("failover", (Answer(PRIMARY, check="a"), Answer(STANDBY, check="b")))
    assert both.chances({"a": False, "b": False}) == {PRIMARY: 1.0}
    shares = Records("weighted", (Answer(PRIMARY, 3, "a"), Answer(STANDBY, 1, "b")))
    assert shares.chances({"a": False, "b": False}) == {PRIMARY: 0.75, STANDBY: 0.25}
    assert weighted(shares, {PRIMARY: 0, STANDBY: 0}).chances({}) == {PRIMARY: 0.5, STANDBY: 0.5}


answers = st.lists(
    st.builds(Answer, st.sampled_from("abcd"), st.integers(0, 255), st.sampled_from(["", "x", "y"])),
    min_size=1,
    max_size=4,
    unique_by=lambda one: one.target,
)


@given(
    kind=st.sampled_from(["failover", "weighted"]),
    given_answers=answers,
    known=st.dictionaries(st.sampled_from("xy"), st.booleans()),
)
def test_nobody_is_ever_told_of_a_record_that_does_not_exist(kind, given_answers, known):
    chances = Records(kind, tuple(given_answers)).chances(known)
    assert set(chances) <= {one.target for one in given_answers}
    assert sum(chances.values()) == pytest.approx(1)
    assert all(chance > 0 for chance in chances.values())


@given(begins=st.floats(20, 60), flaps=st.lists(st.floats(1, 40), max_size=12), seed=st.integers(0, 99))
def test_whatever_the_primary_does_customers_stay_away_while_the_object_stands(begins, flaps, seed):
    """The plain check may turn to and fro; the check of both stays unhealthy from the object's second look on."""
    edges = np.cumsum([begins, *flaps])

    def plain(_: str, at: float) -> tuple[bool, float]:
        return int(np.searchsorted(edges, at)) % 2 == 0, 0.2

    looks = [(Check("plain"), plain), (Check("switch", threshold=2, inverted=True), lambda _, at: (at >= 30, 0.2))]
    health = Health(looks, [Calculated("both", ("plain", "switch"), 2)], rng(seed))
    for second in range(400):
        health.advance(float(second))
        if second >= 30 + 20 + 6:
            assert health.known["both"] is False
