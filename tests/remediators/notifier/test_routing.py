"""Who hears of what, at which hour of their own clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.config_notices import offsets
from remediators.notifier.routing import is_open, local_time, route
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
