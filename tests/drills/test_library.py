"""Everything that can be rehearsed has one door."""

from __future__ import annotations

import pytest

from drills import library, scenario
from drills.regions import scenario as regional
from drills.regions.scenario import RegionScenario
from drills.regions.year import YearScenario
from drills.scenario import Scenario
from drills.services import scenario as services
from sereno.errors import InvalidInput


def test_every_scenario_of_the_house_is_there_once():
    found = library.names()
    assert found == sorted(set(found))
    assert set(found) == set(scenario.names()) | set(regional.names()) | set(services.names())


@pytest.mark.parametrize(
    ("name", "kind"),
    [("surge-step", Scenario), ("region-outage", RegionScenario), ("year-of-noise", YearScenario)],
)
def test_a_name_and_a_path_lead_to_the_same(name, kind):
    found = library.load(name)
    assert isinstance(found, kind)
    folder = scenario.FOLDER if kind is Scenario else regional.FOLDER
    assert library.load(folder / f"{name}.yaml") == found
    assert library.load(f"{folder}/{name}.yaml") == found


def test_a_name_with_a_slip_is_put_right():
    with pytest.raises(InvalidInput, match=r'"region-outige" is no scenario \(did you mean region-outage\?\)'):
        library.load("region-outige")


def test_a_file_that_is_not_there_is_told():
    with pytest.raises(InvalidInput, match="cannot be read"):
        library.load("nowhere/region-outage.yaml")
