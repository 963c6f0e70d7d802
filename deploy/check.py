"""`python -m deploy.check`: are the templates fit for CloudFormation, their policies tight, and the generated files
up to date?

No emulator's CREATE_COMPLETE proves a template; cfn-lint knows the schemas and is the judge.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from deploy import golden, policy_lint, synth
from deploy.apply import artifacts
from deploy.golden import ROOT
from sereno.errors import SerenoError
from sereno.model import Json

EXAMPLES = (ROOT / "examples" / "minimal.yaml", golden.TECHMODA, golden.REGIONS)
APPLICATION = ROOT / "examples" / "techmoda" / "template.yaml"
GLOBAL_TABLE = APPLICATION.with_name("global-table.yaml")
REGION, ACCOUNT = "eu-west-1", "123456789012"
# The policies differ by whether a customer key is given.
KEYS = ("", f"arn:aws:kms:{REGION}:{ACCOUNT}:key/11111111-2222-3333-4444-555555555555")


def lint(text: str, source: str, region: str = REGION) -> list[str]:
    """What cfn-lint finds in a template, each line naming the source and the place."""
    from cfnlint.api import lint as find
    from cfnlint.config import ManualArgs

    found = find(text, config=ManualArgs(regions=[region]))
    return [f"{source}:{one.linenumber}: {one.rule.id} {one.message}" for one in found]


def loose(template: Json, source: str) -> list[str]:
    """Every policy that allows more than it must, with and without a customer key."""
    found = [one for key in KEYS for one in policy_lint.problems(template, {"KmsKeyArn": key})]
    return [f"{source}: {one}" for one in dict.fromkeys(found)]


def stale(path: Path, text: str) -> Iterator[str]:
    """A line when a generated file does not hold what it should."""
    if not path.exists():
        yield f"{path.relative_to(ROOT)}: is missing (run make golden)"
    elif path.read_text(encoding="utf-8") != text:
        yield f"{path.relative_to(ROOT)}: is not what the code gives (run make golden, and look at the difference)"


def problems() -> Iterator[str]:
    """Everything that is wrong, a line each."""
    for path in EXAMPLES:
        source = str(path.relative_to(ROOT))
        try:
            templates = golden.templates_of(path)
        except SerenoError as error:
            yield str(error)
            continue
        for region, template in templates.items():
            place = source if len(templates) == 1 else f"{source} ({region})"
            yield from lint(synth.text(template), place, region)
            yield from loose(template, place)
        for region, template in golden.rehearsals_of(path).items():
            yield from lint(synth.text(template), f"{source} (FIS, {region})", region)
            yield from loose(template, f"{source} (FIS, {region})")
    bucket = artifacts.bootstrap(ACCOUNT, REGION)
    yield from lint(synth.text(bucket), "the artifact bucket")
    yield from loose(bucket, "the artifact bucket")
    for path in (APPLICATION, GLOBAL_TABLE):
        if path.exists():
            yield from lint(path.read_text(encoding="utf-8"), str(path.relative_to(ROOT)))
    for path, text in golden.expected():
        yield from stale(path, text)


def main() -> int:
    """Prints every problem; 1 when there is one."""
    found = list(problems())
    for line in found:
        sys.stdout.write(f"{line}\n")
    if not found:
        sys.stdout.write("templates pass cfn-lint and the policy linter; schema and golden template are up to date\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
