"""The quotas of an account that a service can meet: their codes, AWS's defaults, and how one is read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from sereno.service import Service

# Service Quotas keeps no applied value for a quota that was never changed in this account: GetServiceQuota then
# answers NoSuchResourceException, and the default comes from GetAWSDefaultServiceQuota.
# https://docs.aws.amazon.com/servicequotas/2019-06-24/apireference/API_GetServiceQuota.html
NO_APPLIED_VALUE = "NoSuchResourceException"


@dataclass(frozen=True, slots=True)
class Quota:
    """A quota by its codes in Service Quotas, what it counts, and AWS's default."""

    service: str
    code: str
    name: str
    default: float

    @property
    def setting(self) -> str:
        """The value that is asked for and not answered yet."""
        return f"request for {self.name}"


@dataclass(frozen=True, slots=True)
class QuotaValue:
    """The value in force, and whether AWS raises it on request."""

    value: float
    adjustable: bool


# https://docs.aws.amazon.com/general/latest/gr/lambda-service.html (and ddb.html, apigateway.html)
CONCURRENCY = Quota("lambda", "L-B99A9384", "Lambda's concurrent executions", 1000)
TABLE = {
    "read": Quota("dynamodb", "L-CF0CBE56", "read units of a DynamoDB table", 40_000),
    "write": Quota("dynamodb", "L-AB614373", "write units of a DynamoDB table", 40_000),
}
ACCOUNT = {
    "read": Quota("dynamodb", "L-34F6A552", "read units of all provisioned DynamoDB tables", 80_000),
    "write": Quota("dynamodb", "L-34F8CCC8", "write units of all provisioned DynamoDB tables", 80_000),
}
REQUESTS = Quota("apigateway", "L-8A5B8E43", "API Gateway's requests a second", 10_000)
QUOTAS = (CONCURRENCY, *TABLE.values(), *ACCOUNT.values(), REQUESTS)


def relevant(service: Service) -> tuple[Quota, ...]:
    """The quotas that what the service declares can meet."""
    found = [CONCURRENCY] if service.functions else []
    if service.tables:
        found += [*TABLE.values()]
    if any(table.provisioned for table in service.tables.values()):
        found += [*ACCOUNT.values()]
    return tuple(found + ([REQUESTS] if service.apis else []))


def read(client: Any, quota: Quota) -> QuotaValue:
    """The applied value, or AWS's default where the account has none. `client` is of Service Quotas. Raises what AWS
    raises."""
    asked = {"ServiceCode": quota.service, "QuotaCode": quota.code}
    try:
        answer = client.get_service_quota(**asked)
    except ClientError as error:
        if error.response["Error"]["Code"] != NO_APPLIED_VALUE:
            raise
        answer = client.get_aws_default_service_quota(**asked)
    found = answer["Quota"]
    return QuotaValue(float(found["Value"]), bool(found.get("Adjustable", False)))
