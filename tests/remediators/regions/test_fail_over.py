"""Failing over: decided in the standby, by two vantages, with calls to the standby alone."""

from __future__ import annotations

from dataclasses import replace

import pytest
from botocore.exceptions import EndpointConnectionError

from remediators import evidence, prober
from remediators import round as rounds
from remediators.evidence import Ask
from sereno import recovery
from sereno.model import Mode, Reason, Status
from sereno.recovery import Witness
from sereno.service import REGION_BACK, REGION_OUT, Approvals
from tests.remediators.regions.conftest import PRIMARY, STANDBY, WITNESS, FakeEyes, Regions


def failovers(regions: Regions):
    return [one for one in regions.all() if one.remediator == "fail_over"]


def test_a_region_that_is_dark_is_left_within_half_a_minute(regions: Regions):
    regions.tries(60)
    assert not regions.all()
    regions.world.down[PRIMARY] = "no answer"
    began = regions.clock.now()
    regions.tries(35)
    assert regions.switched
    (one,) = failovers(regions)
    assert (one.created - began).total_seconds() <= 30
    assert one.plan is not None
    assert "out by 2 vantages" in one.plan.reason
    assert "its heartbeat is silent" in one.plan.reason


def test_nothing_is_asked_of_the_primary_of_iam_or_of_route_53(regions: Regions):
    def forbidden(service: str, operation: str, region: str) -> BaseException | None:
        if region == PRIMARY or service in ("iam", "route53"):
            return EndpointConnectionError(endpoint_url=f"{service}.{operation} in {region}")
        return None

    regions.tries(60)
    for region in (STANDBY, WITNESS):
        regions.called[region].before = forbidden
        regions.called[region].calls.clear()
    regions.world.down[PRIMARY] = "no answer"
    regions.tries(300)
    (one,) = failovers(regions)
    assert one.status is Status.HOLDING
    asked = {(service, region) for place in (STANDBY, WITNESS) for service, _, region in regions.called[place].calls}
    assert {region for _, region in asked} == {STANDBY}
    assert not {service for service, _ in asked} & {"iam", "route53"}


def test_it_is_held_until_a_person_fails_back(regions: Regions):
    regions.tries(60)
    regions.world.down[PRIMARY] = "no answer"
    regions.tries(300)
    regions.world.down.clear()
    regions.tries(700)
    (one,) = failovers(regions)
    assert one.status is Status.HOLDING
    assert regions.switched
    assert regions.world.serving == STANDBY


def test_regions_that_cannot_see_each_other_move_nothing(regions: Regions):
    regions.tries(60)
    regions.world.unseen |= {(STANDBY, PRIMARY), (PRIMARY, STANDBY)}

    def cut(_service: str, _operation: str, region: str) -> BaseException | None:
        return EndpointConnectionError(endpoint_url=region) if region == STANDBY else None

    regions.called[PRIMARY].before = cut
    regions.tries(600)
    assert not regions.switched
    assert not regions.all()


def test_one_witness_alone_moves_nothing(regions: Regions):
    regions.tries(60)
    regions.dead.add(WITNESS)
    regions.world.unseen.add((STANDBY, PRIMARY))
    regions.tries(600)
    assert not regions.switched


def test_a_standby_that_does_not_serve_takes_nothing_over_and_a_person_hears_of_it(regions: Regions):
    regions.tries(60)
    regions.world.down |= {PRIMARY: "no answer"}
    regions.world.unseen.add((STANDBY, STANDBY))
    regions.tries(60)
    assert not regions.switched
    assert {one.reason for one in failovers(regions)} == {Reason.STANDBY_NOT_READY}
    regions.world.unseen.clear()
    regions.tries(60)
    assert regions.switched, "what was refused is tried again"


def test_data_that_is_further_behind_than_promised_is_a_persons_decision(regions: Regions):
    regions.tries(60)
    rows = regions.real[STANDBY].client("dynamodb")
    late = int((regions.clock.now().timestamp() - 2000) * 1000)
    rows.put_item(TableName="techmoda-products", Item={"id": {"S": prober.CANARY}, "written_ms": {"N": str(late)}})
    prober.try_once(regions.standby, FakeEyes(regions.world, STANDBY))
    regions.world.down[PRIMARY] = "no answer"
    regions.tries(60)
    assert not regions.switched
    assert failovers(regions)[0].reason is Reason.STANDBY_NOT_READY


def test_how_long_customers_had_gone_without_is_kept_and_published_once(regions: Regions):
    regions.tries(60)
    began = regions.clock.now()
    regions.world.down[PRIMARY] = "no answer"
    regions.tries(300)
    moved = evidence.of(regions.real[STANDBY], regions.standby.service).moved
    assert moved is not None
    assert moved.took_s == (moved.at - began).total_seconds() - 5, "from the first try that failed"
    assert [one for one in regions.told.counts if one[0] == "RecoveryTime"] == [("RecoveryTime", moved.took_s, {})]


def test_a_planned_move_is_no_recovery(regions: Regions):
    regions.tries(60)
    regions.world.serving = STANDBY
    regions.tries(60)
    assert regions.evidence().serving == STANDBY
    assert evidence.of(regions.real[STANDBY], regions.standby.service).moved is None


def test_the_delay_stays_what_it_was_when_the_primary_fell_silent(regions: Regions):
    regions.tries(60)
    before = regions.evidence().lag_s
    regions.world.down[PRIMARY] = "no answer"
    regions.tries(600)
    assert regions.evidence().lag_s == before


def test_the_delay_grows_while_only_the_line_between_the_regions_is_cut(regions: Regions):
    """Customers go on writing there, and none of it comes here. A true outage after that must not look harmless."""
    regions.tries(60)
    regions.world.unseen.add((STANDBY, PRIMARY))
    regions.dead.add(PRIMARY)  # its prober runs, and no word of it comes here
    regions.tries(1000)
    assert (regions.evidence().lag_s or 0) > 900
    regions.world.down[PRIMARY] = "no answer"
    regions.tries(120)
    assert not regions.switched
    assert failovers(regions)[0].reason is Reason.STANDBY_NOT_READY


def test_the_delay_stays_what_it_was_while_only_the_primarys_prober_is_dead(regions: Regions):
    regions.tries(60)
    before = regions.evidence().lag_s
    regions.dead.add(PRIMARY)
    regions.tries(1000)
    assert regions.evidence().lag_s == before
    regions.world.down[PRIMARY] = "no answer"
    regions.tries(120)
    assert regions.switched


def test_an_outage_that_nobody_has_seen_since_is_no_longer_confirmed_by_time(regions: Regions):
    """The prober dies right after the fourth failing try; the round alone has nothing new to go by."""
    regions.tries(60)
    regions.world.down[PRIMARY] = "no answer"
    regions.tries(20)
    assert not regions.switched
    regions.world.down.clear()
    regions.dead |= {PRIMARY, WITNESS}
    for _ in range(12):
        regions.clock.forward(5)
        rounds.make(regions.standby)
    assert not regions.switched


def test_who_decides_and_who_plans_judge_the_same_moment(regions: Regions):
    """Time passes between a try and its plan: it must not confirm an outage for the one and not for the other."""
    regions.tries(60)
    regions.world.down[PRIMARY] = "no answer"
    regions.tries(25)
    known = regions.evidence()
    assert not recovery.confirmed_out(known, known.at, 10).ok
    regions.clock.forward(8)
    assert recovery.confirmed_out(known, regions.clock.now(), 10).ok
    assert not prober.answer(regions.standby, known)
    assert failovers(regions) == []


def test_the_round_answers_when_the_prober_could_not(regions: Regions, monkeypatch):
    monkeypatch.setattr(prober, "answer", lambda *_: False)
    regions.tries(60)
    regions.world.down[PRIMARY] = "no answer"
    regions.tries(60)
    assert regions.switched


@pytest.mark.parametrize("mode", [Mode.OBSERVE, Mode.APPROVE, Mode.OFF])
def test_the_mode_is_respected(regions: Regions, mode: Mode):
    service = regions.standby.service
    plays = {**service.playbook, REGION_OUT: replace(service.playbook[REGION_OUT], mode=mode)}
    regions.watches[STANDBY] = replace(regions.standby, service=replace(service, playbook=plays))
    regions.tries(60)
    regions.world.down[PRIMARY] = "no answer"
    regions.tries(60)
    assert not regions.switched
    expected = {Mode.OBSERVE: Status.OBSERVED, Mode.APPROVE: Status.AWAITING_APPROVAL, Mode.OFF: Status.SKIPPED}
    assert failovers(regions)[0].status is expected[mode]
    assert not [one for one in failovers(regions) if one.steps_done]


def ask(regions: Regions, what: str = REGION_OUT) -> None:
    asked = Ask(what, "ana", regions.clock.now())
    evidence.ask(regions.real[STANDBY].client("dynamodb"), regions.standby.service, asked)


def in_mode(regions: Regions, mode: Mode, **changes: object) -> None:
    service = regions.standby.service
    plays = {**service.playbook, REGION_OUT: replace(service.playbook[REGION_OUT], mode=mode)}
    regions.watches[STANDBY] = replace(regions.standby, service=replace(service, playbook=plays, **changes))


@pytest.mark.parametrize("mode", [Mode.OBSERVE, Mode.APPROVE, Mode.AUTO])
def test_a_person_who_asks_is_heard_at_once_and_once(regions: Regions, mode: Mode):
    in_mode(regions, mode)
    regions.tries(60)
    ask(regions)
    regions.tries(5)
    assert regions.switched
    regions.tries(300)
    (one,) = failovers(regions)
    assert one.status is Status.HOLDING
    assert not evidence.of(regions.real[STANDBY], regions.standby.service).asks


def test_with_weights_a_person_moves_traffic_by_the_records_and_back(regions: Regions):
    """The executor's bounds let nothing through that the remediator does not declare."""
    regions.on(strategy="weighted", bucket="", zone=regions.zone)
    regions.tries(60)
    regions.world.down[PRIMARY] = "no answer"
    regions.tries(60)
    assert regions.share() == 100, "records need Route 53's control plane, so nothing moves by itself"
    regions.world.down.clear()
    regions.tries(60)
    ask(regions)
    regions.tries(5)
    assert regions.share() == 0
    regions.tries(300)
    assert failovers(regions)[-1].status is Status.HOLDING
    regions.tries(120)
    ask(regions, REGION_BACK)
    regions.tries(900)
    assert regions.share() == 100
    regions.tries(300)
    assert failovers(regions)[-1].status is Status.REVERTED


def test_what_is_off_stays_off_whoever_asks(regions: Regions):
    in_mode(regions, Mode.OFF)
    regions.tries(60)
    ask(regions)
    regions.tries(60)
    assert not regions.switched


def test_where_two_must_agree_another_is_asked(regions: Regions):
    in_mode(regions, Mode.AUTO, approvals=Approvals(two_person=True))
    regions.tries(60)
    ask(regions)
    regions.tries(30)
    (one,) = failovers(regions)
    assert one.status is Status.AWAITING_APPROVAL
    assert not regions.switched


def test_a_request_that_is_older_than_a_quarter_of_an_hour_is_stale(regions: Regions):
    regions.tries(60)
    ask(regions)
    regions.clock.forward(16 * 60)
    regions.tries(60)
    assert not regions.switched


def test_only_the_standby_decides(regions: Regions):
    """A prober of the primary keeps no witnesses, and were one to say so, the primary would move nothing."""
    regions.tries(60)
    regions.world.down[STANDBY] = "no answer"
    regions.tries(120)
    assert not regions.switched
    assert not regions.all(PRIMARY)
    assert (
        str(Witness.THIRD)
        not in (prober.try_once(regions.watches[PRIMARY], FakeEyes(regions.world, PRIMARY)) or 0).primary
    )


def test_in_the_region_that_does_not_serve_everything_else_only_observes(regions: Regions):
    from remediators import flow
    from sereno.model import Signal, Target

    regions.tries(60)
    now = regions.clock.now()
    target = Target("function", "techmoda-read", STANDBY, "123456789012")
    signal = Signal("1", "alarm", "techmoda/read/exhaustion", "exhaustion", "ALARM", "OK", target, now)
    started = flow.start(regions.standby, signal, "raise_concurrency", target)
    assert started is not None
    assert started.mode is Mode.OBSERVE


def test_every_crash_is_gone_on_from_and_a_second_request_joins(regions: Regions):
    """The process dies before or after each of its calls; what is left goes on, and traffic moves once."""
    from sereno.testing import Crash

    regions.tries(60)
    regions.world.down[PRIMARY] = "no answer"
    regions.tries(20)
    called, seen = regions.called[STANDBY], 0
    for number in range(1, 40):
        count = 0

        def dies(*_: str, number: int = number) -> BaseException | None:
            nonlocal count
            count += 1
            return Crash() if count == number else None

        called.before = dies
        regions.clock.forward(5)
        try:
            prober.try_once(regions.watches[WITNESS], FakeEyes(regions.world, WITNESS))
            prober.try_once(regions.standby, FakeEyes(regions.world, STANDBY))
        except Crash:
            seen += 1
        called.before = lambda *_: None
        if regions.switched:
            break
    assert seen > 5
    regions.tries(240)
    assert regions.switched
    moved = [one for one in failovers(regions) if one.steps_done]
    assert [one.status for one in moved] == [Status.HOLDING]
    rounds.make(regions.standby)
