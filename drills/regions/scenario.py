"""What is rehearsed of a region's loss: what befalls the regions, what a person does, and what must hold.

A scenario is a file `drills/regions/scenarios/<name>.yaml`; `drills.regions.reader` checks it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from drills.function_model import stream
from drills.regions import reader
from drills.regions.region import Trouble
from drills.regions.resolvers import Habits
from drills.regions.world import Place, World
from drills.scenario import Objective
from sereno.errors import InvalidInput, Problem
from sereno.service import Service

FOLDER = Path(__file__).with_name("scenarios")
USUAL = Habits()
ROLES = ("primary", "standby", "witness")


@dataclass(frozen=True, slots=True)
class Blips:
    """Short silences of a region, again and again: pauses and lengths are drawn between two bounds (seconds)."""

    region: str
    start: float
    end: float
    every: tuple[float, float]
    lasting: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Wish:
    """What a person does, and when (seconds since the start)."""

    do: str
    at: float


@dataclass(frozen=True, slots=True)
class RegionScenario:
    """One rehearsal. Times are seconds since `start`; `peak` is requests a second at the busiest hour. The regions of
    `troubles` are roles: primary, standby, witness. With `global_away` the control planes of Route 53 and IAM fail
    throughout. Without `health_names_region` no health answer says which region gave it. `strategy` is another one
    than the service's (empty: the service's)."""

    name: str
    title: str
    story: str
    service: str
    start: datetime
    duration_s: int
    peak: float
    troubles: tuple[Trouble, ...]
    blips: tuple[Blips, ...] = ()
    people: tuple[Wish, ...] = ()
    habits: Habits = USUAL
    jitter_s: float = 0.0
    global_control_plane: bool = True
    health_names_region: bool = True
    strategy: str = ""
    objectives: tuple[Objective, ...] = ()

    @property
    def start_s(self) -> float:
        """Epoch seconds."""
        return self.start.timestamp()

    def moment(self, at: float, seed: int) -> float:
        """When something happens under this seed: all is delayed by 0 to `jitter_s`, so that a result does not hang
        on how an outage meets the turns of checkers and probers."""
        return at + float(stream(seed, self.name, "jitter").random()) * self.jitter_s

    def happening(self, seed: int) -> tuple[Trouble, ...]:
        """What befalls the regions under this seed, in their roles."""
        by = self.moment(0.0, seed)
        rng = stream(seed, self.name, "blips")
        found = [_later(one, by) for one in self.troubles]
        for one in self.blips:
            at = one.start + by
            while (at := at + float(rng.uniform(*one.every))) < one.end + by:
                lasts = float(rng.uniform(*one.lasting))
                found.append(Trouble("dark", one.region, at, at + lasts))
                at += lasts
        return tuple(sorted(found, key=lambda one: one.start))

    def outages(self, seed: int) -> tuple[tuple[float, float], ...]:
        """The stretches in which the primary does not serve, and should be left: what is told as an outage, not a
        blip. One that follows another at once (a region that comes back gray) is the same."""
        by = self.moment(0.0, seed)
        own = sorted((one.start + by, one.end + by) for one in self.troubles if one.out and one.region == "primary")
        joined: list[tuple[float, float]] = []
        for begins, ends in own:
            if joined and begins <= joined[-1][1]:
                joined[-1] = (joined[-1][0], max(ends, joined[-1][1]))
            else:
                joined.append((begins, ends))
        return tuple(joined)

    def dark(self, seed: int) -> tuple[tuple[float, float], ...]:
        """The stretches in which nothing leaves the primary."""
        return tuple(
            (one.start, one.end) for one in self.happening(seed) if one.kind == "dark" and one.region == "primary"
        )

    def shut(self, seed: int) -> tuple[tuple[float, float], ...]:
        """The stretches in which nothing on the way of a failover may call the primary or a global control plane:
        from when the primary is out until it serves again."""
        return self.outages(seed)

    def global_away(self, _: int) -> tuple[tuple[float, float], ...]:
        """When the control planes of Route 53 and IAM fail."""
        return () if self.global_control_plane else ((0.0, float(self.duration_s)),)

    def world(self, seed: int, service: Service, *, switched: bool = True) -> World:
        """The world of this seed, with the service's regions in their roles."""
        wanted = service.recovery
        if wanted is None:
            raise InvalidInput(f"scenario {self.name}", [Problem("service", self.service, "has no recovery")])
        place = Place(wanted.primary, wanted.standby, wanted.witness)
        names = dict(zip(ROLES, (place.primary, place.standby, place.witness), strict=True))
        troubles = tuple(
            Trouble(
                one.kind,
                names[one.region],
                one.start,
                one.end,
                one.share,
                tuple(names.get(where, where) for where in one.seen_from),
            )
            for one in self.happening(seed)
        )
        hour = self.start.hour + self.start.minute / 60
        return World(
            self.name, seed, place, troubles, self.peak, hour, self.habits, switched, self.strategy or wanted.strategy
        )

    def laid_out(self, service: Service) -> Service:
        """The service as this scenario has traffic moved."""
        wanted = service.recovery
        if wanted is None or not self.strategy or self.strategy == wanted.strategy:
            return service
        bucket = wanted.bucket if self.strategy == "health-switch" else ""
        return replace(service, recovery=replace(wanted, strategy=self.strategy, bucket=bucket))


def _later(one: Trouble, by: float) -> Trouble:
    return Trouble(one.kind, one.region, one.start + by, one.end + by, one.share, one.seen_from)


def names() -> list[str]:
    """The scenarios in the house, sorted."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml") if not path.stem.startswith("_"))


def load(name_or_path: str | Path) -> RegionScenario:
    """A scenario by its name, or from a file. Raises InvalidInput with every problem found."""
    path = path_of(name_or_path)
    if path is None:
        mend = f"is no scenario{reader.nearest(str(name_or_path), names())}; known: {', '.join(names())}"
        raise InvalidInput("scenario", [Problem("name", str(name_or_path), mend)])
    checked = reader.read(path)
    return RegionScenario(
        name=checked["name"],
        title=checked["title"],
        story=checked["story"],
        service=checked["service"],
        start=checked["start"].astimezone(UTC),
        duration_s=checked["duration"],
        peak=checked["peak"],
        troubles=tuple(Trouble(**one) for one in checked["troubles"]),
        blips=tuple(Blips(**one) for one in checked["blips"]),
        people=tuple(Wish(**one) for one in checked["people"]),
        habits=Habits(**checked["resolvers"]),
        jitter_s=checked["jitter"],
        global_control_plane=checked["global_control_plane"],
        health_names_region=checked["health_names_region"],
        strategy=checked["strategy"],
        objectives=tuple(Objective(*one) for one in checked["objectives"]),
    )


def path_of(name_or_path: str | Path) -> Path | None:
    """The file of a regional scenario; None for what is none."""
    text = str(name_or_path)
    if isinstance(name_or_path, Path) or "/" in text or text.endswith((".yaml", ".yml")):
        path = Path(name_or_path)
        return path if reader.is_regional(path) else None
    return FOLDER / f"{text}.yaml" if text in names() else None
