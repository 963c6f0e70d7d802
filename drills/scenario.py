"""What is rehearsed: a service's ordinary load, what befalls it, and what must hold.

A scenario is a file `drills/scenarios/<name>.yaml`; `drills.scenario_reader` checks it. What several scenarios have
in common stands once in a file whose name begins with `_`, and is taken over by `base: <that name>`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from alarms.assumptions import USUAL, Assumptions
from drills import scenario_reader
from drills.clients import Traffic
from drills.faults import KINDS, WATCH_KINDS, Fault
from drills.function_model import MAX_TIMEOUT_S, FunctionModel, stream
from drills.table_model import TableModel, Use
from drills.table_updates import TAKES_S
from sereno.errors import InvalidInput, Problem
from sereno.model import Json
from sereno.service import Index, Table

# Objectives that time what comes after the first failure.
RECOVERIES = frozenset({"recovered-within", "table-recovered-within"})
FOLDER = Path(__file__).with_name("scenarios")


@dataclass(frozen=True, slots=True)
class FunctionLoad:
    """How one function behaves under the scenario. `key` is its name in `sereno.yaml`, `name` its name on AWS,
    `share` its part of the requests (0-1), `error_ratio` the part of invocations that fail anyway, `uses` its calls
    to tables, and `attempts` how often its SDK tries a throttled one in all."""

    key: str
    name: str
    share: float
    mean_ms: float
    sigma: float
    cold_ms: float
    error_ratio: float = 0.0
    uses: tuple[Use, ...] = ()
    attempts: int = 2


@dataclass(frozen=True, slots=True)
class IndexLoad:
    """An index as the scenario wants it: units a second (None: as the service's configuration declares), and the part
    of its requests that goes to one key."""

    read: int | None = None
    write: int | None = None
    hot_share: float = 0.0


@dataclass(frozen=True, slots=True)
class TableLoad:
    """A table under load. `key` is its name in `sereno.yaml`, `name` its name on AWS; `read` and `write` are units a
    second (None: as the service's configuration declares). A `cold` table has no burst credit when the drill begins;
    without `auto_scaling` nobody but Sereno changes its capacity. With `normal` (units a second of an ordinary busy
    hour, `read` and `write`) the service declares the table as the scenario has it: one of another size."""

    key: str
    name: str
    read: int | None = None
    write: int | None = None
    normal: Mapping[str, float] | None = None
    indexes: Mapping[str, IndexLoad] = field(default_factory=dict)
    cold: bool = False
    partitions: int = 1
    hot_share: float = 0.0
    auto_scaling: bool = True

    def model(self, declared: Table) -> TableModel:
        """The table as the world takes it. Raises ValueError where a capacity stands nowhere."""
        names = dict.fromkeys([*declared.indexes, *self.indexes])
        indexes = {name: self._index(name, declared.indexes.get(name)) for name in names}
        on_demand = not declared.provisioned
        return TableModel(
            self.name,
            self._units("read", self.read, declared.read, on_demand),
            self._units("write", self.write, declared.write, on_demand),
            billing="on-demand" if on_demand else "provisioned",
            indexes=indexes,
            partitions=self.partitions,
            hot_share=self.hot_share,
            index_hot_share={name: one.hot_share for name, one in self.indexes.items()},
            cold=self.cold,
        )

    def _index(self, name: str, declared: Index | None) -> tuple[float, float]:
        own = self.indexes.get(name, IndexLoad())
        known = declared or Index(name)
        return (
            self._units(f"{name} read", own.read, known.read, on_demand=False),
            self._units(f"{name} write", own.write, known.write, on_demand=False),
        )

    def _units(self, what: str, own: int | None, declared: int | None, on_demand: bool) -> float:
        found = own if own is not None else declared
        if found is None and not on_demand:
            raise ValueError(f"the {what} capacity of {self.name} is declared nowhere")
        return float(found or 0)


@dataclass(frozen=True, slots=True)
class Account:
    """What the service shares with others. `concurrency` is Lambda's quota, `requests` and `burst` are API Gateway's
    throttle (None: AWS's defaults); `reserved` is the concurrency that functions outside the service have reserved,
    `strangers` are (seconds, executions at once) that others take of what is unreserved."""

    concurrency: int | None = None
    reserved: int = 0
    strangers: tuple[tuple[float, float], ...] = ()
    requests: float | None = None
    burst: int | None = None


@dataclass(frozen=True, slots=True)
class Daily:
    """A smooth day that begins at midnight: requests a second at its lowest (06:00) and highest (18:00)."""

    low: float
    peak: float


@dataclass(frozen=True, slots=True)
class Objective:
    """What the drill is judged by. `target` is a ratio, seconds, milliseconds or a word, as the name says; None where
    the name says all."""

    name: str
    target: float | str | None = None


@dataclass(frozen=True, slots=True)
class Scenario:
    """One rehearsal. Times are seconds since `start`, rates requests a second; `points` are (seconds, factor over
    `normal`). `service` is the folder below `examples/` that holds the `sereno.yaml`; `hold_s`, `limits` and `events`
    stand in for what it says. `update_table_s` is the least and the most that AWS takes to change a capacity."""

    name: str
    title: str
    story: str
    service: str
    start: datetime
    duration_s: int
    normal: float
    functions: tuple[FunctionLoad, ...]
    tables: tuple[TableLoad, ...] = ()
    points: tuple[tuple[float, float], ...] = ()
    daily: Daily | None = None
    jitter_s: float = 0.0
    faults: tuple[Fault, ...] = ()
    account: Account = Account()
    update_table_s: tuple[float, float] = TAKES_S
    demand_metric: bool = False
    hold_s: int | None = None
    limits: Json = field(default_factory=dict)
    events: tuple[Json, ...] = ()
    objectives: tuple[Objective, ...] = ()
    assume: Assumptions = USUAL

    def assuming(self, assume: Assumptions) -> Scenario:
        """The same scenario under another assumption about CloudWatch. Where metrics come later, recovery after a
        step that nothing foresees may take so much longer: no watch can act on data that is not there yet. The
        application's own metric of 10 seconds (`demand_metric`) does not come later."""
        added = 0.0 if self.demand_metric else assume.delay_s
        later = tuple(
            replace(one, target=float(one.target) + added)
            if one.name in RECOVERIES and isinstance(one.target, float | int)
            else one
            for one in self.objectives
        )
        story = f"{self.story.rstrip()} Assumed of CloudWatch: {assume.text}." if assume.text else self.story
        return replace(self, assume=assume, objectives=later, story=story)

    @property
    def start_s(self) -> float:
        """Epoch seconds."""
        return self.start.timestamp()

    def shift(self, seed: int) -> float:
        """By how many seconds this seed delays the traffic's profile and the faults: 0 to `jitter_s`. So a result
        does not hang on how a surge meets the minutes of CloudWatch."""
        return float(stream(seed, self.name, "jitter").random()) * self.jitter_s

    def traffic(self, seed: int) -> Traffic:
        """The requests a second over the drill."""
        if self.daily is not None:
            return Traffic.daily(self.daily.low, self.daily.peak, self.duration_s, self.shift(seed))
        return Traffic.profile(self.normal, self.points or ((0.0, 1.0),), self.shift(seed))

    def strangers(self, seed: int) -> Traffic | None:
        """The executions at once that others take of the unreserved concurrency, delayed as the traffic is."""
        return Traffic.profile(1.0, self.account.strangers, self.shift(seed)) if self.account.strangers else None

    def faults_for(self, seed: int) -> tuple[Fault, ...]:
        """The service's faults, delayed as the traffic is. Errors of DynamoDB become those of the invocations whose
        attempts all met one."""
        known = self._delayed(seed, KINDS)
        return (*known, *(one for fault in known if fault.kind == "table-errors" for one in self._failing(fault)))

    def _failing(self, fault: Fault) -> list[Fault]:
        users = [one for one in self.functions if one.uses]
        return [replace(fault, kind="errors", value=fault.value**one.attempts, function=one.name) for one in users]

    def watch_faults_for(self, seed: int) -> tuple[Fault, ...]:
        """The watchman's own faults, delayed as the traffic is."""
        return self._delayed(seed, WATCH_KINDS)

    def _delayed(self, seed: int, kinds: tuple[str, ...]) -> tuple[Fault, ...]:
        by = self.shift(seed)
        chosen = [fault for fault in self.faults if fault.kind in kinds]
        return tuple(replace(fault, start=fault.start + by, end=fault.end + by) for fault in chosen)

    def models(
        self, reserved: Mapping[str, int | None], timeouts: Mapping[str, float] | None = None
    ) -> tuple[FunctionModel, ...]:
        """The functions as the world takes them. `reserved` and `timeouts` (seconds) go by names on AWS, and come
        from the service's configuration; who is missing is unreserved, and times out with API Gateway."""
        limits = dict(timeouts or {})
        return tuple(
            FunctionModel(
                uses=one.uses,
                sdk_attempts=one.attempts,
                name=one.name,
                share=one.share,
                mean_ms=one.mean_ms,
                sigma=one.sigma,
                cold_ms=one.cold_ms,
                reserved=reserved.get(one.name),
                error_ratio=one.error_ratio,
                timeout_s=min(limits.get(one.name, MAX_TIMEOUT_S), MAX_TIMEOUT_S),
            )
            for one in self.functions
        )


def names() -> list[str]:
    """The scenarios in the house, sorted."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml") if not path.stem.startswith("_"))


def load(name_or_path: str | Path) -> Scenario:
    """A scenario by its name, or from a file. Raises InvalidInput with every problem found."""
    path = _path(name_or_path)
    checked = scenario_reader.read(path)
    return Scenario(
        name=checked["name"],
        title=checked["title"],
        story=checked["story"],
        service=checked["service"],
        start=checked["start"].astimezone(UTC),
        duration_s=checked["duration"],
        normal=checked["normal"],
        functions=tuple(
            FunctionLoad(**{**one, "uses": tuple(Use(**use) for use in one["uses"])}) for one in checked["functions"]
        ),
        tables=tuple(_table(one) for one in checked["tables"]),
        points=checked["traffic"],
        daily=Daily(**checked["daily"]) if checked["daily"] else None,
        jitter_s=checked["jitter"],
        faults=tuple(Fault(**one) for one in checked["faults"]),
        account=Account(**checked["account"]),
        update_table_s=checked["update_table"] or TAKES_S,
        demand_metric=checked["demand_metric"],
        hold_s=checked["hold"],
        limits=checked["limits"],
        events=tuple(checked["events"]),
        objectives=tuple(Objective(*one) for one in checked["objectives"]),
    )


def _table(one: Json) -> TableLoad:
    indexes = {name: IndexLoad(**index) for name, index in one["indexes"].items()}
    return TableLoad(**{**one, "indexes": indexes})


def _path(name_or_path: str | Path) -> Path:
    text = str(name_or_path)
    if isinstance(name_or_path, Path) or "/" in text or text.endswith((".yaml", ".yml")):
        return Path(name_or_path)
    if text not in names():
        mend = f"is no scenario{scenario_reader.nearest(text, names())}; known: {', '.join(names())}"
        raise InvalidInput("scenario", [Problem("name", text, mend)])
    return FOLDER / f"{text}.yaml"
