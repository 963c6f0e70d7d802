"""The `sereno` command.

Exit codes: 0 done; 1 an objective was missed, a deployment failed, or what was asked for cannot be (no such
remediation, refused); 2 bad input, missing credentials, or AWS out of reach; 3 a fault in Sereno itself;
130 interrupted.
"""

from __future__ import annotations

import sys
import traceback
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from console import (
    apply,
    begin,
    build,
    dashboards,
    dr,
    events,
    failures,
    incidents,
    notify,
    operate,
    rehearse,
    scorecard,
    serve,
)
from console.show import errors, hush
from sereno import __version__


class Sentences(TyperGroup):
    """Errors become sentences and exit codes, wherever the command is run from."""

    def invoke(self, ctx: Any) -> Any:
        """Runs a command. Usage errors are the framework's own: it prints them, and exits with 2."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            errors().print("stopped", style="yellow")
            raise typer.Exit(failures.INTERRUPTED) from None
        except BrokenPipeError:
            hush()
            raise typer.Exit(0) from None
        except Exception as error:
            told = failures.sentence(error)
            if told is None:
                raise
            text, code = told
            errors().print(text, style="yellow" if code == failures.REFUSED else "red", markup=False)
            raise typer.Exit(code) from None


app = typer.Typer(
    cls=Sentences,
    name="sereno",
    help="Watches a serverless API on AWS and repairs it before customers notice.",
    epilog="Begin with `sereno drill surge-ramp`: it needs no account.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
rehearse.add_to(app)
begin.add_to(app)
build.add_to(app)
apply.add_to(app)
operate.add_to(app)
incidents.add_to(app)
notify.add_to(app)
scorecard.add_to(app)
serve.add_to(app)
events.add_to(app)
dashboards.add_to(app)
dr.add_to(app)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"sereno {__version__}")
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


def run() -> None:
    """The console script. A fault in Sereno itself is no missed objective: it has an exit code of its own."""
    try:
        app()
    except Exception:
        traceback.print_exc()
        errors().print("This is a fault in Sereno, not in what you asked for. Please report it.", style="red")
        sys.exit(failures.FAULT)


if __name__ == "__main__":
    run()
