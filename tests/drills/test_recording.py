"""A drill that is over is kept in a file, and shown by the on-call page as it was; nothing can be pressed."""

from __future__ import annotations

import copy
import json
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dashboards.page.app import create
from dashboards.page.room import INCIDENT_VERBS, VERBS
from dashboards.page.security import Door
from drills import drill, recording, scenario
from drills.recording import RecordingRoom
from sereno.errors import InvalidInput
from sereno.model import Json, Status

with warnings.catch_warnings():
    # The client's next library has another name; this one works, and is told at the import.
    warnings.simplefilter("ignore")
    from starlette.testclient import TestClient

pytestmark = [pytest.mark.drill, pytest.mark.xdist_group("recording")]


@pytest.fixture(scope="module")
def kept() -> Json:
    """Twenty minutes with a surge from minute four on, after which the changes are still in force."""
    found: list[Json] = []
    short = replace(scenario.load("surge-step"), points=((0.0, 1.0), (240.0, 1.0), (241.0, 4.0)), duration_s=1200)
    drill.run(short, keep=lambda *all_of_it: found.append(recording.recorded(*all_of_it)))
    return found[0]


@pytest.fixture
def spoilt(kept: Json, tmp_path: Path) -> Callable[[Callable[[Json], Any]], Path]:
    """The file, after somebody changed something in it."""

    def made(spoil: Callable[[Json], Any]) -> Path:
        changed = copy.deepcopy(kept)
        spoil(changed)
        return recording.write(changed, tmp_path / "kept.json")

    return made


@pytest.fixture
def room(kept: Json, tmp_path: Path) -> RecordingRoom:
    return recording.load(recording.write(kept, tmp_path / "out" / "kept.json"))


def test_the_page_shows_what_the_drills_result_tells(room, kept):
    rows = {one["id"]: one for one in kept["result"]["remediations"]}
    assert {one.id: str(one.status) for one in room.timeline()} == {id: one["status"] for id, one in rows.items()}
    for id, row in rows.items():
        assert [event.phase for event in room.remediation(id).events] == [event["phase"] for event in row["events"]]
    holding = {id for id, row in rows.items() if row["status"] == Status.HOLDING}
    assert holding
    assert {one.id for one in room.overview().working} == holding
    (incident,) = room.incidents()
    assert holding <= set(incident.members)
    assert {line.of for line in room.incident(incident.id).lines} >= holding
    last = {one["name"]: one["transitions"][-1]["state"] for one in kept["result"]["alarms"] if one["transitions"]}
    red = {name for name, state in last.items() if state == "ALARM"}
    assert red
    assert {one.name for one in room.overview().alarms} == red
    assert room.overview().missing == ()
    (budget,) = room.budget()
    assert (budget.requests, budget.failed) == tuple(
        kept["result"]["requests"][name] for name in ("offered", "failed")
    )
    assert [len(one.points) for one in room.charts()] == [120, 120, 120]
    assert room.now().isoformat() == "2026-11-24T09:50:00+00:00"
    assert room.kind == "recording"


def test_the_ordinary_result_is_the_same_with_a_recording_and_without(kept):
    short = replace(scenario.load("surge-step"), points=((0.0, 1.0), (240.0, 1.0), (241.0, 4.0)), duration_s=1200)
    assert json.dumps(drill.run(short), sort_keys=True) == json.dumps(kept["result"], sort_keys=True)


def test_nothing_can_be_pressed(room):
    (one, *_) = room.overview().working
    before = json.dumps(sorted(room._room._ledger._client.rows.items()))
    for verb in (*VERBS, *INCIDENT_VERBS):
        assert not room.act(verb, one.id, actor="maria").ok
    assert not room.press("surge-step", actor="maria").ok
    assert room.controls() == ()
    assert json.dumps(sorted(room._room._ledger._client.rows.items())) == before


def test_every_page_can_be_opened_and_has_no_button_but_its_own(room):
    page = TestClient(create(room, Door(frozenset({"testserver"}), person="maria")))
    (one, *_), (incident,) = room.timeline(), room.incidents()
    for path in ("/", "/timeline", "/incidents", "/budget", "/scorecard", "/drills"):
        assert page.get(path).status_code == 200, path
    for path in (f"/remediations/{one.id}", f"/incidents/{incident.id}", "/"):
        answer = page.get(path)
        assert answer.status_code == 200, path
        assert "recording of a drill" in answer.text
        assert 'action="/act"' not in answer.text, path
        assert 'action="/press"' not in answer.text, path
    assert page.get("/remediations/no-such").status_code == 404


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda one: one.pop("recording"), "is no recording of a drill"),
        (lambda one: one.update(recording=2), "is no recording of a drill"),
        (lambda one: one["result"].pop("series"), "result.series"),
        (lambda one: one.pop("config"), "config"),
        (lambda one: one["config"].pop("playbook") and one["config"].update(apis=[1]), "config"),
        (lambda one: one.update(ledger=[{"pk": 1}]), "ledger"),
        (lambda one: [row.pop("doc", None) for row in one["ledger"]], "ledger"),
        (lambda one: [row.update(doc={"S": "{"}) for row in one["ledger"]], "ledger"),
        (lambda one: one["result"]["series"]["with"]["offered"].pop(), "result.series.with.offered"),
    ],
)
def test_a_file_that_is_none_is_told_by_its_place(spoilt, spoil, told):
    with pytest.raises(InvalidInput) as refused:
        recording.load(spoilt(spoil))
    assert told in str(refused.value)


@pytest.mark.parametrize("text", ["", "{", "[]", "[" * 100_000, "null", '{"recording": 1}'])
def test_what_is_not_json_or_nothing_at_all_is_refused_calmly(tmp_path, text):
    path = tmp_path / "kept.json"
    path.write_text(text)
    with pytest.raises(InvalidInput):
        recording.load(path)
    with pytest.raises(InvalidInput, match="cannot be read"):
        recording.load(tmp_path / "none.json")
