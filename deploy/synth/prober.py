"""The function that tries the regions, and the minute that starts it."""

from __future__ import annotations

from collections.abc import Mapping

from deploy import iam
from deploy.synth import functions, names, rules, store
from deploy.synth.functions import Code
from sereno.model import Json
from sereno.partition import partition
from sereno.ports import Permission, Remediator
from sereno.service import REGION_OUT, Recovery, Service

# Twelve tries, and the time to move traffic after the last.
TIMEOUT_S = 70
# It tries for most of a minute; the next minute's run follows it, never beside it.
CONCURRENCY = 1
# It runs nearly all the time and mostly waits: here memory is money, and a cold start comes once in hours.
MEMORY_MB = 256
# A run that is late is worth nothing: the next one comes.
RETRY: Json = {"MaximumEventAgeInSeconds": 60, "MaximumRetryAttempts": 0}
FAIL_OVER = "fail_over"
_MINUTE: Json = {"ScheduleExpression": "rate(1 minute)", "Description": "The regions are tried, every five seconds"}


def has(service: Service) -> bool:
    """Whether a prober runs in this region: the first, the standby, the witness."""
    return service.recovery is not None and service.region in _places(service.recovery)


def _places(recovery: Recovery) -> tuple[str, ...]:
    return (recovery.primary, recovery.standby, recovery.witness)


def of(service: Service, remediators: Mapping[str, Remediator]) -> Code:
    """The prober of this region. Raises ValueError where none runs."""
    recovery = service.recovery
    if recovery is None or not has(service):
        raise ValueError(f"{service.name} has no prober in {service.region}")
    alone = service.region == recovery.witness
    return Code(
        id="Prober",
        name=names.prober(service),
        description="Tries the regions every five seconds, as a customer would, and says what it saw",
        handler="remediators.prober.handler",
        environment=_alone(service) if alone else {},
        timeout_s=TIMEOUT_S,
        concurrency=CONCURRENCY,
        max_age_s=60,
        retries=0,
        permissions=_permissions(service, recovery, remediators),
        keeps_failures=not alone,
        memory_mb=MEMORY_MB,
    )


def _alone(service: Service) -> Json:
    """In the witness region there is neither a ledger nor a topic: it tells the standby's ledger alone."""
    return {"SERENO_LEDGER": names.ledger(service), "SERENO_TOPIC": {"Ref": "People"}}


def _permissions(
    service: Service, recovery: Recovery, remediators: Mapping[str, Remediator]
) -> tuple[Permission, ...]:
    from remediators import prober  # only where there is a second region

    traced = tuple(one for one in iam.COMMON if one.operation.startswith("xray."))
    if service.region == recovery.witness:
        return (*prober.WITNESS, *traced)
    if service.region == recovery.primary:
        failures = tuple(one for one in iam.COMMON if one.operation == "sqs.send_message")
        return (*prober.PRIMARY, *failures, *traced)
    play = service.playbook.get(REGION_OUT)
    # It starts this one by itself, and no other.
    own = remediators[FAIL_OVER].permissions if play and FAIL_OVER in play.first else ()
    return (*prober.STANDBY, *own, *iam.COMMON)


def resources(service: Service, remediators: Mapping[str, Remediator]) -> Json:
    """The function and its minute; nothing where no prober runs."""
    if not has(service):
        return {}
    code = of(service, remediators)
    found = functions.resources(service, code)
    found |= rules.to_function(
        names.prober_rule(service), code.id, _MINUTE, RETRY, keeps_failures=code.keeps_failures
    )
    recovery = service.recovery
    if recovery is not None and service.region != recovery.standby:
        _statements(found).append(store.if_key(_key_of_the_standby(service, recovery)))
    return found


def _statements(found: Json) -> list[Json]:
    statements: list[Json] = found["ProberRole"]["Properties"]["Policies"][0]["PolicyDocument"]["Statement"]
    return statements


def _key_of_the_standby(service: Service, recovery: Recovery) -> Json:
    """The standby's ledger is encrypted with a key of its own region. A multi-Region key has the same id there.
    https://docs.aws.amazon.com/kms/latest/developerguide/multi-region-keys-overview.html"""
    place = f"arn:{partition(recovery.standby)}:kms:{recovery.standby}:{service.account}"
    return {
        "Sid": "KeyOfTheStandby",
        "Effect": "Allow",
        "Action": ["kms:Decrypt"],
        "Resource": {"Fn::Join": [":", [place, {"Fn::Select": [5, {"Fn::Split": [":", store.KEY]}]}]]},
    }
