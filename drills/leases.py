"""Which remediations of a result changed something, when, and until when. Pure."""

from __future__ import annotations

from sereno.model import Json

# A lease is in force from the first of these phases to one of the others. KEPT and ESCALATED end a remediation, not
# its change: the value stays until somebody takes it back.
_CHANGED = ("APPLYING", "VERIFYING", "HOLDING")
_TAKEN_BACK = ("REVERTED", "FAILED")


def acted(result: Json) -> list[Json]:
    """The remediations that changed something, planned to, or asked: everything but the skipped, in order."""
    return [one for one in result["remediations"] if one["status"] != "SKIPPED"]


def changed_at(remediation: Json) -> float | None:
    """When a remediation changed something first, or None if it never did. What has no undo is no lease: an incident
    that was opened is with people, and nobody waits for it to be taken back."""
    steps = (remediation.get("plan") or {}).get("steps") or ()
    if not any(step.get("undo") for step in steps):
        return None
    return _first(remediation, _CHANGED)


def taken_back_at(remediation: Json) -> float | None:
    """When its change was gone again, or None if it was in force at the end of the drill."""
    return _first(remediation, _TAKEN_BACK)


def _first(remediation: Json, phases: tuple[str, ...]) -> float | None:
    moment: float | None = next((one["at_s"] for one in remediation["events"] if one["phase"] in phases), None)
    return moment
