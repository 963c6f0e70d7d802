"""Secrets, from Secrets Manager, read once in a while and never shown: not in logs, errors or the ledger."""

from __future__ import annotations

import json
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from remediators.notifier.channels import Refused, Unavailable
from sereno.ports import Clock

# A secret that was changed in Secrets Manager counts after this long.
KEPT_S = 300
HOPELESS = frozenset({"ResourceNotFoundException", "AccessDeniedException", "InvalidParameterException"})


class Secrets:
    """The fields of secrets, by the secrets' names. `client` is a Secrets Manager client."""

    def __init__(self, client: Any, clock: Clock) -> None:
        self._client = client
        self._clock = clock
        self._known: dict[str, tuple[float, dict[str, str]]] = {}

    def __repr__(self) -> str:
        return f"Secrets({', '.join(sorted(self._known))})"

    def value(self, secret: str, field: str) -> str:
        """A field of a secret. Raises Unavailable, and Refused with the mend when it is not there."""
        fields = self._fields(secret)
        if not fields.get(field):
            raise Refused(f'secret {secret}: no "{field}" in it (its value is JSON: {{"{field}": "..."}})')
        return fields[field]

    def forget(self, secret: str) -> None:
        """What was read may be old: it is read anew when it is needed."""
        self._known.pop(secret, None)

    def _fields(self, secret: str) -> dict[str, str]:
        now = self._clock.now().timestamp()
        at, fields = self._known.get(secret, (0.0, {}))
        if fields and now - at < KEPT_S:
            return fields
        try:
            text = self._client.get_secret_value(SecretId=secret)["SecretString"]
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "")
            if code in HOPELESS:
                raise Refused(f"secret {secret}: {code}") from None
            raise Unavailable(f"secret {secret}: {code}") from None
        except (BotoCoreError, KeyError) as error:
            raise Unavailable(f"secret {secret}: {type(error).__name__}") from None
        try:
            found = json.loads(text)
            fields = {str(name): str(value) for name, value in found.items()}
        except (ValueError, AttributeError):
            raise Refused(f"secret {secret}: is no JSON object") from None
        self._known[secret] = (now, fields)
        return fields
