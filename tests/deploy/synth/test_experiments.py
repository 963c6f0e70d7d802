"""What FIS rehearses of each scenario: whom it befalls, for how long, and what it says that it cannot do."""

from __future__ import annotations

from dataclasses import replace

import pytest

from deploy import config, golden
from deploy.synth import experiments
from deploy.synth.experiments import DELAY, ERROR, PAUSE, WAIT
from drills.regions.scenario import load
from sereno.service import Function, Objectives, Service

PRIMARY, STANDBY, WITNESS = "eu-west-1", "eu-central-1", "eu-north-1"


def watch(region, **changed):
    compiled = config.compile_config(config.load(golden.REGIONS))
    return replace(Service.from_json(compiled).seen_from(region), **changed)


def of(region, **changed):
    return {one.scenario: one for one in experiments.of(watch(region, **changed))}


HERE = of(PRIMARY) | of(STANDBY)


def test_every_scenario_of_a_day_is_rehearsed_once_and_has_its_drill():
    assert set(HERE) == {
        "region-outage",
        "gray-failure",
        "flapping-region",
        "control-plane-down",
        "az-loss",
        "partition",
    }
    assert not set(of(PRIMARY)) & set(of(STANDBY))
    assert all(load(name).name == name for name in HERE)


def test_the_witness_serves_nobody_and_has_nothing_to_break():
    service = replace(Service.from_json(config.compile_config(config.load(golden.REGIONS))))
    assert experiments.of(replace(service, regions=(WITNESS, *service.regions))) == []
    assert experiments.of(replace(service, recovery=None)) == []


@pytest.mark.parametrize("name", HERE)
def test_it_says_what_fis_cannot_do_and_what_stands_in_for_it(name):
    one = HERE[name]
    assert one.does
    assert one.cannot
    assert one.instead


def test_in_an_outage_every_function_fails_and_nothing_is_replicated():
    ((errors, pause),) = HERE["region-outage"].phases
    assert errors.action == ERROR
    assert errors.over == ("techmoda-read", "techmoda-write", "techmoda-health")
    assert errors.parameters == {"invocationPercentage": "100", "preventExecution": "true"}
    assert (pause.action, pause.over) == (PAUSE, ("techmoda-products",))


def test_a_gray_region_keeps_its_health_check():
    ((errors,),) = HERE["gray-failure"].phases
    assert errors.over == ("techmoda-read", "techmoda-write")
    assert errors.parameters["invocationPercentage"] == "70"
    assert "techmoda-health is left alone" in HERE["gray-failure"].does


def test_where_no_function_is_called_like_the_health_check_it_fails_with_the_rest_and_that_is_told():
    one = of(PRIMARY, functions={"all": Function("all", "shop-all")})["gray-failure"]
    assert one.over("aws:lambda:") == ["shop-all"]
    assert "the health check fails like the rest" in one.cannot


def test_spells_follow_each_other_with_calm_between():
    phases = HERE["flapping-region"].phases
    assert [one.action for (one,) in phases] == [ERROR, WAIT] * 4 + [ERROR]
    assert {one.parameters["invocationPercentage"] for (one,) in phases if one.action == ERROR} == {"10"}


def test_a_large_service_has_fewer_spells_for_fis_takes_twenty_actions():
    many = {str(one): Function(str(one), f"shop-{one}") for one in range(31)}
    phases = of(PRIMARY, functions=many)["flapping-region"].phases
    assert sum(1 for phase in phases for one in phase for _ in one.parts()) <= experiments.ACTIONS_LIMIT
    assert "2 times" in of(PRIMARY, functions=many)["flapping-region"].does


def test_a_lost_zone_makes_calls_late_and_never_so_late_that_they_fail():
    ((late,),) = HERE["az-loss"].phases
    assert late.action == DELAY
    assert late.parameters == {"invocationPercentage": "33", "startupDelayMilliseconds": "1000"}
    short = {"one": Function("one", "shop-one", timeout_s=1)}
    ((late,),) = of(PRIMARY, functions=short)["az-loss"].phases
    assert int(late.parameters["startupDelayMilliseconds"]) < 1000


@pytest.mark.parametrize(("rpo_s", "minutes"), [(900, 10), (600, 6), (60, 6), (86_400, 10)])
def test_a_partition_ends_before_the_data_is_older_than_promised_where_fis_can(rpo_s, minutes):
    assert of(STANDBY, objectives=Objectives(rpo_s=rpo_s))["partition"].minutes == minutes


@pytest.mark.parametrize("name", HERE)
def test_it_is_over_within_the_promised_time_to_recover(name):
    assert HERE[name].minutes * 60 <= watch(PRIMARY).objectives.rto_s


def test_what_fis_charges_counts_each_action_by_itself():
    assert HERE["region-outage"].action_minutes == 40
    assert HERE["flapping-region"].action_minutes == 18


def test_a_service_without_tables_or_functions_has_no_such_fault():
    assert of(STANDBY, tables={}) == {}
    assert set(of(PRIMARY, functions={})) == {"region-outage", "control-plane-down"}
