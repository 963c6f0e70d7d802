"""A service of many functions is deployed whole: roles past the size of an inline policy, alarms in nested stacks."""

from __future__ import annotations

import io
import json
import zipfile

import pytest

from tests.console.test_apply import ACCOUNT, REGION, STACK, account, left

__all__ = ["account"]  # the fixture
pytestmark = [
    pytest.mark.evidence,
    pytest.mark.filterwarnings("ignore:Tried to parse AWS..S3..BucketPolicy"),
]
TABLES = [f"a-shop-table-{number}" for number in range(8)]


def names_of(functions: int) -> list[str]:
    return [f"a-shop-with-a-rather-long-name-f{number:06d}" for number in range(functions)]


def config_of(functions: int, p99: str = "500ms") -> str:
    raw = {
        "service": "shop",
        "account": ACCOUNT,
        "region": REGION,
        "objectives": {"p99": p99, "surge": "9x"},
        "resources": {
            "functions": {f"f{number}": {"name": name} for number, name in enumerate(names_of(functions))},
            "tables": {f"t{number}": {"name": name} for number, name in enumerate(TABLES)},
        },
        "notifications": {"emails": ["oncall@example.com"]},
    }
    return json.dumps(raw)


def make_shop(aws, functions: int) -> None:
    role = aws.client("iam").get_role(RoleName="shop-read")["Role"]["Arn"]
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("app.py", "")
    for name in names_of(functions):
        aws.client("lambda").create_function(
            FunctionName=name, Runtime="python3.12", Role=role, Handler="app.run", Code={"ZipFile": code.getvalue()}
        )
    for name in TABLES:
        aws.client("dynamodb").create_table(
            TableName=name,
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            ProvisionedThroughput={"ReadCapacityUnits": 10, "WriteCapacityUnits": 10},
        )


@pytest.mark.parametrize("functions", [40, 120])
def test_a_service_of_many_functions_is_deployed_changed_and_destroyed(account, functions):
    make_shop(account.aws, functions)
    ours = {*names_of(functions), *TABLES}
    account.write(config_of(functions))
    assert f"{STACK} is CREATE_COMPLETE" in account.sereno("deploy", "--yes")
    alarms = {one["AlarmName"] for one in account.aws.client("cloudwatch").describe_alarms()["MetricAlarms"]}
    assert {f"shop/f{number}/throttles" for number in range(functions)} <= alarms

    account.write(config_of(functions, "700ms"))
    account.sereno("deploy", "--yes")
    assert account.status() == "UPDATE_COMPLETE"
    assert account.planned()["changes"] == []

    account.sereno("destroy", "--yes", "--delete-ledger")
    assert account.status() is None
    assert set(left(account)) <= ours
