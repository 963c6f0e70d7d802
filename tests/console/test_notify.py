"""`sereno notify test`, over real HTTP: what is wrong with each channel, and who does not hear."""

from __future__ import annotations

import importlib.util
import io
import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest
from botocore.exceptions import ClientError

from console import notify
from remediators.notifier import handler, subscriptions, trial
from remediators.notifier.email import Email
from remediators.notifier.ops_center import OpsCenter
from remediators.notifier.pagerduty import PagerDuty
from remediators.notifier.secrets import Secrets
from remediators.notifier.wording import Wording
from sereno.errors import InvalidInput, Refused
from sereno.service import Notices, Service, Slack
from sereno.service import PagerDuty as Declared
from sereno.testing import CollectedTelemetry, ManualClock

_spec = importlib.util.spec_from_file_location(
    "notifier_servers", Path(__file__).parents[1] / "remediators" / "notifier" / "conftest.py"
)
servers = importlib.util.module_from_spec(_spec)
sys.modules["notifier_servers"] = servers
_spec.loader.exec_module(servers)

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
SLACK = Slack(servers.CHANNEL, "shop/slack", ("U0123456789",), {"page": ("here",)})
NOTICES = Notices(slack=SLACK, pagerduty=Declared("shop/pagerduty"), ops_center=True)
SHOP = Service(
    "shop",
    "123456789012",
    ("eu-west-1",),
    notices=NOTICES,
    emails=("a@example.com", "b@example.com", "c@example.com"),
)
ARN = "arn:aws:sns:eu-west-1:123456789012:sereno-shop-people"


class Sns:
    """A topic with a confirmed address, an unconfirmed one, and one that is gone; two in a page."""

    def __init__(self):
        self.subscribed, self.sent, self.topics = [], [], []

    def list_subscriptions_by_topic(self, TopicArn, NextToken="0"):  # noqa: N803 - AWS's names
        self.topics.append(TopicArn)
        every = [
            {"Protocol": "sqs", "Endpoint": "queue", "SubscriptionArn": f"{ARN}:1"},
            {"Protocol": "email", "Endpoint": "A@example.com", "SubscriptionArn": f"{ARN}:2"},
            {"Protocol": "email", "Endpoint": "b@example.com", "SubscriptionArn": "PendingConfirmation"},
            {"Protocol": "email", "Endpoint": "c@example.com", "SubscriptionArn": "Deleted"},
        ]
        start = int(NextToken)
        more = {"NextToken": str(start + 2)} if start + 2 < len(every) else {}
        return {"Subscriptions": every[start : start + 2], **more}

    def subscribe(self, **asked):
        self.subscribed.append(asked)

    def publish(self, **asked):
        self.sent.append(asked)
        return {"MessageId": "1"}


class Ssm:
    """OpsCenter, with the states that its item had."""

    def __init__(self):
        self.states = []

    def create_ops_item(self, **_):
        self.states.append("Open")
        return {"OpsItemId": "oi-000000000000"}

    def update_ops_item(self, **asked):
        self.states.append(asked["Status"])


@pytest.fixture
def account():
    """AWS with the notifier behind `invoke`, and Slack and PagerDuty on loopback."""
    slack, pager, sns, ssm = servers.SlackServer(), servers.PagerDutyServer(), Sns(), Ssm()
    planted = {"shop/slack": {"token": servers.TOKEN}, "shop/pagerduty": {"routing_key": servers.ROUTING}}
    paper = servers.PaperSecrets(**planted)
    secrets = Secrets(paper, ManualClock(NOW))
    of_slack = handler.slack_channel(secrets, NOTICES, SLACK)
    of_slack._base_url = slack.url
    channels = {
        "slack": of_slack,
        "pagerduty": PagerDuty(secrets, "shop/pagerduty", endpoint=pager.url),
        "opscenter": OpsCenter(ssm),
        "email": Email(sns, ARN),
    }

    def invoke(FunctionName, Payload):  # noqa: N803 - AWS's names
        assert FunctionName == "sereno-shop-notifier"
        wanted = json.loads(Payload)
        assert wanted["sereno"] == trial.EVENT
        named = {name: channel for name, channel in channels.items() if name in wanted["channels"]}
        found = [one.to_json() for one in trial.run(named, "shop", Wording(NOTICES), NOW)]
        return {"Payload": io.BytesIO(json.dumps({"channels": found}).encode())}

    made = SimpleNamespace(slack=slack, pager=pager, sns=sns, ssm=ssm, planted=paper.secrets, invoke=invoke)
    made.client = lambda name, region=None: sns if name == "sns" else made
    yield made
    slack.close()
    pager.close()


def results(account, channel=None):
    return {one.channel: (one.ok, one.detail) for one in notify.run(account, SHOP, channel)}


def test_each_channel_is_proved_and_wakes_nobody(account):
    found = results(account)
    assert {name: found[name][0] for name in ("slack", "pagerduty", "opscenter", "email")} == dict.fromkeys(
        ("slack", "pagerduty", "opscenter", "email"), True
    )
    (head,) = account.slack.heads
    assert "<!here>" not in str(account.slack.posted)
    assert head["blocks"][0]["text"]["text"].startswith(":white_check_mark:"), "it was edited: it can be"
    assert [alert["state"] for alert in account.pager.alerts.values()] == ["resolved"]
    assert account.ssm.states == ["Open", "Resolved"]
    assert len(account.sns.sent) == 1


def test_what_is_not_subscribed_is_named_and_subscribed_again(account):
    found = results(account, "email")
    assert found["a@example.com"] == (True, "confirmed")
    assert [found[name][0] for name in ("b@example.com", "c@example.com")] == [False, False]
    assert found["b@example.com"][1].startswith("unconfirmed")
    assert found["c@example.com"][1].startswith("gone: subscribed again")
    assert [(one["TopicArn"], one["Endpoint"]) for one in account.sns.subscribed] == [
        (ARN, "b@example.com"),
        (ARN, "c@example.com"),
    ]


@pytest.mark.parametrize(
    ("error", "said"),
    [
        ("not_in_channel", "invite the app into the channel"),
        ("token_revoked", "the token was revoked"),
        ("channel_not_found", "is there such a channel"),
    ],
)
def test_what_is_wrong_with_slack_is_said_with_its_fix(account, error, said):
    account.slack.refused = {"chat_postMessage": error}
    found = results(account, "slack")
    assert list(found) == ["slack"]
    assert (found["slack"][0], said in found["slack"][1]) == (False, True)


def test_a_wrong_routing_key_fails_and_the_others_are_tested_all_the_same(account):
    account.planted["shop/pagerduty"] = {"routing_key": "wrong"}
    found = results(account)
    assert found["pagerduty"] == (False, "PagerDuty answered 400: routing_key is invalid")
    assert (found["slack"][0], found["email"][0]) == (True, True)


def test_a_channel_that_is_not_declared_is_an_error_that_names_those_that_are(account):
    with pytest.raises(InvalidInput, match="is not declared \\(declared are slack, pagerduty, opscenter, email\\)"):
        results(account, "telegram")


def test_without_a_deployed_notifier_it_says_so(account):
    def away(**_):
        raise ClientError({"Error": {"Code": "ResourceNotFoundException", "Message": "no"}}, "Invoke")

    account.invoke = away
    with pytest.raises(Refused, match="deploy first"):
        results(account)


def test_the_notifier_looks_once_an_hour_and_counts_who_does_not_hear(account):
    telemetry, clock = CollectedTelemetry(), ManualClock(NOW)
    watch = SimpleNamespace(service=SHOP, clock=clock, aws=account, telemetry=telemetry)
    for _ in range(60):
        handler._check_addresses(watch, {"SERENO_PEOPLE": ARN})
        clock.forward(120)
    assert telemetry.total("Unsubscribed") == 2 * 2, "two addresses, in each of two hours"
    assert {facts["email"] for _, _, facts in telemetry.logs} == {"b@example.com", "c@example.com"}


def test_a_confirmed_subscription_counts_though_an_old_unconfirmed_one_stands_beside_it():
    both = [
        {"Protocol": "email", "Endpoint": "a@example.com", "SubscriptionArn": one}
        for one in (f"{ARN}:1", "PendingConfirmation")
    ]
    for order in (both, both[::-1]):
        assert subscriptions.states(["a@example.com"], order) == {"a@example.com": "confirmed"}
