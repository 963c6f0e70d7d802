"""In which order the stacks of two regions and a witness come and go, and what each region can use."""

from __future__ import annotations

import pytest

from deploy import config, golden
from deploy.apply import places
from sereno.errors import InvalidInput

TWO = config.compile_config(config.load(golden.REGIONS))
ONE = config.compile_config(config.load(golden.TECHMODA))
KEY = "arn:aws:kms:eu-west-1:123456789012:key/"


def test_the_standby_comes_first_for_the_others_lean_on_it_and_who_serves_comes_last():
    assert [str(one) for one in places.of(TWO)] == [
        "eu-central-1 (standby)",
        "eu-north-1 (witness)",
        "eu-west-1 (first)",
    ]


def test_each_place_has_the_configuration_as_its_region_carries_it():
    for one in places.of(TWO):
        assert one.compiled["regions"][0] == one.region == one.service.region


def test_a_service_in_one_region_has_one_place_without_a_role():
    (one,) = places.of(ONE)
    assert str(one) == one.region == "eu-west-1"
    assert places.of(ONE, "eu-west-1") == (one,)


def test_one_region_may_be_chosen():
    (one,) = places.of(TWO, "eu-north-1")
    assert one.role == places.WITNESS


def test_a_region_without_a_watch_is_told_with_those_that_have_one():
    with pytest.raises(InvalidInput) as refused:
        places.of(TWO, "eu-west-2")
    assert '--region: "eu-west-2" is no region of techmoda (eu-central-1, eu-north-1, eu-west-1)' in str(
        refused.value
    )


def test_one_bucket_serves_one_region():
    places.check_bucket(places.of(TWO), None)
    places.check_bucket(places.of(TWO, "eu-west-1"), "mine")
    with pytest.raises(InvalidInput, match="lies in one region, and the watch stands in 3"):
        places.check_bucket(places.of(TWO), "mine")


def test_a_multi_region_key_is_the_same_in_each_region_and_another_is_refused():
    standby, _, first = places.of(TWO)
    assert places.key_in(standby, f"{KEY}mrk-1") == f"{KEY}mrk-1".replace("eu-west-1", "eu-central-1")
    assert places.key_in(first, f"{KEY}1111") == f"{KEY}1111"
    with pytest.raises(InvalidInput, match=r"lies in eu-west-1, and eu-central-1 \(standby\) cannot use it"):
        places.key_in(standby, f"{KEY}1111")
