"""One alarm for the whole service: customers are hurt, whatever the cause."""

from __future__ import annotations

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
    return [
        CompositeSpec(
            name=alarm_name(service.name, service.name, WHAT),
            rule=" OR ".join(f'ALARM("{name}")' for name in symptoms),
            description=(
                f"Customers of {service.name} are hurt: an error budget burns fast, or requests are turned away. "
                "It becomes OK when the last of these symptoms is gone."
            ),
            severity="page",
            runbook=runbook_link(service, WHAT),
        )
    ]
