"""Remediators are found by being there: a module in `remediators/actions/` with a `REMEDIATOR`."""

from __future__ import annotations

import importlib

from sereno.errors import SerenoError
from sereno.ports import Remediator


def names() -> list[str]:
    """The names of all remediators, without importing them."""
    # A Lambda knows its remediator and never asks: what it does not need is not loaded there.
    import pkgutil

    from remediators import actions

    return sorted(one.name for one in pkgutil.iter_modules(actions.__path__) if not one.name.startswith("_"))


def load(name: str) -> Remediator:
    """The remediator of this name; only its own module is imported. Raises SerenoError naming those that exist."""
    module = f"remediators.actions.{name}"
    try:
        if not name.isidentifier() or name.startswith("_"):
            raise ModuleNotFoundError(name=module)
        found = importlib.import_module(module).REMEDIATOR
    except ModuleNotFoundError as error:
        if error.name != module:
            raise
        raise SerenoError(f'remediator "{name}" does not exist (there are: {", ".join(names())})') from None
    if not isinstance(found, Remediator) or found.name != name:
        raise SerenoError(f"remediators/actions/{name}.py: REMEDIATOR must be a Remediator named {name!r}")
    return found


def all_remediators() -> dict[str, Remediator]:
    """Every remediator by name."""
    return {name: load(name) for name in names()}
