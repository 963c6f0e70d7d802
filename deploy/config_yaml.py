"""Reading YAML so that nothing typed is lost or turned into something else on the way.

A file is a mapping of texts, numbers, true, false and null, nested a few levels. Everything else that YAML can say
(dates, sets, other tags, numbers that no computer holds, aliases that multiply) is refused with its line and column.
"""

from __future__ import annotations

import math
import re
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from sereno.errors import InvalidInput, Problem

# The largest file in use has 30 kB; PyYAML reads about 100 kB a second.
SIZE_LIMIT = 512 * 1024
DEPTH_LIMIT = 40
# Values after aliases are followed: ten lines of tenfold aliases would be ten billion.
VALUES_LIMIT = 50_000
# A double holds whole numbers exactly up to here.
NUMBER_LIMIT = 2**53
_TAG = "tag:yaml.org,2002:"
_NULLS = ("", "~", "null", "Null", "NULL")
_TAGS = frozenset(f"{_TAG}{name}" for name in ("null", "bool", "int", "float", "str", "seq", "map", "merge"))


class _Loader(yaml.SafeLoader):
    """YAML 1.1 reads `off` as false, `12:30` as 750 and a date as an object. A mode is called off and moments are
    checked later with their zone, so only true and false, plain numbers and null are other than text here."""

    _depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """As PyYAML's, but no deeper than the limit."""
        self._depth += 1
        try:
            if self._depth > DEPTH_LIMIT:
                event = self.peek_event()  # type: ignore[no-untyped-call]
                raise _wrong(f"is nested deeper than {DEPTH_LIMIT} levels", event.start_mark)
            return super().compose_node(parent, index)
        finally:
            self._depth -= 1

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        """As PyYAML's, but a value that cannot be what its tag says is an error with a place."""
        if node.tag not in _TAGS:
            named = f" !!{node.tag.removeprefix(_TAG)}" if node.tag.startswith(_TAG) else ""
            raise _wrong(f"has a tag{named} that means nothing here (remove it)", node.start_mark)
        try:
            value = super().construct_object(node, deep)
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError):
            raise _wrong(
                f"is no {node.tag.removeprefix(_TAG)} (remove the tag, or the value)", node.start_mark
            ) from None
        if value is None and node.value not in _NULLS:
            raise _wrong("is no null (remove the tag, or the value)", node.start_mark)
        if isinstance(value, int | float) and not _is_usable(value):
            raise _wrong("is no number that can be used (write a finite number)", node.start_mark)
        if isinstance(value, str) and not _is_whole(value):
            raise _wrong("holds half a character (an escape of the form \\ud800)", node.start_mark)
        return value


def _wrong(text: str, mark: yaml.Mark) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=text, problem_mark=mark)


def _is_usable(number: float) -> bool:
    return isinstance(number, bool) or (math.isfinite(number) and abs(number) <= NUMBER_LIMIT)


def _is_whole(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _resolvers() -> dict[str, list[tuple[str, Any]]]:
    keep = {"tag:yaml.org,2002:int", "tag:yaml.org,2002:float", "tag:yaml.org,2002:null"}
    keep |= {"tag:yaml.org,2002:merge"}
    return {
        first: [(tag, pattern) for tag, pattern in known if tag in keep]
        for first, known in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


def _unique_mapping(loader: _Loader, node: yaml.MappingNode) -> dict[Hashable, Any]:
    if not isinstance(node, yaml.MappingNode):
        raise _wrong("is no map (remove the tag)", node.start_mark)
    seen: set[object] = set()
    for key_node, _ in node.value:
        if not isinstance(key_node, yaml.ScalarNode):
            raise _wrong("stands where a key belongs (a key is a single text)", key_node.start_mark)
        key = loader.construct_object(key_node)
        if key in seen:
            said = f"{str(key)[:60]} stands here a second time (YAML would silently keep the last one)"
            raise _wrong(said, key_node.start_mark)
        if key != "<<":
            seen.add(key)
    loader.flatten_mapping(node)
    return loader.construct_mapping(node, deep=True)


def _setup() -> None:
    _Loader.yaml_implicit_resolvers = _resolvers()
    _Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"^(?:true|false)$"), list("tf"))
    _Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _unique_mapping)


_setup()


def text_of(path: Path, source: str, begin_with: str = "") -> str:
    """The text of a file that a person names. Raises InvalidInput when it cannot be read, is no UTF-8 text, or is too
    large to be a configuration. `begin_with` says what to begin with instead."""
    try:
        with path.open("rb") as file:
            data = file.read(SIZE_LIMIT + 1)
    except OSError as error:
        raise InvalidInput(
            source, [Problem(str(path), None, f"cannot be read: {error.strerror}{begin_with}")]
        ) from None
    if len(data) > SIZE_LIMIT:
        fix = f"is larger than {SIZE_LIMIT // 1024} KiB (is it the right file?)"
        raise InvalidInput(source, [Problem(str(path), None, fix)])
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise InvalidInput(source, [Problem(str(path), None, "is not UTF-8 text")]) from None


def read(text: str, source: str) -> Any:
    """The document as plain data. Raises InvalidInput with line and column on a syntax error, a key that stands
    twice, more than one document, and whatever passes a limit. The text itself is not repeated: it may be another
    file, with secrets in it."""
    if len(text) > SIZE_LIMIT:
        raise InvalidInput(source, [Problem("the file", None, f"is larger than {SIZE_LIMIT // 1024} KiB")])
    try:
        data = yaml.load(text, Loader=_Loader)  # noqa: S506 - a SafeLoader that reads less
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}" if mark else "the file"
        raise InvalidInput(source, [Problem(where, None, _said(error))]) from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, int(error.position)) + 1
        said = f"holds a character that YAML does not allow (number {ord(str(error.character)[:1] or ' '):#x})"
        raise InvalidInput(source, [Problem(f"line {line}", None, said)]) from None
    except (yaml.YAMLError, RecursionError):
        raise InvalidInput(source, [Problem("the file", None, "is no YAML")]) from None
    _bound(data, source)
    return data


def _said(error: yaml.MarkedYAMLError) -> str:
    """What the reader says, without what it quotes of the file (a single character may stay)."""
    return re.sub(r" ['\"](?!<)[^'\"]{3,}['\"]", "", f"{error.problem or error.context}")


def _bound(data: object, source: str) -> None:
    """Raises InvalidInput where aliases make a file endless, or far larger than it looks."""
    values = 0
    waiting: list[tuple[object, int]] = [(data, 0)]
    while waiting:
        part, depth = waiting.pop()
        values += 1
        if depth > DEPTH_LIMIT or values > VALUES_LIMIT:
            fix = (
                f"holds more than {VALUES_LIMIT} values, or nests without end, by its aliases (write the values out)"
            )
            raise InvalidInput(source, [Problem("the file", None, fix)])
        if isinstance(part, dict):
            waiting.extend((inner, depth + 1) for inner in part.values())
        elif isinstance(part, list):
            waiting.extend((inner, depth + 1) for inner in part)
