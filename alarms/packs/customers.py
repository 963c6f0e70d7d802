"""One alarm for the whole service: customers are hurt, whatever the cause.

It watches every alarm of the service that pages, and is the only one of them that notifies people directly: one page
an incident, past Sereno's own code. Metric alarms cannot be suppressed by another alarm, so the symptoms below it
have no action for people at all. A rule watches a hundred alarms at most. A service with more symptoms gets an alarm
for each part of them, which notifies nobody by itself, and one over all the parts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from alarms.composite import CHILD_LIMIT, RULE_LIMIT
from alarms.slo import runbook_link
from alarms.spec import AnySpec, CompositeSpec
from alarms.wire import alarm_name
from sereno.service import CUSTOMERS_HURT, Service

WHAT = CUSTOMERS_HURT
PAGE = "page"


def alarms(service: Service, others: Iterable[AnySpec]) -> list[AnySpec]:
    """`customers-hurt` over the alarms of the other packs; nothing where none of them pages."""
    symptoms = sorted(spec.name for spec in others if is_symptom(service, spec))
    if not symptoms:
        return []
    parts = [
        _either(service, f"{WHAT}-part-{number}", chunk, "info", "A part of the symptoms that hurt customers.")
        for number, chunk in enumerate(_chunks(symptoms), start=1)
    ]
    description = (
        f"Customers of {service.name} are hurt: one of its alarms that page is in ALARM, such as failing requests or "
        "an error budget that burns fast. It notifies people directly, and the symptoms do not. It becomes OK when "
        "the last of these symptoms is gone."
    )
    if len(parts) == 1:
        return [_either(service, WHAT, symptoms, PAGE, description)]
    return [*parts, _either(service, WHAT, [one.name for one in parts], PAGE, description)]


def is_symptom(service: Service, spec: AnySpec) -> bool:
    """Whether an alarm pages for what customers see; self-monitoring (`sereno-<service>/`) is not among them."""
    return spec.severity == PAGE and spec.name.startswith(f"{service.name}/") and spec.what != WHAT


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
