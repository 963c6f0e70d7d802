"""A post in Slack's Block Kit: pure.

https://docs.slack.dev/reference/block-kit/blocks: a message has at most 50 blocks, a header 150 characters, a
section's text 3,000, a button's text 75 and its value 2,000.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence

from remediators.notifier.channels import Button, Post, State
from sereno.escape import printable
from sereno.escape import slack as escape
from sereno.model import Json

BLOCKS_LIMIT = 50
HEADER_LIMIT, SECTION_LIMIT, FIELD_LIMIT, BUTTON_LIMIT, VALUE_LIMIT = 150, 3000, 2000, 75, 2000
FALLBACK_LIMIT = 3000
LABEL_LIMIT = 200
# Questions and changes that the first message of a thread shows; the on-call page shows all.
ASKS_LIMIT = 5
_HALF_ENTITY = re.compile(r"&[a-z]{0,3}$")
ACTION = "sereno:"
MARKS = {"page": ":rotating_light:", "ticket": ":warning:", "info": ":information_source:"}
STYLES = {"approve": "primary", "refuse": "danger", "revert": "danger"}


def head(state: State, post: Post, labels: dict[str, str], words: Mapping[str, str], mention: str = "") -> list[Json]:
    """The first message of a thread: the incident as it stands. What it is about and how far it is, who has it, why,
    and each open question with its buttons. `labels` are the buttons' texts by verb, `words` those of severities."""
    mark = ":white_check_mark:" if state.over else MARKS[state.severity]
    blocks: list[Json] = [{"type": "header", "text": _plain(f"{mark} {state.title}", HEADER_LIMIT)}]
    line = " · ".join(one for one in (words.get(state.severity, ""), state.holder) if one)
    asks = state.asks[:ASKS_LIMIT]
    if line:
        blocks.append({"type": "context", "elements": [_markdown(f"*{escape(line)}*", FIELD_LIMIT)]})
    if mention or state.text not in [one.text for one in asks]:
        lead = f"{mention} " if mention else ""
        blocks.append({"type": "section", "text": _markdown(lead + escape(state.text))})
        blocks += _fields(state.facts)
    for number, ask in enumerate(asks):
        blocks.append({"type": "section", "text": _markdown(escape(ask.text))})
        blocks += _fields(ask.facts)
        last = state.controls if number == len(asks) - 1 else ()
        blocks += _actions(post, (*ask.buttons, *last), labels, f"{post.key}/{number}")
    if not asks:
        blocks += _actions(post, state.controls, labels, post.key)
    return [*blocks[: BLOCKS_LIMIT - 1], *_small(state.do, state.link, post.thread)]


def reply(post: Post, labels: dict[str, str], words: Mapping[str, str], mention: str = "") -> list[Json]:
    """One news in its thread. Only the first message has buttons: it is edited, and so they never are out of date."""
    lead = f"{mention} " if mention else ""
    blocks: list[Json] = [{"type": "section", "text": _markdown(lead + escape(post.text))}, *_fields(post.facts)]
    if any(one.verb == "approve" for one in post.buttons) and "approve" in labels:
        blocks.append({"type": "context", "elements": [_markdown(escape(words["answer"]), FIELD_LIMIT)]})
    return [*blocks, *_small(post.do, post.link, post.thread)]


def alone(post: Post, labels: dict[str, str]) -> list[Json]:
    """A message that belongs to no thread, or whose thread's first message cannot be edited: with its own buttons."""
    mark = ":white_check_mark:" if post.over else MARKS[post.severity]
    blocks: list[Json] = [
        {"type": "header", "text": _plain(f"{mark} {post.head}", HEADER_LIMIT)},
        {"type": "section", "text": _markdown(escape(post.text))},
        *_fields(post.facts),
        *_actions(post, post.buttons, labels, post.key),
    ]
    return [*blocks, *_small(post.do, post.link, post.thread)]


def _fields(facts: Sequence[tuple[str, str]]) -> list[Json]:
    fields = [_markdown(f"*{escape(label)}*\n{escape(value)}", FIELD_LIMIT) for label, value in facts[:10]]
    return [{"type": "section", "fields": fields}] if fields else []


def _actions(post: Post, buttons: Sequence[Button], labels: dict[str, str], key: str) -> list[Json]:
    elements = [_button(post, one, labels) for one in buttons if one.verb in labels]
    return [{"type": "actions", "block_id": f"{ACTION}{key}"[:255], "elements": elements}] if elements else []


def _small(do: str, link: str, thread: str) -> list[Json]:
    small = [_markdown(f"`{escape(do)}`", FIELD_LIMIT)] if do else []
    if link and len(link) < FIELD_LIMIT // 2:
        # A link that is cut within would swallow what follows it.
        small.append(_markdown(f"<{escape(link)}|{cut(escape(thread), LABEL_LIMIT)}>", FIELD_LIMIT))
    return [{"type": "context", "elements": small}] if small else []


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


def fallback(head: str, text: str, *more: str) -> str:
    """What a phone's notification shows, and who cannot see blocks."""
    return cut(escape("\n".join((f"{head}. {text}", *(one for one in more if one)))), FALLBACK_LIMIT)


def mention(names: Sequence[str]) -> str:
    """Markup that notifies people: users and user groups by their ids, `here` and `channel`.
    https://docs.slack.dev/messaging/formatting-message-text#mentioning-users"""
    return " ".join(
        f"<!{one}>" if one in ("here", "channel") else f"<!subteam^{one}>" if one.startswith("S") else f"<@{one}>"
        for one in names
    )


def cut(text: str, limit: int) -> str:
    """At most `limit` characters of escaped text; an entity (`&amp;`) is left out whole, never cut in two."""
    if len(text) <= limit:
        return text
    return _HALF_ENTITY.sub("", text[: limit - 1]) + "…"


def _plain(text: str, limit: int) -> Json:
    plain = printable(text)
    shown = plain if len(plain) <= limit else plain[: limit - 1] + "…"
    return {"type": "plain_text", "text": shown, "emoji": True}


def _markdown(text: str, limit: int = SECTION_LIMIT) -> Json:
    # Verbatim: no address, channel or name in the text becomes a link or a mention by itself.
    # https://docs.slack.dev/reference/block-kit/composition-objects/text-object
    return {"type": "mrkdwn", "text": cut(text, limit), "verbatim": True}


def verbs_of(blocks: Sequence[Json]) -> list[str]:
    """The verbs of the buttons in some blocks."""
    elements = [one for block in blocks if block["type"] == "actions" for one in block["elements"]]
    return [one["action_id"].removeprefix(ACTION) for one in elements]
