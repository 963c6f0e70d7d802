"""What a change does to production is seen in review, because the template of TechModa is a file."""

from deploy import golden


def test_generated_files_hold_what_the_code_gives():
    for path, text in golden.expected():
        assert path.read_text(encoding="utf-8") == text, f"{path.name}: run make golden and look at the difference"


def test_writing_again_changes_nothing(monkeypatch, tmp_path, capsys):
    written = tmp_path / "file.json"
    monkeypatch.setattr(golden, "ROOT", tmp_path)
    monkeypatch.setattr(golden, "expected", lambda: [(written, "{}\n")])
    assert golden.main() == 0
    assert golden.main() == 0
    assert capsys.readouterr().out == "new  file.json\nsame file.json\n"
