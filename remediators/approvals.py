"""What a person may ask of a remediation: approve, revert, keep. Command, page and Slack all come this way.

An approval is for one plan and no other, once, before its deadline; where `approvals.two_person` is set, a plan of
high risk needs two different people. Whether it fits is judged purely, and written under the condition that the row
is still the one that was judged, so nothing can change between the two. The round carries it out.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, replace
from datetime import datetime

from remediators.ledger import Ledger, VersionConflict
from sereno.lifecycle import Remediation
from sereno.model import Status
from sereno.service import Service

VERBS = ("approve", "revert", "keep")
# What each verb needs: an answer at once beats a wish that the round must refuse.
FITS = {
    "approve": (Status.AWAITING_APPROVAL,),
    "keep": (Status.VERIFYING, Status.HOLDING, Status.ESCALATED),
    "revert": (Status.AWAITING_APPROVAL, Status.VERIFYING, Status.HOLDING, Status.ESCALATED, Status.KEPT),
}
NAME_LIMIT = 100
# Who came by Slack stands as "name (U0123456789)": the name is theirs to change, the id is not.
# https://docs.slack.dev/reference/objects/user-object
_SLACK_ID = re.compile(r"\(([uw][a-z0-9]{6,})\)$")


@dataclass(frozen=True, slots=True)
class Answer:
    """Whether it was noted, and a sentence for who asked. `reason` is one word for machines: noted, first (of two),
    unknown, unfit, taken, expired, other-plan, no-plan, same-person, nobody, busy."""

    ok: bool
    reason: str
    text: str
    remediation: Remediation | None = None


def needs_two(remediation: Remediation, service: Service) -> bool:
    """Whether the plan needs a second person: it is of high risk, or cannot be taken back."""
    plan = remediation.plan
    if not service.approvals.two_person or plan is None:
        return False
    return plan.high_risk or not plan.is_lease


def judge(
    remediation: Remediation, service: Service, verb: str, *, by: str, plan: str | None, now: datetime
) -> Answer:
    """Whether a person's word fits the remediation as it stands. Pure."""
    who, one = same(by), remediation

    def no(reason: str, text: str) -> Answer:
        return Answer(False, reason, text, one)

    if not who or len(by) > NAME_LIMIT:
        return no("nobody", "say who asks")
    if verb not in FITS:
        return no("unfit", f"{verb} is nothing that can be asked ({', '.join(VERBS)})")
    if one.status not in FITS[verb]:
        fitting = " or ".join(str(status) for status in FITS[verb])
        return no("unfit", f"{one.id} is {one.status}; {verb} needs one that is {fitting}")
    if one.wish == verb or (one.wish and verb != "revert"):
        return no("taken", f"{one.wish_by} has asked for {one.wish} already; the round sees to it within a minute")
    if verb == "revert" and plan is not None and one.status is Status.AWAITING_APPROVAL and plan != digest_of(one):
        return no("other-plan", f"the plan of {one.id} is another by now: look again")
    if verb != "approve":
        return Answer(True, "noted", f"Noted: {verb} {one.id}. The round sees to it within a minute.", one)
    if one.plan is None or plan is None:
        return no("no-plan", "an approval names the plan it is for")
    if plan != one.plan.digest:
        return no("other-plan", f"the plan of {one.id} is another by now ({one.plan.digest}, not {plan}): look again")
    if one.escalate_at is not None and now >= one.escalate_at:
        return no("expired", f"{one.id} could be approved until {one.escalate_at:%H:%M} UTC")
    if needs_two(one, service):
        if who in {same(known) for known in one.approved_by}:
            return no("same-person", f"{by} has approved {one.id} already; a plan of high risk needs a second person")
        if not one.approved_by:
            return Answer(True, "first", f"Noted: {by} approves {one.id}. A second person must approve it too.", one)
    return Answer(True, "noted", f"Noted: approve {one.id}. The round sees to it within a minute.", one)


def digest_of(remediation: Remediation) -> str | None:
    """The digest of its plan, where it has one."""
    return remediation.plan.digest if remediation.plan else None


def same(name: str) -> str:
    """A name as it is compared: without regard to capitals, blanks, what cannot be seen, and ways to write a letter;
    who came by Slack by the Slack id alone."""
    letters = unicodedata.normalize("NFKC", " ".join(name.split()))
    seen = "".join(one for one in letters if not unicodedata.category(one).startswith("C"))
    plain = " ".join(seen.split()).casefold()
    slack = _SLACK_ID.search(plain)
    return slack[1] if slack else plain


def ask(
    ledger: Ledger,
    service: Service,
    verb: str,
    remediation_id: str,
    *,
    by: str,
    plan: str | None = None,
    now: datetime,
) -> Answer:
    """Judges, and notes what was asked for the round. Raises LedgerUnavailable."""
    found = ledger.get(remediation_id) if remediation_id else None
    if found is None:
        return Answer(False, "unknown", f"no remediation {remediation_id!r}")
    answer = judge(found, service, verb, by=by, plan=plan, now=now)
    if not answer.ok:
        return answer
    try:
        if answer.reason == "first":
            moved = found.move(Status.AWAITING_APPROVAL, now, f"approved by {by}; a second person must too", by=by)
            moved = replace(moved, approved_by=(*found.approved_by, by), due_at=now)
            return replace(answer, remediation=ledger.save(moved, before=found, now=now))
        everybody = " and ".join((*found.approved_by, by)) if verb == "approve" else by
        ledger.wish(found.id, verb, everybody, now, seen=found)
    except VersionConflict:
        return Answer(False, "busy", f"{found.id} has changed in this moment: look again", found)
    return answer
