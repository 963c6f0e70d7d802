"""The way from a template to what `sereno.yaml` is made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from deploy.intake import apis, decode, functions, keys, tables, uses
from deploy.intake.findings import SECTIONS, Draft, Intake, Log
from deploy.intake.opening import Opener
from deploy.intake.scope import Given, Scope
from deploy.intake.values import Trace
from sereno.errors import InvalidInput, Problem

OBJECTIVES: Mapping[str, str] = {"availability": "99.9%", "p99": "1000ms", "surge": "3x", "rpo": "15m", "rto": "30m"}
"""Sereno's own defaults, written out: no template promises anything."""

_NOTHING = (
    "names nothing that Sereno watches (functions, REST and HTTP APIs, DynamoDB tables); "
    "name the template that creates them"
)
Amend = Callable[[Scope, Draft], None]


@dataclass(frozen=True, slots=True)
class Told:
    """A value from outside. `why` says why it is only assumed (nothing: it was given), `mend` how to give it."""

    value: str
    why: str = ""
    mend: str = ""


@dataclass(frozen=True, slots=True)
class Outside:
    """What a person, their credentials or their folder tell beside the template."""

    stack: Told
    account: Told
    region: Told
    service: str | None = None

    @property
    def assumed(self) -> frozenset[str]:
        """The pseudo parameters that nobody gave."""
        told = {"AWS::StackName": self.stack, "AWS::AccountId": self.account, "AWS::Region": self.region}
        return frozenset(name for name, one in told.items() if one.why)


def from_template(
    path: Path, outside: Outside, parameters: Mapping[str, str] | None = None, usual: Mapping[str, str] | None = None
) -> Intake:
    """Reads a template and those nested in it. `parameters` are given by a person and must be declared; of `usual`,
    what a deployment's configuration would give, only those count that are.

    Raises InvalidInput when it is no template, or holds nothing to watch.
    """
    log = Log()
    source = str(path)
    given = Given(
        outside.stack.value,
        outside.region.value,
        outside.account.value,
        outside.assumed,
        {**_declared(path, source, usual or {}), **(parameters or {})},
    )
    opener = Opener(log)
    try:
        opener.open(path, given, source)
        return assemble(opener.scopes, outside, log, source)
    except RecursionError:
        raise InvalidInput(source, [Problem("the file", None, "nests too deeply to be a template")]) from None


def _declared(path: Path, source: str, usual: Mapping[str, str]) -> dict[str, str]:
    if not usual:
        return {}
    data = decode.read(path, source)
    declared = data.get("Parameters") if isinstance(data, dict) else None
    return {name: value for name, value in usual.items() if isinstance(declared, dict) and name in declared}


def assemble(scopes: list[Scope], outside: Outside, log: Log, source: str, amend: Amend | None = None) -> Intake:
    """Finds the resources of some scopes, joins functions with their tables, names everything, tells what is assumed.

    `amend` corrects a draft by what is deployed. Raises InvalidInput when there is nothing to watch.
    """
    found: dict[str, list[tuple[Scope, Draft]]] = {section: [] for section in SECTIONS}
    for scope in scopes:
        for section, find in (("apis", apis.drafts), ("functions", functions.drafts), ("tables", tables.drafts)):
            found[section] += [(scope, draft) for draft in find(scope, log)]
    for section, pairs in found.items():
        for scope, draft in pairs:
            if amend is not None:
                amend(scope, draft)
        found[section] = _distinct(pairs, log)
    drafts = [draft for section in SECTIONS for _, draft in found[section]]
    if not drafts:
        raise InvalidInput(source, [Problem("Resources", None, _NOTHING), *_why_nothing(log)])
    watched_tables = [draft for _, draft in found["tables"]]
    uses.tables_of(scopes, found["functions"], watched_tables, log)
    service = outside.service or keys.service_name(outside.stack.value)
    keys.assign(drafts, service)
    by_name = {table.identity: table.key for table in watched_tables}
    for _, function in found["functions"]:
        if "tables" in function.fields:
            function.fields["tables"] = [by_name[name] for name in function.fields["tables"]]
    comments = _assumptions(drafts, scopes, outside, service, log)
    return Intake(
        source,
        service,
        outside.account.value,
        outside.region.value,
        None if outside.stack.why else outside.stack.value,
        tuple(drafts),
        log,
        comments,
    )


def _why_nothing(log: Log) -> list[Problem]:
    """What was not seen may be what is looked for."""
    return [Problem(one.place, one.expression, one.why) for one in log.unresolved]


def _distinct(pairs: list[tuple[Scope, Draft]], log: Log) -> list[tuple[Scope, Draft]]:
    """One draft for each thing on AWS: what shares its name shares its metrics too."""
    seen: dict[str, Draft] = {}
    kept = []
    for scope, draft in pairs:
        if draft.identity in seen:
            log.note(draft.place, f"has the name of {seen[draft.identity].place}: it is watched once")
            continue
        seen[draft.identity] = draft
        kept.append((scope, draft))
    return kept


# -- what is assumed


def _assumptions(
    drafts: list[Draft], scopes: list[Scope], outside: Outside, service: str, log: Log
) -> dict[str, str]:
    comments: dict[str, str] = {}
    for name, told in (("account", outside.account), ("region", outside.region), ("stack", outside.stack)):
        if told.why:
            log.assume(name, told.value, told.why, told.mend)
            comments[name] = f"assumed: {told.why} ({told.mend})"
    if outside.service is None:
        log.assume("service", service, "is made of the stack's name", "sereno init --service NAME")
    log.assume(
        "objectives", ", ".join(OBJECTIVES.values()), "are Sereno's defaults", "write what you promise your customers"
    )
    for draft in drafts:
        for name in ("name", "id"):
            if name in draft.fields:
                _of_name(draft, name, outside)
        for name, (why, mend) in draft.presumed.items():
            log.assume(f"resources.{draft.section}.{draft.key}.{name}", str(draft.fields[name]), why, mend)
    _of_parameters(drafts, scopes, log)
    return comments


def _of_name(draft: Draft, name: str, outside: Outside) -> None:
    trace = draft.traces.get(name, Trace())
    deployed = "deploy, then sereno init --from-stack STACK"
    if trace.generated:
        makers = ", ".join(sorted(trace.generated))
        what = "gives the id" if name == "id" else "makes the name"
        why, mend = f"AWS {what} when it creates {makers}", deployed
    elif "AWS::StackName" in trace.pseudo:
        why, mend = "carries the stack's name, which nobody gave", outside.stack.mend or "sereno init --stack NAME"
    elif trace.pseudo:
        why, mend = f"carries {', '.join(sorted(trace.pseudo))}, which nobody gave", "sereno init --account, --region"
    else:
        return
    draft.presume(name, why, mend)


def _of_parameters(drafts: list[Draft], scopes: list[Scope], log: Log) -> None:
    """Parameters at their defaults: a deployment may have given others."""
    leaning: dict[str, list[str]] = {}
    for draft in drafts:
        for name, trace in draft.traces.items():
            for parameter in trace.defaults:
                if name in draft.fields:
                    leaning.setdefault(parameter, []).append(f"resources.{draft.section}.{draft.key}.{name}")
    for scope in scopes:
        for parameter, declared in scope.parameters.items():
            used = leaning.get(f"{scope.prefix}{parameter}")
            if used and isinstance(declared, dict):
                shown_uses = ", ".join(used[:3]) + (f" and {len(used) - 3} more" if len(used) > 3 else "")
                value = " ".join(str(declared.get("Default")).split())
                why = f"is the parameter's default; it decides {shown_uses}"
                mend = "pass it from the parent's template" if scope.prefix else f"--parameter {parameter}=VALUE"
                log.assume(f"{scope.prefix}Parameters.{parameter}", value, why, mend)
