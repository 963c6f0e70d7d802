"""PagerDuty, by Events API v2: one alert for each incident, triggered, acknowledged and resolved under one key.

https://developer.pagerduty.com/docs/send-alert-event: 202 means taken; 400 means that it never will be; 429 and 5xx
are to be tried again. The same key is the same alert, so a doubled event shows nothing twice.
"""

from __future__ import annotations

import json
from typing import Any

import urllib3

from remediators.notifier.channels import Post, RateLimited, Refused, Thread, Unavailable
from remediators.notifier.routing import PAGERDUTY
from remediators.notifier.secrets import Secrets
from sereno.escape import bounded
from sereno.incident import Stage
from sereno.model import Json

# By service region. https://support.pagerduty.com/main/docs/service-regions
ENDPOINTS = {
    "us": "https://events.pagerduty.com/v2/enqueue",
    "eu": "https://events.eu.pagerduty.com/v2/enqueue",
}
# https://developer.pagerduty.com/docs/pd-cef: summary 1024 characters. For the other fields no limit is published;
# they are names and lines, and an event of more than 512 KB is refused.
# https://developer.pagerduty.com/docs/events-api-v2-overview
SUMMARY_LIMIT = 1024
FIELD_LIMIT = 255
FACTS_LIMIT = 50
DEDUP_LIMIT = 255
DETAIL_LIMIT = 1000
TIMEOUT_S = 8.0
# PagerDuty names no time after a 429; a minute is the span of its limit of 120 events.
# https://developer.pagerduty.com/docs/events-api-v2-overview
PAUSE_S = 60.0
SEVERITY = {"page": "critical", "ticket": "warning", "info": "info"}


class PagerDuty:
    """Sends events. `contact` is whose service it is, where it is an escalation's: its alerts have keys of their own.
    `pool` and `endpoint` are for tests against a server of their own."""

    def __init__(
        self,
        secrets: Secrets,
        secret: str,
        *,
        contact: str = "",
        endpoint: str = ENDPOINTS["us"],
        pool: urllib3.PoolManager | None = None,
    ) -> None:
        self.name = f"{PAGERDUTY}:{contact}" if contact else PAGERDUTY
        self._contact = contact
        self._secrets = secrets
        self._secret = secret
        self._endpoint = endpoint
        self._pool = pool or urllib3.PoolManager(retries=False)

    def deliver(self, post: Post, thread: Thread) -> Thread:
        """Raises RateLimited, Unavailable, Refused."""
        woke = bool(thread.ref) or thread.unsure  # a page may have arrived though no answer came
        ends = post.over or post.taken
        if post.digest or (ends and not woke) or not (ends or _pages(post)):
            return thread  # a digest, the end of what never woke anybody, or news that must not wake anybody
        if post.late:
            return thread  # its incident is over: a new alert would wake somebody, and nothing would end it
        routing_key = self._secrets.value(self._secret, "routing_key")
        self._send(event(post, routing_key, self._contact))
        # After its end the same key would open a new alert: only a page may do so.
        # https://developer.pagerduty.com/docs/events-api-v2-overview
        return thread.at("" if post.over else dedup_key(post, self._contact))

    def _send(self, body: Json) -> None:
        try:
            answer: Any = self._pool.request(
                "POST",
                self._endpoint,
                body=json.dumps(body).encode(),
                headers={"Content-Type": "application/json"},
                timeout=urllib3.Timeout(connect=3.0, read=TIMEOUT_S),
                retries=False,
            )
        except urllib3.exceptions.HTTPError as error:
            raise Unavailable(f"PagerDuty did not answer: {type(error).__name__}") from error
        if answer.status == 202:
            return
        if answer.status == 429:
            raise RateLimited(_seconds(answer.headers.get("Retry-After"), PAUSE_S))
        if answer.status >= 500:
            raise Unavailable(f"PagerDuty answered {answer.status}")
        raise Refused(f"PagerDuty answered {answer.status}: {_errors(answer.data)}")


def _pages(post: Post) -> bool:
    """Whether a post triggers: a page does. How an incident goes on never does: once somebody has resolved the alert
    in PagerDuty, the same key would open a new one."""
    return post.severity == "page" and post.status not in frozenset(Stage)


def event(post: Post, routing_key: str, contact: str = "") -> Json:
    """The event of a post: acknowledged and resolved by what people did, triggered by a page."""
    action = "resolve" if post.over else "acknowledge" if post.taken else "trigger"
    found: Json = {"routing_key": routing_key, "event_action": action, "dedup_key": dedup_key(post, contact)}
    if action != "trigger":
        return found
    found["client"] = "Sereno"
    found["payload"] = {
        "summary": bounded(f"[{post.service}] {post.head}. {post.text}", SUMMARY_LIMIT),
        "source": bounded(post.service, FIELD_LIMIT),
        "severity": SEVERITY[post.severity],
        "component": bounded(post.id, FIELD_LIMIT),
        "group": bounded(post.thread, FIELD_LIMIT),
        "class": bounded(post.status, FIELD_LIMIT),
        "custom_details": {
            **{
                bounded(label, FIELD_LIMIT): bounded(value, DETAIL_LIMIT) for label, value in post.facts[:FACTS_LIMIT]
            },
            **({"command": bounded(post.do, DETAIL_LIMIT)} if post.do else {}),
        },
    }
    if post.link:
        found["client_url"] = post.link
        found["links"] = [{"href": post.link, "text": bounded(post.head, 100)}]
    return found


def dedup_key(post: Post, contact: str = "") -> str:
    """The same for all news of an incident in one service; a contact's is another."""
    return (f"sereno/{post.thread}" + (f"/{contact}" if contact else ""))[:DEDUP_LIMIT]


def _seconds(text: str | None, otherwise: float) -> float:
    try:
        return max(1.0, min(float(text or otherwise), 900.0))
    except ValueError:
        return otherwise


def _errors(data: bytes) -> str:
    """What PagerDuty finds wrong; never what was sent, for that holds the key."""
    try:
        body = json.loads(data)
        said = body.get("errors") or body.get("message") or ""
        return "; ".join(map(str, said))[:300] if isinstance(said, list) else str(said)[:300]
    except (ValueError, AttributeError):
        return "no reason given"
