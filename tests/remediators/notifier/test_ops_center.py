"""OpsCenter: one OpsItem for an incident that a person must see."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError
from botocore.loaders import Loader
from botocore.model import ServiceModel

from remediators.notifier.channels import RateLimited, Refused, Thread, Unavailable
from remediators.notifier.notice import of
from remediators.notifier.ops_center import OpsCenter
from remediators.notifier.wording import Wording
from sereno.escape import is_plain
from sereno.service import Notices
from tests.remediators.notifier.hostile import HOSTILE

WORDING = Wording(Notices())
NOON = datetime(2026, 9, 29, 12, 0, tzinfo=UTC)
FIRST = f"oi-{0:012x}"


@dataclass
class Ssm:
    """OpsItems by their ids, with AWS's own refusal of a second one for the same symptom."""

    items: dict[str, dict[str, Any]] = field(default_factory=dict)
    trouble: Exception | None = None

    def create_ops_item(self, **params):
        if self.trouble:
            raise self.trouble
        dedup = params["OperationalData"]["/aws/dedup"]["Value"]
        for known, item in self.items.items():
            if item["OperationalData"]["/aws/dedup"]["Value"] == dedup and item["Status"] != "Resolved":
                raise already_there(known)
        one = f"oi-{len(self.items):012x}"
        self.items[one] = {**params, "Status": "Open"}
        return {"OpsItemId": one}

    def update_ops_item(self, **params):
        if self.trouble:
            raise self.trouble
        self.items[params["OpsItemId"]] |= params
        return {}

    def describe_ops_items(self, **params):
        wanted = {one["Key"]: one["Values"][0] for one in params["OpsItemFilters"]}
        found = [
            {"OpsItemId": one}
            for one, item in self.items.items()
            if item["Source"] == wanted["Source"]
            and f'"value":"{item["OperationalData"]["incident"]["Value"]}"' in wanted["OperationalData"]
        ]
        return {"OpsItemSummaries": found}


def already_there(known):
    """As botocore parses it: the members of the modelled error stand beside `Error`."""
    said = {"Code": "OpsItemAlreadyExistsException", "Message": f"There already exists an OpsItem {known}"}
    return ClientError({"Error": said, "OpsItemId": known}, "CreateOpsItem")


def failed(code):
    return ClientError({"Error": {"Code": code, "Message": "no"}}, "CreateOpsItem")


def posts(*bodies):
    return [WORDING.post(of(body)) for body in bodies]


def test_an_item_is_opened_taken_and_resolved(message, incident_message):
    ssm, thread = Ssm(), Thread("incident-1")
    channel, seen = OpsCenter(ssm), []
    for post in posts(
        message("ESCALATED", 3),
        incident_message("ACKNOWLEDGED", 1, by="ana"),
        incident_message("MITIGATED", 2),
        incident_message("RESOLVED", 3),
    ):
        thread = channel.deliver(post, thread)
        seen.append(ssm.items[FIRST]["Status"])
    assert seen == ["Open", "InProgress", "InProgress", "Resolved"]
    assert len(ssm.items) == 1
    assert ssm.items[FIRST]["Severity"] == "1"
    assert thread.ref == FIRST, "its id stays in the ledger"


def test_a_ticket_that_becomes_a_page_gets_the_severity_of_a_page(message):
    ssm, thread = Ssm(), Thread("incident-1")
    for post in posts(message("SKIPPED", 3), message("ESCALATED", 4)):
        thread = OpsCenter(ssm).deliver(post, thread)
    assert (len(ssm.items), ssm.items[FIRST]["Severity"]) == (1, "1")


def test_news_does_not_take_it_out_of_the_hands_of_who_has_it(message, incident_message):
    ssm, thread = Ssm(), Thread("incident-1")
    for post in posts(message("ESCALATED", 3), incident_message("ACKNOWLEDGED", 1), message("FAILED", 4)):
        thread = OpsCenter(ssm).deliver(post, thread)
    assert ssm.items[FIRST]["Status"] == "InProgress"


@pytest.mark.parametrize("named", [True, False], ids=["as a member", "in the text"])
def test_one_that_is_there_already_gives_its_id_and_is_no_error(message, named):
    ssm = Ssm(items={FIRST: {"Status": "Open"}})
    error = already_there(FIRST)
    if not named:
        error.response.pop("OpsItemId")

    def refuses(**_):
        raise error

    ssm.create_ops_item = refuses
    (post,) = posts(message("ESCALATED"))
    assert OpsCenter(ssm).deliver(post, Thread(post.thread)).ref == FIRST
    assert ssm.items[FIRST]["Title"] == post.head


def test_after_its_end_only_a_page_opens_it_again(message, incident_message):
    ssm, thread = Ssm(), Thread("incident-1")
    for post in posts(message("ESCALATED", 3), incident_message("RESOLVED", 1)):
        thread = OpsCenter(ssm).deliver(post, thread)
    after = replace(thread, over=True)
    (calm, loud) = posts(message("KEPT", 4), message("FAILED", 5))
    OpsCenter(ssm).deliver(calm, after)
    assert ssm.items[FIRST]["Status"] == "Resolved"
    OpsCenter(ssm).deliver(loud, after)
    assert (len(ssm.items), ssm.items[FIRST]["Status"]) == (1, "Open")


# -- best effort


@dataclass
class Wall:
    """Another channel, that shows everything."""

    name: str = "email"
    posts: list = field(default_factory=list)

    def deliver(self, post, thread):
        self.posts.append(post)
        return thread.at("there")


@pytest.mark.parametrize("code", ["AccessDeniedException", "ThrottlingException", "UnknownOperationException"])
def test_whatever_opscenter_answers_the_page_reaches_people_and_the_message_is_done(desk, message, code):
    """It refuses, throttles, or is absent in the account: what it does not take is given up before it looks as if
    people were not told."""
    wall = Wall()
    channels = {"email": wall, "opscenter": OpsCenter(Ssm(trouble=failed(code)))}
    station = desk(channels=channels, notices=Notices(ops_center=True), emails=("a@example.com",))
    left = [(0, of(message("ESCALATED")))]
    for turn in range(12):
        again = station.notifier(f"turn{turn}").tell(left)
        assert [post.status for post in wall.posts] == ["ESCALATED"]
        if not again:
            break
        assert code != "AccessDeniedException", "what is refused is not tried again"
        station.clock.forward(again[0].after_s)
    assert again == []
    assert (station.clock.now() - NOON).total_seconds() < 300, "from there on it would count as untold"
    assert station.telemetry.total("GivenUp") == 1


def test_a_short_trouble_of_opscenter_is_tried_again(desk, message):
    ssm = Ssm(trouble=failed("ThrottlingException"))
    station = desk(channels={"opscenter": OpsCenter(ssm)}, notices=Notices(ops_center=True))
    assert [one.after_s for one in station.notifier("a").tell([(0, of(message("ESCALATED")))])] == [30.0]
    ssm.trouble = None
    station.clock.forward(30)
    assert station.notifier("b").tell([(0, of(message("ESCALATED")))]) == []
    (row,) = [row for (pk, sk), row in station.table.rows.items() if pk.endswith("#opscenter") and sk == "THREAD"]
    assert row["ref"]["S"] == FIRST


def test_what_is_good_to_know_opens_none(message):
    ssm = Ssm()
    (post,) = posts(message("VERIFYING"))
    assert OpsCenter(ssm).deliver(post, Thread("incident-1")).ref == ""
    assert ssm.items == {}


def test_one_that_an_earlier_delivery_has_made_is_found(message):
    ssm = Ssm()
    (post,) = posts(message("ESCALATED"))
    OpsCenter(ssm).deliver(post, Thread(post.thread))  # and its process died
    assert OpsCenter(ssm).deliver(post, Thread(post.thread, unsure=True)).ref == FIRST
    assert len(ssm.items) == 1


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("ThrottlingException", RateLimited),
        ("InternalServerError", Unavailable),
        ("AccessDeniedException", Refused),
        ("OpsItemInvalidParameterException", Refused),
    ],
)
def test_what_passes_is_told_from_what_a_person_must_mend(message, code, kind):
    (post,) = posts(message("ESCALATED"))
    with pytest.raises(kind):
        OpsCenter(Ssm(trouble=failed(code))).deliver(post, Thread(post.thread))


@pytest.mark.parametrize("hostile", HOSTILE)
def test_text_from_outside_is_bounded_and_harmless_in_an_item(message, hostile):
    """As the service's model has it: a title of 1 to 1,024 characters, a description of 1 to 2,048, neither blank."""
    post = WORDING.post(of(message("ESCALATED", severity="page", what=hostile, alarm=hostile, detail=hostile)))
    post = replace(post, head=hostile, text=hostile, facts=((hostile, hostile),), do=hostile)
    ssm, model = Ssm(), ServiceModel(Loader().load_service_model("ssm", "service-2"))
    thread = OpsCenter(ssm).deliver(post, Thread(post.thread))
    OpsCenter(ssm).deliver(replace(post, sequence=2), thread)
    (item,) = ssm.items.values()
    created = model.operation_model("CreateOpsItem").input_shape.members
    for member in ("Title", "Description"):
        limits = created[member].metadata
        assert limits["min"] <= len(item[member]) <= limits["max"]
        assert item[member].strip()
        assert is_plain(item[member])
    assert "\n" not in item["Title"]
