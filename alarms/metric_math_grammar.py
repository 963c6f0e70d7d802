"""The text of a metric math expression, read into nodes. Errors name the position.

From loosest to tightest: OR (||), AND (&&), comparisons, + -, * /, ^, unary minus. Functions are in capitals.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn

from alarms import metric_math_functions as functions
from alarms.metric_math_functions import Node
from sereno.errors import InvalidInput, Problem

DEPTH_LIMIT = 60  # Sereno's own: what the reader's recursion takes

_TOKEN = re.compile(
    r"""\s*(?:(?P<number>\d+\.?\d*(?:[eE][-+]?\d+)?|\.\d+(?:[eE][-+]?\d+)?)
          |(?P<word>[A-Za-z_][A-Za-z0-9_]*)
          |(?P<text>"[^"]*"|'[^']*')
          |(?P<mark>==|!=|<=|>=|&&|\|\||[-+*/^<>(),\[\]]))""",
    re.VERBOSE,
)
_SAME = {"&&": "AND", "||": "OR"}
_LEVELS = (("OR",), ("AND",), ("==", "!=", "<", ">", "<=", ">="), ("+", "-"), ("*", "/"))

_EACH: dict[str, Callable[[float], float]] = {
    "ABS": abs,
    "CEIL": lambda value: float(math.ceil(value)),
    "FLOOR": lambda value: float(math.floor(value)),
}
FUNCTIONS = (*_EACH, *functions.AGGREGATES, "DIFF", "FILL", "IF", "METRICS", "PERIOD", "RATE")


@dataclass(slots=True)
class Reading:
    """What came of reading: the whole as a node, the ids named, and what AWS advises against in an alarm."""

    node: Node
    ids: list[str]
    uses_metrics: bool
    advised_against: list[str]


def read(text: str) -> Reading:
    """Reads an expression. Raises InvalidInput with the position of what cannot be read."""
    reader = _Reader(text)
    node = reader.level(0)
    reader.finish()
    return Reading(node, reader.ids, reader.uses_metrics, reader.advised_against)


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.ids: list[str] = []
        self.uses_metrics = False
        self.advised_against: list[str] = []
        self.depth = 0
        self.tokens: list[tuple[str, str, int]] = []
        self.next = 0
        at, end = 0, len(text.rstrip())
        while at < end:
            match = _TOKEN.match(text, at)
            if match is None:
                self.fail(at + len(text[at:]) - len(text[at:].lstrip()), "is no part of metric math")
            kind = match.lastgroup or ""
            word = _SAME.get(match[kind], match[kind])
            self.tokens.append((kind, word, match.start(kind)))
            at = match.end()

    def level(self, height: int) -> Node:
        """Operators of one precedence, from the left."""
        if height == len(_LEVELS):
            return self.power()
        node = self.level(height + 1)
        while (symbol := self.peek()) in _LEVELS[height]:
            position = self.position()
            self.next += 1
            right = self.level(height + 1)
            node = self.joined(symbol, node, right, position)
        return node

    def power(self) -> Node:
        node = self.unary()
        if self.peek() == "^":
            position = self.position()
            self.next += 1
            return self.joined("^", node, self.power(), position)
        return node

    def unary(self) -> Node:
        negative = False
        position = self.position()
        while self.peek() in ("-", "+"):
            negative ^= self.peek() == "-"
            self.next += 1
        node = self.atom()
        if not negative:
            return node
        self.one(node, position)
        return functions.each(lambda value: -value, node)

    def atom(self) -> Node:
        if self.next == len(self.tokens):
            self.fail(len(self.text), "a value is expected here")
        kind, word, position = self.tokens[self.next]
        self.next += 1
        if kind == "number":
            value = float(word)
            return Node("number", lambda _env: value)
        if word == "(":
            return self.nested(lambda: self.closed(self.level(0), ")"))
        if word == "[":
            return self.nested(self.array)
        if kind == "word" and self.peek() == "(":
            return self.nested(lambda: self.call(word, position))
        if kind == "word" and word[0].islower():
            self.ids.append(word)
            return Node("series", lambda env: env.series[word])
        raise self.refusal(position, "a value is expected here; ids begin with a small letter")

    def array(self) -> Node:
        """`[m1, m2]`."""
        items = []
        while True:
            position = self.position()
            items.append(self.needs("series", self.level(0), position).run)
            if self.peek() != ",":
                break
            self.next += 1
        self.expect("]")
        return Node("array", lambda env: [run(env) for run in items])

    def call(self, name: str, position: int) -> Node:
        if name not in FUNCTIONS:
            self.fail(position, f"is no function that Sereno knows; known are {', '.join(sorted(FUNCTIONS))}")
        self.expect("(")
        if name == "METRICS":
            return self.metrics()
        first_at = self.position()
        first = self.level(0)
        if name in functions.AGGREGATES:
            if first.kind == "number":
                self.fail(first_at, f"is a number; {name} takes a series or an array")
            if first.kind == "series":
                self.advised_against.append(f"{name} of a single series")
            return functions.aggregate(name, self.closed(first, ")"))
        if name == "IF":
            return self.condition(self.one(first, first_at))
        series = first if name in _EACH else self.needs("series", first, first_at)
        if name == "FILL":
            return self.fill(series)
        self.expect(")")
        if name == "PERIOD":
            return Node("number", lambda env: float(env.period))
        if name in _EACH:
            return functions.each(_EACH[name], self.one(series, first_at))
        return functions.diff(series, per_second=name == "RATE")

    def metrics(self) -> Node:
        """METRICS() or METRICS("part of the id")."""
        part = ""
        if self.next < len(self.tokens) and self.tokens[self.next][0] == "text":
            part = self.tokens[self.next][1][1:-1]
            self.next += 1
        self.expect(")")
        self.uses_metrics = True
        return Node("array", lambda env: [env.series[name] for name in env.metrics if part in name])

    def condition(self, test: Node) -> Node:
        self.expect(",")
        at = self.position()
        then = self.one(self.level(0), at)
        other = None
        if self.peek() == ",":
            self.next += 1
            at = self.position()
            other = self.one(self.level(0), at)
        self.expect(")")
        return functions.condition(test, then, other)

    def fill(self, series: Node) -> Node:
        self.expect(",")
        if self.peek() in ("REPEAT", "LINEAR"):
            how = self.peek()
            self.next += 1
            self.expect(")")
            return functions.fill(series, how)
        at = self.position()
        return functions.fill(series, self.closed(self.one(self.level(0), at), ")"))

    # Small words of the reader ------------------------------------------------------------------------------

    def joined(self, symbol: str, left: Node, right: Node, position: int) -> Node:
        self.one(left, position)
        self.one(right, position)
        return functions.binary(symbol, left, right)

    def one(self, node: Node, position: int) -> Node:
        """Refuses an array where one value is needed."""
        if node.kind == "array":
            self.fail(position, "joins several series; put them into SUM, AVG, MAX or MIN first")
        return node

    def needs(self, kind: str, node: Node, position: int) -> Node:
        if node.kind != kind:
            self.fail(position, f"is no {kind}; one is needed here")
        return node

    def nested(self, inner: Callable[[], Node]) -> Node:
        self.depth += 1
        if self.depth > DEPTH_LIMIT:
            self.fail(self.position(), f"nests deeper than {DEPTH_LIMIT}; give a part its own id")
        node = inner()
        self.depth -= 1
        return node

    def closed(self, node: Node, mark: str) -> Node:
        self.expect(mark)
        return node

    def expect(self, mark: str) -> None:
        if self.peek() != mark:
            self.fail(self.position(), f"{mark} is expected here")
        self.next += 1

    def peek(self) -> str:
        return self.tokens[self.next][1] if self.next < len(self.tokens) else ""

    def position(self) -> int:
        return self.tokens[self.next][2] if self.next < len(self.tokens) else len(self.text)

    def finish(self) -> None:
        if self.next < len(self.tokens):
            self.fail(self.position(), "an operator or the end is expected here")

    def fail(self, position: int, mend: str) -> NoReturn:
        raise self.refusal(position, mend)

    def refusal(self, position: int, mend: str) -> InvalidInput:
        found = next((word for _, word, at in self.tokens if at == position), self.text[position : position + 1])
        where = f"position {position}: {found or 'the end'}: {mend}"
        return InvalidInput("metric math", [Problem("expression", self.text, where)])
