"""The stack of the witness region: one function that tries the first region, and those who hear when it falls silent.

It has no ledger and no remediator. A region that watches another must not fall with it, and what is not there cannot
fail.
"""

from __future__ import annotations

from alarms.packs import regions
from deploy.synth import alarm, notify, prober
from sereno.model import Json
from sereno.service import Service


def is_witness(service: Service) -> bool:
    """Whether this region only looks."""
    return service.recovery is not None and service.region == service.recovery.witness


def resources(service: Service) -> Json:
    """All that there is in this region."""
    return {
        **prober.resources(service, {}),
        **notify.topic_of_people(service),
        **notify.emails(service),
        **alarm.resources(service, [regions.probe_silent(service)]),
    }
