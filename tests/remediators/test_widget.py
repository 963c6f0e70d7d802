"""Whoever looks at CloudWatch at 3 a.m. sees what is open and in force, and can break nothing by looking."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from remediators import widget
from remediators.widget import Recovery
from sereno.incident import Incident, Stage
from sereno.lifecycle import Remediation
from sereno.model import Call, Plan, Signal, Status, Step, Target
from sereno.service import Notices, Objectives, Service, Table

NOW = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)
TARGET = Target("function", "shop-cart", "eu-west-1", "123456789012")
SHOP = Service(
    "shop",
    "123456789012",
    ("eu-west-1",),
    objectives=Objectives(rpo_s=900),
    tables={"orders": Table("orders", "shop-orders")},
    notices=Notices(page_url="https://oncall.example.com/"),
)
PLAN = Plan((Step(Call("lambda", "put", {}), "why", "reserved", 20, 40, Call("lambda", "put", {})),), "demand")


def remediation(**changes):
    signal = Signal("s", "alarm", "shop/cart/throttles", "throttles", "ALARM", "OK", TARGET, NOW)
    known = {
        "status": Status.HOLDING,
        "plan": PLAN,
        "hold_until": NOW + timedelta(minutes=15),
        "incident": "incident-1",
    }
    known |= {"id": "20261124-raise", "remediator": "raise_concurrency", "target": TARGET}
    return Remediation(signal=signal, created=NOW, **(known | changes))


def incident(**changes):
    known = {"title": "shop-cart: throttles", "alarms": ("shop/cart/throttles",), "members": ("20261124-raise",)}
    opened = NOW - timedelta(minutes=5)
    return Incident("incident-1", "shop", "shop/cart", opened=opened, **(known | changes))


class Reader(HTMLParser):
    """Which elements and attributes a page has."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.links, self.open = set(), [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        assert not [name for name, _ in attrs if name.startswith("on")]
        self.links += [value for name, value in attrs if name == "href"]
        if tag not in ("circle",):
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag != "circle":
            assert self.open.pop() == tag


ALLOWED = {"a", "h4", "p", "table", "tr", "th", "td", "span", "svg", "circle", "code"}


def read(text):
    page = Reader(text)
    assert page.open == []
    assert page.tags <= ALLOWED
    return page


def test_a_calm_night_says_so():
    text = widget.page(SHOP, [], [], 0, NOW)
    read(text)
    assert "All calm: no incident is open and no change is in force." in text


def test_an_incident_shows_who_has_it_and_what_is_in_force_until_when():
    text = widget.page(SHOP, [(incident(owner="maria"), [remediation()])], [], 1, NOW)
    page = read(text)
    for part in (
        "OPEN",
        "maria has it",
        "5 min",
        "reserved 20 -&gt; 40",
        "taken back from 03:15 UTC",
        "shop/cart/throttles",
    ):
        assert part in text
    assert set(page.links) == {"https://oncall.example.com/incidents/incident-1"}


def test_it_links_only_where_a_page_is_declared():
    page = read(widget.page(replace(SHOP, notices=Notices()), [(incident(), [remediation()])], [], 1, NOW))
    assert page.links == []
    odd = replace(SHOP, notices=Notices(page_url="javascript:alert(1)"))
    assert read(widget.page(odd, [(incident(), [remediation()])], [], 1, NOW)).links == []


def test_it_carries_no_button_whatever_waits_for_a_person():
    asked = remediation(status=Status.AWAITING_APPROVAL, escalate_at=NOW + timedelta(minutes=9))
    text = widget.page(SHOP, [(incident(), [asked])], [], 1, NOW)
    assert "approval expires in 9 min" in text
    assert "cwdb-action" not in text
    read(text)


@pytest.mark.parametrize("text", ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "</td></table>&'"])
def test_no_text_of_an_alarm_or_a_person_becomes_markup(text):
    evil = incident(title=text, owner=text, alarms=(text,))
    one = remediation(detail=text, status=Status.SKIPPED, target=replace(TARGET, name=text), incident=text)
    page = read(widget.page(SHOP, [(evil, [one])], [one], 1, NOW))
    assert not page.tags & {"script", "img"}
    read(widget.restorable([Recovery(text, unknown=text)], SHOP, NOW))


def test_a_change_in_force_is_shown_though_its_incident_is_over():
    assert "In force without an open incident" in widget.page(SHOP, [], [remediation()], 0, NOW)


def test_a_storm_is_cut_and_says_by_how_much():
    many = [(incident(stage=Stage.MITIGATED), [])] * widget.INCIDENTS
    assert "7 more" in re.sub(r"<[^>]*>", "", widget.page(SHOP, many, [], widget.INCIDENTS + 7, NOW))


class Backups:
    """DynamoDB's answer about a table's backups."""

    def __init__(self, answer):
        self.answer = answer

    def describe_continuous_backups(self, **_):
        if isinstance(self.answer, Exception):
            raise self.answer
        return {"ContinuousBackupsDescription": self.answer}


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ({"PointInTimeRecoveryDescription": {"PointInTimeRecoveryStatus": "DISABLED"}}, "recovery is off"),
        ({}, "recovery is off"),
        (ClientError({"Error": {"Code": "AccessDeniedException"}}, "x"), "cannot be read: AccessDeniedException"),
        (EndpointConnectionError(endpoint_url="https://x"), "cannot be read: EndpointConnectionError"),
    ],
)
def test_a_table_that_cannot_be_restored_says_why(answer, told):
    assert told in widget.restorable([widget._recovery(Backups(answer), "shop-orders")], SHOP, NOW)


@pytest.mark.parametrize(("minutes", "colour"), [(5, widget._GREEN), (16, widget._RED)])
def test_what_a_restore_would_lose_is_held_against_the_rpo(minutes, colour):
    dates = {
        "PointInTimeRecoveryStatus": "ENABLED",
        "EarliestRestorableDateTime": NOW - timedelta(days=35),
        "LatestRestorableDateTime": NOW - timedelta(minutes=minutes),
    }
    found = widget._recovery(Backups({"PointInTimeRecoveryDescription": dates}), "shop-orders")
    text = widget.restorable([found], SHOP, NOW)
    read(text)
    assert "2026-10-20 03:00 UTC" in text
    assert f'color:{colour}">{minutes} min' in text


@pytest.mark.parametrize("event", [{"describe": True}, {"describe": 1, "widgetContext": None}])
def test_cloudwatch_is_told_what_the_widget_is_for(event):
    assert widget.handler(event, None).startswith("## Sereno's widget")


@pytest.mark.parametrize("event", [{"show": "<b>"}, {"widgetContext": {"params": {"show": "approve"}}}])
def test_what_it_does_not_know_it_names(event):
    text = widget.handler(event, None)
    read(text)
    assert "known: incidents, restorable" in text


@pytest.mark.parametrize("event", [{}, {"widgetContext": []}, {"widgetContext": {"params": 3}}, {"show": None}])
def test_without_parameters_it_shows_incidents(event):
    assert widget.wanted(event) == "incidents"
