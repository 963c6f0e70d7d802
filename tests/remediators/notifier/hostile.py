"""Text from outside as somebody might make it."""

from __future__ import annotations

import pytest

# What a name from outside may hold: nothing, blanks, controls of a terminal, what hides or turns a line around,
# halves of characters, markup of every medium, and far too much.
HOSTILE = [
    pytest.param(text, id=name)
    for name, text in {
        "empty": "",
        "blank": " \t\n ",
        "controls": "read\x1b[31m\x07\x00 \x9b2J",
        "lines": "read\nService: other\r\nsubject: x",
        "hidden": "re\u200bad\u202egnp.exe\u2066",
        "halves": "read\ud800\udfff",
        "markup": "<https://evil.example|read> <!channel> [bold]x[/] **y** <script>",
        "long": "Ünïcode-" * 40_000,
    }.items()
]
