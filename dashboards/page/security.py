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
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from dashboards.page.sessions import Sessions
from sereno import people

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
# openssl rand -hex 16 gives 32 characters: 128 bits.
TOKEN_LEAST = 32
PATH_LIMIT = 1000


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
    sessions: Sessions = field(default_factory=Sessions, compare=False)

    def knows_host(self, host: str) -> bool:
        """Whether a request's Host header names this page."""
        return name_of(host) in self.hosts

    def who(self, named: Sequence[str], client: str, cookie: str, now: float) -> str:
        """Who asks, or nothing when nobody vouches for them.

        `named` are the values of the proxy's header. Exactly one is believed: where there are two, a browser has sent
        one of its own.
        """
        if self.header:
            name = named[0].strip() if len(named) == 1 and client in self.proxies else ""
            return "" if people.fault(name) else name
        if self.token:
            return self.sessions.name(cookie, now)
        return self.person

    def sign_in(self, name: str, token: str, now: float) -> tuple[str, str]:
        """(The cookie of somebody who showed the token, why there is none)."""
        if not (self.token and hmac.compare_digest(token.strip().encode(), self.token.encode())):
            return "", "This is not the token."
        name = " ".join(name.split())
        if wrong := people.fault(name):
            return "", f"The name {wrong}."
        marked = people.by_token(name)
        if len(marked) > people.NAME_LIMIT:
            return "", f"The name is longer than {people.NAME_LIMIT - len(people.by_token(''))} characters."
        return self.sessions.begin(marked, now), ""


def csrf_token(secret: bytes, cookie: str) -> str:
    """What a form must carry: only the page, which knows the secret, can make it for this browser's cookie."""
    return hmac.new(secret, b"form " + cookie.encode(), hashlib.sha256).hexdigest()


def from_here(headers: Mapping[str, str]) -> bool:
    """Whether a POST comes from the page itself. A browser says so by Origin; without it nobody is believed."""
    host = headers.get("host", "").casefold()
    if headers.get("sec-fetch-site", "same-origin") != "same-origin":
        return False
    return bool(host) and headers.get("origin", "").casefold() in (f"http://{host}", f"https://{host}")


def own_path(given: str) -> str:
    """A path of this page, never another's address, nor anything that a browser reads as one."""
    plain = len(given) <= PATH_LIMIT and re.fullmatch(r"/[A-Za-z0-9._~%:@/-]*", given) and not given.startswith("//")
    return given if plain else "/"


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
