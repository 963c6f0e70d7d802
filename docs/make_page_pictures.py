"""Makes the README's pictures of the on-call page, from a game day in a real browser.

Needs Chromium (Debian: chromium). The same story as the browser test tells.
"""

from __future__ import annotations

import re
import shutil
import sys
import threading
import time
from pathlib import Path

import uvicorn
from playwright.sync_api import sync_playwright

sys.path.insert(0, str(Path(__file__).parents[1]))

from dashboards.page.app import create
from dashboards.page.security import Door
from drills import scenario
from drills.gameday import GameDay
from drills.rooms import DrillRoom
from sereno.model import Mode

IMG = Path(__file__).parent / "img"
READ = re.compile("raise concurrency on techmoda-read")


def main() -> int:
    """Plays and takes three pictures."""
    game = GameDay(scenario.load("surge-step"), speed=60.0, mode=Mode.APPROVE)
    game.begin()
    app = create(DrillRoom(game), Door(frozenset({"127.0.0.1"}), person="maria"), poll_s=0.2)
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning", timeout_graceful_shutdown=1))
    threading.Thread(target=server.run, daemon=True).start()
    while not server.started:
        time.sleep(0.02)
    address = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"),
            args=["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"],
        )
        desk = browser.new_page(viewport={"width": 1100, "height": 900})
        desk.goto(address)
        desk.get_by_role("button", name=re.compile("^A link in a broadcast")).click()
        card = desk.locator("li.card").filter(has=desk.get_by_role("link", name=READ))
        card.get_by_role("button", name=re.compile("^Approve")).wait_for(timeout=60_000)
        desk.screenshot(path=IMG / "on-call-asks.png")
        card.get_by_role("button", name=re.compile("^Approve")).click()
        card.get_by_text("holding").wait_for(timeout=60_000)
        phone = browser.new_page(viewport={"width": 390, "height": 844}, color_scheme="dark")
        phone.goto(address)
        phone.screenshot(path=IMG / "on-call-phone.png")
        desk.goto(address + str(card.get_by_role("link", name=READ).get_attribute("href")))
        desk.screenshot(path=IMG / "on-call-remediation.png")
        browser.close()
    server.should_exit = True
    game.end()
    return 0


if __name__ == "__main__":
    sys.exit(main())
