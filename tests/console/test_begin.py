"""`sereno init`: a file that works, a report that hides nothing, and no harm done by a slip."""

from __future__ import annotations

import json
from pathlib import Path

import boto3
import moto
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from console import begin
from deploy import config
from deploy.embedded import MOCK_CONFIG, create_stack

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples/techmoda/template.yaml"
TEMPLATES = ROOT / "tests/deploy/intake/templates"


@pytest.fixture(autouse=True)
def nobody(monkeypatch):
    """No credentials that count, unless a test brings some; no look into a profile of this machine."""
    monkeypatch.setattr(begin, "caller", lambda region: None)
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")


def test_a_first_configuration_passes_its_own_check(command, tmp_path):
    out = tmp_path / "new/sereno.yaml"
    shown = command("init", "--from", EXAMPLE, "-o", out, columns=160)
    assert shown.exit_code == 0, shown.output
    assert f"{out}: 3 functions, 1 API, 1 table, from {EXAMPLE}" in shown.stdout
    assert "alias live, reserved 120, timeout 10s, memory 512, uses products" in shown.stdout
    untold = command("check", "--config", out)
    assert untold.exit_code == 2
    assert "notifications: pages reach nobody, by day or by night" in untold.output
    told = ("--email", "oncall@example.com", "--email", "lead@example.com")
    assert command("init", "--from", EXAMPLE, "-o", out, "--force", *told).exit_code == 0
    assert "notifications: {emails: [" in out.read_text()
    checked = command("check", "--config", out)
    assert checked.exit_code == 0, checked.output
    assert "observe" in checked.stdout
    assert command("synth", "--config", out).exit_code == 0


def test_the_report_says_what_is_found_open_assumed_and_seen(command, tmp_path):
    shown = command("init", "--from", TEMPLATES / "cfn-macros.yaml", "-o", tmp_path / "s.yaml", columns=300).stdout
    headings = [line for line in shown.splitlines() if line and not line.startswith(" ")]
    assert [one for one in ("could not resolve", "assumed", "seen") if one in headings] == [
        "could not resolve",
        "assumed",
        "seen",
    ]
    assert "  Transform: CompanyGuardrails: is a macro of your own account" in shown
    assert "  account: 000000000000: no account was given, and no credentials say one" in shown
    assert f"sereno check --config {tmp_path / 's.yaml'}" in shown


def test_machines_get_one_document(command, tmp_path):
    arguments = ("--account", "111122223333", "--region", "eu-north-1", "--stack", "live", "--service", "market")
    shown = command("init", "--from", EXAMPLE, "-o", tmp_path / "s.yaml", *arguments, "--json")
    told = json.loads(shown.stdout)
    assert (told["written"], told["service"], told["account"]) == (str(tmp_path / "s.yaml"), "market", "111122223333")
    assert told["found"]["functions"]["read"]["reserved"] == 120
    assert [one["place"] for one in told["assumed"]] == ["objectives"]
    written = config.service(tmp_path / "s.yaml")
    assert (written.name, written.account, written.region, written.stack) == (
        "market",
        "111122223333",
        "eu-north-1",
        "live",
    )


def test_parameters_are_given_by_name(command, tmp_path):
    arguments = ("--from", TEMPLATES / "sam-mappings.yaml", "-o", tmp_path / "s.yaml", "--parameter", "Stage=dev")
    assert command("init", *arguments).exit_code == 0
    assert config.service(tmp_path / "s.yaml").functions["price"].memory_mb == 128


def test_sams_own_configuration_beside_the_template_is_used(command, tmp_path):
    template = tmp_path / "template.yaml"
    template.write_text((TEMPLATES / "sam-mappings.yaml").read_text())
    (tmp_path / "samconfig.toml").write_text(
        "[default.deploy.parameters]\nstack_name = 'prices'\nregion = 'us-east-1'\n"
        "parameter_overrides = 'Stage=dev Unused=1'\n"
    )
    shown = command("init", "--from", template, "-o", tmp_path / "s.yaml", "--json")
    told = json.loads(shown.stdout)
    assert (told["stack"], told["region"]) == ("prices", "us-east-1")
    assert told["found"]["functions"]["price"]["timeout"] == "5s"


def test_a_file_that_is_there_is_left_alone_unless_forced(command, tmp_path):
    out = tmp_path / "sereno.yaml"
    out.write_text("precious\n")
    refused = command("init", "--from", EXAMPLE, "-o", out)
    assert refused.exit_code == 2
    assert "is there already (write over it with --force, or name another with --out)" in refused.stderr
    assert out.read_text() == "precious\n"
    assert command("init", "--from", EXAMPLE, "-o", out, "--force").exit_code == 0
    assert config.service(out).name == "techmoda"


BAD = [
    ((), "neither is given"),
    (("--from", EXAMPLE, "--from-stack", "shop"), "both are given"),
    (("--from", "/no/such.yaml"), "cannot be read: No such file or directory"),
    (("--from", ROOT), "cannot be read: Is a directory"),
    (("--from", ROOT / "docs/img/surge-ramp.png"), "is no text in UTF-8"),
    (("--from", ROOT / "examples/minimal.yaml"), "is a sereno.yaml already"),
    (("--from", ROOT / "README.md"), ""),
    (("--from", TEMPLATES / "nothing-to-watch.yaml"), "names nothing that Sereno watches"),
    (("--from", EXAMPLE, "--account", "12"), '--account: "12" must be the 12 digits'),
    (("--from", EXAMPLE, "--region", "Mars"), "is no AWS region"),
    (("--from", EXAMPLE, "--stack", "a/b"), "is no stack name"),
    (("--from", EXAMPLE, "--service", "S"), "must be 2 to 30"),
    (("--from", EXAMPLE, "--parameter", "Release"), "is no NAME=VALUE"),
    (("--from", EXAMPLE, "--parameter", "Relase=2"), "(did you mean Release?)"),
    (("--from", EXAMPLE, "--parameter", "DemandMetric=9"), "must be one of 0, 1"),
    (("--from-stack", "shop", "--stack", "shop"), "has no meaning with --from-stack"),
    (("--from-stack", "shop", "--region", "eu-west-1", "--parameter", "A=1"), "has no meaning with --from-stack"),
    (("--from-stack", "shop"), "--region: is missing"),
]


@pytest.mark.parametrize(("arguments", "said"), BAD, ids=[" ".join(map(str, one[-2:])) for one, _ in BAD])
def test_bad_input_is_told_in_a_sentence_and_nothing_is_written(command, tmp_path, arguments, said):
    out = tmp_path / "sereno.yaml"
    result = command("init", *arguments, "-o", out)
    assert result.exit_code == 2, result.output
    assert said in result.stderr
    assert "Traceback" not in result.output
    assert not out.exists()


def test_a_deployed_stack_is_read_by_its_name(command, tmp_path):
    queue_worker = {
        "Resources": {
            "Role": {
                "Type": "AWS::IAM::Role",
                "Properties": {"AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": []}},
            },
            "Worker": {
                "Type": "AWS::Lambda::Function",
                "Properties": {
                    "Role": {"Fn::GetAtt": ["Role", "Arn"]},
                    "Handler": "app.handler",
                    "Runtime": "python3.12",
                    "Code": {"ZipFile": "def handler(event, context): return {}"},
                },
            },
        }
    }
    with moto.mock_aws(config=MOCK_CONFIG):
        made = create_stack("jobs", queue_worker, region="eu-west-1", account="123456789012")
        shown = command("init", "--from-stack", "jobs", "--region", "eu-west-1", "-o", tmp_path / "s.yaml")
        missing = command("init", "--from-stack", "nope", "--region", "eu-west-1", "-o", tmp_path / "t.yaml")
    assert shown.exit_code == 0, shown.output
    assert config.service(tmp_path / "s.yaml").functions["worker"].name == made.physical("Worker")
    assert missing.exit_code == 2
    assert '--from-stack: "nope" does not exist in eu-west-1' in missing.stderr


class Session:
    """A caller's session: with or without credentials, and what STS answers."""

    def __init__(self, credentials: object, answer: object = None) -> None:
        self.credentials, self.answer = credentials, answer

    def get_credentials(self) -> object:
        return self.credentials

    def client(self, *_: object, **__: object) -> Session:
        return self

    def get_caller_identity(self) -> object:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


REAL_CALLER = begin.caller


@pytest.mark.parametrize(
    ("session", "account"),
    [
        (Session(None), None),
        (Session("keys", {"Account": "111122223333"}), "111122223333"),
        (Session("old keys", ClientError({"Error": {"Code": "ExpiredToken"}}, "GetCallerIdentity")), None),
        (Session("keys", EndpointConnectionError(endpoint_url="https://sts")), None),
    ],
)
def test_the_account_is_the_callers_where_there_is_one(session, account):
    assert REAL_CALLER("eu-west-1", lambda: session) == account


def test_credentials_name_the_account(monkeypatch, command, tmp_path):
    monkeypatch.setattr(begin, "caller", REAL_CALLER)
    with moto.mock_aws():
        assert boto3.client("sts", region_name="eu-west-1").get_caller_identity()["Account"] == "123456789012"
        command("init", "--from", EXAMPLE, "-o", tmp_path / "s.yaml", "--region", "eu-west-1")
    assert config.service(tmp_path / "s.yaml").account == "123456789012"
