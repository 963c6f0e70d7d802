"""Cuts are made only where the dependency's code is still the one that was read."""

from pathlib import Path

import botocore
import pytest
import urllib3
from botocore import handlers
from botocore.session import Session

from deploy import package_botocore, package_slim

OURS = {"lambda", "dynamodb", "sns", "cloudwatch", "monitoring"}
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
    slim = package_slim.slimmed(botocore_files(), OURS)
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
    assert package_slim.slimmed(botocore_files(**more), OURS) == botocore_files(**more)


def test_documentation_stays_whole_when_its_classes_are_no_longer_found():
    more = {"botocore/docs/docstring.py": b"ClientMethodDocstring = make()\n"}
    assert package_slim.slimmed(botocore_files(**more), OURS) == botocore_files(**more)


def test_http2_asks_for_its_version_only_when_it_is_switched_on():
    known = b"from importlib.metadata import version\n\ndef inject_into_urllib3() -> None:\n    version('h2')\n"
    slim = package_slim.slimmed({package_slim.HTTP2: known}, OURS)[package_slim.HTTP2].decode()
    made = {}
    exec(slim, made)
    assert "version" not in made
    assert "inject_into_urllib3() -> None:\n    from importlib.metadata import version\n" in slim


def test_other_code_of_http2_is_left_alone():
    other = {package_slim.HTTP2: b"import importlib.metadata\n"}
    assert package_slim.slimmed(other, OURS) == other


def test_every_cut_fits_the_versions_installed_here():
    root = Path(botocore.__file__).parents[1]
    files = {
        path.relative_to(root).as_posix(): path.read_bytes()
        for package in (botocore, urllib3)
        for path in Path(package.__file__).parent.rglob("*.py")
    }
    slim = package_slim.slimmed(files, OURS)
    assert "botocore/docs/service.py" not in slim
    assert slim[package_slim.HTTP2] != files[package_slim.HTTP2]
    assert slim[package_slim.HANDLERS] != files[package_slim.HANDLERS]


# -- handlers


def events_of(services=None):
    """The events in botocore's table, whole or slimmed. Not from the module: moto adds to its table when imported."""
    source = Path(handlers.__file__).read_bytes()
    if services is not None:
        source = package_slim.slimmed({package_slim.HANDLERS: source}, services)[package_slim.HANDLERS]
    made = {"__name__": "botocore.handlers"}
    exec(source, made)
    return [one[0] for one in made["BUILTIN_HANDLERS"]]


def test_handlers_for_services_that_are_not_packaged_go():
    left = events_of(OURS)
    assert len(left) < len(events_of()) / 4
    assert not [event for event in left if event.startswith("docs.") or ".s3." in event or event.endswith(".s3")]


def test_handlers_for_every_service_and_for_ours_stay():
    left, all_of_them = events_of({*OURS, "s3"}), events_of()
    for_all = [event for event in all_of_them if "." not in event]
    for_s3 = [event for event in all_of_them if event.split(".")[1:2] == ["s3"] and not event.startswith("docs")]
    assert for_all
    assert for_s3
    assert [event for event in left if event in for_all] == for_all
    assert [event for event in left if event in for_s3] == for_s3


def test_an_event_of_an_unknown_kind_is_nobodys_business_to_cut():
    made = {"BUILTIN_HANDLERS": [("brand-new.s3.PutObject", print), ("before-call.s3", print)]}
    exec(package_slim.ONLY_OURS.format(ours=sorted(OURS), kinds=package_slim._KINDS), made)
    assert made["BUILTIN_HANDLERS"] == [("brand-new.s3.PutObject", print)]


@pytest.mark.parametrize("service", ["application-autoscaling", "cloudwatch", "dynamodb", "lambda", "sns"])
def test_services_are_known_by_every_name_that_botocore_uses(service):
    model = Session().get_service_model(service)
    data = dict(package_botocore.files([f"{service}.{ONE_OF[service]}"]))
    assert package_botocore.event_names(data) == {model.service_id.hyphenize(), model.endpoint_prefix, service}


ONE_OF = {
    "application-autoscaling": "describe_scalable_targets",
    "cloudwatch": "get_metric_data",
    "dynamodb": "get_item",
    "lambda": "get_function",
    "sns": "publish",
}
