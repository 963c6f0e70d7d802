"""Reading one resource's properties: a value that fits, or a line in the log that says why there is none."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from deploy.intake import intrinsics
from deploy.intake.findings import Draft, Log
from deploy.intake.scope import Scope
from deploy.intake.values import NO_VALUE, Trace, Unknown, shown, text_of, unknown_in, whole

PLAIN_TEXT = r"[^\x00-\x1f\x7f]{1,255}"


class Look:
    """The properties of one resource. What is read for a field of a draft leaves its trace and its doubts there."""

    def __init__(self, scope: Scope, logical_id: str, log: Log) -> None:
        self.scope = scope
        self.logical_id = logical_id
        self.log = log
        written = intrinsics.included(scope, scope.properties(logical_id))
        # Properties that a macro makes are told where the template is read.
        self.properties: Mapping[str, Any] = {} if intrinsics.is_call(written) else written
        self.place = f"{scope.prefix}Resources.{logical_id}"

    def has(self, name: str) -> bool:
        """Whether the property is written and is not left out by AWS::NoValue."""
        return self.raw((name,), Trace()) is not None

    def raw(self, path: tuple[str, ...], trace: Trace) -> Any:
        """The value at a path of properties, resolved; None where nothing is written. Only what the path leads to is
        looked at, so that the trace holds nothing of its neighbours."""
        node: Any = self.properties
        for place, name in enumerate(path):
            node = intrinsics.included(self.scope, node)
            if not isinstance(node, dict) or intrinsics.is_call(node):
                return self._within(node, path[place:], trace)
            node = node.get(name)
        value = self.scope.resolve(node, trace)
        return None if value is NO_VALUE else value

    def _within(self, node: Any, path: tuple[str, ...], trace: Trace) -> Any:
        """The rest of a path inside what an intrinsic function gives."""
        value = self.scope.resolve(node, trace)
        for name in path:
            if not isinstance(value, dict):
                return value if isinstance(value, Unknown) else None
            value = value.get(name)
        return value

    def text(
        self, draft: Draft, field: str, path: tuple[str, ...], pattern: str = PLAIN_TEXT, instead: str = ""
    ) -> str | None:
        """Text of a pattern for a field."""

        def fits(value: Any) -> str | None:
            text = text_of(value)
            return text if text is not None and re.fullmatch(pattern, text) and text.isprintable() else None

        found: str | None = self._fitting(draft, field, path, fits, f"is not of the form {pattern}", instead)
        return found

    def whole(
        self, draft: Draft, field: str, path: tuple[str, ...], low: int, high: int, instead: str = ""
    ) -> int | None:
        """A whole number within bounds for a field."""

        def fits(value: Any) -> int | None:
            number = whole(value)
            return number if number is not None and low <= number <= high else None

        misfit = f"is no whole number from {low} to {high}"
        found: int | None = self._fitting(draft, field, path, fits, misfit, instead)
        return found

    def _fitting(
        self,
        draft: Draft,
        field: str,
        path: tuple[str, ...],
        fits: Callable[[Any], Any],
        misfit: str,
        instead: str,
    ) -> Any:
        trace = Trace()
        value = self.raw(path, trace)
        if value is None:
            return None
        unknown = unknown_in(value)
        found = None if unknown else fits(value)
        if found is not None:
            draft.traces[field] = trace
            return found
        expression, why = (unknown.expression, unknown.why) if unknown else (shown(value), misfit)
        self.cannot(path, expression, why, instead)
        draft.doubt(field, f"unresolved: {expression} {why}")
        return None

    def cannot(self, path: tuple[str, ...], expression: str, why: str, instead: str) -> None:
        """Logs that a property of this resource does not tell."""
        self.log.cannot(f"{self.place}.Properties.{'.'.join(path)}", expression, why, instead)


def named(look: Look, draft: Draft, field: str, prop: str, pattern: str, low: int, high: int) -> str:
    """The resource's name for a field: as written, or as CloudFormation would begin it, made to fit."""
    scope = look.scope
    if look.logical_id in scope.given.physical:
        name = scope.given.physical[look.logical_id]
        if re.fullmatch(pattern, name):
            return name
    else:
        written = look.text(draft, field, (prop,), pattern, "the name is assumed")
        if written is not None:
            return written
    trace = Trace()
    name = scope.name_of(look.logical_id, trace)
    if not re.fullmatch(pattern, name):
        name = f"{scope.given.stack}-{look.logical_id}"
    trace.generated.add(f"{scope.prefix}{look.logical_id}")
    draft.traces[field] = trace
    return re.sub(r"[^A-Za-z0-9_-]", "-", name)[:high].ljust(low, "-")
