"""A batch of the queue: what is done leaves it, what is not comes again, and what waits for long is counted."""

from __future__ import annotations

import json
from datetime import timedelta
from types import SimpleNamespace

import pytest

from remediators.notifier import handler
from remediators.notifier.channels import RateLimited, Refused, Unavailable
from sereno.errors import LedgerUnavailable


class Wall:
    """A channel whose next deliveries meet trouble."""

    name = "email"

    def __init__(self, *trouble):
        self.trouble, self.posts = list(trouble), []

    def deliver(self, post, thread):
        if self.trouble and (error := self.trouble.pop(0)):
            raise error
        self.posts.append(post)
        return thread.at("there")


class Queue:
    """SQS, as far as the notifier writes to it: how long each message is left."""

    def __init__(self):
        self.left = {}

    def change_message_visibility(self, *, QueueUrl, ReceiptHandle, VisibilityTimeout):  # noqa: N803 - as in the API
        assert QueueUrl == "https://queue"
        self.left[ReceiptHandle] = VisibilityTimeout


@pytest.fixture
def office(desk):
    """(answers a batch, the queue, the station)."""
    queue = Queue()

    def of(wall):
        station = desk(channels={"email": wall}, emails=("oncall@example.com",))
        notifier = station.notifier("one")
        watch = SimpleNamespace(
            telemetry=notifier.telemetry, clock=notifier.clock, aws=SimpleNamespace(client=lambda _: queue)
        )

        def answer(*records):
            done = handler.answer(watch, notifier, records, "https://queue")
            return [one["itemIdentifier"] for one in done["batchItemFailures"]]

        return SimpleNamespace(answer=answer, queue=queue, notifier=notifier, now=notifier.clock.now())

    return of


def record(name, body, *, receives=1, sent=None):
    attributes = {"ApproximateReceiveCount": str(receives)}
    if sent is not None:
        attributes["SentTimestamp"] = str(int(sent.timestamp() * 1000))
    text = body if isinstance(body, str) else json.dumps(body)
    return {"messageId": name, "receiptHandle": name, "body": text, "attributes": attributes}


def test_what_is_shown_leaves_the_queue_and_what_cannot_be_read_stays_for_the_dead_letters(office, message):
    wall = Wall()
    desk = office(wall)
    assert desk.answer(record("good", message()), record("bad", "hello"), record("old", {"version": 9})) == [
        "bad",
        "old",
    ]
    assert len(wall.posts) == 1
    assert desk.notifier.telemetry.total("MalformedEvent") == 2


def test_a_message_is_left_for_as_long_as_the_channel_says(office, message):
    desk = office(Wall(RateLimited(47)))
    assert desk.answer(record("one", message())) == ["one"]
    assert desk.queue.left == {"one": 47}


def test_a_channel_that_says_more_than_a_quarter_of_an_hour_is_obeyed(office, message):
    desk = office(Wall(RateLimited(3600)))
    desk.answer(record("one", message(), receives=9))
    assert desk.queue.left == {"one": 3600}


@pytest.mark.parametrize(("receives", "wait"), [(1, 60), (2, 120), (4, 480), (5, 900), (80, 900)])
def test_a_channel_that_is_away_is_tried_ever_later(office, message, receives, wait):
    desk = office(Wall(Unavailable("away")))
    desk.answer(record("one", message(), receives=receives))
    assert desk.queue.left == {"one": wait}


@pytest.mark.parametrize("trouble", [Unavailable("away"), Refused("no such channel"), RateLimited(5)])
def test_what_has_waited_for_five_minutes_is_counted_as_untold(office, message, trouble):
    """SQS forgets the age of what was received three times; so the notifier tells it."""
    desk = office(Wall(trouble, trouble))
    desk.answer(record("new", message(), sent=desk.now - timedelta(seconds=299)))
    assert desk.notifier.telemetry.total("Untold") == 0
    desk.notifier.clock.forward(1)
    desk.notifier._closed.clear()
    desk.answer(record("new", message(), receives=3, sent=desk.now - timedelta(seconds=299)))
    assert desk.notifier.telemetry.total("Untold") == 1


def test_what_is_shown_late_is_told_and_not_counted(office, message):
    desk = office(Wall())
    assert desk.answer(record("late", message(), receives=30, sent=desk.now - timedelta(hours=5))) == []
    assert desk.notifier.telemetry.total("Untold") == 0


def test_without_the_ledger_everything_comes_again(office, message, monkeypatch):
    desk = office(Wall())

    def away(*_):
        raise LedgerUnavailable("update_item: no")

    monkeypatch.setattr(desk.notifier.book, "open", away)
    assert desk.answer(record("a", message()), record("b", message("HOLDING", 4))) == ["a", "b"]
    assert desk.queue.left == {"a": 30, "b": 30}
