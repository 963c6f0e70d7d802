"""Reads `sereno.yaml`, tells every problem at once, and compiles it to the JSON that the Lambdas carry.

`load` validates, `compile_config` turns quantities into plain numbers, `service` does both and gives the noun.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from deploy import config_checks, config_errors, config_notices, config_recovery, config_yaml
from deploy.config_model import CapacityConfig, Config, PlayConfig
from remediators import registry
from sereno.errors import InvalidInput, Problem
from sereno.model import Json
from sereno.service import PLANNED_EVENT, REGION_BACK, REGION_OUT, Service

SCHEMA_PATH = Path(__file__).with_name("sereno.schema.json")

Ladder = tuple[tuple[str, ...], ...]
_ASK: Ladder = (("request_quota", "open_incident"),)
_SURGE: Ladder = (("raise_concurrency", "raise_capacity"), *_ASK)
_TABLE: Ladder = (("raise_capacity",), *_ASK)
_TELL: Ladder = (("open_incident",),)
# Before a planned event everything is raised at once; nothing has happened yet that a quota could be asked for.
_PREWARM: Ladder = (_SURGE[0], ("open_incident",))
# The region that takes over must be as large as the one that is out, at once.
_OUT: Ladder = (("fail_over", *_SURGE[0]), ("open_incident",))
USUAL_PLAYS: Mapping[str, Ladder] = {
    "exhaustion": _SURGE,
    "exhaustion-fast": _SURGE,
    "saturation": _SURGE,
    "throttles": _SURGE,
    PLANNED_EVENT: _PREWARM,
    "read-capacity": _TABLE,
    "write-capacity": _TABLE,
    "read-throttles": _TABLE,
    "write-throttles": _TABLE,
    "account-capacity": _ASK,
    "account-concurrency": _ASK,
    "account-requests": _ASK,
    "errors": _TELL,
    "latency": _TELL,
    "latency-p90": _TELL,
    "table-errors": _TELL,
    "hot-key": _TELL,
    "5xx": _TELL,
    "outage": _TELL,
    "rejected": _TELL,
    "traffic-stopped": _TELL,
    "traffic-quiet": _TELL,
    "events-lost": _TELL,
    "iterator-age": _TELL,
    "queue-age": _TELL,
    "queue-dead-letters": _TELL,
    "burn-fast": _TELL,
    "burn-slow": _TELL,
    "burn-steady": _TELL,
    "customers-hurt": _TELL,
    REGION_OUT: _OUT,
    REGION_BACK: (("fail_back",),),
}
"""The playbook of a file that writes none: more room for demand, a higher quota where one is the limit, a person for
everything else."""
# What tells nothing, and who has nothing to do, in a service without tables.
_OF_TABLES = frozenset(
    {
        "read-capacity",
        "write-capacity",
        "read-throttles",
        "write-throttles",
        "account-capacity",
        "table-errors",
        "hot-key",
    }
)
_OF_QUEUES = frozenset({"queue-age", "queue-dead-letters"})
_RAISES_TABLES = frozenset({"raise_capacity"})
# What only a service with a second region has.
_OF_REGIONS = frozenset({REGION_OUT, REGION_BACK})
# Stands beside the move of traffic where a service names the functions that write.
FENCES = "fence_primary"


def known_remediators() -> tuple[str, ...]:
    """Names of the modules in `remediators/actions/`, found by being there and without importing them."""
    return tuple(registry.names())


def load(path: Path | str, *, remediators: Collection[str] | None = None) -> Config:
    """The validated configuration. `remediators` are the names a playbook may use (those in the house, unless
    given). Raises InvalidInput with every problem found."""
    path = Path(path)
    text = config_yaml.text_of(path, path.name, " (begin with examples/minimal.yaml)")
    return parse(text, path.name, remediators=remediators)


def parse(text: str, source: str = "sereno.yaml", *, remediators: Collection[str] | None = None) -> Config:
    """As `load`, from text; `source` is what the problems are told about."""
    raw = config_yaml.read(text, source)
    if not isinstance(raw, dict):
        problem = Problem("the file", None, "is no mapping (write service: NAME and the rest below each other)")
        raise InvalidInput(source, [problem])
    if not any(key in Config.model_fields for key in raw):
        # Another file, perhaps with secrets in it: nothing of it is repeated.
        problem = Problem("the file", None, "has none of the keys of a sereno.yaml (is it the right file?)")
        raise InvalidInput(source, [problem])
    known = known_remediators() if remediators is None else remediators
    between = config_checks.problems(raw, known, USUAL_PLAYS)
    try:
        config = Config.model_validate(raw)
    except ValidationError as error:
        problems = [config_errors.problem(detail) for detail in error.errors(include_url=False)]
        raise InvalidInput(source, config_errors.in_order(config_errors.distinct(problems + between), raw)) from None
    if between:
        raise InvalidInput(source, config_errors.in_order(between, raw))
    return config


def service(path: Path | str, *, remediators: Collection[str] | None = None) -> Service:
    """The service that the file describes. Raises InvalidInput."""
    return Service.from_json(compile_config(load(path, remediators=remediators)))


def compile_config(config: Config) -> Json:
    """What `Service.from_json` reads: plain numbers (seconds, milliseconds, ratios), every default written out."""
    objectives, resources = config.objectives, config.resources
    regions = config.regions or (str(config.region),)
    compiled: Json = {
        "service": config.service,
        "account": config.account,
        "regions": list(regions),
        "objectives": {
            "availability": objectives.availability,
            "p99_ms": objectives.p99,
            "surge": objectives.surge,
            "rpo_s": objectives.rpo,
            "rto_s": objectives.rto,
        },
        "apis": {
            key: {
                "name": one.name,
                "stage": one.stage,
                "kind": one.kind,
                "id": one.ids.get(regions[0], one.id),
                **({"ids": dict(one.ids)} if one.ids else {}),
                **({"pause_s": one.pause} if one.pause is not None else {}),
            }
            for key, one in resources.apis.items()
        },
        "functions": {
            key: {
                "name": one.name,
                "alias": one.alias,
                "reserved": one.reserved,
                "normal": one.normal,
                "timeout_s": one.timeout,
                "memory_mb": one.memory,
                "tables": list(one.tables),
                "fast_metric": one.fast_metric,
                "provisioned": one.provisioned,
            }
            for key, one in resources.functions.items()
        },
        "tables": {
            key: {
                "name": one.name,
                "billing": one.billing,
                **_capacity(one),
                "indexes": {name: _capacity(index) for name, index in one.indexes.items()},
            }
            for key, one in resources.tables.items()
        },
        **(
            {
                "queues": {
                    key: {"name": one.name, "age_s": one.age, "dead_letters": one.dead_letters}
                    for key, one in resources.queues.items()
                }
            }
            if resources.queues
            else {}
        ),
        **({} if config.own_concurrency == "reserved" else {"own_concurrency": config.own_concurrency}),
        "quotas": {"concurrency": config.quotas.concurrency, "requests": config.quotas.requests},
        "playbook": _playbook(config),
        "events": [
            {
                "name": one.name,
                "starts": one.starts,
                "ends": one.ends,
                "factor": one.factor,
                "prewarm_s": one.prewarm,
            }
            for one in config.events
        ],
        "emails": list(config.notifications.emails),
        "notices": config_notices.compiled(config.notifications),
        "approvals": {"within_s": config.approvals.within, "two_person": config.approvals.two_person},
        "demotion": {"times": config.demotion.times, "days": config.demotion.days},
        "bindings": {alarm: [one.what, one.resource] for alarm, one in config.bind.items()},
        "runbook_url": config.runbook or "",
        "stack": config.stack,
    }
    if config.recovery:
        compiled["recovery"] = config_recovery.compiled(
            config.recovery, config.service, config.account, regions, list(config.resources.tables)
        )
    return compiled


def watches(compiled: Json) -> list[Json]:
    """The compiled configuration of each watch, the home region's first: one for each region of a service with
    `recovery`, and one for the region that only looks."""
    recovery = compiled.get("recovery")
    if not recovery:
        return [compiled]
    return [seen_from(compiled, region) for region in (*compiled["regions"], recovery["witness"])]


def seen_from(compiled: Json, region: str) -> Json:
    """A compiled configuration as the watch of another region carries it: that region is its home."""
    apis = {key: one | {"id": one.get("ids", {}).get(region, one["id"])} for key, one in compiled["apis"].items()}
    return compiled | {"apis": apis, "regions": [region, *(one for one in compiled["regions"] if one != region)]}


def _capacity(one: CapacityConfig) -> Json:
    return {
        "read": one.read,
        "write": one.write,
        "normal_read": one.normal.read,
        "normal_write": one.normal.write,
    }


def _playbook(config: Config) -> Json:
    usual = _usual_ladders(config)
    plays = {what: PlayConfig() for what in usual} | dict(config.playbook)
    return {
        what: {
            "rungs": [list(rung) for rung in play.remediators or usual.get(what, USUAL_PLAYS[what])],
            "mode": str(play.mode or config.mode),
            "hold_s": play.hold,
            "cooldown_s": play.cooldown,
            "per_day": play.limits.per_day,
            "cost_per_day": play.limits.cost_per_day,
            "params": dict(play.limits.__pydantic_extra__ or {}),
        }
        for what, play in plays.items()
    }


def _usual_ladders(config: Config) -> dict[str, Ladder]:
    """The usual plays of what the service has: without tables none of their alarms rings and nothing raises them."""
    usual = {
        what: ladder
        for what, ladder in USUAL_PLAYS.items()
        if (what != PLANNED_EVENT or config.events)
        and (what not in _OF_REGIONS or config.recovery)
        and (what not in _OF_QUEUES or config.resources.queues)
    }
    if config.recovery and config.recovery.fence:
        first, *rest = usual[REGION_OUT]
        usual[REGION_OUT] = ((*first, FENCES), *rest)
    if config.resources.tables:
        return usual
    return {
        what: tuple(tuple(name for name in rung if name not in _RAISES_TABLES) for rung in ladder)
        for what, ladder in usual.items()
        if what not in _OF_TABLES
    }


def schema() -> Json:
    """The JSON Schema of `sereno.yaml`, for editors."""
    generated = Config.model_json_schema()
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "sereno.yaml",
        **_for_editors(generated),
        "oneOf": [{"required": ["region"]}, {"required": ["regions"]}],
    }


def schema_text() -> str:
    """The schema as the file holds it."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


def _for_editors(node: Any) -> Any:
    """Without generated titles, and without defaults in another unit than the one a person writes."""
    if isinstance(node, list):
        return [_for_editors(one) for one in node]
    if not isinstance(node, dict):
        return node
    kept = {
        name: value
        for name, value in node.items()
        if not (name == "title" and isinstance(value, str))
        and not (name == "default" and (value is None or node.get("type") == "string"))
    }
    return {name: _for_editors(value) for name, value in kept.items()}
