"""One page an incident and channel: `customers-hurt` pages for the symptoms below it, not for later causes."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from alarms.packs import all_alarms
from alarms.packs.customers import is_symptom
from deploy.synth.alarm import tells_people
from remediators import flow
from remediators.notifier.email import Email
from remediators.notifier.notice import of
from sereno.incident import SYMPTOMS, TICKETS
from sereno.model import Mode, Reason, Status
from sereno.service import CUSTOMERS_HURT, Function, Notices, PagerDuty, Play, Queue, Service, Slack, Table

TELL = (("open_incident",),)
HURT = (CUSTOMERS_HURT, "techmoda")
# The alarms of a total outage as they ring: seconds after its begin, what, and the resource.
OUTAGE = [
    (130, "errors", "read"),
    (131, *HURT),
    (150, "5xx", "catalogue"),
    (170, "errors", "write"),
    (200, "burn-fast", "catalogue"),
    (420, "outage", "catalogue"),
    (430, "outage", "read"),
]


class Wall:
    """A channel that keeps what it is sent."""

    def __init__(self, name):
        self.name, self.posts = name, []

    def deliver(self, post, thread):
        self.posts.append(post)
        return thread.at(thread.ref or "there")

    def pages(self):
        return sum(post.severity == "page" for post in self.posts)


class Topic:
    """The topic of people, as the notifier's email channel publishes on it."""

    def __init__(self):
        self.mails = []

    def publish(self, **params):
        self.mails.append(params["Message"])
        return {"MessageId": f"m{len(self.mails)}"}


class People:
    """Everybody who may be paged: by Slack, by PagerDuty, and by mail of the notifier or of CloudWatch itself."""

    def __init__(self, house, desk):
        self.house, self.topic = house, Topic()
        self.slack, self.pager = Wall("slack"), Wall("pagerduty")
        channels = {"slack": self.slack, "pagerduty": self.pager, "email": Email(self.topic, "people")}
        notices = Notices(slack=Slack("C1", "slack"), pagerduty=PagerDuty("pager"))
        self.desk = desk(channels=channels, notices=notices, emails=("a@example.com",))
        service = house.watch.service
        self.direct = {spec.name for spec in all_alarms(service) if tells_people(service, spec)}
        self.mails = 0

    def rings(self, what, resource, *, delivered=True):
        house = self.house
        house.red(what, resource)
        self.mails += f"techmoda/{resource}/{what}" in self.direct
        if delivered:
            signal = house.signal(what, resource)
            for name in house.watch.service.playbook[what].first:
                flow.start(house.watch, replace(signal, id=f"{what}-{resource}"), name)
        self.read()

    def read(self):
        self.desk.clock.moment = self.house.clock.now()
        bodies = self.house.messages()
        self.desk.notifier("one", None).tell(list(enumerate(of(one) for one in bodies)))

    def pages(self):
        """How often each channel paged."""
        by_mail = self.mails + sum(text.startswith("[Page] ") for text in self.topic.mails)
        return {"slack": self.slack.pages(), "pagerduty": self.pager.pages(), "email": by_mail}

    def waits(self, minutes):
        for _ in range(minutes):
            self.house.rounds(1)
            self.read()


@pytest.fixture
def people(house, desk):
    whats = {what for _, what, _ in OUTAGE}
    plays = {what: Play(what, TELL, Mode.AUTO) for what in (*whats, "latency", "events-lost")}
    plays["throttles"] = Play(
        "throttles", (("raise_concurrency",), ("open_incident",)), Mode.AUTO, params={"ceiling": 120}
    )
    house.on(playbook=plays)
    return People(house, desk)


def play(people, night):
    began = people.house.clock.now()
    for at_s, what, resource in sorted(night):
        people.house.clock.moment = began + timedelta(seconds=at_s)
        people.rings(what, resource)


def test_a_total_outage_pages_once_on_every_channel(people):
    """It was up to five direct mails, and one more page for each alarm that opened an incident."""
    play(people, OUTAGE)
    people.waits(45)
    assert people.pages() == {"slack": 1, "pagerduty": 1, "email": 1}
    refused = [one for one in people.house.all() if one.status is Status.SKIPPED]
    assert {one.reason for one in refused} == {Reason.NOTHING_TO_DO}


def test_whichever_alarm_starts_its_function_first(people):
    """Functions start in any order, and the composite rings within the same second as its first symptom."""
    play(people, [(131, *HURT), *((at_s + 2, what, resource) for at_s, what, resource in OUTAGE if what != HURT[0])])
    assert people.pages() == {"slack": 1, "pagerduty": 1, "email": 1}


def test_a_later_cause_pages_again_on_every_channel(people):
    """The composite does not ring again while it is in ALARM, so CloudWatch mails nothing."""
    play(people, OUTAGE)
    people.waits(40)
    people.rings("outage", "write")
    assert people.pages() == {"slack": 2, "pagerduty": 2, "email": 2}


def test_a_symptom_pages_by_itself_when_the_event_of_customers_hurt_is_lost(people):
    """The mail of CloudWatch came; the others hear of it from the reconciler, minutes later, and once."""
    people.rings("errors", "read")
    people.rings(*HURT, delivered=False)
    assert people.pages() == {"slack": 0, "pagerduty": 0, "email": 1}
    people.waits(12)
    assert people.pages() == {"slack": 1, "pagerduty": 1, "email": 1}


def test_without_customers_hurt_in_the_playbook_every_symptom_pages(people):
    plays = {what: one for what, one in people.house.watch.service.playbook.items() if what != CUSTOMERS_HURT}
    people.house.on(playbook=plays)
    people.rings("errors", "read")
    assert people.slack.pages() == 1


@pytest.mark.parametrize("what", ["latency", "events-lost"])
def test_a_ticket_opens_an_incident_and_wakes_nobody(people, what):
    people.rings(what, "read")
    assert people.pages() == {"slack": 0, "pagerduty": 0, "email": 0}
    assert [post.severity for post in people.slack.posts] == ["ticket"]


def test_a_throttled_event_that_lambda_retries_pages_nobody_even_where_no_room_can_be_made(people):
    """A refused raise goes on to an incident, which is a ticket: what callers feel pages as 5xx or outage."""
    house = people.house
    people.rings("throttles", "read")
    people.waits(15)
    assert [one.remediator for one in house.all() if one.status is Status.ESCALATED] == ["open_incident"]
    assert people.pages() == {"slack": 0, "pagerduty": 0, "email": 0}


def test_what_pages_and_what_is_a_ticket_is_what_the_alarms_say():
    shop = Service(
        "shop",
        "123456789012",
        ("eu-west-1",),
        functions={"f": Function("f", "shop-f", reserved=10)},
        tables={"t": Table("t", "shop-t", "provisioned", 10, 10)},
        queues={"q": Queue("q", "shop-q", 900, "shop-dead")},
    )
    from sereno.service import Api

    apis = {"a": Api("a", "shop-a", "prod"), "b": Api("b", "shop-b", "prod", pause_s=600)}
    specs = [*all_alarms(shop), *all_alarms(replace(shop, apis=apis))]
    assert {spec.what for spec in specs if is_symptom(shop, spec)} == SYMPTOMS
    severities = {spec.what: spec.severity for spec in specs if spec.name.startswith("shop/")}
    assert {severities[what] for what in TICKETS} == {"ticket"}
