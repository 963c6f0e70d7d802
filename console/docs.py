"""The generated pages of `docs/`: what the code knows already is not written a second time.

`python -m console.docs` writes them; `python -m console.docs --check` writes nothing, names those that are stale and
exits with 1 when there are any.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from console import docs_commands, docs_embedded, docs_pages, docs_permissions

FOLDER = Path(__file__).parents[1] / "docs"
NOTE = "<!-- Written by `python -m console.docs` from the code; changes belong there. -->\n\n"
PAGES: Mapping[str, Callable[[], str]] = {
    "alarms.md": docs_pages.alarms,
    "commands.md": docs_commands.render,
    "embedded.md": docs_embedded.render,
    "permissions.md": docs_permissions.render,
    "remediators.md": docs_pages.remediators,
    "scenarios.md": docs_pages.scenarios,
}


def expected() -> Iterator[tuple[Path, str]]:
    """Every generated page, with the text that it should hold."""
    for name, render in PAGES.items():
        yield FOLDER / name, NOTE + render().rstrip() + "\n"


def stale() -> list[Path]:
    """The pages that are not what the code gives."""
    return [path for path, text in expected() if not path.exists() or path.read_text(encoding="utf-8") != text]


def main(arguments: Sequence[str] | None = None) -> int:
    """Writes the pages and says which have changed; with `--check` only says which are stale, and answers 1."""
    given = sys.argv[1:] if arguments is None else arguments
    old = stale()
    if "--check" in given:
        for path in old:
            sys.stdout.write(f"docs/{path.name}: is not what the code gives (run python -m console.docs)\n")
        return 1 if old else 0
    for path, text in expected():
        path.write_text(text, encoding="utf-8")
        sys.stdout.write(f"{'new ' if path in old else 'same'} docs/{path.name}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
