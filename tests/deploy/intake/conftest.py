"""Templates as people have them, and what is told beside them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from deploy.intake import intake
from deploy.intake.findings import Intake
from deploy.intake.intake import Outside, Told

FOLDER = Path(__file__).parent / "templates"
ASSUMED_STACK = Told("shop", "it was not given", "sereno init --stack NAME")


def outside(stack: Told = ASSUMED_STACK, region: str = "eu-west-1") -> Outside:
    return Outside(stack, Told("123456789012"), Told(region))


@pytest.fixture
def folder() -> Path:
    """Where the templates lie."""
    return FOLDER


@pytest.fixture
def taken(tmp_path: Path) -> Callable[..., Intake]:
    """Takes a template in: a file of the folder by its name, or text of its own."""

    def take(template: str, stack: Told = ASSUMED_STACK, region: str = "eu-west-1", **parameters: str) -> Intake:
        path = FOLDER / template
        if "\n" in template:
            path = tmp_path / "template.yaml"
            path.write_text(template, encoding="utf-8")
        return intake.from_template(path, outside(stack, region), parameters)

    return take
