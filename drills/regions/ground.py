"""The service of a regional drill: its own configuration, with a second region where it has none."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from deploy import config as configuration
from drills.drill import EXAMPLES
from sereno.model import Mode
from sereno.service import REGION_BACK, REGION_OUT, Play, Recovery, Service

# Where the configuration names no second region, the drill is of these.
PRIMARY, STANDBY, WITNESS = "eu-west-1", "eu-central-1", "eu-north-1"
# The health check, and two things that customers ask for. Of a region that fails seven in ten of its calls, a try of
# one thing sees no more than seven in ten; four of five tries must fail, and so it takes minutes until they do.
PATHS = ("/health", "/products?limit=1", "/products/p-1")
# What a drill carries out of the plays: moving traffic, and telling people. The standby is as large as the primary,
# so nothing else needs to be raised there; those remediators have drills of their own.
REHEARSED = frozenset({"fail_over", "fail_back", "open_incident"})


def prepared(name: str, path: Path | None = None) -> Service:
    """The service of a scenario (a folder of `examples/`, or another `sereno.yaml`) in its two regions. Raises
    InvalidInput."""
    config = configuration.load(path or EXAMPLES / name / "sereno.yaml")
    service = Service.from_json(configuration.compile_config(config))
    if service.recovery is None:
        service = replace(service, regions=(PRIMARY, STANDBY), recovery=_recovery(service))
    plays = {
        REGION_OUT: Play(REGION_OUT, (("fail_over",), ("open_incident",)), mode=Mode.AUTO),
        REGION_BACK: Play(REGION_BACK, (("fail_back",),), mode=Mode.AUTO),
    }
    known = {what: play for what, play in service.playbook.items() if what in plays}
    rehearsed = {
        what: replace(play, rungs=tuple(filter(None, (_rehearsed(rung) for rung in play.rungs))))
        for what, play in {**plays, **known}.items()
    }
    return replace(service, playbook={**service.playbook, **rehearsed})


def _rehearsed(rung: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(name for name in rung if name in REHEARSED)


def _recovery(service: Service) -> Recovery:
    host = f"api.{service.name}.example"
    return Recovery(
        primary=PRIMARY,
        standby=STANDBY,
        witness=WITNESS,
        url=f"https://{host}",
        urls={region: f"https://{region}.{host}" for region in (PRIMARY, STANDBY)},
        paths=PATHS,
        bucket=f"sereno-{service.name}-switch-{service.account}-{STANDBY}",
        canary=next(iter(service.tables), None),
        zone="Z0123456789ABCDEFGHIJ",
        name=host,
        shares=f"shares.{host}",
    )
