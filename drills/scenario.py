"""What is rehearsed: a service's ordinary load, what befalls it, and what must hold.

A scenario is a file `drills/scenarios/<name>.yaml`; `drills.scenario_reader` checks it. What several scenarios have
in common stands once in a file whose name begins with `_`, and is taken over by `base: <that name>`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from drills import scenario_reader
from drills.clients import Traffic
from drills.faults import KINDS, WATCH_KINDS, Fault
from drills.function_model import MAX_TIMEOUT_S, FunctionModel, stream
from sereno.errors import InvalidInput, Problem

FOLDER = Path(__file__).with_name("scenarios")


@dataclass(frozen=True, slots=True)
class FunctionLoad:
    """How one function behaves under the scenario. `key` is its name in `sereno.yaml`, `name` its name on AWS,
    `share` its part of the requests (0-1), `error_ratio` the part of invocations that fail anyway."""

    key: str
    name: str
    share: float
    mean_ms: float
    sigma: float
    cold_ms: float
    error_ratio: float = 0.0


@dataclass(frozen=True, slots=True)
class Daily:
    """A smooth day that begins at midnight: requests a second at its lowest (06:00) and highest (18:00)."""

    low: float
    peak: float


@dataclass(frozen=True, slots=True)
class Objective:
    """What the drill is judged by. `target` is a ratio, seconds, milliseconds or a *what*, as the name says;
    None where the name says all."""

    name: str
    target: float | str | None = None


@dataclass(frozen=True, slots=True)
class Scenario:
    """One rehearsal. Times are seconds since `start`, rates requests a second; `points` are (seconds, factor over
    `normal`). `service` is the folder below `examples/` that holds the `sereno.yaml`."""

    name: str
    title: str
    story: str
    service: str
    start: datetime
    duration_s: int
    normal: float
    functions: tuple[FunctionLoad, ...]
    points: tuple[tuple[float, float], ...] = ()
    daily: Daily | None = None
    jitter_s: float = 0.0
    faults: tuple[Fault, ...] = ()
    demand_metric: bool = False
    hold_s: int | None = None
    objectives: tuple[Objective, ...] = ()

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

    def faults_for(self, seed: int) -> tuple[Fault, ...]:
        """The service's faults, delayed as the traffic is."""
        return self._delayed(seed, KINDS)

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
        functions=tuple(FunctionLoad(**one) for one in checked["functions"]),
        points=checked["traffic"],
        daily=Daily(**checked["daily"]) if checked["daily"] else None,
        jitter_s=checked["jitter"],
        faults=tuple(Fault(**one) for one in checked["faults"]),
        demand_metric=checked["demand_metric"],
        hold_s=checked["hold"],
        objectives=tuple(Objective(*one) for one in checked["objectives"]),
    )


def _path(name_or_path: str | Path) -> Path:
    text = str(name_or_path)
    if isinstance(name_or_path, Path) or "/" in text or text.endswith((".yaml", ".yml")):
        return Path(name_or_path)
    if text not in names():
        mend = f"is no scenario{scenario_reader.nearest(text, names())}; known: {', '.join(names())}"
        raise InvalidInput("scenario", [Problem("name", text, mend)])
    return FOLDER / f"{text}.yaml"
