"""The page of the proof names every difference, and the proof runs as a whole."""

from __future__ import annotations

import re

import pytest
from proving.differences import CHANGES, PAST
from proving.emulator import ROOT

pytestmark = pytest.mark.xdist_group("proof")

PAGE = ROOT / "docs" / "proof.md"


def test_the_page_names_every_difference_and_every_file_of_the_proof():
    text = PAGE.read_text(encoding="utf-8")
    assert [one.why for one in (*CHANGES, *PAST) if f"| {one.why} |" not in text] == []
    named = set(re.findall(r"`(test_\w+\.py)`", text))
    assert named == {path.name for path in (ROOT / "tests" / "proof").glob("test_*.py")} - {"test_page.py"}


def test_all_of_it_is_one_group_so_that_one_process_has_the_emulator(request):
    """pytest-xdist writes the group into a test's id; where it cannot it says nothing, and each process makes all."""
    if not getattr(request.config.option, "loadgroup", False):
        pytest.skip("these tests are not spread over processes")
    assert request.node.nodeid.endswith("@proof")
