"""`sereno synth` and `sereno package` of a service in two regions."""

from __future__ import annotations

import json
import zipfile

from deploy import package
from deploy.golden import REGIONS, TECHMODA


def small(out, compiled, **_):
    out.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("sereno.json", json.dumps(compiled))
    return out


def test_each_other_region_has_a_folder_of_its_own(command, tmp_path):
    out = tmp_path / "watch.json"
    told = command("synth", REGIONS, "--out", out)
    assert told.exit_code == 0, told.output
    assert "2 templates beside it" in told.output
    written = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.json"))
    assert written == ["eu-central-1/watch.json", "eu-north-1/watch.json", "watch.json"]
    home, standby = (json.loads((tmp_path / one).read_text()) for one in ("watch.json", "eu-central-1/watch.json"))
    assert "SwitchBucket" in standby["Resources"]
    assert "SwitchBucket" not in home["Resources"]


def test_one_pipe_cannot_take_three_templates(command):
    told = command("synth", REGIONS)
    assert told.exit_code == 2
    assert "--out" in told.output


def test_each_regions_zip_knows_its_home(command, tmp_path, monkeypatch):
    monkeypatch.setattr(package, "build", small)
    told = command("package", REGIONS, "--out", tmp_path / "sereno.zip")
    assert told.exit_code == 0, told.output
    homes = {}
    for path in tmp_path.rglob("*.zip"):
        with zipfile.ZipFile(path) as archive:
            homes[str(path.relative_to(tmp_path))] = json.loads(archive.read("sereno.json"))["regions"][0]
    assert homes == {
        "sereno.zip": "eu-west-1",
        "eu-central-1/sereno.zip": "eu-central-1",
        "eu-north-1/sereno.zip": "eu-north-1",
    }


def test_beside_other_services_each_region_is_a_stack_of_its_own(command, tmp_path):
    other = tmp_path / "shop.yaml"
    other.write_text((REGIONS.parents[1] / "minimal.yaml").read_text(encoding="utf-8"))
    out = tmp_path / "parent.json"
    told = command("synth", REGIONS, other, "--out", out)
    assert told.exit_code == 0, told.output
    parent = json.loads(out.read_text())
    stacks = [one for one in parent["Resources"].values() if one["Type"].endswith("Stack")]
    assert len(stacks) == 4
    assert len({one["Condition"] for one in stacks}) == 3


def test_rehearsals_are_written_beside_and_each_gap_of_fis_is_told(command, tmp_path):
    told = command("synth", REGIONS, "--fis", "--out", tmp_path / "watch.json", columns=200)
    assert told.exit_code == 0, told.output
    written = sorted(path.name for path in tmp_path.glob("sereno-*.json"))
    assert written == ["sereno-techmoda-fis.eu-central-1.json", "sereno-techmoda-fis.eu-west-1.json"]
    assert "5 experiments in eu-west-1" in told.stdout
    assert told.stdout.count("cannot ") == told.stdout.count("instead ") == told.stdout.count("stops at ") == 6
    first = json.loads((tmp_path / written[1]).read_text())
    assert first["Resources"]["RegionOutage"]["Type"] == "AWS::FIS::ExperimentTemplate"


def test_without_a_second_region_there_is_no_region_to_lose(command, tmp_path):
    told = command("synth", TECHMODA, "--fis", "--out", tmp_path / "watch.json")
    assert told.exit_code == 2
    assert "sereno.yaml: recovery: is missing: region drills need a second region" in told.output
    assert list(tmp_path.iterdir()) == []


def test_rehearsals_need_a_place(command):
    told = command("synth", REGIONS, "--fis")
    assert told.exit_code == 2
    assert "--fis: writes files of its own" in told.output
