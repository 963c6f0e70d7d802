"""An account with a small quota is served without reservations."""

from __future__ import annotations

import pytest
import yaml

from deploy import config as configuration
from deploy.golden import ROOT
from remediators.registry import all_remediators
from sereno.service import Service


@pytest.mark.parametrize(("chosen", "reserving"), [("reserved", True), ("unreserved", False)])
def test_own_concurrency_says_whether_serenos_functions_reserve(tmp_path, chosen, reserving):
    document = yaml.safe_load((ROOT / "examples" / "minimal.yaml").read_text())
    file = tmp_path / "sereno.yaml"
    file.write_text(yaml.safe_dump({**document, "ownConcurrency": chosen}))
    compiled = configuration.compile_config(configuration.load(file))
    assert Service.from_json(compiled).own_concurrency == chosen
    from deploy.synth import functions

    service = Service.from_json(compiled)
    code = functions.of_remediator(service, all_remediators()["raise_concurrency"])
    properties = functions.resources(service, code)[code.id]["Properties"]
    assert ("ReservedConcurrentExecutions" in properties) is reserving
