"""ministack in a process of its own: an AWS that runs the zips it is given, over HTTP, on this machine alone."""

from __future__ import annotations

import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError

import boto3
from botocore.config import Config

ROOT = Path(__file__).parents[3]
PYTHON = ROOT / ".venv-proof" / "bin" / "python"
READY = ROOT / ".venv-proof" / ".ready"
INSIDE = Path(__file__).with_name("inside")
LEASH = Path(__file__).with_name("leash.py")
REGION, ACCOUNT = "eu-west-1", "123456789012"
# As the AWS default: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
QUOTA = 1000
START_WITHIN_S = 60.0
# The emulator's key for the account's root user: whoever signs with it may do everything.
ROOT_KEY = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}


class EmulatorFailed(Exception):
    """The emulator did not start; the text ends with what it said."""


@dataclass(slots=True)
class Clock:
    """The clock of the emulator and of the Lambdas it runs. It only moves forward; this process keeps its own."""

    place: Path
    ahead_s: float = 0.0

    def now(self) -> datetime:
        """The moment over there."""
        return datetime.now(UTC) + timedelta(seconds=self.ahead_s)

    def forward(self, seconds: float, seen_within_s: float = 0.2) -> None:
        """Moves on, and waits until everybody over there has seen it."""
        self.ahead_s += seconds
        beside = self.place.with_suffix(".new")
        beside.write_text(str(self.ahead_s))
        beside.replace(self.place)
        time.sleep(seen_within_s)

    def past_the_minute(self) -> None:
        """Into the next whole minute: what the metrics of this one hold is then past."""
        self.forward(61.0 - self.now().timestamp() % 60)


@dataclass(slots=True)
class Emulator:
    """A running emulator, as seen from one region: where it answers, its clock, its log."""

    url: str
    clock: Clock
    log: Path
    region: str = REGION
    _clients: dict[tuple[str, int], Any] = field(default_factory=dict, repr=False)

    def at(self, region: str) -> Emulator:
        """The same one, seen from another region."""
        return replace(self, region=region, _clients={})

    def client(self, service: str, attempts: int = 3) -> Any:
        """A client of the account's root user, which tries so often; the same one each time."""
        if (service, attempts) not in self._clients:
            self._clients[service, attempts] = _session().client(
                service,
                region_name=self.region,
                endpoint_url=self.url,
                config=Config(retries={"mode": "standard", "total_max_attempts": attempts}, max_pool_connections=30),
            )
        return self._clients[service, attempts]


@dataclass(slots=True)
class OtherAccount:
    """Another account on the same emulator, as `deploy.apply` takes it: there a key of 12 digits is the account's
    root user's."""

    url: str
    account: str
    _clients: dict[str, Any] = field(default_factory=dict, repr=False)

    def client(self, service: str, region: str | None = None) -> Any:
        """A client, the same one each time."""
        if service not in self._clients:
            secret = ROOT_KEY["aws_secret_access_key"]
            session = boto3.Session(aws_access_key_id=self.account, aws_secret_access_key=secret)
            self._clients[service] = session.client(service, region_name=region or REGION, endpoint_url=self.url)
        return self._clients[service]


@lru_cache(maxsize=1)
def _session() -> Any:
    return boto3.Session(**ROOT_KEY)


@contextmanager
def running(place: Path, **settings: str) -> Iterator[Emulator]:
    """An emulator as long as the block lasts; what it writes is below `place`, `settings` go on to its functions.
    Raises EmulatorFailed."""
    port = _free_port()
    clock, log = Clock(place / "clock"), place / "emulator.log"
    with log.open("wb") as written:
        leash = subprocess.Popen(
            [PYTHON, LEASH, PYTHON, "-m", "ministack"],
            stdin=subprocess.PIPE,
            stdout=written,
            stderr=subprocess.STDOUT,
            env={**_environment(place, port, clock), **settings},
            cwd=place,
            # Not with us: it must outlive Ctrl-C by as long as it takes to clean up.
            start_new_session=True,
        )
    try:
        emulator = Emulator(f"http://127.0.0.1:{port}", clock, log)
        _wait(emulator, leash)
        yield emulator
    finally:
        assert leash.stdin is not None
        leash.stdin.close()
        leash.wait(15)


def _environment(place: Path, port: int, clock: Clock) -> dict[str, str]:
    """What the emulator knows of this machine. Nothing is inherited: no credentials, no settings of the user's."""
    return {
        "PATH": "/usr/bin:/bin",
        "HOME": str(place),
        "TMPDIR": str(place),
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "MINISTACK_REGION": REGION,
        "MINISTACK_ACCOUNT_ID": ACCOUNT,
        # Every call is held against the policies of the role that makes it.
        "AUTH": "true",
        "AWS_ACCESS_KEY_ID": ROOT_KEY["aws_access_key_id"],
        "AWS_SECRET_ACCESS_KEY": ROOT_KEY["aws_secret_access_key"],
        "LAMBDA_ACCOUNT_CONCURRENCY": str(QUOTA),
        # A failed event is tried again after this long; on AWS after a minute, then two.
        "LAMBDA_ASYNC_RETRY_BASE_SECONDS": "0.05",
        # Lambda sets it and the emulator does not; it goes on to the Lambdas, so that they have an Init phase.
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "PYTHONPATH": str(INSIDE),
        "PYTHONDONTWRITEBYTECODE": "1",
        "SERENO_PROOF_CLOCK": str(clock.place),
    }


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait(emulator: Emulator, leash: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + START_WITHIN_S
    while time.monotonic() < until and leash.poll() is None:
        try:
            with urllib.request.urlopen(f"{emulator.url}/_ministack/ready", timeout=2):
                return
        except (HTTPError, URLError, ConnectionError, TimeoutError):
            time.sleep(0.1)
    raise EmulatorFailed(f"not ready within {START_WITHIN_S:.0f} s:\n{emulator.log.read_text()[-2000:]}")
