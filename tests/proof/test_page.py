"""The page of the proof names every difference."""

from __future__ import annotations

import re

from proving.differences import CHANGES, PAST
from proving.emulator import ROOT

PAGE = ROOT / "docs" / "proof.md"


def test_the_page_names_every_difference_and_every_file_of_the_proof():
    text = PAGE.read_text(encoding="utf-8")
    assert [one.why for one in (*CHANGES, *PAST) if f"| {one.why} |" not in text] == []
    named = set(re.findall(r"`(test_\w+\.py)`", text))
    assert named == {path.name for path in (ROOT / "tests" / "proof").glob("test_*.py")} - {"test_page.py"}
