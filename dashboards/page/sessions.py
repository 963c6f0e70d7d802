"""Who is signed in by the page's token: made, read, ended. And how often a wrong token may be tried.

A session lives in the browser's cookie, sealed with a key that only this process knows: it ends after `SIGNED_IN_S`,
when its owner signs out, and when the page is started anew.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections import OrderedDict

# A shift of on-call work: whoever leaves a browser open is asked again on the next.
SIGNED_IN_S = 12 * 3600
# A token has at least 32 characters, so guessing is hopeless anyway; this keeps the log readable and the page free.
TRIES, TRIES_S = 10, 300
# An attacker may have many addresses: the oldest are forgotten first.
ADDRESSES = 1000


class Sessions:
    """The sessions of one process. Times are seconds since 1970."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)
        self._ended: OrderedDict[str, float] = OrderedDict()
        self._wrong: OrderedDict[str, list[float]] = OrderedDict()

    def begin(self, name: str, now: float) -> str:
        """The cookie of somebody who has shown the token."""
        head = f"{secrets.token_hex(16)}.{name.encode().hex()}.{int(now) + SIGNED_IN_S}"
        return f"{head}.{self._seal(head)}"

    def name(self, cookie: str, now: float) -> str:
        """The name in a cookie; nothing when it is not ours, too old, or was ended."""
        head, _, seal = cookie.rpartition(".")
        if not hmac.compare_digest(seal.encode(), self._seal(head).encode()):
            return ""
        nonce, hexed, ends = head.split(".")
        return "" if now >= int(ends) or nonce in self._ended else bytes.fromhex(hexed).decode()

    def end(self, cookie: str, now: float) -> None:
        """Ends the session of a cookie, also for whoever has copied it."""
        if not self.name(cookie, now):
            return
        while self._ended and next(iter(self._ended.values())) <= now:
            self._ended.popitem(last=False)
        nonce, _, ends, _ = cookie.split(".")
        self._ended[nonce] = float(ends)

    def wait_s(self, client: str, now: float) -> int:
        """Seconds until this address may try a token again; 0 when it may now."""
        tries = [at for at in self._wrong.get(client, ()) if at > now - TRIES_S]
        return 0 if len(tries) < TRIES else max(1, int(tries[-TRIES] + TRIES_S - now))

    def note_wrong(self, client: str, now: float) -> None:
        """A wrong token came from this address."""
        tries = [at for at in self._wrong.pop(client, ()) if at > now - TRIES_S]
        self._wrong[client] = [*tries, now][-TRIES:]
        while len(self._wrong) > ADDRESSES:
            self._wrong.popitem(last=False)

    def _seal(self, head: str) -> str:
        return hmac.new(self._key, head.encode(), hashlib.sha256).hexdigest()
