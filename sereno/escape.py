"""Text from outside, made harmless for the place where it is shown: one function for each medium.

Names, paths, reasons of alarms, answers of AWS and words of people may hold anything. HTML is escaped where it is
made (Jinja's autoescape); every other medium is here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

VALUE_LIMIT = 200
# Controls of the terminal (C0, DEL, C1), what cannot be seen or turns the line around (Cf), halves of characters (Cs)
# and separators that some readers take for line ends.
_UNSEEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_FORMAT = re.compile(
    r"[\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"
)
_REPLACEMENT = "\ufffd"
# What begins or ends something within a line, what makes an address a link by itself, and what begins a block.
_MARKDOWN = re.compile(
    r"[\\`*\[\]!|~$@]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])|:(?=//)|(?<=\bwww)\.|^[-+#=>]|^\d+[.)]", re.IGNORECASE
)


def printable(text: str) -> str:
    """Text for a terminal, a log or a plain mail: nothing in it moves the cursor, sets a colour, or hides. Tabs and
    line ends stay."""
    return _FORMAT.sub(_REPLACEMENT, _UNSEEN.sub(_picture, text))


def one_line(text: str) -> str:
    """As `printable`, on a single line: for a subject, a cell or a name."""
    return " ".join(printable(text).split())


def shown(value: object) -> str:
    """A value as an error names it: bounded, whatever it is, and harmless."""
    if isinstance(value, str):
        text = value
    elif isinstance(value, bool) or value is None:
        text = str(value)
    elif isinstance(value, int):
        # Python refuses to write more than 4,300 digits.
        text = str(value) if value.bit_length() < 4 * VALUE_LIMIT else f"a number of {value.bit_length()} bits"
    elif isinstance(value, Mapping):
        text = f"an object of {len(value)} keys" if len(value) > 3 or _is_deep(value) else str(value)
    elif isinstance(value, list | tuple | set | frozenset):
        text = f"a list of {len(value)} items" if len(value) > 10 or _is_deep(value) else str(value)
    else:
        text = str(value)
    return printable(text if len(text) <= VALUE_LIMIT else f"{text[:VALUE_LIMIT]}...")


def markdown(text: object) -> str:
    """Text for a Markdown document, a table's cell too: no link, no HTML, no heading, no code.
    https://github.github.com/gfm/"""
    line = _MARKDOWN.sub(lambda found: f"{found[0][:-1]}\\{found[0][-1]}", one_line(str(text)))
    return line.replace("&", "&amp;").replace("<", "&lt;")


def slack(text: str) -> str:
    """Text for Slack's mrkdwn: no link, no mention. https://docs.slack.dev/messaging/formatting-message-text#escaping"""
    return printable(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def email_subject(text: str, limit: int) -> str:
    """Text for a subject that SNS takes: ASCII, on one line, at most `limit` characters.
    https://docs.aws.amazon.com/sns/latest/api/API_Publish.html"""
    return one_line(text).encode("ascii", "replace").decode()[:limit]


def bounded(text: str, limit: int, *, otherwise: str = "-") -> str:
    """As `one_line`, at most `limit` characters, and never empty: for a field that a service wants filled."""
    line = one_line(text)
    return (line if len(line) <= limit else f"{line[: limit - 3]}...") or otherwise


def _picture(found: re.Match[str]) -> str:
    code = ord(found[0])
    if code < 0x20:
        return chr(0x2400 + code)
    return "\u2421" if code == 0x7F else _REPLACEMENT


def _is_deep(value: object, left: int = 4) -> bool:
    """Whether a value is nested further than a person would want to read."""
    if isinstance(value, Mapping):
        return left == 0 or any(_is_deep(part, left - 1) for part in value.values())
    if isinstance(value, list | tuple | set | frozenset):
        return left == 0 or any(_is_deep(part, left - 1) for part in value)
    return isinstance(value, int) and value.bit_length() >= 4 * VALUE_LIMIT


def is_plain(text: str) -> bool:
    """Whether `printable` leaves a text as it is."""
    return printable(text) == text
