"""A whole night over real HTTP: three incidents, an OpsItem that nobody closed, OpsCenter that refuses, Slack that
lets nothing be edited, endpoints that fail. Each page reaches someone."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest
from botocore.exceptions import ClientError

from remediators import flow, round
from remediators.notifier.book import Book
from remediators.notifier.handler import slack_channel
from remediators.notifier.notice import of
from remediators.notifier.notifier import Notifier
from remediators.notifier.ops_center import OpsCenter
from remediators.notifier.pagerduty import PagerDuty
from remediators.notifier.secrets import Secrets
from sereno.model import Mode, Status
from sereno.service import Notices, Play, Slack
from sereno.service import PagerDuty as Declared

SLACK = Slack("C0123456789", "shop/slack", ("U0123456789",), {"page": ("here",)})
NOTICES = Notices(slack=SLACK, pagerduty=Declared("shop/pagerduty"), ops_center=True)
LADDER = (("raise_concurrency",), ("open_incident",))
PLAYBOOK = {
    "burn-fast": Play("burn-fast", (("open_incident",),), Mode.AUTO, per_day=1),
    "exhaustion": Play("exhaustion", LADDER, Mode.AUTO),
}
TABLE = "sereno-techmoda-ledger"
ROUTING = "R0" + "ab12" * 7 + "cd"


@dataclass
class Ssm:
    """OpsCenter: OpsItems that are there, until it refuses."""

    items: dict[str, dict] = field(default_factory=dict)
    refuses: bool = False

    def create_ops_item(self, **params):
        return self._do("CreateOpsItem", f"oi-{len(self.items):012x}", {**params, "Status": "Open"})

    def update_ops_item(self, **params):
        return self._do("UpdateOpsItem", params["OpsItemId"], params)

    def describe_ops_items(self, **_):
        self._do("DescribeOpsItems", "", {})
        return {"OpsItemSummaries": []}

    def _do(self, operation, one, params):
        if self.refuses:
            raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, operation)
        if one:
            self.items[one] = self.items.get(one, {}) | params
        return {"OpsItemId": one}


@dataclass
class Wall:
    """The mails."""

    name: str = "email"
    posts: list = field(default_factory=list)

    def deliver(self, post, thread):
        self.posts.append(post)
        return thread.at("there")


@pytest.fixture
def night(house, slack_server, pagerduty_server, paper_secrets):
    """A house with its notifier, whose queue keeps what is not done."""
    house.in_memory()
    house.on(playbook=PLAYBOOK)
    service = replace(house.watch.service, notices=NOTICES, emails=("oncall@example.com",))
    house.watch = replace(house.watch, service=service)
    planted = {"shop/slack": {"token": "xoxb-planted-token"}, "shop/pagerduty": {"routing_key": ROUTING}}
    secrets = Secrets(paper_secrets(**planted), house.clock)
    slack = slack_channel(secrets, NOTICES, SLACK)
    slack._base_url = slack_server.url
    house.ssm, house.mails, house.queue, house.pages, house.turns = Ssm(), Wall(), [], [], 0
    house.channels = {
        "slack": slack,
        "pagerduty": PagerDuty(secrets, "shop/pagerduty", endpoint=pagerduty_server.url),
        "opscenter": OpsCenter(house.ssm),
        "email": house.mails,
    }
    return house


def told(night):
    """The notifier takes what was published, and tries again for ten minutes what a channel did not take."""
    client = night.little.real.client("dynamodb")
    fresh = [one for one in night._messages() if one["kind"] in ("remediation", "incident")]
    night.pages += [one for one in fresh if one["severity"] == "page" and one["kind"] == "remediation"]
    night.queue += fresh
    for _ in range(10):
        if not night.queue:
            return
        night.turns += 1
        notifier = Notifier(
            notices=NOTICES,
            emails=night.watch.service.emails,
            channels=night.channels,
            book=Book(client, TABLE, f"turn{night.turns}"),
            incidents=night.books.incidents,
            clock=night.clock,
            telemetry=night.telemetry,
            time_left=lambda: 300.0,
        )
        left = notifier.tell([(number, of(body)) for number, body in enumerate(night.queue)])
        night.queue = [night.queue[one.number] for one in left]
        night.clock.forward(60)
    assert not night.queue, "nothing waits for a quarter of an hour"


def minute(night):
    night.clock.forward(60)
    round.make(night.watch)
    told(night)


def test_each_page_of_the_night_reaches_someone(night, slack_server, pagerduty_server):
    book = night.books.incidents

    # 12:01: an incident. Ana takes it, and ends it. OpsCenter refuses by then: its OpsItem stays open.
    first = flow.start(night.watch, night.signal("burn-fast"), "open_incident")
    told(night)
    assert [item["Status"] for item in night.ssm.items.values()] == ["Open"]
    night.ssm.refuses = True
    book.acknowledge(first.incident, "ana", night.clock.now())
    minute(night)
    assert pagerduty_server.alerts[f"sereno/{first.incident}"]["state"] == "acknowledged"
    book.resolve(first.incident, "ana", night.clock.now())
    minute(night)
    assert pagerduty_server.alerts[f"sereno/{first.incident}"]["state"] == "resolved"
    assert [item["Status"] for item in night.ssm.items.values()] == ["Open"], "forgotten"

    # The same alarm again, within its cooldown and over its budget, while the first OpsItem stands open.
    slack_server.trouble = [503]
    pagerduty_server.trouble = [429, "cut"]
    second = flow.start(night.watch, night.signal("burn-fast"), "open_incident")
    assert (second.status, second.incident != first.incident) == (Status.ESCALATED, True)
    told(night)
    book.resolve(second.incident, "ana", night.clock.now())
    minute(night)

    # Sereno may not act on a stopped function: a ticket opens the thread, its page comes a minute later, when Slack
    # lets nothing be edited and takes no blocks.
    night.set_reserved(0)
    refused = flow.start(night.watch, night.signal(), "raise_concurrency")
    assert refused.status is Status.SKIPPED
    told(night)
    slack_server.refused = {"chat_update": "edit_window_closed"}
    slack_server.refused_blocks = {"chat_postMessage": "invalid_blocks"}
    for _ in range(3):
        minute(night)

    assert [one["remediator"] for one in night.pages] == ["open_incident"] * 3
    assert len({one["incident"] for one in night.pages}) == 3
    for page in night.pages:
        shown = [
            one
            for one in slack_server.posted
            if (one.get("metadata") or {}).get("event_payload", {}).get("key") == page["key"]
        ]
        assert shown, f"Slack shows {page['incident']}"
        assert any("<!here>" in str(one["blocks"]) + one["text"] for one in shown), "and wakes somebody"
        triggers = pagerduty_server.alerts[f"sereno/{page['incident']}"]["triggers"]
        assert len(triggers) == 1, "PagerDuty was triggered once"
        assert "is in ALARM" in triggers[0]
        assert [post for post in night.mails.posts if post.key == page["key"]], "and a mail was sent"
    assert night.telemetry.total("GivenUp") > 0
    assert night.telemetry.total("Untold") == 0
