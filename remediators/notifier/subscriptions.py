"""Who of the configured addresses is subscribed to the topic of people, as SNS has it.

CloudFormation does not see it: an address that nobody confirms within about two days is dropped by SNS, and whoever
uses the link in a mail is unsubscribed; the stack believes in both.
https://docs.aws.amazon.com/sns/latest/dg/sns-email-notifications.html
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

CONFIRMED, PENDING, GONE = "confirmed", "unconfirmed", "gone"
# What SNS shows in the place of an ARN.
_PENDING, _DELETED = "PendingConfirmation", "Deleted"


def states(emails: Sequence[str], subscriptions: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """By address: confirmed, unconfirmed or gone. Pure; `subscriptions` are those of ListSubscriptionsByTopic."""
    known: dict[str, str] = {}
    for one in subscriptions:
        arn, address = str(one.get("SubscriptionArn", "")), str(one.get("Endpoint", "")).casefold()
        if one.get("Protocol") != "email" or arn == _DELETED:
            continue
        # An address may have an old, unconfirmed subscription beside a confirmed one.
        if known.get(address) != CONFIRMED:
            known[address] = PENDING if arn == _PENDING else CONFIRMED
    return {email: known.get(email.casefold(), GONE) for email in emails}


def read(client: Any, topic: str) -> list[Mapping[str, Any]]:
    """Every subscription of a topic, a hundred in a page. `client` is SNS's. Raises ClientError, BotoCoreError."""
    found: list[Mapping[str, Any]] = []
    token: dict[str, str] = {}
    while True:
        answer = client.list_subscriptions_by_topic(TopicArn=topic, **token)
        found += answer.get("Subscriptions", [])
        if not answer.get("NextToken"):
            return found
        token = {"NextToken": answer["NextToken"]}
