"""Files that follow from other files: the golden template of TechModa, the schemas of `sereno.yaml` and of messages.

`python -m deploy.golden` writes them anew; a difference in review then shows what a change does to production.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

from deploy import config, synth
from remediators import registry
from remediators.notifier import notice
from sereno.model import Json
from sereno.service import Service

ROOT = Path(__file__).parents[1]
TECHMODA = ROOT / "examples" / "techmoda" / "sereno.yaml"
NOTICE_SCHEMA = ROOT / "docs" / "notice.schema.json"
TEMPLATE = ROOT / "tests" / "deploy" / "golden" / "techmoda.template.json"


def template_of(path: Path) -> Json:
    """The template that watches the service of a `sereno.yaml`. Raises InvalidInput."""
    compiled = config.compile_config(config.load(path))
    return synth.synthesise(Service.from_json(compiled), compiled, remediators=registry.all_remediators())


def expected() -> Iterator[tuple[Path, str]]:
    """Every generated file, with the text that it should hold."""
    yield config.SCHEMA_PATH, config.schema_text()
    yield TEMPLATE, synth.text(template_of(TECHMODA))
    yield NOTICE_SCHEMA, json.dumps(notice.schema(), indent=2) + "\n"


def main() -> int:
    """Writes every generated file; says which have changed."""
    for path, text in expected():
        before = path.read_text(encoding="utf-8") if path.exists() else None
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        sys.stdout.write(f"{'same' if before == text else 'new '} {path.relative_to(ROOT)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
