"""What is written about deploying holds: policies that AWS understands, workflows that run commands there are."""

from __future__ import annotations

import json
import re
import shlex

import pytest
import yaml
from typer.models import OptionInfo

from console import docs_commands
from deploy import golden, policy_lint

WORKFLOWS = (".github/workflows/ci.yml", "examples/techmoda/.github/workflows/sereno.yml")


def policy(docs, page):
    (text,) = docs.blocks(docs.root / "docs" / page, "json")
    return json.loads(text)


@pytest.mark.parametrize("page", ["first-hour.md", "encryption.md"])
def test_a_policy_in_the_pages_names_actions_that_aws_knows(docs, page):
    actions = [one for statement in policy(docs, page)["Statement"] for one in statement["Action"]]
    assert [one for one in actions if not policy_lint.arn_forms(one)] == []
    assert not any("*" in one for one in actions)


def test_the_key_admits_whoever_the_template_lets_use_it(docs):
    template = json.dumps(golden.template_of(golden.TECHMODA))
    admitted = json.dumps(policy(docs, "encryption.md"))
    for service in ("cloudwatch.amazonaws.com", "events.amazonaws.com", "sns.amazonaws.com"):
        assert service in template
        assert service in admitted
    assert "logs.eu-west-1.amazonaws.com" in admitted
    text = (docs.root / "docs" / "encryption.md").read_text(encoding="utf-8")
    for statement in policy(docs, "encryption.md")["Statement"]:
        assert f"| `{statement['Sid']}` |" in text


def operations(docs):
    """What deploying calls, as it stands in the code."""
    for path in sorted((docs.root / "deploy" / "apply").glob("*.py")):
        text = path.read_text(encoding="utf-8")
        yield from re.findall(r"client\.([a-z]+_[a-z_]+)\b", text)
        yield from re.findall(r'get_paginator\("([a-z_]+)"\)', text)


# Their permission is called otherwise, or is asked for apart in the page's text.
OTHERWISE = {
    "head_object": "GetObject",
    "head_bucket": "ListBucket",
    "get_rest_apis": "GET",
    "get_api": "GET",
    "get_stage": "GET",
    "update_table": "UpdateTable",
    "delete_table": "DeleteTable",
}


def test_whoever_deploys_may_call_what_deploying_calls(docs):
    text = (docs.root / "docs" / "first-hour.md").read_text(encoding="utf-8")
    called = {one for one in operations(docs) if one not in ("get_paginator", "get_waiter", "client_error")}
    assert {"create_change_set", "describe_alarms", "put_object", "list_stack_resources"} <= called
    for operation in called:
        action = OTHERWISE.get(operation, "".join(part.title() for part in operation.split("_")))
        assert re.search(rf"\b{action}\b", text), operation


@pytest.mark.parametrize("name", WORKFLOWS)
def test_a_workflow_is_one_and_may_do_no_more_than_it_says(docs, name):
    found = yaml.safe_load((docs.root / name).read_text(encoding="utf-8"))
    assert found["permissions"] == {"contents": "read"}
    # YAML 1.1 reads the key `on` as true.
    assert "pull_request" in found[True]
    assert "pull_request_target" not in found[True]
    for job in found["jobs"].values():
        assert job["timeout-minutes"] <= 60
        for step in job["steps"]:
            assert ("uses" in step) != ("run" in step)
            # What a pull request writes never becomes a part of a command.
            assert "github.event" not in step.get("run", "")


def test_the_workflow_runs_commands_and_options_that_there_are(docs):
    found = yaml.safe_load((docs.root / WORKFLOWS[1]).read_text(encoding="utf-8"))
    known, seen = docs_commands.commands(), set()
    for job in found["jobs"].values():
        for line in "\n".join(step.get("run", "") for step in job["steps"]).splitlines():
            words = shlex.split(line)
            if not words or words[0] != "sereno":
                continue
            taken = docs_commands.parameters(known[words[1]])
            options = {
                text for one in taken if isinstance(one.info, OptionInfo) for text in docs_commands.spellings(one)
            }
            assert {word for word in words if word.startswith("--")} <= options, line
            seen.add(words[1])
    assert seen == {"check", "synth", "drill", "plan", "deploy"}


def test_ci_runs_what_everybody_runs(docs):
    found = yaml.safe_load((docs.root / WORKFLOWS[0]).read_text(encoding="utf-8"))
    steps = [step.get("run") for job in found["jobs"].values() for step in job["steps"]]
    assert ".ci/run" in steps
    assert (docs.root / ".ci" / "run").stat().st_mode & 0o111


@pytest.mark.parametrize("name", WORKFLOWS)
def test_every_action_of_a_workflow_is_pinned_by_its_commit(docs, name):
    found = yaml.safe_load((docs.root / name).read_text(encoding="utf-8"))
    used = [step["uses"] for job in found["jobs"].values() for step in job["steps"] if "uses" in step]
    assert used
    assert [one for one in used if not re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", one)] == []


def test_the_example_installs_nothing_whose_content_is_not_known(docs):
    found = yaml.safe_load((docs.root / WORKFLOWS[1]).read_text(encoding="utf-8"))
    for job in found["jobs"].values():
        run = "\n".join(step.get("run", "") for step in job["steps"])
        installs = [line for line in run.splitlines() if "pip install" in line]
        assert installs
        assert all("--require-hashes" in line or "--no-deps" in line for line in installs)
        (sereno,) = [step["with"] for step in job["steps"] if "repository" in step.get("with", {})]
        assert re.fullmatch("[0-9a-f]{40}", sereno["ref"])
    lock = (docs.root / "requirements.lock").read_text(encoding="utf-8")
    pinned = re.findall(r"^[a-z0-9_.-]+(?:\[[a-z,-]+\])?==", lock, re.MULTILINE | re.IGNORECASE)
    assert len(pinned) > 50
    assert lock.count("--hash=sha256:") >= len(pinned)
