"""`sereno deploy` and `sereno destroy` go their way on a CloudFormation that is not the one of the drills.

In an account of its own, so that nobody else's watch is taken away. The stacks are made by the code that the commands
run: bucket, upload, change set, execution, removal.
"""

from __future__ import annotations

import shutil
import time
from dataclasses import replace
from datetime import UTC, datetime

import pytest
import yaml
from proving.differences import adapted
from proving.emulator import OtherAccount
from proving.shop import EXAMPLE

from deploy import config, package, synth
from deploy.apply import artifacts, deployed, removal, rollout, room
from deploy.synth import names
from deploy.synth.split import Bundle
from remediators import registry
from remediators.ledger import Ledger
from sereno.model import Mode
from sereno.service import Service

pytestmark = pytest.mark.xdist_group("proof")

ACCOUNT = "210987654321"


def soon(_seconds):
    """The emulator's CloudFormation takes no time."""
    time.sleep(0.02)


@pytest.fixture(scope="module")
def aws(emulator):
    return OtherAccount(emulator.url, ACCOUNT)


@pytest.fixture(autouse=True)
def _by_path(monkeypatch):
    """The emulator finds a template by the path of its address alone, the bucket's name first."""
    monkeypatch.setattr(
        artifacts, "url", lambda bucket, region, key: f"https://s3.{region}.amazonaws.com/{bucket}/{key}"
    )


@pytest.fixture(scope="module")
def intent(shipped, tmp_path_factory):
    """What deploying the example there means, as the emulator takes it. The code is not run here: the one that is
    there will do."""
    raw = {**yaml.safe_load((EXAMPLE / "sereno.yaml").read_text(encoding="utf-8")), "account": ACCOUNT}
    compiled = config.compile_config(config.parse(yaml.safe_dump(raw)))
    code = tmp_path_factory.mktemp("code") / "code.zip"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(package, "build", lambda out, *_, **__: shutil.copy(shipped.package, out))
        intent = rollout.intend(Service.from_json(compiled), compiled, registry.all_remediators(), None, code)
    root = adapted(intent.bundle.root)
    return replace(intent, bundle=Bundle(root, synth.packed(root)))


def carry_out(aws, intent, name):
    """A change set made, looked at, and executed: what it changes, and how it ended."""
    made = rollout.propose(aws, intent, name, sleep=soon)
    return made, rollout.carry_out(aws, intent, made, sleep=soon)


def test_a_watch_is_deployed_found_unchanged_removed_and_deployed_again_onto_its_ledger(aws, intent):
    service, functions = intent.service, aws.client("lambda").list_functions
    assert room.problems(room.read(aws, intent.bundle.root, {})) == []
    assert rollout.make_bucket(aws, service, sleep=soon) == intent.bucket
    assert rollout.upload(aws, intent) == 2
    assert rollout.upload(aws, intent) == 0

    first, status = carry_out(aws, intent, "first")
    assert status == "CREATE_COMPLETE"
    assert {one["Action"] for one in first.changes} == {"Add"}
    assert len(first.changes) == len(intent.bundle.root["Resources"])
    assert names.round_function(service) in {one["FunctionName"] for one in functions()["Functions"]}

    there = deployed.read(aws, intent.stack)
    again = rollout.again(intent, there)
    assert again.changes == ()
    assert rollout.propose(aws, again, "second", sleep=soon).empty

    ledger = Ledger(aws.client("dynamodb"), names.ledger(service), service.name)
    ledger.set_mode("raise_concurrency", Mode.OBSERVE, "ana", datetime.now(UTC))
    removal.delete_stack(aws, there, sleep=soon)
    assert deployed.read(aws, intent.stack) is None
    assert functions()["Functions"] == []

    third, status = carry_out(aws, intent, "third")
    assert status == "CREATE_COMPLETE"
    taken_over = [one["LogicalResourceId"] for one in third.changes if one["Action"] == "Import"]
    assert taken_over == ["Ledger"]
    assert ledger.modes() == {"raise_concurrency": Mode.OBSERVE}
