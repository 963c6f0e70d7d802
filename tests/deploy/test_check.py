"""The check says in clear lines what is wrong, and is quiet otherwise."""

import json

from deploy import check
from sereno.errors import InvalidInput, Problem


def test_a_template_that_cloudformation_would_refuse_is_found():
    broken = {
        "Resources": {
            "Queue": {
                "Type": "AWS::SQS::Queue",
                "Properties": {"MessageRetentionPeriod": "for ever", "Colour": "red"},
            }
        }
    }
    found = check.lint(json.dumps(broken, indent=1), "shop.yaml")
    assert any("Colour" in line for line in found)
    assert all(line.startswith("shop.yaml:") for line in found)


def test_a_stale_file_is_told_with_its_mend(tmp_path, monkeypatch):
    monkeypatch.setattr(check, "ROOT", tmp_path)
    path = tmp_path / "golden.json"
    assert list(check.stale(path, "new")) == ["golden.json: is missing (run make golden)"]
    path.write_text("old", encoding="utf-8")
    assert "is not what the code gives" in next(check.stale(path, "new"))
    path.write_text("new", encoding="utf-8")
    assert list(check.stale(path, "new")) == []


def test_the_exit_code_follows_what_is_found(monkeypatch, capsys):
    monkeypatch.setattr(check, "problems", lambda: iter(["x: is wrong"]))
    assert check.main() == 1
    assert capsys.readouterr().out == "x: is wrong\n"
    monkeypatch.setattr(check, "problems", lambda: iter([]))
    assert check.main() == 0


def test_a_broken_example_is_a_line_not_a_traceback(monkeypatch):
    def broken(path):
        raise InvalidInput(path.name, [Problem("objectives.rpo", 15, "has no unit (write 15m)")])

    monkeypatch.setattr(check.golden, "templates_of", broken)
    monkeypatch.setattr(check.golden, "expected", lambda: [])
    monkeypatch.setattr(check, "APPLICATION", check.ROOT / "nowhere.yaml")
    monkeypatch.setattr(check, "GLOBAL_TABLE", check.ROOT / "nowhere.yaml")
    assert list(check.problems()) == [
        'minimal.yaml: objectives.rpo: "15" has no unit (write 15m)',
        'sereno.yaml: objectives.rpo: "15" has no unit (write 15m)',
        'regions.yaml: objectives.rpo: "15" has no unit (write 15m)',
    ]
