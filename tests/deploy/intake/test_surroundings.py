"""What stands beside a template: samconfig.toml, the environment, the folder's name."""

from __future__ import annotations

import pytest

from deploy.intake import surroundings
from deploy.intake.surroundings import SamConfig

SAMCONFIG = """
version = 0.1
[default.global.parameters]
stack_name = "cart-live"
[default.deploy.parameters]
region = "eu-central-1"
parameter_overrides = "Stage=\\"prod\\" Title='Two words' Odd"
"""


def test_sams_own_configuration_is_taken_at_its_word(tmp_path):
    (tmp_path / "samconfig.toml").write_text(SAMCONFIG)
    found = surroundings.sam_config(tmp_path)
    assert (found.stack, found.region) == ("cart-live", "eu-central-1")
    assert found.parameters == {"Stage": "prod", "Title": "Two words"}


@pytest.mark.parametrize(
    "text", ["", "not toml at all [", "[default]\ndeploy = 3\n", "[default.deploy.parameters]\nstack_name = '?'\n"]
)
def test_a_configuration_that_says_nothing_of_use_is_none(tmp_path, text):
    (tmp_path / "samconfig.toml").write_text(text)
    assert surroundings.sam_config(tmp_path) == SamConfig()
    assert surroundings.sam_config(tmp_path / "nowhere") == SamConfig()


def test_overrides_may_be_a_list(tmp_path):
    (tmp_path / "samconfig.toml").write_text(
        '[default.deploy.parameters]\nparameter_overrides = ["A=1", "B=x=y", 3]\n'
    )
    assert surroundings.sam_config(tmp_path).parameters == {"A": "1", "B": "x=y"}


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("shop/template.yaml", "shop"),
        ("shop/cdk.out/CheckoutStack.template.json", "CheckoutStack"),
        ("notes/.serverless/cloudformation-template-update-stack.json", "notes"),
        ("notes/.aws-sam/build/template.yaml", "notes"),
        ("my_app/infra/template.yaml", "my-app"),
        ("2nd/template.yaml", "app-2nd"),
        ("x/orders.yaml", "orders"),
    ],
)
def test_a_stack_that_nobody_names_has_the_name_of_its_place_and_is_assumed(tmp_path, path, name):
    found = surroundings.stack_of(tmp_path / path, None, SamConfig())
    assert found.value == name
    assert found.why


def test_what_is_given_comes_before_what_is_configured(tmp_path):
    config = SamConfig("configured", "eu-north-1")
    assert surroundings.stack_of(tmp_path, "given", config) == surroundings.Told("given")
    assert surroundings.stack_of(tmp_path, None, config) == surroundings.Told("configured")
    everywhere = {"AWS_REGION": "eu-west-2", "AWS_DEFAULT_REGION": "eu-west-3"}
    assert surroundings.region_of("eu-west-1", everywhere, "us-east-1", config).value == "eu-west-1"
    assert surroundings.region_of(None, everywhere, "us-east-1", config).value == "eu-north-1"
    assert surroundings.region_of(None, everywhere, "us-east-1", SamConfig()).value == "eu-west-2"
    assert surroundings.region_of(None, {}, "us-east-1", SamConfig()).value == "us-east-1"
    assumed = surroundings.region_of(None, {}, None, SamConfig())
    assert (assumed.value, bool(assumed.why)) == ("eu-west-1", True)


def test_an_account_that_nobody_knows_is_one_that_cannot_exist():
    assert surroundings.account_of("111122223333", "444455556666").value == "111122223333"
    assert surroundings.account_of(None, "444455556666").value == "444455556666"
    assumed = surroundings.account_of(None, None)
    assert assumed.value == "0" * 12
    assert "--account" in assumed.mend
