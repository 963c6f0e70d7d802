"""What Lambda's control plane refuses, and what it takes minutes over: none of it is in moto.

Nothing here calls an API: a drill and the fakes of tests answer from it, on whatever clock they have.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from sereno.model import Json

# "As long as you leave at least 100 simultaneous executions unreserved": PutFunctionConcurrency.
# https://docs.aws.amazon.com/lambda/latest/api/API_PutFunctionConcurrency.html
UNRESERVED_FLOOR = 100
# Allocation begins after a moment and is complete after a minute or two; what is allocated is available a little
# later. https://docs.aws.amazon.com/lambda/latest/dg/provisioned-concurrency.html
BEGINS_S, ENDS_S, AVAILABLE_S = 20.0, 120.0, 10.0

Kind = Literal["managed instances", "tenant isolation"]
# How GetFunction tells the kinds of functions that do not scale as others do.
CONFIGURATION: Mapping[Kind, Json] = {
    "managed instances": {
        "CapacityProviderConfig": {
            "LambdaManagedInstancesCapacityProviderConfig": {
                "CapacityProviderArn": "arn:aws:lambda:eu-west-1:123456789012:capacity-provider:own"
            }
        }
    },
    "tenant isolation": {"TenancyConfig": {"TenantIsolationMode": "PER_TENANT"}},
}


@dataclass(slots=True)
class Allocation:
    """A provisioned concurrency on its way: what was available `before`, what is `requested`, since when (epoch
    seconds), and why it will fail, if it will (`most` is what it gets then)."""

    before: int
    requested: int
    since: float
    fails: str = ""
    most: int = 0

    def allocated(self, now: float) -> int:
        """What is allocated then: less at once, more bit by bit."""
        if self.requested <= self.before:
            return self.requested
        part = min(1.0, max(0.0, (now - self.since - BEGINS_S) / (ENDS_S - BEGINS_S)))
        reached = self.before + int((self.requested - self.before) * part)
        return min(reached, max(self.most, self.before)) if self.fails else reached

    def status(self, now: float) -> str:
        """READY, IN_PROGRESS or FAILED."""
        if self.requested <= self.before:
            return "READY"
        if now < self.since + ENDS_S + AVAILABLE_S:
            return "IN_PROGRESS"
        return "FAILED" if self.fails else "READY"

    def answer(self, now: float) -> Json:
        """The fields that PutProvisionedConcurrencyConfig and GetProvisionedConcurrencyConfig answer."""
        status = self.status(now)
        return {
            "RequestedProvisionedConcurrentExecutions": self.requested,
            "AllocatedProvisionedConcurrentExecutions": self.allocated(now),
            "AvailableProvisionedConcurrentExecutions": self.allocated(now - AVAILABLE_S),
            "Status": status,
            **({"StatusReason": self.fails} if status == "FAILED" else {}),
            "LastModified": datetime.fromtimestamp(self.since, UTC).strftime("%Y-%m-%dT%H:%M:%S+0000"),
        }


@dataclass
class LambdaRules:
    """Lambda's control plane. `clock` answers epoch seconds; `reserved` what a function has reserved (None: nothing),
    `unreserved` what no function of the account has. `kinds` names functions that do not scale as others do; `fails`
    why a function's next allocation fails, with what it gets."""

    clock: Callable[[], float]
    reserved: Callable[[str], int | None]
    unreserved: Callable[[], int]
    kinds: dict[str, Kind] = field(default_factory=dict)
    fails: dict[str, tuple[int, str]] = field(default_factory=dict)
    allocations: dict[tuple[str, str], Allocation] = field(default_factory=dict)

    def check_reserved(self, params: Mapping[str, Any]) -> None:
        """PutFunctionConcurrency, before it takes effect. Raises ClientError."""
        name, wanted = params["FunctionName"], params["ReservedConcurrentExecutions"]
        operation = "PutFunctionConcurrency"
        if self.kinds.get(name) == "managed instances":
            raise _invalid(
                operation, "Reserved concurrency is not supported for functions on Lambda Managed Instances."
            )
        left = self.unreserved() + (self.reserved(name) or 0) - wanted
        if left < UNRESERVED_FLOOR and wanted > (self.reserved(name) or 0):
            raise _invalid(
                operation,
                "Specified ReservedConcurrentExecutions for function decreases account's "
                f"UnreservedConcurrentExecution below its minimum value of [{UNRESERVED_FLOOR}].",
            )

    def put(self, params: Mapping[str, Any]) -> Json:
        """PutProvisionedConcurrencyConfig: accepted, and on its way. Raises ClientError."""
        name, alias, wanted = (
            params["FunctionName"],
            params["Qualifier"],
            params["ProvisionedConcurrentExecutions"],
        )
        self._check_provisioned(name, alias, wanted)
        known, now = self.allocations.get((name, alias)), self.clock()
        most, why = self.fails.get(name, (0, ""))
        made = Allocation(known.allocated(now) if known else 0, wanted, now, why, most)
        self.allocations[name, alias] = made
        return made.answer(now)

    def get(self, params: Mapping[str, Any]) -> Json:
        """GetProvisionedConcurrencyConfig. Raises ClientError where nothing is provisioned."""
        found = self.allocations.get((params["FunctionName"], params["Qualifier"]))
        if found is None:
            raise _error(
                "GetProvisionedConcurrencyConfig",
                "ProvisionedConcurrencyConfigNotFoundException",
                "No Provisioned Concurrency Config found for this function",
                404,
            )
        return found.answer(self.clock())

    def delete(self, params: Mapping[str, Any]) -> Json:
        """DeleteProvisionedConcurrencyConfig."""
        self.allocations.pop((params["FunctionName"], params["Qualifier"]), None)
        return {}

    def describe(self, name: str) -> Json:
        """What GetFunction's Configuration says beside the ordinary."""
        kind = self.kinds.get(name)
        return dict(CONFIGURATION[kind]) if kind else {}

    def ready(self, name: str, alias: str, units: int) -> None:
        """So much is provisioned since long ago."""
        self.allocations[name, alias] = Allocation(units, units, self.clock())

    def _check_provisioned(self, name: str, alias: str, wanted: int) -> None:
        operation = "PutProvisionedConcurrencyConfig"
        if name in self.kinds:
            raise _invalid(
                operation, f"Provisioned concurrency is not supported for functions with {self.kinds[name]}."
            )
        if alias == "$LATEST":
            raise _invalid(
                operation, "Provisioned Concurrency Configs cannot be applied to unpublished function versions."
            )
        reserved = self.reserved(name)
        if reserved is not None and wanted > reserved:
            raise _invalid(
                operation,
                "Requested Provisioned Concurrency should not be greater than the "
                "reservedConcurrentExecution for function",
            )
        known = self.allocations.get((name, alias))
        more = wanted - (known.requested if known else 0)
        if reserved is None and more > 0 and self.unreserved() - more < UNRESERVED_FLOOR:
            raise _invalid(
                operation,
                "Specified ConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below "
                f"its minimum value of [{UNRESERVED_FLOOR}].",
            )


def _invalid(operation: str, message: str) -> Any:
    return _error(operation, "InvalidParameterValueException", message, 400)


def _error(operation: str, code: str, message: str, status: int) -> Any:
    from botocore.exceptions import ClientError

    answer = {
        "Error": {"Code": code, "Message": message},
        "message": message,
        "Type": "User",
        "ResponseMetadata": {"HTTPStatusCode": status},
    }
    return ClientError(answer, operation)
