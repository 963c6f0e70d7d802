"""The hand-written pages, and the blocks of code in them."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace

import pytest

ROOT = Path(__file__).parents[2]
TOP = ("README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md")
_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def pages() -> list[Path]:
    """Every page for people that the project carries."""
    return [ROOT / name for name in TOP] + sorted((ROOT / "docs").rglob("*.md"))


def blocks(path: Path, language: str) -> list[str]:
    """The fenced blocks of one language in a page."""
    return [text for kind, text in _BLOCK.findall(path.read_text(encoding="utf-8")) if kind == language]


def without_code(text: str) -> str:
    """A page's prose."""
    return re.sub(r"`[^`\n]*`", "", _BLOCK.sub("", text))


def anchor(heading: str) -> str:
    """The anchor that a heading gets: lower case, marks dropped, spaces to hyphens."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def headings(path: Path) -> set[str]:
    """The anchors of a page."""
    text = _BLOCK.sub("", path.read_text(encoding="utf-8"))
    return {anchor(found) for found in re.findall(r"^#{1,6} (.+)$", text, re.MULTILINE)}


def table(path: Path, first: str) -> list[list[str]]:
    """The rows of the table whose header's first cell is `first`."""
    rows: list[list[str]] = []
    inside = False
    for line in path.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip())[1:-1]]
        if inside and not cells:
            return rows
        if inside and not set(line) <= set("|- "):
            rows.append(cells)
        inside = inside or cells[:1] == [first]
    return rows


@pytest.fixture(scope="session")
def docs() -> SimpleNamespace:
    """The functions above, and the project's folder."""
    return SimpleNamespace(
        root=ROOT, pages=pages, blocks=blocks, without_code=without_code, headings=headings, table=table
    )
