"""Results to look at, and the browser to look with."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
QUIET = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def _sample() -> ModuleType:
    """The generator beside this file; test files are no package, so it is loaded by its place."""
    path = Path(__file__).with_name("sample_result.py")
    spec = importlib.util.spec_from_file_location("sereno_sample_result", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def surge() -> dict:
    """A surge of two hours, fresh for each test: it may be changed."""
    return _sample().surge()


@pytest.fixture
def starved(surge) -> dict:
    """The same surge with a table: without Sereno its reads starve, with it they are raised; writes are at ease."""
    length = len(surge["series"]["t"])

    def lane(consumed: float, capacity: list[float], throttled: int = 0) -> dict:
        return {
            "consumed": [consumed] * length,
            "capacity": capacity,
            "throttled": [throttled if 90 <= slot < 100 else 0 for slot in range(length)],
        }

    raised = [200.0 if slot < 80 else 800.0 for slot in range(length)]
    calm = lane(10.0, [50.0] * length)
    for side, reads in (("with", lane(590.0, raised)), ("without", lane(200.0, [200.0] * length, throttled=400))):
        surge["series"][side]["tables"] = {"techmoda-products": {"read": reads, "write": calm}}
    surge["tables"] = {"throttled_calls": 0, "first_throttle_s": None, "recovered_s": 0.0}
    surge["without"]["tables"] = {"throttled_calls": 4000, "first_throttle_s": 900.0, "recovered_s": 95.0}
    return surge


@pytest.fixture
def day() -> dict:
    """A whole day of surges."""
    return _sample().surge(hours=24)


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """The system's Chromium; the tests that look at a page are skipped where there is none."""
    path = next((found for name in CHROMIUM if (found := shutil.which(name))), None)
    if path is None:
        pytest.skip(f"no browser to look with: none of {', '.join(CHROMIUM)} is installed")
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=QUIET)
        yield chromium
        chromium.close()
