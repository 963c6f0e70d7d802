"""Who may import whom, and what a Lambda loads before it can act. Counted, not timed."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

from deploy import config
from remediators import registry

ROOT = Path(__file__).resolve().parents[1]
LAYERS = ("console", "drills", "deploy", "dashboards", "alarms", "remediators", "sereno")


def modules(package):
    return sorted((ROOT / package).rglob("*.py"))


def imported(path):
    """The absolute names of the modules that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (one.name for one in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports hide who imports whom"
            yield node.module
            # `from package import module` imports the module.
            yield from (f"{node.module}.{one.name}" for one in node.names)


def tops(package):
    return {
        (path.relative_to(ROOT).as_posix(), name.split(".")[0])
        for path in modules(package)
        for name in imported(path)
    }


def test_imports_go_one_way():
    run = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout
    assert "Imports go one way KEPT" in run.stdout


def test_the_nouns_and_rules_need_only_the_standard_library():
    foreign = {(path, top) for path, top in tops("sereno") if top not in sys.stdlib_module_names}
    assert {top for _, top in foreign} == {"sereno"}


@pytest.mark.parametrize("package", ["sereno", "remediators", "alarms"])
def test_what_decides_cannot_know_whether_it_is_rehearsed(package):
    rehearsal = {"drills", "console", "benchmarks", "tests", "moto", "time_machine"}
    assert {(path, top) for path, top in tops(package) if top in rehearsal} == set()


def test_a_remediator_knows_no_other():
    """Files that begin with `_` are what several share."""
    for path in modules("remediators/actions"):
        others = {name for name in registry.names() if name != path.stem}
        seen = {name.rsplit(".", 1)[-1] for name in imported(path) if name.startswith("remediators.actions.")}
        assert seen & others == set(), path


def test_only_one_module_knows_x_ray():
    knowing = {path for path, top in tops("remediators") if top == "aws_xray_sdk"}
    assert knowing == {"remediators/telemetry.py"}


# -- the hot path

# Each of these costs a cold start from 20 to 700 ms, and none is needed to answer an alarm.
HEAVY = {
    "pydantic",
    "yaml",
    "jinja2",
    "typer",
    "rich",
    "moto",
    "numpy",
    "boto3",
    "s3transfer",
    "aws_xray_sdk",
    "wrapt",
    "asyncio",
    "slack_sdk",
    "alarms",
    "dashboards",
    "deploy",
    "drills",
    "console",
}
# 361 on CPython 3.11, of which some 150 are the standard library's; other versions split it differently.
MODULES = 420

START = """
import json, os, sys
sys.path.insert(0, sys.argv[1])
os.environ.update(AWS_ACCESS_KEY_ID="x", AWS_SECRET_ACCESS_KEY="x", SERENO_CONFIG=sys.argv[2],
                  SERENO_LEDGER="ledger", SERENO_TOPIC="arn:aws:sns:eu-west-1:123456789012:sereno-techmoda",
                  SERENO_REMEDIATOR=sys.argv[3])
%s
import gc
import remediators.handler
%s
print(json.dumps({"modules": sorted(sys.modules), "collects": gc.isenabled(), "frozen": gc.get_freeze_count(),
                  "watches": len(remediators.handler._watches)}))
"""


def started(tmp_path, name, *, before="", after="remediators.handler.warm_up(os.environ)"):
    compiled = config.compile_config(config.load(ROOT / "examples" / "techmoda" / "sereno.yaml"))
    configuration = tmp_path / "sereno.json"
    configuration.write_text(json.dumps(compiled))
    run = subprocess.run(
        [sys.executable, "-I", "-c", START % (before, after), str(ROOT), str(configuration), name],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


@pytest.mark.parametrize("name", registry.names())
def test_a_lambda_loads_its_own_remediator_and_nothing_heavy(tmp_path, name):
    # What the interpreter itself loads for the installed environment is none of ours.
    bare = set(
        json.loads(
            subprocess.run(
                [sys.executable, "-I", "-c", "import sys, json; print(json.dumps(sorted(sys.modules)))"],
                capture_output=True,
                text=True,
                check=True,
            ).stdout
        )
    )
    loaded = set(started(tmp_path, name)["modules"])
    assert {one for one in loaded - bare if one.split(".")[0] in HEAVY} == set()
    assert {one for one in loaded if one.removeprefix("remediators.actions.") in registry.names()} == {
        f"remediators.actions.{name}"
    }
    assert "remediators.round" not in loaded
    assert len(loaded) <= MODULES, sorted(loaded)


def test_all_is_ready_when_lambdas_init_phase_ends(tmp_path):
    on_lambda = 'os.environ["AWS_LAMBDA_INITIALIZATION_TYPE"] = "on-demand"'
    ready = started(tmp_path, "raise_concurrency", before=on_lambda, after="")
    assert ready["watches"] == 1
    assert "remediators.actions.raise_concurrency" in ready["modules"]
    assert ready["collects"]
    assert ready["frozen"] > 10_000


def test_elsewhere_an_import_does_nothing(tmp_path):
    imported_only = started(tmp_path, "raise_concurrency", after="")
    assert imported_only["watches"] == 0
    assert imported_only["collects"]
    assert imported_only["frozen"] == 0
