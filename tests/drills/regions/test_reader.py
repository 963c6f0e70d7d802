"""Files of a region's loss: a bad one says all that is wrong with it, where, and how it is mended."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from drills.regions import reader
from drills.regions.objectives import OBJECTIVES
from sereno.errors import InvalidInput

DARK = {"kind": "dark", "region": "primary", "from": "10m", "to": "30m"}
GOOD: dict[str, Any] = {
    "kind": "region",
    "name": "mine",
    "title": "A title",
    "story": "A story.",
    "service": "techmoda",
    "start": "2026-11-27T17:00:00Z",
    "duration": "1h",
    "peak": "900/s",
    "troubles": [DARK],
    "objectives": ["moved-once", {"served-within": "2m"}, {"availability": "99%"}],
}


def written(folder: Path, **changes: Any) -> Path:
    path = folder / "mine.yaml"
    raw = {key: value for key, value in {**GOOD, **changes}.items() if value is not None}
    path.write_text(yaml.safe_dump(raw, sort_keys=False))
    return path


def complaints(folder: Path, **changes: Any) -> dict[str, str]:
    """What is wrong, by its place."""
    with pytest.raises(InvalidInput) as told:
        reader.read(written(folder, **changes))
    return {problem.path: str(problem) for problem in told.value.problems}


def test_quantities_become_plain_numbers(tmp_path):
    unseen = {"kind": "unseen", "region": "standby", "from": "1m", "to": "90s", "seen_from": ["primary", "checkers"]}
    blips = {"region": "witness", "from": "5m", "to": "50m", "every": ["1m", "3m"], "lasting": ["5s", "20s"]}
    people = [{"do": "fail-back", "at": "45m"}]
    resolvers = {"slow": "10%", "stubborn_for": ["2m", "5m"]}
    read = reader.read(
        written(tmp_path, troubles=[DARK, unseen], blips=[blips], people=people, resolvers=resolvers, jitter="1m")
    )
    assert (read["duration"], read["peak"], read["jitter"]) == (3600, 900, 60)
    assert [(one["kind"], one["region"], one["start"], one["end"]) for one in read["troubles"]] == [
        ("dark", "primary", 600, 1800),
        ("unseen", "standby", 60, 90),
    ]
    assert read["troubles"][1]["seen_from"] == ("primary", "checkers")
    assert (read["blips"][0]["every"], read["blips"][0]["lasting"]) == ((60, 180), (5, 20))
    assert read["people"] == [{"do": "fail-back", "at": 2700}]
    assert read["resolvers"] == {"slow": 0.1, "stubborn_s": (120, 300)}
    assert read["objectives"] == [("moved-once", None), ("served-within", 120), ("availability", 0.99)]


def test_what_is_left_out_is_the_usual(tmp_path):
    read = reader.read(written(tmp_path, troubles=None))
    assert (read["troubles"], read["blips"], read["people"], read["resolvers"]) == ([], [], [], {})
    assert (read["jitter"], read["global_control_plane"]) == (0, True)


def test_all_that_is_wrong_is_told_at_once(tmp_path):
    told = complaints(
        tmp_path,
        durration="2h",
        duration="90",
        peak="900",
        global_control_plane="no",
        troubles=[{**DARK, "kind": "drak"}, {**DARK, "region": "eu-west-1"}],
        people=[{"do": "fail-bakc", "at": "5m"}],
        objectives=["moved-twice", {"availability": "0.99"}],
    )
    assert "did you mean duration?" in told["durration"]
    assert told["duration"] == 'duration: "90" has no unit (write 90m)'
    assert "120/s" in told["peak"]
    assert "neither true nor false" in told["global_control_plane"]
    assert "did you mean dark?" in told["troubles[0].kind"]
    assert "is none of primary, standby, witness" in told["troubles[1].region"]
    assert "known: fail-back" in told["people[0].do"]
    assert "did you mean moved-once?" in told["objectives[0]"]
    assert "write 99%" in told["objectives[1].availability"]
    assert len(told) == 9


def trouble(**changes: Any) -> dict[str, Any]:
    return {"troubles": [{key: value for key, value in {**DARK, **changes}.items() if value is not None}]}


def blip(**changes: Any) -> dict[str, Any]:
    usual = {"region": "primary", "from": "1m", "to": "50m", "every": ["1m", "3m"], "lasting": ["5s", "20s"]}
    return {"blips": [{**usual, **changes}]}


@pytest.mark.parametrize(
    ("path", "words", "changes"),
    [
        ("kind", "is not region", {"kind": "regoin"}),
        ("name", "differs from the file's name (write mine", {"name": "yours"}),
        ("title", "is missing", {"title": None}),
        ("duration", "no whole number of minutes", {"duration": "90s"}),
        ("troubles", "is no list", {"troubles": {"kind": "dark"}}),
        ("troubles[0]", "is no mapping", {"troubles": ["dark"]}),
        ("troubles[0].kind", "is no trouble of a region", trouble(kind=["dark"])),
        ("troubles[0].to", "does not come after from", trouble(to="10m")),
        ("troubles[0].to", "lies after the drill's end", trouble(to="2h")),
        ("troubles[0].until", "is no key here", trouble(until="2h")),
        ("troubles[0].share", "is missing", trouble(kind="gray")),
        ("troubles[0].share", "is nothing", trouble(kind="gray", share="0%")),
        ("troubles[0].share", "more than 100%", trouble(kind="zone-loss", share="133%")),
        ("troubles[0].share", "has no meaning for dark", trouble(share="50%")),
        ("troubles[0].seen_from", "needed by unseen", trouble(kind="unseen")),
        ("troubles[0].seen_from", "by it alone", trouble(seen_from=["standby"])),
        ("troubles[0].seen_from", "is no list of places", trouble(kind="unseen", seen_from="standby")),
        ("troubles[0].seen_from", "did you mean customers?", trouble(kind="unseen", seen_from=["custmers"])),
        ("blips[0].every", "needs a pause before it", blip(every=["0s", "1m"])),
        ("blips[0].every", "begins after its end", blip(every=["3m", "1m"])),
        ("blips[0].lasting", "is no pair", blip(lasting="20s")),
        ("blips[0].region", "is none of", blip(region="third")),
        ("people[0].at", "lies after the drill's end", {"people": [{"do": "fail-back", "at": "1h"}]}),
        ("resolvers", "is no mapping", {"resolvers": "slow"}),
        ("resolvers", "more than all of them", {"resolvers": {"slow": "60%", "stubborn": "50%"}}),
        ("resolvers.slwo", "did you mean slow?", {"resolvers": {"slwo": "5%"}}),
        ("objectives", "proves nothing", {"objectives": None}),
        ("objectives", "proves nothing", {"objectives": []}),
        ("objectives[0].never-moved", "takes no target", {"objectives": [{"never-moved": "1m"}]}),
        ("objectives[0].found-within", "needs a target (a duration)", {"objectives": ["found-within"]}),
        ("objectives[0].back-gradually", "has no % (write 60%)", {"objectives": [{"back-gradually": 60}]}),
        ("base", "is no file beside", {"base": "_nowhere"}),
    ],
)
def test_each_mistake_names_its_place_and_its_mend(tmp_path, path, words, changes):
    told = complaints(tmp_path, **changes)
    assert words in told[path], told


def test_every_objective_is_read_with_a_target_of_its_kind(tmp_path):
    targets = {"duration": ("90s", 90), "percent": ("98%", 0.98)}
    wanted = [{name: targets[kind][0]} if kind else name for name, kind in OBJECTIVES.items()]
    read = reader.read(written(tmp_path, objectives=wanted))
    assert read["objectives"] == [(name, targets[kind][1] if kind else None) for name, kind in OBJECTIVES.items()]


def test_a_base_is_taken_over_and_may_be_overruled(tmp_path):
    (tmp_path / "_base.yaml").write_text(yaml.safe_dump({"peak": "10/s", "jitter": "2m"}))
    read = reader.read(written(tmp_path, base="_base"))
    assert (read["peak"], read["jitter"]) == (900, 120)


def test_only_a_file_that_says_so_is_of_a_regions_loss(tmp_path):
    assert reader.is_regional(written(tmp_path))
    assert not reader.is_regional(written(tmp_path, kind="evidence"))
    (tmp_path / "torn.yaml").write_text("kind: [region")
    assert not reader.is_regional(tmp_path / "torn.yaml")
    assert not reader.is_regional(tmp_path / "nowhere.yaml")
