"""How each remediator did: the evidence for promoting it, and for not.

What counts as right and as wrong is written down in `docs/scorecard.md`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from remediators.ledger import Ledger
from sereno.breaker import counts
from sereno.lifecycle import Remediation
from sereno.model import Json, Mode, Status

# A promotion without a word rests on at least so many cases.
ENOUGH = 3
MOST = 5000
STEPS = {Mode.OFF: Mode.OBSERVE, Mode.OBSERVE: Mode.APPROVE, Mode.APPROVE: Mode.AUTO}


@dataclass(frozen=True, slots=True)
class Score:
    """One remediator over some days.

    `would` is how often it would have acted in mode observe; of these `alone` recovered without anybody, `people`
    after a person had changed what it would have changed, `not_yet` did not recover within an hour (the rest is still
    being watched). `acted` is how often it changed something: `right` helped and was taken back or kept, `wrong`
    did not help, failed, or was taken back by a person (`reverted`); the rest is in force. `refused` counts refusals
    by reason.
    """

    remediator: str
    would: int = 0
    alone: int = 0
    people: int = 0
    not_yet: int = 0
    acted: int = 0
    right: int = 0
    wrong: int = 0
    reverted: int = 0
    kept: int = 0
    in_force: int = 0
    asked: int = 0
    refused: dict[str, int] = field(default_factory=dict)

    @property
    def cases(self) -> int:
        """How much the evidence rests on: what it would have done and what came of that, and what it did."""
        return self.alone + self.people + self.not_yet + self.right + self.wrong

    @property
    def needed(self) -> int:
        """How often its change was, or would have been, of use: the alarm did not go by itself."""
        return self.people + self.not_yet + self.right

    def to_json(self) -> Json:
        """For machines."""
        names = ("would", "alone", "people", "not_yet", "acted", "right", "wrong", "reverted", "kept", "in_force")
        counted = {name: getattr(self, name) for name in (*names, "asked", "cases", "needed")}
        return {"remediator": self.remediator, **counted, "refused": dict(sorted(self.refused.items()))}


def read(ledger: Ledger, now: datetime, days: int, most: int = MOST) -> list[Remediation]:
    """The remediations of the last days (the newest so many), by day and in batches. Raises LedgerUnavailable."""
    start = now - timedelta(days=days)
    return [one for one in ledger.newest(most, before=now, days=days + 1) if one.created >= start]


def scores(past: Iterable[Remediation]) -> list[Score]:
    """The score of each remediator that something is known of, by name."""
    by_name: dict[str, list[Remediation]] = {}
    for one in past:
        by_name.setdefault(one.remediator, []).append(one)
    return [score(name, by_name[name]) for name in sorted(by_name)]


def score(name: str, past: Sequence[Remediation]) -> Score:
    """The score of one remediator."""
    episodes = _episodes([one for one in past if one.status is Status.OBSERVED])
    acted = [one for one in past if _acted(one)]
    refused: dict[str, int] = {}
    for one in past:
        if one.status is Status.SKIPPED:
            refused[str(one.reason)] = refused.get(str(one.reason), 0) + 1
    after = [_worst(one.aftermath for one in members) for members in episodes]
    wrong = [one for one in past if counts(one)]
    right = [one for one in acted if one not in wrong and _helped(one)]
    return Score(
        remediator=name,
        would=len(episodes),
        alone=after.count("alone"),
        people=after.count("people"),
        not_yet=after.count("not"),
        acted=len(acted),
        right=len(right),
        wrong=len(wrong),
        reverted=sum(one.status is Status.REVERTED and bool(one.ended_by) for one in acted),
        kept=sum(one.status is Status.KEPT for one in acted),
        in_force=sum(one.active for one in acted),
        asked=sum(one.status is Status.AWAITING_APPROVAL for one in past),
        refused=refused,
    )


def _episodes(observed: Sequence[Remediation]) -> list[list[Remediation]]:
    """Those of one symptom together: its attempts, and all that one surge would have changed, are one case."""
    found: dict[str, list[Remediation]] = {}
    for one in observed:
        found.setdefault(one.signal.origin, []).append(one)
    return list(found.values())


def _worst(aftermaths: Iterable[str]) -> str:
    known = set(aftermaths)
    return next((one for one in ("not", "people", "alone") if one in known), "")


def _helped(one: Remediation) -> bool:
    """Whether the symptom went with it: given back by itself, or kept by a person. What somebody else has changed
    meanwhile (DRIFTED) says nothing."""
    return one.status is Status.REVERTED or (one.status is Status.KEPT and bool(one.ended_by))


def _acted(one: Remediation) -> bool:
    return one.steps_done > 0 and one.plan is not None and one.plan.is_lease


def evidence(found: Score, days: int) -> list[str]:
    """What the score says, in sentences."""
    lines: list[str] = []
    if found.would:
        watched = found.would - found.alone - found.people - found.not_yet
        lines.append(
            f"It would have acted {_times(found.would)} in {days} days: {found.alone} recovered by themselves, "
            f"{found.people} after a person's change, {found.not_yet} had not recovered within the hour"
            + (f", {watched} are still watched or came before aftermaths were kept." if watched else ".")
        )
    if found.acted:
        lines.append(
            f"It acted {_times(found.acted)}: {found.right} helped, {found.wrong} did not or failed, "
            f"{found.reverted} were taken back by people, {found.in_force} are in force."
        )
    if found.wrong and not found.acted:
        lines.append(f"It failed {_times(found.wrong)} before it could change anything.")
    if found.refused:
        most = sorted(found.refused.items(), key=lambda one: (-one[1], one[0]))[:4]
        lines.append("It refused: " + ", ".join(f"{number} x {reason}" for reason, number in most) + ".")
    return lines or [f"Nothing is known of it in {days} days."]


def advice(found: Score) -> tuple[bool, str]:
    """(whether the evidence speaks for a promotion, why)."""
    if found.wrong:
        return False, f"{_times(found.wrong)} it did harm or no good"
    if found.cases < ENOUGH:
        return False, f"it rests on {found.cases} cases; {ENOUGH} are few enough"
    if found.needed == 0:
        return False, "every alarm went by itself: its changes would have helped nobody"
    return True, f"{found.needed} of {found.cases} cases needed a change, and none went wrong"


def next_mode(mode: Mode) -> Mode | None:
    """One step up; None from the top."""
    return STEPS.get(mode)


def _times(number: int) -> str:
    return "once" if number == 1 else f"{number} times"
