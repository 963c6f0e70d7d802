"""A test message through each channel, sent by the notifier itself: with its role, its secrets and its way out.

Slack shows a message and a reply, and edits the message; PagerDuty gets an alert that is resolved at once; an OpsItem
is opened and resolved; a mail is sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from remediators.notifier.channels import Channel, Post, RateLimited, Refused, Thread, Unavailable
from remediators.notifier.routing import EMAIL, SLACK
from remediators.notifier.wording import Wording
from sereno.model import Json

EVENT = "notify-test"


@dataclass(frozen=True, slots=True)
class Result:
    """Whether a channel took the test message, and what it said."""

    channel: str
    ok: bool
    detail: str

    def to_json(self) -> Json:
        return {"channel": self.channel, "ok": self.ok, "detail": self.detail}


def run(channels: Mapping[str, Channel], service: str, wording: Wording, now: datetime) -> list[Result]:
    """Tests each channel; one that fails does not keep the others from it."""
    return [_one(name, channel, service, wording, now) for name, channel in channels.items()]


def _one(name: str, channel: Channel, service: str, wording: Wording, now: datetime) -> Result:
    mails = name.partition(":")[0] == EMAIL
    own = f"test-{now:%Y%m%dT%H%M%S}"
    first = Post(
        key=f"{own}#0",
        thread=own,
        id=own,
        sequence=0,
        service=service,
        # Slack mentions nobody for what is good to know; PagerDuty and OpsCenter take pages only.
        severity="info" if name == SLACK or mails else "page",
        status="TEST",
        head=wording.word("test.head"),
        text=wording.word("test.text"),
        at=now.timestamp(),
    )
    try:
        thread = channel.deliver(first, Thread(own))
        if not mails:
            over = replace(first, key=f"{own}#1", sequence=1, text=wording.word("test.over"), over=True)
            channel.deliver(over, thread)
    except (RateLimited, Unavailable, Refused) as error:
        return Result(name, False, str(error))
    return Result(name, True, wording.word("test.mail" if mails else "test.taken"))
