"""The API calls that the embedded AWS cannot answer: a caller cannot tell them from AWS's."""

from __future__ import annotations

import io
import zipfile
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError, ParamValidationError
from moto import mock_aws

from drills import shims
from drills.metrics import MetricStore
from remediators.clients import BotocoreAws

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC).timestamp()
READ = {"FunctionName": "shop-read"}


@pytest.fixture
def answers():
    with mock_aws(config={"lambda": {"use_docker": False}}):
        held: list[BotocoreAws] = []
        found = shims.Answers(MetricStore(), lambda: NOON)
        with shims.installed(found):
            held.append(BotocoreAws("eu-west-1"))
            yield found, held[0]


def metric(store: MetricStore, minute: int, total: float, visible_s: float = 60.0) -> None:
    begins = NOON + 60 * minute
    facts: dict[str, Any] = {"total": total, "count": 2, "minimum": total / 4, "maximum": total}
    store.put("AWS/Lambda", "Invocations", READ, begins, 60, visible_at=begins + visible_s, **facts)


def asked(client: Any, first: int, last: int, stat: str = "Sum", **more: Any) -> Any:
    """The answer for the minutes first..last before or after noon."""
    named = [{"Name": "FunctionName", "Value": "shop-read"}]
    wanted = {"Namespace": "AWS/Lambda", "MetricName": "Invocations", "Dimensions": named}
    return client.get_metric_data(
        MetricDataQueries=[{"Id": "calls", "MetricStat": {"Metric": wanted, "Period": 60, "Stat": stat}}],
        StartTime=datetime.fromtimestamp(NOON + 60 * first, UTC),
        EndTime=datetime.fromtimestamp(NOON + 60 * last, UTC),
        **more,
    )["MetricDataResults"][0]


def test_metric_data_is_the_worlds_as_far_as_it_is_visible(answers):
    found, aws = answers
    for minute in (-5, -4, -2):
        metric(found.store, minute, 100.0 - minute)
    metric(found.store, -1, 7.0, visible_s=61)
    told = asked(aws.client("cloudwatch"), -10, 0)
    assert told["Values"] == [102.0, 104.0, 105.0], "newest first, as AWS does unless asked otherwise"
    assert told["Timestamps"][0] == datetime.fromtimestamp(NOON - 120, UTC)
    assert told["StatusCode"] == "Complete"
    rising = asked(aws.client("cloudwatch"), -10, 0, ScanBy="TimestampAscending")
    assert rising["Values"] == [105.0, 104.0, 102.0]
    assert asked(aws.client("cloudwatch"), -10, 0, "Average")["Values"] == [51.0, 52.0, 52.5]
    assert asked(aws.client("cloudwatch"), -100, -90)["Values"] == []


def test_parameters_are_checked_as_for_aws(answers):
    _, aws = answers
    with pytest.raises(ParamValidationError, match="StartTime"):
        aws.client("cloudwatch").get_metric_data(MetricDataQueries=[])


def test_the_account_tells_its_quota_and_what_is_left_unreserved(answers):
    found, aws = answers
    client = aws.client("lambda")
    assert client.get_account_settings()["AccountLimit"]["UnreservedConcurrentExecutions"] == 1000
    _function(aws, "shop-read", 120)
    _function(aws, "shop-write", None)
    found.quota = 2000
    limit = client.get_account_settings()["AccountLimit"]
    assert (limit["ConcurrentExecutions"], limit["UnreservedConcurrentExecutions"]) == (2000, 1880)


def test_a_change_of_concurrency_is_noticed_and_nothing_else_is(answers):
    found, aws = answers
    _function(aws, "shop-read", None)
    found.limits_touched = False
    client = aws.client("lambda")
    client.get_function_concurrency(FunctionName="shop-read")
    assert not found.limits_touched
    client.put_function_concurrency(FunctionName="shop-read", ReservedConcurrentExecutions=5)
    assert found.limits_touched
    found.limits_touched = False
    client.delete_function_concurrency(FunctionName="shop-read")
    assert found.limits_touched


def test_an_incident_is_opened_once_and_found_by_its_title(answers):
    _, aws = answers
    ops = aws.client("ssm")
    told = {
        "Title": "techmoda: customers are hurt",
        "Source": "sereno",
        "Description": "5xx",
        "Severity": "1",
        "OperationalData": {"/aws/dedup": {"Value": '{"dedupString":"a"}', "Type": "SearchableString"}},
    }
    opened = ops.create_ops_item(**told)["OpsItemId"]
    with pytest.raises(ClientError, match="OpsItemAlreadyExistsException"):
        ops.create_ops_item(**told)
    ops.create_ops_item(Title="something else", Source="person", Description="-")

    def titled(**filters: str) -> list[str]:
        wanted = [{"Key": key, "Values": [text], "Operator": "Contains"} for key, text in filters.items()]
        return [one["OpsItemId"] for one in ops.describe_ops_items(OpsItemFilters=wanted)["OpsItemSummaries"]]

    assert titled(Title="customers are hurt") == [opened]
    assert titled(Source="sereno") == [opened]
    assert titled(Title="customers are hurt", Source="person") == []
    assert len(ops.describe_ops_items()["OpsItemSummaries"]) == 2


def test_alarms_are_the_embedded_ones_until_the_drill_rings_its_own(answers):
    found, aws = answers
    client = aws.client("cloudwatch")
    client.put_metric_alarm(
        AlarmName="shop/read/deployed",
        Namespace="AWS/Lambda",
        MetricName="Errors",
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=0,
        ComparisonOperator="GreaterThanThreshold",
    )
    assert [one["AlarmName"] for one in client.describe_alarms()["MetricAlarms"]] == ["shop/read/deployed"]

    def one(name: str, state: str) -> dict[str, str]:
        return {"AlarmName": name, "StateValue": state}

    found.alarms = lambda: {
        "MetricAlarms": [one("shop/read/a", "ALARM"), one("shop/read/b", "OK"), one("other/x/a", "ALARM")],
        "CompositeAlarms": [one("shop/shop/up", "ALARM")],
    }

    def names(**filters: Any) -> list[str]:
        told = client.describe_alarms(**filters)
        return [alarm["AlarmName"] for kind in ("MetricAlarms", "CompositeAlarms") for alarm in told[kind]]

    assert names(StateValue="ALARM", AlarmNamePrefix="shop/") == ["shop/read/a", "shop/shop/up"]
    assert names(AlarmNames=["shop/read/b", "other/x/a"]) == ["shop/read/b", "other/x/a"]
    assert len(names()) == 4


def test_clients_made_afterwards_know_nothing_of_the_shims():
    from botocore import handlers

    before = list(handlers.BUILTIN_HANDLERS)
    with shims.installed(shims.Answers(MetricStore(), lambda: NOON)):
        assert len(handlers.BUILTIN_HANDLERS) > len(before)
    assert before == handlers.BUILTIN_HANDLERS


def test_every_shim_says_why_it_is_needed():
    assert all(len(shim.why) > 20 for shim in shims.ANSWERED.values())


def _function(aws: BotocoreAws, name: str, reserved: int | None) -> None:
    iam, code = aws.client("iam"), io.BytesIO()
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("app.py", "def handler(event, context): return {}\n")
    client = aws.client("lambda")
    client.create_function(
        FunctionName=name, Runtime="python3.12", Role=role, Handler="app.handler", Code={"ZipFile": code.getvalue()}
    )
    if reserved is not None:
        client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=reserved)


def function(aws, name="shop-read"):
    role = aws.client("iam").create_role(RoleName=f"{name}-role", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("app.py", "")
    facts = {"Runtime": "python3.12", "Role": role, "Handler": "app.handler", "Code": {"ZipFile": code.getvalue()}}
    aws.client("lambda").create_function(FunctionName=name, **facts)
    return aws.client("lambda")


def test_aws_keeps_a_hundred_executions_unreserved(answers):
    _, aws = answers
    client = function(aws)
    client.put_function_concurrency(FunctionName="shop-read", ReservedConcurrentExecutions=900)
    with pytest.raises(client.exceptions.InvalidParameterValueException, match=r"minimum value of \[100\]"):
        client.put_function_concurrency(FunctionName="shop-read", ReservedConcurrentExecutions=901)
    assert client.get_account_settings()["AccountLimit"]["UnreservedConcurrentExecutions"] == 100


def test_provisioned_concurrency_is_in_progress_before_it_is_ready(answers):
    found, aws = answers
    client = function(aws)
    named = {"FunctionName": "shop-read", "Qualifier": "live"}
    with pytest.raises(client.exceptions.ProvisionedConcurrencyConfigNotFoundException):
        client.get_provisioned_concurrency_config(**named)
    client.put_provisioned_concurrency_config(**named, ProvisionedConcurrentExecutions=10)
    assert client.get_provisioned_concurrency_config(**named)["Status"] == "IN_PROGRESS"
    found.functions.clock = lambda: NOON + 180
    ready = client.get_provisioned_concurrency_config(**named)
    assert (ready["Status"], ready["AvailableProvisionedConcurrentExecutions"]) == ("READY", 10)


def test_a_function_on_managed_instances_says_so(answers):
    found, aws = answers
    client = function(aws)
    found.functions.kinds["shop-read"] = "managed instances"
    assert "CapacityProviderConfig" in client.get_function_configuration(FunctionName="shop-read")
    assert "CapacityProviderConfig" in client.get_function(FunctionName="shop-read")["Configuration"]
    with pytest.raises(client.exceptions.InvalidParameterValueException):
        client.put_function_concurrency(FunctionName="shop-read", ReservedConcurrentExecutions=5)
