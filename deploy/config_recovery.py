"""How the service survives the loss of a region: the shape, checks and compilation of `recovery:` in `sereno.yaml`.

What is wrong is found from the raw data, as in `deploy.config_checks`, so that all of it is told at once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, BeforeValidator, Field

from deploy import config_types
from deploy.config_types import CLOSED, Key, Minutes, Region, Seconds, between, text_like
from sereno.errors import Problem
from sereno.model import Json
from sereno.service import REGION_BACK, REGION_OUT

HEALTH_SWITCH, METRIC_SWITCH, WEIGHTED = "health-switch", "metric-switch", "weighted"
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
BUCKET_LIMIT = 63
PATHS = 3
# The whole host is a CNAME's value and an SNI name; a base path would be in neither.
_HOST = r"https://[a-z0-9-]+(\.[a-z0-9-]+)+"
_NO_HOST = "is no address of a host over HTTPS (write it like https://api.example.com; paths stand in recovery.paths)"

Host = Annotated[str, *text_like(_HOST, _NO_HOST, _NO_HOST)]
Path = Annotated[str, *text_like(r"/[^\s#]{0,254}", "is no path (write it like /health)")]
ZoneId = Annotated[
    str, *text_like("Z[A-Z0-9]{1,31}", "is no id of a hosted zone (aws route53 list-hosted-zones lists them)")
]
# Without dots: the certificate of S3's own host covers one label before it.
BucketName = Annotated[
    str, *text_like("[a-z0-9][a-z0-9-]{1,61}[a-z0-9]", "is no bucket name (3 to 63 of a-z, 0-9 and -, no dots)")
]


def _regional(value: object) -> object:
    """A zone's shift has no meaning for what is regional. Raises PydanticCustomError."""
    if isinstance(value, str) and value.replace("_", "-") == "zonal-shift":
        raise config_types.mend(
            "is for load balancers and Auto Scaling groups, which Sereno does not watch: API Gateway, Lambda and "
            "DynamoDB leave a lost zone by themselves (write health-switch; see docs/regions.md)"
        )
    return value


class RecoveryConfig(BaseModel):
    """Which region takes over, how it is known that the first is out, and how traffic is moved."""

    model_config = CLOSED

    standby: Region | None = Field(default=None, description="The region that takes over; left out: the second.")
    witness: Region = Field(description="A region that is none of `regions` and tries them too.")
    strategy: Annotated[Literal["health-switch", "metric-switch", "weighted"], BeforeValidator(_regional)] = (
        "health-switch"
    )
    url: Host = Field(description="Where customers call.")
    urls: dict[Region, Host] = Field(description="Where each region answers by itself.")
    paths: tuple[Path, ...] = ("/health",)
    canary: Key | None = Field(default=None, description="A table of `resources`: its delay is measured.")
    canary_key: Annotated[str, Field(min_length=1, max_length=255)] = "id"
    zone: ZoneId | None = Field(
        default=None, description="Hosted zone of `url`; left out, checks are made and no record."
    )
    bucket: BucketName | None = Field(default=None, description="Bucket of the switch; left out: named by itself.")
    confirm: Annotated[Seconds, between(5, 300, "must lie between 5s and 5m")] = 10
    minimum_stay: Annotated[Minutes, between(300, 86_400, "must lie between 5m and 24h")] = 1800
    healthy: Annotated[Minutes, between(60, 86_400, "must lie between 1m and 24h")] = 600
    # Clients hold a record for its TTL of 20 s, and what they then meet must still be seen.
    stage: Annotated[Minutes, between(60, 3600, "must lie between 1m and 1h")] = 180
    fence: tuple[Key, ...] = Field(
        default=(), description="Functions that write: stopped in the first region once traffic has moved."
    )
    compare: tuple[Key, ...] | None = Field(
        default=None, description="Tables of which a sample is compared before traffic comes back (default: all)."
    )


def compiled(
    config: RecoveryConfig, service: str, account: str, regions: Sequence[str], tables: Sequence[str] = ()
) -> Json:
    """What `Recovery.from_json` reads. `tables` are the keys of all that are declared."""
    standby = config.standby or regions[1]
    name = urlsplit(config.url).netloc
    return {
        "primary": regions[0],
        "standby": standby,
        "witness": config.witness,
        "url": config.url,
        "urls": dict(config.urls),
        "strategy": config.strategy,
        "paths": list(config.paths),
        "bucket": _bucket(config, service, account, standby),
        "canary": config.canary,
        "canary_key": config.canary_key,
        "zone": config.zone or "",
        "name": name,
        "shares": f"shares.{name}" if config.zone else "",
        "confirm_s": config.confirm,
        "minimum_stay_s": config.minimum_stay,
        "healthy_s": config.healthy,
        "stage_s": config.stage,
        "fence": list(config.fence),
        "compare": list(tables if config.compare is None else config.compare),
    }


APEX = (
    "is the apex of its zone, and DNS allows no CNAME there: the records of the switch need a name below it (write "
    "one like https://api.shop.example, and lead customers to it)"
)


def _bucket(config: RecoveryConfig, service: str, account: str, standby: str) -> str:
    """Only one strategy has a bucket. A name that is too long ends in a hash."""
    if config.strategy != HEALTH_SWITCH:
        return ""
    name = config.bucket or f"sereno-{service}-switch-{account}-{standby}"
    if len(name) <= BUCKET_LIMIT:
        return name
    return f"{name[: BUCKET_LIMIT - 9]}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def problems(
    raw: Any, regions: Sequence[str], resources: Mapping[str, Sequence[str]], playbook: Mapping[str, Any]
) -> Iterator[Problem]:
    """Every problem between the section and the rest of the file. `regions` are those of the file as they stand
    there, `resources` the keys of `resources.tables` and `resources.functions`."""
    if raw is None:
        for what in (REGION_OUT, REGION_BACK):
            if what in playbook:
                mend = (
                    "needs recovery: without a second region nothing starts this play (write recovery, or leave it)"
                )
                yield Problem(f"playbook.{what}", None, mend)
        return
    if not isinstance(raw, Mapping):
        return  # the model says so
    if len(regions) < 2:
        yield Problem("recovery", None, "needs two regions (write regions: [eu-west-1, eu-central-1])")
    yield from _places(raw, regions)
    yield from _urls(raw, regions)
    paths = raw.get("paths")
    # A witness tries every five seconds, and each path waits for its answer.
    if isinstance(paths, list) and not 1 <= len(paths) <= PATHS:
        yield Problem("recovery.paths", None, f"names {len(paths)} paths (write one to {PATHS})")
    yield from _canary(raw, resources["tables"])
    yield from _keys(raw, "fence", "functions", resources)
    yield from _fence(raw, resources["functions"])
    yield from _keys(raw, "compare", "tables", resources)
    yield from _zone(raw)


def _places(raw: Mapping[str, Any], regions: Sequence[str]) -> Iterator[Problem]:
    standby, witness, named = raw.get("standby"), raw.get("witness"), ", ".join(regions)
    if standby is not None and regions and standby == regions[0]:
        yield Problem("recovery.standby", standby, "is the home region (name another of regions, or leave it out)")
    elif standby is not None and len(regions) > 1 and standby not in regions:
        yield Problem("recovery.standby", standby, f"is none of regions ({named})")
    if witness is not None and witness in regions:
        mend = f"is one of regions ({named}): it would fall silent with what it tries (name a third region)"
        yield Problem("recovery.witness", witness, mend)


def _urls(raw: Mapping[str, Any], regions: Sequence[str]) -> Iterator[Problem]:
    urls = raw.get("urls")
    if not isinstance(urls, Mapping) or len(regions) < 2:
        return
    for region in regions:
        if region not in urls:
            mend = f"is missing (write where {region} answers by itself, like https://{region}.api.example.com)"
            yield Problem(f"recovery.urls.{region}", None, mend)
    for region in urls:
        if region not in regions:
            yield Problem(f"recovery.urls.{region}", None, f"is none of regions ({', '.join(regions)})")
    seen: dict[Any, str] = {raw.get("url"): "recovery.url, which leads to whichever region serves"}
    for region, url in urls.items():
        if not isinstance(url, str):
            continue
        if url in seen:
            yield Problem(f"recovery.urls.{region}", url, f"is the same as {seen[url]} (give each region its own)")
        seen.setdefault(url, f"recovery.urls.{region}")


def _canary(raw: Mapping[str, Any], tables: Sequence[str]) -> Iterator[Problem]:
    canary = raw.get("canary")
    if canary is not None and canary not in tables:
        known = f"those declared: {', '.join(tables)}" if tables else "none is declared"
        yield Problem("recovery.canary", canary, f"is no key of resources.tables ({known})")
    if canary is None and "canary_key" in raw:
        yield Problem("recovery.canary_key", raw["canary_key"], "has no meaning without canary (name a table)")


def _fence(raw: Mapping[str, Any], functions: Sequence[str]) -> Iterator[Problem]:
    """A fenced function answers nobody. Stood one behind a probed path, the first region could never be seen to be
    well again, and traffic could never go back."""
    fence = raw.get("fence")
    fenced = [key for key in fence if isinstance(key, str)] if isinstance(fence, list) else []
    if functions and set(functions) <= set(fenced):
        mend = (
            "names every declared function, so the first region would answer no probed path and traffic could never "
            "go back (declare the function that answers recovery.paths and leave it out of fence, or remove fence)"
        )
        yield Problem("recovery.fence", fenced, mend)
        return
    paths = raw.get("paths", ["/health"])
    for path in paths if isinstance(paths, list) else ():
        segment = str(path).split("?")[0].strip("/").split("/")[0]
        if segment and segment in fenced:
            mend = f"is fenced, and answers the probed path {path} (leave it out of fence, or probe another path)"
            yield Problem("recovery.fence", segment, mend)


def _keys(raw: Mapping[str, Any], field: str, kind: str, resources: Mapping[str, Sequence[str]]) -> Iterator[Problem]:
    """What a list of keys names must be declared."""
    named, declared = raw.get(field), resources[kind]
    for one in named if isinstance(named, list) else ():
        if one not in declared:
            known = f"those declared: {', '.join(declared)}" if declared else "none is declared"
            yield Problem(f"recovery.{field}", one, f"is no key of resources.{kind} ({known})")


def _host(url: Any) -> str:
    """The host of a URL; empty where there is none to be read."""
    try:
        return urlsplit(str(url)).hostname or ""
    except ValueError:  # the model says so
        return ""


def _zone(raw: Mapping[str, Any]) -> Iterator[Problem]:
    strategy = raw.get("strategy", HEALTH_SWITCH)
    if "bucket" in raw and strategy != HEALTH_SWITCH:
        mend = f"has no meaning with strategy {strategy}: only {HEALTH_SWITCH} has a bucket"
        yield Problem("recovery.bucket", raw["bucket"], mend)
    if raw.get("zone") is not None:
        if _host(raw.get("url")).count(".") == 1:
            yield Problem("recovery.url", raw.get("url"), APEX)
        return
    if strategy == WEIGHTED:
        yield Problem(
            "recovery.zone", None, "is missing (strategy weighted moves traffic by records of a hosted zone)"
        )
    if "stage" in raw:
        mend = "needs zone: traffic comes back in stages by weights, which are records of a hosted zone"
        yield Problem("recovery.stage", raw["stage"], mend)
