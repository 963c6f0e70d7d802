"""From messages to people: each news to the channels that should hear of it, once, in order, and never lost.

A message is done when every channel has shown it, folded it into a digest, or has shown something newer of the same
remediation. Whatever else happens it goes back to the queue.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from remediators.incidents import IncidentBook
from remediators.notifier import escalation, routing, state
from remediators.notifier.book import Book, Digest, Shown, newer
from remediators.notifier.channels import Channel, Post, RateLimited, Refused, Thread, Unavailable
from remediators.notifier.notice import Notice
from remediators.notifier.routing import BEST_EFFORT, route
from remediators.notifier.state import Kept
from remediators.notifier.wording import Wording
from sereno.errors import LedgerUnavailable, SerenoError
from sereno.incident import SEVERITIES, Incident
from sereno.model import Status
from sereno.ports import Clock, Telemetry
from sereno.service import CUSTOMERS_HURT, Escalation, Notices

# What a person can read in a minute; more than that is told together, pages excepted.
PER_MINUTE = 10
# A channel's answer may take ten seconds.
MARGIN_S = 12.0
FAULT_S = 60.0
# A channel of `routing.BEST_EFFORT` is tried for this long: less than what makes a message count as untold.
EFFORT_S = 240
# Tickets that a morning's digest names; the on-call page lists all.
NAMED = 15
# A digest that nobody has read this long after its window began counts as untold.
DIGEST_LATE_S = 600


@dataclass(frozen=True, slots=True)
class Left:
    """A message that is not done, and when to look at it again (seconds)."""

    number: int
    after_s: float


@dataclass(slots=True)
class Notifier:
    """What one invocation works with. `time_left` answers the seconds it may still run."""

    notices: Notices
    emails: Sequence[str]
    channels: Mapping[str, Channel]
    book: Book
    incidents: IncidentBook
    clock: Clock
    telemetry: Telemetry
    time_left: Callable[[], float]
    _closed: dict[str, float] = field(default_factory=dict)

    def tell(self, notices: Sequence[tuple[int, Notice]]) -> list[Left]:
        """Tells of numbered notices, the loudest threads first; those that are not done."""
        wording = Wording(self.notices)
        threads: dict[str, list[tuple[int, Notice]]] = {}
        for number, notice in notices:
            threads.setdefault(notice.thread, []).append((number, notice))
        left: dict[int, float] = {}
        for thread in sorted(threads, key=lambda one: _loudness(threads[one])):
            self._tell_thread(thread, threads[thread], wording, left)
        return [Left(number, after_s) for number, after_s in sorted(left.items())]

    def tick(self) -> int:
        """Tells what was folded together; how many digests. A channel that does not take one is tried again at the
        next tick."""
        told = 0
        for name, channel in self.channels.items():
            for digest in self.book.digests(name, self.clock.now()):
                if self.time_left() < MARGIN_S:
                    break
                done = self._tell_digest(channel, digest)
                if done is None:
                    break
                told += done
        return told

    def remind(self) -> int:
        """Takes the next step of the escalation for each page that nobody has acknowledged; how many steps were shown
        or are to be tried again. Raises LedgerUnavailable."""
        policy, now, shown = self.notices.escalation, self.clock.now(), 0
        if policy is None:
            return 0
        for incident in self.incidents.open():
            if not incident.is_open or not escalation.waits(incident, now) or self.time_left() < MARGIN_S:
                continue
            there = {name: self.book.kept(incident.id, name) for name in self.channels}
            pages = {name: kept for name, kept in there.items() if kept and kept.paged_at is not None}
            shown += sum(self._step(step, incident, pages) for step in self._due(policy, pages, now))
        return shown

    def _due(self, policy: Escalation, pages: Mapping[str, Kept], now: datetime) -> list[escalation.Step]:
        first = min((kept.paged_at for kept in pages.values() if kept.paged_at is not None), default=None)
        return escalation.due(policy, first, now) if first is not None else []

    def _step(self, step: escalation.Step, incident: Incident, pages: Mapping[str, Kept]) -> int:
        """A repeat goes where the page went; a contact is called wherever the page went."""
        first = min(pages.values(), key=lambda kept: kept.paged_at or 0.0)
        mention = self.notices.slack.mention.get("page", ()) if self.notices.slack else ()
        post = escalation.post(step, incident, first, mention, Wording(self.notices), self.clock.now())
        names = [name for name in step.channels if name in self.channels and (step.contact or name in pages)]
        for name in names:
            self._to_channel(name, incident.id, {0: post}, {}, incident)
        return len(names)

    def _tell_thread(
        self, thread: str, news: Sequence[tuple[int, Notice]], wording: Wording, left: dict[int, float]
    ) -> None:
        now = self.clock.now()
        incident = self._incident(thread)
        to: dict[str, list[tuple[int, Notice]]] = {}
        for number, notice in news:
            names = self._channels_for(notice, now)
            for name in names:
                to.setdefault(name, []).append((number, notice))
            if not names and not _is_muted(incident, now):
                self._nobody(notice, wording, now)
        for name, these in to.items():
            posts = {
                number: replace(wording.post(notice), mailed=mailed_by_alarm(notice)) for number, notice in these
            }
            what = {notice.key: notice.alarm or notice.id for _, notice in these if notice.kind != "incident"}
            after_s = self._to_channel(name, thread, posts, what, incident)
            for number in posts if after_s is not None else ():
                left[number] = max(left.get(number, 0.0), after_s or 0.0)

    def _to_channel(
        self, name: str, thread: str, posts: Mapping[int, Post], what: Mapping[str, str], incident: Incident | None
    ) -> float | None:
        """None when the channel has all of them; otherwise after how many seconds to try again. `what` is the alarm
        that news is of, by its key; how an incident goes on is not there, for that is never folded."""
        if name in self._closed:
            waits = Unavailable(f"{name} is left alone for now")
            return None if self._gives_up(name, waits, posts.values()) else self._closed[name]
        if self.time_left() < MARGIN_S:
            return 1.0
        shown = self.book.open(thread, name, self.clock.now())
        if shown is None:
            return 5.0  # another invocation posts there
        try:
            self._post_all(self.channels[name], shown, list(posts.values()), what, incident)
        except (RateLimited, Unavailable, Refused) as error:
            after_s = self._failed(name, thread, error)
            return None if self._gives_up(name, error, posts.values()) else after_s
        self.book.close(thread, name)
        return None

    @property
    def _lasts_s(self) -> float:
        return self.notices.escalation.lasts_s if self.notices.escalation else 0.0

    def _failed(self, name: str, thread: str, error: RateLimited | Unavailable | Refused) -> float:
        """Notes that a channel did not take it; after how many seconds to try again."""
        if isinstance(error, Refused):
            return self._not_delivered(name, thread, error, 15 * 60.0)
        self._closed[name] = error.retry_after_s if isinstance(error, RateLimited) else FAULT_S
        unsure = isinstance(error, Unavailable)
        return self._not_delivered(name, thread, error, self._closed[name], unsure=unsure)

    def _gives_up(self, name: str, error: SerenoError, posts: Iterable[Post]) -> bool:
        """Whether a channel that is best effort is left alone: it refuses, or has not taken it for minutes."""
        if name not in BEST_EFFORT:
            return False
        if not isinstance(error, Refused):
            newest = max((post.at for post in posts), default=0.0)
            if self.clock.now().timestamp() - newest < EFFORT_S:
                return False
        self.telemetry.count("GivenUp", channel=name)
        return True

    def _post_all(
        self,
        channel: Channel,
        shown: Shown,
        posts: Sequence[Post],
        what: Mapping[str, str],
        incident: Incident | None,
    ) -> None:
        thread, paged, over_at, kept = shown.thread, shown.paged, shown.over_at, shown.kept
        muted, wording = _is_muted(incident, self.clock.now()), Wording(self.notices)
        for post in newer(posts, shown):
            now = self.clock.now()
            if muted and not post.over:
                self.book.silenced(channel.name, post, now)
                continue
            folds = post.key in what and _may_fold(post, paged=paged)
            if self.book.count(channel.name, now) > PER_MINUTE and folds:
                self.book.fold(channel.name, post, what[post.key], now)
                self.telemetry.count("Folded", channel=channel.name)
                continue
            late = over_at is not None and not post.over and post.at <= over_at
            louder = kept.is_louder(post)
            kept = kept.after(replace(post, late=late)).paged(post, now.timestamp(), self._lasts_s)
            full = replace(post, late=late, louder=louder, state=state.shown(kept, incident, wording))
            try:
                thread = channel.deliver(full, replace(thread, over=over_at is not None))
            except Unavailable:
                self.book.doubt(channel.name, post, now)
                raise
            self.book.shown(channel.name, post, thread, self.clock.now(), kept)
            thread = Thread(thread.id, thread.ref, moved=thread.moved)
            paged = paged or post.severity == "page"
            over_at = post.at if post.over else over_at
            self.telemetry.count("Notified", channel=channel.name)

    def _not_delivered(
        self, name: str, thread: str, error: SerenoError, after_s: float, *, unsure: bool = False
    ) -> float:
        self.telemetry.log("warning", "not delivered", channel=name, thread=thread, error=str(error))
        self.telemetry.count("NotDelivered", channel=name)
        self.book.close(thread, name, unsure=unsure)
        return after_s

    def _tell_digest(self, channel: Channel, digest: Digest) -> int | None:
        """How many were told; None when the channel takes none. Two ticks at once do not tell one twice: a digest is
        a thread of its own, that one of them holds."""
        thread = digest_key(digest)
        shown = self.book.open(thread, channel.name, self.clock.now())
        if shown is None:
            return 0
        told = 0
        if not shown.newest:
            post = digest_post(self.book.seal(digest), Wording(self.notices))
            try:
                after = channel.deliver(post, shown.thread)
            except (RateLimited, Unavailable, Refused) as error:
                self._not_delivered(channel.name, thread, error, FAULT_S, unsure=isinstance(error, Unavailable))
                if self.clock.now().timestamp() - digest.start >= DIGEST_LATE_S:
                    self.telemetry.count("Untold")
                return None
            self.book.shown(channel.name, post, after, self.clock.now())
            told = 1
        self.book.told(digest)
        self.book.close(thread, channel.name)
        return told

    def _channels_for(self, notice: Notice, now: datetime) -> list[str]:
        """The channels that hear of a notice. That somebody has an incident is for every channel where a page of it
        may stand, whatever the hour and however loud it is now."""
        found = route(self.notices, self.emails, notice.severity, now, over=notice.is_over)
        if notice.kind != "incident":
            return found
        rest = [name for name in self.channels if name not in found]
        return [*found, *(name for name in rest if self.book.has_paged(notice.thread, name))]

    def _nobody(self, notice: Notice, wording: Wording, now: datetime) -> None:
        """What no route takes now: a ticket waits for the route that opens next, a page has an alarm of its own."""
        later = routing.deferred(self.notices, self.emails, notice.severity, now)
        for name, opens in later.items():
            self.book.fold(name, wording.post(notice), notice.alarm or notice.id, now, opens=opens)
            self.telemetry.count("Deferred", channel=name)
        if not later and notice.severity == "page":
            self.telemetry.log("error", "no route takes a page", thread=notice.thread, key=notice.key)
            self.telemetry.count("Unrouted")

    def _incident(self, thread: str) -> Incident | None:
        """The incident as the ledger has it; None for other threads, and where it cannot be read."""
        if not thread.startswith("incident-"):
            return None
        try:
            return self.incidents.get(thread)
        except LedgerUnavailable:
            return None


def _is_muted(incident: Incident | None, now: datetime) -> bool:
    if incident is None or incident.muted_until is None or not incident.is_open:
        return False
    return now < incident.muted_until


def mailed_by_alarm(notice: Notice) -> bool:
    """Whether CloudWatch itself has mailed it: the alarm `customers-hurt` notifies people directly, past Sereno."""
    hurt = f"{notice.service}/{notice.service}/{CUSTOMERS_HURT}"
    return notice.alarm == hurt and notice.severity == "page" and notice.status == Status.ESCALATED


def digest_key(digest: Digest) -> str:
    """What tells a digest from others: its window and its channel."""
    return f"digest#{digest.channel}#{digest.start}"


def digest_post(digest: Digest, wording: Wording) -> Post:
    """What people read instead of many messages."""
    if digest.heads:
        head, text = _deferred(digest, wording)
    else:
        head, text = _folded(digest, wording)
    key = digest_key(digest)
    facts = [(wording.word("label.service"), ", ".join(digest.services[:10]))]
    return Post(
        key=key,
        thread=key,
        id=key,
        sequence=0,
        service=digest.services[0],
        severity="info",
        status="DIGEST",
        head=head,
        text=text,
        facts=tuple(facts),
        digest=True,
    )


def _folded(digest: Digest, wording: Wording) -> tuple[str, str]:
    """(head, text) of what was too much for single messages."""
    parts = ", ".join(
        wording.word("digest.part", number=number, what=status)
        for status, number in sorted(digest.statuses.items(), key=lambda one: (-one[1], one[0]))
    )
    head = wording.word(
        "digest.head", news=digest.news, minutes=2, alarms=digest.alarms, services=len(digest.services)
    )
    open_ones = wording.word("digest.open", incidents=digest.incidents)
    return head, f"{wording.word('digest.text', parts=parts)} {open_ones}."


def _deferred(digest: Digest, wording: Wording) -> tuple[str, str]:
    """(head, text) of the tickets that came while no route was open."""
    named = "; ".join(digest.heads[:NAMED])
    rest = len(digest.heads) - NAMED
    if rest > 0:
        named = wording.word("deferred.more", named=named, number=rest)
    return wording.word("deferred.head", news=digest.news), wording.word("deferred.text", named=named)


def _may_fold(post: Post, *, paged: bool) -> bool:
    """Whether news may be told together with others when there is too much. What cannot wait is told by itself, but
    for one thing: that a person must look at an incident is said once, not for each of its hundred alarms."""
    return post.severity != "page" or (paged and post.status == Status.ESCALATED)


def _loudness(news: Sequence[tuple[int, Notice]]) -> int:
    return min(SEVERITIES.index(notice.severity) for _, notice in news)
