"""What is written about deploying holds: policies that AWS understands, workflows that run commands there are."""

from __future__ import annotations

import json
import re
import shlex

import pytest
import yaml
from typer.models import OptionInfo

from console import docs_commands
from deploy import deploy_policy, golden, policy_lint

WORKFLOWS = (".github/workflows/ci.yml", "examples/techmoda/.github/workflows/sereno.yml")


def policy(docs, page):
    (text,) = docs.blocks(docs.root / "docs" / page, "json")
    return json.loads(text)


@pytest.mark.parametrize("page", ["deploy-policies.md", "encryption.md"])
def test_a_policy_in_the_pages_names_actions_that_aws_knows(docs, page):
    for text in docs.blocks(docs.root / "docs" / page, "json"):
        actions = [one for statement in json.loads(text)["Statement"] for one in statement["Action"]]
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


def test_a_policy_of_whoever_deploys_fits_into_managed_policies(docs):
    texts = docs.blocks(docs.root / "docs" / "deploy-policies.md", "json")
    assert len(texts) >= 6
    for text in texts:
        assert len(json.dumps(json.loads(text), separators=(",", ":"))) <= 6_144


def test_whoever_deploys_may_do_what_the_handlers_of_every_resource_type_do():
    """The types of every example's templates: a new type without its handlers fails here."""
    known, may = deploy_policy.handlers(), deploy_policy.allowed(deploy_policy.deploying())
    for path in (golden.TECHMODA, golden.REGIONS):
        for template in (*golden.templates_of(path).values(), *golden.rehearsals_of(path).values()):
            assert {one["Type"] for one in template["Resources"].values()} <= known.keys()
    for needed in ("dynamodb:CreateTable", "lambda:CreateFunction", "iam:CreateRole", "iam:CreatePolicy"):
        assert needed in may
        assert "*" not in may[needed], needed
    assert may["iam:PassRole"] == {"arn:aws:iam::123456789012:role/sereno-*"}
    handled = deploy_policy.allowed(deploy_policy.handling())
    assert deploy_policy.made() <= handled.keys() & may.keys()
    called = deploy_policy.allowed(deploy_policy.calling())
    assert "lambda:CreateFunction" not in called
    assert called["iam:PassRole"] == {"arn:aws:iam::123456789012:role/ROLE-OF-CLOUDFORMATION"}


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
