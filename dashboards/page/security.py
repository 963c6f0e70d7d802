"""What keeps strangers, and other pages of the same browser, from the on-call page. Pure: headers in, verdict out.

* Host must be a name that the page was told to answer to, or a page of the net could point its own name at it (DNS
  rebinding). https://cheatsheetseries.owasp.org/cheatsheets/Cross-Site_Request_Forgery_Prevention_Cheat_Sheet.html
* Off loopback somebody must vouch for who asks: a proxy that names the person in a header, or a token.
* A press of a button needs the page's own origin, and the token that its form carried, bound to the cookie.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

COOKIE = "sereno"
# No script, style, frame or form but our own; nothing written into the page's text can run.
CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": CSP,
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
NAME_LIMIT = 100
TOKEN_LEAST = 24


@dataclass(frozen=True, slots=True)
class Door:
    """Who may come in. `hosts` are the names that the page answers to, without ports. `person` is who presses buttons
    on loopback, where nobody else can. `header` names the person behind a proxy that checked them, `proxies` are the
    addresses from which it is believed; `token` is a secret that the browser is asked for."""

    hosts: frozenset[str]
    person: str = ""
    header: str = ""
    proxies: frozenset[str] = frozenset({"127.0.0.1", "::1"})
    token: str = ""

    def knows_host(self, host: str) -> bool:
        """Whether a request's Host header names this page."""
        return name_of(host) in self.hosts

    def who(self, headers: Mapping[str, str], client: str, cookie: str) -> str:
        """Who asks, or nothing when nobody vouches for them."""
        if self.header:
            named = headers.get(self.header, "").strip() if client in self.proxies else ""
            return named if named.isprintable() and len(named) <= NAME_LIMIT else ""
        if self.token:
            return self.signed_in(cookie)
        return self.person

    def sign_in(self, name: str, token: str) -> str:
        """The cookie of somebody who showed the token; nothing when it is wrong, or no name is given."""
        name = " ".join(name.split())
        right = hmac.compare_digest(token.strip().encode(), self.token.encode())
        if not (self.token and right and name and name.isprintable() and len(name) <= NAME_LIMIT):
            return ""
        nonce = secrets.token_hex(16)
        return f"{nonce}.{name.encode().hex()}.{self._seal(f'{nonce}.{name}')}"

    def signed_in(self, cookie: str) -> str:
        """The name in a cookie of `sign_in`; nothing when it is not ours."""
        nonce, _, rest = cookie.partition(".")
        hexed, _, seal = rest.partition(".")
        try:
            name = bytes.fromhex(hexed).decode()
        except ValueError:
            return ""
        good = bool(name) and hmac.compare_digest(seal.encode(), self._seal(f"{nonce}.{name}").encode())
        return name if good else ""

    def _seal(self, text: str) -> str:
        return hmac.new(self.token.encode(), text.encode(), hashlib.sha256).hexdigest()


def csrf_token(secret: bytes, cookie: str) -> str:
    """What a form must carry: only the page, which knows the secret, can make it for this browser's cookie."""
    return hmac.new(secret, b"form " + cookie.encode(), hashlib.sha256).hexdigest()


def from_here(headers: Mapping[str, str]) -> bool:
    """Whether a POST comes from the page itself. A browser says so by Origin; without it nobody is believed."""
    origin, host = headers.get("origin", ""), headers.get("host", "")
    if headers.get("sec-fetch-site", "same-origin") != "same-origin":
        return False
    return bool(host) and urlsplit(origin).netloc.casefold() == host.casefold()


def name_of(host: str) -> str:
    """The name in a Host header, without its port; nothing when it cannot be read."""
    try:
        return (urlsplit(f"//{host}").hostname or "").casefold()
    except ValueError:
        return ""


def is_loopback(host: str) -> bool:
    """Whether an address to listen on is reached from this machine alone."""
    if host.casefold() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
