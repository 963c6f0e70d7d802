"""Whether throttling has ceased after a change: the same for whatever throttles."""

from __future__ import annotations

from sereno.model import Json, Reason, Verdict

# Without any datapoint for so long after the change the target is idle, and what is idle has no symptom.
IDLE_AFTER_S = 300.0


def ceased(symptom: Json, thrown: str) -> Verdict:
    """By the newest whole minute since the change. `symptom` has `throttles_newest` (None: no such minute is
    published yet), `minutes` (how many are) and `waited_s`; `thrown` is what is throttled, such as `attempt`."""
    newest = symptom["throttles_newest"]
    if newest is None:
        if symptom["waited_s"] >= IDLE_AFTER_S:
            return Verdict.yes("idle since the change")
        return Verdict.no(Reason.NO_DATA, "no whole minute since the change has been published yet")
    if newest > 0:
        return Verdict.no(Reason.SYMPTOM_PERSISTS, f"{newest:.0f} throttled {thrown}s in the newest minute")
    return Verdict.yes(f"no throttled {thrown} in the newest of {symptom['minutes']} minutes since the change")
