"""What `sereno init` could not know and wrote as a guess, with a comment that says so. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_LINE = re.compile(r"^\s*(?P<setting>[^#\s][^#]*?)\s*#\s*(?P<why>.*\bassumed\b.*)$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Assumption:
    """A line of `sereno.yaml` (from 1) whose value is a guess, and why."""

    line: int
    setting: str
    why: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.setting} ({self.why})"


def read(text: str) -> Iterator[Assumption]:
    """Every line with a value beside which a comment says `assumed`."""
    for number, line in enumerate(text.splitlines(), start=1):
        found = _LINE.match(line)
        if found:
            yield Assumption(number, found["setting"].strip(), found["why"].strip())
