"""The command's manners: help, bad input as a table of sentences, pipes, colour, and never a traceback."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from console import docs_commands, failures, main
from sereno.errors import LedgerUnavailable, Refused

ROOT = Path(__file__).resolve().parents[2]
TECHMODA, MINIMAL = ROOT / "examples/techmoda/sereno.yaml", ROOT / "examples/minimal.yaml"
COMMANDS = list(docs_commands.commands())
BARE = {
    "PATH": os.environ["PATH"],
    "HOME": "/nonexistent",
    "AWS_EC2_METADATA_DISABLED": "true",
    "COLUMNS": "80",
}


def sereno(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own, with no credentials unless given."""
    return subprocess.run(
        [sys.executable, "-m", "console.main", *map(str, arguments)],
        cwd=ROOT,
        env={**BARE, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(command, name):
    shown = command(*name.split(), "--help", columns=80)
    assert shown.exit_code == 0
    assert shown.stdout.startswith(f"Usage: sereno {name}") or f" {name} " in shown.stdout.splitlines()[0]
    assert max(map(len, shown.stdout.splitlines())) <= 80
    assert "[[" not in shown.stdout


def test_the_overview_fits_a_line_for_each_command(command):
    shown = command("--help", columns=80).stdout
    assert "..." not in shown.replace("[ARGS]...", "")
    for name in {one.split()[0] for one in COMMANDS}:
        assert f"\n  {name} " in shown


def test_the_version_is_the_packages(command):
    from sereno import __version__

    assert command("--version").stdout == f"sereno {__version__}\n"


BAD = [
    (("drill", "nope"), 'name: "nope" is no scenario'),
    (("drill", "surge-rampp"), "surge-ramp"),
    (("drill", "/no/such/file.yaml"), "cannot be read: No such file or directory"),
    (("drill", "surge-ramp", "--seeds", 0), "--seeds"),
    (("drill", "surge-ramp", "--seed", -1), "--seed"),
    (("drill", "surge-ramp", "--speed", "warp"), "--speed"),
    (("drill", "surge-ramp", "--speed", "live", "--seeds", 2), "real time follows one seed"),
    (("drill", "surge-ramp", "--config", "/no/sereno.yaml"), "cannot be read"),
    (("drill", "surge-ramp", "--report", ROOT), "is a folder (name a file)"),
    (("drill", "surge-ramp", "--report", TECHMODA / "under/a/file.html"), "is no folder"),
    (("drill",), "Missing argument"),
    (("check", "--config", "/no/sereno.yaml"), "begin with examples/minimal.yaml"),
    (("check", "--config", ROOT), "Is a directory"),
    (("synth", "--config", MINIMAL, "-o", ROOT), "is a folder"),
    (("package", "--config", "/no/sereno.yaml"), "cannot be read"),
    (("mode", "nope"), 'REMEDIATOR: "nope" is no remediator (there are: '),
    (("mode", "raise_concurrency", "loud"), "loud"),
    (("history", "--days", 0), "--days"),
    (("why",), "Missing argument"),
    (("frobnicate",), "No such command"),
    (("status", "--frobnicate"), "No such option"),
]


@pytest.mark.parametrize(("arguments", "said"), BAD, ids=[" ".join(map(str, one[:3])) for one, _ in BAD])
def test_bad_input_is_told_in_a_sentence_and_exits_with_2(command, arguments, said):
    result = command(*arguments)
    assert result.exit_code == 2, result.output
    assert said in result.stderr
    assert result.stdout == ""
    assert "Traceback" not in result.output


def test_every_problem_of_a_file_is_told_at_once_each_with_the_files_name(command, tmp_path):
    bad = tmp_path / "bad.yaml"
    bad.write_text('service: Shop!\naccount: "12"\nregion: eu-west-1\n')
    result = command("check", "--config", bad)
    assert result.exit_code == 2
    lines = result.stderr.splitlines()
    assert len(lines) >= 2
    assert all(line.startswith("bad.yaml: ") for line in lines)


def test_check_says_what_a_file_amounts_to(command):
    shown = command("check", "--config", TECHMODA)
    assert shown.exit_code == 0
    assert "techmoda in eu-west-1: 3 functions, 1 API, 1 table, " in shown.stdout
    ladder = "raise_concurrency with raise_capacity, then request_quota with open_incident"
    assert ladder in " ".join(shown.stdout.split())
    told = json.loads(command("check", "--config", TECHMODA, "--json").stdout)
    assert "techmoda/read/exhaustion" in told["alarms"]


def test_check_says_what_serenos_own_functions_reserve_and_refuses_a_declared_quota_without_room(command, tmp_path):
    note = json.loads(command("check", "--config", MINIMAL, "--json").stdout)["notes"][-1]
    assert "Sereno's own functions reserve" in note
    small, text = tmp_path / "small.yaml", Path(MINIMAL).read_text(encoding="utf-8")
    small.write_text(text + "quotas: {concurrency: 100}\n", encoding="utf-8")
    refused = command("check", "--config", small)
    assert refused.exit_code == 2
    assert 'quotas.concurrency: "100" leaves 0 executions to reserve' in refused.stderr
    assert "set ownConcurrency: unreserved" in refused.stderr
    small.write_text(small.read_text(encoding="utf-8") + "ownConcurrency: unreserved\n", encoding="utf-8")
    served = command("check", "--config", small)
    assert served.exit_code == 0
    assert "can stop Sereno too" in " ".join(served.stdout.split())


def test_synth_writes_the_same_template_to_a_file_and_to_a_pipe(command, tmp_path):
    piped = command("synth", "--config", MINIMAL)
    said = command("synth", "--config", MINIMAL, "--out", tmp_path / "new/watch.json")
    assert (piped.exit_code, said.exit_code) == (0, 0)
    assert (tmp_path / "new/watch.json").read_text() == piped.stdout
    resources = json.loads(piped.stdout)["Resources"]
    assert said.stdout == f"{tmp_path / 'new/watch.json'}: {len(resources)} resources\n"


def test_schema_prints_the_file_that_editors_use(command):
    assert command("schema").stdout == (ROOT / "deploy/sereno.schema.json").read_text()


def test_scenarios_for_people_and_for_machines(command):
    from drills import library

    names = library.names()
    told = json.loads(command("scenarios", "--json").stdout)
    assert [one["name"] for one in told] == names
    assert [line.split()[0] for line in command("scenarios").stdout.splitlines()] == names


@pytest.mark.parametrize("name", ["status", "history", "mode"])
def test_a_ledger_that_is_not_there_is_told_with_its_mend(command, night, name):
    night.watch.aws.client("dynamodb").delete_table(TableName="sereno-shop-ledger")
    result = command(name, "--config", night.config)
    assert result.exit_code == 2
    assert "answered ResourceNotFoundException" in result.stderr
    assert "is the watch deployed in this account and region?" in result.stderr


def test_without_a_login_one_must_say_who_asks(command, night, monkeypatch):
    def unknown() -> str:
        raise OSError("No username set in the environment")

    monkeypatch.setattr("getpass.getuser", unknown)
    asked = night.alarm()
    result = command("approve", asked.id, "--config", night.config)
    assert result.exit_code == 2
    assert "--by NAME" in result.stderr
    assert night.sereno_json("status")[0]["wish"] is None


def test_errors_become_sentences_and_codes():
    denied = ClientError({"Error": {"Code": "AccessDeniedException", "Message": "not you."}}, "Query")
    hidden = LedgerUnavailable("query: not you")
    hidden.__cause__ = denied
    assert failures.sentence(Refused("no")) == ("no", failures.REFUSED)
    text, code = failures.sentence(hidden) or ("", 0)
    assert code == failures.BAD_INPUT
    assert text.startswith("the ledger cannot be used: Query answered AccessDeniedException: not you (")
    assert failures.sentence(PermissionError(13, "Permission denied", "out.html")) == (
        "out.html: Permission denied",
        failures.BAD_INPUT,
    )
    assert failures.sentence(ZeroDivisionError()) is None, "a fault in Sereno deserves its traceback"


def test_a_fault_in_sereno_itself_is_no_missed_objective(monkeypatch, capsys):
    def broken() -> None:
        raise ZeroDivisionError("a fault")

    monkeypatch.setattr(main, "app", broken)
    with pytest.raises(SystemExit) as ended:
        main.run()
    assert ended.value.code == 3
    assert "This is a fault in Sereno" in capsys.readouterr().err


def test_without_credentials_the_console_script_says_how_to_get_them():
    result = sereno("status", "--config", TECHMODA)
    assert result.returncode == 2
    assert result.stdout == ""
    assert "Unable to locate credentials (set AWS_PROFILE, or" in result.stderr
    assert "Traceback" not in result.stderr


def test_out_of_reach_is_no_traceback_either():
    result = sereno(
        *("status", "--config", TECHMODA),
        AWS_ACCESS_KEY_ID="x",
        AWS_SECRET_ACCESS_KEY="x",
        AWS_ENDPOINT_URL="http://127.0.0.1:9",
        AWS_MAX_ATTEMPTS="1",
    )
    assert result.returncode == 2
    assert "is there a way to AWS from here" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_reader_that_has_gone_is_no_error():
    process = subprocess.Popen(
        [sys.executable, "-m", "console.main", "synth", "--config", str(TECHMODA)],
        cwd=ROOT,
        env=BARE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    said = process.stderr.read().decode()
    process.stderr.close()
    assert process.wait(timeout=60) == 0
    assert said == ""


def test_ctrl_c_stops_a_drill_with_130_and_without_a_traceback():
    terminal, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "console.main", "drill", "quiet-day"],
        cwd=ROOT,
        env={**BARE, "TERM": "xterm"},
        stdout=subprocess.PIPE,
        stderr=theirs,
    ) as process:
        os.close(theirs)
        seen = b""
        while b"quiet-day, seed 1" not in seen:
            seen += os.read(terminal, 4096)
        process.send_signal(signal.SIGINT)
        said = _rest(terminal)
        assert process.wait(timeout=60) == 130, said
        assert process.stdout is not None
        assert process.stdout.read() == b""
    assert b"stopped" in said
    assert b"Traceback" not in said


def _rest(terminal: int) -> bytes:
    """What is said until the other side closes: Linux then answers EIO."""
    said = b""
    try:
        while more := os.read(terminal, 4096):
            said += more
    except OSError:
        pass
    os.close(terminal)
    return said


@pytest.mark.parametrize("setting", [{"NO_COLOR": "1", "FORCE_COLOR": "1"}, {}])
def test_no_colour_in_a_pipe_nor_where_it_is_not_wanted(setting):
    shown = sereno("scenarios", **setting)
    assert shown.returncode == 0
    assert "\x1b[3" not in shown.stdout
