"""botocore's data, cut down to what the Lambdas call.

Service models are most of botocore's size and of a client's start: of Lambda's some 90 operations six are used.
Trimming keeps the named operations and every shape reachable from them.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

import botocore
from botocore import xform_name
from botocore.loaders import Loader

from sereno.errors import InvalidInput, Problem
from sereno.model import Json

ROOT = Path(botocore.__file__).parent
# What every client reads, whatever its service.
ALWAYS = ("_retry.json", "partitions.json", "sdk-default-configuration.json")


def files(operations: Collection[str]) -> Iterator[tuple[str, bytes]]:
    """The data files, by their path in the package, for operations written `service.method`.

    Raises InvalidInput with every operation that botocore does not know.
    """
    wanted = by_service(operations)
    for name in ALWAYS:
        yield f"botocore/data/{name}", _compact(_read(ROOT / "data" / name))
    yield "botocore/data/endpoints.json", _compact(trim_endpoints(_read(ROOT / "data" / "endpoints.json"), wanted))
    loader = Loader()
    problems: list[Problem] = []
    for service, methods in sorted(wanted.items()):
        version = loader.determine_latest_version(service, "service-2")
        place = f"botocore/data/{service}/{version}"
        model, unknown = trim_model(loader.load_service_model(service, "service-2", version), methods)
        problems += [Problem("permissions", f"{service}.{one}", "is no operation of botocore") for one in unknown]
        yield f"{place}/service-2.json", _compact(model)
        rules = loader.load_service_model(service, "endpoint-rule-set-1", version)
        yield f"{place}/endpoint-rule-set-1.json", _compact(rules)
    if problems:
        raise InvalidInput("remediator", problems)


def event_names(files: Mapping[str, bytes]) -> set[str]:
    """Under which names botocore's events know the services of these data files: the service's id with hyphens, and
    the older names that botocore still registers handlers under (client and endpoint prefix)."""
    found: set[str] = set()
    for name, data in files.items():
        if name.endswith("/service-2.json"):
            metadata = json.loads(data)["metadata"]
            found |= {metadata["serviceId"].lower().replace(" ", "-"), metadata["endpointPrefix"], name.split("/")[2]}
    return found


def by_service(operations: Collection[str]) -> dict[str, set[str]]:
    """Method names by service."""
    found: dict[str, set[str]] = {}
    for operation in operations:
        service, method = operation.split(".")
        found.setdefault(service, set()).add(method)
    return found


def trim_model(model: Mapping[str, Json], methods: Collection[str]) -> tuple[Json, list[str]]:
    """The model with only these operations and the shapes reachable from them, without documentation; and the
    methods that it does not have."""
    named = {xform_name(name): name for name in model["operations"]}
    unknown = sorted(set(methods) - set(named))
    operations = {
        named[method]: _without_documentation(model["operations"][named[method]])
        for method in sorted(methods)
        if method in named
    }
    kept: set[str] = set()
    waiting = [
        reference["shape"]
        for operation in operations.values()
        for reference in (operation.get("input"), operation.get("output"), *operation.get("errors", ()))
        if reference
    ]
    while waiting:
        shape = waiting.pop()
        if shape in kept:
            continue
        kept.add(shape)
        waiting += [reference["shape"] for reference in _references(model["shapes"][shape])]
    trimmed = {name: value for name, value in model.items() if name not in ("documentation", "examples")}
    trimmed["operations"] = operations
    trimmed["shapes"] = {name: _plain_shape(model["shapes"][name]) for name in sorted(kept)}
    return trimmed, unknown


def _references(shape: Json) -> Iterator[Json]:
    yield from shape.get("members", {}).values()
    for part in ("member", "key", "value"):
        if part in shape:
            yield shape[part]


def _plain_shape(shape: Json) -> Json:
    """Documentation is dropped where it is documentation: a member may bear that name."""
    plain = _without_documentation(shape)
    if "members" in plain:
        plain["members"] = {name: _without_documentation(one) for name, one in plain["members"].items()}
    for part in ("member", "key", "value"):
        if part in plain:
            plain[part] = _without_documentation(plain[part])
    return plain


def _without_documentation(node: Json) -> Json:
    return {name: value for name, value in node.items() if name not in ("documentation", "documentationUrl")}


def trim_endpoints(endpoints: Json, services: Collection[str]) -> Json:
    """The endpoints of these services, in every partition and region."""
    return {
        **endpoints,
        "partitions": [
            {
                **one,
                "services": {name: value for name, value in one["services"].items() if _is_of(name, services)},
            }
            for one in endpoints["partitions"]
        ],
    }


# Some services have an endpoint prefix of another name than botocore's client.
_PREFIXES = {"cloudwatch": "monitoring", "application-autoscaling": "application-autoscaling"}


def _is_of(prefix: str, services: Collection[str]) -> bool:
    return prefix in {_PREFIXES.get(one, one) for one in services}


def _read(path: Path) -> Json:
    packed = path.with_name(path.name + ".gz")
    raw = path.read_bytes() if path.exists() else gzip.decompress(packed.read_bytes())
    found: Json = json.loads(raw)
    return found


def _compact(document: Json) -> bytes:
    # In the order of the source: an endpoint rule set is read in order, and members name theirs.
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()
