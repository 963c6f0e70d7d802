"""Which installed modules the Lambdas load, found by loading them in a fresh interpreter.

A list kept by hand would go stale unseen: the watch would fail at its first event. Whole packages would carry what
is never run. So everything an invocation may do is imported once, and each folder that a module came from is taken
with all its modules (what a function imports late lies beside what it imports early).
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Collection
from pathlib import Path

from sereno.errors import SerenoError

ROOT = Path(__file__).parents[1]

# Everything an invocation may load: every entry, every remediator, the tracing of a sampled invocation, a written
# metric and a log line. Clients are made and nothing is called.
PROBE = """
import json, os, sys
names, services, root = json.loads(sys.argv[1])
sys.path.insert(0, root)
os.environ.update(AWS_DEFAULT_REGION="eu-west-1", AWS_ACCESS_KEY_ID="x", AWS_SECRET_ACCESS_KEY="x",
                  POWERTOOLS_METRICS_NAMESPACE="Sereno")
stdout, sys.stdout = sys.stdout, open(os.devnull, "w")
import remediators.handler, remediators.round
import remediators.notifier.actions, remediators.notifier.handler
from remediators import registry
from remediators.clients import BotocoreAws
from remediators.telemetry import PowertoolsTelemetry
for name in names:
    registry.load(name)
aws = BotocoreAws("eu-west-1")
for service in services:
    aws.client(service)
telemetry = PowertoolsTelemetry("probe")
telemetry.log("info", "probe")
telemetry.count("Probe")
telemetry.count("Probe", remediator="probe")
telemetry.flush()
from aws_xray_sdk.core import patch, xray_recorder
patch(("botocore",))
sys.stdout = stdout
print(json.dumps(sorted({module.__file__ for module in list(sys.modules.values())
                         if getattr(module, "__file__", None)})))
"""


def loaded(remediators: Collection[str], services: Collection[str]) -> list[Path]:
    """The files of every module that the Lambdas load beyond the standard library and this project.

    Raises SerenoError with the interpreter's words when they cannot be loaded.
    """
    wishes = json.dumps([sorted(remediators), sorted(services), str(ROOT)])
    # The probe is ours, and the arguments name remediators of this house.
    run = subprocess.run(  # noqa: S603
        [sys.executable, "-I", "-c", PROBE, wishes],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    if run.returncode != 0:
        raise SerenoError(f"the Lambdas' code cannot be loaded:\n{run.stderr.strip()}")
    files = [Path(one) for one in json.loads(run.stdout.splitlines()[-1])]
    return [one for one in files if "site-packages" in one.parts]
