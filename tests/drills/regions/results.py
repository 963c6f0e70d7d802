"""Two results that many look at, each made once: of a region that goes dark and comes back gray, and of a year."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from functools import cache

from drills import library
from drills.regions import drill, scenario, year
from drills.regions.region import Trouble
from sereno.model import Json


@cache
def _gray() -> Json:
    whole = scenario.load("gray-failure")
    short = replace(
        whole,
        duration_s=20 * 60,
        troubles=(Trouble("dark", "primary", 240.0, 660.0), Trouble("gray", "primary", 660.0, 900.0, 0.7)),
        people=(),
        objectives=tuple(one for one in whole.objectives if not one.name.startswith("back-")),
    )
    return drill.run(short, 3)


@cache
def _noise() -> Json:
    whole = library.load("year-of-noise")
    assert isinstance(whole, year.YearScenario)
    return year.run(replace(whole, noise=dict.fromkeys(whole.noise, 3)), 1)


def gray() -> Json:
    """Twenty minutes in which the primary goes dark, and comes back gray."""
    return deepcopy(_gray())


def noise() -> Json:
    """A quiet year with its three outages."""
    return deepcopy(_noise())
