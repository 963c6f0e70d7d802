"""Rule expressions of composite alarms: read, counted against CloudWatch's limits, and evaluated.

    expr := TRUE | FALSE | ALARM(ref) | OK(ref) | INSUFFICIENT_DATA(ref) | AT_LEAST(M, cond, (ref, ...))
          | NOT expr | expr AND expr | expr OR expr | ( expr )

CloudWatch does not print the precedence; here it is NOT, then AND, then OR, the common reading. Sereno's own rules
use parentheses, so that nothing hangs on it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import NoReturn

from sereno.errors import InvalidInput, Problem

RULE_LIMIT, ELEMENT_LIMIT, CHILD_LIMIT = 10_240, 500, 100
DEPTH_LIMIT = 200  # Sereno's own: what the reader's recursion takes
STATES = ("ALARM", "OK", "INSUFFICIENT_DATA")

Reading = Callable[[Mapping[str, str]], bool]
_TOKEN = re.compile(r'\s*(?:(?P<quoted>"[^"]*")|(?P<mark>[(),])|(?P<word>[^\s(),"]+))')


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule that has been read: its children in the order of their first mention."""

    text: str
    children: tuple[str, ...]
    holds: Reading


def children(rule: str) -> tuple[str, ...]:
    """The alarms (names or ARNs, as written) that the rule watches. Raises InvalidInput for a bad rule."""
    return parse(rule).children


def evaluate(rule: str, states: Mapping[str, str]) -> bool:
    """Whether the rule is true, that is, whether the composite is in ALARM.

    `states` maps alarm names (or ARNs) to ALARM, OK or INSUFFICIENT_DATA. Raises InvalidInput for a bad rule and
    for a child that has no state: CloudWatch would not have let the rule be created.
    """
    return parse(rule).holds(states)


@lru_cache(maxsize=1024)
def parse(rule: str) -> Rule:
    """Reads a rule. Raises InvalidInput naming the position, or the limit that is passed."""
    if not 1 <= len(rule) <= RULE_LIMIT:
        _refuse(rule, f"a rule has 1 to {RULE_LIMIT} characters, this one {len(rule)}")
    reader = _Reader(rule)
    holds = reader.either()
    reader.finish()
    named = tuple(dict.fromkeys(reader.refs))
    if len(named) > CHILD_LIMIT:
        _refuse(rule, f"a rule watches at most {CHILD_LIMIT} alarms, this one {len(named)}")
    if reader.elements > ELEMENT_LIMIT:
        mend = f"a rule has at most {ELEMENT_LIMIT} elements (alarms, TRUE, FALSE, parentheses)"
        _refuse(rule, f"{mend}, this one {reader.elements}")
    return Rule(rule, named, holds)


def state_of(ref: str, states: Mapping[str, str]) -> str:
    """The state of a child that is written as a name or as an ARN."""
    if ref in states:
        return states[ref]
    name = ref.split(":alarm:", 1)[1] if ":alarm:" in ref else ref
    if name in states:
        return states[name]
    raise InvalidInput("composite rule", [Problem("states", ref, "has no state; give one for every child")])


def _refuse(rule: str, mend: str) -> NoReturn:
    raise _refusal(rule, mend)


def _refusal(rule: str, mend: str) -> InvalidInput:
    shown = rule if len(rule) <= 80 else rule[:77] + "..."
    return InvalidInput("composite rule", [Problem("rule", shown, mend)])


class _Reader:
    """Recursive descent over the tokens; counts what CloudWatch counts."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.refs: list[str] = []
        self.elements = 0
        self.depth = 0
        self.tokens: list[tuple[str, str, int]] = []
        at = 0
        while at < len(text.rstrip()):
            match = _TOKEN.match(text, at)
            if match is None:
                _refuse(text, f"the quote at position {text.find(chr(34), at)} is not closed")
            kind = match.lastgroup or ""
            self.tokens.append((kind, match[kind], match.start(kind)))
            at = match.end()
        self.next = 0

    def either(self) -> Reading:
        sides = [self.both()]
        while self._accept("OR"):
            sides.append(self.both())
        return sides[0] if len(sides) == 1 else lambda states: any(side(states) for side in sides)

    def both(self) -> Reading:
        sides = [self.term()]
        while self._accept("AND"):
            sides.append(self.term())
        return sides[0] if len(sides) == 1 else lambda states: all(side(states) for side in sides)

    def term(self) -> Reading:
        negated = False
        while self._accept("NOT"):
            negated = not negated
        holds = self._plain()
        return (lambda states: not holds(states)) if negated else holds

    def _plain(self) -> Reading:
        if self._accept("("):
            self.depth += 1
            if self.depth > DEPTH_LIMIT:
                _refuse(self.text, f"nests deeper than {DEPTH_LIMIT} parentheses; flatten it")
            inner = self.either()
            self._expect(")")
            self.depth -= 1
            return inner
        if self._accept("TRUE"):
            self.elements += 1
            return lambda _states: True
        if self._accept("FALSE"):
            self.elements += 1
            return lambda _states: False
        if self._accept("AT_LEAST"):
            return self._at_least()
        for state in STATES:
            if self._accept(state):
                self._expect("(")
                ref = self._ref()
                self._expect(")")
                return lambda states: state_of(ref, states) == state
        raise self._unexpected("TRUE, FALSE, NOT, AT_LEAST, ALARM, OK, INSUFFICIENT_DATA or (")

    def finish(self) -> None:
        if self.next < len(self.tokens):
            raise self._unexpected("AND, OR or the end")

    def _at_least(self) -> Reading:
        self._expect("(")
        amount, position = self._word("a number or a percentage")
        if not re.fullmatch(r"[1-9]\d*%?", amount) or (amount.endswith("%") and int(amount[:-1]) > 100):
            _refuse(self.text, f"position {position}: {amount} must be a whole number from 1, or 1% to 100%")
        self._expect(",")
        wanted = not self._accept("NOT")
        state, position = self._word("a state")
        if state not in STATES:
            _refuse(self.text, f"position {position}: {state} must be ALARM, OK or INSUFFICIENT_DATA")
        self._expect(",")
        self._expect("(")
        refs = [self._ref()]
        while self._accept(","):
            refs.append(self._ref())
        self._expect(")")
        self._expect(")")
        number = int(amount.rstrip("%"))
        # A percentage is of the alarms listed: 50% of 3 needs 2.
        needed = -(-number * len(refs) // 100) if amount.endswith("%") else number
        if needed > len(refs):
            _refuse(self.text, f"AT_LEAST asks for {needed} of {len(refs)} alarms and can never hold")
        return lambda states: sum((state_of(ref, states) == state) == wanted for ref in refs) >= needed

    def _ref(self) -> str:
        if self.next < len(self.tokens) and self.tokens[self.next][0] == "quoted":
            ref = self.tokens[self.next][1][1:-1]
            self.next += 1
        else:
            ref, _ = self._word("an alarm's name or ARN")
        if not ref:
            _refuse(self.text, "an alarm's name is empty")
        self.elements += 1
        self.refs.append(ref)
        return ref

    def _word(self, wanted: str) -> tuple[str, int]:
        if self.next < len(self.tokens) and self.tokens[self.next][0] == "word":
            _, word, position = self.tokens[self.next]
            self.next += 1
            return word, position
        raise self._unexpected(wanted)

    def _accept(self, wanted: str) -> bool:
        if self.next < len(self.tokens):
            kind, text, _ = self.tokens[self.next]
            if kind != "quoted" and text == wanted:
                self.next += 1
                self.elements += kind == "mark" and wanted != ","
                return True
        return False

    def _expect(self, wanted: str) -> None:
        if not self._accept(wanted):
            raise self._unexpected(wanted)

    def _unexpected(self, wanted: str) -> InvalidInput:
        if self.next < len(self.tokens):
            _, text, position = self.tokens[self.next]
            return _refusal(self.text, f"position {position}: {text} stands where {wanted} is expected")
        return _refusal(self.text, f"ends where {wanted} is expected")
