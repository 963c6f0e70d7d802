"""Does a fenced function answer a probed path? The routes of the APIs tell, where the configuration cannot.

A fenced function answers nobody while traffic is away. One behind a probed path would keep the first region from
being seen to be well again, and traffic could never go back.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from deploy.apply.deployed import answer
from sereno.errors import Problem
from sereno.ports import Aws
from sereno.service import Api, Service

_GONE = frozenset({"NotFoundException"})
# In an integration's URI, of a REST API and of an HTTP API alike.
_FUNCTION = re.compile(r":function:([A-Za-z0-9_-]+)")
# A path that is left to a function: its parameters, and `{proxy+}`, which takes all that follows.
_PARAMETER, _GREEDY = re.compile(r"\{[^/{}+]+\}"), re.compile(r"\{[^/{}]+\+\}")


def look(aws: Aws, service: Service) -> Iterator[Problem]:
    """Each probed path that a fenced function answers in the first region. Reads only; raises what AWS raises."""
    recovery = service.recovery
    if recovery is None or not recovery.fence or service.region != recovery.primary:
        return
    routes = dict(_routes(aws, service.apis))
    keys = {service.functions[key].name: key for key in recovery.fence}
    for path in recovery.paths:
        route = best(path, tuple(routes))
        name = routes.get(route or "", "")
        if name in keys:
            fix = f"is fenced, and answers the probed path {path} (leave it out of fence, or probe another path)"
            yield Problem("recovery.fence", keys[name], fix)


def best(path: str, routes: Sequence[str]) -> str | None:
    """The route that a path takes: API Gateway prefers an exact segment to a parameter, and that to `{proxy+}`."""
    wanted = path.split("?", maxsplit=1)[0].strip("/").split("/")
    found = [(weights, route) for route in routes if (weights := _weights(route, wanted)) is not None]
    return max(found)[1] if found else None


def _weights(route: str, wanted: Sequence[str]) -> tuple[int, ...] | None:
    """How exactly each segment of a route fits a path; None where it does not."""
    weights: list[int] = []
    segments = route.strip("/").split("/")
    for number, segment in enumerate(segments):
        if _GREEDY.fullmatch(segment):
            return (*weights, 0) if number < len(wanted) and wanted[number] else None
        if number >= len(wanted):
            return None
        if segment == wanted[number]:
            weights.append(2)
        elif _PARAMETER.fullmatch(segment):
            weights.append(1)
        else:
            return None
    return tuple(weights) if len(segments) == len(wanted) else None


def _routes(aws: Aws, apis: Mapping[str, Api]) -> Iterator[tuple[str, str]]:
    """(path, function's name) of what GET requests reach. An API that is not there is told elsewhere."""
    rest = {one.name for one in apis.values() if one.kind == "rest"}
    if rest:
        client = aws.client("apigateway")
        for page in client.get_paginator("get_rest_apis").paginate():
            for one in page.get("items", []):
                if one["name"] in rest:
                    yield from _of_rest(client, one["id"])
    for api in apis.values():
        if api.kind == "rest" or not api.id:
            continue
        client = aws.client("apigatewayv2")
        if answer(_GONE, client.get_api, ApiId=api.id) is not None:
            yield from _of_http(client, api.id)


def _of_rest(client: Any, api: str) -> Iterator[tuple[str, str]]:
    for page in client.get_paginator("get_resources").paginate(restApiId=api, embed=["methods"]):
        for resource in page.get("items", []):
            methods = resource.get("resourceMethods", {})
            method = methods.get("GET") or methods.get("ANY") or {}
            if name := _function(method.get("methodIntegration", {}).get("uri")):
                yield resource["path"], name


def _of_http(client: Any, api: str) -> Iterator[tuple[str, str]]:
    uris = {
        f"integrations/{one['IntegrationId']}": one.get("IntegrationUri")
        for page in client.get_paginator("get_integrations").paginate(ApiId=api)
        for one in page["Items"]
    }
    for page in client.get_paginator("get_routes").paginate(ApiId=api):
        for route in page["Items"]:
            method, _, path = route["RouteKey"].partition(" ")
            name = _function(uris.get(route.get("Target", "")))
            if name and (method in ("GET", "ANY") or route["RouteKey"] == "$default"):
                yield path or "/{default+}", name


def _function(uri: str | None) -> str:
    found = _FUNCTION.search(uri or "")
    return found[1] if found else ""
