"""OpsCenter: one OpsItem for each incident that a person must see, resolved when it is over.

It is best effort: an account without OpsCenter, or one that refuses or throttles, delays nobody's page (`routing`).
https://docs.aws.amazon.com/systems-manager/latest/userguide/OpsCenter-create-OpsItems.html
"""

from __future__ import annotations

import json
import re
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from remediators.notifier.channels import Post, RateLimited, Refused, Thread, Unavailable
from remediators.notifier.routing import OPS_CENTER
from sereno.escape import bounded, one_line, printable
from sereno.model import Json

SOURCE = "Sereno notifier"
# https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_CreateOpsItem.html
TITLE_LIMIT = 1024
DESCRIPTION_LIMIT = 2048
SEVERITY = {"page": "1", "ticket": "3", "info": "4"}
HOPELESS = frozenset(
    {
        "OpsItemInvalidParameterException",
        "OpsItemAccessDeniedException",
        "OpsItemNotFoundException",
        "AccessDeniedException",
        "ValidationException",
    }
)
ALREADY_THERE = "OpsItemAlreadyExistsException"
_ID = re.compile(r"\boi-[0-9a-f]{12}\b")


class OpsCenter:
    """Creates an OpsItem, and updates it. The thread's `ref` is the OpsItem's id, and stays so after its end."""

    name = OPS_CENTER

    def __init__(self, client: Any) -> None:
        self._client = client

    def deliver(self, post: Post, thread: Thread) -> Thread:
        """Raises RateLimited, Unavailable, Refused."""
        if post.digest or (not thread.ref and post.severity == "info"):
            return thread  # nothing that a person must see
        if post.late or (thread.over and not post.over and post.severity != "page"):
            return thread  # its incident is over: nothing would end the OpsItem again
        try:
            ref = thread.ref or (self._there(post) if thread.unsure else "")
            if not ref:
                ref, made = self._create(post)
                if made:
                    return thread.at(ref)
            self._client.update_ops_item(OpsItemId=ref, **_state(post, again=thread.over))
            return thread.at(ref)
        except ClientError as error:
            raise _told(error) from error
        except BotoCoreError as error:
            raise Unavailable(f"OpsCenter did not answer: {error}") from error

    def _create(self, post: Post) -> tuple[str, bool]:
        """(the OpsItem of the incident, whether it was made just now)."""
        try:
            answer = self._client.create_ops_item(
                Title=_title(post),
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
        except ClientError as error:
            known = _already_there(error)
            if not known:
                raise
            return known, False
        return str(answer["OpsItemId"]), True

    def _there(self, post: Post) -> str:
        """The OpsItem that an earlier delivery may have made."""
        answer = self._client.describe_ops_items(
            OpsItemFilters=[
                {"Key": "Source", "Values": [SOURCE], "Operator": "Equal"},
                {"Key": "OperationalData", "Values": [_pair(post.thread)], "Operator": "Equal"},
            ]
        )
        return next((str(one["OpsItemId"]) for one in answer["OpsItemSummaries"]), "")


def _already_there(error: ClientError) -> str:
    """The id of the OpsItem that stands in the way of a second one; empty for another error.
    https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_CreateOpsItem.html#API_CreateOpsItem_Errors"""
    answer: Any = error.response
    if answer.get("Error", {}).get("Code") != ALREADY_THERE:
        return ""
    named = str(answer.get("OpsItemId") or "")
    said = _ID.search(str(answer["Error"].get("Message", "")))
    return named or (said[0] if said else "")


def _pair(thread: str) -> str:
    return json.dumps({"key": "incident", "value": thread}, separators=(",", ":"))


def _state(post: Post, *, again: bool) -> Json:
    """What an update sets. Its status moves only when the incident's does: news in between does not take it out of
    the hands of the person who has it. `again`: its end was shown, and it is open once more."""
    found: Json = {"Title": _title(post), "Description": _description(post)}
    if post.severity == "page":
        found["Severity"] = SEVERITY["page"]
    if post.over or post.taken or again:
        found["Status"] = "Resolved" if post.over else "InProgress" if post.taken else "Open"
    return found


def _title(post: Post) -> str:
    """Both fields must hold something that can be seen."""
    return bounded(post.head, TITLE_LIMIT, otherwise=post.thread)


def _description(post: Post) -> str:
    """A fact is one line, as a line end in a name would begin another fact. The console shows the text as it is."""
    lines = [printable(post.text), *(f"{one_line(label)}: {one_line(value)}" for label, value in post.facts)]
    lines += [one_line(post.do), one_line(post.link)]
    text = "\n".join(line for line in lines if line.strip())[:DESCRIPTION_LIMIT]
    return text if text.strip() else post.thread


def _told(error: ClientError) -> RateLimited | Unavailable | Refused:
    code = error.response.get("Error", {}).get("Code", "")
    if code in ("ThrottlingException", "OpsItemLimitExceededException"):
        return RateLimited(30.0)
    if code in HOPELESS:
        return Refused(f"OpsCenter refused it: {error}")
    return Unavailable(f"OpsCenter: {error}")
