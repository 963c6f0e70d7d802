"""Stands in for Route 53's data plane: checkers that look as health checks say, and an answer to who asks a name.

The emulator neither looks nor answers. Records are read from it as they stand, whoever changed them; checks are those
that Sereno synthesised. A check is what the documentation says: so many looks in a row turn it, an inverted one is
the other way round, a calculated one counts its children.
https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/dns-failover-determining-health-of-endpoints.html
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from proving.emulator import Emulator
from proving.ways import Ways

Json = dict[str, Any]
# (host, path) -> status and the first bytes of the text; None: no answer.
Look = Callable[[str, str], tuple[int, bytes] | None]
# How much of an answer a checker reads.
READS = 5120


@dataclass(slots=True)
class Checked:
    """How a check stands, since how many looks it would be otherwise, and when it looked last."""

    healthy: bool = True
    otherwise: int = 0
    at: datetime | None = None


@dataclass(slots=True)
class Route53:
    """The zone as the world has it."""

    emulator: Emulator
    ways: Ways
    zone: str
    name: str
    look: Look
    names: Path
    # By id, as they were synthesised: the emulator forgets a calculated check's children, and that one is inverted.
    checks: Mapping[str, Json]
    # The ids of checks by their logical ids in the template: two checks may look at one host.
    named: Mapping[str, str]
    checked: dict[str, Checked] = field(default_factory=dict)
    dice: random.Random = field(default_factory=lambda: random.Random(1))

    def tick(self) -> None:
        """Checkers whose interval is over look, and the customers' name leads to where it then does."""
        now = self.emulator.clock.now()
        for id_, config in self.checks.items():
            self._check(id_, config, now)
        for id_, config in self.checks.items():
            if config["Type"] == "CALCULATED":
                well = sum(self.checked[child].healthy for child in config["ChildHealthChecks"])
                self.checked[id_] = Checked(well >= config["HealthThreshold"])
        self.tell()

    def tell(self) -> str:
        """Asks for the customers' name once, and has everybody led there; the host."""
        host = self.resolve()
        known = {**self.ways.led, self.name: self.ways.led[host]}
        beside = self.names.with_suffix(".new")
        beside.write_text(json.dumps(known))
        beside.replace(self.names)
        return host

    def resolve(self) -> str:
        """The host at the end of the chain of CNAMEs."""
        records, host = self._records(), self.name
        while host in records:
            host = self._chosen(records[host])
        return host

    def health(self) -> dict[str, bool]:
        """Whether each check is healthy, by its logical id."""
        return {name: self.checked[id_].healthy for name, id_ in self.named.items()}

    def weights(self) -> dict[str, int]:
        """The share of each region where the switch is not set."""
        return {
            one["SetIdentifier"]: one["Weight"]
            for records in self._records().values()
            for one in records
            if "Weight" in one
        }

    def _chosen(self, records: list[Json]) -> str:
        first = {one.get("Failover"): one for one in records}
        if "PRIMARY" in first:
            id_ = first["PRIMARY"]["HealthCheckId"]
            well = self.checked.get(id_, Checked()).healthy
            other = self.checked.get(first["SECONDARY"].get("HealthCheckId", ""), Checked()).healthy
            # Are both unhealthy, Route 53 answers the primary.
            return _value(first["PRIMARY" if well or not other else "SECONDARY"])
        if len(records) > 1:
            return _value(self.dice.choices(records, [one["Weight"] for one in records])[0])
        return _value(records[0])

    def _check(self, id_: str, config: Json, now: datetime) -> None:
        one = self.checked.setdefault(id_, Checked())
        if config["Type"] == "CALCULATED":
            return
        if one.at is not None and now - one.at < timedelta(seconds=config["RequestInterval"]):
            return
        one.at = now
        seen = self._seen(config)
        one.otherwise = 0 if seen is one.healthy else one.otherwise + 1
        if one.otherwise >= config["FailureThreshold"]:
            one.healthy, one.otherwise = seen, 0

    def _seen(self, config: Json) -> bool:
        answer = self.look(config["FullyQualifiedDomainName"], config["ResourcePath"])
        well = answer is not None and 200 <= answer[0] < 400
        if config["Type"] == "HTTPS_STR_MATCH":
            well = well and answer is not None and config["SearchString"].encode() in answer[1][:READS]
        return well is not config.get("Inverted", False)

    def _records(self) -> dict[str, list[Json]]:
        found: dict[str, list[Json]] = {}
        answer = self.emulator.client("route53").list_resource_record_sets(HostedZoneId=self.zone)
        for one in answer["ResourceRecordSets"]:
            if one["Type"] == "CNAME":
                found.setdefault(one["Name"].rstrip("."), []).append(one)
        return found


def _value(record: Json) -> str:
    value: str = record["ResourceRecords"][0]["Value"]
    return value.rstrip(".")
