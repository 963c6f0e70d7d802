"""The account that many services share: Lambda's concurrency, DynamoDB's control plane, metrics, quotas, a clock.

Each service meets it through an `Aws` port of its own, all behind one throttle with the request rates of the account.
Ledgers and topics are the fakes of the spine, as in the drills of two regions: each service has its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

from deploy.embedded_lambda import LambdaRules
from drills import shims
from drills.metrics import MetricStore
from drills.quota_shims import Quotas, default_of
from drills.services.members import Member
from drills.table_shims import LIMITS, UNITS, wanted
from drills.table_updates import Refused, TableUpdates
from remediators.testing import MemoryTable, MemoryTopic
from sereno.model import Json


class TimedOut(BaseException):
    """Lambda ends an invocation at its timeout, wherever it is."""


@dataclass
class VirtualClock:
    """The drill's clock, as the invocation that runs sees it: its calls move it on, up to the deadline."""

    at: float
    deadline: float = float("inf")

    def now(self) -> float:
        """Epoch seconds."""
        return self.at

    def wait(self, seconds: float) -> None:
        """Time passes. Raises TimedOut."""
        self.at = min(self.at + seconds, self.deadline)
        if self.at >= self.deadline:
            raise TimedOut


@dataclass
class SharedLambda:
    """Lambda of the account. `reserved` is what each function has reserved, `elsewhere` what Sereno's functions
    have; `touched` names functions whose limit was changed and has not taken effect."""

    quota: int
    elsewhere: int
    clock: Callable[[], float]
    reserved: dict[str, int | None] = field(default_factory=dict)
    touched: list[str] = field(default_factory=list)
    rules: LambdaRules = field(init=False)

    def __post_init__(self) -> None:
        self.rules = LambdaRules(self.clock, self.reserved.get, self.unreserved)

    def unreserved(self) -> int:
        """What no function of the account has reserved."""
        return self.quota - self.elsewhere - sum(one or 0 for one in self.reserved.values())

    def get_function(self, FunctionName: str) -> Json:  # noqa: N803 - boto3's name
        """A function's settings."""
        limit = self.reserved[FunctionName]
        facts = {"FunctionName": FunctionName, "State": "Active", "LastUpdateStatus": "Successful", "MemorySize": 512}
        concurrency = {} if limit is None else {"Concurrency": {"ReservedConcurrentExecutions": limit}}
        return {"Configuration": {**facts, **self.rules.describe(FunctionName)}, **concurrency}

    def get_function_concurrency(self, FunctionName: str) -> Json:  # noqa: N803
        """What it has reserved."""
        limit = self.reserved[FunctionName]
        return {} if limit is None else {"ReservedConcurrentExecutions": limit}

    def put_function_concurrency(self, **params: Any) -> Json:
        """Sets it. Raises ClientError as AWS refuses."""
        self.rules.check_reserved(params)
        self.reserved[params["FunctionName"]] = params["ReservedConcurrentExecutions"]
        self.touched.append(params["FunctionName"])
        return {"ReservedConcurrentExecutions": params["ReservedConcurrentExecutions"]}

    def delete_function_concurrency(self, FunctionName: str) -> Json:  # noqa: N803
        """Back to the unreserved pool."""
        self.reserved[FunctionName] = None
        self.touched.append(FunctionName)
        return {}

    def get_account_settings(self) -> Json:
        """The account's quota, and what is unreserved of it."""
        limit = {"ConcurrentExecutions": self.quota, "UnreservedConcurrentExecutions": self.unreserved()}
        return {"AccountLimit": limit}


class ServiceTables(MemoryTable):
    """DynamoDB as one service uses it: its ledger, and the control plane of its tables."""

    def __init__(self, member: Member, updates: TableUpdates, clock: Callable[[], float]) -> None:
        super().__init__()
        self._member, self._updates, self._clock = member, updates, clock

    def describe_limits(self) -> Json:
        """The account's capacity limits."""
        return dict(LIMITS)

    def describe_table(self, TableName: str) -> Json:  # noqa: N803
        """A table with its capacity, and the change under way."""
        if not self._updates.knows(TableName):
            raise _error("DescribeTable", "ResourceNotFoundException", f"Requested resource not found: {TableName}")
        units = {UNITS[kind]: self._updates.units((TableName, None, kind)) for kind in ("read", "write")}
        decreases = len(self._updates.decreases(TableName, None, self._clock()))
        return {
            "Table": {
                "TableName": TableName,
                "TableStatus": "UPDATING" if self._updates.running(TableName) else "ACTIVE",
                "BillingModeSummary": {"BillingMode": "PROVISIONED"},
                "ProvisionedThroughput": {**units, "NumberOfDecreasesToday": decreases},
                "GlobalSecondaryIndexes": [],
            }
        }

    def update_table(self, **params: Any) -> Json:
        """Begins a change. Raises ClientError as AWS refuses."""
        try:
            self._updates.begin(params["TableName"], wanted(params), self._clock(), by="UpdateTable", params=params)
        except Refused as refused:
            raise _error("UpdateTable", refused.code, refused.message) from None
        return {"TableDescription": self.describe_table(params["TableName"])["Table"]}


class SharedQuotas:
    """Service Quotas of the account."""

    def __init__(self, quotas: Quotas) -> None:
        self._quotas = quotas

    def get_service_quota(self, **params: Any) -> Json:
        """The applied value."""
        return self._quotas.get(params)

    def get_aws_default_service_quota(self, **params: Any) -> Json:
        """AWS's default."""
        return default_of(params)

    def list_requested_service_quota_change_history_by_quota(self, **params: Any) -> Json:
        """What was asked for."""
        return self._quotas.history(params)

    def request_service_quota_increase(self, **params: Any) -> Json:
        """Asks for more."""
        return self._quotas.request(params)


class ServiceMetrics:
    """CloudWatch as one service uses it: its world's metrics, its alarms as they stand."""

    def __init__(self, answers: shims.Answers) -> None:
        self._answers = answers

    def get_metric_data(self, **params: Any) -> Json:
        """Series, as far as they are visible now."""
        return shims.get_metric_data(self._answers, params)

    def describe_alarms(self, **params: Any) -> Json:
        """The alarms by all the filters given."""
        return shims.describe_alarms(self._answers, params) or {}


class Scaling:
    """Application Auto Scaling: nobody registered anything."""

    def describe_scalable_targets(self, **_: Any) -> Json:
        """No target."""
        return {"ScalableTargets": []}


class Identity:
    """IAM and STS as far as the self-test asks: the role may do what it is asked about."""

    def get_caller_identity(self) -> Json:
        """The session of a function's role."""
        return {"Arn": "arn:aws:sts::123456789012:assumed-role/sereno/drill"}

    def simulate_principal_policy(self, **params: Any) -> Json:
        """Allowed; the roles themselves are held against every call by tests."""
        names = params["ActionNames"]
        return {"EvaluationResults": [{"EvalDecision": "allowed", "EvalResourceName": one} for one in names]}


class OpsCenter:
    """OpsCenter as far as the notifier's items go: none is open."""

    def describe_ops_items(self, **_: Any) -> Json:
        """None."""
        return {"OpsItemSummaries": []}

    def create_ops_item(self, **_: Any) -> Json:
        """Taken."""
        return {"OpsItemId": "oi-000000000001"}


@dataclass
class ServiceAws:
    """The `Aws` port of one service, before the account's throttle."""

    clients: Mapping[str, Any]

    def client(self, service: str, region: str | None = None) -> Any:  # noqa: ARG002 - the port's signature
        """The client of a service. Raises KeyError for one that no remediator should need here."""
        return self.clients[service]


def clients_of(
    member: Member,
    functions: SharedLambda,
    quotas: Quotas,
    store: MetricStore,
    updates: TableUpdates,
    clock: VirtualClock,
    alarms: Callable[[], Json],
) -> dict[str, Any]:
    """The clients of one service."""
    answers = shims.Answers(store, clock.now, functions.quota)
    answers.alarms = alarms
    identity = Identity()
    return {
        "lambda": functions,
        "dynamodb": ServiceTables(member, updates, clock.now),
        "cloudwatch": ServiceMetrics(answers),
        "sns": MemoryTopic(),
        "service-quotas": SharedQuotas(quotas),
        "application-autoscaling": Scaling(),
        "ssm": OpsCenter(),
        "iam": identity,
        "sts": identity,
    }


def moment(at: float) -> datetime:
    """Epoch seconds as a time in UTC."""
    return datetime.fromtimestamp(at, UTC)


def _error(operation: str, code: str, message: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, operation)
