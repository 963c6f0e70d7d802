"""AWS clients: botocore only, made once and lazily.

boto3 adds 127 ms of imports (s3transfer) to a cold start and nothing that a remediation needs.
"""

from __future__ import annotations

from typing import Any

import botocore.session
from botocore.config import Config
from botocore.exceptions import (
    ClientError,
    ConnectTimeoutError,
    CredentialRetrievalError,
    EndpointConnectionError,
    NoCredentialsError,
    PartialCredentialsError,
    ReadTimeoutError,
    SSOTokenLoadError,
    TokenRetrievalError,
    UnauthorizedSSOTokenError,
)

# One call may take 2 s to connect and 5 s to answer, three times: an invocation of 30 s survives one slow API.
CONFIG = Config(
    connect_timeout=2,
    read_timeout=5,
    retries={"mode": "standard", "total_max_attempts": 3},
    user_agent_extra="sereno",
)
# Where a person waits for the answer: what hangs is given up after 4 s (twice 1.5 s, and 1 s between them).
QUICK = Config(
    connect_timeout=1,
    read_timeout=1.5,
    retries={"mode": "standard", "total_max_attempts": 2},
    user_agent_extra="sereno",
)
# https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_temp_use-resources.html
EXPIRED_CODES = frozenset({"ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired"})
EXPIRED_ERRORS = (TokenRetrievalError, UnauthorizedSSOTokenError, SSOTokenLoadError, CredentialRetrievalError)
SILENT_ERRORS = (ConnectTimeoutError, ReadTimeoutError, EndpointConnectionError)


def trouble(error: BaseException | None) -> str:
    """What keeps AWS from being read: `expired` (the credentials), `missing` (there are none), `silent` (no answer);
    empty for everything else. The cause counts where another error carries it."""
    while error is not None:
        code = error.response.get("Error", {}).get("Code", "") if isinstance(error, ClientError) else ""
        if code in EXPIRED_CODES or isinstance(error, EXPIRED_ERRORS):
            return "expired"
        if isinstance(error, NoCredentialsError | PartialCredentialsError):
            return "missing"
        if isinstance(error, SILENT_ERRORS):
            return "silent"
        error = error.__cause__
    return ""


class BotocoreAws:
    """The `Aws` port on botocore."""

    def __init__(self, region: str, config: Config = CONFIG) -> None:
        self._region = region
        self._config = config
        self._session = botocore.session.get_session()
        self._clients: dict[tuple[str, str], Any] = {}

    def client(self, service: str, region: str | None = None) -> Any:
        """The client of a service in a region (the home region unless told), the same one each time."""
        key = (service, region or self._region)
        if key not in self._clients:
            self._clients[key] = self._session.create_client(service, region_name=key[1], config=self._config)
        return self._clients[key]
