"""Where the watch of a service stands: a stack in each of its regions, and the order in which they come and go. Pure.

They are deployed the standby first, then the witness, then the first region. The other two leave word in the
standby's ledger and copy backups to its vault, so it must be there before them; and the first region serves, so what
is wrong with a version shows where nobody is served, and the deployment ends there. They are taken away the other way
round: as long as anything stands that could need the switch, the switch stands.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from deploy import config
from deploy.config_checks import nearest
from sereno.errors import InvalidInput, Problem
from sereno.model import Json
from sereno.service import Service

FIRST, STANDBY, WITNESS = "first", "standby", "witness"
# https://docs.aws.amazon.com/kms/latest/developerguide/multi-region-keys-overview.html
_MULTI_REGION = "key/mrk-"


@dataclass(frozen=True, slots=True)
class Place:
    """The watch of one region: the service and its configuration as that region has them, and what the region is to
    the service (empty where there is but one)."""

    service: Service
    compiled: Json
    role: str = ""

    @property
    def region(self) -> str:
        """Its region."""
        return self.service.region

    def __str__(self) -> str:
        return f"{self.region} ({self.role})" if self.role else self.region


def of(compiled: Json, region: str | None = None) -> tuple[Place, ...]:
    """Every place in the order of deploying, or the one in this region. Raises InvalidInput for a region in which the
    service has no watch."""
    found = [_place(one) for one in config.watches(compiled)]
    order = {STANDBY: 0, WITNESS: 1}
    found.sort(key=lambda one: order.get(one.role, len(order)))
    chosen = tuple(one for one in found if region in (None, one.region))
    if not chosen:
        known = [one.region for one in found]
        mend = f"is no region of {found[0].service.name} ({', '.join(known)}){nearest(str(region), known)}"
        raise InvalidInput("sereno", [Problem("--region", region, mend)])
    return chosen


def _place(compiled: Json) -> Place:
    service = Service.from_json(compiled)
    recovery = service.recovery
    if recovery is None:
        return Place(service, compiled)
    role = {recovery.standby: STANDBY, recovery.witness: WITNESS}.get(service.region, FIRST)
    return Place(service, compiled, role)


def check_bucket(places: Sequence[Place], bucket: str | None) -> None:
    """Lambda takes code from its own region only, so a bucket serves one. Raises InvalidInput.
    https://docs.aws.amazon.com/lambda/latest/api/API_FunctionCode.html"""
    if bucket is not None and len(places) > 1:
        mend = (
            f"lies in one region, and the watch stands in {len(places)} (leave it out: deploy makes one in each; or "
            "deploy one after the other: --region)"
        )
        raise InvalidInput("sereno deploy", [Problem("--bucket", bucket, mend)])


def key_in(place: Place, arn: str) -> str:
    """The customer key as this region has it: a multi-Region key has the same id in each. Raises InvalidInput for one
    that another region cannot use."""
    parts = arn.split(":")
    if len(parts) != 6 or parts[3] == place.region:
        return arn
    if not parts[5].startswith(_MULTI_REGION):
        mend = (
            f"lies in {parts[3]}, and {place} cannot use it (give a multi-Region key that is replicated there, or "
            "each region its own: --region)"
        )
        raise InvalidInput("sereno deploy", [Problem("--kms-key", arn, mend)])
    return ":".join([*parts[:3], place.region, *parts[4:]])
