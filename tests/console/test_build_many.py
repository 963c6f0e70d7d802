"""`sereno synth` and `sereno package` of several services, and of one that is too large for a single template."""

from __future__ import annotations

import json
import zipfile

import pytest

from deploy import package
from deploy.golden import ROOT

MINIMAL = (ROOT / "examples" / "minimal.yaml").read_text(encoding="utf-8")


@pytest.fixture
def services(tmp_path):
    """Two services, each in a file of its own."""
    found = []
    for name in ("shop", "till"):
        path = tmp_path / f"{name}.yaml"
        path.write_text(MINIMAL.replace("service: shop", f"service: {name}").replace("shop-checkout", f"{name}-pay"))
        found.append(path)
    return found


def small(out, compiled, **_):
    out.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("sereno.json", json.dumps(compiled))
    return out


def test_several_services_become_a_parent_with_their_templates_beside_it(command, services, tmp_path):
    out = tmp_path / "out" / "parent.template.json"
    told = command("synth", *services, "--out", out)
    assert told.exit_code == 0, told.output
    assert "2 nested templates beside it" in told.output
    parent = json.loads(out.read_text(encoding="utf-8"))
    urls = json.dumps(parent["Resources"])
    beside = {path.name for path in out.parent.iterdir()} - {out.name}
    assert len(beside) == 2
    assert all(name in urls for name in beside)


def test_their_zips_have_the_names_that_the_parent_expects(command, services, tmp_path, monkeypatch):
    monkeypatch.setattr(package, "build", small)
    out = tmp_path / "out" / "parent.template.json"
    command("synth", *services, "--out", out)
    told = command("package", *services, "--out", tmp_path / "dist")
    assert told.exit_code == 0, told.output
    parent = out.read_text(encoding="utf-8")
    built = sorted(path.name for path in (tmp_path / "dist").iterdir())
    assert [name.split("-")[0] for name in built] == ["shop", "till"]
    assert all(f"${{CodePrefix}}{name}" in parent for name in built)


def test_what_has_nested_templates_is_not_written_to_a_pipe(command, services):
    told = command("synth", *services)
    assert told.exit_code == 2
    assert "has 2 nested templates beside it (name a file: --out FILE)" in told.stderr


def test_a_large_service_is_written_with_its_parts(command, tmp_path):
    many = "\n".join(f"    f{number}: {{name: shop-f{number}, reserved: 50}}" for number in range(110))
    path = tmp_path / "large.yaml"
    path.write_text(MINIMAL.replace("    checkout: {name: shop-checkout, reserved: 50}", many), encoding="utf-8")
    out = tmp_path / "watch.template.json"
    told = command("synth", path, "--out", out)
    assert told.exit_code == 0, told.output
    parts = list(tmp_path.glob("alarms*.template.json"))
    assert len(parts) > 1
    assert "nested templates beside it" in told.output


def test_one_file_is_the_same_as_config(command, services):
    assert command("synth", services[0]).stdout == command("synth", "--config", services[0]).stdout
