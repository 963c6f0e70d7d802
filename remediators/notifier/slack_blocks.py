"""A post in Slack's Block Kit: pure.

https://docs.slack.dev/reference/block-kit/blocks: a message has at most 50 blocks, a header 150 characters, a
section's text 3,000, a button's text 75 and its value 2,000.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from remediators.notifier.channels import Button, Post
from sereno.model import Json

BLOCKS_LIMIT = 50
HEADER_LIMIT, SECTION_LIMIT, FIELD_LIMIT, BUTTON_LIMIT, VALUE_LIMIT = 150, 3000, 2000, 75, 2000
FALLBACK_LIMIT = 3000
ACTION = "sereno:"
MARKS = {"page": ":rotating_light:", "ticket": ":warning:", "info": ":information_source:"}
STYLES = {"approve": "primary", "refuse": "danger", "revert": "danger"}


def head(post: Post, labels: dict[str, str]) -> list[Json]:
    """The first message of a thread, which is edited as things go on: what it is about, how far it is, what happened
    last, and what one can do. `labels` are the buttons' texts by verb."""
    mark = ":white_check_mark:" if post.over else MARKS[post.severity]
    blocks: list[Json] = [
        {"type": "header", "text": _plain(f"{mark} {post.head}", HEADER_LIMIT)},
        {"type": "section", "text": _markdown(escape(post.text))},
    ]
    return _with_rest(blocks, post, labels)


def reply(post: Post, labels: dict[str, str]) -> list[Json]:
    """One news in its thread."""
    return _with_rest([{"type": "section", "text": _markdown(escape(post.text))}], post, labels)


def _with_rest(blocks: list[Json], post: Post, labels: dict[str, str]) -> list[Json]:
    if post.facts:
        fields = [_markdown(f"*{escape(label)}*\n{escape(value)}", FIELD_LIMIT) for label, value in post.facts[:10]]
        blocks.append({"type": "section", "fields": fields})
    elements = [_button(post, one, labels) for one in post.buttons if one.verb in labels]
    if elements:
        blocks.append({"type": "actions", "block_id": f"{ACTION}{post.key}"[:255], "elements": elements})
    small = [_markdown(f"`{escape(post.do)}`", FIELD_LIMIT)] if post.do else []
    if post.link:
        small.append(_markdown(f"<{escape(post.link)}|{escape(post.thread)}>", FIELD_LIMIT))
    if small:
        blocks.append({"type": "context", "elements": small})
    return blocks[:BLOCKS_LIMIT]


def _button(post: Post, button: Button, labels: dict[str, str]) -> Json:
    value = json.dumps(
        {
            "v": 1,
            "service": post.service,
            "verb": button.verb,
            "id": button.id,
            "plan": button.plan,
            "expires": button.expires,
        },
        separators=(",", ":"),
    )
    found: Json = {
        "type": "button",
        "action_id": f"{ACTION}{button.verb}",
        "text": _plain(labels[button.verb], BUTTON_LIMIT),
        "value": value[:VALUE_LIMIT],
    }
    if button.verb in STYLES:
        found["style"] = STYLES[button.verb]
    return found


def fallback(post: Post) -> str:
    """What a phone's notification shows, and who cannot see blocks."""
    return escape(f"{post.head}. {post.text}")[:FALLBACK_LIMIT]


def escape(text: str) -> str:
    """Text that is no markup. https://docs.slack.dev/messaging/formatting-message-text#escaping"""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _plain(text: str, limit: int) -> Json:
    shown = text if len(text) <= limit else text[: limit - 1] + "…"
    return {"type": "plain_text", "text": shown, "emoji": True}


def _markdown(text: str, limit: int = SECTION_LIMIT) -> Json:
    return {"type": "mrkdwn", "text": text if len(text) <= limit else text[: limit - 1] + "…"}


def verbs_of(blocks: Sequence[Json]) -> list[str]:
    """The verbs of the buttons in some blocks."""
    elements = [one for block in blocks if block["type"] == "actions" for one in block["elements"]]
    return [one["action_id"].removeprefix(ACTION) for one in elements]
