"""An operator's night, told through the command: asked, approved, taken back, kept, refused."""

from __future__ import annotations

import json

import pytest


def test_a_calm_night_says_so(night):
    assert night.sereno("status") == "All calm: no remediation is under way.\n"
    assert night.sereno("history") == "Nothing in the last 7 days.\n"
    assert night.sereno("history", "--days", 1) == "Nothing in the last 1 day.\n"
    assert night.sereno_json("status") == []


def test_asked_approved_applied_and_taken_back_on_demand(night):
    asked = night.alarm()
    assert night.reserved() == 120
    shown = night.sereno("status")
    assert asked.id in shown
    assert "AWAITING_APPROVAL" in shown

    said = night.sereno("approve", asked.id, "--by", "maria", "--yes")
    assert said.endswith(f"Noted: approve {asked.id}. The round sees to it within a minute.\n")
    for shown in ("reserved concurrency: 120 -> ", "risk ", "0.00 USD a month", "until ", asked.plan.digest):
        assert shown in said
    assert "approve asked for by maria" in night.sereno("status")
    assert night.reserved() == 120, "an operator's word changes the ledger, never the service"

    night.round()
    raised = night.reserved()
    assert raised is not None
    assert raised > 120
    (under_way,) = night.sereno_json("status")
    assert under_way["status"] in ("VERIFYING", "HOLDING")
    assert [step["after"] for step in under_way["plan"]["steps"]] == [raised]

    night.sereno("revert", asked.id, "--by", "maria")
    night.round()
    assert night.reserved() == 120
    shown = night.sereno("status")
    assert "All calm" not in shown, "its incident is open"
    assert "1 incident open (see: sereno incident list)" in shown
    assert "nobody has acknowledged it" in shown or "maria has it" in shown
    story = night.sereno("why", asked.id)
    assert f"reserved concurrency: 120 -> {raised}" in story
    for phase in ("APPLYING by maria", "REVERTING by maria", "REVERTED"):
        assert phase in story


def test_a_plan_that_asks_can_be_refused(night):
    asked = night.alarm()
    night.sereno("revert", asked.id, "--by", "maria")
    night.round()
    assert night.reserved() == 120
    (over,) = night.sereno_json("history")
    assert over["status"] == "SKIPPED"


@pytest.mark.parametrize("night", ["auto"], indirect=True)
def test_a_kept_change_is_never_taken_back(night):
    acted = night.alarm()
    raised = night.reserved()
    assert raised is not None
    assert raised > 120
    night.sereno("keep", acted.id, "--by", "maria")
    night.round()
    (kept,) = night.sereno_json("history")
    assert kept["status"] == "KEPT"
    for _ in range(3):
        night.forward(minutes=20)
        night.calm()
        night.round()
    assert night.reserved() == raised


@pytest.mark.parametrize("night", ["auto"], indirect=True)
def test_a_remediator_that_is_off_leaves_the_next_alarm_alone(night):
    assert "raise_concurrency is set to off.\n" in night.sereno("mode", "raise_concurrency", "off", "--by", "maria")
    refused = night.alarm()
    assert night.reserved() == 120
    story = night.sereno("why", refused.id)
    assert "MODE_OFF" in story
    assert "SKIPPED" in story

    night.sereno("mode", "raise_concurrency", "auto")
    night.forward(minutes=2)
    night.surge()
    night.alarm()
    assert night.reserved() > 120


@pytest.mark.parametrize("night", ["auto"], indirect=True)
def test_the_whole_watch_can_be_bounded_at_once(night):
    shown = night.sereno("mode", "all", "observe")
    assert "The whole watch is set to observe.\n" in shown
    assert "Nothing does more than observe: that is set for the whole watch." in shown
    told = night.sereno_json("mode")
    assert told["set"] == {"*": "observe"}
    assert {one["in_force"] for one in told["plays"]} == {"observe"}
    assert {one["playbook"] for one in told["plays"]} == {"auto"}
    night.alarm()
    assert night.reserved() == 120
    (seen,) = night.sereno_json("history")
    assert seen["status"] == "OBSERVED"
    assert "would have" in seen["detail"]


def test_one_remediators_modes_can_be_shown_alone(night):
    told = night.sereno_json("mode", "open_incident")
    assert {one["remediator"] for one in told["plays"]} == {"open_incident"}


def test_why_tells_the_story_from_signal_to_undo(night):
    asked = night.alarm()
    story = night.sereno("why", asked.id)
    for told in (
        "shop/read/exhaustion was ALARM at 2026-09-29 22:00:00 UTC",
        "forecast 161 over 84",
        "raise_concurrency, mode approve",
        "function shop-read (123456789012, eu-west-1)",
        "mode: passed",
        "reserved",
        "120 -> ",
        "lambda.put_function_concurrency(FunctionName='shop-read', ReservedConcurrentExecutions=120)",
        f"`sereno approve {asked.id}`",
        "22:00:00  CLAIMED",
        "22:00:00  AWAITING_APPROVAL",
    ):
        assert told in " ".join(story.split()) or told in story, told

    machine = night.sereno_json("why", asked.id)
    assert machine["id"] == asked.id
    assert [event["phase"] for event in machine["events"]][-1] == "AWAITING_APPROVAL"
    assert machine["plan"]["steps"][0]["undo"]["params"]["ReservedConcurrentExecutions"] == 120


@pytest.mark.parametrize("columns", [200, 140, 80, 60, 40])
def test_an_id_is_never_broken_however_narrow_the_terminal(night, columns):
    asked = night.alarm()
    for command in (("status",), ("history",), ("why", asked.id)):
        shown = night.sereno(*command, columns=columns)
        assert asked.id in shown
        for line in shown.splitlines():
            assert len(line) <= max(columns, len(asked.id) + len("  59m")), line


def test_a_beginning_of_an_id_is_enough_when_only_one_has_it(night):
    first = night.alarm()
    assert first.id in night.sereno("why", first.id[:15])
    night.sereno("revert", first.id[:15])
    night.round()
    night.forward(minutes=10)
    night.surge()
    second = night.alarm()
    said = night.refused("why", second.id[:8])
    assert f'"{second.id[:8]}" is the beginning of 2 remediations:' in said
    assert first.id in said
    assert second.id in said


def test_history_is_newest_first(night):
    first = night.alarm()
    night.sereno("revert", first.id)
    night.round()
    night.forward(minutes=10)
    night.surge()
    second = night.alarm()
    assert [one["id"] for one in night.sereno_json("history")] == [second.id, first.id]


def test_what_cannot_be_is_refused_with_a_sentence(night):
    asked = night.alarm()
    assert "needs one that is VERIFYING or HOLDING or ESCALATED" in night.refused("keep", asked.id)
    assert 'no remediation "2019" in the last 30 days (see: sereno history)' in night.refused("why", "2019")
    night.sereno("revert", asked.id)
    night.round()
    assert f"{asked.id} is SKIPPED; approve needs one that is AWAITING_APPROVAL" in night.refused("approve", asked.id)


def test_a_wish_for_machines_names_who_asked(night):
    asked = night.alarm()
    told = night.sereno_json("approve", asked.id, "--by", "maria", "--yes")
    assert told == {"id": asked.id, "wish": "approve", "by": "maria"}
    json.dumps(told)


def test_who_asks_is_the_login_unless_told(night, monkeypatch):
    monkeypatch.setattr("getpass.getuser", lambda: "jose")
    assert night.sereno_json("approve", night.alarm().id, "--yes")["by"] == "jose"


def test_an_approval_is_for_the_plan_that_was_seen_and_once(night):
    asked = night.alarm()
    assert "--yes: nobody is there to be asked" in night.wrong("approve", asked.id)
    assert "is another by now" in night.refused("approve", asked.id, "--plan", "0123456789abcdef")
    assert night.sereno_json("approve", asked.id, "--by", "maria", "--plan", asked.plan.digest)["wish"] == "approve"
    assert "maria has asked for approve already" in night.refused("approve", asked.id, "--by", "eva", "--yes")
    night.forward(minutes=31)
    night.round()


def test_a_plan_cannot_be_approved_after_its_deadline(night):
    asked = night.alarm()
    night.forward(minutes=31)
    assert "could be approved until" in night.refused("approve", asked.id, "--yes")


# -- incidents


@pytest.mark.parametrize("night", ["auto"], indirect=True)
@pytest.mark.parametrize("columns", [200, 80, 40])
def test_what_belongs_to_one_incident_stands_together(night, columns):
    acted = night.alarm()
    night.forward(seconds=30)
    joined = night.alarm()  # the same function, another change of the alarm: busy, and the same incident
    shown = night.sereno("history", columns=columns)
    assert shown.index(acted.incident) < min(shown.index(acted.id), shown.index(joined.id))
    assert shown.count(acted.incident) == 1
    assert "2 remediations" in " ".join(shown.split())
    for line in shown.splitlines():
        assert len(line) <= max(columns, len(acted.id) + len("  59m")), line


@pytest.mark.parametrize("night", ["auto"], indirect=True)
def test_an_incident_can_be_asked_for_by_its_id(night):
    acted = night.alarm()
    night.forward(seconds=30)
    joined = night.alarm()
    assert f"incident   {acted.incident}" in night.sereno("why", joined.id)
    told = night.sereno_json("why", acted.incident)
    assert [one["id"] for one in told] == [acted.id, joined.id]
    assert acted.id in night.sereno("why", acted.incident)
    assert 'no incident "incident-nonsense" (see: sereno incident list --all)' in night.refused(
        "why", "incident-nonsense"
    )


def test_a_remediation_alone_needs_no_heading(night):
    asked = night.alarm()
    assert asked.incident not in night.sereno("status")
    assert night.sereno_json("status")[0]["incident"] == asked.incident
