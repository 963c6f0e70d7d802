"""What metric and composite alarms share on the wire: names, tags, and the runbook line of the description.

CloudWatch keeps no field for a runbook or a severity. The runbook is the last line of the description, where a
person who was woken reads it; the severity is a tag. Both come back by `from_api`, so nothing is lost on the way.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sereno.errors import Problem

Tags = tuple[tuple[str, str], ...]
Api = dict[str, Any]

NAME_LIMIT = 255  # API: AlarmName
DESCRIPTION_LIMIT = 1024  # API: AlarmDescription
ACTIONS_LIMIT = 5  # API: ResourceList, for each state
SEVERITIES = ("page", "ticket", "info")
TAG = "sereno:"
_RUNBOOK = "\nRunbook: "

# What DescribeAlarms adds to the configuration: it is the alarm's state, not its specification.
STATE_FIELDS = frozenset(
    {
        "AlarmArn",
        "AlarmConfigurationUpdatedTimestamp",
        "StateValue",
        "StateReason",
        "StateReasonData",
        "StateUpdatedTimestamp",
        "StateTransitionedTimestamp",
        "EvaluationState",
        "ActionsSuppressedBy",
        "ActionsSuppressedReason",
    }
)


def alarm_name(service: str, resource: str, what: str) -> str:
    """`<service>/<resource key>/<what>`: the playbook's rules match it by prefix and suffix."""
    return f"{service}/{resource}/{what}"


def name_parts(name: str) -> tuple[str, str]:
    """(resource key, what) of an alarm name; the resource key is empty where the name has not Sereno's form."""
    parts = name.split("/")
    if len(parts) == 3 and all(parts):
        return parts[1], parts[2]
    return "", parts[-1]


def join_description(text: str, runbook: str) -> str:
    """The description as CloudWatch shows it."""
    return f"{text}{_RUNBOOK}{runbook}" if runbook else text


def split_description(shown: str) -> tuple[str, str]:
    """(text, runbook) of a description as CloudWatch shows it."""
    text, found, runbook = shown.rpartition(_RUNBOOK)
    if found and "\n" not in runbook:
        return text, runbook
    return shown, ""


def tags_out(tags: Tags, name: str, what: str, target: str, severity: str) -> list[Api]:
    """The tags to send. *what* and target are told only where the name does not already tell them."""
    told_target, told_what = name_parts(name)
    own = [
        (TAG + "severity", severity),
        (TAG + "target", target if target != told_target else ""),
        (TAG + "what", what if what != told_what else ""),
    ]
    return [{"Key": key, "Value": value} for key, value in (*tags, *own) if value or not key.startswith(TAG)]


def tags_in(sent: list[Api], name: str) -> tuple[Tags, dict[str, str]]:
    """(the other tags, Sereno's own fields) of the tags of an alarm."""
    target, what = name_parts(name)
    own = {"severity": "", "target": target, "what": what}
    rest: list[tuple[str, str]] = []
    for tag in sent:
        key, value = str(tag["Key"]), str(tag.get("Value", ""))
        if key.startswith(TAG) and key[len(TAG) :] in own:
            own[key[len(TAG) :]] = value
        else:
            rest.append((key, value))
    return tuple(rest), own


def common_problems(
    name: str, shown: str, severity: str, tags: Tags, actions: Mapping[str, tuple[str, ...]]
) -> list[Problem]:
    """What both kinds of alarm must hold: lengths, severity, number of actions and tags."""
    found: list[Problem] = []
    if not 1 <= len(name) <= NAME_LIMIT:
        found.append(Problem("name", name, f"must have 1 to {NAME_LIMIT} characters, it has {len(name)}"))
    if len(shown) > DESCRIPTION_LIMIT:
        mend = f"shorten it with its runbook line to {DESCRIPTION_LIMIT} characters, it has {len(shown)}"
        found.append(Problem("description", None, mend))
    if severity and severity not in SEVERITIES:
        found.append(Problem("severity", severity, "must be page, ticket or info"))
    if len(tags) > 47:  # CloudWatch keeps 50 tags; up to 3 are Sereno's own
        found.append(Problem("tags", len(tags), "tags are too many: CloudWatch keeps 50, three of them Sereno's"))
    for field, listed in actions.items():
        if len(listed) > ACTIONS_LIMIT:
            found.append(Problem(field, len(listed), f"actions are too many: CloudWatch takes {ACTIONS_LIMIT}"))
    return found


def without_nothing(fields: Mapping[str, Any]) -> Api:
    """The fields that say something. Empty text, empty lists and None are left out; 0 and False stay."""
    # Most fields say something: asking that first spares four comparisons for each.
    return {key: value for key, value in fields.items() if value or value not in (None, "", [], ())}
