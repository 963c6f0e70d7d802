"""The zip needs nothing but itself and the standard library.

The emulator runs functions on the packages of its own environment too, so an undeclared dependency would go unnoticed
there. Here an interpreter without any installed package (-I -S) has the unpacked zip alone on its path, and does the
same work against the same emulator.
"""

from __future__ import annotations

import ast
import json
import subprocess
import sys
import sysconfig
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import pytest
from proving.emulator import REGION, ROOT_KEY
from proving.watch import TICK

pytestmark = pytest.mark.xdist_group("proof")

START = """
import json, os, sys
from datetime import UTC, datetime, timedelta
place, told = sys.argv[1], json.loads(sys.argv[2])
sys.path.insert(0, place)
assert not any("site-packages" in one for one in sys.path), sys.path
os.environ.update(told["environment"])
"""
# Both entries, each with an event, as Lambda calls them: the module's import is the Init phase.
WORK = """
import botocore.auth
ahead = timedelta(seconds=told["ahead_s"])
botocore.auth.get_current_datetime = lambda: (datetime.now(UTC) + ahead).replace(tzinfo=None)
import remediators.handler, remediators.round
answers = [remediators.round.handler(told["tick"], None), remediators.handler.handler(told["event"], None)]
from remediators import registry
for name in registry.names():
    registry.load(name)
files = sorted({one.__file__ for one in list(sys.modules.values()) if getattr(one, "__file__", None)})
print(json.dumps({"answers": answers, "files": files}))
"""
FIND = """
import importlib
missing = []
for name, part in told["imports"]:
    try:
        module = importlib.import_module(name)
        if part not in ("", "*") and not hasattr(module, part):
            importlib.import_module(f"{name}.{part}")
    except ImportError as error:
        missing.append(f"{name}: {error}")
print(json.dumps(missing))
"""


def bare(place, code, **told):
    """What the code prints last, run by an interpreter that can import the zip and the standard library alone."""
    command = [sys.executable, "-I", "-S", "-B", "-c", START + code, str(place), json.dumps(told)]
    run = subprocess.run(command, capture_output=True, text=True, check=False, env={"PATH": ""}, cwd=place)
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def unpacked(shipped, tmp_path_factory):
    place = tmp_path_factory.mktemp("task")
    with zipfile.ZipFile(shipped.package) as archive:
        archive.extractall(place)
    return place


@pytest.fixture
def environment(watch):
    """What Lambda sets, and what the template does."""
    return {
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": ROOT_KEY["aws_access_key_id"],
        "AWS_SECRET_ACCESS_KEY": ROOT_KEY["aws_secret_access_key"],
        "AWS_ENDPOINT_URL": watch.emulator.url,
        "SERENO_CONFIG": "sereno.json",
        "SERENO_LEDGER": watch.stack.outputs["Ledger"],
        "SERENO_TOPIC": watch.stack.outputs["Topic"],
        "SERENO_REMEDIATOR": "raise_concurrency",
        "POWERTOOLS_METRICS_NAMESPACE": "Sereno",
    }


def test_both_entries_work_with_the_zip_alone(unpacked, environment, watch):
    now = datetime.now(UTC).isoformat()  # no clock is moved in that interpreter
    asked = {"what": "rehearsal", "resource": "health", "by": "bare", "at": now}
    seen = bare(
        unpacked,
        WORK,
        environment=environment,
        ahead_s=watch.emulator.clock.ahead_s,
        tick=TICK,
        event={"sereno": asked},
    )
    tended, answered = seen["answers"]
    assert tended["failed"] == 0
    assert answered["remediations"][0]["reason"] == "NOT_BOUND"

    standard = {Path(sysconfig.get_path(name)).resolve() for name in ("stdlib", "platstdlib")}
    loaded = [Path(one).resolve() for one in seen["files"]]
    ours = [one for one in loaded if one.is_relative_to(unpacked.resolve())]
    others = [one for one in loaded if one not in ours and not any(one.is_relative_to(home) for home in standard)]
    assert others == []
    assert {one.relative_to(unpacked.resolve()).parts[0] for one in ours} >= {"sereno", "remediators", "botocore"}


def test_whatever_its_code_may_ever_import_is_there(unpacked, environment):
    """What a function imports late, in the midst of an outage, too."""
    imports = set()
    for path in [*(unpacked / "sereno").rglob("*.py"), *(unpacked / "remediators").rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                imports |= {(one.name, "") for one in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                imports |= {(node.module, one.name) for one in node.names}
    assert len(imports) > 50
    assert bare(unpacked, FIND, environment=environment, imports=sorted(imports)) == []
