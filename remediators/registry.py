"""Remediators are found by being there: a module in `remediators/actions/` with a `REMEDIATOR`."""

from __future__ import annotations

import importlib
import pkgutil

from remediators import actions
from sereno.errors import SerenoError
from sereno.ports import Remediator


def names() -> list[str]:
    """The names of all remediators, without importing them."""
    return sorted(one.name for one in pkgutil.iter_modules(actions.__path__) if not one.name.startswith("_"))


def load(name: str) -> Remediator:
    """The remediator of this name; only its own module is imported. Raises SerenoError naming those that exist."""
    if name not in names():
        raise SerenoError(f'remediator "{name}" does not exist (there are: {", ".join(names())})')
    found = importlib.import_module(f"remediators.actions.{name}").REMEDIATOR
    if not isinstance(found, Remediator) or found.name != name:
        raise SerenoError(f"remediators/actions/{name}.py: REMEDIATOR must be a Remediator named {name!r}")
    return found


def all_remediators() -> dict[str, Remediator]:
    """Every remediator by name."""
    return {name: load(name) for name in names()}
