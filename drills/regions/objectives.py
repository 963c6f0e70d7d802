"""What a regional drill can be judged by, and what the target of each is."""

from __future__ import annotations

from collections.abc import Mapping

OBJECTIVES: Mapping[str, str] = {
    "served-within": "duration",  # from the outage's beginning until 99 % of the customers' calls are served again
    "found-within": "duration",  # from the outage's beginning until two vantages have confirmed it
    "availability": "percent",  # of all calls while the primary is out
    "lost-writes-within": "duration",  # no lost write was made longer before the outage than this
    "moved-once": "",  # customers are sent to the standby once, and stay there until a person fails back
    "never-moved": "",  # customers are never sent elsewhere, and the switch is never set
    "back-unnoticed": "percent",  # calls that are served in the worst ten seconds of failing back
    "back-gradually": "percent",  # the largest share of the customers that is sent back to the primary at once
    "no-control-plane-calls": "",  # nothing on the way of the failover called Route 53, IAM, or the primary
    "told": "",  # people are told that traffic was moved
    "verified": "",  # fail_over saw customers reach the standby, and did not ask a person instead
    "recovery-time-measured": "",  # the recovery time is published once for the outage, and is no less than it was
    "knows-who-serves": "duration",  # from the switch until the standby acts as who serves, and back again
    "minimum-stay": "",  # nobody is sent back before the configured minimum stay is over
    "given-back-within": "duration",  # from the loss of the serving standby until DNS answers with the well primary
    "flaps-move-nobody": "",  # once the switch is set, nobody is sent to a primary that is out or half out
    "hidden-switch-pages-within": "duration",  # from when the switch's bucket is hidden until people are paged for it
    "no-move-and-told-within": "duration",  # from the outage until people are told that nobody was moved
    "no-false-moves": "",  # in a year of noise nothing moves without an outage
    "none-missed": "",  # in a year of noise no outage goes without a move
}
