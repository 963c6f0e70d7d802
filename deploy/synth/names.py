"""What the resources of a watch are called. One place: IAM, the packs and the dashboards rely on these names."""

from __future__ import annotations

import hashlib
import re

from sereno.partition import partition
from sereno.service import Service

_MARKS = re.compile(r"[^A-Za-z0-9]+")


def function(service: Service, remediator: str) -> str:
    """The function of a remediator, at most 64 characters (Lambda's limit): a longer one ends in a hash."""
    name = f"sereno-{service.name}-{remediator.replace('_', '-')}"
    if len(name) <= 64:
        return name
    return f"{name[:55]}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def stack(service: Service) -> str:
    """The stack of a watch."""
    return f"sereno-{service.name}"


def fis_stack(service: Service) -> str:
    """The stack of the rehearsals that AWS Fault Injection Service plays."""
    return f"sereno-{service.name}-fis"


def round_function(service: Service) -> str:
    """The function of the round."""
    return f"sereno-{service.name}-round"


def ledger(service: Service) -> str:
    """The ledger table."""
    return f"sereno-{service.name}-ledger"


def topic(service: Service) -> str:
    """The topic of what remediators and incidents do, for machines."""
    return f"sereno-{service.name}"


def people(service: Service) -> str:
    """The topic to which people subscribe."""
    return f"sereno-{service.name}-people"


def notices(service: Service) -> str:
    """The queue of what people are still to be told."""
    return f"sereno-{service.name}-notices"


def notices_dead(service: Service) -> str:
    """The queue of what people could not be told."""
    return f"sereno-{service.name}-notices-dead"


def notifier(service: Service) -> str:
    """The function of the notifier."""
    return f"sereno-{service.name}-notifier"


def actions(service: Service) -> str:
    """The function behind Slack's buttons."""
    return f"sereno-{service.name}-actions"


def prober(service: Service) -> str:
    """The function that tries the regions."""
    return f"sereno-{service.name}-prober"


def prober_rule(service: Service) -> str:
    """The rule that starts it each minute."""
    return f"sereno-{service.name}-prober-minute"


def vault(service: Service) -> str:
    """The vault of backups, the same in each region."""
    return f"sereno-{service.name}"


def self_test_rule(service: Service, number: int) -> str:
    """The n-th rule of the self-tests."""
    return f"sereno-{service.name}-self-test-{number}"


def digest_rule(service: Service) -> str:
    """The rule on which digests are told."""
    return f"sereno-{service.name}-digest"


def dead_letters(service: Service) -> str:
    """The queue of events that nobody could take."""
    return f"sereno-{service.name}-dlq"


def widget(service: Service) -> str:
    """The function behind the dashboards' custom widgets."""
    return f"sereno-{service.name}-widget"


def dashboard(service: Service) -> str:
    """The overview in CloudWatch; the other dashboards' names begin with it. They are the account's, not a region's,
    so those of another region than the first say which."""
    if service.recovery is None or service.region == service.recovery.primary:
        return f"sereno-{service.name}"
    return f"sereno-{service.name}-{service.region}"


def rule(service: Service, remediator: str, number: int) -> str:
    """The n-th rule of a remediator, at most 64 characters (EventBridge's limit)."""
    suffix = f"-{number}"
    return function(service, remediator)[: 64 - len(suffix)] + suffix


def rule_arn(service: Service, name: str) -> str:
    """The ARN of a rule on the default bus, the only one that service events reach."""
    return f"arn:{partition(service.region)}:events:{service.region}:{service.account}:rule/{name}"


def logical(prefix: str, name: str) -> str:
    """A logical id: letters and digits only, at most 255. A hash keeps names apart that differ in marks alone."""
    words = "".join([part[:1].upper() + part[1:] for part in _MARKS.split(name)])
    return f"{prefix}{words[:160]}{hashlib.sha256(name.encode()).hexdigest()[:6]}"
