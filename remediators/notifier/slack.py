"""Slack, by its Web API: one thread for one incident; its first message is edited as things go on.

Scopes: chat:write to post and edit, channels:history (groups:history in a private channel) to find what an earlier
delivery, which died before it could record it, has posted already. Each message carries the key of its news in its
metadata: https://docs.slack.dev/messaging/message-metadata
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial
from http.client import HTTPException
from typing import Any

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError, SlackClientError

from remediators.notifier import slack_blocks
from remediators.notifier.channels import Post, RateLimited, Refused, Thread, Unavailable
from remediators.notifier.routing import SLACK
from remediators.notifier.secrets import Secrets
from sereno.model import Json

BASE_URL = "https://slack.com/api/"
TIMEOUT_S = 8
THREAD_EVENT, NEWS_EVENT = "sereno_thread", "sereno_news"
# How far back an earlier delivery is looked for: pages, and messages of each. A thread begins with its oldest.
# https://docs.slack.dev/reference/methods/conversations.replies
PAGES, LOOKED_THROUGH = 10, 200
# Slack's own trouble: to be tried again. https://docs.slack.dev/reference/methods/chat.postMessage#errors
PASSING = frozenset({"fatal_error", "internal_error", "service_unavailable", "request_timeout", "team_added_to_org"})
PAUSE_S = 30.0
# The token may have been changed in Secrets Manager meanwhile.
STALE_TOKEN = frozenset({"invalid_auth", "token_revoked", "token_expired", "not_authed", "account_inactive"})
MENDS: Mapping[str, str] = {
    "channel_not_found": "is there such a channel, and does the token belong to its workspace?",
    "not_in_channel": "invite the app into the channel (/invite)",
    "is_archived": "the channel is archived",
    "invalid_auth": "the token is not accepted: put a new one into the secret",
    "missing_scope": "the app lacks a scope: chat:write, channels:history",
}
_TOKEN = re.compile(r"xox[a-z]-[\w-]+")


class SlackChannel:
    """Posts to one channel. `labels` are the buttons' texts by verb; `base_url` is another for tests."""

    name = SLACK

    def __init__(
        self, secrets: Secrets, secret: str, channel: str, labels: Mapping[str, str], *, base_url: str = BASE_URL
    ) -> None:
        self._secrets = secrets
        self._secret = secret
        self._channel = channel
        self._labels = dict(labels)
        self._base_url = base_url
        self._client: tuple[str, WebClient] | None = None

    def deliver(self, post: Post, thread: Thread) -> Thread:
        """Raises RateLimited, Unavailable, Refused."""
        if post.digest:
            self._post(post, slack_blocks.head(post, self._labels), NEWS_EVENT, None)
            return thread
        ref = thread.ref
        if not ref and thread.unsure:
            ref = self._find(self._history, THREAD_EVENT, "thread", post.thread)
        if not ref:
            return thread.at(self._open(post))
        try:
            if not post.late:
                self._call(lambda client: self._edit(client, post, ref))
        except Refused as error:
            if "message_not_found" not in str(error):
                raise
            return thread.at(self._open(post))  # somebody deleted it
        if not (thread.unsure and self._replied(post, ref)):
            self._post(post, slack_blocks.reply(post, self._labels), NEWS_EVENT, ref)
        return thread.at(ref)

    def _open(self, post: Post) -> str:
        return self._post(post, slack_blocks.head(post, self._labels), THREAD_EVENT, None)

    def _post(self, post: Post, blocks: list[Json], event: str, thread: str | None) -> str:
        payload = {"thread": post.thread, "key": post.key}
        if event == THREAD_EVENT:
            payload["opened"] = post.key
        answer = self._call(
            lambda client: client.chat_postMessage(
                channel=self._channel,
                text=slack_blocks.fallback(post),
                blocks=blocks,
                thread_ts=thread,
                metadata={"event_type": event, "event_payload": payload},
                unfurl_links=False,
            )
        )
        return str(answer["ts"])

    def _edit(self, client: WebClient, post: Post, ref: str) -> Any:
        return client.chat_update(
            channel=self._channel,
            ts=ref,
            text=slack_blocks.fallback(post),
            blocks=slack_blocks.head(post, self._labels),
            # Without metadata here the message keeps what it was posted with.
            # https://docs.slack.dev/reference/methods/chat.update
        )

    def _replied(self, post: Post, ref: str) -> bool:
        """Whether the thread shows this news: as a reply, or in the message that opened it."""
        for field, event in (("key", NEWS_EVENT), ("opened", THREAD_EVENT)):
            if self._find(lambda client, cursor: self._replies(client, cursor, ref), event, field, post.key):
                return True
        return False

    def _history(self, client: WebClient, cursor: str) -> Any:
        return client.conversations_history(
            channel=self._channel, cursor=cursor or None, limit=LOOKED_THROUGH, include_all_metadata=True
        )

    def _replies(self, client: WebClient, cursor: str, ref: str) -> Any:
        return client.conversations_replies(
            channel=self._channel, ts=ref, cursor=cursor or None, limit=LOOKED_THROUGH, include_all_metadata=True
        )

    def _find(self, look: Callable[..., Any], event: str, field: str, value: str) -> str:
        """The timestamp of the message whose metadata says so; empty when there is none, or when Slack does not let
        the app look: what is shown twice is better than what is not shown."""
        cursor = ""
        for _ in range(PAGES):
            try:
                answer = self._call(partial(look, cursor=cursor))
            except Refused:
                return ""
            for message in answer.get("messages", []):
                metadata = message.get("metadata") or {}
                if metadata.get("event_type") == event and metadata.get("event_payload", {}).get(field) == value:
                    return str(message["ts"])
            cursor = str((answer.get("response_metadata") or {}).get("next_cursor") or "")
            if not cursor:
                break
        return ""

    def _call(self, act: Callable[[WebClient], Any]) -> Any:
        client = self._web_client()
        try:
            return act(client)
        except SlackApiError as error:
            raise self._told(error) from None
        except (SlackClientError, HTTPException, OSError) as error:
            raise Unavailable(f"Slack did not answer: {type(error).__name__}") from None

    def _told(self, error: SlackApiError) -> RateLimited | Unavailable | Refused:
        answer = error.response
        status, headers = getattr(answer, "status_code", 0), getattr(answer, "headers", {})
        if status == 429:
            return RateLimited(_seconds(headers))
        data = getattr(answer, "data", None)
        code = str(data.get("error", "")) if isinstance(data, dict) else ""
        if code == "ratelimited":
            return RateLimited(_seconds(headers))
        if status >= 500 or code in PASSING or not code:
            return Unavailable(f"Slack answered {status} {code}".rstrip())
        if code in STALE_TOKEN:
            self._secrets.forget(self._secret)
        mend = f" ({MENDS[code]})" if code in MENDS else ""
        details = data.get("response_metadata", {}).get("messages", []) if isinstance(data, dict) else []
        more = f": {'; '.join(map(str, details))[:300]}" if details else ""
        return Refused(_TOKEN.sub("xox…", f"Slack refused it: {code}{mend}{more}"))

    def _web_client(self) -> WebClient:
        token = self._secrets.value(self._secret, "token")
        if self._client is None or self._client[0] != token:
            made = WebClient(token=token, base_url=self._base_url, timeout=TIMEOUT_S, retry_handlers=[])
            self._client = (token, made)
        return self._client[1]


def _seconds(headers: Any) -> float:
    for name in ("Retry-After", "retry-after"):
        value = headers.get(name) if headers else None
        value = value[0] if isinstance(value, list) and value else value
        if value:
            try:
                return max(1.0, min(float(value), 900.0))
            except ValueError:
                break
    return PAUSE_S
