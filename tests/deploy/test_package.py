"""The zip runs on a bare interpreter, and is the same whenever it is built from the same."""

import json
import subprocess
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from deploy import config, iam, package, package_botocore, synth
from remediators import parity, prober, region_settings, registry
from sereno.errors import InvalidInput
from sereno.service import Service

# The package is built for all of them.
pytestmark = pytest.mark.xdist_group("deploy-package")

ROOT = Path(__file__).parents[2]

# Only the package and the standard library can be imported here.
BARE = """
import json, os, sys
place = sys.argv[1]
sys.path.insert(0, place)
assert not any("site-packages" in one for one in sys.path), sys.path
os.environ.update(AWS_ACCESS_KEY_ID="x", AWS_SECRET_ACCESS_KEY="x", SERENO_CONFIG=place + "/sereno.json",
                  SERENO_LEDGER="ledger", SERENO_TOPIC="arn:aws:sns:eu-west-1:123456789012:sereno-techmoda")
"""

CALLS = """
import remediators.round, remediators.handler
from remediators import registry
from botocore.awsrequest import AWSResponse

sent = []
class Raw:
    def __init__(self, body): self.body = body
    def stream(self, **_): yield self.body
def answer(request, **_):
    body = request.body
    sent.append([request.method, request.url, body.decode() if isinstance(body, bytes) else body])
    return AWSResponse(request.url, 200, {}, Raw(b"{}"))

watch = remediators.handler.set_up(os.environ)
def call(service, method, **params):
    client = watch.aws.client(service)
    client.meta.events.register("before-send", answer)
    getattr(client, method)(**params)
    return sorted(client.meta.service_model.operation_names)

known = {
    "lambda": call("lambda", "put_function_concurrency", FunctionName="f", ReservedConcurrentExecutions=240),
    "dynamodb": call("dynamodb", "transact_write_items", TransactItems=[
        {"Put": {"TableName": "t", "Item": {"pk": {"S": "x"}}}}]),
}
remediators = {name: len(registry.load(name).permissions) for name in registry.names()}
from aws_xray_sdk.core import patch
patch(("botocore",))
print(json.dumps({"sent": sent, "known": known, "remediators": remediators, "service": watch.service.name,
                  "boto3": "boto3" in sys.modules, "pydantic": "pydantic" in sys.modules}))
"""


def bare(place: Path, code: str) -> dict:
    run = subprocess.run(
        [sys.executable, "-I", "-S", "-B", "-c", BARE + code, str(place)], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def compiled():
    return config.compile_config(config.load(ROOT / "examples" / "techmoda" / "sereno.yaml"))


@pytest.fixture(scope="module")
def built(tmp_path_factory, compiled):
    """The package, built twice at once."""
    place = tmp_path_factory.mktemp("package")
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(lambda name: package.build(place / name, compiled), ("one.zip", "two.zip")))


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory, built):
    place = tmp_path_factory.mktemp("task")
    with zipfile.ZipFile(built[0]) as archive:
        archive.extractall(place)
    return place


@pytest.fixture(scope="module")
def seen(unpacked):
    """What happened when it ran."""
    return bare(unpacked, CALLS)


def test_the_same_input_gives_the_same_bytes(built):
    assert built[0].read_bytes() == built[1].read_bytes()


def test_it_runs_where_nothing_else_can_be_imported(seen):
    assert seen["service"] == "techmoda"
    assert set(seen["remediators"]) >= {"raise_concurrency", "open_incident"}
    assert not seen["boto3"]
    assert not seen["pydantic"]


def test_trimmed_clients_still_send_what_aws_expects(seen):
    concurrency, transaction = seen["sent"]
    assert concurrency[:2] == ["PUT", "https://lambda.eu-west-1.amazonaws.com/2017-10-31/functions/f/concurrency"]
    assert json.loads(concurrency[2]) == {"ReservedConcurrentExecutions": 240}
    assert transaction[1] == "https://dynamodb.eu-west-1.amazonaws.com/"
    assert json.loads(transaction[2])["TransactItems"][0]["Put"]["Item"] == {"pk": {"S": "x"}}


def test_clients_know_all_that_any_function_of_two_regions_may_call():
    """A client that does not know an operation has no such method: the permission alone is of no use."""
    known = set(package.operations(registry.all_remediators()))
    needed = (parity.PERMISSIONS, region_settings.TELLS, prober.PRIMARY, prober.STANDBY, prober.WITNESS, iam.COMMON)
    # Lambda delivers to the destination itself, and the daemon beside the function sends the segments.
    others = {"sqs.send_message", "xray.put_trace_segments", "xray.put_telemetry_records"}
    assert {one.operation for each in needed for one in each} <= known | others


def test_clients_know_only_what_is_used(seen):
    known = seen["known"]
    assert "PutFunctionConcurrency" in known["lambda"]
    assert "DeleteFunction" not in known["lambda"]
    assert "DeleteTable" not in known["dynamodb"]


def test_its_compiled_files_are_used_without_looking_at_their_sources(unpacked):
    code = """
import importlib.util, pathlib
found = {}
for name in ("sereno.model", "remediators.handler", "botocore.client"):
    spec = importlib.util.find_spec(name)
    head = pathlib.Path(spec.cached).read_bytes()[:8]
    found[name] = [head[:4] == importlib.util.MAGIC_NUMBER, int.from_bytes(head[4:], "little")]
print(json.dumps(found))
"""
    seen = bare(unpacked, code)
    # Bit 0: validated by hash; bit 1 unset: and never checked.
    assert set(map(tuple, seen.values())) == {(True, 1)}


def test_it_carries_nothing_of_this_machine(built):
    with zipfile.ZipFile(built[0]) as archive:
        entries = archive.infolist()
        together = b"".join(archive.read(one) for one in entries)
        (model,) = [one for one in entries if one.filename.startswith("sereno/__pycache__/model.")]
        assert b"/var/task/sereno/model.py" in archive.read(model)
    assert {one.date_time for one in entries} == {(1980, 1, 1, 0, 0, 0)}
    assert not [one.filename for one in entries if one.filename.endswith(".so")]
    assert str(ROOT).encode() not in together
    assert [one.filename for one in entries] == sorted(one.filename for one in entries)


def test_it_holds_python_and_data_alone_so_that_either_processor_runs_it(built, compiled):
    """The functions' processor is a parameter: nothing in the zip may be of one."""
    native = (b"\x7fELF", b"MZ", b"\xcf\xfa\xed\xfe", b"\xca\xfe\xba\xbe", b"!<arch>")
    with zipfile.ZipFile(built[0]) as archive:
        held = {one.filename: archive.read(one)[:8] for one in archive.infolist()}
    assert {Path(name).suffix for name in held} == {".py", ".pyc", ".json", ".pem"}
    assert [name for name, head in held.items() if head.startswith(native)] == []
    template = synth.synthesise(Service.from_json(compiled), compiled, remediators=registry.all_remediators())
    processor = template["Parameters"]["Architecture"]
    assert (processor["Default"], sorted(processor["AllowedValues"])) == ("arm64", ["arm64", "x86_64"])
    functions = [one for one in template["Resources"].values() if one["Type"] == "AWS::Lambda::Function"]
    assert all(one["Properties"]["Architectures"] == [{"Ref": "Architecture"}] for one in functions)


def test_its_report_adds_up(built):
    report = package.report(built[0])
    assert report.packed == built[0].stat().st_size
    assert sum(report.by_folder.values()) == report.unpacked
    assert report.packed < 4 * 1024 * 1024
    assert "KiB packed" in str(report)


def test_it_says_which_runtime_it_is_for_and_the_template_takes_it(built):
    report = package.report(built[0])
    assert report.runtime == f"python{sys.version_info.major}.{sys.version_info.minor}"
    assert report.runtime in synth.PARAMETERS["Runtime"]["AllowedValues"]
    assert str(report).endswith(f"deploy it with Runtime={report.runtime}")
    with zipfile.ZipFile(built[0]) as archive:
        compiled = {name.split(".")[-2] for name in archive.namelist() if name.endswith(".pyc")}
    assert compiled == {sys.implementation.cache_tag}


MODEL = {
    "metadata": {"protocol": "json"},
    "documentation": "long",
    "operations": {
        "PutThing": {
            "name": "PutThing",
            "input": {"shape": "PutInput"},
            "errors": [{"shape": "Refused"}],
            "documentation": "long",
        },
        "DropThing": {"name": "DropThing", "input": {"shape": "DropInput"}},
    },
    "shapes": {
        "PutInput": {
            "type": "structure",
            "members": {"documentation": {"shape": "Text", "documentation": "long"}, "tree": {"shape": "Tree"}},
        },
        "Tree": {"type": "list", "member": {"shape": "Tree"}},
        "Refused": {"type": "structure", "members": {"by": {"shape": "ByName"}}},
        "ByName": {"type": "map", "key": {"shape": "Text"}, "value": {"shape": "Number"}},
        "Text": {"type": "string"},
        "Number": {"type": "integer"},
        "DropInput": {"type": "structure", "members": {}},
    },
}


def test_a_trimmed_model_keeps_every_shape_that_its_operations_reach():
    trimmed, unknown = package_botocore.trim_model(MODEL, ["put_thing"])
    assert unknown == []
    assert set(trimmed["operations"]) == {"PutThing"}
    assert set(trimmed["shapes"]) == {"PutInput", "Tree", "Refused", "ByName", "Text", "Number"}


def test_documentation_goes_and_a_member_of_that_name_stays():
    trimmed, _ = package_botocore.trim_model(MODEL, ["put_thing"])
    assert "long" not in json.dumps(trimmed)
    assert trimmed["shapes"]["PutInput"]["members"]["documentation"] == {"shape": "Text"}


def test_an_operation_that_botocore_does_not_know_is_named():
    with pytest.raises(InvalidInput, match=r"lambda\.fly.*is no operation of botocore"):
        list(package_botocore.files(["lambda.fly", "lambda.get_function"]))
