"""Names and health checks, as Route 53 has them: who is answered what, and how soon a change is seen. All pure.

Time is seconds since the drill's start. A check is made by sixteen checkers, each for itself; what they find is
counted together, reaches the name servers a moment later, and from there the resolvers (`drills.regions.resolvers`).
https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/dns-failover-determining-health-of-endpoints.html
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

# The places from which Route 53 checks; two of sixteen checkers are in each. The places are published, how many
# checkers there are is not.
# https://docs.aws.amazon.com/Route53/latest/APIReference/API_HealthCheckConfig.html
PLACES = (
    "us-east-1",
    "us-west-1",
    "us-west-2",
    "eu-west-1",
    "ap-southeast-1",
    "ap-southeast-2",
    "ap-northeast-1",
    "sa-east-1",
)
CHECKERS = 16
# "If more than 18% of health checkers report that an endpoint is healthy, Route 53 considers it healthy." (as above)
HEALTHY_SHARE = 0.18
# A connection that is not there within four seconds has failed (as above); an answer, or a refusal, is there at once.
PATIENCE_S, PROMPT_S = 4.0, 0.2
# From a status to the name servers' answers. No number is published; a few seconds are seen.
NAME_SERVERS_S = (2.0, 5.0)
# A change of a record: "generally within 60 seconds".
# https://docs.aws.amazon.com/Route53/latest/APIReference/API_ChangeResourceRecordSets.html
RECORDS_S = (10.0, 60.0)

# What a checker finds at a place and a moment: whether it is as it should be, and after how many seconds it knows.
Look = Callable[[str, float], tuple[bool, float]]


@dataclass(frozen=True, slots=True)
class Check:
    """A health check of an endpoint. An `inverted` one is healthy when what it looks for is not there. `found` is
    what its checkers have found when it begins (None: what makes it healthy)."""

    name: str
    interval_s: float = 10.0
    threshold: int = 3
    inverted: bool = False
    found: bool | None = None


@dataclass(frozen=True, slots=True)
class MetricCheck:
    """A health check of an alarm's metric. `read` says what a whole minute's points were at most (None: no point).

    Healthy while it is below 1, or at least 1 where `healthy_above`. `silent` is the status without points: healthy,
    unhealthy, or None for the last one."""

    name: str
    read: Callable[[int], float | None]
    healthy_above: bool = False
    silent: bool | None = None


# From the end of a minute until its points have decided, and so many whole minutes without a point are too few data.
# Neither is published: assumed, so that a switch takes up to four minutes as docs/regions.md says.
METRIC_S, SILENT_MINUTES = (10.0, 40.0), 2


class MetricChecked:
    """Such a check at work: it reads the stream of the metric, minute by minute, and not the alarm's state.
    https://docs.aws.amazon.com/Route53/latest/APIReference/API_AlarmIdentifier.html
    """

    def __init__(self, check: MetricCheck, rng: np.random.Generator) -> None:
        self.check = check
        self.healthy = not check.healthy_above
        self._after, self._minute, self._silent = float(rng.uniform(*METRIC_S)), 0, 0

    def advance(self, now: float) -> None:
        """Judges each minute that is known by now."""
        while (self._minute + 1) * 60 + self._after <= now:
            found = self.check.read(self._minute)
            self._minute += 1
            self._silent = 0 if found is not None else self._silent + 1
            if found is not None:
                self.healthy = (found >= 1) is self.check.healthy_above
            elif self._silent >= SILENT_MINUTES and self.check.silent is not None:
                self.healthy = self.check.silent


@dataclass(frozen=True, slots=True)
class Calculated:
    """A health check of others: healthy when so many of them are."""

    name: str
    children: tuple[str, ...]
    threshold: int


@dataclass(slots=True)
class _Checker:
    place: str
    next_at: float
    thinks: bool
    contrary: int = 0
    pending: list[tuple[float, bool]] = field(default_factory=list)

    def hears(self, now: float, threshold: int) -> None:
        """Takes in what is known by now: so many findings in a row change the opinion."""
        while self.pending and self.pending[0][0] <= now:
            _, found = self.pending.pop(0)
            self.contrary = 0 if found is self.thinks else self.contrary + 1
            if self.contrary >= threshold:
                self.thinks, self.contrary = found, 0


class Checked:
    """A check at work. A new check is healthy until there is enough to say otherwise."""

    def __init__(self, check: Check, look: Look, rng: np.random.Generator) -> None:
        self.check = check
        self._look = look
        phases = sorted(float(one) for one in rng.uniform(0, check.interval_s, CHECKERS))
        places = [PLACES[one % len(PLACES)] for one in rng.permutation(CHECKERS).tolist()]
        # What is looked for is not there at first when the check is inverted.
        self._checkers = [
            _Checker(place, phase, not check.inverted if check.found is None else check.found)
            for place, phase in zip(places, phases, strict=True)
        ]

    @property
    def share(self) -> float:
        """The share of the checkers that found what they look for."""
        return sum(one.thinks for one in self._checkers) / len(self._checkers)

    @property
    def healthy(self) -> bool:
        """Whether it counts as healthy at this moment."""
        return (self.share > HEALTHY_SHARE) is not self.check.inverted

    def advance(self, now: float) -> None:
        """Makes the looks that are due before a moment, and hears what is known by then."""
        for one in self._checkers:
            while one.next_at < now:
                found, took = self._look(one.place, one.next_at)
                one.pending.append((one.next_at + took, found))
                one.next_at += self.check.interval_s
            if one.pending:
                one.hears(now, self.check.threshold)


class Health:
    """Every check, and the statuses as the name servers know them."""

    def __init__(
        self,
        checks: Sequence[tuple[Check, Look]],
        calculated: Sequence[Calculated],
        rng: np.random.Generator,
        metrics: Sequence[MetricCheck] = (),
    ) -> None:
        self._checked: list[Checked | MetricChecked] = [Checked(check, look, rng) for check, look in checks]
        self._checked += [MetricChecked(one, rng) for one in metrics]
        self._calculated = tuple(calculated)
        self._rng = rng
        self.known: dict[str, bool] = self._raw()
        self._coming: list[tuple[float, str, bool]] = []
        # Every change as the name servers learn of it: when, which, whether healthy.
        self.changes: list[tuple[float, str, bool]] = []
        self._last = self._raw()

    def _raw(self) -> dict[str, bool]:
        found = {one.check.name: one.healthy for one in self._checked}
        for each in self._calculated:
            found[each.name] = sum(found[child] for child in each.children) >= each.threshold
        return found

    def advance(self, now: float) -> bool:
        """Up to a moment; whether what the name servers know has changed."""
        for one in self._checked:
            one.advance(now)
        raw = self._raw()
        for name, healthy in raw.items():
            if healthy is not self._last[name]:
                self._coming.append((now + float(self._rng.uniform(*NAME_SERVERS_S)), name, healthy))
        self._last = raw
        due = sorted(one for one in self._coming if one[0] <= now)
        self._coming = [one for one in self._coming if one[0] > now]
        for at, name, healthy in due:
            if self.known[name] is not healthy:
                self.known[name] = healthy
                self.changes.append((at, name, healthy))
        return bool(due)


@dataclass(frozen=True, slots=True)
class Answer:
    """One record of a set: what it names, its weight, and the check on which it depends (empty: always healthy)."""

    target: str
    weight: int = 1
    check: str = ""


@dataclass(frozen=True, slots=True)
class Records:
    """A set of records of one name and type: `failover` (the first is the primary) or `weighted`."""

    kind: str
    answers: tuple[Answer, ...]

    def chances(self, known: Mapping[str, bool]) -> dict[str, float]:
        """How likely each target is. Are all unhealthy, Route 53 answers as if all were healthy.
        https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/health-checks-how-route-53-chooses-records.html
        """
        healthy = [one for one in self.answers if known.get(one.check, True)] or list(self.answers)
        if self.kind == "failover":
            return {healthy[0].target: 1.0}
        # Weights of zero are used only when there is no other.
        total = sum(one.weight for one in healthy)
        if not total:
            return {one.target: 1 / len(healthy) for one in healthy}
        return {one.target: one.weight / total for one in healthy if one.weight}


class Zone:
    """A hosted zone: sets of records by name. A name that has none is where a way ends."""

    def __init__(self, records: Mapping[str, Records], rng: np.random.Generator) -> None:
        self._records = dict(records)
        self._rng = rng
        self._coming: list[tuple[float, str, Records]] = []

    def change(self, name: str, records: Records, now: float) -> None:
        """A change by the control plane, which the name servers have a little later. Raises KeyError."""
        if name not in self._records:
            raise KeyError(f"{name} has no records")
        self._coming.append((now + float(self._rng.uniform(*RECORDS_S)), name, records))

    def advance(self, now: float) -> bool:
        """Up to a moment; whether anything has changed."""
        due = sorted((one for one in self._coming if one[0] <= now), key=lambda one: one[0])
        self._coming = [one for one in self._coming if one[0] > now]
        for _, name, records in due:
            self._records[name] = records
        return bool(due)

    def records(self, name: str) -> Records:
        """The set of a name, as the name servers have it. Raises KeyError."""
        return self._records[name]

    def chances(self, name: str, known: Mapping[str, bool]) -> dict[str, float]:
        """Where a name leads to in the end, and how likely: CNAMEs are followed."""
        if name not in self._records:
            return {name: 1.0}
        found: dict[str, float] = {}
        for target, chance in self._records[name].chances(known).items():
            for end, further in self.chances(target, known).items():
                found[end] = found.get(end, 0.0) + chance * further
        return found


def weighted(records: Records, weights: Mapping[str, int]) -> Records:
    """The same set with other weights by target."""
    return replace(
        records, answers=tuple(replace(one, weight=weights.get(one.target, one.weight)) for one in records.answers)
    )
