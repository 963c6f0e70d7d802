"""A watch comes to an account, is looked at, changed, and taken away: `sereno plan`, `deploy`, `destroy` on moto."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from deploy import embedded, package
from deploy.apply import change_set, failure, rollout
from drills import shims
from drills.metrics import MetricStore
from remediators import limits
from remediators.clients import BotocoreAws
from remediators.ledger import Ledger
from sereno.model import Mode
from tests.console.command_of import CommandOf

ACCOUNT, REGION, STACK = "123456789012", "eu-west-1", "sereno-shop"
CONFIG = """\
service: shop
account: "123456789012"
region: eu-west-1
resources:
  functions:
    read: {name: shop-read, reserved: 120}
playbook:
  exhaustion: [raise_concurrency, open_incident]
"""
# moto's CloudFormation has no bucket policies. (One that only TLS passes would lock the test out, too: moto does not
# read conditions.) tests/deploy/apply/test_artifacts.py holds the policy.
pytestmark = pytest.mark.filterwarnings("ignore:Tried to parse AWS..S3..BucketPolicy")
# moto keeps neither an alarm's warm-up nor composite alarms: on it these look changed by hand.
UNKNOWN_TO_MOTO = {"sereno-shop/round/heartbeat", "shop/shop/customers-hurt"}


@dataclass
class Account(CommandOf):
    """The shop's account, and the command beside it."""

    aws: BotocoreAws

    def planned(self) -> Any:
        """`sereno plan --json`, without what moto does not know."""
        told = json.loads(self.sereno("plan", "--json"))
        told["drift"] = [one for one in told["drift"] if one["name"] not in UNKNOWN_TO_MOTO]
        return told

    def write(self, text: str) -> None:
        """Another configuration."""
        self.config.write_text(text, encoding="utf-8")

    def status(self) -> str | None:
        """The stack's status."""
        found = self.aws.client("cloudformation").describe_stacks()["Stacks"]
        return next((one["StackStatus"] for one in found if one["StackName"] == STACK), None)

    def stands(self, status: str) -> None:
        """A stack with next to nothing in it, in this status."""
        little = {"Resources": {"Topic": {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": "remains"}}}}
        self.aws.client("cloudformation").create_stack(StackName=STACK, TemplateBody=json.dumps(little))
        self.force(status)

    def force(self, status: str, name: str = STACK) -> None:
        """The stack is in another status, as a failure on AWS would leave it."""
        backend = self._backend()
        next(one for one in backend.stacks.values() if one.name == name).status = status

    def _backend(self) -> Any:
        from moto.backends import get_backend

        return get_backend("cloudformation")[ACCOUNT][REGION]

    def ledger(self) -> Ledger:
        return Ledger(self.aws.client("dynamodb"), "sereno-shop-ledger", "shop", sleep=lambda _: None)


def _small_package(out: Path, compiled: Any, **_: Any) -> Path:
    """In the place of the real package, which takes a second to build and has tests of its own."""
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(zipfile.ZipInfo("sereno.json"), json.dumps(compiled, sort_keys=True))
    return out


@pytest.fixture
def account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Account]:
    monkeypatch.setattr(package, "build", _small_package)
    monkeypatch.setattr(package, "runtime", lambda: "python3.12")
    monkeypatch.setattr(change_set, "POLL_S", 0.0)
    config = tmp_path / "sereno.yaml"
    config.write_text(CONFIG, encoding="utf-8")
    with ExitStack() as stack:
        stack.enter_context(mock_aws(config={"lambda": {"use_docker": False}}))
        aws = BotocoreAws(REGION)
        clock: Callable[[], float] = lambda: datetime.now(UTC).timestamp()  # noqa: E731 - a shim's clock
        stack.enter_context(shims.installed(shims.Answers(MetricStore(), clock)))
        stack.enter_context(embedded.shims_at_work(REGION))
        aws = BotocoreAws(REGION)
        role = aws.client("iam").create_role(RoleName="shop-read", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
        code = io.BytesIO()
        with zipfile.ZipFile(code, "w") as archive:
            archive.writestr("app.py", "")
        aws.client("lambda").create_function(
            FunctionName="shop-read",
            Runtime="python3.12",
            Role=role,
            Handler="app.handler",
            Code={"ZipFile": code.getvalue()},
        )
        yield Account(config, aws)


def test_without_a_stack_everything_is_new_and_nothing_is_made(account):
    told = account.planned()
    assert {one["what"] for one in told["changes"]} == {"added"}
    assert told["stack"] == {"name": STACK, "status": None}
    assert account.status() is None
    assert "added." in account.sereno("plan")


def test_a_first_deployment_makes_the_bucket_and_the_stack(account):
    told = account.sereno("deploy", "--yes")
    assert account.status() == "CREATE_COMPLETE"
    assert f"{STACK} is CREATE_COMPLETE" in told
    bucket = account.aws.client("s3").list_objects_v2(Bucket=f"sereno-artifacts-{ACCOUNT}-{REGION}")
    assert sorted(one["Key"].rsplit(".", 1)[1] for one in bucket["Contents"]) == ["json", "zip"]
    functions = account.aws.client("lambda").list_functions()["Functions"]
    assert "sereno-shop-round" in {one["FunctionName"] for one in functions}
    assert {tuple(one["Architectures"]) for one in functions if one["FunctionName"] != "shop-read"} == {("arm64",)}

    # Deploying again changes nothing and is no error.
    told = account.sereno("deploy", "--yes")
    assert "Nothing to change" in told
    assert "uploaded already" in told
    assert account.planned()["changes"] == []


def test_a_change_is_shown_with_its_values_and_carried_out_when_a_person_says_so(account):
    account.sereno("deploy", "--yes")
    account.write(CONFIG + "objectives: {p99: 700ms}\n")
    told = account.sereno("plan")
    assert "shop/read/latency" in told
    assert "Code.S3Key" in told
    assert "nothing was changed" in account.refused("deploy", typed="n\n")
    assert account.status() == "CREATE_COMPLETE"
    account.sereno("deploy", typed="y\n")
    assert account.status() == "UPDATE_COMPLETE"


def test_what_was_changed_by_hand_is_seen(account):
    account.sereno("deploy", "--yes")
    assert account.planned()["drift"] == []
    alarms = account.aws.client("cloudwatch")
    alarms.delete_alarms(AlarmNames=["shop/read/errors"])
    alarms.disable_alarm_actions(AlarmNames=["shop/read/throttles"])
    account.aws.client("events").disable_rule(Name="sereno-shop-minute")
    account.aws.client("lambda").put_function_concurrency(
        FunctionName="sereno-shop-round", ReservedConcurrentExecutions=3
    )
    account.aws.client("lambda").update_function_configuration(
        FunctionName="sereno-shop-open-incident", Environment={"Variables": {"SERENO_LEDGER": "other"}}
    )
    seen = {one["name"]: one for one in account.planned()["drift"]}
    assert seen.keys() == {
        "shop/read/errors",
        "shop/read/throttles",
        "sereno-shop-minute",
        "sereno-shop-round",
        "sereno-shop-open-incident",
    }
    assert seen["shop/read/errors"]["gone"]
    assert seen["sereno-shop-minute"]["differences"] == [
        {"property": "State", "before": "ENABLED", "after": "DISABLED"}
    ]
    assert {one["property"] for one in seen["shop/read/throttles"]["differences"]} == {"ActionsEnabled"}
    assert "--revert-drift" in account.refused("plan", "--check")


def test_what_is_not_on_the_account_is_told_by_its_place(account):
    account.write(CONFIG.replace("shop-read,", "shop-reed,"))
    told = account.refused("plan")
    assert 'resources.functions.read.name: "shop-reed" is no function in this account and region' in told
    assert 'sereno.yaml: resources.functions.read.name: "shop-reed"' in account.refused("deploy", "--yes", code=2)
    assert account.status() is None


def test_another_accounts_credentials_are_told_before_anything_else(account):
    account.write(CONFIG.replace(ACCOUNT, "999999999999"))
    told = account.refused("plan", code=2)
    assert told.count("\n") == 1
    assert "is not the account of these credentials, 123456789012" in told


def test_a_first_deployment_observes(account):
    account.write(CONFIG + "mode: auto\n")
    told = account.refused("deploy", "--yes")
    assert "a first deployment observes" in told
    assert account.status() is None
    told = account.refused("deploy", "--auto-from-the-start", typed="y\nn\n")
    assert "Carry this out" in told
    # The stack that the change set began is gone with it.
    assert account.status() is None


def test_a_later_deployment_may_act(account):
    account.stands("CREATE_COMPLETE")
    account.write(CONFIG + "mode: auto\n")
    told = account.refused("deploy", typed="y\nn\n")
    assert "Carry this out" in told
    assert "observes" not in told


@pytest.fixture
def poor(monkeypatch):
    """Gives Lambda's answer of an account with so many executions."""

    def make(executions: int) -> None:
        few = {"ConcurrentExecutions": executions, "UnreservedConcurrentExecutions": executions}
        real = BotocoreAws.client

        class Poor:
            def __init__(self, inner: Any) -> None:
                self._inner = inner

            def get_account_settings(self) -> Any:
                return {"AccountLimit": few}

            def __getattr__(self, name: str) -> Any:
                return getattr(self._inner, name)

        def client(self: Any, service: str, region: str | None = None) -> Any:
            return Poor(real(self, service, region)) if service == "lambda" else real(self, service, region)

        monkeypatch.setattr(BotocoreAws, "client", client)

    return make


def test_an_account_without_room_is_told_by_plan_and_by_deploy_before_anything_is_made(account, poor):
    poor(10)
    told = account.refused("deploy", "--yes", code=2)
    assert "the account can spare 0 (it has 10" in told
    assert "Service Quotas" in told
    assert "set ownConcurrency: unreserved" in told
    assert "can stop Sereno too" in told
    assert account.status() is None
    told = account.refused("plan", code=1)
    assert "Deploying would fail for want of room:" in told
    assert "set ownConcurrency: unreserved" in told
    seen = json.loads(account.refused("plan", "--json", code=1))
    assert (seen["room"]["spare"], len(seen["no_room"])) == (0, 1)
    assert seen["room"]["more"] == seen["room"]["own"] > 0
    account.write(CONFIG + "ownConcurrency: unreserved\n")
    assert "can stop Sereno too" in account.sereno("plan")
    account.sereno("deploy", "--yes")
    assert account.status() == "CREATE_COMPLETE"


def test_deploy_notes_what_aws_allows_the_account(account):
    table = "  tables:\n    items: {name: shop-items, billing: provisioned, read: 5, write: 5}\nplaybook:\n"
    account.write(CONFIG.replace("playbook:\n", table) + "  read-capacity: [raise_capacity, request_quota]\n")
    account.aws.client("dynamodb").create_table(
        TableName="shop-items",
        BillingMode="PROVISIONED",
        ProvisionedThroughput={"ReadCapacityUnits": 5, "WriteCapacityUnits": 5},
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
    )
    told = account.sereno("deploy", "--yes")
    assert "are read by the reconciler" not in told
    row = account.aws.client("dynamodb").get_item(
        TableName="sereno-shop-ledger", Key={"pk": {"S": limits.PK}, "sk": {"S": limits.ROW}}
    )["Item"]
    known = limits.Limits.from_item(row)
    assert "capacity" in known.read_at
    assert known.quotas.keys() == known.read_at.keys() - {"capacity"}
    assert known.quotas


def test_without_the_right_to_read_limits_deploy_says_who_reads_them(account, monkeypatch):
    def refused(*_: Any) -> Any:
        raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "PutItem")

    monkeypatch.setattr(limits, "seed", refused)
    told = account.sereno("deploy", "--yes")
    assert "are read by the reconciler, not now (AccessDeniedException)" in told
    assert account.status() == "CREATE_COMPLETE"


def test_what_is_assumed_is_told(account):
    account.write(CONFIG.replace("shop-read, reserved: 120}", "shop-read, reserved: 120}  # assumed: not yet known"))
    told = account.sereno("plan")
    assert "Assumed, and to be confirmed:" in told
    assert "assumed: not yet known" in told


def test_a_bucket_that_is_not_there_is_not_made_by_another_name(account):
    assert "there is no bucket mine" in account.refused("deploy", "--yes", "--bucket", "mine")
    account.aws.client("s3").create_bucket(Bucket="mine", CreateBucketConfiguration={"LocationConstraint": REGION})
    account.sereno("deploy", "--yes", "--bucket", "mine", "--architecture", "x86_64")
    found = account.aws.client("lambda").get_function_configuration(FunctionName="sereno-shop-round")
    assert found["Architectures"] == ["x86_64"]
    # What was chosen once stays chosen.
    assert account.planned()["changes"] == []


def test_a_bucket_deleted_by_hand_is_made_again_although_its_stack_is_there(account):
    account.sereno("deploy", "--yes")
    bucket = f"sereno-artifacts-{ACCOUNT}-{REGION}"
    store = account.aws.client("s3")
    for one in store.list_object_versions(Bucket=bucket)["Versions"]:
        store.delete_object(Bucket=bucket, Key=one["Key"], VersionId=one["VersionId"])
    store.delete_bucket(Bucket=bucket)
    account.write(CONFIG + "objectives: {p99: 700ms}\n")
    account.sereno("deploy", "--yes")
    assert account.status() == "UPDATE_COMPLETE"
    assert bucket in {one["Name"] for one in store.list_buckets()["Buckets"]}


def test_an_artifact_stack_whose_creation_failed_is_made_anew(account):
    little = {"Resources": {"Topic": {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": "remains"}}}}
    account.aws.client("cloudformation").create_stack(StackName="sereno-artifacts", TemplateBody=json.dumps(little))
    account.force("ROLLBACK_COMPLETE", "sereno-artifacts")
    account.sereno("deploy", "--yes")
    assert account.status() == "CREATE_COMPLETE"


def test_an_artifact_stack_that_somebody_else_is_changing_is_left_alone(account):
    little = {"Resources": {"Topic": {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": "remains"}}}}
    account.aws.client("cloudformation").create_stack(StackName="sereno-artifacts", TemplateBody=json.dumps(little))
    account.force("UPDATE_IN_PROGRESS", "sereno-artifacts")
    assert "sereno-artifacts: the stack is UPDATE_IN_PROGRESS" in account.refused("deploy", "--yes")


def test_a_stack_whose_creation_failed_is_explained_deleted_and_made_anew(account):
    account.stands("ROLLBACK_COMPLETE")
    assert "its first creation failed" in account.refused("deploy", typed="n\n")
    told = account.refused("deploy", typed="y\ny\nn\n")
    assert "DELETE_COMPLETE" in told
    assert "Carry this out" in told


def test_a_stack_that_somebody_else_is_changing_is_left_alone(account):
    account.stands("UPDATE_IN_PROGRESS")
    assert "somebody else is changing it" in account.refused("deploy", "--yes")
    assert "somebody else is changing it" in account.refused("destroy", "--yes")


def test_a_failure_names_its_first_cause_and_not_the_last_line(account, monkeypatch):
    account.stands("UPDATE_COMPLETE")
    account.aws.client("s3").create_bucket(Bucket="mine", CreateBucketConfiguration={"LocationConstraint": REGION})
    at = datetime(2026, 9, 29, 22, 0, tzinfo=UTC)
    lines = [
        failure.Happening(at, STACK, "Round", "x", "AWS::Lambda::Function", "UPDATE_FAILED", "Rate exceeded", "1"),
        failure.Happening(at, STACK, STACK, "y", failure.STACK, "UPDATE_ROLLBACK_COMPLETE", "", "2"),
    ]
    monkeypatch.setattr(rollout.change_set, "watch", lambda *_: ("UPDATE_ROLLBACK_COMPLETE", lines))
    told = account.refused("deploy", "--yes", "--bucket", "mine")
    assert "Round (x), AWS::Lambda::Function: Rate exceeded" in told
    assert "Deploy again" in told


def test_destroying_asks_for_the_name_and_keeps_the_ledger(account, monkeypatch):
    account.sereno("deploy", "--yes")
    assert "nothing was changed" in account.refused("destroy", typed="shoq\n")
    assert account.status() == "CREATE_COMPLETE"
    told = account.sereno("destroy", typed="shop\n")
    assert "sereno-shop-ledger, is kept" in told
    assert account.status() is None
    assert "sereno-shop-ledger" in account.aws.client("dynamodb").list_tables()["TableNames"]
    # The kept ledger must not hold a watch that comes back.
    assert account.ledger().modes()["*"] is Mode.AUTO
    assert "There is no stack" in account.sereno("destroy", typed="shop\n")

    # The next deployment takes it over, with what it holds.
    told = account.sereno("deploy", "--yes")
    assert "Taken over as it was: Ledger." in told
    assert "--revert-drift" not in told
    assert account.status() == "CREATE_COMPLETE"
    assert account.ledger().modes()["*"] is Mode.AUTO
    assert account.planned()["changes"] == []


def test_cloudformation_acts_with_the_role_that_is_given(account):
    role = f"arn:aws:iam::{ACCOUNT}:role/of-cloudformation"
    account.sereno("deploy", "--yes", "--role-arn", role)
    stacks = account._backend().stacks.values()
    assert {one.name: one.role_arn for one in stacks} == {STACK: role, "sereno-artifacts": role}


def test_what_differs_on_a_ledger_that_is_taken_over_is_told(account):
    account.sereno("deploy", "--yes")
    account.sereno("destroy", "--yes")
    account.aws.client("dynamodb").update_table(TableName="sereno-shop-ledger", DeletionProtectionEnabled=False)
    told = account.sereno("deploy", "--yes")
    assert "Ledger/DeletionProtectionEnabled is False, and the template says True" in told
    assert "fix: deploy again with --revert-drift" in told


@pytest.mark.evidence
def test_a_watch_comes_changes_goes_and_comes_again(account):
    for arguments in ([], ["--delete-ledger"], []):
        account.write(CONFIG)
        account.sereno("deploy", "--yes")
        assert account.status() == "CREATE_COMPLETE"
        account.write(CONFIG + "objectives: {p99: 700ms}\n")
        account.sereno("deploy", "--yes")
        assert account.status() == "UPDATE_COMPLETE"
        assert account.planned()["changes"] == []
        account.sereno("destroy", "--yes", *arguments)
        assert account.status() is None
        assert left(account) == ([] if arguments else ["sereno-shop-ledger"])


def left(account) -> list[str]:
    """What of the watch is still on the account, by name; the bucket of the code apart."""
    aws = account.aws
    names = [
        *aws.client("dynamodb").list_tables()["TableNames"],
        *(one["FunctionName"] for one in aws.client("lambda").list_functions()["Functions"]),
        *(one["AlarmName"] for one in aws.client("cloudwatch").describe_alarms()["MetricAlarms"]),
        *(one["Name"] for one in aws.client("events").list_rules()["Rules"]),
        *(one["logGroupName"] for one in aws.client("logs").describe_log_groups()["logGroups"]),
        *(one["RoleName"] for one in aws.client("iam").list_roles()["Roles"]),
        *(one["TopicArn"].rsplit(":", 1)[1] for one in aws.client("sns").list_topics()["Topics"]),
        *(one.rsplit("/", 1)[1] for one in aws.client("sqs").list_queues().get("QueueUrls", [])),
    ]
    return sorted(name for name in names if name != "shop-read")


def test_a_name_that_is_taken_rolls_the_creation_back_and_says_so(account):
    account.aws.client("sns").create_topic(Name="sereno-shop-people")
    told = account.refused("deploy", "--yes")
    assert "sereno-shop-people already exists" in told
    assert "must be deleted or renamed first" in told
    assert account.status() == "ROLLBACK_COMPLETE"
    (topic,) = account.aws.client("sns").list_topics()["Topics"]
    account.aws.client("sns").delete_topic(TopicArn=topic["TopicArn"])
    account.sereno("deploy", "--yes")
    assert account.status() == "CREATE_COMPLETE"


def test_the_ledger_goes_when_that_is_asked_for(account):
    account.sereno("deploy", "--yes")
    assert "its ledger too" in account.sereno("destroy", "--yes", "--delete-ledger")
    assert account.aws.client("dynamodb").list_tables()["TableNames"] == []


def test_turning_away_leaves_no_change_set_behind(account):
    account.stands("CREATE_COMPLETE")
    account.aws.client("s3").create_bucket(Bucket="mine", CreateBucketConfiguration={"LocationConstraint": REGION})
    # Nobody is there to answer: as Ctrl-C at the question.
    assert account.run("deploy", "--bucket", "mine", typed="").exit_code == 1
    assert account.aws.client("cloudformation").list_change_sets(StackName=STACK)["Summaries"] == []
