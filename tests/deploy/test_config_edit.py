"""An event is added to a file that somebody wrote by hand, and everything else in it stays as it is."""

from __future__ import annotations

import difflib
import stat

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from deploy import config_edit, config_yaml
from sereno.errors import InvalidInput

HEAD = """\
# Ours.
service: shop            # the name
account: "123456789012"
region: eu-west-1
resources:
    functions:           # four blanks, as we like it
        checkout: {name: shop-checkout,   normal: 8}
"""
SALE = {"name": "sale", "from": "2027-01-07T08:00:00+01:00", "to": "2027-01-08T08:00:00+01:00", "factor": "6x"}
LINE = "{name: sale, from: 2027-01-07T08:00:00+01:00, to: 2027-01-08T08:00:00+01:00, factor: 6x}"
OLD = "{name: old, from: 2026-01-07T08:00:00Z, to: 2026-01-08T08:00:00Z, factor: 2x}"


def edited(text: str, event: dict[str, str] = SALE) -> str:
    return config_edit.with_event(text, "sereno.yaml", event)


def added(before: str, after: str) -> list[str]:
    """The lines that were added; none may have gone."""
    difference = list(difflib.ndiff(before.splitlines(), after.splitlines()))
    assert not [line for line in difference if line.startswith("- ")]
    return [line[2:] for line in difference if line.startswith("+ ")]


def test_the_first_event_gets_a_list_at_the_files_end():
    assert edited(HEAD) == f"{HEAD}\nevents:\n  - {LINE}\n"


def test_a_file_without_a_last_line_end_gets_one():
    assert edited(HEAD.rstrip("\n")) == f"{HEAD}\nevents:\n  - {LINE}\n"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("events:\n", f"events:\n  - {LINE}\n"),
        ("events:   # none yet\n", f"events:   # none yet\n  - {LINE}\n"),
        ("events: []   # none yet\n", f"events:   # none yet\n  - {LINE}\n"),
        ("events: ~\n", f"events:\n  - {LINE}\n"),
        (f"events: [{OLD}]  # one\n", f"events: [{OLD}, {LINE}]  # one\n"),
        (f"events:\n- {OLD}\n", f"events:\n- {OLD}\n- {LINE}\n"),
        (f"events:\n  -   {OLD} # last year's\n", f"events:\n  -   {OLD} # last year's\n  - {LINE}\n"),
    ],
)
def test_each_way_of_writing_the_list_is_kept(before, after):
    rest = "\n# Who is told.\nnotifications: {emails: [a@example.com]}\n"
    assert edited(HEAD + before + rest) == HEAD + after + rest


def test_an_item_written_over_lines_gets_a_neighbour_written_so():
    block = (
        "events:\n"
        "  # Every January.\n"
        "  - name: old\n"
        "    from: 2026-01-07T08:00:00Z\n"
        "    to: 2026-01-08T08:00:00Z\n"
        "    factor: 2x   # small\n"
        "\n"
        "# Who is told.\n"
        "notifications: {emails: [a@example.com]}\n"
    )
    assert added(HEAD + block, edited(HEAD + block)) == [
        "  - name: sale",
        "    from: 2027-01-07T08:00:00+01:00",
        "    to: 2027-01-08T08:00:00+01:00",
        "    factor: 6x",
    ]


def test_line_ends_of_another_machine_stay():
    text = (HEAD + f"events:\n  - {OLD}\nmode: auto\n").replace("\n", "\r\n")
    changed = edited(text)
    assert changed.count("\r\n") == changed.count("\n") == text.count("\n") + 1


@pytest.mark.parametrize(
    "text",
    [
        '{service: shop, account: "123456789012", region: eu-west-1, resources: {functions: {a: {name: a}}}}\n',
        HEAD + f"mode: auto\nbind: {{}}\n---\nevents:\n  - {OLD}\n",
    ],
    ids=["braces", "two documents"],
)
def test_where_no_place_can_be_found_the_file_is_left_alone_and_the_item_told(text):
    with pytest.raises(InvalidInput):
        edited(text)


def test_an_item_told_for_a_file_in_braces_can_be_pasted():
    text = '{service: shop, account: "123456789012", region: eu-west-1, resources: {functions: {a: {name: a}}}}\n'
    with pytest.raises(InvalidInput, match="by hand") as told:
        edited(text)
    assert LINE in str(told.value)


def test_an_event_that_the_file_may_not_hold_is_refused_with_its_place():
    with pytest.raises(InvalidInput, match=r"events\[1\]\.from: .* lies in old"):
        edited(HEAD + f"events: [{OLD}]\n", {**SALE, "from": "2026-01-07T09:00:00Z", "to": "2026-01-07T10:00:00Z"})


# Names as people give them, and as nobody should: quotes, colons, YAML's own words.
names = st.text(
    st.characters(exclude_categories=("C", "Z"), include_characters=" :#,{}[]'\"-&*!|>%@`~"), min_size=1, max_size=40
).filter(lambda text: text == text.strip())


BLOCK = "events:\n  - name: old\n    from: 2026-01-07T08:00:00Z\n    to: 2026-01-08T08:00:00Z\n    factor: 2x\n"
ODD = ["true", "null", "~", "1e3", "0x1f", "2027-01-01", "- a", "a: b", "a #b", "on", "0", "y"]


# Each name is read as a whole configuration, so there are few.
@settings(max_examples=40, deadline=None)
@given(name=names | st.sampled_from(ODD), text=st.sampled_from([HEAD, f"{HEAD}events: [{OLD}]\n", HEAD + BLOCK]))
def test_whatever_an_event_is_called_it_is_read_back_as_that(name, text):
    changed = edited(text, {**SALE, "name": name})
    assert config_yaml.read(changed, "x")["events"][-1] == {**SALE, "name": name}
    # Any reader of YAML agrees on the name, not only Sereno's.
    assert yaml.safe_load(changed)["events"][-1]["name"] == name


def test_the_file_is_replaced_at_one_stroke_with_its_rights_and_behind_its_link(tmp_path):
    real, link = tmp_path / "real.yaml", tmp_path / "sereno.yaml"
    real.write_text("before\n")
    real.chmod(0o640)
    link.symlink_to(real)
    config_edit.write(link, "after\r\n")
    assert link.is_symlink()
    assert real.read_bytes() == b"after\r\n"
    assert stat.S_IMODE(real.stat().st_mode) == 0o640
    assert sorted(one.name for one in tmp_path.iterdir()) == ["real.yaml", "sereno.yaml"]


def test_a_write_that_fails_leaves_the_file_and_nothing_beside_it(tmp_path, monkeypatch):
    path = tmp_path / "sereno.yaml"
    path.write_text("before\n")

    def full(_: int) -> None:
        raise OSError("no space left")

    monkeypatch.setattr("deploy.config_edit.os.fsync", full)
    with pytest.raises(OSError, match="no space left"):
        config_edit.write(path, "after\n")
    assert path.read_text() == "before\n"
    assert [one.name for one in tmp_path.iterdir()] == ["sereno.yaml"]
