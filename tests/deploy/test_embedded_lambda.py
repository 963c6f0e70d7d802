"""Lambda's control plane takes minutes over provisioned concurrency, and refuses what AWS refuses."""

import pytest
from botocore.exceptions import ClientError

from deploy.embedded_lambda import AVAILABLE_S, BEGINS_S, ENDS_S, Allocation, LambdaRules

NOON = 1_760_000_000.0
LIVE = {"FunctionName": "shop-read", "Qualifier": "live"}


class Account:
    """A quota of 1,000, of which shop-read has reserved 200 and others 300."""

    def __init__(self):
        self.now = NOON
        self.reserved = {"shop-read": 200, "others": 300}
        self.rules = LambdaRules(lambda: self.now, self.reserved.get, lambda: 1000 - sum(self.reserved.values()))

    def put(self, units, **named):
        return self.rules.put({**LIVE, **named, "ProvisionedConcurrentExecutions": units})


@pytest.fixture
def account():
    return Account()


def units(answer):
    names = ("Requested", "Allocated", "Available")
    return tuple(answer[f"{name}ProvisionedConcurrentExecutions"] for name in names)


def test_provisioned_concurrency_comes_bit_by_bit_over_minutes(account):
    made = account.put(100)
    assert (units(made), made["Status"]) == ((100, 0, 0), "IN_PROGRESS")
    account.now = NOON + BEGINS_S + 50
    half = account.rules.get(LIVE)
    assert (units(half), half["Status"]) == ((100, 50, 40), "IN_PROGRESS")
    account.now = NOON + ENDS_S
    assert units(account.rules.get(LIVE))[1] == 100
    assert account.rules.get(LIVE)["Status"] == "IN_PROGRESS", "what is allocated is not yet available"
    account.now += AVAILABLE_S
    ready = account.rules.get(LIVE)
    assert (units(ready), ready["Status"]) == ((100, 100, 100), "READY")


def test_less_is_there_at_once_and_more_begins_from_what_is_allocated(account):
    account.rules.ready("shop-read", "live", 50)
    assert account.put(20)["Status"] == "READY"
    account.put(120)
    account.now += BEGINS_S + 50
    assert units(account.put(150)) == (150, 70, 70)


def test_an_allocation_that_fails_gets_a_part_and_says_why(account):
    account.rules.fails["shop-read"] = (30, "the function's initialisation fails")
    account.put(100)
    account.now += ENDS_S
    assert account.rules.get(LIVE)["Status"] == "IN_PROGRESS"
    account.now += AVAILABLE_S
    failed = account.rules.get(LIVE)
    assert (units(failed), failed["Status"]) == ((100, 30, 30), "FAILED")
    assert failed["StatusReason"] == "the function's initialisation fails"


@pytest.mark.parametrize(
    ("wanted", "named", "said"),
    [
        (201, {}, "greater than the reservedConcurrentExecution"),
        (10, {"Qualifier": "$LATEST"}, "unpublished function versions"),
        (401, {"FunctionName": "shop-free"}, "below its minimum value of"),
        (10, {"FunctionName": "managed"}, "managed instances"),
        (10, {"FunctionName": "isolated"}, "tenant isolation"),
    ],
)
def test_provisioned_concurrency_is_refused_where_aws_refuses_it(account, wanted, named, said):
    account.rules.kinds |= {"managed": "managed instances", "isolated": "tenant isolation"}
    with pytest.raises(ClientError, match=said) as refused:
        account.put(wanted, **named)
    assert refused.value.response["Error"]["Code"] == "InvalidParameterValueException"


def test_nothing_provisioned_is_an_error_of_its_own(account):
    with pytest.raises(ClientError) as refused:
        account.rules.get(LIVE)
    assert refused.value.response["Error"]["Code"] == "ProvisionedConcurrencyConfigNotFoundException"


def reserve(account, name, wanted):
    account.rules.check_reserved({"FunctionName": name, "ReservedConcurrentExecutions": wanted})
    account.reserved[name] = wanted


def test_a_hundred_executions_stay_unreserved(account):
    reserve(account, "shop-read", 600)
    with pytest.raises(ClientError, match=r"below its minimum value of \[100\]"):
        reserve(account, "shop-read", 601)
    with pytest.raises(ClientError, match="below its minimum"):
        reserve(account, "shop-free", 1)
    reserve(account, "shop-read", 0)


def test_what_is_too_much_already_may_be_lowered(account):
    account.reserved["others"] = 790
    reserve(account, "shop-read", 150)


def test_a_function_on_managed_instances_takes_no_reservation(account):
    account.rules.kinds["managed"] = "managed instances"
    with pytest.raises(ClientError, match="Managed Instances"):
        reserve(account, "managed", 10)
    assert "CapacityProviderConfig" in account.rules.describe("managed")
    account.rules.kinds["isolated"] = "tenant isolation"
    assert account.rules.describe("isolated")["TenancyConfig"] == {"TenantIsolationMode": "PER_TENANT"}
    assert account.rules.describe("shop-read") == {}
    reserve(account, "isolated", 10)


def test_an_allocation_never_shows_more_than_was_asked_for():
    made = Allocation(0, 7, NOON)
    seen = [made.allocated(NOON + second) for second in range(300)]
    assert seen == sorted(seen)
    assert seen[-1] == 7
