"""Where names lead: those that the proof knows to a port of this machine, all others where they always do.

`SERENO_PROOF_NAMES` names the file that holds them, `{"api.techmoda.example": 40001}`. It is read anew for each
question: a name that leads elsewhere now must be seen to.
"""

import json
import os
import socket
from pathlib import Path
from typing import Any

_ask = socket.getaddrinfo


def _ports(place: Path) -> dict[str, int]:
    """A file that is not there knows no names."""
    try:
        known: dict[str, int] = json.loads(place.read_text())
    except FileNotFoundError:
        return {}
    return known


def _led(place: Path) -> Any:
    def answer(host: Any, port: Any, *how: Any, **more: Any) -> Any:
        here = _ports(place).get(host)
        if here is None:
            return _ask(host, port, *how, **more)
        return [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", ("127.0.0.1", here))]

    return answer


if "SERENO_PROOF_NAMES" in os.environ:
    socket.getaddrinfo = _led(Path(os.environ["SERENO_PROOF_NAMES"]))
