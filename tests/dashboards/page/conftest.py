"""A shop at three in the morning: one plan waits for a person, one change is in force, one did not help."""

from __future__ import annotations

import warnings
from datetime import timedelta

import pytest

from dashboards.page.app import create
from dashboards.page.security import Door
from dashboards.page.testing import NOW, Shop
from sereno.model import Status

with warnings.catch_warnings():
    # The client's next library has another name; this one works, and is told at the import.
    warnings.simplefilter("ignore")
    from starlette.testclient import TestClient

HERE = frozenset({"127.0.0.1", "localhost"})


@pytest.fixture
def shop() -> Shop:
    """The shop."""
    found = Shop(past=6)
    waits = found.put("waits", NOW - timedelta(minutes=4), Status.AWAITING_APPROVAL)
    holds = found.put("holds", NOW - timedelta(minutes=9), Status.HOLDING)
    failed = found.put("failed", NOW - timedelta(minutes=20), Status.ESCALATED, "the symptom persists")
    found.put("refused", NOW - timedelta(minutes=21), Status.SKIPPED, "NO_HEADROOM: 100 must stay unreserved")
    found.incident(waits, holds, failed)
    return found


@pytest.fixture
def app(shop: Shop):
    """The page, on loopback."""
    return create(shop.room(), Door(HERE, person="maria"), poll_s=0.02)


@pytest.fixture
def browser(app) -> TestClient:
    """A browser that keeps cookies and follows redirects."""
    return TestClient(app, base_url="http://127.0.0.1:8750")
