"""The scorecard, and one step up on its evidence."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.parametrize("night", ["observe"], indirect=True)


def watched(night, times):
    """So many alarms ring, and go by themselves."""
    for _ in range(times):
        night.surge()
        night.alarm()
        for _ in range(4):
            night.forward(minutes=1)
            night.round()
        night.forward(minutes=20)


def test_a_night_of_watching_on_the_card(night):
    watched(night, 2)
    (card,) = [one for one in night.sereno_json("scorecard") if one["remediator"] == "raise_concurrency"]
    assert (card["would"], card["alone"], card["modes"], card["set"]) == (2, 2, ["observe"], None)
    shown = night.sereno("scorecard", columns=140)
    assert "raise_concurrency" in shown
    assert "open_incident" in shown, "what has done nothing yet stands there too"


def test_evidence_that_is_thin_or_against_it_needs_a_reason(night):
    assert "the evidence is not enough (it rests on 0 cases" in night.refused_after_evidence(
        "promote", "raise_concurrency"
    )
    watched(night, 3)
    assert "every alarm went by itself" in night.refused_after_evidence("promote", "raise_concurrency", "--yes")
    said = night.sereno(
        "promote", "raise_concurrency", "--yes", "--by", "maria", "--reason", "the fashion week begins"
    )
    assert "raise_concurrency: observe -> approve" in said
    assert "It would have acted 3 times in 30 days: 3 recovered by themselves" in " ".join(said.split())
    assert said.endswith("raise_concurrency is set to approve.\n")
    told = night.sereno_json("promote", "raise_concurrency", "--yes", "--reason", "and goes well")
    assert (told["from"], told["to"], told["reason"]) == ("approve", "auto", "and goes well")
    assert "nothing above" in night.refused("promote", "raise_concurrency", "--yes", "--reason", "x")
    (card,) = [one for one in night.sereno_json("scorecard") if one["remediator"] == "raise_concurrency"]
    assert card["set"]["reason"] == "and goes well"


def test_no_two_steps_at_once_and_nobody_is_promoted_unasked(night):
    assert "one step up is approve" in night.refused("promote", "raise_concurrency", "--to", "auto", "--yes")
    assert "--yes: nobody is there" in night.wrong("promote", "raise_concurrency", "--reason", "x")
    assert "is no remediator" in night.wrong("promote", "raise_everything")
    assert night.sereno_json("mode")["set"] == {}
