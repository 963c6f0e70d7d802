"""Everything that can be rehearsed: surges and faults of one region, many services in one account, the loss of a
region, and a year of noise."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

from deploy.config_checks import nearest
from drills import drill, scenario
from drills.engine import Happening
from drills.regions import drill as regional_drill
from drills.regions import scenario as regional
from drills.regions import year
from drills.regions.scenario import RegionScenario
from drills.regions.year import YearScenario
from drills.scenario import Scenario
from drills.scenario_reader import document
from drills.services import drill as services_drill
from drills.services import scenario as services
from drills.services.scenario import ServicesScenario
from sereno.errors import InvalidInput, Problem
from sereno.model import Json

AnyScenario: TypeAlias = Scenario | RegionScenario | YearScenario | ServicesScenario


def names() -> list[str]:
    """The scenarios in the house, sorted."""
    return sorted([*scenario.names(), *regional.names(), *services.names()])


def load(name_or_path: str | Path) -> AnyScenario:
    """A scenario by its name, or from a file. Raises InvalidInput with every problem found."""
    text = str(name_or_path)
    by_path = isinstance(name_or_path, Path) or "/" in text or text.endswith((".yaml", ".yml"))
    if not by_path and text not in names():
        mend = f"is no scenario{nearest(text, names())}; known: {', '.join(names())}"
        raise InvalidInput("scenario", [Problem("name", text, mend)])
    if not by_path and text in scenario.names():
        return scenario.load(text)
    folder = services.FOLDER if text in services.names() else regional.FOLDER
    path = Path(name_or_path) if by_path else folder / f"{text}.yaml"
    kind = document(path).get("kind")
    if kind == "evidence":
        return year.load(path)
    if kind == "services":
        return services.load(path)
    return regional.load(path) if kind == "region" else scenario.load(path)


def run(
    found: AnyScenario,
    seed: int = 1,
    *,
    config: Path | None = None,
    watch_over: Callable[[Happening], None] = lambda _: None,
    tick: Callable[[float], None] = lambda _: None,
) -> Json:
    """Runs a scenario of whatever kind and answers its result. Raises InvalidInput."""
    if isinstance(found, RegionScenario):
        return regional_drill.run(found, seed, config=config, watch_over=watch_over, tick=tick)
    if isinstance(found, ServicesScenario):
        return services_drill.run(found, seed, config=config, watch_over=watch_over, tick=tick)
    if isinstance(found, YearScenario):
        return year.run(found, seed, config=config, watch_over=watch_over, tick=tick)
    return drill.run(found, seed, config=config, watch_over=watch_over, tick=tick)
