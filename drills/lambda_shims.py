"""Lambda's control plane as callers of a drill meet it: account settings, the unreserved floor, slow provisioning."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from deploy.embedded_lambda import LambdaRules
from sereno.model import Json

# What is set for the account, and for a function, is read where moto keeps it: by calls, an account of thirty
# services would take a hundred of them for one answer.


def _functions() -> Iterator[Any]:
    """The functions of every account and Region of the embedded AWS, of which a drill has one."""
    # Without Docker moto keeps functions in a backend of its own (`deploy.embedded.MOCK_CONFIG`).
    from moto.awslambda_simple.models import lambda_simple_backends

    for account in lambda_simple_backends.values():
        for backend in account.values():
            yield from backend.list_functions()


def reserved_in_all() -> int:
    """What all functions have reserved."""
    return sum(int(one.reserved_concurrency or 0) for one in _functions())


def reserved(name: str) -> int | None:
    """What a function has reserved; None for nothing."""
    found = next((one.reserved_concurrency for one in _functions() if one.function_name == name), None)
    return None if found is None else int(found)


def rules(clock: Callable[[], float], quota: Callable[[], int]) -> LambdaRules:
    """The rules of the embedded account."""
    return LambdaRules(clock, reserved, lambda: quota() - reserved_in_all())


def account_settings(quota: int) -> Json:
    """GetAccountSettings: the account's quota, and what no function has reserved of it."""
    limit = {"ConcurrentExecutions": quota, "UnreservedConcurrentExecutions": quota - reserved_in_all()}
    return {"AccountLimit": limit}
