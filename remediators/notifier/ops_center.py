"""OpsCenter: one OpsItem for each incident that a person must see, resolved when it is over.

https://docs.aws.amazon.com/systems-manager/latest/userguide/OpsCenter-create-OpsItems.html
"""

from __future__ import annotations

import json
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from remediators.notifier.channels import Post, RateLimited, Refused, Thread, Unavailable
from remediators.notifier.routing import OPS_CENTER
from sereno.model import Json

SOURCE = "Sereno notifier"
# https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_CreateOpsItem.html
TITLE_LIMIT = 1024
DESCRIPTION_LIMIT = 2048
SEVERITY = {"page": "1", "ticket": "3", "info": "4"}
HOPELESS = frozenset({"OpsItemInvalidParameterException", "AccessDeniedException", "ValidationException"})


class OpsCenter:
    """Creates an OpsItem, and updates it."""

    name = OPS_CENTER

    def __init__(self, client: Any) -> None:
        self._client = client

    def deliver(self, post: Post, thread: Thread) -> Thread:
        """Raises RateLimited, Unavailable, Refused."""
        if post.digest or (not thread.ref and post.severity == "info"):
            return thread  # nothing that a person must see
        if post.late:
            return thread  # its incident is over: nothing would end the new OpsItem
        try:
            ref = thread.ref or (self._there(post) if thread.unsure else "")
            if not ref:
                return thread.at(self._create(post))
            self._client.update_ops_item(OpsItemId=ref, **_state(post))
            return thread.at("" if post.over else ref)  # what comes after the end must not open it again
        except ClientError as error:
            raise _told(error) from error
        except BotoCoreError as error:
            raise Unavailable(f"OpsCenter did not answer: {error}") from error

    def _create(self, post: Post) -> str:
        answer = self._client.create_ops_item(
            Title=post.head[:TITLE_LIMIT],
            Source=SOURCE,
            Category="Availability",
            Severity=SEVERITY[post.severity],
            Description=_description(post),
            OperationalData={
                # Lets OpsCenter itself refuse a second one for the same incident.
                "/aws/dedup": {"Value": json.dumps({"dedupString": post.thread}), "Type": "SearchableString"},
                "incident": {"Value": post.thread, "Type": "SearchableString"},
            },
        )
        return str(answer["OpsItemId"])

    def _there(self, post: Post) -> str:
        """The OpsItem that an earlier delivery may have made."""
        answer = self._client.describe_ops_items(
            OpsItemFilters=[
                {"Key": "Source", "Values": [SOURCE], "Operator": "Equal"},
                {"Key": "OperationalData", "Values": [_pair(post.thread)], "Operator": "Equal"},
            ]
        )
        return next((str(one["OpsItemId"]) for one in answer["OpsItemSummaries"]), "")


def _pair(thread: str) -> str:
    return json.dumps({"key": "incident", "value": thread}, separators=(",", ":"))


def _state(post: Post) -> Json:
    status = "Resolved" if post.over else "InProgress" if post.taken else "Open"
    return {"Title": post.head[:TITLE_LIMIT], "Description": _description(post), "Status": status}


def _description(post: Post) -> str:
    lines = [post.text, *(f"{label}: {value}" for label, value in post.facts), post.do, post.link]
    return "\n".join(line for line in lines if line)[:DESCRIPTION_LIMIT]


def _told(error: ClientError) -> RateLimited | Unavailable | Refused:
    code = error.response.get("Error", {}).get("Code", "")
    if code in ("ThrottlingException", "OpsItemLimitExceededException"):
        return RateLimited(30.0)
    if code in HOPELESS:
        return Refused(f"OpsCenter refused it: {error}")
    return Unavailable(f"OpsCenter: {error}")
