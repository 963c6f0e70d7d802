"""`sereno serve`: the on-call page, on this machine unless somebody vouches for who asks."""

from __future__ import annotations

import ipaddress
import socket
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from console import operate
from console.operate import ConfigOption, who
from console.show import now, screen
from dashboards.page.ledger_room import LedgerRoom
from dashboards.page.room import Room
from dashboards.page.security import TOKEN_LEAST, Door, is_loopback, name_of
from remediators.clients import QUICK, BotocoreAws
from sereno.errors import InvalidInput, Problem

DEFAULT = Path("sereno.yaml")
PORT = 8750
NAMES = ("127.0.0.1", "localhost", "::1")
HEADER_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-")


class Wall:
    """The clock on the wall."""

    def now(self) -> datetime:
        """The time, UTC."""
        return now()


def add_to(app: typer.Typer) -> None:
    """Puts the command on the app."""
    app.command(short_help="The on-call page.")(serve)


def serve(
    config: ConfigOption = DEFAULT,
    host: Annotated[str, typer.Option("--host", metavar="ADDRESS", help="Where to listen.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", metavar="N", min=1, max=65535, help="Its port.")] = PORT,
    name: Annotated[
        list[str] | None, typer.Option("--name", metavar="HOST", help="A name that browsers reach the page by.")
    ] = None,
    trust_proxy_header: Annotated[
        str | None,
        typer.Option(
            "--trust-proxy-header",
            metavar="HEADER",
            help="The header in which an authenticating proxy names the person.",
        ),
    ] = None,
    proxy: Annotated[
        list[str] | None,
        typer.Option("--proxy", metavar="ADDRESS", help="Where that proxy speaks from (default: here)."),
    ] = None,
    token_file: Annotated[
        Path | None, typer.Option("--token-file", metavar="FILE", help="A secret that browsers are asked for.")
    ] = None,
    recording: Annotated[
        Path | None,
        typer.Option(
            "--recording", metavar="FILE", help="Show a drill that is over, from sereno drill NAME --record FILE."
        ),
    ] = None,
) -> None:
    """Serves the on-call page: what goes on, why, what will be taken back, and the buttons for it. On an address that
    others reach it wants to know who asks: from a proxy's header, or by a token."""
    guarded = door(host, name or [], trust_proxy_header, proxy or [], token_file)
    if recording is not None:
        from console.rehearse import require_extra

        require_extra()
        from drills.recording import load

        run(load(recording), guarded, host, port)
        return
    service, ledger = operate.opened(config)
    run(LedgerRoom(service, ledger, BotocoreAws(service.region, QUICK), Wall()), guarded, host, port)


def door(host: str, named: list[str], header: str | None, proxies: list[str], token_file: Path | None) -> Door:
    """Who may come in, from the options. Raises InvalidInput when others could press buttons unasked."""
    problems: list[Problem] = []
    if not is_loopback(host) and not header and token_file is None:
        mend = "is reached by others: give --trust-proxy-header or --token-file, or listen on 127.0.0.1"
        problems.append(Problem("--host", host, mend))
    if header and token_file is not None:
        problems.append(Problem("--token-file", None, "cannot go with --trust-proxy-header: choose one"))
    if header is not None and not (header and set(header.casefold()) <= HEADER_CHARACTERS):
        problems.append(Problem("--trust-proxy-header", header, "is no name of a header, such as X-Forwarded-User"))
    problems += [Problem("--proxy", one, "is no IP address") for one in proxies if not _is_address(one)]
    if proxies and not header:
        problems.append(Problem("--proxy", proxies[0], "needs --trust-proxy-header"))
    problems += [Problem("--name", one, "is no host name") for one in named if name_of(one) != one.casefold()]
    if host in ("0.0.0.0", "::") and not named:  # noqa: S104 what is asked for, not what is done
        problems.append(Problem("--name", None, "must say by which names browsers reach the page"))
    token = ""
    if token_file is not None and not problems:
        token, problems = _token(token_file)
    if problems:
        raise InvalidInput("sereno serve", problems)
    hosts = frozenset({*NAMES, *(one.casefold() for one in named), host.casefold()})
    here = frozenset(proxies) if proxies else frozenset({"127.0.0.1", "::1"})
    return Door(hosts, "" if header or token else who(None), header or "", here, token)


def run(room: Room, guarded: Door, host: str, port: int) -> None:
    """Serves a room until it is interrupted. Raises InvalidInput when the address cannot be had."""
    import uvicorn

    from console import serve_limits
    from dashboards.page.app import create

    many = serve_limits.LIMITS.many | (guarded.proxies if guarded.header else frozenset())
    config = serve_limits.config(
        create(room, guarded),
        limits=replace(serve_limits.LIMITS, many=many),
        host=host,
        port=port,
        log_level="warning",
        access_log=False,
        proxy_headers=False,  # whose address a request has is for the door to judge
        server_header=False,
        timeout_graceful_shutdown=2,
    )
    sock = _bound(host, port)
    shown = f"[{host}]" if ":" in host else host
    screen().print(
        f"The on-call page: http://{shown}:{sock.getsockname()[1]}/  (stop it with Ctrl+C)", soft_wrap=True
    )
    # Ctrl+C is how it is meant to end; uvicorn has closed everything by the time it hands the signal on.
    with suppress(KeyboardInterrupt):
        uvicorn.Server(config).run(sockets=[sock])


def _bound(host: str, port: int) -> socket.socket:
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family)
    except (OSError, OverflowError) as error:
        problem = Problem("--port", port, f"cannot be listened on at {host}: {error.args[-1]}")
        raise InvalidInput("sereno serve", [problem]) from error


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _token(path: Path) -> tuple[str, list[Problem]]:
    """(the secret in a file, what is wrong with it). What stands in it is never told."""
    try:
        token = path.read_text(encoding="utf-8").strip()
        others = path.stat().st_mode & 0o077
    except (OSError, UnicodeDecodeError):
        return "", [Problem("--token-file", path, "cannot be read")]
    if others:
        return "", [Problem("--token-file", path, "can be read by others: chmod 600")]
    if len(token) < TOKEN_LEAST:
        mend = f"holds fewer than {TOKEN_LEAST} characters; make one with: openssl rand -hex 32"
        return "", [Problem("--token-file", path, mend)]
    return token, []
