"""What to watch of each REST API stage: what its customers see."""

from __future__ import annotations

from alarms.api_alarms import api_alarms
from alarms.spec import AnySpec
from sereno.service import Service


def alarms(service: Service) -> list[AnySpec]:
    """The alarms of all REST APIs of the service."""
    return [spec for api in service.apis.values() if api.kind == "rest" for spec in api_alarms(service, api)]
