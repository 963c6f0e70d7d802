"""What to watch of each HTTP API stage: the same as of a REST API's, in metrics of other names and other keys.

A function that is throttled shows here as 503, and one that fails or times out as 500 or 503: both are `5xx`. There
is no cache and no 29-second limit to be raised; an HTTP API gives its integration 30 seconds at most:
https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html
"""

from __future__ import annotations

from alarms.api_alarms import api_alarms
from alarms.spec import AnySpec
from sereno.service import Service


def alarms(service: Service) -> list[AnySpec]:
    """The alarms of all HTTP APIs of the service."""
    return [spec for api in service.apis.values() if api.kind == "http" for spec in api_alarms(service, api)]
