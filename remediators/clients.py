"""AWS clients: botocore only, made once and lazily.

boto3 adds 127 ms of imports (s3transfer) to a cold start and nothing that a remediation needs.
"""

from __future__ import annotations

from typing import Any

import botocore.session
from botocore.config import Config

# One call may take 2 s to connect and 5 s to answer, three times: an invocation of 30 s survives one slow API.
CONFIG = Config(
    connect_timeout=2,
    read_timeout=5,
    retries={"mode": "standard", "total_max_attempts": 3},
    user_agent_extra="sereno",
)


class BotocoreAws:
    """The `Aws` port on botocore."""

    def __init__(self, region: str) -> None:
        self._region = region
        self._session = botocore.session.get_session()
        self._clients: dict[tuple[str, str], Any] = {}

    def client(self, service: str, region: str | None = None) -> Any:
        """The client of a service in a region (the home region unless told), the same one each time."""
        key = (service, region or self._region)
        if key not in self._clients:
            self._clients[key] = self._session.create_client(service, region_name=key[1], config=CONFIG)
        return self._clients[key]
