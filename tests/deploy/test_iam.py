"""A remediator may do what it says it calls, on what the service declares, and nothing else."""

import json
import re

import botocore.session
import pytest

from deploy import iam
from sereno.errors import InvalidInput
from sereno.model import Refusal, Verdict
from sereno.ports import Permission, Remediator
from sereno.service import Api, Function, Service, Table

SHOP = Service(
    name="shop",
    account="123456789012",
    regions=("eu-west-1",),
    apis={"front": Api("front", "shop-front", "prod")},
    functions={"cart": Function("cart", "shop-cart"), "pay": Function("pay", "shop-pay")},
    tables={"orders": Table("orders", "shop-orders")},
)
FUNCTION = "arn:{partition}:lambda:{region}:{account}:function:{function}"


def remediator(*permissions: Permission) -> Remediator:
    yes = Verdict.yes()
    return Remediator(
        name="made_up",
        summary="",
        kind="function",
        params={},
        permissions=permissions,
        observe=lambda aws, context: {},
        plan=lambda observation, context: Refusal(yes),
        read=lambda aws, context: {},
        symptom=lambda aws, context: {},
        verify=lambda plan, symptom, context: yes,
        may_release=lambda plan, symptom, context: yes,
    )


def allowed(found, action):
    resources = [one["Resource"] for one in found if action in one["Action"]]
    return {arn for one in resources for arn in ([one] if isinstance(one, str) else one)}


def test_raising_a_limit_is_allowed_on_each_declared_function_only():
    found = iam.statements(remediator(Permission("lambda.put_function_concurrency", FUNCTION)), SHOP)
    assert allowed(found, "lambda:PutFunctionConcurrency") == {
        "arn:aws:lambda:eu-west-1:123456789012:function:shop-cart",
        "arn:aws:lambda:eu-west-1:123456789012:function:shop-pay",
    }


def test_a_transaction_is_allowed_by_the_permissions_of_its_members():
    found = iam.statements(remediator(), SHOP)
    ledger = {"arn:aws:dynamodb:eu-west-1:123456789012:table/sereno-shop-ledger"}
    for member in ("PutItem", "UpdateItem"):
        assert allowed(found, f"dynamodb:{member}") == ledger
    assert "TransactWriteItems" not in json.dumps(found)


def test_nobody_may_delete_from_the_ledger():
    assert "dynamodb:DeleteItem" not in json.dumps(iam.statements(remediator(), SHOP))
    assert "dynamodb:DeleteItem" not in json.dumps(iam.allow(iam.ROUND, SHOP))


def test_nothing_reaches_everything_without_a_page_that_says_why():
    bare = remediator(Permission("lambda.get_account_settings", "*"))
    with pytest.raises(InvalidInput, match=r"lambda.get_account_settings.*without a reason"):
        iam.statements(bare, SHOP)
    reasoned = remediator(Permission("lambda.get_account_settings", "*", because="https://docs.aws.amazon.com/x"))
    found = iam.statements(reasoned, SHOP)
    assert allowed(found, "lambda:GetAccountSettings") == {"*"}
    assert iam.reasons(reasoned.permissions) == {"lambda.get_account_settings": "https://docs.aws.amazon.com/x"}


def test_operations_without_a_known_permission_are_all_named():
    unknown = remediator(Permission("lambda.fly", FUNCTION), Permission("lambda.swim", FUNCTION))
    with pytest.raises(InvalidInput) as told:
        iam.statements(unknown, SHOP)
    assert [problem.value for problem in told.value.problems] == ["lambda.fly", "lambda.swim"]


def test_a_resource_template_with_an_unknown_place_is_refused():
    with pytest.raises(InvalidInput, match=r"unknown places \['queue'\]"):
        iam.statements(remediator(Permission("sqs.send_message", "arn:aws:sqs:::{queue}")), SHOP)


def test_a_kind_that_the_service_does_not_declare_gives_no_statement():
    tables = remediator(Permission("dynamodb.update_table", "arn:{partition}:dynamodb:::table/{table}"))
    assert allowed(iam.statements(tables, SHOP), "dynamodb:UpdateTable")
    bare = Service(name="shop", account="123456789012", regions=("eu-west-1",))
    assert not allowed(iam.statements(tables, bare), "dynamodb:UpdateTable")


def test_a_condition_is_kept_apart():
    condition = {"StringEquals": {"aws:ResourceTag/sereno": "yes"}}
    found = iam.statements(
        remediator(
            Permission("lambda.update_alias", FUNCTION, condition=condition),
            Permission("lambda.get_alias", FUNCTION),
        ),
        SHOP,
    )
    conditions = {tuple(one["Action"]): one.get("Condition") for one in found}
    assert conditions[("lambda:UpdateAlias",)] == condition
    assert conditions[("lambda:GetAlias",)] is None


def test_no_action_is_a_wildcard():
    for actions in iam.ACTIONS.values():
        assert all(re.fullmatch(r"[a-z0-9-]+:[A-Za-z]+", action) for action in actions)


def test_the_map_names_operations_that_exist():
    session = botocore.session.get_session()
    for operation in iam.ACTIONS:
        service, method = operation.split(".")
        known = session.get_service_model(service).operation_names
        assert method.replace("_", "") in {name.lower() for name in known}, operation


@pytest.mark.parametrize(
    ("region", "partition"), [("eu-west-1", "aws"), ("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov")]
)
def test_each_partition_has_its_own_arns(region, partition):
    abroad = Service(name="shop", account="123456789012", regions=(region,))
    assert iam.arns("arn:{partition}:sns:{region}", abroad) == (f"arn:{partition}:sns:{region}",)


def test_an_operation_that_nobody_used_before_states_its_actions_itself():
    stated = Permission(
        "kinesis.put_record", "arn:{partition}:kinesis:{region}:{account}:stream/x", actions=("kinesis:PutRecord",)
    )
    (statement,) = iam.allow([stated], SHOP)
    assert statement["Action"] == ["kinesis:PutRecord"]


@pytest.mark.parametrize("action", ["kinesis:*", "*", "PutRecord"])
def test_a_stated_action_is_a_single_one(action):
    with pytest.raises(InvalidInput, match="is no single IAM action"):
        iam.allow([Permission("kinesis.put_record", "arn:x", actions=(action,))], SHOP)
