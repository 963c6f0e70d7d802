"""`sereno init`: a first `sereno.yaml`, made of a template or of a deployed stack."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table as Rows
from rich.text import Text

from console.build import writable
from console.show import as_json, beside, counted, screen
from sereno.errors import InvalidInput, Problem

if TYPE_CHECKING:
    from deploy.intake.findings import Draft, Intake

# Long enough for AWS to answer, short enough not to keep somebody waiting who has old credentials and no network.
_PATIENCE_S = 3


def add_to(app: typer.Typer) -> None:
    """Puts the command on the app."""
    app.command(short_help="Writes a first sereno.yaml, from a template or a stack.")(init)


def init(
    template: Annotated[
        Path | None, typer.Option("--from", metavar="FILE", help="A SAM or CloudFormation template, YAML or JSON.")
    ] = None,
    from_stack: Annotated[
        str | None, typer.Option("--from-stack", metavar="NAME", help="A deployed stack instead; needs credentials.")
    ] = None,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FILE", help="Write it here.")] = Path("sereno.yaml"),
    force: Annotated[bool, typer.Option("--force", help="Write over a file that is there.")] = False,
    parameter: Annotated[
        list[str] | None, typer.Option("--parameter", metavar="NAME=VALUE", help="A parameter's value; repeatable.")
    ] = None,
    stack: Annotated[
        str | None, typer.Option("--stack", metavar="NAME", help="The stack that the template becomes.")
    ] = None,
    account: Annotated[
        str | None, typer.Option("--account", metavar="ID", help="The watched account (default: the caller's).")
    ] = None,
    region: Annotated[
        str | None, typer.Option("--region", metavar="REGION", help="The watched region (default: the caller's).")
    ] = None,
    service: Annotated[
        str | None, typer.Option("--service", metavar="NAME", help="The service's name (default: the stack's).")
    ] = None,
    email: Annotated[
        list[str] | None, typer.Option("--email", metavar="ADDRESS", help="Who is told; repeatable.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="JSON for machines.")] = False,
) -> None:
    """Writes a first sereno.yaml and says what it found, could not resolve and assumed. It changes nothing on AWS."""
    _understood(template, from_stack, stack, account, region, service)
    if out.exists() and not force and not out.is_dir():
        mend = "is there already (write over it with --force, or name another with --out)"
        raise InvalidInput(str(out), [Problem(str(out), None, mend)])
    writable(out)
    if from_stack is not None:
        found = _from_stack(from_stack, region, service, parameter)
    else:
        assert template is not None
        found = _from_template(template, _pairs(parameter or []), stack, account, region, service)
    _write(found, out, email or [])
    if json:
        as_json({"written": str(out), **found.to_json()})
    else:
        _report(found, out, screen(rows=True))


# -- what was asked for


def _understood(
    template: Path | None,
    from_stack: str | None,
    stack: str | None,
    account: str | None,
    region: str | None,
    service: str | None,
) -> None:
    """Every mistake on the command line at once. Raises InvalidInput."""
    from deploy.intake import surroundings

    problems = []
    if (template is None) == (from_stack is None):
        given = "both are given" if template else "neither is given"
        problems.append(Problem("--from", None, f"or --from-stack says what to read, and {given}"))
    if from_stack is not None:
        extra = [name for name, value in (("--stack", stack), ("--account", account)) if value is not None]
        problems += [Problem(name, None, "has no meaning with --from-stack, which knows it") for name in extra]
    for name, value, pattern, mend in (
        ("--account", account, r"[0-9]{12}", "must be the 12 digits of an AWS account"),
        ("--region", region, surroundings.REGION, "is no AWS region (write it like eu-west-1)"),
        ("--stack", stack, surroundings.STACK, "is no stack name (letters, digits and -, a letter first)"),
        ("--service", service, "[a-z][a-z0-9-]{1,29}", "must be 2 to 30 of a-z, 0-9 and -, and begin with a letter"),
    ):
        if value is not None and not re.fullmatch(pattern, value):
            problems.append(Problem(name, value, mend))
    if problems:
        raise InvalidInput("sereno init", problems)


def _pairs(written: list[str]) -> dict[str, str]:
    """Raises InvalidInput for what is no NAME=VALUE."""
    wrong = [one for one in written if not re.match(r"[A-Za-z0-9]+=", one)]
    if wrong:
        raise InvalidInput("sereno init", [Problem("--parameter", one, "is no NAME=VALUE") for one in wrong])
    return dict(one.split("=", 1) for one in written)


# -- reading


def _from_template(
    template: Path,
    parameters: Mapping[str, str],
    stack: str | None,
    account: str | None,
    region: str | None,
    service: str | None,
) -> Intake:
    from deploy.intake import intake, surroundings

    config = surroundings.sam_config(template.absolute().parent)
    told = surroundings.region_of(region, os.environ, _profile_region(), config)
    outside = intake.Outside(
        surroundings.stack_of(template, stack, config),
        surroundings.account_of(account, None if account else caller(told.value)),
        told,
        service,
    )
    return intake.from_template(template, outside, parameters, config.parameters)


def _from_stack(name: str, region: str | None, service: str | None, parameter: list[str] | None) -> Intake:
    import boto3

    from deploy.intake import deployed

    if parameter:
        problem = Problem("--parameter", None, "has no meaning with --from-stack, whose parameters are known")
        raise InvalidInput("sereno init", [problem])
    session = boto3.Session(region_name=region)
    if session.region_name is None:
        raise InvalidInput("sereno init", [Problem("--region", None, "is missing (write --region eu-west-1)")])
    clients: dict[str, Any] = {}

    def client(of: str) -> Any:
        return clients.setdefault(of, session.client(of))

    return deployed.from_stack(name, client, session.region_name, service)


def _profile_region() -> str | None:
    """The region of the profile in use, as far as there is one."""
    import boto3
    from botocore.exceptions import BotoCoreError

    try:
        found: str | None = boto3.Session().region_name
    except BotoCoreError:
        return None
    return found


def caller(region: str, session: Callable[[], Any] | None = None) -> str | None:
    """The account of the caller's credentials; None when there are none, or AWS does not answer soon."""
    import boto3
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError

    quick = Config(connect_timeout=_PATIENCE_S, read_timeout=_PATIENCE_S, retries={"max_attempts": 0})
    try:
        here = (session or boto3.Session)()
        if here.get_credentials() is None:
            return None
        found: str = here.client("sts", region_name=region, config=quick).get_caller_identity()["Account"]
    except (BotoCoreError, ClientError):
        return None
    return found


# -- writing and telling


def _write(found: Intake, out: Path, emails: list[str]) -> None:
    from deploy import config
    from deploy.intake import write

    text = write.text(found, emails)
    config.parse(text, out.name)  # what is written is what `sereno check` takes
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(text, encoding="utf-8")


def _report(found: Intake, out: Path, console: Console) -> None:
    counts = ((found.of("functions"), "function"), (found.of("apis"), "API"), (found.of("tables"), "table"))
    told = ", ".join(counted(len(drafts), noun) for drafts, noun in counts)
    console.print(f"{out}: {told}, from {found.source}", markup=False, soft_wrap=True)
    console.print()
    rows = Rows(box=None, pad_edge=False)
    for column in ("found", "key", "name", "settings", "place"):
        rows.add_column(column, overflow="fold")
    for draft in found.resources:
        kind = draft.section.removesuffix("s")
        cells = (kind, draft.key, str(draft.fields["name"]), _settings(draft), draft.place)
        rows.add_row(*map(Text, cells))
    console.print(rows)
    for title, lines in (
        ("could not resolve", found.log.unresolved),
        ("assumed", found.log.assumed),
        ("seen", found.log.notes),
    ):
        if lines:
            console.print(f"\n{title}", style="bold")
            for line in lines:
                beside(console, "  ", Text(str(line)))
    then = f"\nLook at what is assumed, write who is told (notifications), then: sereno check --config {out}"
    console.print(then, markup=False, soft_wrap=True)


def _settings(draft: Draft) -> str:
    fields = {name: value for name, value in draft.fields.items() if name != "name"}
    indexes = fields.pop("indexes", None)
    tables = fields.pop("tables", None)
    said = [f"{name} {value}" for name, value in fields.items()]
    said += [f"uses {', '.join(tables)}"] if tables else []
    said += [f"indexes {', '.join(indexes)}"] if indexes else []
    return ", ".join(said)
