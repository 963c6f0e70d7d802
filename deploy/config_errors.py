"""Turns pydantic's errors into problems that name the place in the file, the value and the mend."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, get_args

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from deploy import config_checks
from deploy.config_model import Config
from sereno.errors import Problem

_MENDS = {
    "missing": "is missing",
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
    "greater_than": "must be more than {gt}",
    "enum": "must be {expected}",
    "tuple_type": "must be a list (write [ ... ])",
    "model_type": "must be a section with keys of its own",
    "dict_type": "must be a section with keys of its own",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "string_type": "must be text",
    "string_too_short": "must not be empty",
    "string_pattern_mismatch": "must look like {pattern}",
    "too_short": "must not be empty",
}
# What stands here by mistake may be a secret itself: it is not repeated.
HOLD_SECRETS, HIDDEN = ("secret", "slack", "pagerduty"), "(not shown)"
# What an event's start and end were called before they got the names people say.
RENAMED = {"starts": "from", "ends": "to"}


def problem(detail: ErrorDetails) -> Problem:
    """One error of the models, in the words of the file."""
    kind, where = detail["type"], [part for part in detail["loc"] if part != "[key]"]
    if where[-1:] and where[-1] in ("str", "int", "float", "bool"):
        where, kind = where[:-1], "scalar"
    path = _path(where)
    value = detail["input"]
    if where[:1] == ["notifications"] and where[-1] in HOLD_SECRETS and value is not None:
        value = HIDDEN
    if kind == "missing":
        return Problem(path, None, _MENDS["missing"])
    if kind == "extra_forbidden":
        keys = _fields(where[:-1])
        if where[-1] in RENAMED and where[0] == "events":
            return Problem(path, None, f"is called {RENAMED[str(where[-1])]} (rename the key)")
        return Problem(path, None, f"is no known key (known: {', '.join(keys)}){_near(where[-1], keys)}")
    if kind == "scalar":
        return Problem(path, _shown(value), "must be a single text, number, true or false")
    if kind in ("enum", "literal_error"):
        expected = detail.get("ctx", {}).get("expected", "").replace("'", "")
        choices = expected.replace(" or", ",").split(", ")
        return Problem(path, _shown(value), f"must be {expected}{_near(value, choices)}")
    # Only our own texts have places to fill in: another may quote braces out of the file.
    mend = _MENDS[kind].format(**detail.get("ctx", {})) if kind in _MENDS else detail["msg"]
    return Problem(path, _shown(value), mend)


def _near(word: object, known: Collection[str]) -> str:
    return config_checks.nearest(str(word), known)


def _shown(value: object) -> object:
    return "(nothing)" if value is None else value


def _path(where: list[int | str]) -> str:
    path = ""
    for part in where:
        name = part if part != "" else '""'
        path += f"[{part}]" if isinstance(part, int) else f".{name}" if path else str(name)
    return path


def _fields(where: list[int | str]) -> list[str]:
    """The keys known at a place, found by walking the models along it."""
    model: Any = Config
    for part in where:
        if isinstance(model, type) and issubclass(model, BaseModel):
            model = model.model_fields[str(part)].annotation if str(part) in model.model_fields else None
        else:
            # A mapping or a tuple: the part is a key or an index of it.
            model = next((one for one in get_args(model) if _is_model(one)), None)
        while model is not None and not _is_model(model) and _is_model_or_none(model):
            model = next(one for one in get_args(model) if _is_model(one))
    return sorted(field.alias or name for name, field in model.model_fields.items()) if _is_model(model) else []


def _is_model(one: Any) -> bool:
    return isinstance(one, type) and issubclass(one, BaseModel)


def _is_model_or_none(one: Any) -> bool:
    return type(None) in get_args(one) and any(_is_model(arg) for arg in get_args(one))


def distinct(problems: list[Problem]) -> list[Problem]:
    """One problem a place and mend: a wrong shape is told by the model, and perhaps by a check too. What stands there
    under an old name is not missing."""
    told = list({(one.path, one.mend): one for one in problems}.values())
    parts = [one.path.rpartition(".") for one in told if one.path.startswith("events[")]
    renamed = {f"{place}.{RENAMED[key]}" for place, _, key in parts if key in RENAMED}
    return [one for one in told if one.mend != _MENDS["missing"] or one.path not in renamed]


def in_order(problems: list[Problem], raw: Mapping[str, Any]) -> list[Problem]:
    """By the order of the file's sections, for a reader who goes through it from the top."""
    sections = [str(key) for key in raw]

    def rank(one: Problem) -> int:
        section = one.path.split(".")[0].split("[")[0]
        return sections.index(section) if section in sections else len(sections)

    return sorted(problems, key=rank)
