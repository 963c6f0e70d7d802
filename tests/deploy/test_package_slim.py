"""Cuts are made only where the dependency's code is still the one that was read."""

from pathlib import Path

import botocore
import urllib3

from deploy import package_slim

DOCSTRING = b"class ClientMethodDocstring(LazyLoadedDocstring):\n    pass\n"


def botocore_files(**more):
    return {
        "botocore/client.py": b"from botocore.docs.docstring import ClientMethodDocstring\n",
        "botocore/docs/__init__.py": b"from botocore.docs.service import ServiceDocumenter\n",
        "botocore/docs/docstring.py": DOCSTRING,
        "botocore/docs/service.py": b"import os\n",
        "botocore/docs/utils.py": b"import re\n",
        **more,
    }


def test_documentation_is_hollow_and_its_names_stay():
    slim = package_slim.slimmed(botocore_files())
    assert set(slim) == {
        "botocore/client.py",
        "botocore/docs/__init__.py",
        "botocore/docs/docstring.py",
        "botocore/docs/utils.py",
    }
    made = {}
    exec(slim["botocore/docs/docstring.py"], made)
    assert str(made["ClientMethodDocstring"](operation_model=object(), method_name="publish")) == ""


def test_documentation_stays_whole_when_anything_else_of_it_is_used():
    more = {"botocore/session.py": b"    from botocore.docs.service import ServiceDocumenter\n"}
    assert package_slim.slimmed(botocore_files(**more)) == botocore_files(**more)


def test_documentation_stays_whole_when_its_classes_are_no_longer_found():
    more = {"botocore/docs/docstring.py": b"ClientMethodDocstring = make()\n"}
    assert package_slim.slimmed(botocore_files(**more)) == botocore_files(**more)


def test_http2_asks_for_its_version_only_when_it_is_switched_on():
    known = b"from importlib.metadata import version\n\ndef inject_into_urllib3() -> None:\n    version('h2')\n"
    slim = package_slim.slimmed({package_slim.HTTP2: known})[package_slim.HTTP2].decode()
    made = {}
    exec(slim, made)
    assert "version" not in made
    assert "inject_into_urllib3() -> None:\n    from importlib.metadata import version\n" in slim


def test_other_code_of_http2_is_left_alone():
    other = {package_slim.HTTP2: b"import importlib.metadata\n"}
    assert package_slim.slimmed(other) == other


def test_both_cuts_fit_the_versions_installed_here():
    root = Path(botocore.__file__).parents[1]
    files = {
        path.relative_to(root).as_posix(): path.read_bytes()
        for package in (botocore, urllib3)
        for path in Path(package.__file__).parent.rglob("*.py")
    }
    slim = package_slim.slimmed(files)
    assert "botocore/docs/service.py" not in slim
    assert slim[package_slim.HTTP2] != files[package_slim.HTTP2]
