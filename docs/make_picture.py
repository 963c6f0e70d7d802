"""Makes the README's pictures of reports anew, from real drills, in a headless Chromium: of a surge the page's top,
of a region's loss its first minutes.

.venv/bin/sereno drill surge-ramp --report out/surge-ramp.html
.venv/bin/python docs/make_picture.py out/surge-ramp.html
.venv/bin/sereno drill gray-failure --report out/gray-failure.html
.venv/bin/python docs/make_picture.py out/gray-failure.html
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

PICTURES = Path(__file__).parent / "img"
WIDTH = 1280
LIMIT = 400_000  # bytes: a README must open fast
BROWSER = os.environ.get("CHROMIUM", "/usr/bin/chromium")


def take(report: Path, picture: Path) -> int:
    """Pictures the report from its top (of a region's loss: from the first minutes) to the first time axis; answers
    the picture's size in bytes."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=BROWSER)
        page = browser.new_page(viewport={"width": WIDTH, "height": 900}, color_scheme="light")
        page.goto(report.resolve().as_uri())
        axis = page.locator(".chart .axis").first.bounding_box(timeout=5000)
        if axis is None:
            raise SystemExit(f"{report}: has no charts (is it the report of a drill?)")
        close = page.locator("#close-title")
        box = close.bounding_box() if close.count() else None
        top = box["y"] - 16 if box else 0
        height = axis["y"] + axis["height"] + 16 - top
        picture.parent.mkdir(parents=True, exist_ok=True)
        page.screenshot(
            path=picture,
            full_page=True,
            clip={"x": 0, "y": top, "width": WIDTH, "height": height},
            animations="disabled",
        )
        browser.close()
    return picture.stat().st_size


def main() -> int:
    """Exit code 2 without a report, 1 when the picture is too large."""
    if len(sys.argv) != 2:
        sys.stderr.write(f"{__doc__}")
        return 2
    report = Path(sys.argv[1])
    picture = PICTURES / f"{report.stem}.png"
    size = take(report, picture)
    sys.stdout.write(f"docs/img/{picture.name}: {size / 1000:.0f} kB\n")
    return 0 if size < LIMIT else 1


if __name__ == "__main__":
    sys.exit(main())
