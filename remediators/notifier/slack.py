"""Slack, by its Web API: one thread for one incident; its first message shows the incident as it stands.

What Slack refuses is shown another way at once: a message that it does not let us edit is followed by a new thread,
and blocks that it does not take by plain text.

Scopes: chat:write to post and edit, channels:history (groups:history in a private channel) to find what an earlier
delivery, which died before it could record it, has posted already. Each message carries the key of its news in its
metadata: https://docs.slack.dev/messaging/message-metadata
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from http.client import HTTPException
from typing import Any

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError, SlackClientError

from remediators.notifier import slack_blocks
from remediators.notifier.channels import Post, RateLimited, Refused, State, Thread, Unavailable
from remediators.notifier.routing import SLACK
from remediators.notifier.secrets import Secrets
from remediators.notifier.state import Kept
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
# The first message cannot be edited: another app posted it, the workspace forbids it or its time is over, it is gone.
# https://docs.slack.dev/reference/methods/chat.update#errors
NOT_EDITABLE = frozenset(
    {
        "message_not_found",
        "cant_update_message",
        "edit_window_closed",
        "update_failed",
        "thread_not_found",
        "block_mismatch",
        "no_dual_broadcast_content_update",
        "streaming_state_conflict",
    }
)
# What a message says is not taken in this form.
NOT_THIS_FORM = frozenset(
    {
        "msg_too_long",
        "invalid_blocks",
        "invalid_blocks_format",
        "msg_blocks_too_long",
        "invalid_metadata_format",
        "invalid_metadata_schema",
        "metadata_too_large",
        "metadata_must_be_sent_from_app",
        "slack_connect_canvas_sharing_blocked",
    }
)
PLAIN_LIMIT = 1000
INSTALL = "install the app again and put its new bot token into the secret"
MENDS: Mapping[str, str] = {
    "channel_not_found": "is there such a channel, and does the token belong to its workspace?",
    "not_in_channel": "invite the app into the channel (/invite)",
    "is_archived": "the channel is archived",
    "invalid_auth": "the token is not accepted: put a new one into the secret",
    "not_authed": "the secret holds no token: put the bot token into it",
    "token_revoked": f"the token was revoked: {INSTALL}",
    "token_expired": "the token has expired: put a new one into the secret",
    "account_inactive": f"the app was removed from the workspace, or its user deactivated: {INSTALL}",
    "restricted_action": "a workspace setting keeps the app from posting in this channel",
    "missing_scope": "the app lacks a scope: chat:write, channels:history",
}
_TOKEN = re.compile(r"xox[a-z]-[\w-]+")


class NotTaken(Refused):
    """Slack's own refusal, by its code."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


class SlackChannel:
    """Posts to one channel. `labels` are the buttons' texts by verb, `words` those of severities (and `answer`,
    `moved`), `mentions` whom a severity notifies; `base_url` is another for tests."""

    name = SLACK

    def __init__(
        self,
        secrets: Secrets,
        secret: str,
        channel: str,
        labels: Mapping[str, str],
        *,
        words: Mapping[str, str] | None = None,
        mentions: Mapping[str, Sequence[str]] | None = None,
        base_url: str = BASE_URL,
    ) -> None:
        self._secrets = secrets
        self._secret = secret
        self._channel = channel
        self._labels = dict(labels)
        self._words = {"answer": "Answer in the first message of the thread.", "moved": "", **(words or {})}
        self._mentions = dict(mentions or {})
        self._base_url = base_url
        self._client: tuple[str, WebClient] | None = None

    def deliver(self, post: Post, thread: Thread) -> Thread:
        """Raises RateLimited, Unavailable, Refused."""
        if post.digest:
            self._post(post, slack_blocks.alone(post, self._labels), NEWS_EVENT, None)
            return thread
        ref = thread.ref
        if not ref and thread.unsure:
            ref = self._find(self._history, THREAD_EVENT, "thread", post.thread)
        if not ref:
            return thread.at(self._open(post))
        editable = post.late or self._edited(post, ref)
        if not editable and not thread.moved:
            return self._move(post, thread, ref)
        if not (thread.unsure and self._replied(post, ref)):
            try:
                self._reply(post, ref, alone=not editable)
            except NotTaken as error:
                if error.code not in NOT_EDITABLE:
                    raise
                return thread.at(self._open(post))  # somebody deleted it meanwhile
        return replace(thread, ref=ref, moved=thread.moved and not editable)

    def _edited(self, post: Post, ref: str) -> bool:
        """Whether the first message shows the incident as it stands: with its blocks, or as plain text where Slack
        does not take those; False when it cannot be edited."""
        try:
            try:
                self._call(lambda client: self._edit(client, post, ref, self._head(post)))
            except NotTaken as error:
                if error.code not in NOT_THIS_FORM:
                    raise
                self._call(lambda client: self._edit(client, post, ref, []))
        except NotTaken as error:
            if error.code not in NOT_EDITABLE | NOT_THIS_FORM:
                raise
            return False
        return True

    def _move(self, post: Post, thread: Thread, ref: str) -> Thread:
        """A new thread, for the first message of the old one cannot be edited; the old one says so. News stand in the
        new one from here on, so what the old one does not take is no reason to try again."""
        moved = replace(thread, ref=self._open(post), moved=True)
        with suppress(RateLimited, Unavailable, Refused):
            self._reply(replace(post, text=f"{post.text} {self._words['moved']}".strip(), louder=False), ref)
        return moved

    def _open(self, post: Post) -> str:
        return self._post(post, self._head(post, self._mention(post)), THREAD_EVENT, None)

    def _head(self, post: Post, mention: str = "") -> list[Json]:
        return slack_blocks.head(_state(post), post, self._labels, self._words, mention)

    def _reply(self, post: Post, ref: str, *, alone: bool = False) -> None:
        """A page that stands in a thread is shown in the channel too: who does not follow the thread must see it."""
        mention = self._mention(post) if post.louder or post.mention else ""
        blocks = slack_blocks.reply(post, self._labels, self._words, mention)
        if alone:
            blocks = slack_blocks.alone(post, self._labels)
        self._post(
            post, blocks, NEWS_EVENT, ref, broadcast=post.severity == "page" and not post.over, mention=mention
        )

    def _mention(self, post: Post) -> str:
        names = post.mention or self._mentions.get(post.severity, ())
        return "" if post.over else slack_blocks.mention(names)

    def _post(
        self,
        post: Post,
        blocks: list[Json],
        event: str,
        thread: str | None,
        *,
        broadcast: bool = False,
        mention: str = "",
    ) -> str:
        payload = {"thread": post.thread, "key": post.key}
        if event == THREAD_EVENT:
            payload["opened"] = post.key
            mention = self._mention(post)
        metadata = {"event_type": event, "event_payload": payload}
        text = slack_blocks.fallback(post.head, post.text)

        def send(client: WebClient, text: str, **form: Any) -> Any:
            return client.chat_postMessage(
                channel=self._channel,
                text=text,
                thread_ts=thread,
                reply_broadcast=True if thread and broadcast else None,
                metadata=metadata,
                unfurl_links=False,
                **form,
            )

        try:
            answer = self._call(lambda client: send(client, text, blocks=blocks))
        except NotTaken as error:
            if error.code not in NOT_THIS_FORM:
                raise
            plain = f"{mention} {_plain(post.head, post)}".strip()
            answer = self._call(lambda client: send(client, plain))
        return str(answer["ts"])

    def _edit(self, client: WebClient, post: Post, ref: str, blocks: list[Json]) -> Any:
        state = _state(post)
        text = slack_blocks.fallback(state.title, state.text)
        return client.chat_update(
            channel=self._channel,
            ts=ref,
            text=text if blocks else _plain(state.title, replace(post, text=state.text)),
            blocks=blocks,
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
        return NotTaken(code, _TOKEN.sub("xox…", f"Slack refused it: {code}{mend}{more}"))

    def _web_client(self) -> WebClient:
        token = self._secrets.value(self._secret, "token")
        if self._client is None or self._client[0] != token:
            made = WebClient(token=token, base_url=self._base_url, timeout=TIMEOUT_S, retry_handlers=[])
            self._client = (token, made)
        return self._client[1]


def _state(post: Post) -> State:
    """The incident as it stands with a post; the post alone, where nothing else is known."""
    return post.state or Kept().after(post).alone()


def _plain(head: str, post: Post) -> str:
    """A message without blocks, short enough for every limit: what happened, what to do, and where to look."""
    return slack_blocks.cut(slack_blocks.fallback(head, post.text[:PLAIN_LIMIT], post.do, post.link), 2 * PLAIN_LIMIT)


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
