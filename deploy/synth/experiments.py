"""What AWS Fault Injection Service (FIS) can do of a region drill, scenario by scenario, and what it cannot.

FIS has few actions for what is serverless: it makes calls of functions fail or start late (by an extension that the
functions must carry), and it pauses the replication of a global table. It has none for API Gateway, Route 53 or IAM.
Each experiment says what stands in for the rest. Pure: `deploy.synth.fis` makes templates of it.
https://docs.aws.amazon.com/fis/latest/userguide/fis-actions-reference.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from alarms.packs import all_alarms
from alarms.spec import AlarmSpec
from sereno.service import Recovery, Service

ERROR, DELAY = "aws:lambda:invocation-error", "aws:lambda:invocation-add-delay"
PAUSE, WAIT = "aws:dynamodb:global-table-pause-replication", "aws:fis:wait"
# https://docs.aws.amazon.com/general/latest/gr/fis.html
ACTIONS_LIMIT, STOPS_LIMIT = 20, 5
# ResourceArnList: https://docs.aws.amazon.com/fis/latest/APIReference/API_CreateExperimentTemplateTargetInput.html
TARGET_LIMIT = 5
# Shorter than the promised half hour, and long enough for the way there to be seen: the functions hear of a fault up
# to a minute late, and replication ends up to five minutes late.
OUTAGE_MIN, GRAY_MIN, ZONE_MIN = 20, 15, 5
PAUSE_STARTS_MIN, PARTITION_MIN = 5, 10
SPELLS, SPELL_MIN = 5, 2
GRAY, FLAPPING, ZONE = 70, 10, 33
LATE_MS = 1000

# Whoever guards the rehearsal must be there, and the data must be well: what is injected raises neither of these.
_GUARDS = ("heartbeat", "probe-silent", "table-errors")


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault: the action, for how long, its other parameters, and the functions or tables (as AWS calls them)."""

    action: str
    minutes: int
    over: tuple[str, ...] = ()
    parameters: Mapping[str, str] = field(default_factory=dict)

    def parts(self) -> Iterator[tuple[str, ...]]:
        """What it befalls, as FIS takes it: a few resources for each target."""
        for start in range(0, max(1, len(self.over)), TARGET_LIMIT):
            yield self.over[start : start + TARGET_LIMIT]


@dataclass(frozen=True, slots=True)
class Experiment:
    """A scenario as FIS plays it. Faults of one phase run together, and the next phase begins when they are over.
    `stops` are names of alarms of the same region: FIS stops when one of them rings."""

    scenario: str
    does: str
    cannot: str
    instead: str
    phases: tuple[tuple[Fault, ...], ...]
    stops: tuple[str, ...]

    @property
    def minutes(self) -> int:
        """How long it lasts."""
        return sum(max(one.minutes for one in phase) for phase in self.phases)

    @property
    def action_minutes(self) -> int:
        """What FIS charges for: https://aws.amazon.com/fis/pricing/"""
        return sum(one.minutes for phase in self.phases for one in phase for _ in one.parts())

    def over(self, prefix: str) -> list[str]:
        """What its faults befall whose action begins so."""
        found = [name for phase in self.phases for one in phase if one.action.startswith(prefix) for name in one.over]
        return list(dict.fromkeys(found))


def of(service: Service) -> list[Experiment]:
    """The experiments that run in this watch's region: those of the first, or of the standby."""
    recovery = service.recovery
    if recovery is None:
        return []
    if service.region == recovery.primary:
        made: tuple[Callable[[Service, Recovery], Experiment], ...] = (
            _region_outage,
            _gray_failure,
            _flapping_region,
            _control_plane_down,
            _az_loss,
        )
    else:
        made = (_partition,) if service.is_standby else ()
    return [one for one in (make(service, recovery) for make in made) if one.over("")]


def _region_outage(service: Service, _: Recovery) -> Experiment:
    return Experiment(
        scenario="region-outage",
        does=f"every call of {_functions(service)} fails before it runs, and {_tables(service)} not replicated",
        cannot=(
            "take away API Gateway, Route 53 or Sereno's own functions: the region still answers, with errors; and "
            "replication ends within five minutes, not at once"
        ),
        instead="`sereno drill region-outage` takes away all of it, for three hours",
        phases=(_dark(service),),
        stops=_stops(service, _GUARDS),
    )


def _control_plane_down(service: Service, _: Recovery) -> Experiment:
    return Experiment(
        scenario="control-plane-down",
        does=f"as region-outage: every call of {_functions(service)} fails",
        cannot=(
            "make calls of Route 53, IAM, Lambda or DynamoDB fail: it injects errors into the APIs of EC2 and "
            "Kinesis alone"
        ),
        instead=(
            "CloudTrail tells afterwards that Sereno called none of them (docs/fis.md); `sereno drill "
            "control-plane-down` refuses each such call"
        ),
        phases=(_dark(service),),
        stops=_stops(service, _GUARDS),
    )


def _dark(service: Service) -> tuple[Fault, ...]:
    faults = (_errors(_names(service), OUTAGE_MIN, 100), Fault(PAUSE, OUTAGE_MIN, _table_names(service)))
    return tuple(one for one in faults if one.over)


def _gray_failure(service: Service, recovery: Recovery) -> Experiment:
    spared = health_function(service)
    befallen = tuple(one for one in _names(service) if one != spared)
    told = (
        f"a function is spared as a whole: what else {spared} serves is spared with it"
        if spared
        else f"no function is called like {recovery.paths[0]}, so the health check fails like the rest"
    )
    return Experiment(
        scenario="gray-failure",
        does=f"{GRAY} of 100 calls of {_listed(befallen, 'functions')} fail"
        + (f"; {spared} is left alone" if spared else ""),
        cannot=f"tell one path from another ({told})",
        instead="`sereno drill gray-failure` leaves the health check alone, and nothing else",
        phases=((_errors(befallen, GRAY_MIN, GRAY),),),
        stops=_stops(service, _GUARDS),
    )


def _flapping_region(service: Service, _: Recovery) -> Experiment:
    spell = _errors(_names(service), SPELL_MIN, FLAPPING)
    pause = Fault(WAIT, SPELL_MIN)
    parts = sum(1 for _ in spell.parts())
    spells = max(1, min(SPELLS, (ACTIONS_LIMIT + 1) // (parts + 1)))
    phases = [(spell,)] + [(one,) for _ in range(spells - 1) for one in (pause, spell)]
    return Experiment(
        scenario="flapping-region",
        does=(
            f"{spells} times, {FLAPPING} of 100 calls of {_functions(service)} fail for {SPELL_MIN} minutes; "
            "no traffic may move"
        ),
        cannot=(
            "make blips of seconds: its shortest fault lasts a minute, and functions hear of it up to a minute late"
        ),
        instead="few calls fail for longer; `sereno drill flapping-region` makes the blips",
        phases=tuple(phases),
        stops=_stops(service, _GUARDS),
    )


def _az_loss(service: Service, _: Recovery) -> Experiment:
    # Late, and still answered: a delay past a function's timeout would be an outage.
    shortest = min((one.timeout_s for one in service.functions.values()), default=3)
    late = min(LATE_MS, shortest * 1000 // 3)
    fault = Fault(DELAY, ZONE_MIN, _names(service), _share(ZONE) | {"startupDelayMilliseconds": str(late)})
    return Experiment(
        scenario="az-loss",
        does=f"{ZONE} of 100 calls of {_functions(service)} begin {late:,} ms late; no traffic may move",
        cannot=(
            "take a zone from API Gateway, Lambda or DynamoDB: its actions on zones target subnets, load balancers, "
            "instances and clusters"
        ),
        instead="those calls are late, as calls are that a lost zone has lost and that are tried again elsewhere",
        phases=((fault,),),
        stops=_stops(service, ("heartbeat", "probe-silent", "5xx", "table-errors")),
    )


def _partition(service: Service, _: Recovery) -> Experiment:
    """From the standby, for there is its own alarm of being ready, which is the best reason to stop. It ends before
    the data is older than was promised."""
    within = service.objectives.rpo_s * 2 // 3 // 60
    minutes = max(PAUSE_STARTS_MIN + 1, min(PARTITION_MIN, within))
    return Experiment(
        scenario="partition",
        does=f"{_tables(service)} not replicated, in either direction; no traffic may move",
        cannot=(
            "cut the line between probers and regions: it cuts lines of subnets and transit gateways, and none of "
            "these functions runs in one"
        ),
        instead="replication alone is cut; `sereno drill partition` cuts the sight as well",
        phases=((Fault(PAUSE, minutes, _table_names(service)),),),
        stops=_stops(service, ("standby-ready", "rpo", "region-suspected", "heartbeat", "probe-silent")),
    )


def health_function(service: Service) -> str | None:
    """The function that answers the health check: the one whose key is called like the check's path. None where no
    function is, or where it is the only one."""
    recovery = service.recovery
    word = recovery.paths[0].partition("?")[0].rstrip("/").rpartition("/")[2] if recovery else ""
    found = service.functions.get(word)
    return found.name if found and len(service.functions) > 1 else None


def _errors(over: tuple[str, ...], minutes: int, share: int) -> Fault:
    return Fault(ERROR, minutes, over, _share(share) | {"preventExecution": "true"})


def _share(percent: int) -> dict[str, str]:
    return {"invocationPercentage": str(percent)}


def _stops(service: Service, whats: Sequence[str]) -> tuple[str, ...]:
    """The alarms of this region that are called so, in this order, as many as FIS takes."""
    known = [one for one in all_alarms(service) if isinstance(one, AlarmSpec)]
    return tuple(one.name for what in whats for one in known if one.what == what)[:STOPS_LIMIT]


def _names(service: Service) -> tuple[str, ...]:
    return tuple(one.name for one in service.functions.values())


def _table_names(service: Service) -> tuple[str, ...]:
    return tuple(one.name for one in service.tables.values())


def _functions(service: Service) -> str:
    return _listed(_names(service), "functions")


def _tables(service: Service) -> str:
    names = _table_names(service)
    return f"{_listed(names, 'tables')} {'is' if len(names) == 1 else 'are'}" if names else "nothing is"


def _listed(names: Sequence[str], noun: str) -> str:
    """At most three by name: a person reads it."""
    if len(names) > 3:
        return f"{len(names)} {noun}"
    return " and ".join([part for part in (", ".join(names[:-1]), *names[-1:]) if part])
