"""What a person wrote for the example is what `sereno init` finds in its template."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from deploy import config
from deploy.intake import intake, write
from deploy.intake.findings import Intake
from deploy.intake.intake import Outside, Told
from sereno.service import Index, Service, Table

EXAMPLE = Path(__file__).parents[3] / "examples" / "techmoda"


@pytest.fixture(scope="module")
def found() -> Intake:
    outside = Outside(Told("techmoda"), Told("123456789012"), Told("eu-west-1"))
    return intake.from_template(EXAMPLE / "template.yaml", outside)


@pytest.fixture(scope="module")
def read(found: Intake) -> Service:
    return Service.from_json(config.compile_config(config.parse(write.text(found))))


@pytest.fixture(scope="module")
def written() -> Service:
    return config.service(EXAMPLE / "sereno.yaml")


def test_the_service_and_its_api_are_the_same(read, written):
    assert (read.name, read.account, read.regions) == (written.name, written.account, written.regions)
    assert (read.stack, read.apis) == (written.stack, written.apis)


def test_its_functions_have_the_same_keys_names_and_limits(read, written):
    assert {key: (one.name, one.reserved) for key, one in read.functions.items()} == {
        key: (one.name, one.reserved) for key, one in written.functions.items()
    }


def test_the_function_that_is_written_in_full_is_found_in_full(read, written):
    person = written.functions["read"]
    assert replace(read.functions["read"], normal=person.normal, fast_metric=person.fast_metric) == person


def test_what_the_person_left_out_is_the_templates_word(read):
    facts = {key: (one.timeout_s, one.memory_mb, one.alias, one.tables) for key, one in read.functions.items()}
    assert facts["write"] == (10, 512, "live", ("products",))
    assert facts["health"] == (5, 256, "live", ("products",))


def bare(table: Table) -> Table:
    """Without what an ordinary hour consumes, which no template tells."""
    indexes = {name: Index(name, one.read, one.write) for name, one in table.indexes.items()}
    return replace(table, normal_read=None, normal_write=None, indexes=indexes)


def test_its_table_has_the_capacity_that_auto_scaling_never_goes_below(read, written):
    assert read.tables == {key: bare(one) for key, one in written.tables.items()}


def test_nothing_is_left_open_but_what_people_decide(found):
    assert found.log.unresolved == []
    assert [one.place for one in found.log.assumed] == ["service", "objectives"]
