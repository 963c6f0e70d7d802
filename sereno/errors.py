"""Errors that name the place, the value and the mend."""

from __future__ import annotations

from dataclasses import dataclass


class SerenoError(Exception):
    """Base of everything Sereno raises on purpose; its text is fit to be shown to a person."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with an input: where it is, what stands there, how to mend it."""

    path: str
    value: object
    mend: str

    def __str__(self) -> str:
        from sereno.escape import printable, shown  # only where something is wrong: not on a signal's way

        value = "" if self.value is None else f'"{shown(self.value)}" '
        return f"{printable(self.path)}: {value}{printable(self.mend)}"


class InvalidInput(SerenoError):
    """Carries every problem found, not only the first."""

    def __init__(self, source: str, problems: list[Problem]) -> None:
        self.source = source
        self.problems = problems
        super().__init__("\n".join(f"{source}: {problem}" for problem in problems))


class Refused(SerenoError):
    """What was asked for cannot be, as things stand: exit code 1."""


class MalformedEvent(SerenoError):
    """An event of no known shape. Raised out of the handler, so that the event reaches the OnFailure queue."""


class LedgerUnavailable(SerenoError):
    """The ledger could not be read or written; nothing may be changed without it."""


class StillChanging(SerenoError):
    """AWS is still carrying out a change, and shows the values before it meanwhile (UpdateTable takes minutes). A
    remediator's `read` raises it: nothing can be said of drift yet, and nothing else can be changed."""
