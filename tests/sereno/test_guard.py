"""Each guard, and the reason with which it says no."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from sereno.guard import check_drift, check_mode, check_signal, daily_cost, effective_mode, targets_of
from sereno.model import Call, Mode, Plan, Reason, Signal, Step, Target
from sereno.service import Function, Play, Service, Table

NOON = datetime(2026, 9, 29, 12, 0, tzinfo=UTC)
READ = Target("function", "techmoda-read", "eu-west-1", "123456789012")
SIGNAL = Signal("arn@1", "alarm", "techmoda/read/exhaustion", "exhaustion", "ALARM", "OK", READ, NOON)
SERVICE = Service(
    "techmoda",
    "123456789012",
    ("eu-west-1", "eu-central-1"),
    functions={"read": Function("read", "techmoda-read", tables=("products", "prices"))},
    tables={"products": Table("products", "techmoda-products"), "prices": Table("prices", "techmoda-prices")},
    playbook={"exhaustion": Play("exhaustion", (("raise_concurrency",), ("open_incident",)), Mode.AUTO)},
)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({}, Reason.OK),
        ({"target": replace(READ, region="eu-central-1")}, Reason.OK),
        ({"target": replace(READ, account="999999999999")}, Reason.FOREIGN),
        ({"target": replace(READ, region="us-east-1")}, Reason.FOREIGN),
        ({"what": ""}, Reason.FOREIGN),
        ({"target": Target("unknown", "cart", "eu-west-1", "123456789012")}, Reason.FOREIGN),
        ({"at": NOON - timedelta(minutes=15)}, Reason.OK),
        ({"at": NOON - timedelta(minutes=15, seconds=1)}, Reason.STALE),
        ({"at": NOON + timedelta(minutes=2)}, Reason.OK),
        ({"at": NOON + timedelta(minutes=2, seconds=1)}, Reason.FUTURE),
        ({"at": NOON - timedelta(days=1), "source": "round"}, Reason.OK),
        ({"at": NOON - timedelta(days=1), "source": "escalation"}, Reason.OK),
        ({"at": NOON - timedelta(days=1), "source": "manual"}, Reason.STALE),
        ({"muted": True}, Reason.MUTED),
        ({"state": "OK"}, Reason.NOT_ALARM),
        ({"state": "INSUFFICIENT_DATA"}, Reason.NOT_ALARM),
        ({"what": "latency"}, Reason.NOT_BOUND),
    ],
)
def test_a_signal_is_heard_or_refused_with_its_reason(changed, reason):
    verdict = check_signal(replace(SIGNAL, **changed), SERVICE, "raise_concurrency", NOON)
    assert (verdict.ok, verdict.reason) == (reason is Reason.OK, reason)
    assert verdict.detail


def test_a_remediator_that_the_playbook_does_not_name_is_not_bound():
    verdict = check_signal(SIGNAL, SERVICE, "shift_traffic", NOON)
    assert verdict.reason is Reason.NOT_BOUND
    assert verdict.detail == "the playbook does not bind exhaustion to shift_traffic"


def test_the_first_thing_wrong_is_what_is_told():
    foreign_and_old = replace(SIGNAL, what="", at=NOON - timedelta(hours=1), muted=True)
    assert check_signal(foreign_and_old, SERVICE, "raise_concurrency", NOON).reason is Reason.FOREIGN


@pytest.mark.parametrize(
    ("play", "chosen", "mode", "why"),
    [
        (Mode.AUTO, {}, Mode.AUTO, "from the playbook"),
        (Mode.AUTO, {"raise_concurrency": Mode.OBSERVE}, Mode.OBSERVE, "set by an operator"),
        (Mode.OBSERVE, {"raise_concurrency": Mode.AUTO}, Mode.AUTO, "set by an operator"),
        (Mode.AUTO, {"*": Mode.OFF}, Mode.OFF, "the whole watch is set to off"),
        (Mode.AUTO, {"*": Mode.OBSERVE, "raise_concurrency": Mode.AUTO}, Mode.OBSERVE, "the whole watch"),
        (Mode.OBSERVE, {"*": Mode.AUTO}, Mode.OBSERVE, "from the playbook"),
        (Mode.AUTO, {"open_incident": Mode.OFF}, Mode.AUTO, "from the playbook"),
        (Mode.AUTO, None, Mode.OBSERVE, "could not be read"),
        (Mode.OFF, None, Mode.OFF, "could not be read"),
    ],
)
def test_the_mode_is_the_operators_then_the_playbooks_and_never_more_than_the_whole_watch(play, chosen, mode, why):
    found, said = effective_mode(Play("exhaustion", (("raise_concurrency",),), play), chosen, "raise_concurrency")
    assert found is mode
    assert why in said


@pytest.mark.parametrize("mode", list(Mode))
def test_only_off_refuses(mode):
    assert check_mode(mode, "why").ok is (mode is not Mode.OFF)


def test_drift_names_what_was_found_and_what_was_expected():
    step = Step(Call("lambda", "put"), "", "reserved concurrency", 120, 240)
    assert check_drift(step, {"reserved concurrency": 120}, 120).ok
    verdict = check_drift(step, {"reserved concurrency": 150}, 120)
    assert verdict.reason is Reason.DRIFTED
    assert verdict.detail == "reserved concurrency is 150, expected 120: someone else changed it"
    assert not check_drift(step, {}, 120).ok


def test_a_plan_that_saves_money_costs_nothing():
    assert daily_cost(Plan((), "", monthly_cost=30.0)) == 1.0
    assert daily_cost(Plan((), "", monthly_cost=-30.0)) == 0.0


def test_an_incident_is_a_target_of_its_own_for_each_symptom():
    assert targets_of("function", SIGNAL, SERVICE) == (READ,)
    (incident,) = targets_of("incident", SIGNAL, SERVICE)
    assert incident.key == "123456789012/eu-west-1/incident/techmoda/read/exhaustion"


def test_a_functions_signal_leads_to_the_tables_behind_it():
    tables = targets_of("table", SIGNAL, SERVICE)
    assert [(one.kind, one.name) for one in tables] == [("table", "techmoda-products"), ("table", "techmoda-prices")]
    (account,) = targets_of("account", SIGNAL, SERVICE)
    assert account.key == "123456789012/eu-west-1/account/123456789012"


def test_a_tables_signal_never_leads_back_to_functions():
    starved = replace(SIGNAL, target=Target("table", "techmoda-products", "eu-west-1", "123456789012"))
    assert targets_of("function", starved, SERVICE) == ()
    assert targets_of("table", starved, SERVICE) == (starved.target,)
