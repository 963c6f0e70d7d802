"""What a thread has shown so far, and what its first message shows of the incident: pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from remediators.notifier.channels import Ask, Button, Post, State
from remediators.notifier.wording import Wording
from sereno.incident import SEVERITIES, Incident
from sereno.model import Json

# Of each text that is kept: the first message of a thread is read on a phone.
TEXT_LIMIT = 1500
FACTS_LIMIT = 10
PLAIN = ("severity", "of", "title", "text", "do", "link", "over", "paged_at")
# The status of what is told again because nobody has acknowledged it.
UNACKNOWLEDGED = "UNACKNOWLEDGED"


@dataclass(frozen=True, slots=True)
class Kept:
    """What the ledger keeps of a thread in a channel: the loudest severity that was shown, the newest news of the
    remediation (`of`) that was first so loud, the newest title, and by remediation what may be answered."""

    severity: str = ""
    of: str = ""
    title: str = ""
    text: str = ""
    facts: tuple[tuple[str, str], ...] = ()
    do: str = ""
    link: str = ""
    mute: Button | None = None
    over: bool = False
    # When the page came for which somebody is waited (epoch seconds).
    paged_at: float | None = None
    asks: Mapping[str, Ask] = field(default_factory=dict)

    def is_louder(self, post: Post) -> bool:
        """Whether nothing so loud as a post has been shown."""
        return not self.severity or SEVERITIES.index(post.severity) < SEVERITIES.index(self.severity)

    def after(self, post: Post) -> Kept:
        """The same with one more post."""
        mute = next((one for one in post.buttons if one.verb == "mute"), self.mute)
        found = replace(self, asks=_asks(self.asks, post), mute=mute, link=post.link or self.link)
        if not post.late:
            own = post.id == post.thread or not self.title or self.over
            found = replace(found, over=post.over, title=post.head if own else self.title)
        if self.is_louder(post) or post.id == self.of:
            facts = post.facts[:FACTS_LIMIT]
            found = replace(found, of=post.id, text=post.text[:TEXT_LIMIT], facts=facts, do=post.do)
        if self.is_louder(post):
            found = replace(found, severity=post.severity)
        return found

    def paged(self, post: Post, now: float, lasts_s: float) -> Kept:
        """The same with when its page came: a page after the last step of an escalation (`lasts_s` seconds after the
        one before) begins another."""
        if post.severity != "page" or post.over or post.status == UNACKNOWLEDGED:
            return self
        known = self.paged_at is not None and now - self.paged_at <= lasts_s
        return self if known else replace(self, paged_at=now)

    def alone(self, title: str = "", holder: str = "", *, over: bool | None = None, owned: bool = False) -> State:
        """The first message of a thread with this, under another title, where a better one is known."""
        is_over = self.over if over is None else over
        # Questions before what is only active.
        asks = sorted(self.asks.values(), key=lambda ask: all(one.verb != "approve" for one in ask.buttons))
        return State(
            title=title or self.title,
            severity=self.severity or "info",
            text=self.text,
            holder=holder,
            facts=self.facts,
            do=self.do,
            link=self.link,
            asks=tuple(asks),
            mute=None if is_over else self.mute,
            over=is_over,
            owned=owned,
        )


def ask_of(post: Post) -> Ask | None:
    """What may be answered about the remediation that a post is of."""
    buttons = tuple(one for one in post.buttons if one.verb != "mute")
    return Ask(post.text[:TEXT_LIMIT], post.facts[:FACTS_LIMIT], buttons) if buttons else None


def _asks(known: Mapping[str, Ask], post: Post) -> dict[str, Ask]:
    rest = {one: ask for one, ask in known.items() if one != post.id}
    ask = ask_of(post)
    return rest | {post.id: ask} if ask else rest


def shown(kept: Kept, incident: Incident | None, wording: Wording) -> State:
    """The first message of a thread: the incident as the ledger has it (None: not known), with what was shown."""
    if incident is None or not incident.title:
        return kept.alone()
    holder = wording.holder(incident) if incident.is_open else ""
    return kept.alone(wording.title(incident), holder, over=not incident.is_open, owned=bool(incident.owner))


def to_json(kept: Kept) -> Json:
    """All but the asks, which have rows of their own."""
    mute = [kept.mute.verb, kept.mute.id] if kept.mute else None
    facts = [list(one) for one in kept.facts]
    plain = {name: getattr(kept, name) for name in PLAIN}
    return {**plain, "facts": facts, "mute": mute}


def from_json(data: Mapping[str, Any], asks: Mapping[str, Ask]) -> Kept:
    """The inverse of `to_json`."""
    plain = {name: data[name] for name in PLAIN if name in data}
    mute = Button(*data["mute"]) if data["mute"] else None
    return Kept(**plain, facts=tuple((label, value) for label, value in data["facts"]), mute=mute, asks=asks)


def ask_to_json(ask: Ask) -> Json:
    """An ask as the ledger keeps it."""
    buttons = [[one.verb, one.id, one.plan, one.expires] for one in ask.buttons]
    return {"text": ask.text, "facts": [list(one) for one in ask.facts], "buttons": buttons}


def ask_from_json(data: Mapping[str, Any]) -> Ask:
    """The inverse of `ask_to_json`."""
    facts = tuple((label, value) for label, value in data["facts"])
    return Ask(data["text"], facts, tuple(Button(*one) for one in data["buttons"]))
