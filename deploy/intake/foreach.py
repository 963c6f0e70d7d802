"""`Fn::ForEach` of the transform AWS::LanguageExtensions, unrolled as CloudFormation does before anything else.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference-foreach.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from deploy.intake.values import Unknown, shown, text_of

PREFIX = "Fn::ForEach::"
# CloudFormation takes 500 resources a template; more turns are a mistake.
TURNS_LIMIT = 2_000


class Unroller:
    """Unrolls the loops of one template. `items_of` gives the list that a loop runs over, or why it is not known;
    what could not be unrolled is left out and told in `unknown`, by the loop's name."""

    def __init__(self, items_of: Callable[[Any], Any]) -> None:
        self.unknown: dict[str, Unknown] = {}
        self._items_of = items_of
        self._left = TURNS_LIMIT

    def unrolled(self, node: Any) -> Any:
        """The node with every loop inside it written out."""
        if isinstance(node, list):
            return [self.unrolled(one) for one in node]
        if not isinstance(node, dict):
            return node
        result: dict[str, Any] = {}
        for key, value in node.items():
            if key.startswith(PREFIX):
                result.update(self._loop(key.removeprefix(PREFIX), value))
            else:
                result[key] = self.unrolled(value)
        return result

    def _loop(self, name: str, loop: Any) -> dict[str, Any]:
        if not (isinstance(loop, list) and len(loop) == 3 and isinstance(loop[0], str) and isinstance(loop[2], dict)):
            self.unknown[name] = Unknown(shown(loop), "is not what Fn::ForEach takes")
            return {}
        variable, collection, body = loop
        items = self._items_of(collection)
        if isinstance(items, Unknown):
            self.unknown[name] = items
            return {}
        texts = [text_of(one) for one in items] if isinstance(items, list) else [None]
        if None in texts or len(texts) > self._left:
            self.unknown[name] = Unknown(shown(collection), "is no list that a loop can run over")
            return {}
        self._left -= len(texts)
        result: dict[str, Any] = {}
        for text in texts:
            result.update(self.unrolled(_filled(body, variable, str(text))))
        return result


def _filled(node: Any, variable: str, text: str) -> Any:
    """One turn: `${Variable}` and `&{Variable}` in keys and texts, and `Ref: Variable`, become the item. The form
    with & drops what may not stand in a logical id."""
    if isinstance(node, str):
        return _replaced(node, variable, text)
    if isinstance(node, list):
        return [_filled(one, variable, text) for one in node]
    if isinstance(node, Mapping):
        if len(node) == 1 and node.get("Ref") == variable:
            return text
        return {_replaced(key, variable, text): _filled(one, variable, text) for key, one in node.items()}
    return node


def _replaced(text: str, variable: str, item: str) -> str:
    return text.replace(f"${{{variable}}}", item).replace(f"&{{{variable}}}", re.sub(r"[^A-Za-z0-9]", "", item))
