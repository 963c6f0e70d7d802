"""The `sereno` command as tests of deployments run it: with one configuration, from a terminal of a known width."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from typer.testing import CliRunner, Result

from console.main import app
from tests.console import recorded_calls


@dataclass
class CommandOf:
    """The command with a configuration."""

    config: Path

    def run(self, *arguments: str, typed: str | None = None, columns: int = 200) -> Result:
        """Runs it, whatever becomes of it."""
        runner = CliRunner(env={"COLUMNS": str(columns), "NO_COLOR": "1"})
        with recorded_calls.during(arguments[0]):
            return runner.invoke(app, [arguments[0], str(self.config), *arguments[1:]], input=typed)

    def sereno(self, *arguments: str, typed: str | None = None) -> str:
        """Runs it; it must go well."""
        result = self.run(*arguments, typed=typed)
        assert result.exit_code == 0, result.output
        return result.output

    def refused(self, *arguments: str, typed: str | None = None, code: int = 1) -> str:
        """Runs it; it must refuse."""
        result = self.run(*arguments, typed=typed)
        assert result.exit_code == code, result.output
        return result.output
