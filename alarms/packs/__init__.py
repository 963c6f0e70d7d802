"""The packs: what to watch for each kind of resource.

A pack is a module in this folder with `alarms(service) -> list[AlarmSpec | CompositeSpec]`. It is found by being
there; nothing else has to be edited. `customers` comes last: it watches the alarms of all the others.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Iterator, Sequence
from functools import lru_cache
from importlib import import_module
from types import ModuleType

from alarms.catalogue import check_all
from alarms.packs import customers, watchman
from alarms.spec import AnySpec
from sereno.errors import InvalidInput
from sereno.service import Service


def packs() -> Iterator[ModuleType]:
    """Every pack, in the order of the names."""
    for name in _names(tuple(__path__)):
        yield import_module(f"{__name__}.{name}")


@lru_cache(maxsize=8)
def _names(folders: tuple[str, ...]) -> tuple[str, ...]:
    """Looked up once: a thousand services ask a thousand times."""
    return tuple(sorted(found.name for found in pkgutil.iter_modules(folders)))


def all_alarms(
    service: Service, *, functions: Sequence[str] | None = None, rules: Sequence[str] | None = None
) -> tuple[AnySpec, ...]:
    """The alarms of every pack, sorted by name.

    `functions` and `rules` are the names of Sereno's own functions and rules, as the deployment gives them; left out,
    they follow from the playbook. Raises InvalidInput with everything the catalogue finds wrong.
    """
    found: list[AnySpec] = []
    for pack in packs():
        if pack is watchman:
            found += watchman.alarms(service, functions=functions, rules=rules)
        elif pack is not customers:
            found += pack.alarms(service)
    found += customers.alarms(service, found)
    specs = tuple(sorted(found, key=lambda spec: spec.name))
    if problems := check_all(specs):
        raise InvalidInput(f"alarms of {service.name}", problems)
    return specs
