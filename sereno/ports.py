"""What a remediator is, and the seams through which it meets the world.

A remediator is one module in `remediators/actions/` that defines `REMEDIATOR`. It looks through `Aws` (clients, made
lazily and once), and everything it decides is pure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from sereno.model import Json, Plan, Refusal, Signal, Target, Verdict
from sereno.service import PLANNED_EVENT, REGION_OUT, Play, Service


class Aws(Protocol):
    """Gives boto clients. The same client each time for a service and region."""

    def client(self, service: str, region: str | None = None) -> Any: ...


class Telemetry(Protocol):
    """Logs and counts. `dimensions` of a count are few and bounded (a reason, a remediator)."""

    def log(self, level: str, message: str, **facts: Any) -> None: ...

    def count(self, metric: str, value: float = 1, **dimensions: str) -> None: ...

    def flush(self) -> None: ...


class Clock(Protocol):
    """The only way to learn the time."""

    def now(self) -> datetime: ...


@dataclass(frozen=True, slots=True)
class Param:
    """A knob of a remediator: its default, what it means with its unit, and where its limits come from."""

    default: float | int | str | bool | None
    doc: str
    minimum: float | None = None
    maximum: float | None = None
    source: str = ""


@dataclass(frozen=True, slots=True)
class Permission:
    """One operation a remediator calls, and on what.

    `operation` is `service.method` as boto3 spells it. `actions` are the IAM actions behind it, for an operation that
    `deploy.iam.ACTIONS` does not list yet. `resource` is an ARN template with `{partition}`, `{region}`,
    `{account}`, `{service}` (the watched service's name) and one of `{function}`, `{table}`, `{api}`, which is
    expanded for each that the service declares. `{standby}`, `{primary}`, `{bucket}`, `{zone}` and `{canary}` are of
    the service's recovery, `{weighted}` its zone where a failover itself changes records, `{writer}` each function
    that it fences, `{compared}` each table of which it compares a sample; who has none of it gets no such permission.
    `*` needs `because`: the page that says AWS offers nothing narrower.
    """

    operation: str
    resource: str
    because: str = ""
    condition: Json = field(default_factory=dict, hash=False)
    actions: tuple[str, ...] = ()


def scalable(namespace: str, *dimensions: str) -> Json:
    """The condition that allows only these scalable dimensions (`lambda:function:ProvisionedConcurrency`) of one
    service namespace (`lambda`). AWS gives a scalable target an id of its own, so its ARN cannot be known beforehand.
    https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsapplicationautoscaling.html"""
    return {
        "StringEquals": {
            "application-autoscaling:service-namespace": namespace,
            "application-autoscaling:scalable-dimension": sorted(dimensions),
        }
    }


@dataclass(frozen=True, slots=True)
class Context:
    """All that a remediator may know when it looks or decides."""

    service: Service
    play: Play
    target: Target
    now: datetime
    params: Mapping[str, Any]
    signal: Signal | None = None
    since: datetime | None = None  # when the change took effect, for looks afterwards
    plan: Plan | None = None  # what was recorded, once there is a plan

    @property
    def planned(self) -> bool:
        """Whether the traffic is still to come, as planned or from a region that is out: nothing measured now can
        speak against it."""
        return self.signal is not None and self.signal.what in (PLANNED_EVENT, REGION_OUT)

    @property
    def factor(self) -> float:
        """How many times normal traffic to be ready for: the planned event's own, or the declared surge."""
        planned = self.signal.factor if self.signal else None
        return self.service.objectives.surge if planned is None else planned


@dataclass(frozen=True, slots=True)
class Remediator:
    """One way to repair.

    * `observe(aws, context)` reads the world: JSON, no change to anything.
    * `plan(observation, context)` decides, purely.
    * `read(aws, context)` reads just the settings that steps change: `{setting: value}`.
    * `symptom(aws, context)` reads what tells whether the symptom is still there, and the demand in the hold.
    * `verify(plan, symptom, context)`: is the symptom gone?
    * `may_release(plan, symptom, context)`: would the value before be enough again?
    * `may_go_on(aws, context, plan, done)`: whether the next step may follow, once `done` are done (`context.since`
      says since when). CHANGE_IN_PROGRESS waits a minute; any other no stops, and takes back what was done.
    * `undone_by`: the kind of target whose remediation takes this one back in order (a failback a failover): while
      such a one is under way, a value that is back where it was is no sign of anything yet.
    * `settle(aws, context)`: right after the change, the recorded plan (`context.plan`) with a smaller value in its
      first step, where the change took more than may be taken; None where it may stay.
    * `lasting`: what was verified and held stays for good; nothing but trouble takes it back.
    """

    name: str
    summary: str
    kind: str
    params: Mapping[str, Param]
    permissions: tuple[Permission, ...]
    observe: Callable[[Aws, Context], Json]
    plan: Callable[[Json, Context], Plan | Refusal]
    read: Callable[[Aws, Context], Json]
    symptom: Callable[[Aws, Context], Json]
    verify: Callable[[Plan, Json, Context], Verdict]
    may_release: Callable[[Plan, Json, Context], Verdict]
    may_go_on: Callable[[Aws, Context, Plan, int], Verdict] | None = None
    settle: Callable[[Aws, Context], Plan | None] | None = None
    lasting: bool = False
    undone_by: str = ""
