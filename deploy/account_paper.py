"""An account on paper that remediators can look at and change: what would they do there?

The remediators' own `observe` and `plan` are asked, so there is no second arithmetic that could differ from what acts
at night. Only what they call is answered; anything else is an error that names the call.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from deploy.account import Account, FunctionFacts, LaneFacts, TableFacts
from remediators.limits import Limits
from remediators.table_demand import KINDS
from sereno.errors import SerenoError
from sereno.model import Call, Json

MINUTE = 60


class PaperAws:
    """The `Aws` port over an `Account`. Writes make a new account, which `account` then is."""

    def __init__(self, account: Account, now: datetime) -> None:
        self.account = account
        self.now = now
        self._clients: Mapping[str, Any] = {
            "lambda": _Lambda(self),
            "dynamodb": _DynamoDb(self),
            "cloudwatch": _CloudWatch(self),
            "application-autoscaling": _AutoScaling(self),
        }

    def client(self, service: str, region: str | None = None) -> Any:  # noqa: ARG002 - the port's shape
        """The client of a service; paper has one region. Raises SerenoError for a service that is not on paper."""
        if service not in self._clients:
            raise SerenoError(f"{service} is not modelled on paper (deploy/account_paper.py)")
        return self._clients[service]

    def carry_out(self, call: Call) -> None:
        """Makes a step's call on paper."""
        getattr(self.client(call.service), call.operation)(**call.params)


class _Paper:
    def __init__(self, aws: PaperAws) -> None:
        self.aws = aws

    def __getattr__(self, operation: str) -> Any:
        raise SerenoError(f"{type(self).__name__[1:].lower()}.{operation} is not modelled on paper")


class _Lambda(_Paper):
    def _facts(self, asked: Json) -> FunctionFacts:
        return self.aws.account.functions[asked["FunctionName"]]

    def _set(self, asked: Json, **changes: Any) -> None:
        changed = replace(self._facts(asked), **changes)
        self.aws.account = self.aws.account.with_function(asked["FunctionName"], changed)

    def get_function(self, **asked: Any) -> Json:
        facts = self._facts(asked)
        configuration = {"MemorySize": facts.memory_mb, "Timeout": facts.timeout_s, "State": "Active"}
        return {
            "Configuration": {**configuration, "LastUpdateStatus": "Successful"},
            "Concurrency": self.get_function_concurrency(**asked),
        }

    def get_account_settings(self) -> Json:
        account = self.aws.account
        limit = {
            "ConcurrentExecutions": account.concurrency,
            "UnreservedConcurrentExecutions": account.unreserved,
        }
        return {"AccountLimit": limit}

    def get_function_concurrency(self, **asked: Any) -> Json:
        reserved = self._facts(asked).reserved
        return {} if reserved is None else {"ReservedConcurrentExecutions": reserved}

    def put_function_concurrency(self, **asked: Any) -> Json:
        self._set(asked, reserved=asked["ReservedConcurrentExecutions"])
        return self.get_function_concurrency(**asked)

    def get_provisioned_concurrency_config(self, **asked: Any) -> Json:
        found = self._facts(asked).provisioned
        if found is None:
            error = {"Code": "ProvisionedConcurrencyConfigNotFoundException", "Message": "none"}
            raise ClientError({"Error": error}, "GetProvisionedConcurrencyConfig")
        return {"RequestedProvisionedConcurrentExecutions": found}

    def put_provisioned_concurrency_config(self, **asked: Any) -> Json:
        self._set(asked, provisioned=asked["ProvisionedConcurrentExecutions"])
        return self.get_provisioned_concurrency_config(**asked)


class _DynamoDb(_Paper):
    def describe_table(self, **asked: Any) -> Json:
        facts = self.aws.account.tables[asked["TableName"]]
        mode = "PROVISIONED" if facts.provisioned else "PAY_PER_REQUEST"
        indexes = [
            {"IndexName": name, "IndexStatus": "ACTIVE", **_throughput(facts, name)} for name in _indexes(facts)
        ]
        return {
            "Table": {
                "TableName": asked["TableName"],
                "TableStatus": "ACTIVE",
                "BillingModeSummary": {"BillingMode": mode},
                **_throughput(facts, ""),
                "GlobalSecondaryIndexes": indexes,
            }
        }

    def get_item(self, **_: Any) -> Json:
        """The ledger's row of the account's limits: no other is asked for on paper."""
        account = self.aws.account
        smallest = {
            kind: min((one.quota[kind] for one in account.tables.values()), default=account.units[kind])
            for kind in KINDS
        }
        capacity = {f"account_{kind}": account.units[kind] for kind in KINDS}
        return {"Item": Limits({**capacity, **{f"table_{kind}": smallest[kind] for kind in KINDS}}).to_item()}

    def update_table(self, **asked: Any) -> Json:
        parts = {"": asked}
        for one in asked.get("GlobalSecondaryIndexUpdates", ()):
            parts[one["Update"]["IndexName"]] = one["Update"]
        facts = self.aws.account.tables[asked["TableName"]]
        lanes = {key: _changed(lane, key[1], parts.get(key[0], {})) for key, lane in facts.lanes.items()}
        self.aws.account = self.aws.account.with_table(asked["TableName"], replace(facts, lanes=lanes))
        return self.describe_table(**asked)


def _indexes(facts: TableFacts) -> list[str]:
    return list(dict.fromkeys(index for index, _ in facts.lanes if index))


def _throughput(facts: TableFacts, index: str) -> Json:
    read, write = facts.lanes[index, "read"], facts.lanes[index, "write"]
    return {
        "ProvisionedThroughput": {
            "ReadCapacityUnits": read.units,
            "WriteCapacityUnits": write.units,
            "NumberOfDecreasesToday": 0,
        },
        "OnDemandThroughput": {"MaxReadRequestUnits": read.maximum, "MaxWriteRequestUnits": write.maximum},
        "WarmThroughput": {
            "ReadUnitsPerSecond": read.warm,
            "WriteUnitsPerSecond": write.warm,
            "Status": "ACTIVE",
        },
    }


def _changed(lane: LaneFacts, kind: str, asked: Json) -> LaneFacts:
    word = kind.capitalize()
    units = asked.get("ProvisionedThroughput", {}).get(f"{word}CapacityUnits", lane.units)
    maximum = asked.get("OnDemandThroughput", {}).get(f"Max{word}RequestUnits", lane.maximum)
    warm = asked.get("WarmThroughput", {}).get(f"{word}UnitsPerSecond", lane.warm)
    return replace(lane, units=units, maximum=maximum, warm=warm)


class _AutoScaling(_Paper):
    def describe_scalable_targets(self, **asked: Any) -> Json:
        found = [one for one in self._targets() if one["ServiceNamespace"] == asked["ServiceNamespace"]]
        found = [one for one in found if _is_asked(one["ResourceId"], asked["ResourceIds"])]
        if "ScalableDimension" in asked:
            found = [one for one in found if one["ScalableDimension"] == asked["ScalableDimension"]]
        return {"ScalableTargets": found}

    def register_scalable_target(self, **asked: Any) -> Json:
        bounds = (asked["MinCapacity"], asked["MaxCapacity"])
        parts = asked["ResourceId"].replace(":", "/").split("/")
        account = self.aws.account
        if asked["ServiceNamespace"] == "lambda":
            facts = account.functions[parts[1]]
            provisioned = max(bounds[0], facts.provisioned or 0)
            self.aws.account = account.with_function(parts[1], replace(facts, target=bounds, provisioned=provisioned))
            return {}
        table, index = account.tables[parts[1]], parts[3] if len(parts) > 3 else ""
        key = (index, "read" if "Read" in asked["ScalableDimension"] else "write")
        lane = table.lanes[key]
        # A higher minimum acts at once.
        # https://docs.aws.amazon.com/autoscaling/application/APIReference/API_RegisterScalableTarget.html
        lane = replace(lane, target=bounds, units=max(bounds[0], lane.units))
        self.aws.account = account.with_table(parts[1], replace(table, lanes={**table.lanes, key: lane}))
        return {}

    def _targets(self) -> Iterator[Json]:
        for name, facts in self.aws.account.functions.items():
            if facts.target:
                yield _target("lambda", f"function:{name}:", "lambda:function:ProvisionedConcurrency", facts.target)
        for name, table in self.aws.account.tables.items():
            for (index, kind), lane in table.lanes.items():
                if lane.target:
                    where = f"table/{name}/index/{index}" if index else f"table/{name}"
                    what = f"dynamodb:{'index' if index else 'table'}:{kind.capitalize()}CapacityUnits"
                    yield _target("dynamodb", where, what, lane.target)


def _is_asked(resource: str, asked: Sequence[str]) -> bool:
    """A function's target carries the alias too, which the account's facts do not name."""
    return resource in asked or (resource.endswith(":") and any(one.startswith(resource) for one in asked))


def _target(namespace: str, resource: str, dimension: str, bounds: tuple[int, int]) -> Json:
    return {
        "ServiceNamespace": namespace,
        "ResourceId": resource,
        "ScalableDimension": dimension,
        "MinCapacity": bounds[0],
        "MaxCapacity": bounds[1],
    }


class _CloudWatch(_Paper):
    """An ordinary busy hour, minute by minute: what the account's facts call normal, and no throttle."""

    def get_metric_data(self, **asked: Any) -> Json:
        start = asked["StartTime"].astimezone(UTC)
        last = self.aws.now.astimezone(UTC).replace(second=0, microsecond=0)
        minutes = max(0, int((last - start).total_seconds() // MINUTE))
        times = [start + timedelta(minutes=number) for number in range(minutes)]
        results = []
        for query in asked["MetricDataQueries"]:
            value = self._value(query["MetricStat"]["Metric"], query["MetricStat"]["Stat"])
            known = times if value is not None else []
            results.append({"Id": query["Id"], "Timestamps": known, "Values": [value] * len(known)})
        return {"MetricDataResults": results}

    def _value(self, metric: Json, stat: str) -> float | None:
        where = {one["Name"]: one["Value"] for one in metric["Dimensions"]}
        if metric["Namespace"] == "AWS/Lambda":
            return self._of_function(
                self.aws.account.functions.get(where.get("FunctionName", "")), metric["MetricName"]
            )
        table = self.aws.account.tables.get(where.get("TableName", ""))
        if table is None:
            return None
        return _of_table(table, where.get("GlobalSecondaryIndexName", ""), metric["MetricName"], stat)

    @staticmethod
    def _of_function(facts: FunctionFacts | None, name: str) -> float | None:
        if facts is None or facts.normal is None:
            return None
        # Only the product of calls and duration counts; where the rate is not known, one call a second will do.
        rate = facts.rate or 1.0
        known = {
            "Invocations": rate * MINUTE,
            "Duration": facts.normal / rate * 1000,
            "ConcurrentExecutions": facts.normal,
            "Throttles": 0.0,
        }
        return known.get(name)


def _of_table(table: TableFacts, index: str, name: str, stat: str) -> float | None:
    for kind in ("read", "write"):
        lane = table.lanes.get((index, kind))
        if lane is not None and name == f"Consumed{kind.capitalize()}CapacityUnits" and lane.normal is not None:
            return lane.normal * MINUTE if stat in ("Sum", "SampleCount") else lane.normal
    return None
