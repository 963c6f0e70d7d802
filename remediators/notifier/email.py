"""Email, by SNS: plain text to whoever subscribed to the topic of people.

SNS knows no thread and cannot edit what it has sent, so each news is a mail of its own; mail programs put those of
one incident together, because their subjects begin alike.
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
SEVERITY_MARK: Mapping[str, str] = {"page": "[PAGE] ", "ticket": "", "info": ""}


class Email:
    """Publishes to the topic of people."""

    name = EMAIL

    def __init__(self, client: Any, topic_arn: str) -> None:
        self._client = client
        self._topic = topic_arn

    def deliver(self, post: Post, thread: Thread) -> Thread:
        """One mail; none of what CloudWatch has mailed. Raises RateLimited, Unavailable, Refused."""
        if post.mailed:
            return thread.at(thread.ref or "mailed by the alarm")
        try:
            answer = self._client.publish(
                TopicArn=self._topic,
                Subject=subject(post),
                Message=body(post),
                MessageAttributes={
                    "severity": {"DataType": "String", "StringValue": post.severity},
                    "service": {"DataType": "String", "StringValue": post.service},
                },
            )
        except ClientError as error:
            raise _told(error) from error
        except BotoCoreError as error:
            raise Unavailable(f"SNS did not answer: {error}") from error
        return thread.at(thread.ref or str(answer.get("MessageId", "sent")))


def _told(error: ClientError) -> RateLimited | Unavailable | Refused:
    code = error.response.get("Error", {}).get("Code", "")
    if code in THROTTLED:
        return RateLimited(5.0)
    if code in HOPELESS:
        return Refused(f"SNS refused it: {error}")
    return Unavailable(f"SNS: {error}")


def subject(post: Post) -> str:
    """`[service] what it is about`, in ASCII."""
    text = f"[{post.service}] {SEVERITY_MARK[post.severity]}{post.head}"
    return email_subject(text, SUBJECT_LIMIT)


def body(post: Post) -> str:
    """What happened, the facts, what to do, and where to look."""
    # A mail may come much later than what it tells.
    lines = [post.text, *([post.when] if post.when else []), ""]
    # A fact is one line: a line end in a name would begin another fact, which nobody has stated.
    lines += [f"{label}: {one_line(value)}" for label, value in post.facts]
    if post.do:
        lines += ["", f"  {one_line(post.do)}"]
    if post.link:
        lines += ["", post.link]
    return printable("\n".join(lines).rstrip()) + "\n"
