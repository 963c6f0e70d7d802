"""The services of the account: each with the configuration and the alarms that its deployment would have."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from alarms.packs import all_alarms
from alarms.spec import AlarmSpec, CompositeSpec
from deploy import config as configuration
from deploy.synth import rules, synthesise
from drills.services.scenario import TABLE_READ, TABLE_WRITE, ServicesScenario, service_name
from remediators import registry
from sereno.model import Json
from sereno.service import Service

ACCOUNT, REGION = "123456789012", "eu-west-1"
# A configuration as `sereno init` writes it for a small shop. Sereno's own functions reserve what they reserve
# anywhere.
_YAML = """\
service: {name}
account: "{account}"
region: {region}
stack: {name}
objectives: {{availability: 99.9%, p99: 800ms, surge: 9x}}
resources:
  apis:
    shop: {{name: {name}, stage: prod}}
  functions:
    read: {{name: {name}-read, {reserved}normal: {normal:.2f}, timeout: 10s, memory: 512{uses}}}
{tables}
mode: auto
playbook:
  exhaustion: &surge {{hold: {hold}s, limits: {{ceiling: 100}}}}
  saturation: *surge
  throttles: *surge
  read-capacity: {{hold: {hold}s}}
  read-throttles: {{hold: {hold}s}}
quotas: {{concurrency: {quota}}}
notifications: {{emails: [oncall@example.com], timezone: UTC}}
"""
_TABLES = """\
  tables:
    items:
      name: {name}-items
      billing: provisioned
      read: {read}
      write: {write}
      normal: {{read: {normal:.2f}, write: 1}}
"""


@dataclass(frozen=True, slots=True)
class Member:
    """A service of the account. `patterns` are its event patterns with the remediator that each starts;
    `own_reserved` is what Sereno's functions reserve for it."""

    number: int
    service: Service
    alarms: tuple[AlarmSpec, ...]
    composites: tuple[CompositeSpec, ...]
    patterns: tuple[tuple[Any, str], ...]
    remediators: tuple[str, ...]
    own_reserved: int

    @property
    def function(self) -> str:
        """The name of its function."""
        return next(iter(self.service.functions.values())).name


def gather(scenario: ServicesScenario) -> list[Member]:
    """All of them. Raises InvalidInput where a configuration is not valid."""
    return [_member(scenario, number) for number in range(1, scenario.services + 1)]


def compiled(scenario: ServicesScenario, number: int) -> Json:
    """The compiled configuration of one service."""
    name = service_name(number)
    table = {"name": name, "read": TABLE_READ, "write": TABLE_WRITE, "normal": scenario.normal}
    text = _YAML.format(
        name=name,
        account=ACCOUNT,
        region=REGION,
        reserved=f"reserved: {scenario.reserved}, " if scenario.has_reserved(number) else "",
        normal=scenario.normal * scenario.mean_ms / 1000,
        uses=", tables: [items]" if scenario.has_table(number) else "",
        tables=_TABLES.format(**table) if scenario.has_table(number) else "",
        hold=scenario.hold_s,
        quota=scenario.concurrency,
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{name}.yaml"
        path.write_text(text, encoding="utf-8")
        return configuration.compile_config(configuration.load(path))


def _member(scenario: ServicesScenario, number: int) -> Member:
    from moto.events.models import EventPattern

    document = compiled(scenario, number)
    service = Service.from_json(document)
    # Sereno's alarms about itself are rehearsed by the drills of one service.
    specs = [one for one in all_alarms(service) if one.name.startswith(f"{service.name}/")]
    used = sorted({name for play in service.playbook.values() for name in play.remediators})
    patterns = tuple(
        (EventPattern.load(json.dumps(pattern)), name) for name in used for pattern in rules.patterns(service, name)
    )
    return Member(
        number,
        service,
        tuple(one for one in specs if isinstance(one, AlarmSpec)),
        tuple(one for one in specs if isinstance(one, CompositeSpec)),
        patterns,
        tuple(used),
        _reserved(synthesise(service, document, remediators=registry.all_remediators())),
    )


def _reserved(template: Json) -> int:
    """What the functions of a template reserve."""
    found: Sequence[Json] = list(template["Resources"].values())
    return sum(
        int(one["Properties"].get("ReservedConcurrentExecutions", 0))
        for one in found
        if one["Type"] == "AWS::Lambda::Function"
    )
