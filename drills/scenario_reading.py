"""What every part of a scenario's reader needs: the raw mapping, and the problems found in it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from deploy.config_checks import nearest
from drills import scenario_values as values
from sereno.errors import Problem

Parse = Callable[[object], Any]
_MISSING = object()


class Reading:
    """One scenario in the course of being read. Whoever reads a part says what is wrong with it, and goes on."""

    def __init__(self, raw: Mapping[str, Any]) -> None:
        self.raw = raw
        self.problems: list[Problem] = []

    def say(self, path: str, value: object, mend: str) -> None:
        """One more problem."""
        self.problems.append(Problem(path, value, mend))

    def unknown(self, raw: Mapping[str, Any], known: Collection[str], path: str) -> None:
        """Says each key that means nothing here."""
        for key in raw:
            if key not in known:
                near = nearest(str(key), known)
                self.say(f"{path}{key}", None, f"is no key here{near}; known: {', '.join(known)}")

    def mapping(self, key: str, *, quiet: bool = False) -> dict[str, Any]:
        """The mapping under a key of the file; empty, and said unless `quiet`, when there is none."""
        raw = self.raw.get(key)
        if isinstance(raw, Mapping) and raw:
            return {str(name): value for name, value in raw.items()}
        if not quiet or (raw is not None and not isinstance(raw, Mapping)):
            self.say(key, raw, "is missing or no mapping")
        return {}

    def items(self, raw: object, path: str, example: str) -> list[tuple[str, Mapping[str, Any]]]:
        """The mappings of a list, each with its place."""
        if raw is None:
            return []
        if not isinstance(raw, list):
            self.say(path, raw, f"is no list (write - {example})")
            return []
        found = []
        for number, one in enumerate(raw):
            if isinstance(one, Mapping):
                found.append((f"{path}[{number}].", one))
            else:
                self.say(f"{path}[{number}]", one, f"is no mapping (write {example})")
        return found

    def points(
        self, raw: object, path: str, parse: Parse, example: str, what: str, *, length: float = 0
    ) -> tuple[tuple[float, float], ...]:
        """The points (seconds, value) of a profile, in order. `what` says what a point is; with `length` (seconds)
        none may lie after the drill's end."""
        if raw is None:
            return ()
        if not isinstance(raw, list) or not raw:
            self.say(path, raw, f"is no list of points (write - {example}: {what})")
            return ()
        found: list[tuple[float, float]] = []
        for number, point in enumerate(raw):
            place = f"{path}[{number}]"
            if not isinstance(point, list) or len(point) != 2:
                self.say(place, point, f"is no point (write {example}: {what})")
                continue
            at = self.parse(point[0], values.duration, place, None)
            value = self.parse(point[1], parse, place, None)
            if at is None or value is None:
                continue
            if found and at <= found[-1][0]:
                self.say(place, point[0], "does not come after the point before it (put the points in order)")
            if length and at > length:
                self.say(place, point[0], "lies after the drill's end (raise duration, or take the point out)")
            found.append((at, float(value)))
        return tuple(found)

    def part(self, raw: object, path: str, example: str) -> Mapping[str, Any] | None:
        """A mapping; None, and said, for anything else."""
        if isinstance(raw, Mapping):
            return raw
        self.say(path, raw, f"is no mapping (write {example})")
        return None

    def take(
        self, raw: Mapping[str, Any], key: str, parse: Parse, path: str, default: Any, *, needed: bool = True
    ) -> Any:
        """The value under a key, parsed; the default when it is missing or wrong."""
        value = raw.get(key, _MISSING)
        if value is _MISSING or value is None:
            if needed:
                self.say(f"{path}{key}", None, "is missing")
            return default
        return self.parse(value, parse, f"{path}{key}", default)

    def parse(self, value: object, parse: Parse, path: str, default: Any) -> Any:
        """A value parsed; the default when it is wrong."""
        try:
            return parse(value)
        except ValueError as error:
            self.say(path, value, str(error))
            return default

    def key_among(self, key: object, known: Collection[str], path: str, what: str) -> str | None:
        """A key that names something of this scenario; None, and said, when it names nothing."""
        if key in known:
            return str(key)
        mend = f"is no {what} of this scenario{nearest(str(key), known)}; known: {', '.join(known) or 'none'}"
        self.say(path, key, mend)
        return None
