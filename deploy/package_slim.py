"""What dependencies load at every start and a Lambda never uses, left behind.

Measured on a cold start of some 230 ms: botocore's generators of documentation cost 20 ms, its special cases for
other services (each is checked when registered, and copied for each client) 14 ms, and urllib3's question for the
version of HTTP/2, which botocore never speaks, 8 ms. Each cut first looks whether the code is still the one
it knows, and otherwise leaves it whole: a new version of a dependency may cost milliseconds, never the watch.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

Files = dict[str, bytes]

DOCS = "botocore/docs/"
# The only parts of `botocore.docs` that clients import: texts for help(), and little helpers without imports.
USED_DOCS = frozenset({".docstring", ".utils"})
_IMPORTS_DOCS = re.compile(rb"^\s*(?:from|import) botocore\.docs([\w.]*)", re.MULTILINE)
_DOCSTRING_CLASS = re.compile(r"^class (\w+)\(LazyLoadedDocstring\):", re.MULTILINE)

HOLLOW = '''"""Hollow: documentation is not generated on Lambda."""


class LazyLoadedDocstring(str):
    """No text, whatever it is made of."""

    def __new__(cls, *_args, **_kwargs):
        return super().__new__(cls)

    def __init__(self, *_args, **_kwargs):
        super().__init__()
'''

HTTP2 = "urllib3/http2/__init__.py"
_ASKS_VERSION = "from importlib.metadata import version\n"
_USES_VERSION = "def inject_into_urllib3() -> None:\n"


HANDLERS = "botocore/handlers.py"
_TABLE = "\nBUILTIN_HANDLERS = [\n"
# botocore emits these as `<kind>.<service>.<operation>`, and registers for all services without a second part. A
# client of a service without a model in the package cannot be made, so its events never come. A kind that is not
# listed is kept whole.
# https://boto3.amazonaws.com/v1/documentation/api/latest/guide/events.html
_KINDS = (
    "after-call",
    "before-call",
    "before-endpoint-resolution",
    "before-parameter-build",
    "before-parse",
    "before-sign",
    "choose-signer",
    "creating-client-class",
    "getattr",
    "needs-retry",
    "provide-client-params",
    "request-created",
)
ONLY_OURS = """
_OURS = {ours}
_KINDS = {kinds}


def _may_come(event):
    kind, _, rest = event.partition(".")
    return kind != "docs" and (kind not in _KINDS or rest.partition(".")[0] in _OURS)


BUILTIN_HANDLERS = [one for one in BUILTIN_HANDLERS if _may_come(one[0])]
"""


def slimmed(files: Mapping[str, bytes], services: Collection[str]) -> Files:
    """The files of the dependencies, by their path in the package, without what no Lambda uses. `services` are the
    names under which botocore's events know the packaged services."""
    return _handlers_of_ours(_http2_asks_late(_without_documentation(dict(files))), services)


def _without_documentation(files: Files) -> Files:
    used = {
        found.decode()
        for name, text in files.items()
        if name.startswith("botocore/") and not name.startswith(DOCS)
        for found in _IMPORTS_DOCS.findall(text)
    }
    source = files.get(f"{DOCS}docstring.py", b"").decode()
    classes = _DOCSTRING_CLASS.findall(source)
    if not classes or not used <= USED_DOCS or _IMPORTS_DOCS.search(files.get(f"{DOCS}utils.py", b"")):
        return files
    kept = {name: text for name, text in files.items() if not name.startswith(DOCS) or name == f"{DOCS}utils.py"}
    kept[f"{DOCS}__init__.py"] = b'"""Hollow: documentation is not generated on Lambda."""\n'
    hollow = "".join(f'\n\nclass {name}(LazyLoadedDocstring):\n    """No text."""\n' for name in classes)
    kept[f"{DOCS}docstring.py"] = (HOLLOW + hollow).encode()
    return kept


def _http2_asks_late(files: Files) -> Files:
    """Moves the import into the function that needs it."""
    source = files.get(HTTP2, b"").decode()
    if source.count(_ASKS_VERSION) == 1 and source.count(_USES_VERSION) == 1:
        late = source.replace(_ASKS_VERSION, "").replace(_USES_VERSION, f"{_USES_VERSION}    {_ASKS_VERSION}")
        files[HTTP2] = late.encode()
    return files


def _handlers_of_ours(files: Files, services: Collection[str]) -> Files:
    """Lets only those handlers be registered whose event may come. Those for documentation go with its generators."""
    source = files.get(HANDLERS, b"").decode()
    if source.count(_TABLE) == 1:
        ours = sorted({"", "*", *services})
        files[HANDLERS] = (source + ONLY_OURS.format(ours=ours, kinds=_KINDS)).encode()
    return files
