"""Has the account the concurrency that Sereno's own functions reserve? Said before anything is deployed.

A reservation takes executions from the account's unreserved pool, of which Lambda keeps 100. Each service of an
account has a monitoring stack with reservations of its own. `UnreservedConcurrentExecutions` counts all of them, so
one call says whether a deployment fits; only where it does not, the functions of the other stacks are looked at, to
say what they hold.
https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from deploy.apply.deployed import answer
from remediators.actions._pool import UNRESERVED_MINIMUM
from sereno.errors import Problem
from sereno.model import Json
from sereno.ports import Aws
from sereno.service import Service

# The names of Sereno's functions, in every service's stack, begin like this (`deploy.synth.names`).
PREFIX = "sereno-"
_GONE = frozenset({"ResourceNotFoundException"})

WEAKER = (
    "With ownConcurrency: unreserved, a surge that uses up the account's concurrency can stop Sereno too, and two "
    "reconcilers may run side by side (the ledger keeps them from acting twice)."
)


@dataclass(frozen=True, slots=True)
class Room:
    """In executions: `quota` is the account's, `unreserved` what no function has reserved now, `own` what Sereno's
    `functions` of this service reserve once deployed, and `more` what of that is not reserved yet. `elsewhere` is
    what Sereno's functions of other services have reserved, by function; it is read only where room is short."""

    quota: int
    unreserved: int
    own: int
    more: int
    functions: int
    elsewhere: Mapping[str, int]

    @property
    def spare(self) -> int:
        """What may still be reserved in the account."""
        return max(0, self.unreserved - UNRESERVED_MINIMUM)

    @property
    def is_short(self) -> bool:
        """Whether the deployment would fail for want of room."""
        return self.more > self.spare

    def to_json(self) -> Json:
        """What `--json` prints."""
        return {
            "quota": self.quota,
            "unreserved": self.unreserved,
            "own": self.own,
            "more": self.more,
            "spare": self.spare,
            "reserved_by_other_services": sum(self.elsewhere.values()),
        }


def wanted(template: Json) -> dict[str, int]:
    """What a template's functions reserve, by the function's name."""
    return {
        one["Properties"]["FunctionName"]: int(one["Properties"].get("ReservedConcurrentExecutions", 0))
        for one in template.get("Resources", {}).values()
        if one["Type"] == "AWS::Lambda::Function"
    }


def read(aws: Aws, template: Json, before: Mapping[str, int]) -> Room | None:
    """The room for a template's functions; None where they reserve nothing. `before` is what each function has
    reserved already, by its name. One call, and where room is short one for each 50 functions of the account and for
    each function of another service's monitoring stack."""
    new = wanted(template)
    if not any(new.values()):
        return None
    limits = aws.client("lambda").get_account_settings()["AccountLimit"]
    room = Room(
        quota=int(limits["ConcurrentExecutions"]),
        unreserved=int(limits["UnreservedConcurrentExecutions"]),
        own=sum(new.values()),
        more=sum(max(0, number - before.get(name, 0)) for name, number in new.items()),
        functions=len(new),
        elsewhere={},
    )
    if not room.is_short:
        return room
    return replace(room, elsewhere=_elsewhere(aws, frozenset(new)))


def problems(room: Room | None) -> list[Problem]:
    """Why a deployment would fail for want of room, with what to do; nothing where it fits."""
    if room is None or not room.is_short:
        return []
    held = sum(room.elsewhere.values())
    others = (
        f", and {held} are reserved by {len(room.elsewhere)} functions of Sereno for other services" if held else ""
    )
    fix = (
        f"more concurrent executions must be reserved for Sereno's {room.functions} functions, and the account can "
        f"spare {room.spare} (it has {room.quota}, of which {UNRESERVED_MINIMUM} stay unreserved{others}); "
        "fix: ask for more under Service Quotas, Lambda, Concurrent executions, "
        f"or set ownConcurrency: unreserved. {WEAKER}"
    )
    return [Problem("the account", room.more, fix)]


def declared_problems(service: Service, own: int) -> list[Problem]:
    """The same by the configuration alone: whether the declared quota leaves room for what Sereno's functions (`own`)
    and the declared ones reserve. What else the account has is not known here."""
    if not own:
        return []
    quota = service.quotas.concurrency
    declared = sum(one.reserved or 0 for one in service.functions.values())
    spare = max(0, quota - declared - UNRESERVED_MINIMUM)
    if own <= spare:
        return []
    reserved = f" and {declared} are reserved for the service's own functions" if declared else ""
    fix = (
        f"leaves {spare} executions to reserve ({UNRESERVED_MINIMUM} stay unreserved{reserved}), and Sereno's own "
        f"functions reserve {own}; fix: ask for more under Service Quotas, Lambda, Concurrent executions, "
        f"or set ownConcurrency: unreserved. {WEAKER}"
    )
    return [Problem("quotas.concurrency", quota, fix)]


def _elsewhere(aws: Aws, own: frozenset[str]) -> dict[str, int]:
    """What the functions of other services' monitoring stacks have reserved."""
    client = aws.client("lambda")
    pages = client.get_paginator("list_functions").paginate()
    names = [one["FunctionName"] for page in pages for one in page["Functions"]]
    found = {}
    for name in (one for one in names if one.startswith(PREFIX) and one not in own):
        setting = answer(_GONE, client.get_function_concurrency, FunctionName=name) or {}
        if reserved := int(setting.get("ReservedConcurrentExecutions", 0)):
            found[name] = reserved
    return found
