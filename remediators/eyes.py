"""Looking at a region as a customer does: over HTTPS, at the addresses that customers use."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from time import perf_counter
from typing import Protocol

import urllib3

# A customer who waits longer has gone; three tries fit between two looks even then.
TIMEOUT_S = 3.0
BODY_LIMIT = 64 * 1024
TEXT_LIMIT = 256


@dataclass(frozen=True, slots=True)
class Look:
    """One HTTP probe: whether all paths were served, what failed, which region says that it answered (empty: none
    did), how long each path took (milliseconds), and the status and the first text of the last answer (0: there was
    none)."""

    ok: bool
    detail: str = ""
    region: str = ""
    latency_ms: Mapping[str, float] | None = None
    status: int = 0
    text: str = ""

    def has(self, word: str) -> bool | None:
        """Whether a public object holds a text. False also where the object is not there or is not public (403, 404:
        Route 53 does not see it either); None when nothing can be said."""
        if self.status == 200:
            return word in self.text
        return False if self.status in (403, 404) else None


class Eyes(Protocol):
    """How a prober sees."""

    def look(self, url: str, paths: Sequence[str]) -> Look: ...

    def look_all(self, wanted: Mapping[str, tuple[str, Sequence[str]]]) -> dict[str, Look]: ...


class HttpEyes:
    """Eyes on urllib3. A name is resolved anew for each look: traffic that has moved must be seen to have moved."""

    def look(self, url: str, paths: Sequence[str]) -> Look:
        """All paths of one address, until one fails. Never raises."""
        took: dict[str, float] = {}
        region, status, text = "", 0, ""
        with urllib3.PoolManager(num_pools=1, retries=False, timeout=urllib3.Timeout(total=TIMEOUT_S)) as pool:
            for path in paths:
                began = perf_counter()
                try:
                    answer = pool.request("GET", url.rstrip("/") + path, redirect=False, preload_content=False)
                    body = answer.read(BODY_LIMIT)
                except (urllib3.exceptions.HTTPError, OSError) as error:
                    return Look(False, f"{path}: {_why(error)}", region, took)
                took[path] = (perf_counter() - began) * 1000
                region = region or _region(body)
                if answer.status >= 500 or answer.status == 429:
                    return Look(False, f"{path}: {answer.status}", region, took, answer.status)
                status, text = answer.status, body[:TEXT_LIMIT].decode("ascii", "replace")
        return Look(True, "", region, took, status, text)

    def look_all(self, wanted: Mapping[str, tuple[str, Sequence[str]]]) -> dict[str, Look]:
        """Several addresses at once, for one that hangs must not make the others late."""
        if not wanted:
            return {}
        with ThreadPoolExecutor(len(wanted)) as pool:
            seen = {name: pool.submit(self.look, url, paths) for name, (url, paths) in wanted.items()}
            return {name: one.result() for name, one in seen.items()}


def _why(error: Exception) -> str:
    if isinstance(error, urllib3.exceptions.TimeoutError):
        return f"no answer in {TIMEOUT_S:g} s"
    reason = getattr(error, "reason", None) or error
    return type(reason).__name__


def _region(body: bytes) -> str:
    """The region that a health answer names; empty for any other answer."""
    try:
        told = json.loads(body)
    except ValueError:
        return ""
    found = told.get("region") if isinstance(told, dict) else None
    return found if isinstance(found, str) and len(found) <= 32 else ""
