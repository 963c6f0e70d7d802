"""The `sereno` command.

Exit codes: 0 done; 1 an objective was missed, or what was asked for cannot be (no such remediation, refused); 2 bad
input, missing credentials, or AWS out of reach.
"""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, PartialCredentialsError

from console import build, operate, rehearse
from console.show import Refused, errors
from sereno import __version__
from sereno.errors import SerenoError

app = typer.Typer(
    name="sereno",
    help="Watches a serverless API on AWS and repairs it before customers notice.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
rehearse.add_to(app)
build.add_to(app)
operate.add_to(app)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"sereno {__version__}")
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print it.")] = False,
) -> None:
    pass


def run() -> None:
    """The console script: errors become sentences, never tracebacks."""
    try:
        app()
    except Refused as error:
        errors().print(str(error), style="yellow", markup=False)
        sys.exit(1)
    except SerenoError as error:
        errors().print(str(error), style="red", markup=False)
        sys.exit(2)
    except (NoCredentialsError, PartialCredentialsError):
        _fail("AWS: no credentials found (set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY)")
    except ClientError as error:
        detail = error.response.get("Error", {})
        _fail(f"AWS: {error.operation_name} answered {detail.get('Code')}: {detail.get('Message')}")
    except BotoCoreError as error:
        _fail(f"AWS: {error}")
    except BrokenPipeError:
        # Whoever read our output has gone; say nothing more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)


def _fail(text: str) -> None:
    errors().print(text, style="red", markup=False)
    sys.exit(2)


if __name__ == "__main__":
    run()
