"""What dependencies load at every start and a Lambda never uses, left behind.

Measured on a cold start of some 230 ms: botocore's generators of documentation cost 20 ms, and urllib3's question
for the version of HTTP/2, which botocore never speaks, 8 ms. Each cut first looks whether the code is still the one
it knows, and otherwise leaves it whole: a new version of a dependency may cost milliseconds, never the watch.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

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


def slimmed(files: Mapping[str, bytes]) -> Files:
    """The files of the dependencies, by their path in the package, without what no Lambda uses."""
    return _http2_asks_late(_without_documentation(dict(files)))


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
