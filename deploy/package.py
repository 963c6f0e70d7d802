"""The zip that every function of a watch runs from: the same bytes for the same input.

Equal bytes mean an equal key, so deploying again without a change changes nothing; and whoever doubts what runs in
production can build it again and compare.

The interpreter that builds also compiles, and another version cannot use what it compiled. So the stack's parameter
`Runtime` must be `runtime()`: with any other, each cold start compiles all it loads, because Lambda's /var/task is
read-only. The watch works all the same.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
import zipfile
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from deploy import iam, package_botocore, package_slim, package_trace
from remediators import parity, region_settings, registry
from sereno.errors import SerenoError
from sereno.model import Json
from sereno.ports import Remediator

ROOT = Path(__file__).parents[1]
OURS = ("sereno", "remediators")
# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
UNPACKED_LIMIT = 250 * 1024 * 1024
# Not needed on Lambda: the installer's hooks, and a second CA bundle beside botocore's own.
LEFT_OUT = frozenset({"_distutils_hack", "certifi"})
DATA_SUFFIXES = frozenset({".json", ".pem"})
# Zip knows no earlier moment.
EPOCH = (1980, 1, 1, 0, 0, 0)
# The X-Ray SDK makes a client for its sampling rules when it is imported. It never calls it on Lambda, which has
# sampled already, so these need no permission.
_XRAY = ("xray.get_sampling_rules", "xray.get_sampling_targets")
# What the flow calls beside what remediators do.
_NOTIFIER = (
    "secretsmanager.get_secret_value",
    "sqs.change_message_visibility",
    "ssm.create_ops_item",
    "ssm.describe_ops_items",
    "ssm.update_ops_item",
)
# Who the function is takes no permission: https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html
_SELF_TEST = ("iam.simulate_principal_policy", "sts.get_caller_identity")
RUNTIME_OPERATIONS = (
    *iam.LEDGER_OPERATIONS,
    "sns.list_subscriptions_by_topic",
    "sns.publish",
    *(one.operation for one in iam.ROUND),
    *_NOTIFIER,
    *_SELF_TEST,
    *(one.operation for one in (*parity.PERMISSIONS, *region_settings.TELLS)),
    "dynamodb.describe_continuous_backups",
    *_XRAY,
)


@dataclass(frozen=True, slots=True)
class Report:
    """What a package weighs: bytes packed and unpacked, unpacked bytes by top folder, and the Lambda runtime whose
    interpreter can use the compiled files (any other compiles at each cold start)."""

    path: Path
    digest: str
    packed: int
    unpacked: int
    files: int
    by_folder: Mapping[str, int]
    runtime: str

    def __str__(self) -> str:
        folders = ", ".join(f"{name} {size / 1024:.0f}" for name, size in self.by_folder.items())
        return (
            f"{self.path.name}: {self.packed / 1024:.0f} KiB packed, {self.unpacked / 1024:.0f} KiB in "
            f"{self.files} files ({folders}), {self.digest[:12]}; deploy it with Runtime={self.runtime}"
        )


def build(out: Path, compiled: Json, *, remediators: Mapping[str, Remediator] | None = None) -> Path:
    """Writes the package to `out` and returns it. `compiled` is what `deploy.config.compile_config` gave,
    `remediators` those packed (all in the house, unless given).

    Raises SerenoError when the code cannot be loaded or compiled, or is larger than Lambda takes, and InvalidInput
    for an operation that botocore does not know.
    """
    packed = registry.all_remediators() if remediators is None else remediators
    content = dict(_contents(compiled, packed))
    with tempfile.TemporaryDirectory() as place:
        stage = Path(place)
        for name, data in content.items():
            (stage / name).parent.mkdir(parents=True, exist_ok=True)
            (stage / name).write_bytes(data)
        _compile(stage)
        files = {path.relative_to(stage).as_posix(): path.read_bytes() for path in stage.rglob("*") if path.is_file()}
    size = sum(map(len, files.values()))
    if size > UNPACKED_LIMIT:
        raise SerenoError(f"the package unpacks to {size} bytes; Lambda takes {UNPACKED_LIMIT}")
    out.parent.mkdir(parents=True, exist_ok=True)
    _write(out, files)
    return out


def report(path: Path) -> Report:
    """What the package at `path` weighs."""
    by_folder: Counter[str] = Counter()
    with zipfile.ZipFile(path) as archive:
        entries = archive.infolist()
    for entry in entries:
        by_folder[entry.filename.split("/")[0]] += entry.file_size
    return Report(
        path=path,
        digest=hashlib.sha256(path.read_bytes()).hexdigest(),
        packed=path.stat().st_size,
        unpacked=sum(by_folder.values()),
        files=len(entries),
        by_folder=dict(by_folder.most_common()),
        runtime=runtime(),
    )


def runtime() -> str:
    """The Lambda runtime of this interpreter, which compiles the package."""
    return f"python{sys.version_info.major}.{sys.version_info.minor}"


def operations(remediators: Mapping[str, Remediator]) -> list[str]:
    """Every operation that the packaged clients must know, as `service.method`."""
    own = (permission.operation for one in remediators.values() for permission in one.permissions)
    return sorted({*own, *RUNTIME_OPERATIONS})


def _contents(compiled: Json, remediators: Mapping[str, Remediator]) -> Iterator[tuple[str, bytes]]:
    wanted = operations(remediators)
    yield "sereno.json", json.dumps(compiled, sort_keys=True, ensure_ascii=False).encode()
    for package in OURS:
        # The notifier's words are data.
        for path in sorted(one for one in (ROOT / package).rglob("*") if one.suffix in (".py", ".json")):
            yield path.relative_to(ROOT).as_posix(), path.read_bytes()
    services = package_botocore.by_service(wanted)
    models = dict(package_botocore.files(wanted))
    found = _dependencies(package_trace.loaded(remediators, services))
    dependencies = {name: path.read_bytes() for name, path in found}
    yield from package_slim.slimmed(dependencies, package_botocore.event_names(models)).items()
    yield from models.items()


def _dependencies(loaded: list[Path]) -> Iterator[tuple[str, Path]]:
    """The modules beside each loaded one, and the data of their packages. Compiled extensions are left out: they
    are of this machine's processor, and the packages that bring one (wrapt) have it in Python too."""
    taken: dict[str, Path] = {}
    for path in loaded:
        site = next(parent for parent in path.parents if parent.name == "site-packages")
        top = path.relative_to(site).parts[0]
        if top in LEFT_OUT or top.startswith("__editable__"):
            continue
        if path.parent == site:
            taken[path.name] = path
            continue
        folder = path.parent
        taken |= {one.relative_to(site).as_posix(): one for one in folder.glob("*.py")}
        if top == "botocore":
            # Its data is trimmed apart; the CA bundle is the one other file that it reads.
            taken |= {one.relative_to(site).as_posix(): one for one in folder.glob("*.pem")}
        else:
            data = (one for one in (site / top).rglob("*") if one.suffix in DATA_SUFFIXES)
            taken |= {one.relative_to(site).as_posix(): one for one in data}
    yield from sorted(taken.items())


# In an interpreter of its own: marshal writes an object that is shared in memory differently from one that is not,
# so code compiled in a process with a history is not always the same bytes.
_COMPILER = """
import compileall, pathlib, py_compile, sys
done = compileall.compile_dir(
    sys.argv[1], ddir="/var/task", quiet=1, force=True, maxlevels=50,
    invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)
sys.exit(0 if done else 1)
"""


def _compile(stage: Path) -> None:
    """Compiles everything, unchecked: Lambda's files never change, and looking at each source costs time."""
    run = subprocess.run(  # noqa: S603 - our own interpreter on our own files
        [sys.executable, "-s", "-P", "-c", _COMPILER, str(stage)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONHASHSEED": "0"},
    )
    if run.returncode != 0:
        raise SerenoError(f"the package cannot be compiled:\n{run.stdout}{run.stderr}")


def _write(out: Path, files: Mapping[str, bytes]) -> None:
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system = 3  # Unix, whatever machine builds
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, files[name])
