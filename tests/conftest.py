"""What every test may lean on: no account, no network, and one little TechModa on moto."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import botocore.session
import pytest

os.environ.update(
    AWS_ACCESS_KEY_ID="testing",
    AWS_SECRET_ACCESS_KEY="testing",
    AWS_SESSION_TOKEN="testing",
    AWS_DEFAULT_REGION="eu-west-1",
    AWS_EC2_METADATA_DISABLED="true",
)
os.environ.pop("AWS_PROFILE", None)


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test that reaches for a network would hang elsewhere; here it fails at once (loopback stays open)."""
    import socket

    connect = socket.socket.connect

    def guarded(self: socket.socket, address: object) -> None:
        if (
            self.family != socket.AF_UNIX
            and isinstance(address, tuple)
            and address[0] not in ("127.0.0.1", "::1", "localhost")
        ):
            raise AssertionError(f"a test tried to reach {address}")
        connect(self, address)  # type: ignore[arg-type]

    monkeypatch.setattr(socket.socket, "connect", guarded)


@pytest.fixture(autouse=True)
def _callers_are_throttled() -> Iterator[None]:
    """Whoever calls the embedded AWS meets the request rates that AWS documents, in virtual time, and its limits of
    patterns and policies."""
    from deploy.embedded_throttling import Throttle, limited

    if "moto" in sys.modules:
        from deploy import embedded_costs, embedded_limits

        embedded_limits.install()
        embedded_costs.install()

    with limited(Throttle()):
        yield


@pytest.fixture(scope="session", autouse=True)
def _models_read_once() -> Iterator[None]:
    """Every session of botocore would read the services' models anew, and nearly every test makes one. They are read
    once for each place that they may lie in, as within a session."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(botocore.session, "create_loader", lru_cache(botocore.session.create_loader))
        yield


@pytest.fixture(scope="session")
def surge_ramp() -> dict[str, Any]:
    """The result of `surge-ramp`, seed 1: the longest drill, run once for all that look at it. They belong to the
    xdist group `drill-ramp`."""
    from drills import drill, scenario

    return drill.run(scenario.load("surge-ramp"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whole drills come first: the last minute has short tests only, and no worker waits for another's long one."""
    items.sort(key=lambda item: item.get_closest_marker("drill") is None)
