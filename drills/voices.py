"""How the result of each kind of drill is told: one table, for the terminal and the page."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from drills import contract, narrative
from drills.narrative import Contrast
from drills.regions import contract as regional_contract
from drills.regions import narrative as regional
from drills.services import narrative as services
from sereno.model import Json


@dataclass(frozen=True, slots=True)
class Voice:
    """The words for one kind of result. `check` raises InvalidInput when its shape is not right."""

    template: str
    check: Callable[[Any], Json]
    headline: Callable[[Json], str]
    lead: Callable[[Json], list[str]]
    comparison: Callable[[Json], list[Contrast]]


SURGE = Voice("report.html.j2", contract.check, narrative.headline, narrative.lead, narrative.comparison)
REGION = Voice("region.html.j2", regional_contract.check, regional.headline, regional.lead, regional.comparison)
YEAR = Voice("year.html.j2", regional_contract.check, regional.year_headline, regional.year_lead, lambda _: [])
SERVICES = Voice("services.html.j2", services.check, services.headline, services.lead, services.comparison)


def of(result: Any) -> Voice:
    """The voice of a result, by its `kind`; what has none is the drill of a surge."""
    kind = result.get("kind") if isinstance(result, dict) else None
    return {"region": REGION, "evidence": YEAR, "services": SERVICES}.get(str(kind), SURGE)
