"""Reads an account as far as capacity goes: nothing is changed, and nothing but settings and metrics is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, TypeVar

from botocore.exceptions import ClientError

from deploy import account_apis
from deploy.account import API_RATE, Account, FunctionFacts, LaneFacts, TableFacts, function_facts
from remediators import limits as kept_limits
from remediators import metrics
from remediators.actions._capacity import NO_MAXIMUM
from remediators.metrics import Series
from remediators.table_demand import KINDS
from sereno.errors import InvalidInput, Problem
from sereno.model import Json
from sereno.ports import Aws
from sereno.service import Api, Function, Service, Table

# The busiest hour of so long stands for the ordinary busy hour, where none is declared.
LOOK_BACK = timedelta(days=7)
HOUR = 3600
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html
QUERIES = 500

Named = TypeVar("Named", Function, Table)
Facts = TypeVar("Facts")
Busy = Mapping[str, list[tuple[float, float]]]


def read(aws: Aws, service: Service, own: Mapping[str, int], now: datetime) -> Account:
    """The account as it is. `own` are Sereno's functions and what they reserve once deployed. Raises InvalidInput
    with every declared function and table that does not exist."""
    limits = aws.client("lambda").get_account_settings()["AccountLimit"]
    problems: list[Problem] = []
    functions = _each(service.functions, "functions", lambda one: _function(aws, one), service, problems)
    tables = _each(service.tables, "tables", lambda one: _table(aws, one), service, problems)
    if problems:
        raise InvalidInput("sereno.yaml", problems)
    units = _units(aws, service) if tables else {}
    busy = _busy(aws, service, tables, now)
    found = Account(
        functions={one.name: _worked(one, functions[key], busy) for key, one in service.functions.items()},
        tables={one.name: _consumed(one, _quota(tables[key], units), busy) for key, one in service.tables.items()},
        concurrency=int(limits["ConcurrentExecutions"]),
        own=sum(own.values()),
        api_rate=account_apis.account_rate(aws) if service.apis else API_RATE,
        stages=account_apis.stage_rates(aws, service.apis),
        rates={key: _most(busy, f"requests|{key}") / HOUR for key in service.apis if busy.get(f"requests|{key}")},
        live=True,
    )
    if units:
        found = replace(found, units={kind: int(units[f"AccountMax{_word(kind)}CapacityUnits"]) for kind in KINDS})
    # Whoever else has reserved something: all that is not unreserved, but for ours and the service's.
    there = sum(reserved or 0 for reserved in (_reserved(aws, name) for name in own))
    claimed = found.concurrency - int(limits["UnreservedConcurrentExecutions"])
    declared = sum(one.reserved or 0 for one in found.functions.values())
    return replace(found, others=max(0, claimed - there - declared))


def _each(
    declared: Mapping[str, Named],
    section: str,
    look: Callable[[Named], Facts],
    service: Service,
    problems: list[Problem],
) -> dict[str, Facts]:
    found = {}
    for key, one in declared.items():
        try:
            found[key] = look(one)
        except ClientError as error:
            if error.response["Error"]["Code"] != "ResourceNotFoundException":
                raise
            mend = f"does not exist in {service.account}, {service.region} (is it the right name and profile?)"
            problems.append(Problem(f"resources.{section}.{key}.name", one.name, mend))
    return found


# -- functions


def _function(aws: Aws, one: Function) -> FunctionFacts:
    answer = aws.client("lambda").get_function(FunctionName=one.name)
    facts = replace(
        function_facts(one),
        reserved=answer.get("Concurrency", {}).get("ReservedConcurrentExecutions"),
        memory_mb=answer["Configuration"].get("MemorySize", one.memory_mb),
        timeout_s=answer["Configuration"].get("Timeout", one.timeout_s),
    )
    if not one.alias or not one.provisioned:
        return facts
    return replace(facts, provisioned=_provisioned(aws, one), target=_function_target(aws, one))


def _provisioned(aws: Aws, one: Function) -> int | None:
    try:
        answer = aws.client("lambda").get_provisioned_concurrency_config(FunctionName=one.name, Qualifier=one.alias)
    except ClientError as error:
        if error.response["Error"]["Code"] == "ProvisionedConcurrencyConfigNotFoundException":
            return None
        raise
    return int(answer["RequestedProvisionedConcurrentExecutions"])


def _function_target(aws: Aws, one: Function) -> tuple[int, int] | None:
    answer = aws.client("application-autoscaling").describe_scalable_targets(
        ServiceNamespace="lambda", ResourceIds=[f"function:{one.name}:{one.alias}"]
    )
    return next((_bounds(found) for found in answer["ScalableTargets"]), None)


def _reserved(aws: Aws, name: str) -> int | None:
    """What one of Sereno's functions reserves; nothing while it is not deployed."""
    try:
        answer = aws.client("lambda").get_function_concurrency(FunctionName=name)
    except ClientError as error:
        if error.response["Error"]["Code"] == "ResourceNotFoundException":
            return None
        raise
    found = answer.get("ReservedConcurrentExecutions")
    return None if found is None else int(found)


# -- tables


def _table(aws: Aws, one: Table) -> TableFacts:
    table = aws.client("dynamodb").describe_table(TableName=one.name)["Table"]
    parts = {"": table} | {index["IndexName"]: index for index in table.get("GlobalSecondaryIndexes", ())}
    mode = table.get("BillingModeSummary", {}).get("BillingMode", "PROVISIONED")
    targets = _table_targets(aws, one, list(parts)) if mode == "PROVISIONED" else {}
    lanes = {
        (index, kind): _lane(part, kind, targets.get((index, kind)))
        for index, part in parts.items()
        for kind in KINDS
    }
    return TableFacts("provisioned" if mode == "PROVISIONED" else "on-demand", lanes)


def _lane(part: Json, kind: str, target: tuple[int, int] | None) -> LaneFacts:
    word = _word(kind)
    return LaneFacts(
        units=int(part.get("ProvisionedThroughput", {}).get(f"{word}CapacityUnits", 0)),
        maximum=int(part.get("OnDemandThroughput", {}).get(f"Max{word}RequestUnits", NO_MAXIMUM)),
        warm=int(part.get("WarmThroughput", {}).get(f"{word}UnitsPerSecond", 0)),
        target=target,
    )


def _table_targets(aws: Aws, one: Table, indexes: list[str]) -> dict[tuple[str, str], tuple[int, int]]:
    names = {f"table/{one.name}/index/{index}" if index else f"table/{one.name}": index for index in indexes}
    answer = aws.client("application-autoscaling").describe_scalable_targets(
        ServiceNamespace="dynamodb", ResourceIds=list(names), MaxResults=50
    )
    return {
        (names[found["ResourceId"]], "read" if "Read" in found["ScalableDimension"] else "write"): _bounds(found)
        for found in answer["ScalableTargets"]
    }


def _units(aws: Aws, service: Service) -> Json:
    """DescribeLimits, once. AWS throttles more than one call a minute in an account and Region: then the answer is
    what the reconciler last read and keeps in the ledger. Raises ClientError where nothing was ever read."""
    try:
        return dict(aws.client("dynamodb").describe_limits())
    except ClientError as error:
        if error.response["Error"]["Code"] != "ThrottlingException":
            raise
        kept = kept_limits.of(aws, service)
        if "capacity" not in kept.read_at:
            raise
        return {theirs: kept.capacity[name] for name, theirs in kept_limits.CAPACITY.items()}


def _quota(facts: TableFacts, units: Json) -> TableFacts:
    return replace(facts, quota={kind: int(units[f"TableMax{_word(kind)}CapacityUnits"]) for kind in KINDS})


def _bounds(target: Json) -> tuple[int, int]:
    return int(target["MinCapacity"]), int(target["MaxCapacity"])


def _word(kind: str) -> str:
    return kind.capitalize()


# -- metrics


def _busy(aws: Aws, service: Service, tables: Mapping[str, TableFacts], now: datetime) -> dict[str, list[Any]]:
    """Hour by hour, what ran and what was consumed."""
    wanted = dict(_series(service, tables))
    keys, found = list(wanted), dict[str, list[Any]]()
    # CloudWatch aligns periods to the hour; what has begun shows less than it will have.
    last = now.replace(minute=0, second=0, microsecond=0)
    for start in range(0, len(keys), QUERIES):
        ids = {f"m{number}": key for number, key in enumerate(keys[start : start + QUERIES])}
        series = {one: wanted[key] for one, key in ids.items()}
        answer = metrics.read(aws.client("cloudwatch"), series, last - LOOK_BACK, last)
        found |= {ids[one]: points for one, points in answer.items()}
    return found


def _series(service: Service, tables: Mapping[str, TableFacts]) -> Iterator[tuple[str, Series]]:
    for function in service.functions.values():
        where = {"FunctionName": function.name}
        yield f"calls|{function.key}", Series("AWS/Lambda", "Invocations", where, "Sum", HOUR)
        yield f"duration|{function.key}", Series("AWS/Lambda", "Duration", where, "Average", HOUR)
    for table in service.tables.values():
        for index, kind in tables[table.key].lanes:
            where = {"TableName": table.name} | ({"GlobalSecondaryIndexName": index} if index else {})
            name = f"Consumed{_word(kind)}CapacityUnits"
            yield f"{table.key}|{index}|{kind}", Series("AWS/DynamoDB", name, where, "Sum", HOUR)
    for api in service.apis.values():
        yield f"requests|{api.key}", Series("AWS/ApiGateway", "Count", _stage(api), "Sum", HOUR)


def _stage(api: Api) -> dict[str, str]:
    return {"ApiId" if api.kind == "http" else "ApiName": (api.id or "") if api.kind == "http" else api.name} | {
        "Stage": api.stage
    }


def _most(busy: Busy, key: str) -> float:
    return max((value for _, value in busy.get(key, ())), default=0.0)


def _worked(one: Function, facts: FunctionFacts, busy: Busy) -> FunctionFacts:
    """The busiest hour is the one in which most ran at once; what is declared goes before it."""
    durations = dict(busy[f"duration|{one.key}"])
    hours = [(calls / HOUR, durations.get(start, 0.0) / 1000) for start, calls in busy[f"calls|{one.key}"]]
    if not hours:
        return facts
    rate, seconds = max(hours, key=lambda hour: hour[0] * hour[1])
    return replace(facts, rate=rate, normal=facts.normal or (rate * seconds) or None)


def _consumed(one: Table, facts: TableFacts, busy: Busy) -> TableFacts:
    def normal(index: str, kind: str) -> float | None:
        part = one.indexes.get(index) if index else one
        declared = getattr(part, f"normal_{kind}") if part else None
        points = busy[f"{one.key}|{index}|{kind}"]
        return declared if declared is not None else max(value for _, value in points) / HOUR if points else None

    return replace(facts, lanes={key: replace(lane, normal=normal(*key)) for key, lane in facts.lanes.items()})
