"""Who hears of what, at which hour of their own clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.config_notices import offsets
from remediators.notifier.notice import of
from remediators.notifier.routing import deferred, is_open, local_time, route
from sereno.service import Hours, Notices, PagerDuty, Route, Slack

SLACK, PAGER = Slack("C0123456789", "shop/slack"), PagerDuty("shop/pagerduty")
MADRID = offsets("Europe/Madrid")
EVERYWHERE = Notices(slack=SLACK, pagerduty=PAGER, ops_center=True)
NOON = datetime(2026, 9, 29, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("severity", "to"),
    [
        ("page", ["slack", "pagerduty", "opscenter", "email"]),
        ("ticket", ["slack", "opscenter", "email"]),
        ("info", ["slack", "opscenter", "email"]),
    ],
)
def test_without_routes_everything_goes_everywhere_and_only_pages_wake_people(severity, to):
    assert route(EVERYWHERE, ["a@example.com"], severity, NOON) == to


def test_a_channel_that_is_not_there_is_sent_nothing():
    assert route(Notices(), [], "page", NOON) == []
    assert route(Notices(routes=(Route(("page",), ("slack", "email")),)), ["a@example.com"], "page", NOON) == [
        "email"
    ]


OFFICE = Hours((0, 1, 2, 3, 4), 8 * 60, 20 * 60)
NIGHT = Hours((4, 5), 22 * 60, 6 * 60)  # Friday's and Saturday's night


@pytest.mark.parametrize(
    ("hours", "at", "opened"),
    [
        # The summer's 8:00 in Madrid is 6:00 UTC, the winter's 7:00.
        (OFFICE, datetime(2026, 9, 29, 5, 59, tzinfo=UTC), False),
        (OFFICE, datetime(2026, 9, 29, 6, 0, tzinfo=UTC), True),
        (OFFICE, datetime(2026, 12, 1, 6, 30, tzinfo=UTC), False),
        (OFFICE, datetime(2026, 12, 1, 7, 0, tzinfo=UTC), True),
        (OFFICE, datetime(2026, 9, 29, 18, 0, tzinfo=UTC), False),
        (OFFICE, datetime(2026, 10, 3, 12, 0, tzinfo=UTC), False),  # a Saturday
        (NIGHT, datetime(2026, 10, 2, 21, 0, tzinfo=UTC), True),  # Friday, 23:00
        (NIGHT, datetime(2026, 10, 3, 3, 0, tzinfo=UTC), True),  # Saturday, 5:00
        (NIGHT, datetime(2026, 10, 3, 4, 0, tzinfo=UTC), False),
        (NIGHT, datetime(2026, 10, 4, 3, 0, tzinfo=UTC), True),  # Sunday, 5:00: Saturday's night
        (NIGHT, datetime(2026, 10, 4, 21, 0, tzinfo=UTC), False),
    ],
)
def test_hours_are_those_of_the_wall_clock_summer_and_winter(hours, at, opened):
    assert is_open(hours, Notices(timezone="Europe/Madrid", offsets=MADRID), at) is opened


def test_the_end_of_an_incident_goes_wherever_news_of_it_may_have_gone_at_any_hour():
    notices = Notices(
        slack=SLACK, pagerduty=PAGER, routes=(Route(("page",), ("pagerduty",)), Route(("info",), ("slack",), OFFICE))
    )
    saturday = datetime(2026, 10, 3, 12, 0, tzinfo=UTC)
    assert route(notices, [], "info", saturday) == []
    assert route(notices, [], "info", saturday, over=True) == ["pagerduty", "slack"]


@given(
    st.datetimes(datetime(2025, 1, 2), datetime(2044, 12, 30)),
    st.sampled_from(["Europe/Madrid", "America/Lima", "Asia/Kolkata", "UTC", "Australia/Lord_Howe"]),
)
def test_the_offsets_that_a_lambda_carries_agree_with_the_database_of_time_zones(moment, zone):
    from zoneinfo import ZoneInfo

    at = moment.replace(tzinfo=UTC)
    shown = local_time(Notices(timezone=zone, offsets=offsets(zone)), at)
    assert (shown.hour, shown.minute) == (at.astimezone(ZoneInfo(zone)).hour, at.astimezone(ZoneInfo(zone)).minute)
    assert abs(shown - at) <= timedelta(hours=14)


# -- what no route takes


def test_tickets_of_a_night_come_in_one_digest_in_the_morning(desk, message):
    class Wall:
        name, posts = "slack", []

        def deliver(self, post, thread):
            self.posts.append(post)
            return thread.at("there")

    by_day = Hours((0, 1, 2, 3, 4), 8 * 60, 20 * 60)
    notices = Notices(
        slack=Slack("C1", "s"), routes=(Route(("page",), ("slack",)), Route(("ticket", "info"), ("slack",), by_day))
    )
    station = desk(channels={"slack": Wall()}, notices=notices)
    friday = datetime(2026, 10, 2, 22, 0, tzinfo=UTC)
    station.clock.forward((friday - station.clock.now()).total_seconds())
    for number, what in enumerate(("exhaustion", "throttles", "exhaustion")):
        news = message("SKIPPED", 2, id=f"r{number}", key=f"r{number}#2", what=what)
        assert station.notifier("night").tell([(0, of(news)), (0, of(news))]) == []
        station.clock.forward(600)
    assert Wall.posts == []
    while station.clock.now() < datetime(2026, 10, 5, 8, 1, tzinfo=UTC):
        assert station.notifier("tick").tick() == 0
        station.clock.forward(3600)
    assert (station.notifier("tick").tick(), station.notifier("tick").tick()) == (1, 0)
    (digest,) = Wall.posts
    assert digest.head == "3 tickets came outside the hours of their route"
    assert digest.text == "They waited until now: techmoda-read: exhaustion; techmoda-read: throttles."


def test_a_page_that_no_route_takes_is_counted(desk, message):
    by_day = Hours((0, 1, 2, 3, 4), 8 * 60, 20 * 60)
    notices = Notices(slack=Slack("C1", "s"), routes=(Route(("page",), ("slack",), by_day),))
    station = desk(channels={}, notices=notices)
    station.clock.forward(4 * 86_400)  # a Saturday
    assert station.notifier().tell([(0, of(message("ESCALATED")))]) == []
    assert station.telemetry.total("Unrouted") == 1
    assert station.notifier().tell([(0, of(message("VERIFYING")))]) == []
    assert station.telemetry.total("Unrouted") == 1, "what is good to know may be dropped"


def test_the_next_opening_is_that_of_the_wall_clock():
    madrid = ((0, 3600), (int(datetime(2026, 3, 29, 1, tzinfo=UTC).timestamp()), 7200))
    hours = Hours((0, 1, 2, 3, 4), 8 * 60, 20 * 60)
    notices = Notices(
        slack=Slack("C1", "s"),
        routes=(Route(("ticket",), ("slack",), hours),),
        offsets=madrid,
        timezone="Europe/Madrid",
    )
    friday = datetime(2026, 3, 27, 21, 0, tzinfo=UTC)
    assert deferred(notices, (), "ticket", friday) == {"slack": datetime(2026, 3, 30, 6, 0, tzinfo=UTC)}
    assert deferred(notices, (), "page", friday) == {}
