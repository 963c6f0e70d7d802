"""Writes what was found as a `sereno.yaml` for people: short, commented, every doubt beside its line."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from deploy.intake.findings import SECTIONS, Draft, Intake
from deploy.intake.intake import OBJECTIVES

_PLAIN = re.compile(r"[A-Za-z$][A-Za-z0-9$_./%-]*|[0-9]+(ms|s|m|h|x|%)|[0-9]+(\.[0-9]+)?%")
# Words that some reader of YAML takes for something else.
_RESERVED = {"true", "false", "null", "yes", "no", "on", "off", "y", "n"}
_WIDTH = 110
_HINTS = {
    "functions": "Each may have `normal: NUMBER`, the executions of an ordinary busy hour; left out: measured.",
    "tables": "Each may have `normal: {read: NUMBER, write: NUMBER}`, units a second in an ordinary busy hour.",
}


def text(intake: Intake, emails: Sequence[str] = ()) -> str:
    """The file's text; `emails` are told."""
    return "\n".join([*_head(intake), *_objectives(), *_resources(intake), *_tail(emails)]) + "\n"


def scalar(value: Any) -> str:
    """A value on one line, quoted where a reader of YAML could take it for something else."""
    if isinstance(value, list):
        return f"[{', '.join(scalar(one) for one in value)}]"
    if not isinstance(value, str):
        return json.dumps(value)
    if _PLAIN.fullmatch(value) and value.lower() not in _RESERVED:
        return value
    return json.dumps(value)


def comment(words: str, indent: str = "") -> list[str]:
    """A comment in lines that fit, each word whole."""
    lines, line = [], ""
    for word in "".join(one if one.isprintable() else " " for one in words).split():
        if line and len(indent) + 2 + len(line) + 1 + len(word) > _WIDTH:
            lines.append(line)
            line = word
        else:
            line = f"{line} {word}" if line else word
    return [f"{indent}# {one}" for one in [*lines, line] if one]


def _head(intake: Intake) -> Iterator[str]:
    yield from comment(f"Written by `sereno init` from {intake.source}.")
    yield from comment(
        "`assumed` or `unresolved` stands above what may be wrong: look at each, then run `sereno check`."
    )
    yield f"service: {scalar(intake.service)}"
    for name, value in (("account", json.dumps(intake.account)), ("region", scalar(intake.region))):
        yield from comment(intake.comments.get(name, ""))
        yield f"{name}: {value}"
    if intake.stack:
        yield f"stack: {scalar(intake.stack)}  # while CloudFormation changes it, Sereno waits"
    else:
        yield from comment("Name the stack, and Sereno waits while CloudFormation changes it.")
        yield "# stack: NAME"
    yield ""


def _objectives() -> Iterator[str]:
    yield from comment(
        "assumed: what the service promises. These are Sereno's defaults; alarms and the size of a raise follow."
    )
    yield "objectives:"
    for name, value in OBJECTIVES.items():
        yield f"  {name}: {value}"
    yield ""


def _resources(intake: Intake) -> Iterator[str]:
    yield "resources:"
    for section in SECTIONS:
        drafts = intake.of(section)
        if not drafts:
            continue
        yield f"  {section}:"
        yield from comment(_HINTS.get(section, ""), "    ")
        for draft in drafts:
            yield from _draft(draft)
    yield ""


def _draft(draft: Draft) -> Iterator[str]:
    yield from comment(draft.place, "    ")
    yield f"    {scalar(draft.key)}:"
    spoken: set[str] = set()
    for name, value in draft.fields.items():
        for doubt in draft.doubts.get(name, ()):
            yield from comment(doubt, "      ")
        spoken.add(name)
        yield from _field(name, value, "      ")
    for name, doubts in draft.doubts.items():
        if name not in spoken:
            for doubt in doubts:
                yield from comment(f"{name}: {doubt}", "      ")


def _field(name: str, value: Any, indent: str) -> Iterator[str]:
    if not isinstance(value, Mapping):
        yield f"{indent}{name}: {scalar(value)}"
        return
    yield f"{indent}{name}:"
    for key, one in value.items():
        inner = ", ".join(f"{field}: {scalar(number)}" for field, number in one.items())
        yield f"{indent}  {scalar(key)}: {{{inner}}}"


def _tail(emails: Sequence[str]) -> Iterator[str]:
    yield from comment("off, observe (plan and tell), approve (plan and ask), auto. Begin with observe.")
    yield "mode: observe"
    yield from comment("Who is told of everything worth a person (sereno check asks for it):")
    yield (
        f"notifications: {{emails: {scalar(list(emails))}}}"
        if emails
        else ("# notifications: {emails: [oncall@example.com]}")
    )
