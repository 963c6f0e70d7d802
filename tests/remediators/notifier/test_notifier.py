"""What comes doubled, late, in any order or in a storm is shown once, in order, and never lost."""

from __future__ import annotations

import contextlib
import tracemalloc
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from remediators.incidents import IncidentBook
from remediators.notifier.book import WINDOW_S
from remediators.notifier.channels import RateLimited, Refused, Unavailable
from remediators.notifier.notice import of
from remediators.notifier.notifier import PER_MINUTE
from remediators.notifier.wording import Wording
from sereno.errors import LedgerUnavailable
from sereno.service import Notices, Route
from sereno.testing import Crash


@dataclass
class Wall:
    """A channel that shows everything on a wall. `trouble` is what the next deliveries meet: an error to raise, or
    `late` (shown, and then no answer)."""

    name: str = "email"
    posts: list = field(default_factory=list)
    trouble: list = field(default_factory=list)

    def deliver(self, post, thread):
        trouble = self.trouble.pop(0) if self.trouble else None
        if isinstance(trouble, BaseException):
            raise trouble
        self.posts.append(post)
        if trouble == "late":
            raise Unavailable("no answer")
        return thread.at(thread.ref or "there")

    def keys(self):
        return [post.key for post in self.posts]


@pytest.fixture
def wall():
    return Wall()


@pytest.fixture
def station(desk, wall):
    return desk(channels={"email": wall}, emails=("oncall@example.com",))


def tell(station, *bodies, owner="one", client=None):
    left = station.notifier(owner, client).tell(list(enumerate(of(one) for one in bodies)))
    return {one.number: one.after_s for one in left}


def test_pages_come_before_what_is_good_to_know(station, wall, message):
    calm, loud = message(incident="incident-a"), message("ESCALATED", id="r2", incident="incident-b")
    assert tell(station, calm, loud) == {}
    assert [post.severity for post in wall.posts] == ["page", "info"]


def test_what_a_channel_has_not_shown_comes_again_and_what_the_other_has_does_not(desk, message):
    email, ops = Wall("email"), Wall("opscenter", trouble=[Unavailable("away")])
    station = desk(
        channels={"email": email, "opscenter": ops}, notices=Notices(ops_center=True), emails=("a@example.com",)
    )
    assert tell(station, message()) == {0: 60.0}
    assert tell(station, message()) == {}
    assert (len(email.posts), len(ops.posts)) == (1, 1)


def test_what_is_refused_for_good_stays_in_the_queue_for_a_quarter_of_an_hour_at_a_time(station, wall, message):
    wall.trouble = [Refused("malformed")]
    assert tell(station, message()) == {0: 900.0}


def test_a_muted_incident_is_silent_but_for_its_end(station, wall, message, incident_message):
    book = IncidentBook(station.table, "ledger", "techmoda")
    incident, now = message()["incident"], station.clock.now()
    station.table.rows[f"I#{incident}", "INCIDENT"] = {
        "pk": {"S": f"I#{incident}"},
        "sk": {"S": "INCIDENT"},
        "opened": {"N": str(now.timestamp())},
        "muted_until": {"N": str((now + timedelta(minutes=30)).timestamp())},
    }
    assert book.get(incident).muted_until == now + timedelta(minutes=30)
    assert tell(station, message("VERIFYING", 3), message("ESCALATED", 4)) == {}
    assert wall.posts == []
    assert tell(station, incident_message()) == {}
    assert [post.over for post in wall.posts] == [True]
    station.clock.forward(1801)
    assert tell(station, message("VERIFYING", 3)) == {}
    assert len(wall.posts) == 1, "what was silent then is not told late"
    assert tell(station, message("KEPT", 5)) == {}
    assert len(wall.posts) == 2


def test_two_invocations_at_once_do_not_open_a_thread_twice(station, wall, message):
    first = station.notifier("first")
    shown = first.book.open(message()["incident"], "email", station.clock.now())
    assert shown is not None
    assert tell(station, message(), owner="second") == {0: 5.0}
    assert wall.posts == []


def test_without_time_left_nothing_is_begun(station, wall, message):
    station.left_s = 10.0
    assert tell(station, message()) == {0: 1.0}
    assert wall.posts == []


# -- any order, any number of times, any failure


# The fixtures are a class and a function: nothing of them is used up.
SUPPRESSED = [HealthCheck.function_scoped_fixture]
STATUSES = ("VERIFYING", "HOLDING", "REVERTING", "REVERTED")
DELIVERY = st.lists(st.tuples(st.sampled_from(["r1", "r2"]), st.integers(0, 3)), min_size=1, max_size=14)
TROUBLE = st.lists(
    st.sampled_from([None, None, None, "late", RateLimited(7), Unavailable("x"), Refused("x")]), max_size=10
)


@settings(deadline=None, suppress_health_check=SUPPRESSED)
@given(DELIVERY, TROUBLE, st.integers(1, 4))
def test_every_news_is_shown_or_something_newer_and_none_goes_back(desk, message, delivery, trouble, batch):
    """Delivered in any order and number, in batches; what fails comes again. Nothing is shown twice, but for what was
    shown without an answer."""

    wall = Wall(trouble=list(trouble))
    station = desk(channels={"email": wall}, emails=("oncall@example.com",))
    bodies = [message(STATUSES[number], number, id=one, severity="page") for one, number in delivery]
    queue = [bodies[start : start + batch] for start in range(0, len(bodies), batch)]
    for turn in range(200):
        if not queue:
            break
        these = queue.pop(0)
        left = tell(station, *these, owner=f"turn{turn}")
        station.clock.forward(61)
        again = [these[number] for number in left]
        if again:
            queue.append(again)
    assert not queue
    shown = Counter(wall.keys())
    late = trouble.count("late")
    assert sum(number - 1 for number in shown.values()) <= late
    for one in {one for one, _ in delivery}:
        numbers = [post.sequence for post in wall.posts if post.id == one]
        assert numbers == sorted(numbers), "the newest stands, never an older one over it"
        assert max(numbers) == max(number for known, number in delivery if known == one)


@settings(deadline=None, max_examples=60, suppress_health_check=SUPPRESSED)
@given(st.integers(1, 30), st.booleans())
def test_an_invocation_that_dies_at_any_call_loses_nothing(desk, message, at, after):

    wall = Wall()
    station = desk(channels={"email": wall}, emails=("oncall@example.com",))
    bodies = [
        message(STATUSES[number], number, id=one, severity="page") for one in ("r1", "r2") for number in range(3)
    ]
    client = Dying(station.table, at, after=after)
    try:
        left = tell(station, *bodies, owner="dead", client=client)
    except Crash:
        left = dict.fromkeys(range(len(bodies)))
    station.clock.forward(91)
    assert tell(station, *[bodies[number] for number in left], owner="next") == {}
    shown = Counter(wall.keys())
    assert {one["key"] for one in bodies} == set(shown)
    assert sum(number - 1 for number in shown.values()) <= 1, "at most what was shown in the moment of its death"


class Dying:
    """The table, until its n-th call: then the process ends, before or after the call was carried out."""

    def __init__(self, table, at, *, after):
        self.table, self.left, self.after = table, at, after

    def __getattr__(self, name):
        act = getattr(self.table, name)

        def call(**params):
            self.left -= 1
            if self.left == 0 and not self.after:
                raise Crash
            answer = act(**params)
            if self.left == 0:
                raise Crash
            return answer

        return call


# -- storms


def storm(message, services, each, start=0):
    """`each` alarms of every service, each with its remediation and incident news."""
    for number in range(services):
        for alarm in range(each):
            yield message(
                "VERIFYING" if alarm else "ESCALATED",
                3,
                id=f"r-{number}-{alarm}",
                service=f"shop{number}",
                incident=f"incident-20260929T1200{start:02d}-{number:010d}",
                alarm=f"shop{number}/read{alarm}/throttles",
            )


def through(station, bodies, batch=10, per_second=33):
    """The queue's way: batches, and what is left comes again."""
    queue = list(bodies)
    turns = 0
    while queue:
        these, queue = queue[:batch], queue[batch:]
        left = tell(station, *these, owner=f"turn{turns}")
        queue += [these[number] for number in left]
        turns += 1
        if turns % max(1, per_second // batch) == 0:
            station.clock.forward(1)
    return turns


def test_a_storm_is_folded_into_digests_and_no_news_is_lost(station, wall, message):
    bodies = list(storm(message, services=10, each=30))
    through(station, bodies)
    station.clock.forward(WINDOW_S + 1)
    while station.notifier("tick").tick():
        pass
    digests = [post for post in wall.posts if post.digest]
    single = [post for post in wall.posts if not post.digest]
    folded = sum(int(post.head.split()[0]) for post in digests)
    assert len(single) + folded == len(bodies)
    assert sorted(post.thread for post in single if post.severity == "page") == sorted(
        {body["incident"] for body in bodies}
    ), "each incident once"
    assert all(number <= PER_MINUTE for number in Counter(post.id for post in single).values())
    assert len(single) + len(digests) < len(bodies) / 5
    assert "alarms, " in digests[0].head
    assert f"{folded} x VERIFYING" in digests[0].text
    assert station.notifier("again").tick() == 0


def test_what_was_folded_is_not_folded_again_when_its_message_comes_twice(station, wall, message):
    bodies = list(storm(message, services=2, each=20))
    through(station, bodies)
    through(station, bodies)
    station.clock.forward(WINDOW_S + 1)
    station.notifier("tick").tick()
    folded = sum(int(post.head.split()[0]) for post in wall.posts if post.digest)
    assert folded + sum(not post.digest for post in wall.posts) == len(bodies)


def test_a_storm_of_pages_wakes_people_once_for_each_incident(station, wall, message):
    """Ten incidents, thirty alarms each, and nothing that Sereno can do; one plan asks, one change failed."""
    bodies = [{**one, "status": "ESCALATED", "severity": "page"} for one in storm(message, services=10, each=30)]
    asks = message("AWAITING_APPROVAL", 2, id="asks", incident=bodies[0]["incident"])
    failed = message("FAILED", 3, id="failed", incident=bodies[0]["incident"])
    through(station, [*bodies, asks, failed])
    station.clock.forward(WINDOW_S + 1)
    while station.notifier("tick").tick():
        pass
    single = [post for post in wall.posts if not post.digest]
    folded = sum(int(post.head.split()[0]) for post in wall.posts if post.digest)
    assert len(single) + folded == len(bodies) + 2, "nothing is lost"
    assert {post.thread for post in single} == {body["incident"] for body in bodies}, "every incident is told"
    assert {"asks", "failed"} <= {post.id for post in single}
    minutes = len(bodies) // 30 / 60 + 1
    assert len(single) <= 10 + 2 + PER_MINUTE * minutes


def test_news_that_belong_to_no_incident_are_folded_too(station, wall, message):
    """What was refused or only watched opens no incident, and there may be as much of it as of anything."""
    bodies = [message("SKIPPED", 2, id=f"r{number}", incident="") for number in range(40)]
    tell(station, *bodies)
    assert len(wall.posts) == PER_MINUTE
    station.clock.forward(2 * WINDOW_S)
    assert station.notifier("tick").tick() == 1
    assert wall.posts[-1].head.startswith(f"{40 - PER_MINUTE} more news")


def test_what_was_told_past_the_ledger_does_not_hide_what_is_recorded_later(station, wall, message):
    lost = message("FAILED", 2, incident="", key="r1#not-recorded", severity="page")
    assert tell(station, lost) == {}
    assert tell(station, message("SKIPPED", 2, incident=""), lost) == {}
    assert [post.status for post in wall.posts] == ["FAILED", "SKIPPED"]


def test_two_ticks_at_once_tell_a_digest_once(station, wall, message):
    through(station, storm(message, services=1, each=20))
    station.clock.forward(WINDOW_S + 1)
    first, second = station.notifier("first"), station.notifier("second")
    told = []

    class Slow(Wall):
        def deliver(self, post, thread):
            told.append(second.tick())  # while the first one's mail is on its way
            return super().deliver(post, thread)

    slow = Slow(posts=wall.posts)
    first.channels = {"email": slow}
    assert first.tick() == 1
    assert told == [0]
    assert second.tick() == 0
    assert [post.digest for post in wall.posts].count(True) == 1


def test_what_is_folded_while_a_digest_is_told_is_in_the_next_one(station, wall, message):
    """An invocation whose clock is behind still adds to a window that another one has begun to tell."""
    bodies = [message("HOLDING", 2, id=f"r{number}") for number in range(PER_MINUTE + 2)]
    tell(station, *bodies[:-1])
    station.clock.forward(2 * WINDOW_S)
    book = station.notifier("tick").book
    (digest,) = book.digests("email", station.clock.now())
    before = station.clock.now() - timedelta(seconds=2 * WINDOW_S)
    late = Wording(Notices()).post(of(bodies[-1]))
    book.fold("email", late, "shop/x", before)
    assert book.seal(digest).news == 2, "what came before the seal is in it"
    later = replace(late, id="r99")
    with pytest.raises(LedgerUnavailable):
        book.fold("email", later, "shop/x", before)
    book.fold("email", later, "shop/x", station.clock.now())
    book.told(digest)
    station.clock.forward(2 * WINDOW_S)
    assert [one.news for one in book.digests("email", station.clock.now())] == [1]


@settings(deadline=None, max_examples=40, suppress_health_check=SUPPRESSED)
@given(st.integers(1, 12), st.booleans())
def test_a_tick_that_dies_at_any_call_loses_no_digest(desk, message, at, after):
    wall = Wall()
    station = desk(channels={"email": wall}, emails=("oncall@example.com",))
    through(station, storm(message, services=1, each=20))
    station.clock.forward(WINDOW_S + 1)
    with contextlib.suppress(Crash):
        station.notifier("dead", Dying(station.table, at, after=after)).tick()
    station.clock.forward(91)
    station.notifier("next").tick()
    digests = [post.head for post in wall.posts if post.digest]
    assert len(set(digests)) == 1
    assert len(digests) <= 2, "at most what was shown in the moment of its death"
    assert station.notifier("again").tick() == 0


def test_a_digest_that_is_not_taken_is_told_at_the_next_tick(station, wall, message):
    through(station, storm(message, services=1, each=20))
    station.clock.forward(WINDOW_S + 1)
    wall.trouble = [Unavailable("away")]
    assert station.notifier("tick").tick() == 0
    assert station.notifier("tick").tick() == 1
    assert [post.digest for post in wall.posts].count(True) == 1


def test_memory_does_not_grow_with_the_storm(station, message):
    """What an invocation holds depends on its batch alone."""
    station.channels["email"] = Forgetful()
    few, many = list(storm(message, 1, 10)), list(storm(message, 20, 50, start=1))
    tell(station, *few)
    peaks = []
    for bodies in (many[:10], many[500:510]):
        tracemalloc.start()
        tell(station, *bodies)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        for start in range(10, 500, 10):
            tell(station, *many[start : start + 10])
    assert peaks[1] < 2 * peaks[0] + 100_000


class Forgetful(Wall):
    def deliver(self, post, thread):
        return thread.at("there")


def test_a_route_sends_a_severity_where_it_says(desk, message):
    email, ops = Wall("email"), Wall("opscenter")
    notices = Notices(ops_center=True, routes=(Route(("page",), ("opscenter",)), Route(("info",), ("email",))))
    station = desk(channels={"email": email, "opscenter": ops}, notices=notices, emails=("a@example.com",))
    tell(station, message("ESCALATED", 3), message("HOLDING", 4, id="r2"), message("SKIPPED", 2, id="r3"))
    assert ([post.status for post in email.posts], [post.status for post in ops.posts]) == (
        ["HOLDING"],
        ["ESCALATED"],
    )
    assert replace(email.posts[0], key="") != email.posts[0]
