"""A request to the function URL, which is open to all: its body and headers, before anything is believed."""

from __future__ import annotations

import base64
from collections.abc import Mapping

BODY_LIMIT = 256 * 1024


class Forged(Exception):
    """A request that is not to be answered: its text says why, for the log."""


def path_of(event: object) -> str:
    """The path, without a slash at its end."""
    path = event.get("rawPath") if isinstance(event, Mapping) else None
    return path.rstrip("/") if isinstance(path, str) else ""


def headers_of(event: object) -> dict[str, str]:
    """The headers of a request, by their names in small letters; whoever calls the URL may send anything."""
    found = event.get("headers") if isinstance(event, Mapping) else None
    pairs = found.items() if isinstance(found, Mapping) else ()
    return {name.lower(): value for name, value in pairs if isinstance(name, str) and isinstance(value, str)}


def body_of(event: object) -> bytes:
    """The body. Raises Forged."""
    text = event.get("body") if isinstance(event, Mapping) else None
    if not isinstance(event, Mapping) or not isinstance(text, str):
        raise Forged("no body")
    try:
        body = base64.b64decode(text, validate=True) if event.get("isBase64Encoded") else text.encode()
        body.decode()
    except ValueError:
        raise Forged("the body is no base64, or no text") from None
    if len(body) > BODY_LIMIT:
        raise Forged("the body is too long")
    return body
