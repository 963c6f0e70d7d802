"""The page of commands, read from the functions behind them: their signatures, annotations and docstrings."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from types import NoneType
from typing import Any, get_args, get_type_hints

from typer import Context, Typer
from typer.models import ArgumentInfo, OptionInfo

from console import main

INTRODUCTION = """\
# Commands

Every command answers `--help`. Those that show something take `--json` and then print one JSON document and nothing
else on standard output. Colour follows `NO_COLOR` and goes away in a pipe. `sereno --version` prints the version.

The commands that read or write the ledger need credentials for the watched account, and of that account only the
ledger: `dynamodb:GetItem`, `Query`, `PutItem` and `UpdateItem` on `sereno-<service>-ledger` and its index.

`--live` reads settings, quotas and metrics, and changes nothing: `lambda:GetAccountSettings`, `GetFunction`,
`GetFunctionConcurrency` and `GetProvisionedConcurrencyConfig`, `dynamodb:DescribeTable` and `DescribeLimits`,
`application-autoscaling:DescribeScalableTargets`, `cloudwatch:GetMetricData`, `servicequotas:GetServiceQuota`,
`apigateway:GET`. AWS answers `DescribeLimits` once a minute: when it throttles, the limits that the ledger keeps are
taken (`dynamodb:GetItem`).
"""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One argument or option: its name in Python, its type, what Typer was told of it, and its default."""

    name: str
    kind: type
    info: OptionInfo | ArgumentInfo
    default: Any

    @property
    def required(self) -> bool:
        return self.default is inspect.Parameter.empty

    @property
    def is_argument(self) -> bool:
        return isinstance(self.info, ArgumentInfo)


def render() -> str:
    """The page, in Markdown."""
    return "\n".join([INTRODUCTION, *_exit_codes(), *_commands()])


def commands() -> dict[str, Callable[..., Any]]:
    """The function behind each command, by the command's name (`event list` for one of a group), sorted."""
    return dict(sorted(_named(main.app)))


def _named(app: Typer, group: str = "") -> Iterator[tuple[str, Callable[..., Any]]]:
    for one in app.registered_commands:
        if one.callback:
            yield f"{group}{one.name or one.callback.__name__}", one.callback
    for inner in app.registered_groups:
        sub = inner.typer_instance
        if sub is None:
            continue
        own = sub.registered_callback
        if own is not None and own.callback is not None:
            yield f"{group}{inner.name}", own.callback
        yield from _named(sub, f"{group}{inner.name} ")


def parameters(command: Callable[..., Any]) -> list[Parameter]:
    """Arguments first, then options, each in the order of the signature."""
    hints = get_type_hints(command, include_extras=True)
    found = []
    for name, one in inspect.signature(command).parameters.items():
        if hints[name] is Context:
            continue  # the framework's own, which nobody types
        kind, info = get_args(hints[name])[:2]
        plain = [part for part in get_args(kind) if part is not NoneType]
        found.append(Parameter(name, plain[0] if plain else kind, info, one.default))
    return sorted(found, key=lambda one: not one.is_argument)


def _exit_codes() -> Iterator[str]:
    said = (main.__doc__ or "").split("Exit codes:", 1)[1]
    yield "## Exit codes\n\n| code | meaning |\n|---|---|"
    for part in " ".join(said.split()).rstrip(".").split("; "):
        code, meaning = part.split(" ", 1)
        yield f"| {code} | {meaning} |"
    yield ""


def _commands() -> Iterator[str]:
    for name, command in commands().items():
        taken = parameters(command)
        words = [one.name.upper() if one.required else f"[{one.name.upper()}]" for one in taken if one.is_argument]
        yield f"## sereno {name}\n"
        yield " ".join((command.__doc__ or "").split()) + "\n"
        options = ["[OPTIONS]"] if len(words) < len(taken) else []
        yield f"```\nsereno {' '.join([name, *words, *options])}\n```\n"
        if taken:
            yield "| argument or option | meaning | default |\n|---|---|---|"
            yield from (_row(one) for one in taken)
            yield ""


def spellings(one: Parameter) -> list[str]:
    """How an option is written: `--config`, `-c`."""
    # Inside Annotated the first name that is declared arrives as the default.
    declared = [str(text) for text in (one.info.default, *(one.info.param_decls or ())) if str(text).startswith("-")]
    return declared or [f"--{one.name}"]


def _row(one: Parameter) -> str:
    spelled = one.name.upper() if one.is_argument else ", ".join(spellings(one))
    return f"| `{spelled}{_value(one)}` | {one.info.help or ''} | {_default(one)} |"


def _value(one: Parameter) -> str:
    if one.is_argument or one.kind is bool:
        return ""
    if issubclass(one.kind, Enum):
        return " " + "\\|".join(str(choice.value) for choice in one.kind)
    low, high = one.info.min, one.info.max
    bounds = "" if low is None else f" {low}..{'' if high is None else high}"
    return f" <{one.kind.__name__.lower()}{bounds}>"


def _default(one: Parameter) -> str:
    if one.required:
        return "required"
    return "" if one.default is None or one.default is False else f"`{one.default}`"
