"""Email, by SNS: plain text to whoever subscribed to the topic of people.

SNS knows no thread and cannot edit what it has sent, so each news is a mail of its own. Mail programs put those of
one incident together by their subject alone: it stays as the first mail had it, and the body says how loud the news
is and how far the incident is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from remediators.notifier.channels import Post, RateLimited, Refused, Thread, Unavailable
from remediators.notifier.routing import EMAIL
from sereno.escape import email_subject, one_line, printable

# SNS: ASCII, fewer than 100 characters. https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
SUBJECT_LIMIT = 99
THROTTLED = frozenset({"Throttled", "ThrottledException", "Throttling", "KMSThrottling"})
HOPELESS = frozenset({"InvalidParameter", "InvalidParameterValue", "NotFound", "AuthorizationError", "AccessDenied"})
# The mark in front of what wakes people; the subject must not change with it.
WORDS: Mapping[str, str] = {"page": "Page"}


class Email:
    """Publishes to the topic of people. `contact` is whose turn it is in an escalation: their subscription takes
    what names them. The thread's `ref` is the subject of its first mail. `words` are the marks by severity."""

    def __init__(self, client: Any, topic_arn: str, *, contact: str = "", words: Mapping[str, str] = WORDS) -> None:
        self.name = f"{EMAIL}:{contact}" if contact else EMAIL
        self._client = client
        self._topic = topic_arn
        self._contact = contact
        self._words = words

    def deliver(self, post: Post, thread: Thread) -> Thread:
        """One mail; none of what CloudWatch has mailed. Raises RateLimited, Unavailable, Refused."""
        about = thread.ref if thread.ref.startswith("[") else subject(post)
        if post.mailed:
            return thread.at(about)
        attributes = {"severity": post.severity, "service": post.service}
        if self._contact:
            attributes["contact"] = self._contact
        try:
            self._client.publish(
                TopicArn=self._topic,
                Subject=about,
                Message=body(post, self._words.get(post.severity, "")),
                MessageAttributes={
                    name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()
                },
            )
        except ClientError as error:
            raise _told(error) from error
        except BotoCoreError as error:
            raise Unavailable(f"SNS did not answer: {error}") from error
        return thread.at(about)


def _told(error: ClientError) -> RateLimited | Unavailable | Refused:
    code = error.response.get("Error", {}).get("Code", "")
    if code in THROTTLED:
        return RateLimited(5.0)
    if code in HOPELESS:
        return Refused(f"SNS refused it: {error}")
    return Unavailable(f"SNS: {error}")


def subject(post: Post) -> str:
    """`[service] what it is about`, in ASCII."""
    return email_subject(f"[{post.service}] {post.head}", SUBJECT_LIMIT)


def body(post: Post, mark: str = "") -> str:
    """How loud it is, what happened, how far the incident is, the facts, what to do, and where to look."""
    # A mail may come much later than what it tells.
    lines = [f"[{mark}] {post.text}" if mark else post.text, one_line(post.head)]
    lines += [*([post.when] if post.when else []), ""]
    # A fact is one line: a line end in a name would begin another fact, which nobody has stated.
    lines += [f"{label}: {one_line(value)}" for label, value in post.facts]
    if post.do:
        lines += ["", f"  {one_line(post.do)}"]
    if post.link:
        lines += ["", post.link]
    return printable("\n".join(lines).rstrip()) + "\n"
