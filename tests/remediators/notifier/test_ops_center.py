"""OpsCenter: one OpsItem for an incident that a person must see."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from botocore.exceptions import ClientError

from remediators.notifier.channels import RateLimited, Refused, Thread, Unavailable
from remediators.notifier.notice import of
from remediators.notifier.ops_center import OpsCenter
from remediators.notifier.wording import Wording
from sereno.service import Notices

WORDING = Wording(Notices())


@dataclass
class Ssm:
    """OpsItems by their ids, with AWS's own refusal of a second one for the same symptom."""

    items: dict[str, dict[str, Any]] = field(default_factory=dict)
    trouble: Exception | None = None

    def create_ops_item(self, **params):
        if self.trouble:
            raise self.trouble
        one = f"oi-{len(self.items)}"
        self.items[one] = {**params, "Status": "Open"}
        return {"OpsItemId": one}

    def update_ops_item(self, **params):
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
        seen.append(ssm.items["oi-0"]["Status"])
    assert seen == ["Open", "InProgress", "Open", "Resolved"]
    assert len(ssm.items) == 1
    assert ssm.items["oi-0"]["Severity"] == "1"


def test_what_is_good_to_know_opens_none(message):
    ssm = Ssm()
    (post,) = posts(message("VERIFYING"))
    assert OpsCenter(ssm).deliver(post, Thread("incident-1")).ref == ""
    assert ssm.items == {}


def test_one_that_an_earlier_delivery_has_made_is_found(message):
    ssm = Ssm()
    (post,) = posts(message("ESCALATED"))
    OpsCenter(ssm).deliver(post, Thread(post.thread))  # and its process died
    assert OpsCenter(ssm).deliver(post, Thread(post.thread, unsure=True)).ref == "oi-0"
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
