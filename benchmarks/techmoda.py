"""The example that the benches measure on, and fresh processes to measure in."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

from deploy import config, package
from sereno.model import Json

ROOT = Path(__file__).resolve().parents[1]
SERENO_YAML = ROOT / "examples" / "techmoda" / "sereno.yaml"


def compiled() -> Json:
    """TechModa's compiled configuration."""
    return config.compile_config(config.load(SERENO_YAML))


@lru_cache(maxsize=1)
def minimal() -> Json:
    """The compiled configuration of the smallest example: one function."""
    return config.compile_config(config.load(ROOT / "examples" / "minimal.yaml"))


@contextmanager
def built() -> Iterator[tuple[Path, Path]]:
    """(the package, the folder it is unpacked in, as Lambda does to /var/task)."""
    with tempfile.TemporaryDirectory() as place:
        zipped = package.build(Path(place) / "sereno.zip", compiled())
        task = Path(place) / "task"
        with zipfile.ZipFile(zipped) as archive:
            archive.extractall(task)
        yield zipped, task


def fresh(code: str, path: Sequence[Path], *arguments: str, isolated: bool = True) -> str:
    """What `code` prints in a fresh interpreter that finds only the standard library and `path`; with `isolated`
    off, this environment's packages too. Raises CalledProcessError."""
    begin = f"import sys; sys.path[:0] = {[str(one) for one in path]!r}\n"
    flags = ["-I", "-S", "-B"] if isolated else ["-I", "-B"]
    return subprocess.run(
        [sys.executable, *flags, "-c", begin + code, *arguments],
        cwd=ROOT,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        timeout=300,
    ).stdout
