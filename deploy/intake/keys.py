"""The keys of `sereno.yaml`: short words made of logical ids, each once in the file."""

from __future__ import annotations

import re
from collections.abc import Iterable

from deploy.intake.findings import Draft

# Words that say what a resource is and not which; the section says it already.
_KIND_WORDS = {
    "functions": {"function", "functions", "lambda", "fn", "func", "handler"},
    "tables": {"table", "dynamodb", "dynamo", "ddb", "global", "db"},
    "apis": {"api", "apis", "rest", "http", "gateway", "apigateway", "apigw", "gw", "serverless"},
}
_ALONE = {"functions": "function", "tables": "table", "apis": "api"}
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
# The CDK ends a logical id with eight characters of a hash.
_HASH = re.compile(r"(?=[0-9A-F]*[0-9])[0-9A-F]{8}$")
LONGEST = 63


def assign(drafts: Iterable[Draft], service: str) -> None:
    """Gives every draft a key that nothing else in the file has; the service's name is one of them."""
    taken = {service}
    for draft in drafts:
        draft.key = next(one for one in _candidates(draft) if one not in taken)
        taken.add(draft.key)


def _candidates(draft: Draft) -> Iterable[str]:
    words = words_of(draft.logical_id)
    kind = _KIND_WORDS[draft.section]
    alone = _ALONE[draft.section]
    short = list(words)
    while short and short[-1] in kind:
        short.pop()
    if draft.section == "apis":
        short = short if any(one not in kind for one in short) else []
    yield _key(short or [alone], alone)
    yield _key(words, alone)
    nested = draft.place.rpartition("/")[0].split("/")
    full = [word for part in nested for word in words_of(part)] + words
    yield _key(full, alone)
    if draft.section == "apis":
        yield _key([*full, *words_of(str(draft.fields.get("stage", "")))], alone)
    number = 2
    while True:
        yield f"{_key(full, alone)[: LONGEST - 6]}-{number}"
        number += 1


def words_of(name: str) -> list[str]:
    """The words of a logical id, in lower case, without the CDK's hash."""
    return [word.lower() for word in _WORD.findall(_HASH.sub("", name))]


def _key(words: list[str], alone: str) -> str:
    text = "-".join(words)[:LONGEST].strip("-") or alone
    return text if text[0].isalpha() else f"{alone}-{text}"[:LONGEST]


def service_name(text: str) -> str:
    """A service's name made of a stack's: 2 to 30 of a-z, 0-9 and -, beginning with a letter."""
    name = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:30].strip("-")
    name = name if name and name[0].isalpha() else f"s-{name}"[:30].strip("-")
    return name if len(name) >= 2 else f"{name}-app"
