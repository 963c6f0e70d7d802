"""The worked examples of CONTRIBUTING are real: found by being there, and run."""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import replace

import pytest
from moto import mock_aws

from alarms import packs
from deploy import iam
from remediators import actions, bounds, registry
from sereno.model import Mode
from sereno.service import Play


@pytest.fixture
def block(docs):
    """A Python block of CONTRIBUTING by the file that its first line names."""
    found = {
        text.partition("\n")[0].removeprefix("# "): text
        for text in docs.blocks(docs.root / "CONTRIBUTING.md", "python")
    }
    return found.__getitem__


@pytest.fixture
def stories(docs):
    """The house of the remediators' own tests."""
    path = docs.root / "tests" / "remediators" / "conftest.py"
    spec = importlib.util.spec_from_file_location("sereno_house", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


def beside(package, name, text, tmp_path, monkeypatch):
    """Puts a module beside those of a package, as if its file stood there."""
    (tmp_path / f"{name}.py").write_text(text, encoding="utf-8")
    monkeypatch.setattr(package, "__path__", [*package.__path__, str(tmp_path)])
    importlib.invalidate_caches()


@pytest.fixture
def stop_canary(block, tmp_path, monkeypatch):
    beside(actions, "stop_canary", block("remediators/actions/stop_canary.py"), tmp_path, monkeypatch)
    rule = block("remediators/bounds.py, in RULES").partition("\n")[2]
    monkeypatch.setattr(bounds, "RULES", {**bounds.RULES, **eval(f"{{{rule}}}", vars(bounds))})
    yield "stop_canary"
    sys.modules.pop("remediators.actions.stop_canary", None)
    if hasattr(actions, "stop_canary"):
        del actions.stop_canary


def test_the_example_remediator_is_found_by_being_there(stop_canary):
    assert stop_canary in registry.names()
    assert registry.load(stop_canary).kind == "function"


def test_its_test_tells_the_truth(stop_canary, block, stories):
    namespace: dict[str, object] = {"__name__": "test_stop_canary"}
    exec(compile(block("tests/remediators/actions/test_stop_canary.py"), "test_stop_canary.py", "exec"), namespace)
    told = [one for name, one in namespace.items() if name.startswith("test_")]
    assert len(told) == 3
    for story in told:
        with mock_aws(config={"lambda": {"use_docker": False}}):
            story(stories.build_house())


def test_its_role_follows_from_its_permissions(stop_canary, stories):
    statements = iam.statements(registry.load(stop_canary), stories.service())
    allowed = {action for one in statements for action in one["Action"]}
    assert {"lambda:GetAlias", "lambda:UpdateAlias"} <= allowed


def test_its_parameter_is_a_limit_of_its_play(stop_canary, stories):
    from deploy import synth

    plays = {"errors": Play("errors", ((stop_canary,),), Mode.AUTO, params={"tolerated_errors": 3})}
    service = replace(stories.service(), playbook=plays)
    assert list(synth.used_remediators(service, registry.all_remediators())) == [stop_canary]


def test_the_example_pack_is_found_and_passes_the_linter(block, tmp_path, monkeypatch, stories):
    beside(packs, "dropped_events", block("alarms/packs/dropped_events.py"), tmp_path, monkeypatch)
    names = [spec.name for spec in packs.all_alarms(stories.service())]
    sys.modules.pop("alarms.packs.dropped_events", None)
    if hasattr(packs, "dropped_events"):
        monkeypatch.delattr(packs, "dropped_events")
    assert "techmoda/read/dropped-events" in names
