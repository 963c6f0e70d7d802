"""What hangs together is one symptom, and how far an incident is follows from what is red and what is in force."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sereno.incident import QUIET, Incident, Stage, group_of, loudest, severity, stage_of
from sereno.lifecycle import Remediation
from sereno.model import Call, Plan, Signal, Status, Step, Target
from sereno.service import Api, Function, Service, Table

NOON = datetime(2026, 9, 29, 12, 0, tzinfo=UTC)
READ = Target("function", "shop-read", "eu-west-1", "123456789012")
SIGNAL = Signal("s", "cloudwatch", "shop/read/throttles", "throttles", "ALARM", "OK", READ, NOON)
INCIDENT = Incident("incident-1", "shop", "shop/read", "shop-read: throttles", NOON, alarms=("shop/read/throttles",))


def shop(**resources):
    functions = {
        "read": Function("read", "shop-read", tables=("products",)),
        "write": Function("write", "shop-write", tables=("products",)),
        "mail": Function("mail", "shop-mail"),
    }
    tables = {"products": Table("products", "shop-products"), "audit": Table("audit", "shop-audit")}
    return Service("shop", "123456789012", ("eu-west-1",), **{"functions": functions, "tables": tables, **resources})


def remediation(status):
    return Remediation(f"r-{status}", "raise_concurrency", SIGNAL, READ, NOON, status=status)


@pytest.mark.parametrize(
    ("kind", "name", "group", "why"),
    [
        ("function", "shop-read", "shop/products", "read hangs together with products, write"),
        ("table", "shop-products", "shop/products", "products hangs together with read, write"),
        ("function", "shop-mail", "shop/mail", "mail stands alone in shop"),
        ("table", "shop-audit", "shop/audit", "audit stands alone in shop"),
        ("service", "shop", "shop", "shop is about shop as a whole"),
        ("account", "123456789012", "shop", "123456789012 is about shop as a whole"),
    ],
)
def test_without_an_api_functions_hang_together_by_their_tables(kind, name, group, why):
    assert group_of(shop(), Target(kind, name, "eu-west-1", "123456789012")) == (group, why)


def test_an_api_ties_its_functions_together_and_a_service_of_one_part_is_that_part():
    service = shop(
        apis={"web": Api("web", "shop-web", "prod")}, tables={"products": Table("products", "shop-products")}
    )
    for target in (service.target(key) for key in ("read", "mail", "products", "web", "shop")):
        assert group_of(service, target)[0] == "shop/mail"


@pytest.mark.parametrize(
    ("statuses", "red", "quiet_min", "owner", "stage"),
    [
        ([Status.CLAIMED], True, None, "", Stage.OPEN),
        ([Status.VERIFYING], True, None, "", Stage.OPEN),
        ([Status.VERIFYING], True, None, "ana", Stage.ACKNOWLEDGED),
        ([Status.HOLDING], False, None, "", Stage.MITIGATED),
        ([Status.HOLDING], False, 60, "", Stage.MITIGATED),  # however quiet: the change is still in force
        ([Status.HOLDING], True, None, "", Stage.OPEN),  # red on the old limit
        ([Status.REVERTED], False, 2, "", Stage.OPEN),
        ([Status.REVERTED], False, 3, "", Stage.RESOLVED),
        ([Status.REVERTED, Status.AWAITING_APPROVAL], False, 30, "", Stage.OPEN),
        ([Status.ESCALATED], False, 3, "ana", Stage.RESOLVED),
        ([Status.ESCALATED], True, None, "ana", Stage.ACKNOWLEDGED),
        ([], False, 3, "", Stage.RESOLVED),
    ],
)
def test_how_far_it_is_follows_from_what_is_red_and_what_is_in_force(statuses, red, quiet_min, owner, stage):
    since = None if quiet_min is None else NOON - timedelta(minutes=quiet_min)
    incident = replace(INCIDENT, quiet_since=since, owner=owner)
    names = {"shop/read/throttles"} if red else {"shop/mail/errors"}
    assert stage_of(incident, [remediation(one) for one in statuses], names, NOON)[0] is stage


@pytest.mark.parametrize(("steps_done", "stage"), [(1, Stage.MITIGATED), (0, Stage.RESOLVED)])
def test_an_incident_is_not_resolved_while_an_escalated_change_is_active(steps_done, stage):
    call = Call("lambda", "put_function_concurrency", {})
    plan = Plan((Step(call, "w", "reserved concurrency", 120, 240, call),), "r")
    member = replace(remediation(Status.ESCALATED), plan=plan, steps_done=steps_done)
    assert stage_of(replace(INCIDENT, quiet_since=NOON), [member], (), NOON + timedelta(days=3))[0] is stage


def test_quiet_begins_when_the_last_alarm_clears_and_ends_when_one_comes_back():
    assert stage_of(INCIDENT, [], (), NOON)[1] == NOON
    quiet = replace(INCIDENT, quiet_since=NOON)
    assert stage_of(quiet, [], (), NOON + QUIET)[1] == NOON
    assert stage_of(quiet, [], ["shop/read/throttles"], NOON)[1] is None


STATUSES = st.lists(st.sampled_from(sorted(Status)), max_size=5)


@given(STATUSES, st.booleans(), st.none() | st.integers(0, 600))
def test_nothing_is_resolved_while_anything_is_red_at_work_or_in_force(statuses, red, quiet_s):
    since = None if quiet_s is None else NOON - timedelta(seconds=quiet_s)
    members = [remediation(one) for one in statuses]
    stage, _ = stage_of(replace(INCIDENT, quiet_since=since), members, INCIDENT.alarms if red else (), NOON)
    if stage is Stage.RESOLVED:
        assert not red
        assert all(one.ended and not one.active for one in members)
    if stage is Stage.MITIGATED:
        assert not red


def test_how_loud_a_remediation_is():
    assert severity(remediation(Status.ESCALATED)) == severity(remediation(Status.AWAITING_APPROVAL)) == "page"
    assert severity(remediation(Status.SKIPPED)) == "ticket"
    assert severity(remediation(Status.REVERTED)) == "info"
    assert loudest([remediation(Status.HOLDING), remediation(Status.FAILED)]) == "page"
    assert loudest([]) == "info"
