"""What the watch must not cure goes to people: the round hands it on, and the next rung opens an incident."""

from __future__ import annotations

import pytest

from sereno.model import Reason, Status

pytestmark = pytest.mark.xdist_group("proof")

ALARM = "techmoda/read/exhaustion"


@pytest.fixture
def stopped(shop):
    """A person has stopped the function."""
    before = shop.reserved()
    shop.reserve(0)
    yield
    shop.reserve(before)


def test_a_stopped_function_stays_stopped_and_a_person_is_called(stopped, shop, watch, stand_in):
    assert shop.burst(customers=1, partners=1).failed == 2
    watch.ring(ALARM, "demand is about to exhaust the limit")
    refused = watch.remediation("raise_concurrency", ALARM, Status.SKIPPED)
    watch.calm(ALARM)
    assert refused.reason is Reason.OPERATOR_STOP
    assert shop.reserved() == 0

    watch.round()
    opened = watch.remediation("open_incident", ALARM, Status.ESCALATED)
    assert opened.target.name == ALARM
    assert "OpsItem" not in "".join(stand_in.asked), "an OpsItem is the notifier's business"
    told = {(news["remediator"], news["status"]): news for news in watch.mail().news}
    assert told["open_incident", "ESCALATED"]["urgent"]
    assert told["raise_concurrency", "SKIPPED"]["detail"].startswith("OPERATOR_STOP")
