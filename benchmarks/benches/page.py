"""The on-call page over a ledger of ten thousand remediations: server time of its pages, against the same page over a
ledger with twenty."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace

import httpx

from benchmarks.measure import Row, Size, Target
from dashboards.page.app import create
from dashboards.page.ledger_room import LedgerRoom
from dashboards.page.security import Door
from dashboards.page.testing import Shop

PAST = 10_000
FEW = 20
PAGES = ("/", "/timeline", "/incidents", "/scorecard", "/budget")
BASE = "http://127.0.0.1:8750"


def run(size: Size) -> list[Row]:
    """Milliseconds of the slowest page, each read anew: nothing that was kept from the request before counts."""
    many, few = max(FEW, round(PAST * size.load)), FEW
    ours, theirs = _slowest(many, size), _slowest(few, size)
    name, figures = max(ours.items(), key=lambda one: min(one[1]))
    note = f"{many} remediations in the ledger; slowest is {name}; " + ", ".join(
        f"{page} {min(spent):.0f}" for page, spent in ours.items() if page != name
    )
    peer = f"the same page over {few} remediations"
    return [Row("page", "ms", tuple(figures), tuple(theirs[name]), peer, Target(figure=100.0), note)]


def _slowest(past: int, size: Size) -> dict[str, list[float]]:
    """Milliseconds of each page, so many times as there are pairs."""
    shop = Shop(past=past)

    def room() -> LedgerRoom:
        return shop.room()

    return asyncio.run(_times(room, size.pairs))


async def _times(room: Callable[[], LedgerRoom], times: int) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {page: [] for page in PAGES}
    for _ in range(times):
        app = create(room(), replace(Door(frozenset({"127.0.0.1"})), person="maria"), poll_s=3600)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=BASE) as client:
            await client.get("/")  # templates are compiled once a process
            for page in PAGES:
                fresh = create(room(), replace(Door(frozenset({"127.0.0.1"})), person="maria"), poll_s=3600)
                async with httpx.AsyncClient(transport=httpx.ASGITransport(fresh), base_url=BASE) as one:
                    started = time.perf_counter()
                    answer = await one.get(page)
                    found[page].append((time.perf_counter() - started) * 1000)
                    answer.raise_for_status()
    return found
