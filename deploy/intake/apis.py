"""REST and HTTP APIs, a draft for each stage; and those that SAM makes where an event names none."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from deploy.intake import functions
from deploy.intake.findings import Draft, Log
from deploy.intake.look import PLAIN_TEXT, Look
from deploy.intake.scope import HTTP_APIS, IMPLICIT_HTTP, IMPLICIT_REST, REST_APIS, Scope
from deploy.intake.values import Trace, Unknown, shown, text_of

STAGE = r"\$default|[A-Za-z0-9_-]{1,128}"
_STAGES = {
    "AWS::ApiGateway::RestApi": (("AWS::ApiGateway::Stage", "AWS::ApiGateway::Deployment"), "RestApiId"),
    "AWS::ApiGatewayV2::Api": (("AWS::ApiGatewayV2::Stage",), "ApiId"),
}
_IMPLICIT = {"Api": ("RestApiId", IMPLICIT_REST), "HttpApi": ("ApiId", IMPLICIT_HTTP)}


def drafts(scope: Scope, log: Log) -> Iterator[Draft]:
    """A draft for each stage of each API of one template. `identity` is what its metrics are keyed by."""
    for logical_id in scope.of_kind(*REST_APIS, *HTTP_APIS):
        look = Look(scope, logical_id, log)
        if not functions.wanted(look):
            continue
        if look.raw(("ProtocolType",), Trace()) == "WEBSOCKET":
            log.note(look.place, "is a WebSocket API: its functions are watched, the API is not")
            continue
        http = scope.kind(logical_id) in HTTP_APIS
        for stage in _stages(look, http):
            yield _api(look, stage, http)
    for implicit in _implicit(scope, log):
        yield _of_sam(scope, log, implicit)


def _api(look: Look, stage: Draft, http: bool) -> Draft:
    """Completes the draft of a stage."""
    kind = "http" if http else "rest"
    name, trace = _name(look, stage)
    stage.traces["name"] = trace
    stage.fields = {"name": name, "stage": stage.fields["stage"]} | ({"kind": kind} if http else {})
    if http:
        trace = Trace()
        stage.fields["id"] = look.scope.api_id(look.logical_id, trace)
        stage.traces["id"] = trace
    stage.identity = f"{stage.fields.get('id') or name}/{stage.fields['stage']}"
    return stage


def _name(look: Look, draft: Draft) -> tuple[str, Trace]:
    """By its property, or the title of its definition; SAM titles a definition of its own with the stack's name."""
    scope, trace = look.scope, Trace()
    written = look.text(draft, "name", ("Name",), PLAIN_TEXT, "the name is assumed")
    if written:
        return written, draft.traces["name"]
    serverless = scope.kind(look.logical_id).startswith("AWS::Serverless::")
    for path in (("Body", "info", "title"), ("DefinitionBody", "info", "title"), ("DefinitionUri",)):
        value = look.raw(path, trace)
        if path == ("DefinitionUri",) and value is not None:
            value = _title_of(look, value, trace)
        if isinstance(value, Unknown):
            look.cannot(path, value.expression, value.why, "the name is assumed")
            draft.doubt("name", f"unresolved: {value.expression} {value.why}")
        elif (title := text_of(value)) and re.fullmatch(PLAIN_TEXT, title) and title.isprintable():
            return title, trace
    defined = any(look.has(name) for name in ("DefinitionBody", "DefinitionUri", "Body", "BodyS3Location"))
    if serverless and not defined:
        return str(scope.ref("AWS::StackName", trace)), trace
    trace.generated.add(f"{scope.prefix}{look.logical_id}")
    return f"{scope.given.stack}-{look.logical_id}", trace


def _title_of(look: Look, location: Any, trace: Trace) -> Any:
    """The title in a local definition file."""
    text = text_of(location)
    if text is None:
        return location if isinstance(location, Unknown) else Unknown("DefinitionUri", "lies elsewhere")
    document = look.scope.include(text)
    info = document.get("info") if isinstance(document, dict) else document
    title = info.get("title") if isinstance(info, dict) else info
    return look.scope.resolve(title, trace)


# -- stages


def _stages(look: Look, http: bool) -> Iterator[Draft]:
    of_sam = look.scope.kind(look.logical_id).startswith("AWS::Serverless::")
    found = list(_own_stage(look) if of_sam else _declared(look))
    if found:
        yield from found
        return
    draft = Draft("apis", look.place, look.logical_id, {"stage": "$default" if http else "prod"})
    if not (http and look.has("Target")):  # a quick-create API has a stage $default
        why = "the template tells no stage of this API"
        draft.presume("stage", why, "write the stage that its callers use")
    yield draft


def _own_stage(look: Look) -> Iterator[Draft]:
    draft = Draft("apis", look.place, look.logical_id, {})
    stage = look.text(draft, "stage", ("StageName",), STAGE, "a usual stage is assumed")
    if stage is None and look.scope.kind(look.logical_id) == "AWS::Serverless::HttpApi" and not look.has("StageName"):
        stage = "$default"
    if stage is not None:
        draft.fields["stage"] = stage
        yield draft


def _declared(look: Look) -> Iterator[Draft]:
    """A draft for each stage resource, or deployment with a stage, of this API."""
    scope = look.scope
    own = scope.api_id(look.logical_id, Trace())
    kinds, prop = _STAGES[scope.kind(look.logical_id)]
    seen: set[str] = set()
    for logical_id in scope.of_kind(*kinds):
        stage = Look(scope, logical_id, look.log)
        if scope.present(logical_id, Trace()) is False or text_of(stage.raw((prop,), Trace())) != own:
            continue
        draft = Draft("apis", look.place, look.logical_id, {})
        name = stage.text(draft, "stage", ("StageName",), STAGE, "a usual stage is assumed")
        if name is not None and name not in seen:
            seen.add(name)
            draft.fields["stage"] = name
            yield draft


# -- made by SAM


def _implicit(scope: Scope, log: Log) -> list[str]:
    """Which implicit APIs a template's events ask for."""
    wanted: list[str] = []
    known = {scope.api_id(one, Trace()) for one in scope.of_kind(*REST_APIS, *HTTP_APIS)}
    known |= {scope.api_id(one, Trace()) for one in (IMPLICIT_REST, IMPLICIT_HTTP)}
    for logical_id in scope.of_kind("AWS::Serverless::Function"):
        if scope.present(logical_id, Trace()) is False:
            continue
        look = Look(scope, logical_id, log)
        for name, kind, properties in functions.events(look):
            if kind not in _IMPLICIT:
                continue
            reference, implicit = _IMPLICIT[kind]
            given = properties.get(reference)
            if given is None and implicit not in scope.resources and implicit not in wanted:
                wanted.append(implicit)
            elif isinstance(given, Unknown):
                why = f"{given.why}: the API of this event is not in the template"
                log.cannot(f"{look.place}.Events.{name}", given.expression, why, "it is not written")
            elif given is not None and text_of(given) not in known:
                said = f"belongs to API {shown(given)}, which is not in this template"
                log.note(f"{look.place}.Events.{name}", said)
    return wanted


def _of_sam(scope: Scope, log: Log, implicit: str) -> Draft:
    """https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-specification-generated-resources-api.html"""
    http = implicit == IMPLICIT_HTTP
    trace, ident = Trace(), Trace()
    draft = Draft("apis", f"{scope.prefix}Resources.{implicit}", implicit, {})
    name = str(scope.ref("AWS::StackName", trace))
    draft.traces["name"] = trace
    draft.fields = {"name": name, "stage": "$default" if http else "Prod"}
    if http:
        draft.fields |= {"kind": "http", "id": scope.api_id(implicit, ident)}
        draft.traces["id"] = ident
    draft.identity = f"{draft.fields.get('id') or name}/{draft.fields['stage']}"
    log.note(draft.place, "is made by SAM, as events of functions name no API of their own")
    return draft
