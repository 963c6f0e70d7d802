"""What is known beside a template: the folder's samconfig.toml, the environment, the caller's credentials."""

from __future__ import annotations

import re
import shlex
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deploy.intake.intake import Told
from deploy.intake.values import text_of

NO_ACCOUNT = "000000000000"
USUAL_REGION = "eu-west-1"
REGION = r"[a-z]{2}(-[a-z]+)+-[0-9]"
STACK = r"[A-Za-z][A-Za-z0-9-]{0,127}"
# Names of templates and folders that say nothing about what is in them.
_PLAIN_STEMS = {"template", "packaged", "sam", "stack", "main", "cloudformation", "cfn", "infra", "sam-template"}
_OUTPUT_FOLDERS = {"cdk.out", ".serverless", ".aws-sam", "build", "infra", "infrastructure", "cloudformation"}


@dataclass(frozen=True, slots=True)
class SamConfig:
    """What `sam deploy` would use: its stack, region and parameters; each empty when the file does not say."""

    stack: str = ""
    region: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)


def sam_config(folder: Path) -> SamConfig:
    """The samconfig.toml in a folder; nothing of it when it is not there or cannot be read.

    https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/serverless-sam-cli-config.html
    """
    try:
        data: Any = tomllib.loads((folder / "samconfig.toml").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return SamConfig()
    found: dict[str, Any] = {}
    for command in ("global", "deploy"):
        part = data.get("default")
        for name in (command, "parameters"):
            part = part.get(name) if isinstance(part, dict) else None
        found |= part if isinstance(part, dict) else {}
    stack, region = text_of(found.get("stack_name")) or "", text_of(found.get("region")) or ""
    return SamConfig(
        stack if re.fullmatch(STACK, stack) else "",
        region if re.fullmatch(REGION, region) else "",
        _overrides(found.get("parameter_overrides")),
    )


def _overrides(written: Any) -> dict[str, str]:
    """`Name=Value` in one text or in a list."""
    try:
        words = shlex.split(written) if isinstance(written, str) else written
    except ValueError:
        return {}
    pairs = [one.partition("=") for one in words if isinstance(one, str)] if isinstance(words, list) else []
    return {name: value for name, equals, value in pairs if name and equals}


def stack_of(template: Path, given: str | None, config: SamConfig) -> Told:
    """The stack's name: as given, as samconfig.toml says, or made of the file's or folder's name."""
    if given or config.stack:
        return Told(given or config.stack)
    absolute = template.absolute()
    stem = absolute.name.split(".")[0]
    folders = [one.name for one in absolute.parents if one.name and one.name not in _OUTPUT_FOLDERS]
    said = (
        stem if stem.lower() not in _PLAIN_STEMS and not stem.startswith("cloudformation-") else (folders or [""])[0]
    )
    name = re.sub(r"[^A-Za-z0-9]+", "-", said).strip("-")[:60].strip("-")
    name = name if re.fullmatch(STACK, name) else f"app-{name}".strip("-")
    return Told(name, "is made of the template's place", "sereno init --stack NAME")


def region_of(given: str | None, environment: Mapping[str, str], profile: str | None, config: SamConfig) -> Told:
    """The region: as given, as samconfig.toml says, of the environment, of the profile, or a usual one."""
    for one in (given, config.region, environment.get("AWS_REGION"), environment.get("AWS_DEFAULT_REGION"), profile):
        if one:
            return Told(one)
    return Told(USUAL_REGION, "no region was given, and none is set for AWS", "sereno init --region REGION")


def account_of(given: str | None, caller: str | None) -> Told:
    """The account: as given, the caller's, or none that exists."""
    if given or caller:
        return Told(str(given or caller))
    return Told(NO_ACCOUNT, "no account was given, and no credentials say one", "sereno init --account 123456789012")
