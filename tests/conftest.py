"""What every test may lean on: no account, no network, and one little TechModa on moto."""

from __future__ import annotations

import os
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


@lru_cache(maxsize=1)
def _loader() -> Any:
    return botocore.session.get_session().get_component("data_loader")


@pytest.fixture
def models_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each run of the command has a session of its own, and each session would read the services' models anew."""
    own, loader = botocore.session.get_session, _loader()

    def session(*arguments: Any, **named: Any) -> Any:
        found = own(*arguments, **named)
        found.register_component("data_loader", loader)
        return found

    monkeypatch.setattr(botocore.session, "get_session", session)
