"""From a service to the CloudFormation template that watches it.

Nothing here calls AWS: the template is a function of the service, its alarms and the remediators.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace

from alarms.packs import all_alarms
from alarms.spec import AnySpec
from deploy import config
from deploy.config_checks import nearest
from deploy.synth import (
    alarm,
    backups,
    boards,
    functions,
    limits,
    names,
    notify,
    policies,
    prober,
    rules,
    self_test,
    store,
    switch,
    witness,
)
from deploy.synth.limits import packed, text
from deploy.synth.split import Bundle, apart
from sereno.errors import InvalidInput, Problem
from sereno.model import Json
from sereno.partition import console_host
from sereno.ports import Remediator
from sereno.service import Service

__all__ = ["Bundle", "bundle", "digest", "packed", "synthesise", "text", "used_remediators"]

FUNCTION, RULE = "AWS::Lambda::Function", "AWS::Events::Rule"


def synthesise(
    service: Service,
    compiled: Json,
    *,
    remediators: Mapping[str, Remediator],
    alarms: Sequence[AnySpec] | None = None,
) -> Json:
    """The template of a watch, as data and in one piece.

    As `bundle`, but InvalidInput is also raised when one template is not enough.
    """
    template = _whole(service, compiled, remediators=remediators, alarms=alarms)
    limits.check(template)
    return template


def bundle(
    service: Service,
    compiled: Json,
    *,
    remediators: Mapping[str, Remediator],
    alarms: Sequence[AnySpec] | None = None,
) -> Bundle:
    """The template of a watch, with nested ones where a single one would come near CloudFormation's limits.

    `compiled` is what `deploy.config.compile_config` gave; its digest is in the metadata, so that a change of the
    configuration alone is a change of the template. `alarms` are those of the packs unless given. Raises
    InvalidInput when the playbook names a remediator or a knob that is not there, and when a part is larger than
    CloudFormation takes.
    """
    return apart(_whole(service, compiled, remediators=remediators, alarms=alarms))


def _whole(
    service: Service,
    compiled: Json,
    *,
    remediators: Mapping[str, Remediator],
    alarms: Sequence[AnySpec] | None,
) -> Json:
    used = used_remediators(service, remediators)
    if witness.is_witness(service):
        found = witness.resources(service)
        return _template(service, compiled, f"Sereno looks at {service.name} from a third region", found, {})
    hands = _own_functions(service, used)
    if alarms is None:
        alarms = all_alarms(service, functions=_named(hands, FUNCTION), rules=_named(hands, RULE))
    _check_whats(service, alarms)
    found = {
        **store.resources(service, _named(hands, RULE)),
        **_fitted(service, used, hands),
        **alarm.resources(service, alarms),
        **boards.dashboards(service, alarms),
        **switch.resources(service),
        **policies.fit(service, backups.resources(service)),
    }
    text = f"Sereno watches {service.name}: alarms, remediators, the ledger"
    outputs = _outputs(service) | _buttons_output(service) | switch.outputs(service)
    return _template(service, compiled, text, found, outputs)


def _own_functions(service: Service, used: Mapping[str, Remediator]) -> Json:
    """Every function of Sereno's own, with its role and what starts it."""
    found = _hands(service, list(used.values())) | notify.resources(service) | boards.function(service)
    return found | prober.resources(service, used)


def _fitted(service: Service, used: Mapping[str, Remediator], found: Json) -> Json:
    """The functions with roles of a size that IAM takes. Raises InvalidInput with the number of the service's
    functions that would fit."""
    try:
        return policies.fit(service, found)
    except policies.TooLarge as too_large:
        number = _most_functions(service, used)
        fix = f"functions are too many for one service: {too_large} ({number} of them fit: split the service)"
        raise InvalidInput("sereno.yaml", [Problem("resources.functions", len(service.functions), fix)]) from None


def _most_functions(service: Service, used: Mapping[str, Remediator]) -> int:
    """How many of the service's functions fit into the roles: those that recovery fences, then in declared order."""
    fenced = set(service.recovery.fence) if service.recovery else set()
    ordered = sorted(service.functions, key=lambda key: key not in fenced)

    def fits(number: int) -> bool:
        fewer = replace(service, functions={key: service.functions[key] for key in ordered[:number]})
        try:
            policies.fit(fewer, _own_functions(fewer, used))
        except policies.TooLarge:
            return False
        return True

    low, high = len(fenced), len(ordered)
    while low < high - 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low


def _template(service: Service, compiled: Json, description: str, found: Json, outputs: Json) -> Json:
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": description,
        "Metadata": {"Sereno": {"Service": service.name, "ConfigDigest": digest(compiled)}},
        "Parameters": PARAMETERS,
        "Conditions": {store.HAS_KEY: {"Fn::Not": [{"Fn::Equals": [store.KEY, ""]}]}},
        "Resources": found,
        **({"Outputs": outputs} if outputs else {}),
    }


def _buttons_output(service: Service) -> Json:
    if not notify.has_buttons(service):
        return {}
    url = {"Fn::GetAtt": ["ActionsUrl", "FunctionUrl"]}
    return {
        "ActionsUrl": {
            "Description": "Request URL of the Slack app; with pagerduty behind it, that of PagerDuty's webhook",
            "Value": url,
        }
    }


def digest(compiled: Json) -> str:
    """Names a compiled configuration by its content."""
    return hashlib.sha256(json.dumps(compiled, sort_keys=True).encode()).hexdigest()[:16]


def used_remediators(service: Service, remediators: Mapping[str, Remediator]) -> dict[str, Remediator]:
    """The remediators that the playbook names. Raises InvalidInput with every one that is not there, and with every
    limit that none of a play's remediators knows or that lies outside its bounds."""
    problems: list[Problem] = []
    used: dict[str, Remediator] = {}
    for what, play in service.playbook.items():
        for name in play.remediators:
            if name in remediators:
                used[name] = remediators[name]
            else:
                there = ", ".join(sorted(remediators)) or "none"
                problems.append(Problem(f"playbook.{what}", name, f"is no remediator (there are: {there})"))
        problems += _limit_problems(what, play.params, [remediators[n] for n in play.remediators if n in remediators])
    if problems:
        raise InvalidInput("sereno.yaml", problems)
    return dict(sorted(used.items()))


def _limit_problems(what: str, params: Json, ladder: Sequence[Remediator]) -> list[Problem]:
    problems = []
    knobs = {name: param for one in ladder for name, param in one.params.items()}
    for name, value in params.items():
        path = f"playbook.{what}.limits.{name}"
        if name not in knobs:
            known = ", ".join(sorted({"per_day", "cost_per_day", *knobs}))
            problems.append(Problem(path, None, f"is no limit here (known: {known}){nearest(name, knobs)}"))
            continue
        low, high = knobs[name].minimum, knobs[name].maximum
        if (low is None and high is None) or value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int | float):
            problems.append(Problem(path, value, "must be a number"))
        elif (low is not None and value < low) or (high is not None and value > high):
            bounds = f"{'' if low is None else f'{low:g}'}..{'' if high is None else f'{high:g}'}"
            problems.append(Problem(path, value, f"is outside {bounds} ({knobs[name].doc})"))
    return problems


def _check_whats(service: Service, alarms: Sequence[AnySpec]) -> None:
    """A play that nothing can ever start is a typing error that only an outage would show."""
    known = {one.what for one in alarms if one.name.startswith(f"{service.name}/")}
    known |= {what for what, _ in service.bindings.values()} | set(config.USUAL_PLAYS)
    problems = [
        Problem(
            f"playbook.{what}",
            None,
            f"answers no alarm (known: {', '.join(sorted(known))}){nearest(what, known)}",
        )
        for what in service.playbook
        if what not in known
    ]
    if problems:
        raise InvalidInput("sereno.yaml", problems)


def _hands(service: Service, used: Sequence[Remediator]) -> Json:
    """The functions and the rules that start them."""
    round_code = functions.of_round(service, used)
    found: Json = functions.resources(service, round_code) | rules.of_round(service, round_code.id)
    for one in used:
        code = functions.of_remediator(service, one)
        found |= functions.resources(service, code) | rules.resources(service, one.name, code.id)
    return found | self_test.resources(service, [functions.of_remediator(service, one).id for one in used])


def _named(found: Json, kind: str) -> list[str]:
    """What the resources of a kind are called on AWS."""
    field = {FUNCTION: "FunctionName", RULE: "Name"}[kind]
    return sorted(one["Properties"][field] for one in found.values() if one["Type"] == kind)


PARAMETERS: Json = {
    "CodeBucket": {"Type": "String", "Description": "Bucket that holds the packaged code, in this region"},
    "CodeKey": {"Type": "String", "Description": "Key of the packaged code"},
    "Runtime": {
        "Type": "String",
        "Default": "python3.12",
        "AllowedValues": ["python3.11", "python3.12", "python3.13", "python3.14"],
        "Description": "That of the interpreter which packaged the code, or each cold start compiles it anew",
    },
    "Architecture": {
        "Type": "String",
        # Graviton costs a fifth less: https://aws.amazon.com/lambda/pricing/
        "Default": "arm64",
        "AllowedValues": ["arm64", "x86_64"],
        "Description": "The functions' processor. The code is Python alone, so either will do",
    },
    "Tracing": {
        "Type": "String",
        # Active samples the first request of each second, which for a function that is called so rarely is every
        # one: each would pay for the X-Ray SDK's import.
        "Default": "PassThrough",
        "AllowedValues": ["PassThrough", "Active"],
        "Description": "X-Ray of Sereno's own functions: follow the caller's sampling, or sample by themselves",
    },
    "KmsKeyArn": {
        "Type": "String",
        "Default": "",
        "AllowedPattern": r"^$|^arn:aws[a-z-]*:kms:.+:key/.+$",
        "Description": (
            "Customer key for the ledger, topic, queue and logs (optional). Its policy must admit "
            "cloudwatch.amazonaws.com, events.amazonaws.com, sns.amazonaws.com and logs of this region"
        ),
    },
}


def _outputs(service: Service) -> Json:
    region = service.region
    page = f"https://{console_host(region)}/cloudwatch/home?region={region}#dashboards/dashboard/"
    return {
        "Ledger": {"Description": "The ledger table", "Value": {"Ref": "Ledger"}},
        "Topic": {"Description": "What remediators and incidents do, for machines", "Value": {"Ref": "Topic"}},
        "People": {"Description": "Where people are told", "Value": {"Ref": "People"}},
        "DeadLetters": {"Description": "Events that nobody could take", "Value": {"Ref": "DeadLetters"}},
        "Round": {"Description": "The function of the round", "Value": {"Ref": "Round"}},
        "DashboardUrl": {"Description": "The dashboard", "Value": page + names.dashboard(service)},
    }
