"""A storm: ten thousand alarm events over a hundred services in five minutes, through the notifier on a table in
memory and a channel that shows at once. What is left is its own work for each message."""

from __future__ import annotations

import json
import time
import tracemalloc
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from benchmarks.measure import Row, Size, Target
from remediators.incidents import IncidentBook
from remediators.notifier.book import WINDOW_S, Book
from remediators.notifier.channels import Post, Thread
from remediators.notifier.notice import Notice, read
from remediators.notifier.notifier import Notifier
from remediators.testing import MemoryTable
from sereno.model import iso
from sereno.service import Notices
from sereno.testing import CollectedTelemetry, ManualClock

SERVICES, EACH, SPAN_S, BATCH = 100, 100, 300, 10
NOON = datetime(2026, 11, 27, 12, 0, tzinfo=UTC)


@dataclass
class Wall:
    """A channel that shows at once, and counts."""

    name: str = "email"
    shown: Counter[str] = field(default_factory=Counter)
    folded: int = 0
    paged: set[str] = field(default_factory=set)

    def deliver(self, post: Post, thread: Thread) -> Thread:
        """Shows a post."""
        if post.digest:
            self.folded += int(post.head.split()[0])
        self.shown["digest" if post.digest else post.severity] += 1
        if post.severity == "page":
            self.paged.add(post.thread)
        return thread.at(thread.ref or "there")


def storm(services: int, each: int, *, pages: bool = False) -> Iterator[str]:
    """Messages as the outbox publishes them: of every service one page that opens its incident, and then news that is
    good to know, of all services in turn. `pages`: every one of them says that a person must look."""
    for alarm in range(each):
        for number in range(services):
            at = NOON + timedelta(seconds=SPAN_S * alarm / each)
            one = f"20261127T120000-raise-concurrency-{number:04d}{alarm:04d}"
            yield json.dumps(
                {
                    "version": 1,
                    "kind": "remediation",
                    "key": f"{one}#000003",
                    "sequence": 3,
                    "at": iso(at),
                    "service": f"shop{number}",
                    "severity": "info" if alarm and not pages else "page",
                    "id": one,
                    "incident": f"incident-20261127T120000-{number:010d}",
                    "status": "VERIFYING" if alarm and not pages else "ESCALATED",
                    "mode": "auto",
                    "target": {"kind": "function", "name": f"shop{number}-f{alarm}"},
                    "alarm": f"shop{number}/f{alarm}/throttles",
                    "changes": [{"setting": "reserved concurrency", "before": 120, "after": 240}],
                    "do": "sereno status",
                }
            )


def run(size: Size) -> list[Row]:
    """The notifier against reading the same messages and doing nothing."""
    services, each = max(10, round(SERVICES * size.load)), max(10, round(EACH * size.load))
    return [
        _row("notices", list(storm(services, each)), services),
        _row("notices, all pages", list(storm(services, each, pages=True)), services),
    ]


def _row(name: str, bodies: list[str], services: int) -> Row:
    started = time.perf_counter()
    for body in bodies:
        json.loads(body)
    floor = (time.perf_counter() - started) * 1000
    wall, spent, peak = _through(bodies)
    total = sum(wall.shown.values()) - wall.shown["digest"] + wall.folded
    note = (
        f"{len(bodies)} messages, {services} services, {SPAN_S} s: {wall.shown['page']} pages of "
        f"{len(wall.paged)} incidents, {wall.shown['info']} single, "
        f"{wall.shown['digest']} digests of {wall.folded}; {len(bodies) - total} lost; "
        f"{peak / 1e3:.0f} kB at the peak of a batch, {spent / len(bodies):.2f} ms each"
    )
    # Five minutes of storm must be through within five minutes, on one of the two invocations that run at once.
    target = Target(figure=SPAN_S * 1000.0)
    return Row(name, "ms", (spent,), (floor,), "the same messages read as JSON", target, note)


def _through(bodies: list[str]) -> tuple[Wall, float, float]:
    """(what was shown, ms, bytes at the peak of one batch)."""
    wall, table, clock = Wall(), MemoryTable(), ManualClock(NOON)

    def notifier(number: int) -> Notifier:
        return Notifier(
            notices=Notices(),
            emails=("oncall@example.com",),
            channels={"email": wall},
            book=Book(table, "ledger", f"invocation{number}"),
            incidents=IncidentBook(table, "ledger", "shop"),
            clock=clock,
            telemetry=CollectedTelemetry(),
            time_left=lambda: 60.0,
        )

    started = time.perf_counter()
    for start in range(0, len(bodies), BATCH):
        batch = [(number, read(body)) for number, body in enumerate(bodies[start : start + BATCH])]
        notifier(start).tell(batch)
        clock.forward(SPAN_S * BATCH / len(bodies))
    clock.forward(WINDOW_S + 1)
    notifier(-1).tick()
    spent = (time.perf_counter() - started) * 1000
    counted = Wall(
        shown=Counter(wall.shown), folded=wall.folded, paged=set(wall.paged)
    )  # what comes next is measured, and not counted
    return counted, spent, _peak(notifier(-2), list(storm(BATCH, 2))[BATCH:])


def _peak(notifier: Notifier, bodies: list[str]) -> float:
    """The memory of one more batch of the same storm, apart from the table, which is not the notifier's."""
    later = [body.replace("20261127T12", "20261127T13") for body in bodies]
    batch: list[tuple[int, Notice]] = [(number, read(body)) for number, body in enumerate(later)]
    tracemalloc.start()
    notifier.tell(batch)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return float(peak)
