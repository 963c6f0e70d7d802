"""Alarms of a service with a second region: is it ready, is its data near, does somebody look?

Their names begin with `sereno-<service>/`, which no rule of the service matches: they tell people, and what moves
traffic is not an alarm but what the witnesses agree on. Each region's watch has those that its own metrics tell.
"""

from __future__ import annotations

from typing import Any

from alarms.lateness import points, silent_points
from alarms.packs.watchman import own_alarm, silence
from alarms.spec import AlarmSpec, AnySpec, dimensions
from sereno.service import Recovery, Service, Table

NEAR = 0.5  # of the promised recovery point
SUSPECTED = 0.5  # of a minute's tries


def alarms(service: Service) -> list[AnySpec]:
    """The alarms of this region; none without a second one."""
    recovery = service.recovery
    if recovery is None:
        return []
    if service.region == recovery.primary:
        return [probe_silent(service), *(lag(service, recovery, one) for one in service.tables.values())]
    if service.region == recovery.standby:
        return _of_standby(service, recovery)
    return [probe_silent(service)] if service.region == recovery.witness else []


def _of_standby(service: Service, recovery: Recovery) -> list[AnySpec]:
    found: list[AnySpec] = [
        probe_silent(service),
        ready(service),
        parity(service),
        suspected(service, recovery),
        recovered_late(service),
    ]
    if recovery.canary:
        found += [behind(service, "rpo-near", "ticket", NEAR), behind(service, "rpo", "page", 1)]
    if recovery.bucket:
        found.append(unreadable(service))
    if recovery.strategy == "metric-switch":
        found += [switched(service), not_held(service)]
    return found


def probe_silent(service: Service) -> AlarmSpec:
    """Nobody looks any more."""
    return _alarm(
        service,
        "prober",
        "probe-silent",
        "page",
        f"The prober in {service.region} has not completed for two minutes. A minute without a datapoint counts as "
        "0, and three minutes more are looked at, because metrics come late; it is first evaluated ten minutes after "
        "its creation. Two probe locations must agree that a region is out: without one of them, nothing moves "
        "traffic but the health check itself.",
        period=None,
        namespace=None,
        metrics=silence("Sereno", "ProbeCompleted", service),
        comparison_operator="LessThanThreshold",
        threshold=1.0,
        evaluation_periods=silent_points(2),
        datapoints_to_alarm=silent_points(2),
        treat_missing_data="breaching",
        warm_up_minutes=10,
    )


def lag(service: Service, recovery: Recovery, table: Table) -> AlarmSpec:
    """DynamoDB itself says how far the other region is behind."""
    threshold = round(NEAR * service.objectives.rpo_s * 1000, 6)
    return _alarm(
        service,
        table.key,
        "replication-lag",
        "ticket",
        f"What is written to {table.name} reaches {recovery.standby} after {threshold / 1000:g} s or more, in two of "
        f"three periods of five minutes: half of the promised {service.objectives.rpo_s} s. DynamoDB publishes it "
        "each five minutes, and only while something is replicated; a replication that has stopped altogether is "
        "seen by the canary.",
        namespace="AWS/DynamoDB",
        metric_name="ReplicationLatency",
        dimensions=dimensions({"TableName": table.name, "ReceivingRegion": recovery.standby}),
        statistic="Average",
        period=300,
        threshold=threshold,
        evaluation_periods=3,
        datapoints_to_alarm=2,
    )


def behind(service: Service, what: str, severity: str, share: float) -> AlarmSpec:
    """So much would be lost now."""
    threshold = share * service.objectives.rpo_s
    told = "all of it" if share >= 1 else f"{share:.0%} of it"
    return _alarm(
        service,
        "data",
        what,
        severity,
        f"Were the first region lost now, the writes of the last {threshold:g} s or more would be lost with it; "
        f"promised are {service.objectives.rpo_s} s, and this is {told}. Measured by an item that is written there "
        "and read here, in three of seven minutes.",
        metric_name="RpoNow",
        dimensions=dimensions({"service": service.name}),
        statistic="Maximum",
        threshold=float(threshold),
        evaluation_periods=points(3),
        datapoints_to_alarm=3,
    )


def ready(service: Service) -> AlarmSpec:
    """The standby could not take over."""
    return _alarm(
        service,
        "standby",
        "standby-ready",
        "ticket",
        f"In each of five minutes {service.region} could not have taken over: it did not answer its own prober, or "
        "its data was further behind than promised. Silence counts as not ready.",
        metric_name="StandbyReady",
        dimensions=dimensions({"service": service.name}),
        statistic="Minimum",
        comparison_operator="LessThanThreshold",
        threshold=1.0,
        evaluation_periods=5,
        datapoints_to_alarm=5,
        treat_missing_data="breaching",
        warm_up_minutes=10,
    )


def parity(service: Service) -> AlarmSpec:
    """The standby is smaller than what was declared."""
    return _alarm(
        service,
        "standby",
        "parity",
        "ticket",
        f"In three looks (one every five minutes) something in {service.region} was missing or smaller than was "
        "declared: a function's reserved concurrency, the account's quota, a table's capacity, its "
        "point-in-time recovery, the copy of its backup, or an event source mapping. The standby would take over "
        "all the same, and bear less; "
        "`sereno dr status` names it.",
        metric_name="ParityMissing",
        dimensions=dimensions({"service": service.name}),
        statistic="Maximum",
        period=300,
        threshold=1.0,
        evaluation_periods=3,
        datapoints_to_alarm=3,
    )


def recovered_late(service: Service) -> AlarmSpec:
    """The last move took longer than was promised."""
    return _alarm(
        service,
        "region",
        "rto",
        "ticket",
        f"Customers were moved to {service.region}, and had gone without for longer than the promised "
        f"{service.objectives.rto_s} s: from the first failing try of the first region to the first answer of this "
        "one under their name. `sereno dr status` has the figure of the last move.",
        metric_name="RecoveryTime",
        dimensions=dimensions({"service": service.name}),
        statistic="Maximum",
        threshold=float(service.objectives.rto_s),
        evaluation_periods=points(1),
        datapoints_to_alarm=1,
    )


def suspected(service: Service, recovery: Recovery) -> AlarmSpec:
    """From here the first region does not answer: a reason to look, not yet to move."""
    where = {"service": service.name, "region": recovery.primary, "from": "standby"}
    return _alarm(
        service,
        "region",
        "region-suspected",
        "page",
        f"More than half of a minute's tries of {recovery.primary} from {service.region} failed. Traffic is moved "
        "when a second vantage says the same; this alarm is for people, and moves nothing.",
        metric_name="Availability",
        dimensions=dimensions(where),
        statistic="Average",
        comparison_operator="LessThanThreshold",
        threshold=SUSPECTED,
        evaluation_periods=points(1),
        datapoints_to_alarm=1,
    )


def unreadable(service: Service) -> AlarmSpec:
    """What hides the public object that is always there would hide the switch. Of a prober that is silent
    `probe-silent` tells, so silence is no finding here."""
    return _alarm(
        service,
        "switch",
        "switch-readable",
        "page",
        "For three minutes at least one probe location could not read the public object beside the switch, which it "
        "reads without credentials as Route 53's health checkers do: S3 Block Public Access was turned on, the "
        "bucket's policy was changed, or the bucket is gone. A failover would write the switch, and Route 53 would "
        "not see it. Traffic stays where it is; only the health check of the first Region still moves it.",
        metric_name="SwitchReadable",
        dimensions=dimensions({"service": service.name}),
        statistic="Maximum",
        comparison_operator="LessThanThreshold",
        threshold=1.0,
        evaluation_periods=points(3),
        datapoints_to_alarm=3,
    )


def switched(service: Service) -> AlarmSpec:
    """What the health check of a metric switch reads. It keeps its state in silence, as the switch does."""
    return _alarm(
        service,
        "switch",
        "primary-out",
        "info",
        "The switch is set: customers are sent to the standby. A health check of Route 53 reads this alarm's metric.",
        metric_name="PrimaryOut",
        dimensions=dimensions({"service": service.name}),
        statistic="Maximum",
        threshold=1.0,
        evaluation_periods=1,
        datapoints_to_alarm=1,
        treat_missing_data="ignore",
    )


def not_held(service: Service) -> AlarmSpec:
    """What the health check of a metric switch's hold reads: OK while the hold is set. Its silence is no hold."""
    return _alarm(
        service,
        "switch",
        "not-held",
        "info",
        "Nothing holds customers in the standby: were it lost, Route 53 would send them back to the first region. "
        "That is the usual state, so this alarm is in ALARM nearly always; it is OK between a failover and the "
        "moment at which the first region is well again. A health check of Route 53 reads its metric.",
        metric_name="PrimaryHeld",
        dimensions=dimensions({"service": service.name}),
        statistic="Maximum",
        comparison_operator="LessThanThreshold",
        threshold=1.0,
        evaluation_periods=1,
        datapoints_to_alarm=1,
        treat_missing_data="missing",
    )


def _alarm(service: Service, part: str, what: str, severity: str, description: str, **changed: Any) -> AlarmSpec:
    """An alarm on a metric of Sereno's own, unless another is named."""
    return own_alarm(service, part, what, severity, description, what, **({"namespace": "Sereno"} | changed))
