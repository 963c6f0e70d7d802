"""A page that nobody acknowledges is repeated, and goes to the next contact; one that somebody has is left alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from remediators.notifier import escalation
from remediators.notifier.handler import slack_channel
from remediators.notifier.notice import of
from remediators.notifier.pagerduty import PagerDuty
from remediators.notifier.secrets import Secrets
from sereno.incident import Incident, Stage
from sereno.service import Contact, Escalation, Notices, Slack
from sereno.service import PagerDuty as Declared

ROUTING = "R0" + "ab12" * 7 + "cd"
SLACK = Slack("C0123456789", "shop/slack", ("U0123456789",), {"page": ("S0123456789",)})
LEAD = Contact("lead", 1200, ("U0000000LEAD",), Declared("shop/pagerduty"))
BOSS = Contact("boss", 1800, email="boss@example.com")
POLICY = Escalation(600, 2, (LEAD,))
NOTICES = Notices(slack=SLACK, pagerduty=Declared("shop/pagerduty"), escalation=POLICY)
INCIDENT = "incident-20260929T120000-2f57e983ab"
NOON = datetime(2026, 9, 29, 12, 0, tzinfo=UTC)


class Wall:
    name = "email"

    def __init__(self):
        self.posts = []

    def deliver(self, post, thread):
        self.posts.append(post)
        return thread.at("there")


@pytest.fixture
def station(desk, slack_server, pagerduty_server, paper_secrets):
    """A notifier with Slack, mail, PagerDuty, and the PagerDuty service of the next contact."""
    made = desk(channels={}, notices=NOTICES, emails=("oncall@example.com",))
    planted = {"shop/slack": {"token": "xoxb-planted-token"}, "shop/pagerduty": {"routing_key": ROUTING}}
    secrets = Secrets(paper_secrets(**planted), made.clock)
    slack = slack_channel(secrets, NOTICES, SLACK)
    slack._base_url = slack_server.url
    made.wall = Wall()
    url = pagerduty_server.url
    made.channels |= {
        "slack": slack,
        "email": made.wall,
        "pagerduty": PagerDuty(secrets, "shop/pagerduty", endpoint=url),
    }
    made.channels["pagerduty:lead"] = PagerDuty(secrets, "shop/pagerduty", contact="lead", endpoint=url)
    return made


def row(station, stage="OPEN", **attributes):
    """The incident in the ledger."""
    text = {"title": "techmoda-read: exhaustion", "stage": stage, "open": "techmoda/incidents", **attributes}
    station.table.rows[f"I#{INCIDENT}", "INCIDENT"] = {
        "pk": {"S": f"I#{INCIDENT}"},
        "sk": {"S": "INCIDENT"},
        "opened": {"N": str(NOON.timestamp())},
        "due_at": {"N": str(NOON.timestamp())},
        **{name: {"S": value} for name, value in text.items()},
    }


def tell(station, *bodies):
    assert station.notifier("queue").tell([(0, of(one)) for one in bodies]) == []


def ticks(station, minutes):
    """The digest's tick of every two minutes."""
    for number in range(minutes // 2):
        station.clock.forward(120)
        station.notifier(f"tick{number}").remind()


def reminders(server):
    return [one for one in server.replies if "Nobody has acknowledged" in one["text"]]


def test_an_unacknowledged_page_is_repeated_and_then_goes_to_the_next_contact(
    station, slack_server, pagerduty_server, message
):
    row(station)
    tell(station, message("ESCALATED", 3))
    ticks(station, 8)
    assert reminders(slack_server) == []
    ticks(station, 4)
    (first,) = reminders(slack_server)
    assert "for 10 minutes" in first["text"]
    assert first["reply_broadcast"] is True
    assert "<!subteam^S0123456789>" in str(first["blocks"])
    assert f"sereno incident ack {INCIDENT}" in str(first["blocks"])
    ticks(station, 60)
    assert len(reminders(slack_server)) == 3, "twice, and once for the contact"
    assert "goes to lead now" in reminders(slack_server)[-1]["text"]
    assert "<@U0000000LEAD>" in str(reminders(slack_server)[-1]["blocks"])
    assert [post.status for post in station.wall.posts] == ["ESCALATED", "UNACKNOWLEDGED", "UNACKNOWLEDGED"]
    alerts = {key: len(alert["triggers"]) for key, alert in pagerduty_server.alerts.items()}
    assert alerts == {f"sereno/{INCIDENT}": 1, f"sereno/{INCIDENT}/lead": 1}, "PagerDuty escalates by itself"


def test_the_contact_is_told_who_has_it_and_that_it_is_over(
    station, slack_server, pagerduty_server, message, incident_message
):
    row(station)
    tell(station, message("ESCALATED", 3))
    ticks(station, 22)
    states = lambda: {alert["state"] for alert in pagerduty_server.alerts.values()}  # noqa: E731 - asked three times
    assert states() == {"triggered"}
    tell(station, incident_message("ACKNOWLEDGED", 1, owner="ana"))
    assert states() == {"acknowledged"}
    tell(station, incident_message("RESOLVED", 2))
    assert states() == {"resolved"}


@pytest.mark.parametrize(
    "changed",
    [
        {"stage": "ACKNOWLEDGED", "owner": "ana"},
        {"stage": "MITIGATED"},
        {"stage": "RESOLVED"},
        {"stage": "OPEN", "owner": "ana"},
    ],
)
def test_what_somebody_has_or_is_gone_is_left_alone(station, slack_server, message, changed):
    row(station)
    tell(station, message("ESCALATED", 3))
    row(station, **changed)
    ticks(station, 60)
    assert reminders(slack_server) == []


def test_what_was_no_page_is_never_repeated(station, slack_server, message):
    row(station)
    tell(station, message("SKIPPED", 3))
    ticks(station, 60)
    assert reminders(slack_server) == []


def test_a_step_that_slack_does_not_take_comes_with_the_next_tick_and_once(station, slack_server, message):
    row(station)
    tell(station, message("ESCALATED", 3))
    ticks(station, 8)
    slack_server.trouble = [503]
    ticks(station, 8)
    assert len(reminders(slack_server)) == 1


def test_a_page_long_after_the_last_step_begins_again(station, slack_server, message):
    row(station)
    tell(station, message("ESCALATED", 3))
    ticks(station, 30)
    station.clock.forward(3600)
    tell(station, message("FAILED", 3, id="r2", key="r2#3"))
    ticks(station, 12)
    assert len(reminders(slack_server)) == 4


@pytest.mark.parametrize(
    ("minutes", "steps"),
    [
        (0, []),
        (9, []),
        (10, [(("slack", "email"), 1, "")]),
        (19, [(("slack", "email"), 1, "")]),
        (20, [(("slack", "email"), 2, ""), (("slack", "pagerduty:lead"), 1, "lead")]),
        (600, [(("slack", "email"), 2, ""), (("slack", "pagerduty:lead"), 1, "lead")]),
    ],
)
def test_the_steps_are_due_at_their_minutes(minutes, steps):
    found = escalation.due(POLICY, NOON.timestamp(), NOON + timedelta(minutes=minutes))
    assert [(one.channels, one.number, one.contact.name if one.contact else "") for one in found] == steps


def test_a_contact_may_be_reached_by_mail_alone():
    policy = replace(POLICY, contacts=(LEAD, BOSS))
    found = escalation.due(policy, NOON.timestamp(), NOON + timedelta(minutes=30))
    assert [(step.channels, step.contact.name) for step in found if step.contact] == [
        (("slack", "pagerduty:lead"), "lead"),
        (("email:boss",), "boss"),
    ]
    assert escalation.own_channels(policy) == ("email:boss", "pagerduty:lead")


def test_the_next_contact_gets_the_page_by_mail_once_and_hears_of_its_end(station, message, incident_message):
    """By the notifier as it stands: the contact's own mail has the page, who took it, and nothing before its turn."""
    boss = Wall()
    boss.name = "email:boss"
    station.channels["email:boss"] = boss
    station.notices = replace(NOTICES, escalation=replace(POLICY, contacts=(BOSS,)))
    row(station)
    tell(station, message("ESCALATED", 3))
    ticks(station, 28)
    assert boss.posts == []
    ticks(station, 60)
    (post,) = boss.posts
    assert (post.severity, post.status) == ("page", "UNACKNOWLEDGED")
    assert "so it goes to boss now" in post.text
    assert [one.status for one in station.wall.posts] == ["ESCALATED", "UNACKNOWLEDGED", "UNACKNOWLEDGED"]
    tell(station, incident_message("ACKNOWLEDGED", 1, owner="ana"))
    tell(station, incident_message("RESOLVED", 2))
    assert [one.status for one in boss.posts] == ["UNACKNOWLEDGED", "ACKNOWLEDGED", "RESOLVED"]


def test_a_snoozed_incident_waits_until_the_snooze_is_over():
    incident = Incident(
        INCIDENT, "techmoda", "g", "t", NOON, stage=Stage.OPEN, muted_until=NOON + timedelta(minutes=30)
    )
    assert not escalation.waits(incident, NOON)
    assert escalation.waits(incident, NOON + timedelta(minutes=30))
    assert not escalation.waits(replace(incident, owner="ana"), NOON + timedelta(minutes=30))
