"""What a person may ask of a remediation: approve, revert, keep. Command, page and Slack all come this way.

An approval is for one plan and no other, once, before its deadline; where `approvals.two_person` is set, a plan of
high risk needs two different people. Whether it fits is judged purely, and written under the condition that the row
is still the one that was judged, so nothing can change between the two. The round carries it out.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from remediators.ledger import Ledger, VersionConflict
from sereno.lifecycle import Remediation
from sereno.model import Status
from sereno.people import NAME_LIMIT, TOKEN_MARK, imitation, same, same_person
from sereno.service import Service

VERBS = ("approve", "revert", "keep")
# The request of the first of two people.
FIRST = "first-approval"
# What each verb needs: an answer at once beats a wish that the round must refuse.
FITS = {
    "approve": (Status.AWAITING_APPROVAL,),
    "keep": (Status.VERIFYING, Status.HOLDING, Status.ESCALATED),
    "revert": (Status.AWAITING_APPROVAL, Status.VERIFYING, Status.HOLDING, Status.ESCALATED, Status.KEPT),
}


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
    one = remediation

    def no(reason: str, text: str) -> Answer:
        return Answer(False, reason, text, one)

    if wrong := _unnamed(by):
        return no("nobody", wrong)
    if verb not in FITS:
        return no("unfit", f"{verb} is nothing that can be asked ({', '.join(VERBS)})")
    if one.status not in FITS[verb]:
        fitting = " or ".join(str(status) for status in FITS[verb])
        return no("unfit", f"{one.id} is {one.status}; {verb} needs one that is {fitting}")
    waits_for_second = one.wish == FIRST and verb == "approve"
    if one.wish == verb or (one.wish and verb != "revert" and not waits_for_second):
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
        if again := _approved_before(one, by):
            return no("same-person", again)
        if not approvers(one):
            return Answer(True, "first", f"Noted: {by} approves {one.id}. A second person must approve it too.", one)
    return Answer(True, "noted", f"Noted: approve {one.id}. The round sees to it within a minute.", one)


def _unnamed(by: str) -> str:
    """Why nobody can be held to a name; nothing when somebody can."""
    if not same(by) or len(by) > NAME_LIMIT:
        return f"say who asks (a name of at most {NAME_LIMIT} characters)"
    imitates = imitation(by)
    return f"the name {by} {imitates}: write it in one script" if imitates else ""


def _approved_before(remediation: Remediation, by: str) -> str:
    """Why a name does not count as the second person; nothing when it does."""
    before = next((known for known in approvers(remediation) if same_person(by, known)), None)
    if before is None:
        return ""
    why = f"{before} has approved {remediation.id} already; a plan of high risk needs a second person"
    if same(by) == TOKEN_MARK:
        return f"{why}. Everybody who signs in with the shared token counts as one: use Slack or a proxy's sign-in"
    return why if same(by) == same(before) else f"{why}, and the name {by} looks like that one"


def approvers(remediation: Remediation) -> tuple[str, ...]:
    """Who has approved so far: those in the record, and the first of two whose request the reconciler has not carried
    out yet."""
    waiting = (remediation.wish_by,) if remediation.wish == FIRST and remediation.wish_by else ()
    return (*remediation.approved_by, *waiting)


def digest_of(remediation: Remediation) -> str | None:
    """The digest of its plan, where it has one."""
    return remediation.plan.digest if remediation.plan else None


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
        asked = FIRST if answer.reason == "first" else verb
        everybody = " and ".join((*approvers(found), by)) if asked == "approve" else by
        # A request, and no write of the record: who may ask need not be able to write anything else.
        ledger.wish(found.id, asked, everybody, now, seen=found)
    except VersionConflict:
        return Answer(False, "busy", f"{found.id} has changed in this moment: look again", found)
    return answer
