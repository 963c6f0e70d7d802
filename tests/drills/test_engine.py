"""What happens between an alarm and a limit: events that come twice, late or never, functions that fail, limits that
take a moment."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from drills import drill, scenario
from drills.cloud import Cloud, Failure
from drills.engine import DELIVERY_S, EFFECT_S, Happening, once
from drills.table_updates import TAKES_S
from sereno.errors import InvalidInput

pytestmark = [pytest.mark.drill, pytest.mark.xdist_group("drill-engine")]

RAISER = "sereno-techmoda-raise-concurrency"
READ = "techmoda-read"


def steep(minutes: int = 12) -> scenario.Scenario:
    """The slope of alarm-exhaustion, cut soon after its alarm."""
    return replace(scenario.load("alarm-exhaustion"), duration_s=minutes * 60, objectives=())


def leases(result: dict[str, Any], name: str = READ) -> list[dict[str, Any]]:
    return [
        one
        for one in result["remediations"]
        if one["target"]["name"] == name and one["remediator"] == "raise_concurrency" and one["status"] != "SKIPPED"
    ]


@pytest.fixture(scope="module")
def ordinary() -> tuple[dict[str, Any], list[Happening], list[float]]:
    """The result, what happened, and the progress."""
    happened: list[Happening] = []
    progress: list[float] = []
    result = drill.run(steep(), watch_over=happened.append, tick=progress.append)
    return result, happened, progress


def rung_at(result: dict[str, Any]) -> float:
    changes = next(one["transitions"] for one in result["alarms"] if one["name"] == "techmoda/read/exhaustion")
    return next(one["at_s"] for one in changes if one["state"] == "ALARM")


def test_on_an_ordinary_day_seconds_pass_from_the_alarm_to_the_limit(ordinary):
    result, happened, _ = ordinary
    (limit,) = [one for one in happened if one.kind == "limit" and one.data["function"] == READ]
    passed = limit.at_s - rung_at(result)
    least = DELIVERY_S[0] + EFFECT_S
    assert least < passed < 5
    (lease,) = leases(result)
    assert 0 < limit.at_s - EFFECT_S - lease["at_s"] < 0.3, "its calls take that long"
    assert limit.text == f"{READ}: reserved concurrency 120 -> {result['limits']['after'][READ]}"


def test_progress_goes_from_the_twin_to_the_end_and_never_back(ordinary):
    _, _, progress = ordinary
    assert progress == sorted(progress)
    assert 0.2 in [round(one, 6) for one in progress]
    assert progress[-1] == pytest.approx(1.0)


def test_happenings_come_in_order_and_people_are_told(ordinary):
    result, happened, _ = ordinary
    moments = [one.at_s for one in happened]
    assert moments == sorted(moments)
    assert {"alarm", "limit", "told"} <= {one.kind for one in happened}
    assert result["notifications"]


def test_an_event_that_comes_twice_changes_nothing_twice(ordinary):
    result, _, _ = ordinary
    doubled = drill.run(steep(), delays=lambda event, rng: (*once(event, rng), 2.5))
    assert len(leases(doubled)) == 1
    assert doubled["limits"]["after"] == result["limits"]["after"]
    ids = [one["id"] for one in doubled["remediations"]]
    assert len(ids) == len(set(ids))
    assert doubled["dead_letters"] == 0


def test_an_event_that_never_comes_costs_minutes_and_not_the_outcome(ordinary):
    result, _, _ = ordinary
    lost = drill.run(steep(), delays=lambda event, rng: ())
    waited = lost["raised_s"] - result["raised_s"]
    assert 60 < waited < 240, "the round finds the red alarm once its event is overdue"
    assert len(leases(lost)) == 1
    assert leases(lost)[0]["events"][0]["detail"].startswith("techmoda/read/exhaustion is ALARM")


def test_an_event_that_comes_late_finds_its_work_done():
    late = drill.run(steep(14), delays=lambda event, rng: (240.0,))
    assert len(leases(late)) == 1, "the round was there before it, and both make the same id"
    assert late["dead_letters"] == 0


def test_a_function_that_fails_is_tried_twice_again_and_then_its_event_is_kept(monkeypatch):
    real, tried = Cloud.invoke, []

    def failing(self: Cloud, function: str, event: dict[str, Any]) -> Failure | None:
        if function != RAISER:
            return real(self, function, event)
        tried.append((event["id"], self.answers.clock()))
        return Failure(event, "RuntimeError: out of order")

    monkeypatch.setattr(Cloud, "invoke", failing)
    happened: list[Happening] = []
    result = drill.run(steep(14), watch_over=happened.append)
    first = tried[0][0]
    moments = [moment for event, moment in tried if event == first]
    assert len(moments) == 3
    assert [later - before for before, later in pairwise(moments)] == [
        pytest.approx(60, abs=2),
        pytest.approx(120, abs=2),
    ]
    whole = [event for event, _ in tried if sum(event == other for other, _ in tried) == 3]
    assert result["dead_letters"] == len(set(whole)) >= 1
    said = [one.text for one in happened if one.kind == "failure"]
    assert said[0] == f"{RAISER}: RuntimeError: out of order"


def test_afterwards_time_and_environment_are_as_before():
    before, began = dict(os.environ), time.time()
    inside: list[tuple[float, str]] = []
    drill.run(steep(2), tick=lambda _: inside.append((time.time(), os.environ.get("MOTO_ACCOUNT_ID", ""))))
    assert inside[-1] == (steep(2).start_s + 120, "123456789012")
    assert dict(os.environ) == before
    assert 0 <= time.time() - began < 120


def test_a_scenario_for_another_services_functions_is_refused_before_anything_runs(tmp_path):
    foreign = replace(steep(), functions=(replace(steep().functions[0], name="elsewhere-read"),))
    with pytest.raises(InvalidInput, match='"elsewhere-read" is not among the functions of techmoda'):
        drill.run(foreign)


def test_a_service_without_an_api_cannot_be_rehearsed(tmp_path):
    config = tmp_path / "sereno.yaml"
    config.write_text(
        'service: shop\naccount: "123456789012"\nregion: eu-west-1\n'
        "resources:\n  functions:\n    read: {name: techmoda-read, reserved: 50}\n"
        "notifications:\n  emails: [oncall@example.com]\n"
    )
    with pytest.raises(InvalidInput, match=r"resources\.apis: is empty") as refused:
        drill.run(steep(), config=config)
    assert "techmoda-write" in str(refused.value), "every problem at once"


def full_house(minutes: int = 3) -> scenario.Scenario:
    """Strangers take all that nobody reserved, and a surge comes on top."""
    account = scenario.Account(concurrency=1000, reserved=300, strangers=((0.0, 1000.0),))
    return replace(steep(minutes), account=account, jitter_s=0.0)


def test_in_a_full_house_the_watch_goes_on_because_its_functions_reserved_their_place():
    result = drill.run(full_house())
    assert result["own_functions"]["throttled"] == {}
    assert result["own_functions"]["runs"]["sereno-techmoda-round"] == 3


def test_a_function_without_a_reserved_place_waits_ever_longer_in_a_full_house(monkeypatch):
    real = Cloud.reserved
    monkeypatch.setattr(Cloud, "reserved", lambda self, name: None if name.endswith("-round") else real(self, name))
    result = drill.run(full_house())
    own = result["own_functions"]
    assert own["runs"].get("sereno-techmoda-round", 0) == 0
    assert own["throttled"]["sereno-techmoda-round"] > 3, "each minute's event is tried again, after 1, 2, 4, ... s"
    assert own["throttled"]["sereno-techmoda-round"] < 3 * 10


def raised(result: dict[str, Any]) -> list[dict[str, Any]]:
    """What happened to the table's reads, in order."""
    return [one for one in result["capacity_changes"] if one["lane"] == "techmoda-products read"]


def test_a_raised_minimum_is_followed_by_auto_scaling_and_reaches_the_world_minutes_later(ordinary):
    result, _, _ = ordinary
    first = raised(result)[0]
    assert first["by"] == "auto scaling"
    assert TAKES_S[0] <= first["through_s"] - first["at_s"] <= TAKES_S[1]
    leased = [one for one in result["remediations"] if one["remediator"] == "raise_capacity" and one["plan"]]
    assert first["at_s"] - leased[0]["at_s"] < 5, "at once, says AWS of a higher minimum"
    capacity = result["series"]["with"]["tables"]["techmoda-products"]["read"]["capacity"]
    slot = int(first["through_s"] // 10)
    assert (capacity[slot - 1], capacity[slot + 1]) == (first["before"], first["after"])


def test_a_table_that_nobody_scales_is_changed_in_one_call_for_all_of_it():
    (table,) = steep().tables
    result = drill.run(replace(steep(), tables=(replace(table, auto_scaling=False),), update_table_s=(40.0, 40.0)))
    (lease,) = [one for one in result["remediations"] if one["remediator"] == "raise_capacity" and one["plan"]]
    assert [step["setting"] for step in lease["plan"]["steps"]] == ["capacity"]
    assert {one["by"] for one in result["capacity_changes"]} == {"UpdateTable"}
    assert len({one["at_s"] for one in result["capacity_changes"]}) == 1
    assert lease["status"] in {"VERIFYING", "HOLDING"}
    assert result["limits"]["before"]["techmoda-products read"] == 300
    assert result["limits"]["after"]["techmoda-products read"] == raised(result)[0]["after"]
