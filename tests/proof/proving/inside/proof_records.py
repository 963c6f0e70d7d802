"""The condition keys of Route 53 that the emulator does not know: which records a ChangeResourceRecordSets names, of
which types, and by which actions.

Without them a statement that demands a key's presence (`Null: false`) refuses every call.
https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/specifying-conditions-route53.html
"""

import importlib.util
import sys
import xml.etree.ElementTree as ET
from typing import Any

CHANGE = "route53:ChangeResourceRecordSets"


def keys_of(body: bytes) -> dict[str, list[str]]:
    """The condition keys of one request; none for a text that is no batch of changes."""
    try:
        root = ET.fromstring(body or b"")
    except ET.ParseError:
        return {}
    found: dict[str, list[str]] = {}
    for key, tag in (("NormalizedRecordNames", "Name"), ("RecordTypes", "Type"), ("Actions", "Action")):
        values = [
            _normalised(one.text or "") if tag == "Name" else one.text or "" for one in root.iter(_in(root, tag))
        ]
        if values:
            found[CHANGE + key] = list(dict.fromkeys(values))
    return found


def _in(root: ET.Element, tag: str) -> str:
    """The tag in the namespace of the document."""
    namespace = root.tag.partition("}")[0]
    return f"{namespace}}}{tag}" if root.tag.startswith("{") else tag


def _normalised(name: str) -> str:
    """Lower case, without the last dot."""
    return name.lower().rstrip(".")


def _install() -> None:
    from ministack.core import iam_actions

    context_of = iam_actions.request_tag_context

    def context_with_records(service: str, action: str, body: bytes, *rest: Any) -> Any:
        keys = keys_of(body) if action == CHANGE else {}
        return {**context_of(service, action, body, *rest), **keys}

    iam_actions.request_tag_context = context_with_records


if "ministack" in sys.orig_argv and importlib.util.find_spec("ministack"):
    _install()
