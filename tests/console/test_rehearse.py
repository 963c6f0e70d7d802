"""`sereno drill` on five simulated minutes: for people, for machines, for CI."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path

import pytest

from console import seeds
from console.rehearse import for_machines

pytestmark = [pytest.mark.drill, pytest.mark.xdist_group("console-drill")]

ROOT = Path(__file__).resolve().parents[2]
SCENARIO = """\
name: five-minutes
title: Five minutes of an ordinary morning
story: Nothing happens.
service: techmoda
start: 2026-11-24T09:30:00Z
duration: 5m
normal: 20/s
functions:
  read: {name: techmoda-read, share: 90%, mean: 150ms, sigma: 0.5, cold_start: 450ms}
  write: {name: techmoda-write, share: 10%, mean: 220ms, sigma: 0.3, cold_start: 450ms}
objectives:
"""


def written(folder: Path, *objectives: str) -> Path:
    path = folder / "five-minutes.yaml"
    path.write_text(SCENARIO + "".join(f"  - {one}\n" for one in objectives))
    return path


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """A scenario whose objectives are met."""
    return written(tmp_path, "availability: 99%", "zero-throttles")


@pytest.fixture
def impossible(tmp_path: Path) -> Path:
    """A scenario that asks for an alarm which has no cause to ring."""
    return written(tmp_path, "zero-throttles", "alarm-fires: exhaustion")


def test_a_person_reads_the_verdict_and_finds_the_report(command, kept, tmp_path):
    result = command("drill", kept, "--report", tmp_path / "out/drill.html")
    assert result.exit_code == 0, result.output
    assert "Five minutes of an ordinary morning  (five-minutes, seed 1)" in result.stdout
    assert "✓ met     Availability: 100 % (target 99 %)" in result.stdout
    assert "All 2 objectives were met." in result.stdout
    assert f"Report of seed 1: {tmp_path / 'out/drill.html'}" in result.stdout
    assert "Five minutes of an ordinary morning" in (tmp_path / "out/drill.html").read_text()
    assert "\x1b" not in result.output


def test_a_missed_objective_is_said_and_exits_with_1(command, impossible):
    result = command("drill", impossible)
    assert result.exit_code == 1, result.output
    assert "✕ missed  Alarm fires: not measured (target exhaustion)" in result.stdout
    assert "1 of 2 objectives was missed: Alarm fires" in result.stdout


def test_machines_get_one_document_without_pictures(command, kept):
    result = command("drill", kept, "--seed", 7, "--json")
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert (told["scenario"], told["seed"]) == ("five-minutes", 7)
    assert [set(one) >= {"name", "target", "measured", "met"} for one in told["objectives"]] == [True, True]
    assert set(told["requests"]) >= {"offered", "served", "failed", "throttled_attempts"}
    assert {"without", "signals", "remediations"} <= set(told)
    assert "series" not in told
    assert result.stderr == ""


def test_machines_learn_of_a_missed_objective_from_the_exit_code_too(command, impossible):
    result = command("drill", impossible, "--json")
    assert result.exit_code == 1
    assert [one["met"] for one in json.loads(result.stdout)["objectives"]] == [True, False]


class InOrder:
    """Stands for the pool of processes: what is submitted is done at once, here."""

    def __init__(self, workers: int, **_: object) -> None:
        assert workers == 2

    def __enter__(self) -> InOrder:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def submit(self, function: Callable[..., object], *args: object) -> Future[object]:
        done: Future[object] = Future()
        done.set_result(function(*args))
        return done


def test_several_seeds_stand_in_order_and_are_summed_up(command, kept, monkeypatch):
    monkeypatch.setattr(seeds, "ProcessPoolExecutor", InOrder)
    monkeypatch.setenv("COLUMNS", "60")
    result = command("drill", kept, "--seed", 3, "--seeds", 2)
    assert result.exit_code == 0, result.output
    summed_up(result.stdout)


@pytest.mark.evidence
def test_several_seeds_run_in_processes_of_their_own(kept):
    """In a process of its own, as the workers import the main module anew."""
    result = subprocess.run(
        [sys.executable, "-m", "console.main", "drill", str(kept), "--seed", "3", "--seeds", "2"],
        cwd=ROOT,
        env={**os.environ, "COLUMNS": "60"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""
    summed_up(result.stdout)


def summed_up(stdout: str) -> None:
    lines = stdout.splitlines()
    assert [line[:8] for line in lines if line.startswith("seed")] == ["seed   3", "seed   4"]
    assert lines[-2].split() == ["Availability", "99", "%", "100", "%", "100", "%", "100", "%", "2", "of", "2"]
    assert lines[-1].split() == ["No", "throttles", "0", "0", "0", "0", "2", "of", "2"]


def test_a_scenario_that_is_wrong_tells_all_of_it(command, tmp_path):
    bad = tmp_path / "bad.yaml"
    bad.write_text(SCENARIO.replace("5m", "soon").replace("20/s", "lots") + "  - nonsense\n")
    result = command("drill", bad)
    assert result.exit_code == 2
    for place in ("duration", "normal", "nonsense"):
        assert place in result.stderr
    assert "Traceback" not in result.output


def result(seed: int, *met: bool) -> dict:
    objectives = [
        {"name": "raised-before", "target": 25, "measured": 10.0 * seed, "met": one, "detail": ""} for one in met
    ]
    return {"seed": seed, "objectives": objectives, "series": {}}


def test_the_report_of_several_seeds_is_the_worst_ones_and_the_first_of_those():
    found = [result(1, True, True), result(2, True, False), result(3, False, True)]
    assert seeds.worst(found)["seed"] == 2
    assert seeds.worst(found[:1])["seed"] == 1


def test_a_seeds_line_says_which_objective_was_missed():
    assert seeds.line(result(12, False)).plain == "seed  12  Raised before the first throttle: 2 min (missed)"


def test_the_series_is_for_pictures_only():
    assert for_machines(result(1, True)) == {"seed": 1, "objectives": result(1, True)["objectives"]}
