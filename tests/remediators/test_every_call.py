"""Something goes wrong at every single call, of every remediator and of the round, in every phase of a life.

A story is played once to count its calls, and then once for each call and each kind of trouble there. `Life` (in
conftest) holds after each minute what must be true whatever happens; a story adds what its own end must be.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from remediators import flow
from sereno.model import Reason, Status, iso
from sereno.service import PlannedEvent

# Approvals that nobody answers wait half an hour, an undo that AWS refuses too, and a claim must run out before.
BOUND = 150
# What changes something beside the ledger and the topic.
CHANGES = (
    "lambda.put_function_concurrency",
    "lambda.delete_function_concurrency",
    "dynamodb.update_table",
    "service-quotas.request_service_quota_increase",
)
WRITES = (*CHANGES, "dynamodb.transact_write_items", "sns.publish")
LEDGER = ("batch_get_item", "transact_write_items", "get_item", "query", "put_item", "update_item")


# -- stories


def surge(life, event, minutes=5):
    """A surge of the function, which its table feels too, and calm again."""
    life.factor = 8
    life.house.red()
    life.deliver(event(at=life.house.clock.now()))
    for _ in range(minutes):
        life.minute()
    life.factor = 1
    life.house.green()


def a_joint_surge(life, event):
    """Function and table are raised together, and taken back."""
    surge(life, event)
    life.to_the_end(BOUND)
    return {"raise_concurrency": Status.REVERTED, "raise_capacity": Status.REVERTED}


def nothing_helps(life, event):
    """The ceiling is too low and the quota too: AWS is asked for more, with a person's yes, and a person is told."""
    life.house.little.quota = 300
    life.factor = 8
    life.house.red()
    life.deliver(event(at=life.house.clock.now()))
    for _ in range(4):
        life.minute()
        for one in life.house.all():
            if one.status is Status.AWAITING_APPROVAL and not one.wish:
                life.house.books.wish(one.id, "approve", "ana", life.house.clock.now())
    life.factor = 1
    life.house.green()
    life.to_the_end(BOUND)
    return {"open_incident": Status.ESCALATED}


def it_does_not_help(life, event):
    """The symptom stays although the limit was raised; a person is told, and takes the change back."""
    life.factor = 30
    life.house.red()
    life.deliver(event(at=life.house.clock.now()))
    for _ in range(20):
        life.minute()
        if any(one.remediator == "open_incident" and one.ended for one in life.house.all()):
            break
    life.factor = 1
    life.house.green()
    life.reverts_asked_for = True
    for one in life.house.all():
        if one.status is Status.ESCALATED and one.steps_done and one.plan and one.plan.is_lease:
            life.house.books.wish(one.id, "revert", "ana", life.house.clock.now())
    life.to_the_end(BOUND)
    return {"open_incident": Status.ESCALATED}


def a_planned_event(life, event):
    """Everything is raised three minutes before, held for five, and taken back."""
    del event
    now = life.house.clock.now()
    times = {"starts": iso(now + timedelta(minutes=4)), "ends": iso(now + timedelta(minutes=9))}
    planned = PlannedEvent("Fashion Week", **times, factor=9.0, prewarm_s=180)
    life.house.watch = replace(life.house.watch, service=replace(life.house.watch.service, events=(planned,)))
    for minute in range(9):
        life.factor = 7 if 4 <= minute < 7 else 1
        life.minute()
    life.factor = 1
    life.to_the_end(BOUND)
    return {"raise_concurrency": Status.REVERTED, "raise_capacity": Status.REVERTED}


@dataclass(frozen=True)
class Story:
    """How it is played, and in what kind of life."""

    play: Callable[[Any, Any], dict[str, Status]]
    life: dict[str, Any]

    def __str__(self) -> str:
        return self.play.__name__


LOW = {"ceiling": 121, "read_ceiling": 300, "write_ceiling": 50}
STORIES = [
    Story(a_joint_surge, {"joint": True, "table_minutes": 3}),
    Story(nothing_helps, {"joint": True, "params": LOW}),
    Story(it_does_not_help, {}),
    Story(a_planned_event, {"joint": True, "table_minutes": 1}),
]
stories = pytest.mark.parametrize("story", STORIES, ids=str)


@pytest.fixture
def played(make_life, event):
    """Plays a story, with `trouble(life)` setting up what goes wrong; the life, and what its end should be."""

    def play(story, trouble=lambda life: None, **how):
        life = make_life(**{**story.life, **how})
        trouble(life)
        wanted = story.play(life, event)
        return life, wanted

    return play


@dataclass(frozen=True)
class Place:
    """A call of a story, and the one before it."""

    number: int
    label: str
    before: str

    @property
    def writes(self) -> bool:
        return self.label in WRITES

    @property
    def matters(self) -> bool:
        """Whether a process that ends here leaves the world in a state of its own: between two calls that only look,
        nothing has changed."""
        return self.writes or self.before in WRITES


@pytest.fixture
def places(played):
    """The calls of a story at which something new can go wrong: each that is not the same one again, with every
    remediation standing as it stood then. A hold has many minutes that are alike."""

    def find(story):
        found = {}

        def watch(life):
            calls, rows = life.house.aws.calls, life.house.little.real.client("dynamodb").rows

            def look(number, label):
                stand = tuple((key[0], row["status"]["S"]) for key, row in rows.items() if key[1] == "STATE")
                place = Place(number, label, calls[-2] if number > 1 else "")
                found.setdefault((label, place.matters and place.before, stand), place)

            life.house.aws.before = look

        played(story, watch)
        return sorted(found.values(), key=lambda place: place.number)

    return find


def statuses(life):
    """The statuses in which each remediator's remediations have ended."""
    found = {}
    for one in life.house.all():
        found.setdefault(one.remediator, set()).add(one.status)
    return found


def holds_to_its_end(life, wanted, what):
    """What its story wants, though perhaps by another attempt; or people know better."""
    found = statuses(life)
    for name, status in wanted.items():
        assert status in found.get(name, ()), f"{what}: {name} ended {found.get(name)}, not {status}"


@stories
def test_without_any_trouble_a_story_ends_as_it_should(played, story):
    life, wanted = played(story)
    found = statuses(life)
    assert {name: found[name] for name in wanted} == {name: {status} for name, status in wanted.items()}
    assert life.house.telemetry.total("LookFailed") == 0
    assert life.dead_letters == []
    assert life.round_failed == 0


KINDS = {
    "throttled": lambda place: True,
    # What is denied once may be denied at its first call; what changes something, everywhere.
    "denied": lambda place: place.writes or place.number < 30,
    "crash-before": lambda place: place.matters,
    # An error of a call that changes nothing is the same as no answer, and as an end of the process after it.
    "silence-before": lambda place: place.writes,
    "silence-after": lambda place: place.writes,
    "crash-after": lambda place: place.writes,
}


@stories
@pytest.mark.parametrize("kind", KINDS)
def test_at_whichever_call_it_goes_wrong_the_end_is_the_same(played, places, fault, story, kind):
    for place in filter(KINDS[kind], places(story)):
        trouble = fault(place.number, kind)

        def goes_wrong(life, trouble=trouble):
            life.house.aws.before, life.house.aws.after = trouble.before, trouble.after

        life, wanted = played(story, goes_wrong)
        if kind != "denied":
            holds_to_its_end(life, wanted, f"{kind} at {place}")


def meanwhile(at, happens):
    """Before call number `at`, something else happens, which meets no trouble itself. Between looking at a value and
    changing it there is no lock on AWS; up to the look, all is seen."""

    def set_up(life):
        def before(number, label):
            if number == at and label not in CHANGES:
                life.house.aws.before = None
                happens(life)

        life.house.aws.before = before

    return set_up


@stories
@pytest.mark.parametrize(("ahead_s", "every"), [(0, 1), (120, 3), (-120, 3)])
def test_a_round_in_the_midst_of_any_invocation_does_no_harm(played, places, story, ahead_s, every):
    """The round overlaps itself, and the remediators' functions; its clock may be two minutes off."""
    for place in [one for one in places(story) if one.matters][::every]:
        trouble = meanwhile(place.number, lambda life: life.round("another-round", ahead_s))
        # A hold is longer than clocks can differ.
        life, wanted = played(story, trouble, hold_s=300 if ahead_s else 120, skew_s=abs(ahead_s))
        holds_to_its_end(life, wanted, f"a round before {place}")


@stories
def test_an_invocation_that_wakes_after_its_claim_was_taken_over_changes_nothing(played, places, story):
    """It is paused for two minutes after any of its calls; the rounds of those minutes go on with its work."""
    for place in [one for one in places(story) if one.matters]:
        changed = []

        def paused(life, at=place.number, changed=changed):
            def after(number, label):
                if number != at:
                    return
                life.house.aws.after = None
                for owner in ("round-a", "round-b"):
                    life.house.clock.forward(60)
                    life.round(owner)
                awake = life.house.clock.now()
                life.house.aws.after = lambda number, label: (
                    changed.append(label) if label in CHANGES and life.house.clock.now() == awake else None
                )

            life.house.aws.after = after

        life, wanted = played(story, paused)
        holds_to_its_end(life, wanted, f"paused after {place}")
        assert changed == [], f"paused after {place}: {changed}"


@stories
@pytest.mark.parametrize("ahead_s", [120, -120])
def test_clocks_that_differ_by_two_minutes_change_no_end(played, story, ahead_s):
    life, wanted = played(story, ahead_s=ahead_s)
    holds_to_its_end(life, wanted, f"{ahead_s} s ahead")


THROTTLED = ClientError({"Error": {"Code": "TooManyRequestsException", "Message": "15 a second"}}, "Any")
AWAY = EndpointConnectionError(endpoint_url="https://dynamodb")


def burst(at, minutes, hits, error):
    """From call number `at` on, every call that `hits` fails for some minutes."""

    def set_up(life):
        until = []

        def before(number, label):
            if number == at:
                until.append(life.house.clock.now() + timedelta(minutes=minutes))
            return error if until and life.house.clock.now() < until[0] and hits(label) else None

        life.house.aws.before = before

    return set_up


def is_control_plane(label):
    return label.startswith(("lambda.", "service-quotas.", "ssm.", "application-autoscaling.")) or "_table" in label


def is_ledger(label):
    service, operation = label.split(".")
    return service == "dynamodb" and operation in LEDGER


@stories
@pytest.mark.parametrize(
    ("hits", "error"),
    [(is_control_plane, THROTTLED), (is_ledger, AWAY), (lambda label: label == "sns.publish", AWAY)],
    ids=["control planes throttled", "ledger away", "topic away"],
)
def test_whatever_is_away_for_five_minutes_from_any_call_on_changes_no_end(played, places, story, hits, error):
    for place in places(story)[::4]:
        life, wanted = played(story, burst(place.number, 5, hits, error))
        # An event that came while the ledger was away is told past it, and its surge is over when the ledger is back;
        # and what could not be raised in time cannot fail to help.
        if not life.dead_letters and story.play is not it_does_not_help:
            holds_to_its_end(life, wanted, f"away from {place}")


def test_while_the_ledger_is_away_nothing_is_changed_at_all(make_life, event):
    life = make_life(joint=True)
    life.house.aws.before = lambda number, label: AWAY if is_ledger(label) else None
    surge(life, event)
    assert life.house.aws.mutating() == []
    assert not [call for call in life.house.aws.calls if call in CHANGES]
    told = life.house.messages()
    assert len(told) == 6, "two remediators, three attempts each"
    assert len({one["key"] for one in told}) == 2
    assert len({one["incident"] for one in told}) == 1


# -- EventBridge


def test_an_event_that_comes_hours_late_changes_nothing(make_life, event):
    life = make_life(joint=True)
    late = event(at=life.house.clock.now())
    surge(life, event, minutes=3)
    life.to_the_end(BOUND)
    life.house.clock.forward(3 * 3600)
    effects = list(life.house.little.effects)
    life.deliver(late)
    life.deliver(event("throttles", at=life.house.clock.now() - timedelta(hours=5)))
    life.to_the_end(BOUND)
    assert life.house.little.effects == effects
    assert [one.reason for one in life.house.all()].count(Reason.STALE) == 2


def test_two_alarms_their_doubles_and_their_disorder_are_one_incident(make_life, event):
    life = make_life(joint=True)
    life.factor = 8
    now = life.house.clock.now()
    older, newer = event("throttles", at=now - timedelta(minutes=2)), event("exhaustion", at=now)
    for one in (newer, older, newer, older):
        life.deliver(one)
    life.minute()
    life.deliver(older)
    life.factor = 1
    life.to_the_end(BOUND)
    assert len({one.incident for one in life.house.all()}) == 1
    assert sorted(str(one.status) for one in life.house.all()) == ["REVERTED", "REVERTED", "SKIPPED", "SKIPPED"]


def test_a_lambda_whose_clock_is_behind_finds_the_news_from_the_future_and_the_round_makes_up_for_it(
    make_life, event
):
    life = make_life(ahead_s=-150)
    life.factor = 8
    life.house.red()
    life.deliver(event(at=life.house.clock.now()))
    for _ in range(7):
        life.minute()
    life.factor = 1
    life.house.green()
    life.to_the_end(BOUND)
    assert [(one.status, one.reason) for one in life.house.all()] == [
        (Status.SKIPPED, Reason.FUTURE),
        (Status.REVERTED, Reason.OK),
    ]


def test_an_invocation_with_too_little_time_left_leaves_it_to_the_round(make_life, event):
    life = make_life(joint=True)
    life.factor = 8
    signal = life.house.signal()
    hurried = replace(life.house.watch, time_left=lambda: 3.0)
    assert flow.start(hurried, signal, "raise_concurrency").status is Status.APPLYING
    assert life.house.little.effects == []
    for _ in range(3):
        life.minute()
    assert life.house.reserved() == 240
