"""What is rehearsed of an account with many services: a file `drills/services/scenarios/<name>.yaml`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from deploy.config_checks import nearest
from deploy.embedded_rates import LIMITS
from drills import scenario_values as values
from drills.scenario import Account, FunctionLoad, Objective, Scenario, TableLoad
from drills.scenario_reader import document
from drills.scenario_reading import Reading
from drills.table_model import Use
from sereno.errors import InvalidInput

FOLDER = Path(__file__).with_name("scenarios")
# The objectives, and whether each takes a target.
OBJECTIVES: Mapping[str, bool] = {
    "none-skipped-for-errors": False,
    "all-answered": False,
    "answered-within": True,
    "none-harmed": False,
    "shared-limits-held": False,
    "own-functions-ran": False,
    "all-reverted": False,
}
_KNOWN = ", ".join(OBJECTIVES)
_KEYS = (
    "name", "kind", "title", "story", "start", "duration", "services", "tables", "unreserved", "concurrency",
    "normal", "mean", "reserved", "traffic", "jitter", "hold", "others", "objectives",
)  # fmt: skip
# Capacity of a service's table (units a second), below what its surge reads.
TABLE_READ, TABLE_WRITE = 100, 10


@dataclass(frozen=True, slots=True)
class ServicesScenario:
    """One rehearsal of `services` services. Of them each `tables`-th has a provisioned table, and each
    `unreserved`-th no reserved concurrency (0: none has). `concurrency` is the account's quota, `normal` requests a
    second and `reserved` the concurrency of one service, `points` (seconds, factor over `normal`). `others` are
    requests a second that the rest of the account makes, by the name of the limit that they count against."""

    name: str
    title: str
    story: str
    start: datetime
    duration_s: int
    services: int
    tables: int
    unreserved: int
    concurrency: int
    normal: float
    mean_ms: float
    reserved: int
    points: tuple[tuple[float, float], ...]
    jitter_s: float
    hold_s: int
    others: Mapping[str, float]
    objectives: tuple[Objective, ...]

    @property
    def start_s(self) -> float:
        """Epoch seconds."""
        return self.start.timestamp()

    def has_table(self, number: int) -> bool:
        """Whether the service of this number (from 1 on) has a table."""
        return bool(self.tables) and number % self.tables == 0

    def has_reserved(self, number: int) -> bool:
        """Whether it reserves concurrency."""
        return not self.unreserved or number % self.unreserved != 0

    def of_service(self, number: int) -> Scenario:
        """The ordinary scenario of one service."""
        name = service_name(number)
        uses = (Use(f"{name}-items", read_units=1.0),) if self.has_table(number) else ()
        return Scenario(
            name=name,
            title=self.title,
            story=self.story,
            service=name,
            start=self.start,
            duration_s=self.duration_s,
            normal=self.normal,
            functions=(FunctionLoad("read", f"{name}-read", 1.0, self.mean_ms, 0.4, 400.0, uses=uses),),
            tables=(TableLoad("items", f"{name}-items"),) if self.has_table(number) else (),
            points=self.points,
            jitter_s=self.jitter_s,
            account=Account(concurrency=self.concurrency),
        )


def service_name(number: int) -> str:
    """The name of a service by its number, from 1 on."""
    return f"shop-{number:02d}"


def names() -> list[str]:
    """The scenarios of this kind, sorted."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


def load(path: Path) -> ServicesScenario:
    """Reads the scenario. Raises InvalidInput with every problem found."""
    reading = Reading(document(path))
    raw, take = reading.raw, reading.take
    reading.unknown(raw, _KEYS, "")
    found = ServicesScenario(
        name=take(raw, "name", values.text, "", ""),
        title=take(raw, "title", values.text, "", ""),
        story=take(raw, "story", values.text, "", ""),
        start=take(raw, "start", values.start, "", datetime(2026, 1, 1, tzinfo=UTC)),
        duration_s=take(raw, "duration", values.whole_minutes, "", 0),
        services=take(raw, "services", values.count, "", 0),
        tables=take(raw, "tables", values.count, "", 0),
        unreserved=take(raw, "unreserved", values.count, "", 0),
        concurrency=take(raw, "concurrency", values.count, "", 0),
        normal=take(raw, "normal", values.rate, "", 0.0),
        mean_ms=take(raw, "mean", values.milliseconds, "", 0.0),
        reserved=take(raw, "reserved", values.count, "", 0),
        points=tuple(_points(reading)),
        jitter_s=take(raw, "jitter", values.duration, "", 0.0),
        hold_s=take(raw, "hold", values.whole_seconds, "", 0),
        others=dict(_others(reading)),
        objectives=tuple(_objectives(reading)),
    )
    if found.services > 99:
        reading.say("services", found.services, "is more than 99 (their names have two digits)")
    if found.name and found.name != path.stem:
        reading.say("name", found.name, f"differs from the file's name (write {path.stem}, or rename the file)")
    if reading.problems:
        raise InvalidInput(path.name, reading.problems)
    return found


def _others(reading: Reading) -> Iterator[tuple[str, float]]:
    known = [limit.name for limit in LIMITS]
    for name, rate in reading.mapping("others", quiet=True).items():
        if name not in known:
            reading.say(f"others.{name}", None, f"is no limit{nearest(name, known)}; known: {', '.join(known)}")
        else:
            yield name, reading.parse(rate, values.rate, f"others.{name}", 0.0)


def _points(reading: Reading) -> Iterator[tuple[float, float]]:
    raw = reading.raw.get("traffic")
    if not isinstance(raw, list) or not raw:
        reading.say("traffic", raw, "is missing or no list (write [4m, 1x] and [6m, 9x])")
        return
    for number, one in enumerate(raw):
        path = f"traffic[{number}]"
        if not isinstance(one, list) or len(one) != 2 or not str(one[1]).endswith("x"):
            reading.say(path, one, "is no point (write [6m, 9x])")
            continue
        at = reading.parse(one[0], values.duration, path, 0.0)
        try:
            yield at, float(str(one[1]).removesuffix("x"))
        except ValueError:
            reading.say(path, one[1], "is no factor (write 9x)")


def _objectives(reading: Reading) -> Iterator[Objective]:
    raw = reading.raw.get("objectives")
    for number, one in enumerate(raw if isinstance(raw, list) else []):
        name, value = next(iter(one.items())) if isinstance(one, Mapping) and len(one) == 1 else (str(one), None)
        path = f"objectives[{number}]"
        if name not in OBJECTIVES:
            reading.say(path, name, f"is no objective{nearest(str(name), OBJECTIVES)}; known: {_KNOWN}")
        elif OBJECTIVES[name]:
            yield Objective(name, reading.parse(value, values.duration, path, 0.0))
        elif value is not None:
            reading.say(f"{path}.{name}", value, f"takes no target (write - {name})")
        else:
            yield Objective(name)
    if not isinstance(raw, list) or not raw:
        reading.say("objectives", raw, "is missing or no list (a drill without an objective proves nothing)")
