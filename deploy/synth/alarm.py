"""Alarms and composite alarms as CloudFormation."""

from __future__ import annotations

from collections.abc import Sequence

from alarms import composite
from alarms.packs import customers
from alarms.spec import AnySpec, CompositeSpec
from deploy.synth import names
from sereno.model import Json, Mode
from sereno.service import Service

PAGE, TICKET = "page", "ticket"
PEOPLE: Json = {"Ref": "People"}


def resources(service: Service, specs: Sequence[AnySpec]) -> Json:
    """One resource for each alarm."""
    here = {spec.name: names.logical("Alarm", spec.name) for spec in specs}
    return {here[spec.name]: _resource(service, spec, here) for spec in specs}


def tells_people(service: Service, spec: AnySpec) -> bool:
    """Whether an alarm goes to the topic of people by itself.

    `customers-hurt` does, and self-monitoring of page severity: they are the way past the notifier, for the day on
    which Sereno's functions are the ones that do not answer. The symptoms under `customers-hurt` do not: one page an
    incident. So does a ticket that no play answers, for nobody else would hear of it. All others reach people through
    the remediation they start; those of severity info only feed a composite.
    """
    if customers.is_symptom(service, spec):
        return False
    play = service.playbook.get(spec.what) if spec.name.startswith(f"{service.name}/") else None
    answered = play is not None and play.mode is not Mode.OFF
    return spec.severity == PAGE or (spec.severity == TICKET and not answered)


def _resource(service: Service, spec: AnySpec, here: dict[str, str]) -> Json:
    properties = dict(spec.to_cloudformation())
    if tells_people(service, spec):
        for field in ("AlarmActions", "OKActions"):
            properties[field] = [*properties.get(field, []), PEOPLE]
    found: Json = {"Type": spec.resource_type, "Properties": properties}
    if isinstance(spec, CompositeSpec):
        # The rule names its children as text, so CloudFormation cannot see that they must exist first.
        watched = (*composite.children(spec.rule), spec.actions_suppressor or "")
        needed = sorted({here[name] for name in watched if name in here})
        if needed:
            found["DependsOn"] = needed
    return found
