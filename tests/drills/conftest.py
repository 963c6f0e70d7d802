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
