"""Service Quotas as callers meet it: quotas with their values, and requests that a person at AWS must look at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sereno.model import Json


@dataclass(frozen=True, slots=True)
class Quota:
    """A quota by its service's and its own code, with AWS's default."""

    service: str
    code: str
    name: str
    value: float


# The defaults: https://docs.aws.amazon.com/general/latest/gr/lambda-service.html, .../ddb.html, .../apigateway.html
KNOWN = (
    Quota("lambda", "L-B99A9384", "Concurrent executions", 1000),
    Quota("dynamodb", "L-CF0CBE56", "Table-level read throughput limit", 40_000),
    Quota("dynamodb", "L-AB614373", "Table-level write throughput limit", 40_000),
    Quota("dynamodb", "L-34F6A552", "Account-level read throughput limit (Provisioned mode)", 80_000),
    Quota("dynamodb", "L-34F8CCC8", "Account-level write throughput limit (Provisioned mode)", 80_000),
    Quota("apigateway", "L-8A5B8E43", "Throttle rate", 10_000),
)


def default_of(params: Json) -> Json:
    """GetAWSDefaultServiceQuota: what an account has in which nobody ever changed the quota. Raises ClientError for
    one that is not known here."""
    quota = _known(params, "GetAWSDefaultServiceQuota")
    return _answer(quota, quota.value)


@dataclass
class Quotas:
    """The account's quotas. `concurrency` answers that of Lambda, which a drill may set. Requests stay pending: AWS
    takes hours to days over them."""

    concurrency: Callable[[], int]
    clock: Callable[[], float]
    requests: list[Json] = field(default_factory=list)

    def get(self, params: Json) -> Json:
        """GetServiceQuota: the applied value. Raises ClientError for a quota that is not known here, and for one that
        was never changed for the account: "If the applied quota value is not available for a quota, the quota is not
        retrieved." https://docs.aws.amazon.com/servicequotas/2019-06-24/apireference/API_GetServiceQuota.html
        """
        quota = _known(params, "GetServiceQuota")
        if self._value(quota) == quota.value:
            said = f"The request failed because the specified quota {quota.code} has no applied value"
            raise _error("NoSuchResourceException", said, "GetServiceQuota")
        return _answer(quota, self._value(quota))

    def history(self, params: Json) -> Json:
        """ListRequestedServiceQuotaChangeHistoryByQuota."""
        wanted = (params["ServiceCode"], params["QuotaCode"], params.get("Status"))
        return {
            "RequestedQuotas": [
                one
                for one in self.requests
                if (one["ServiceCode"], one["QuotaCode"]) == wanted[:2] and wanted[2] in {None, one["Status"]}
            ]
        }

    def request(self, params: Json) -> Json:
        """RequestServiceQuotaIncrease: one at a time, and above what is. Raises ClientError."""
        quota = _known(params, "RequestServiceQuotaIncrease")
        if self.history({**params, "Status": "PENDING"})["RequestedQuotas"]:
            raise _error(
                "ResourceAlreadyExistsException", "Only one open request a quota", "RequestServiceQuotaIncrease"
            )
        if params["DesiredValue"] <= self._value(quota):
            raise _error(
                "IllegalArgumentException", "The value is not above the quota", "RequestServiceQuotaIncrease"
            )
        made = {
            "Id": f"drill-{len(self.requests) + 1}",
            "ServiceCode": quota.service,
            "QuotaCode": quota.code,
            "QuotaName": quota.name,
            "DesiredValue": params["DesiredValue"],
            "Status": "PENDING",
            "Created": datetime.fromtimestamp(self.clock(), UTC),
        }
        self.requests.append(made)
        return {"RequestedQuota": made}

    def _value(self, quota: Quota) -> float:
        return float(self.concurrency()) if quota.service == "lambda" else quota.value


def _answer(quota: Quota, value: float) -> Json:
    return {
        "Quota": {
            "ServiceCode": quota.service,
            "QuotaCode": quota.code,
            "QuotaName": quota.name,
            "Value": value,
            "Adjustable": True,
            "GlobalQuota": False,
        }
    }


def _known(params: Json, operation: str) -> Quota:
    asked = (params["ServiceCode"], params["QuotaCode"])
    for one in KNOWN:
        if (one.service, one.code) == asked:
            return one
    raise _error("NoSuchResourceException", f"{asked[0]} {asked[1]} is no quota", operation)


def _error(code: str, message: str, operation: str) -> Any:
    from botocore.exceptions import ClientError

    return ClientError({"Error": {"Code": code, "Message": message}}, operation)
