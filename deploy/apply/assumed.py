"""What `sereno init` could not know and wrote as a guess, with a comment that says so. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_ABOVE = re.compile(r"^\s*#\s*(?P<why>(?:assumed|unresolved):.*)$", re.IGNORECASE)
_BESIDE = re.compile(r"^(?P<setting>\s*[^#\s][^#]*?)\s*#\s*(?P<why>(?:assumed|unresolved):.*)$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Assumption:
    """A line of `sereno.yaml` (from 1) whose value is a guess, and why."""

    line: int
    setting: str
    why: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.setting} ({self.why})"


def read(text: str) -> Iterator[Assumption]:
    """Every setting above or beside which a comment begins with `assumed:` or `unresolved:`. Of a longer comment
    above, its first line counts."""
    why = ""
    for number, line in enumerate(text.splitlines(), start=1):
        above, beside = _ABOVE.match(line), _BESIDE.match(line)
        if above:
            why = why or above["why"].strip()
        elif beside:
            yield Assumption(number, beside["setting"].strip(), beside["why"].strip())
            why = ""
        elif line.strip() and not line.lstrip().startswith("#"):
            if why:
                yield Assumption(number, line.strip(), why)
            why = ""
