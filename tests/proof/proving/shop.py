"""TechModa on the emulator: the example's template and its functions, called through its API."""

from __future__ import annotations

import importlib.metadata
import json
import urllib.request
import zipfile
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import Barrier
from typing import Any
from urllib.error import HTTPError

from packaging.requirements import Requirement

from deploy.sam import translate
from proving import stack
from proving.emulator import ACCOUNT, ROOT, Emulator

EXAMPLE = ROOT / "examples" / "techmoda"
# The Lambda runtime brings these, and so does the emulator's environment.
OF_THE_RUNTIME = frozenset({"boto3", "botocore", "s3transfer", "jmespath", "urllib3", "python-dateutil", "six"})
READ, TABLE = "techmoda-read", "techmoda-products"
Units = dict[str, int]
# https://docs.aws.amazon.com/lambda/latest/dg/services-apigateway.html
LIST = {"resource": "/products", "path": "/products", "httpMethod": "GET", "headers": {}, "requestContext": {}}


@dataclass(frozen=True, slots=True)
class Burst:
    """How often each status came back to customers, and each reason of a throttle (none: answered) to partners."""

    statuses: Counter[int]
    reasons: Counter[str]

    @property
    def failed(self) -> int:
        """Calls that were not answered."""
        calls = self.statuses.total() + self.reasons.total()
        return calls - self.statuses[200] - self.reasons[""]


@dataclass(slots=True, repr=False)
class Shop:
    """The running shop."""

    emulator: Emulator
    stack: stack.Stack

    def burst(self, customers: int, partners: int) -> Burst:
        """So many calls at once: customers come through the API, partners invoke the function."""
        self.emulator.client("lambda", attempts=1)  # made beforehand: that takes longer than a call
        gate = Barrier(customers + partners)

        def ask() -> int:
            gate.wait()
            return self.ask("/products")[0]

        def invoke() -> str:
            gate.wait()
            return self.invoke()

        with ThreadPoolExecutor(customers + partners) as callers:
            statuses = [callers.submit(ask) for _ in range(customers)]
            reasons = [callers.submit(invoke) for _ in range(partners)]
        return Burst(Counter(one.result() for one in statuses), Counter(one.result() for one in reasons))

    def ask(self, path: str, method: str = "GET", body: Mapping[str, Any] | None = None) -> tuple[int, Any]:
        """One request through the API; status and JSON."""
        request = urllib.request.Request(
            f"{self.emulator.url}/restapis/{self.stack.physical['CatalogueApi']}/prod/_user_request_{path}",
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"} if body is not None else {},
            method=method,
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, json.load(answer)
        except HTTPError as error:
            return error.code, json.load(error)

    def invoke(self) -> str:
        """One invocation of the read function, as the API makes it; why it was throttled, or nothing."""
        lambda_ = self.emulator.client("lambda", attempts=1)
        try:
            answer = lambda_.invoke(FunctionName=READ, Qualifier="live", Payload=json.dumps(LIST).encode())
        except lambda_.exceptions.TooManyRequestsException as error:
            return str(error.response.get("Reason"))
        body = json.load(answer["Payload"])
        assert body["statusCode"] == 200, body
        return ""

    def reserved(self, function: str = READ) -> int | None:
        """The function's reserved concurrency, as AWS tells it."""
        answer = self.emulator.client("lambda").get_function_concurrency(FunctionName=function)
        reserved: int | None = answer.get("ReservedConcurrentExecutions")
        return reserved

    def reserve(self, executions: int, function: str = READ) -> None:
        """Sets it, as a release with a wrong number in its template would."""
        self.emulator.client("lambda").put_function_concurrency(
            FunctionName=function, ReservedConcurrentExecutions=executions
        )

    def units(self) -> Units:
        """The table's and its indexes' capacity, as AWS tells it: units a second by lane, named as a plan does."""
        table = self.emulator.client("dynamodb").describe_table(TableName=TABLE)["Table"]
        parts = {"": table, **{one["IndexName"]: one for one in table.get("GlobalSecondaryIndexes", ())}}
        return {
            f"{index} {kind}".strip(): part["ProvisionedThroughput"][unit]
            for index, part in parts.items()
            for kind, unit in (("read", "ReadCapacityUnits"), ("write", "WriteCapacityUnits"))
        }

    def throttled(self, function: str = READ) -> int:
        """How many invocations were throttled so far, by AWS's own count."""
        now = self.emulator.clock.now()
        points = self.emulator.client("cloudwatch").get_metric_statistics(
            Namespace="AWS/Lambda",
            MetricName="Throttles",
            Dimensions=[{"Name": "FunctionName", "Value": function}],
            StartTime=now.replace(second=0, microsecond=0, hour=0, minute=0),
            EndTime=now.replace(second=59),
            Period=60,
            Statistics=["Sum"],
        )["Datapoints"]
        return round(sum(point["Sum"] for point in points))


def open_shop(emulator: Emulator, place: Path, **parameters: str) -> Shop:
    """Deploys the example as `sam deploy` would."""
    template = translate(EXAMPLE / "template.yaml", parameters, region=emulator.region, account=ACCOUNT)
    code = stack.zip_up(emulator, "app.zip", _app_zip(place / "app.zip"))
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Lambda::Function":
            resource["Properties"]["Code"] = code
    return Shop(emulator, stack.create(emulator, "techmoda", template))


def _app_zip(path: Path) -> Path:
    """What `sam build` makes: the application and what its requirements name."""
    asked = [
        line for line in (EXAMPLE / "app" / "requirements.txt").read_text().splitlines() if not line.startswith("#")
    ]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for source in sorted((EXAMPLE / "app").glob("*.py")):
            archive.write(source, source.name)
        for name, source in sorted(_required(asked)):
            archive.write(source, name)
    return path


def _required(lines: list[str]) -> Iterator[tuple[str, Path]]:
    """The modules of these requirements and of theirs, by name and place in this environment. Compiled extensions are
    left out: the packages that bring one have it in Python too."""
    waiting, seen = [Requirement(line) for line in lines], set(OF_THE_RUNTIME)
    while waiting:
        wanted = waiting.pop()
        if wanted.name in seen:
            continue
        seen.add(wanted.name)
        found = importlib.metadata.distribution(wanted.name)
        for one in found.files or ():
            if one.suffix == ".py" and ".." not in one.parts:
                yield str(one), Path(str(found.locate_file(one)))
        extras = [{"extra": extra} for extra in wanted.extras] or [{"extra": ""}]
        needed = [Requirement(line) for line in found.requires or ()]
        waiting += [one for one in needed if one.marker is None or any(map(one.marker.evaluate, extras))]
