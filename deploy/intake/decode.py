"""Template text to plain data: JSON, or YAML with CloudFormation's short tags in their long form.

The decoders of cfn-lint and of the SAM translator know the tags too, but come with the rehearsal's dependencies, and
`sereno init` needs none of these. What is left is a few lines over PyYAML.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from sereno.errors import InvalidInput, Problem

# No template that CloudFormation takes comes near: it holds 1 MB of text at most.
# https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html
SIZE_LIMIT = 2 * 1024 * 1024
DEPTH_LIMIT = 80
NODE_LIMIT = 150_000


class _Loader(yaml.SafeLoader):
    """Dates stay text, as CloudFormation reads them: a policy's `Version: 2012-10-17` is no date."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in known if tag != "tag:yaml.org,2002:timestamp"]
    for first, known in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _short_form(loader: _Loader, tag: str, node: yaml.Node) -> dict[str, Any]:
    """`!Ref x` is {"Ref": x}, `!Sub x` is {"Fn::Sub": x}, `!GetAtt a.b` is {"Fn::GetAtt": ["a", "b"]}."""
    value: Any
    if isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    elif isinstance(node, yaml.MappingNode):
        value = loader.construct_mapping(node, deep=True)
    else:
        # As the tag hides whether a scalar is a number, an index such as `!Select [0, ...]` is told inside the list.
        value = node.value
    if tag in ("Ref", "Condition"):
        return {tag: value}
    if tag == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {tag if tag.startswith("Fn::") else f"Fn::{tag}": value}


_Loader.add_multi_constructor("!", _short_form)


def read(path: Path, source: str) -> Any:
    """The template in a file as plain data. Raises InvalidInput."""
    try:
        with path.open("rb") as file:
            data = file.read(SIZE_LIMIT + 1)
        if len(data) > SIZE_LIMIT:
            fix = f"is larger than {SIZE_LIMIT // 1024**2} MiB, more than any template (is it the right file?)"
            raise InvalidInput(source, [Problem(source, None, fix)])
        text = data.decode("utf-8-sig")
    except OSError as error:
        raise InvalidInput(source, [Problem(source, None, f"cannot be read: {error.strerror}")]) from None
    except (UnicodeDecodeError, ValueError):
        mend = "is no text in UTF-8 (name a CloudFormation or SAM template)"
        raise InvalidInput(source, [Problem(source, None, mend)]) from None
    return decode(text, source)


def decode(text: str, source: str) -> Any:
    """Plain data: mappings with text as keys, lists, scalars. Raises InvalidInput with line and column."""
    if text.lstrip().startswith("{"):
        try:
            return _plain(json.loads(text), source)
        except RecursionError:
            raise _too_deep(source) from None
        except ValueError:
            pass  # told by the YAML reader, whose places are better; YAML's flow style begins with a brace too
    try:
        return _plain(yaml.load(text, Loader=_Loader), source)  # noqa: S506 - a SafeLoader with CloudFormation's tags
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}" if mark else "the file"
        raise InvalidInput(source, [Problem(where, None, f"is no YAML: {error.problem or error.context}")]) from None
    # A tag that its value does not have: `!!int abc` is a ValueError, `!!bool abc` a KeyError.
    except (yaml.YAMLError, ValueError, TypeError, KeyError, AttributeError, OverflowError) as error:
        said = " ".join(str(error).split())
        raise InvalidInput(source, [Problem("the file", None, f"is no YAML: {said}")]) from None
    except RecursionError:
        raise _too_deep(source) from None


def _too_deep(source: str) -> InvalidInput:
    return InvalidInput(source, [Problem("the file", None, "nests too deeply, or is too large, to be a template")])


def _plain(data: Any, source: str) -> Any:
    """A tree of its own: aliases (`*x`) are copied, as CloudFormation's own tools do, within bounds, so that neither
    an alias to its own parent nor ten levels of tenfold aliases can hang a reader."""
    left = NODE_LIMIT

    def copied(node: Any, depth: int) -> Any:
        nonlocal left
        left -= 1
        if depth > DEPTH_LIMIT or left < 0:
            raise _too_deep(source)
        if isinstance(node, dict):
            return {_key(key): copied(value, depth + 1) for key, value in node.items()}
        if isinstance(node, list | tuple | set):
            return [copied(value, depth + 1) for value in node]
        return node if node is None or isinstance(node, str | int | float | bool) else str(node)

    return copied(data, 0)


def _key(key: Any) -> str:
    return key if isinstance(key, str) else str(key).lower() if isinstance(key, bool) else str(key)
