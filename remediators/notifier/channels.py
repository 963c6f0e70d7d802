"""What a channel is: one way to people. What they read is a `Post`; where it belongs is a `Thread`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

from sereno.errors import SerenoError

VERBS = ("approve", "refuse", "revert", "keep", "ack", "resolve", "mute")
# What is asked of an incident, and not of a remediation.
OF_INCIDENT = ("ack", "resolve", "mute")


class RateLimited(SerenoError):
    """The channel wants to be left alone for a while: `retry_after_s` seconds."""

    def __init__(self, retry_after_s: float) -> None:
        super().__init__(f"to be tried again after {retry_after_s:g} s")
        self.retry_after_s = retry_after_s


class Unavailable(SerenoError):
    """The channel did not answer, or answered with a fault of its own: to be tried again."""


class Refused(SerenoError):
    """The channel will not take this, however often it is tried: a person must mend something."""


@dataclass(frozen=True, slots=True)
class Button:
    """What a person may press, and of which remediation; `plan` and `expires` (epoch seconds) bind an approval."""

    verb: str
    id: str
    plan: str | None = None
    expires: int | None = None


@dataclass(frozen=True, slots=True)
class Ask:
    """An open question, or an active change: what a remediation waits for or has changed, and how to answer."""

    text: str
    facts: tuple[tuple[str, str], ...] = ()
    buttons: tuple[Button, ...] = ()


@dataclass(frozen=True, slots=True)
class State:
    """An incident as it stands, which is what a thread's first message shows. `title` says what it is about and how
    far it is, `holder` who has it, `severity` the loudest that was shown; `text`, `facts` and `do` are of the
    remediation that was first so loud. `mute` is the button that silences it."""

    title: str
    severity: str
    text: str
    holder: str = ""
    facts: tuple[tuple[str, str], ...] = ()
    do: str = ""
    link: str = ""
    asks: tuple[Ask, ...] = ()
    mute: Button | None = None
    over: bool = False
    owned: bool = False

    @property
    def controls(self) -> tuple[Button, ...]:
        """The buttons of the incident itself: to take it while nobody has it, to end it once somebody has, to silence
        it."""
        if self.mute is None:
            return ()
        own = "resolve" if self.owned else "ack"
        return (Button(own, self.mute.id), self.mute)


@dataclass(frozen=True, slots=True)
class Post:
    """News as people read it, in their language. `head` is the thread's first line as it stands now (what it is
    about, and how far it is), `text` this news in a sentence, `facts` label and value, `do` a command. `over` ends
    the thread, `taken` says that a person has it. `digest` says that it is about many things and belongs to no
    thread. `at` is when it happened (epoch seconds); `late` says that the thread's end, which came after, is shown
    already; `louder` that nothing so loud has been shown in its thread. `state` is the incident as it stands with
    this news, `mention` whom it notifies instead of those that its severity does, `when` the wall clock of `at`;
    `mailed` says that CloudWatch has mailed it by itself."""

    key: str
    thread: str
    id: str
    sequence: int
    service: str
    severity: str
    status: str
    head: str
    text: str
    facts: tuple[tuple[str, str], ...] = ()
    buttons: tuple[Button, ...] = ()
    link: str = ""
    do: str = ""
    over: bool = False
    taken: bool = False
    digest: bool = False
    at: float = 0.0
    late: bool = False
    louder: bool = False
    state: State | None = None
    mention: tuple[str, ...] = ()
    mailed: bool = False
    when: str = ""


@dataclass(frozen=True, slots=True)
class Thread:
    """Where a channel keeps an incident: `ref` is its own name for it (a Slack timestamp, an OpsItem's id; empty
    before the first post). `unsure` says that an earlier delivery died between posting and recording, so that what is
    posted now may be there already; `over` that the end of its incident has been shown; `moved` that the channel
    refused to change what it shows, and shows it anew since."""

    id: str
    ref: str = ""
    unsure: bool = False
    over: bool = False
    moved: bool = False

    def at(self, ref: str) -> Thread:
        """The same thread, known to the channel by this name."""
        return replace(self, ref=ref)


class Channel(Protocol):
    """One way to people. `deliver` shows a post and answers where its thread is from now on; it raises RateLimited,
    Unavailable or Refused when people have not seen it."""

    @property
    def name(self) -> str: ...

    def deliver(self, post: Post, thread: Thread) -> Thread: ...
