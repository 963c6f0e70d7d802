"""The self-test: every few minutes each remediator proves that it could act, without changing anything.

It looks at its targets as it would in earnest, which proves the rights to read and that what is declared exists; and
it asks IAM whether its role may make its changes. What was proved stands in the ledger. It also keeps the function
warm.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from remediators.executor import is_passing
from remediators.ledger import Ledger
from remediators.watch import Watch, parameters
from sereno.errors import StillChanging
from sereno.model import Json, Target, instant, iso
from sereno.ports import Aws, Context, Permission, Remediator
from sereno.service import Play, Service

EVENT = "self-test"
# A large service is looked at in turns, so that a test stays far below the function's timeout.
TARGETS = 5
# Three tests and some delay: what has not been proved since then is not known.
FRESH = timedelta(minutes=16)
READS = ("get_", "describe_", "list_", "batch_get_")
# Where IAM's name of a service is not boto3's.
# https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
_IAM_NAMES = {"service-quotas": "servicequotas"}
# https://docs.aws.amazon.com/IAM/latest/APIReference/API_SimulatePrincipalPolicy.html
MAY_NOT_ASK = frozenset({"AccessDenied", "AccessDeniedException", "NotImplemented", "InvalidAction", "501"})


@dataclass(frozen=True, slots=True)
class Proof:
    """One thing that was proved or not; `ok` is None where it could not be asked."""

    what: str
    ok: bool | None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Readiness:
    """What a remediator's last self-test proved, and when."""

    remediator: str
    at: datetime
    proofs: tuple[Proof, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing was found wanting."""
        return all(one.ok is not False for one in self.proofs)

    def is_fresh(self, now: datetime) -> bool:
        """Whether the test is recent enough to mean something."""
        return now - self.at <= FRESH

    def to_json(self) -> Json:
        """As the ledger keeps it."""
        proofs = [[one.what, one.ok, one.detail] for one in self.proofs]
        return {"remediator": self.remediator, "at": iso(self.at), "proofs": proofs}

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> Readiness:
        """The inverse of `to_json`."""
        proofs = tuple(Proof(what, ok, detail) for what, ok, detail in data["proofs"])
        return Readiness(data["remediator"], instant(data["at"]), proofs)


class SparingAws:
    """An `Aws` that asks CloudWatch for one metric in all: each metric that GetMetricData is asked for costs money
    (0.01 USD for 1,000, https://aws.amazon.com/cloudwatch/pricing/), and one proves the right to read all of them.
    Every other series is answered as empty."""

    def __init__(self, inner: Aws) -> None:
        self._inner = inner
        self._asked = False

    def client(self, service: str, region: str | None = None) -> Any:
        """The client of a service; CloudWatch's is a sparing one."""
        client = self._inner.client(service, region)
        return _SparingCloudWatch(self, client) if service == "cloudwatch" else client

    def may_ask(self) -> bool:
        """True the first time."""
        first, self._asked = not self._asked, True
        return first


class _SparingCloudWatch:
    def __init__(self, aws: SparingAws, client: Any) -> None:
        self._aws, self._client = aws, client

    def __getattr__(self, operation: str) -> Any:
        return getattr(self._client, operation)

    def get_metric_data(self, **params: Any) -> Json:
        """The first series, the first time; all others are empty."""
        queries = params["MetricDataQueries"]
        if queries and self._aws.may_ask():
            self._client.get_metric_data(**{**params, "MetricDataQueries": queries[:1]})
        return {"MetricDataResults": [{"Id": query["Id"], "Timestamps": [], "Values": []} for query in queries]}


def run(watch: Watch, name: str) -> Json:
    """One self-test, recorded. Raises LedgerUnavailable."""
    watch = replace(watch, aws=SparingAws(watch.aws))
    remediator, now = watch.load(name), watch.clock.now()
    targets = turn(_targets(remediator.kind, watch.service), now)
    found = Readiness(
        name, now, (*(_look(watch, remediator, one) for one in targets), *_rights(watch, remediator, targets))
    )
    watch.ledger.note_ready(name, json.dumps(found.to_json()), now)
    for one in found.proofs:
        if one.ok is False:
            watch.telemetry.log("error", "not ready", remediator=name, what=one.what, why=one.detail)
            watch.telemetry.count("NotReady")
    return {"ready": found.ok, "proofs": len(found.proofs)}


def read(ledger: Ledger) -> list[Readiness]:
    """The last self-test of every remediator, by name. Raises LedgerUnavailable."""
    return [Readiness.from_json(json.loads(text)) for _, text in sorted(ledger.readiness().items())]


def summary(found: list[Readiness], expected: tuple[str, ...], now: datetime) -> tuple[bool, str]:
    """(whether every remediator is ready, that in a line)."""
    known = {one.remediator: one for one in found}
    wanting = [name for name in expected if name in known and not known[name].ok]
    silent = [name for name in expected if name not in known or not known[name].is_fresh(now)]
    if not wanting and not silent:
        oldest = min(one.at for one in found) if found else now
        return True, f"{len(expected)} of {len(expected)} remediators are ready, proved since {oldest:%H:%M} UTC"
    parts = [f"not ready: {', '.join(wanting)}"] if wanting else []
    parts += [f"no self-test in {FRESH.seconds // 60} min: {', '.join(silent)}"] if silent else []
    return False, "; ".join(parts)


def turn(targets: list[Target], now: datetime) -> list[Target]:
    """Those whose turn it is: all of a small service, five at a time of a large one."""
    if len(targets) <= TARGETS:
        return targets
    start = int(now.timestamp()) // 300 * TARGETS % len(targets)
    return (targets + targets)[start : start + TARGETS]


def _targets(kind: str, service: Service) -> list[Target]:
    declared: dict[str, list[str]] = {
        "function": [one.name for one in service.functions.values()],
        "table": [one.name for one in service.tables.values()],
        "account": [service.account],
        "incident": [EVENT],
    }
    if service.recovery and service.is_standby:
        declared |= {"region": [service.recovery.primary], "traffic": [service.recovery.primary]}
    return [Target(kind, name, service.region, service.account) for name in declared.get(kind, [])]


def _look(watch: Watch, remediator: Remediator, target: Target) -> Proof:
    plays = [play for play in watch.service.playbook.values() if remediator.name in play.remediators]
    play = plays[0] if plays else Play(EVENT, ((remediator.name,),))
    context = Context(watch.service, play, target, watch.clock.now(), parameters(remediator, play))
    what = f"look at {target.name}"
    try:
        remediator.observe(watch.aws, context)
    except StillChanging as change:
        return Proof(what, True, str(change))
    except ClientError as error:
        said = error.response.get("Error", {})
        detail = f"{said.get('Code', '')}: {said.get('Message', '')}"[:300]
        # AWS was busy, and said nothing about rights or resources: the next test asks again.
        return Proof(what, None if is_passing(error) else False, detail)
    except BotoCoreError as error:
        return Proof(what, None, f"no answer: {type(error).__name__}")
    return Proof(what, True)


def _rights(watch: Watch, remediator: Remediator, targets: list[Target]) -> Iterator[Proof]:
    """Whether the role may make each change on each target, as IAM says."""
    wanted = [one for one in remediator.permissions if not one.operation.split(".")[1].startswith(READS)]
    absent = [f"{{{name}}}" for name, value in _places(watch.service).items() if not value]
    # Without a zone, a bucket or weights there is no such permission.
    wanted = [one for one in wanted if not any(place in one.resource for place in absent)]
    if not wanted or not targets:
        return
    try:
        role = _own_role(watch)
        client = watch.aws.client("iam")
        for permission in wanted:
            answer = client.simulate_principal_policy(
                PolicySourceArn=role,
                ActionNames=[action_of(permission)],
                ResourceArns=sorted({_arn(permission, watch.service, one) for one in targets}),
                ContextEntries=context_entries(permission, watch.service),
            )
            refused = [
                one["EvalResourceName"] for one in answer["EvaluationResults"] if one["EvalDecision"] != "allowed"
            ]
            detail = f"its role may not, on {', '.join(refused)}" if refused else ""
            yield Proof(f"may {action_of(permission)}", not refused, detail)
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        yield Proof(
            "rights to change", None, f"could not be asked: {code}" + (" (simulation)" * (code in MAY_NOT_ASK))
        )
    except BotoCoreError as error:
        yield Proof("rights to change", None, f"could not be asked: {type(error).__name__}")


def context_entries(permission: Permission, service: Service) -> list[Json]:
    """What the call would carry for the condition keys of its permission: a simulation that lacks them is denied.
    https://docs.aws.amazon.com/IAM/latest/APIReference/API_ContextEntry.html"""
    places = _places(service)
    entries = []
    for operator, tests in permission.condition.items():
        if operator == "Null":  # says that a key must be there, and another operator gives its value
            continue
        for key, value in tests.items():
            values = [str(each).format_map(places) for each in (value if isinstance(value, list) else [value])]
            listed = operator.startswith(("ForAllValues:", "ForAnyValue:"))
            kind, given = ("stringList", values) if listed else ("string", values[:1])
            entries.append({"ContextKeyName": key, "ContextKeyType": kind, "ContextKeyValues": given})
    return entries


def action_of(permission: Permission) -> str:
    """IAM's name of an operation that changes something."""
    service, operation = permission.operation.split(".")
    return f"{_IAM_NAMES.get(service, service)}:{''.join(part.title() for part in operation.split('_'))}"


def _own_role(watch: Watch) -> str:
    """The role of this function, out of the session it runs under (`arn:aws:sts::1:assumed-role/NAME/session`)."""
    arn = str(watch.aws.client("sts").get_caller_identity()["Arn"])
    head, _, tail = arn.partition(":assumed-role/")
    return f"{head.replace(':sts:', ':iam:')}:role/{tail.split('/')[0]}" if tail else arn


def _arn(permission: Permission, service: Service, target: Target) -> str:
    names = dict.fromkeys(("function", "table", "api"), target.name)
    return permission.resource.format(**_places(service), **names)


def _places(service: Service) -> dict[str, str]:
    """The values of the places of a permission, but those of its target."""
    region = service.region
    area = "aws-cn" if region.startswith("cn-") else "aws-us-gov" if region.startswith("us-gov-") else "aws"
    places = {"partition": area, "region": region, "account": service.account, "service": service.name}
    return places | service.recovery_places
