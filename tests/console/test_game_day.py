"""A game day in a browser: from the first alarm to the reverted lease, one approval by button, on desk and phone.

One game day at 120 times the wall's clock is played once and looked at by all of these.
"""

from __future__ import annotations

import re
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from dashboards.page.app import create
from dashboards.page.security import Door
from drills import scenario
from drills.gameday import GameDay
from drills.rooms import DrillRoom, over
from sereno.model import Mode

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
DESK, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
READ = re.compile("raise concurrency on techmoda-read")
pytestmark = [
    pytest.mark.xdist_group("game day"),
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium here (apt-get install chromium)"),
]
NAMES = frozenset({"127.0.0.1", "localhost"})


@pytest.fixture(scope="module")
def game() -> Iterator[GameDay]:
    """All is calm, and every remediator asks."""
    made = GameDay(scenario.load("surge-step"), speed=120.0, mode=Mode.APPROVE)
    made.begin()
    yield made
    made.end()
    assert "The game day is over after" in over(made)


@pytest.fixture(scope="module")
def address(game: GameDay) -> Iterator[str]:
    """The page over it, really served."""
    app = create(DrillRoom(game), Door(NAMES, person="maria"), poll_s=0.2)
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join(timeout=10)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """The browser."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def desk(chromium: Any, address: str) -> Any:
    """A page on a desk that is never loaded anew by hand; what its console says is kept."""
    page = chromium.new_page(viewport=DESK)
    page.said = []
    page.on("console", lambda message: page.said.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: page.said.append(str(error)))
    page.goto(address)
    return page


@pytest.fixture(scope="module")
def lived(desk: Any, game: GameDay) -> Any:
    """The story, told once: what was seen at each of its turns."""
    seen: dict[str, Any] = {"calm": desk.inner_text("main")}
    desk.get_by_role("button", name=re.compile("^A link in a broadcast")).click()
    card = desk.locator("li.card").filter(has=desk.get_by_role("link", name=READ))
    approve = card.get_by_role("button", name=re.compile("^Approve"))
    approve.wait_for(timeout=30_000)
    seen["asked"] = (card.inner_text(), desk.inner_text("main"))
    # By the keyboard alone.
    approve.focus()
    desk.keyboard.press("Enter")
    desk.get_by_text(re.compile("^Done. Noted: approve")).wait_for(timeout=10_000)
    card.get_by_text("holding").wait_for(timeout=30_000)
    seen["holding"] = card.inner_text()
    desk.get_by_role("button", name="Back to ordinary traffic").click()
    seen["remediation"] = card.get_by_role("link", name=READ).get_attribute("href")
    desk.goto(desk.url.rstrip("/").split("?")[0] + seen["remediation"])
    desk.locator("b.stamp", has_text="reverted").first.wait_for(timeout=45_000)
    seen["reverted"] = desk.inner_text("main")
    with game.still() as cloud:
        found = game.ledger(cloud).get(seen["remediation"].rsplit("/", 1)[1])
    seen["incident"] = f"/incidents/{found.incident}"
    return seen


def test_a_surge_is_seen_approved_held_and_taken_back_without_loading_the_page_anew(lived, desk):
    assert "All calm: no incident is open." in lived["calm"]
    card, whole = lived["asked"]
    assert "awaiting approval" in card.lower()
    assert re.search(r"reserved concurrency 120 → \d+", card)
    assert "The question expires in" in card
    assert "1 incident is open." in whole
    assert re.search(r"Taken back in \d+ (min|s)", lived["holding"])
    for part in ("Gate by gate", "What happened", "maria", "reverted"):
        assert part.lower() in lived["reverted"].lower()
    assert desk.said == [], "not one error on the console, so the content policy lets everything through"


def test_who_approved_stands_in_the_history(lived, game):
    with game.still() as cloud:
        ledger = game.ledger(cloud)
        events = ledger.events(lived["remediation"].rsplit("/", 1)[1])
    assert [event.by for event in events if event.phase == "APPLYING"][0] == "maria"  # noqa: RUF015
    assert [event.phase for event in events][-1] == "REVERTED"


PATHS = ("/", "/incidents", "/timeline", "/budget", "/scorecard", "/drills", "a remediation", "an incident")
# The pages that a person acts from.
MAIN = ("/", "a remediation", "an incident")


@pytest.mark.parametrize("path", PATHS)
def test_nobody_is_shut_out(lived, chromium, address, path):
    """axe finds nothing serious or critical, light on a desk and dark on a phone; nothing is wider than a phone."""
    shut_out_nobody(lived, chromium, address, path, [(DESK, "light"), (PHONE, "dark")][-2 if path in MAIN else -1 :])


@pytest.mark.evidence
@pytest.mark.parametrize("path", PATHS)
def test_nobody_is_shut_out_in_any_light_on_any_screen(lived, chromium, address, path):
    pairs = [(viewport, scheme) for viewport in (DESK, PHONE) for scheme in ("light", "dark")]
    shut_out_nobody(lived, chromium, address, path, pairs)


def shut_out_nobody(lived, chromium, address, path, pairs):
    from axe_playwright_python.sync_playwright import Axe

    path = {"a remediation": lived["remediation"], "an incident": lived["incident"]}.get(path, path)
    for viewport, scheme in pairs:
        # axe is put into the page by the test, which the page's own content policy would forbid.
        context = chromium.new_context(viewport=viewport, color_scheme=scheme, bypass_csp=True)
        page = context.new_page()
        page.goto(address + path)
        found = Axe().run(page).response["violations"]
        grave = [(one["id"], one["nodes"][0]["html"]) for one in found if one["impact"] in ("serious", "critical")]
        assert grave == [], f"{path} in {scheme}"
        assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"] + 1, path
        context.close()


@pytest.mark.evidence
def test_pictures_can_be_taken(lived, chromium, address, tmp_path):
    page = chromium.new_page(viewport=PHONE, color_scheme="dark")
    page.goto(f"{address}/incidents")
    picture = Path(tmp_path / "phone.png")
    page.screenshot(path=picture)
    assert picture.stat().st_size > 5_000
