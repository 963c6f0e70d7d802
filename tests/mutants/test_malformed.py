"""Whatever a file holds, the command tells the place, what is wrong and what to do: exit code 2, no traceback."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from console.main import app
from deploy import config
from sereno.errors import InvalidInput
from sereno.escape import printable
from tests.mutants.malformed import GOOD, MALFORMED

RUNNER = CliRunner(env={"COLUMNS": "200", "NO_COLOR": "1"})
SOME = ["tag-int", "key-list", "deep-lists", "number-of-6000-digits", "30-megabytes", "empty"]
COMMANDS = [["check", "--config"], ["headroom", "--config"], ["plan"], ["event", "list", "--config"], ["drill"]]
SECRETS = re.compile("hidden|AKIA|xoxb")


@pytest.fixture
def file(tmp_path):
    def write(content: str | bytes, name: str = "sereno.yaml") -> Path:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def test_there_are_sixty_of_them_and_the_file_they_are_made_from_is_fine(file):
    assert len(MALFORMED) >= 60
    assert config.service(file(GOOD)).functions["checkout"].reserved == 50


@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_configuration_is_told_with_its_place(file, name):
    path = file(MALFORMED[name])
    with pytest.raises(InvalidInput) as told:
        config.load(path)
    text = str(told.value)
    assert len(told.value.problems) >= 1
    assert all(problem.path and problem.mend for problem in told.value.problems)
    assert all(len(str(problem)) < 2500 for problem in told.value.problems)
    assert printable(text) == text
    assert not SECRETS.search(text), text


@pytest.mark.parametrize("command", ["check", "drill"])
@pytest.mark.parametrize(
    "name", ["tag-int", "key-list", "deep-lists", "number-of-6000-digits", "30-megabytes", "empty"]
)
def test_the_command_answers_with_exit_code_2(file, name, command):
    path = file(MALFORMED[name])
    asked = ["check", "--config", str(path)] if command == "check" else ["drill", str(path)]
    result = RUNNER.invoke(app, asked)
    assert result.exit_code == 2, result.output
    assert isinstance(result.exception, SystemExit)
    assert "Traceback" not in result.output
    assert "sereno.yaml" in result.output


@pytest.mark.evidence
@pytest.mark.parametrize(
    "command", [["check", "--config"], ["headroom", "--config"], ["plan"], ["event", "list", "--config"], ["drill"]]
)
@pytest.mark.parametrize("name", MALFORMED)
def test_no_command_ends_in_a_traceback(file, name, command):
    result = RUNNER.invoke(app, [*command, str(file(MALFORMED[name]))])
    assert result.exit_code == 2, result.output
    assert isinstance(result.exception, SystemExit)
    assert not SECRETS.search(result.output)
