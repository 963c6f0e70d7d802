"""Files that follow from other files: the golden template of TechModa, the schemas of `sereno.yaml` and of messages.

`python -m deploy.golden` writes them anew; a difference in review then shows what a change does to production.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

from deploy import config, synth
from deploy.synth import fis
from deploy.synth.split import DASHBOARD
from remediators import registry
from remediators.notifier import notice
from sereno.model import Json
from sereno.service import Service

ROOT = Path(__file__).parents[1]
TECHMODA = ROOT / "examples" / "techmoda" / "sereno.yaml"
NOTICE_SCHEMA = ROOT / "docs" / "notice.schema.json"
REGIONS = ROOT / "examples" / "techmoda" / "regions.yaml"
TEMPLATE = ROOT / "tests" / "deploy" / "golden" / "techmoda.template.json"
DASHBOARDS = TEMPLATE.parent / "dashboards"


def template_of(path: Path) -> Json:
    """The template that watches the service of a `sereno.yaml` in its home region. Raises InvalidInput."""
    return next(iter(templates_of(path).values()))


def templates_of(path: Path) -> dict[str, Json]:
    """The template of each region, the home region's first. Raises InvalidInput."""
    house = registry.all_remediators()
    found = {}
    for compiled in config.watches(config.compile_config(config.load(path))):
        service = Service.from_json(compiled)
        found[service.region] = synth.synthesise(service, compiled, remediators=house)
    return found


def rehearsals_of(path: Path) -> dict[str, Json]:
    """The experiments of each region that has some. Raises InvalidInput."""
    watches = map(Service.from_json, config.watches(config.compile_config(config.load(path))))
    return {service.region: fis.template(service) for service in watches if fis.has(service)}


def dashboards_of(template: Json) -> Iterator[tuple[Path, str]]:
    """The dashboards of a template, as files that a person can read: in the template each is one long line."""
    for one in template["Resources"].values():
        if one["Type"] == DASHBOARD:
            known = one["Properties"]
            text = json.dumps(json.loads(known["DashboardBody"]), indent=1, ensure_ascii=False) + "\n"
            yield DASHBOARDS / f"{known['DashboardName']}.json", text


def expected() -> Iterator[tuple[Path, str]]:
    """Every generated file, with the text that it should hold."""
    yield config.SCHEMA_PATH, config.schema_text()
    template = template_of(TECHMODA)
    yield TEMPLATE, synth.text(template)
    yield from dashboards_of(template)
    _, *others = templates_of(REGIONS).items()
    for region, one in others:
        yield TEMPLATE.with_name(f"techmoda.{region}.template.json"), synth.text(one)
    for region, one in rehearsals_of(REGIONS).items():
        yield TEMPLATE.with_name(f"techmoda-fis.{region}.template.json"), synth.text(one)
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
