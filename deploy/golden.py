"""Files that follow from other files: the golden template of TechModa, the schemas of `sereno.yaml` and of messages.

`python -m deploy.golden` writes them anew; a difference in review then shows what a change does to production.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

from deploy import config, deploy_policy, synth
from deploy.apply import artifacts
from deploy.synth import fis
from deploy.synth.policies import MANAGED
from deploy.synth.split import DASHBOARD, STACK
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


def handlers_text() -> str:
    """The handlers' permissions of each resource type that the templates have, from the registry schemas that come
    with cfn-lint. `read` holds those of the read and list handlers, `write` the others."""
    from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER

    templates = [template_of(TECHMODA), *templates_of(REGIONS).values(), *rehearsals_of(REGIONS).values()]
    templates.append(artifacts.bootstrap("123456789012", "eu-west-1"))
    kinds = {one["Type"] for template in templates for one in template["Resources"].values()} | {STACK, MANAGED}
    types = {}
    for kind in sorted(kinds):
        found = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", kind).schema.get("handlers", {})
        read = {action for name in ("read", "list") for action in found.get(name, {}).get("permissions", [])}
        every = {action for one in found.values() for action in one.get("permissions", [])}
        types[kind] = {"read": sorted(read), "write": sorted(every - read)}
    source = "CloudFormation registry schemas (handlers.*.permissions), as cfn-lint carries them"
    return json.dumps({"source": source, "types": types}, indent=1) + "\n"


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
    yield deploy_policy.HANDLERS, handlers_text()
    yield deploy_policy.PAGE, deploy_policy.page()
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
