"""One alarm for the whole service: customers are hurt, whatever the cause.

A rule watches a hundred alarms at most. A service with more symptoms gets an alarm for each part of them, which tells
nobody anything by itself, and one over all the parts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from alarms.composite import CHILD_LIMIT, RULE_LIMIT
from alarms.slo import FAST, reachable, runbook_link
from alarms.spec import AnySpec, CompositeSpec
from alarms.wire import alarm_name
from sereno.service import Service

WHAT = "customers-hurt"


def alarms(service: Service) -> list[AnySpec]:
    """`customers-hurt`; nothing for a service that has neither an API nor a function."""
    burns = reachable(service, FAST)
    symptoms = [alarm_name(service.name, api.key, FAST.what if burns else "5xx") for api in service.apis.values()]
    symptoms += [alarm_name(service.name, function.key, "throttles") for function in service.functions.values()]
    if not symptoms:
        return []
    parts = [
        _either(service, f"{WHAT}-part-{number}", chunk, "info", "A part of the symptoms that hurt customers.")
        for number, chunk in enumerate(_chunks(symptoms), start=1)
    ]
    description = (
        f"Customers of {service.name} are hurt: an error budget burns fast, or requests are turned away. "
        "It becomes OK when the last of these symptoms is gone."
    )
    if len(parts) == 1:
        return [_either(service, WHAT, symptoms, "page", description)]
    return [*parts, _either(service, WHAT, [one.name for one in parts], "page", description)]


def _either(service: Service, what: str, watched: Sequence[str], severity: str, description: str) -> CompositeSpec:
    return CompositeSpec(
        name=alarm_name(service.name, service.name, what),
        rule=_rule(watched),
        description=description,
        severity=severity,
        runbook=runbook_link(service, WHAT),
    )


def _rule(names: Iterable[str]) -> str:
    return " OR ".join(f'ALARM("{name}")' for name in names)


def _chunks(names: Sequence[str]) -> Iterator[list[str]]:
    """As few parts as CloudWatch's limits on a rule allow."""
    chunk: list[str] = []
    for name in names:
        if chunk and (len(chunk) == CHILD_LIMIT or len(_rule([*chunk, name])) > RULE_LIMIT):
            yield chunk
            chunk = []
        chunk.append(name)
    yield chunk
