"""The commands in the pages run, as they stand there."""

from __future__ import annotations

import re
import shlex

import pytest
from typer.models import OptionInfo
from typer.testing import CliRunner

from console import docs_commands
from console.main import app
from drills import drill, library, scenario

# Whole drills have tests of their own; here it is enough that the command is understood.
LONG = ("drill",)


def shown(docs):
    for page in docs.pages():
        for block in docs.blocks(page, "console"):
            for line in block.splitlines():
                if line.startswith("$ "):
                    yield page, shlex.split(line.removeprefix("$ "))


def listed(docs):
    """Commands in plain blocks: those that need an account, with their placeholders."""
    for page in docs.pages():
        for block in docs.blocks(page, ""):
            for line in block.splitlines():
                if re.match(r"sereno [a-z]+ ", line) and "OPTIONS" not in line:
                    yield page, shlex.split(re.split(r" {2,}", line)[0])[1:]


def test_every_make_target_exists(docs):
    targets = set(re.findall(r"^([a-z]+):", (docs.root / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    asked = {words[1] for _, words in shown(docs) if words[0] == "make"}
    assert asked
    assert asked - targets == set()


def test_every_command_shown_runs(docs, tmp_path, monkeypatch):
    ran = []
    for page, words in shown(docs):
        if not words[0].endswith("sereno"):
            assert words[0] == "make", (page, words)
            continue
        # What is read lies in the project, what is written goes to a place of the test.
        given = [
            str(docs.root / word)
            if word.startswith("examples/")
            else str(tmp_path / word)
            if word.startswith("out/")
            else word
            for word in words[1:]
        ]
        if given[0] in LONG:
            assert given[1] in library.names()
            given.append("--help")
        result = CliRunner().invoke(app, given)
        assert result.exit_code == 0, (words, result.output)
        ran.append(given[0])
    assert {"drill", "scenarios", "init", "check", "synth", "package"} <= set(ran)


def test_commands_that_need_an_account_are_at_least_understood(docs):
    known = docs_commands.commands()
    seen = set()
    for page, words in listed(docs):
        name = " ".join(words[:2]) if " ".join(words[:2]) in known else words[0]
        rest = words[len(name.split()) :]
        assert name in known, (page, words)
        taken = docs_commands.parameters(known[name])
        options = {text for one in taken if isinstance(one.info, OptionInfo) for text in docs_commands.spellings(one)}
        assert {word for word in rest if word.startswith("--")} <= options, (page, words)
        seen.add(name)
    assert {"status", "history", "why", "approve", "revert", "keep", "mode"} <= seen


def test_the_page_of_commands_has_every_command_and_option(docs):
    page = (docs.root / "docs" / "commands.md").read_text(encoding="utf-8")
    for name, command in docs_commands.commands().items():
        chapter = page.partition(f"## sereno {name}\n")[2].partition("\n## ")[0]
        assert chapter
        told = CliRunner().invoke(app, [*name.split(), "--help"]).output
        for option in set(re.findall(r"--[a-z-]+", told)) - {"--help"}:
            assert f"`{option}" in chapter or f"{option}" in chapter, (name, option)
        assert command.__doc__.split(".")[0].split("\n")[0] in chapter


@pytest.mark.drill
@pytest.mark.xdist_group("drill-ramp")
def test_the_readme_tells_what_its_drill_says(docs, surge_ramp, tmp_path, monkeypatch):
    """The command as it stands there; the drill that it asks for is that of `surge_ramp`, which has been run."""
    readme = docs.root / "README.md"
    quoted = " ".join(next(one for one in docs.blocks(readme, "") if "turned away" in one).split())
    words = next(words for page, words in shown(docs) if page == readme and "surge-ramp" in words)
    asked = []

    def run(found, seed, *, config, tick, keep):
        asked.append((found, seed, config))
        return surge_ramp

    monkeypatch.setattr(drill, "run", run)
    done = CliRunner().invoke(app, [*words[1:3], "--report", str(tmp_path / "report.html")])

    assert asked == [(scenario.load("surge-ramp"), 1, None)]
    assert done.exit_code == 0, done.output
    assert quoted in " ".join(done.stdout.split())


@pytest.mark.drill
def test_the_documented_scenario_is_rehearsed_by_the_documented_command(docs, tmp_path):
    text = next(one for one in docs.blocks(docs.root / "CONTRIBUTING.md", "yaml") if one.startswith("name:"))
    base = scenario.FOLDER / "_techmoda.yaml"
    (tmp_path / "_techmoda.yaml").write_text(base.read_text(encoding="utf-8"), encoding="utf-8")
    path = tmp_path / "lunch-break.yaml"
    path.write_text(text, encoding="utf-8")
    report = tmp_path / "report.html"

    done = CliRunner().invoke(app, ["drill", str(path), "--report", str(report)])

    assert done.exit_code == 0, done.output
    assert "Lunch: twice the traffic" in report.read_text(encoding="utf-8")
