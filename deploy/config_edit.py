"""Adds a planned event to the text of a `sereno.yaml`, and touches nothing else in it.

The lines that are there stay as they are, comments and all: the new event is inserted where the YAML parser says that
the list ends. What comes out is read again, and must be the file before with one event more.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from deploy import config, config_yaml
from sereno.errors import InvalidInput, Problem

EVENTS = "events"
# Words that YAML or a reader of it may take for something else than text.
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9 _.+-]*[A-Za-z0-9]")
_QUANTITIES = frozenset({"from", "to", "factor", "prewarm"})
_WORDS = frozenset({"true", "false", "null", "yes", "no", "on", "off"})


def with_event(text: str, source: str, event: Mapping[str, str]) -> str:
    """The file's text with the event added: its fields as they are to be written, `name` first. Raises InvalidInput
    with every problem of the file after the change, and where the place for the event cannot be found."""
    raw = config_yaml.read(text, source)
    changed = _inserted(text, event)
    if changed is None or not _only_added(raw, _reread(changed, source), event):
        line = _flow(event)
        mend = f"cannot be edited without touching more than that: add this item to {EVENTS} by hand: {line}"
        raise InvalidInput(source, [Problem(EVENTS, None, mend)])
    config.parse(changed, source)
    return changed


def write(path: Path, text: str) -> None:
    """Puts the text in the file's place in one move, so that nobody ever reads half of it; its rights stay, and a
    link stays a link."""
    real = path.resolve()
    handle, name = tempfile.mkstemp(dir=real.parent, prefix=f".{real.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(real.stat().st_mode & 0o7777)
        Path(name).replace(real)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            Path(name).unlink()
        raise


def _reread(text: str, source: str) -> Any:
    try:
        return config_yaml.read(text, source)
    except InvalidInput:
        return None


def _only_added(before: Any, after: Any, event: Mapping[str, str]) -> bool:
    if not isinstance(before, dict) or not isinstance(after, dict):
        return False
    events = list(before.get(EVENTS) or [])
    return bool({**before, EVENTS: [*events, dict(event)]} == after)


def _inserted(text: str, event: Mapping[str, str]) -> str | None:
    """The text with the event where the list ends; None where there is no such place."""
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    if not isinstance(root, yaml.MappingNode) or root.flow_style:
        return None
    found = next((value for key, value in root.value if key.value == EVENTS), None)
    if found is None:
        return _appended(text, event)
    if isinstance(found, yaml.SequenceNode) and found.value:
        if found.flow_style:
            return _at(text, found.value[-1].end_mark.index, f", {_flow(event)}")
        return _below(text, found, event)
    # Nothing, null or an empty list stands there: the first item goes below it.
    start, end = found.start_mark.index, found.end_mark.index
    without = text[:start].rstrip(" ") if start == end else text[:start].rstrip(" ") + text[end:]
    return _after_line(without if start != end else text, start - 1, f"  - {_flow(event)}")


def _appended(text: str, event: Mapping[str, str]) -> str:
    newline = _newline(text)
    gap = "" if not text or text.endswith("\n") else newline
    return f"{text}{gap}{newline}{EVENTS}:{newline}  - {_flow(event)}{newline}"


def _below(text: str, found: yaml.SequenceNode, event: Mapping[str, str]) -> str:
    """After the last line of the last item, written as that item is."""
    last = found.value[-1]
    indent = " " * found.start_mark.column
    end = _last_index(last)
    if isinstance(last, yaml.MappingNode) and not last.flow_style:
        inner = " " * (last.start_mark.column - found.start_mark.column - 1)
        pad = " " * last.start_mark.column
        lines = _pairs(event)
        return _after_line(text, end, f"{indent}-{inner}{lines[0]}", *(pad + line for line in lines[1:]))
    return _after_line(text, end, f"{indent}- {_flow(event)}")


def _last_index(node: yaml.Node) -> int:
    """The last character of what a node says. A block's own end mark lies beyond the comments that follow it."""
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return _last_index(last[1] if isinstance(last, tuple) else last)
    return max(node.start_mark.index, node.end_mark.index - 1)


def _after_line(text: str, index: int, *lines: str) -> str:
    newline = _newline(text)
    end = text.find("\n", index)
    if end < 0:
        return text + "".join(newline + line for line in lines) + newline
    return _at(text, end + 1, "".join(line + newline for line in lines))


def _at(text: str, index: int, more: str) -> str:
    return text[:index] + more + text[index:]


def _newline(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"


def _flow(event: Mapping[str, str]) -> str:
    return "{" + ", ".join(_pairs(event)) + "}"


def _pairs(event: Mapping[str, str]) -> list[str]:
    return [f"{name}: {_quantity(value) if name in _QUANTITIES else _scalar(value)}" for name, value in event.items()]


def _quantity(value: str) -> str:
    """A moment, factor or duration is written as people write it."""
    return value if re.fullmatch(r"[0-9][0-9A-Za-z:+.-]*", value) else _scalar(value)


def _scalar(value: str) -> str:
    """Plain where that can only be read one way."""
    if _PLAIN.fullmatch(value) and value.lower() not in _WORDS:
        return value
    return json.dumps(value, ensure_ascii=False)
