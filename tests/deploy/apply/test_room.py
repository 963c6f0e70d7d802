"""Whether the account has the concurrency that Sereno's own functions reserve, and what is said where it has not."""

from __future__ import annotations

from typing import Any

import pytest

from deploy.apply import room
from sereno.service import Function, Objectives, Quotas, Service

OWN = {"sereno-shop-round": 1, "sereno-shop-notifier": 9}


class Lambda:
    """An account with these reservations, in pages of two functions."""

    def __init__(self, quota: int, reserved: dict[str, int | None]) -> None:
        self.quota, self.reserved, self.calls = quota, reserved, list[str]()

    def get_account_settings(self) -> Any:
        self.calls.append("get_account_settings")
        free = self.quota - sum(one or 0 for one in self.reserved.values())
        return {"AccountLimit": {"ConcurrentExecutions": self.quota, "UnreservedConcurrentExecutions": free}}

    def get_paginator(self, operation: str) -> Any:
        self.calls.append(operation)
        return self

    def paginate(self) -> Any:
        names = list(self.reserved)
        for start in range(0, len(names), 2):
            yield {"Functions": [{"FunctionName": name} for name in names[start : start + 2]]}

    def get_function_concurrency(self, FunctionName: str) -> Any:  # noqa: N803 - boto3's name
        self.calls.append(FunctionName)
        value = self.reserved[FunctionName]
        return {} if value is None else {"ReservedConcurrentExecutions": value}

    def client(self, service: str, region: str | None = None) -> Any:
        return self


def template(**own: int) -> Any:
    return {
        "Resources": {
            name: {
                "Type": "AWS::Lambda::Function",
                "Properties": {"FunctionName": name, **({"ReservedConcurrentExecutions": value} if value else {})},
            }
            for name, value in own.items()
        }
    }


def test_the_functions_of_every_service_count_and_are_named_where_room_is_short():
    others = {f"sereno-shop-{number}-round": 13 for number in range(30)}
    aws = Lambda(500, {**others, "shop-read": 5, "sereno-shop-2-widget": None, "sereno-shop-round": 1})
    seen = room.read(aws, template(**OWN), {"sereno-shop-round": 1})
    # 500 - 30 x 13 - 5 - 1 = 104, of which 100 stay; 9 of the 10 are not reserved yet.
    assert (seen.spare, seen.more, sum(seen.elsewhere.values())) == (4, 9, 390)
    (problem,) = room.problems(seen)
    assert '"9" more concurrent executions' in str(problem)
    assert "390 are reserved by 30 functions of Sereno for other services" in str(problem)
    assert "shop-read" not in aws.calls, "a function of the customer's is none of Sereno's"


def test_where_it_fits_one_call_says_so():
    aws = Lambda(500, {"sereno-cart-round": 1})
    assert room.problems(room.read(aws, template(**OWN), {})) == []
    assert aws.calls == ["get_account_settings"]


def test_without_reservations_nothing_is_asked():
    aws = Lambda(10, {})
    assert room.read(aws, template(**dict.fromkeys(OWN, 0)), {}) is None
    assert room.problems(None) == []
    assert aws.calls == []


@pytest.mark.parametrize(
    ("quota", "own", "short"), [(1000, 27, False), (247, 27, False), (246, 27, True), (100, 1, True), (10, 0, False)]
)
def test_the_declared_quota_says_it_without_an_account(quota, own, short):
    read = Function("read", "shop-read", reserved=120)
    service = Service(
        "shop", "123456789012", ("eu-west-1",), Objectives(), functions={"read": read}, quotas=Quotas(quota, 10_000)
    )
    told = [str(one) for one in room.declared_problems(service, own)]
    assert bool(told) is short
    if short:
        assert f'quotas.concurrency: "{quota}" leaves' in told[0]
        assert "set ownConcurrency: unreserved" in told[0]
        assert "can stop Sereno too" in told[0]
