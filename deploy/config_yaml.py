"""Reading YAML so that nothing typed is lost or turned into something else on the way."""

from __future__ import annotations

import re
from collections.abc import Hashable
from typing import Any

import yaml

from sereno.errors import InvalidInput, Problem


class _Loader(yaml.SafeLoader):
    """YAML 1.1 reads `off` as false, `12:30` as 750 and a date as an object. A mode is called off and moments are
    checked later with their zone, so only true and false, plain numbers and null are other than text here."""


def _resolvers() -> dict[str, list[tuple[str, Any]]]:
    keep = {"tag:yaml.org,2002:int", "tag:yaml.org,2002:float", "tag:yaml.org,2002:null"}
    keep |= {"tag:yaml.org,2002:merge"}
    return {
        first: [(tag, pattern) for tag, pattern in known if tag in keep]
        for first, known in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


def _unique_mapping(loader: _Loader, node: yaml.MappingNode) -> dict[Hashable, Any]:
    seen: set[object] = set()
    for key_node, _ in node.value:
        key = loader.construct_object(key_node)
        if key in seen:
            raise yaml.MarkedYAMLError(
                problem=f"{key} stands here a second time (YAML would silently keep the last one)",
                problem_mark=key_node.start_mark,
            )
        if key != "<<":
            seen.add(key)
    loader.flatten_mapping(node)
    return loader.construct_mapping(node, deep=True)


def _setup() -> None:
    _Loader.yaml_implicit_resolvers = _resolvers()
    _Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"^(?:true|false)$"), list("tf"))
    _Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _unique_mapping)


_setup()


def read(text: str, source: str) -> Any:
    """The document as plain data. Raises InvalidInput with line and column on a syntax error, a key that stands
    twice, or more than one document."""
    try:
        return yaml.load(text, Loader=_Loader)  # noqa: S506 - a SafeLoader that reads less
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}" if mark else "the file"
        raise InvalidInput(source, [Problem(where, None, f"{error.problem or error.context}")]) from None
    except yaml.YAMLError as error:
        raise InvalidInput(source, [Problem("the file", None, f"is no YAML: {error}")]) from None
