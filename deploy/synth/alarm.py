"""Alarms and composite alarms as CloudFormation."""

from __future__ import annotations

from collections.abc import Sequence

from alarms import composite
from alarms.spec import AnySpec, CompositeSpec
from deploy.synth import names
from sereno.model import Json

PAGE = "page"
TOPIC: Json = {"Ref": "Topic"}


def resources(specs: Sequence[AnySpec]) -> Json:
    """One resource for each alarm.

    An alarm of page severity also tells people by itself: the way past the notifier, for the day on which Sereno's
    functions are the ones that do not answer. All others reach people through the remediation they start.
    """
    here = {spec.name: names.logical("Alarm", spec.name) for spec in specs}
    return {here[spec.name]: _resource(spec, here) for spec in specs}


def _resource(spec: AnySpec, here: dict[str, str]) -> Json:
    properties = dict(spec.to_cloudformation())
    if spec.severity == PAGE:
        for field in ("AlarmActions", "OKActions"):
            properties[field] = [*properties.get(field, []), TOPIC]
    found: Json = {"Type": spec.resource_type, "Properties": properties}
    if isinstance(spec, CompositeSpec):
        # The rule names its children as text, so CloudFormation cannot see that they must exist first.
        watched = (*composite.children(spec.rule), spec.actions_suppressor or "")
        needed = sorted({here[name] for name in watched if name in here})
        if needed:
            found["DependsOn"] = needed
    return found
