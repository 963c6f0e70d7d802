"""PagerDuty over HTTP: one alert for one incident, woken by pages only, ended when it is over."""

from __future__ import annotations

import json

import pytest

from remediators.notifier.notice import of
from remediators.notifier.pagerduty import PagerDuty
from remediators.notifier.secrets import Secrets
from sereno.service import Notices
from sereno.service import PagerDuty as Declared

NOTICES = Notices(pagerduty=Declared("shop/pagerduty"), page_url="https://on-call.example.com")
ROUTING = "R0" + "ab12" * 7 + "cd"


@pytest.fixture
def station(desk, pagerduty_server, paper_secrets):
    def make(**secret):
        made = desk(channels={}, notices=NOTICES)
        secrets = Secrets(paper_secrets(**{"shop/pagerduty": secret or {"routing_key": ROUTING}}), made.clock)
        made.channels["pagerduty"] = PagerDuty(secrets, "shop/pagerduty", endpoint=pagerduty_server.url)
        return made

    return make


def tell(station, *bodies, owner="one"):
    left = station.notifier(owner).tell(list(enumerate(of(one) for one in bodies)))
    return {one.number: one.after_s for one in left}


def test_an_incident_is_triggered_acknowledged_and_resolved_under_one_key(
    station, pagerduty_server, message, incident_message
):
    one = station()
    assert tell(one, message("ESCALATED", 5)) == {}
    ((key, alert),) = pagerduty_server.alerts.items()
    assert key == f"sereno/{message()['incident']}"
    assert alert["state"] == "triggered"
    tell(one, incident_message("ACKNOWLEDGED", 1, severity="page", by="ana"))
    assert alert["state"] == "acknowledged"
    tell(one, incident_message("RESOLVED", 2))
    assert alert["state"] == "resolved"
    assert len(pagerduty_server.alerts) == 1


def test_what_is_good_to_know_wakes_nobody_and_neither_does_its_end(
    station, pagerduty_server, message, incident_message
):
    one = station()
    for news in (message("VERIFYING"), message("HOLDING", 4), incident_message()):
        assert tell(one, news) == {}
    assert pagerduty_server.requests == []


@pytest.mark.parametrize("trouble", [429, 500, 503, "cut", "late", "hang"])
def test_whatever_fails_the_page_arrives_and_is_one_alert(station, pagerduty_server, message, trouble):
    one = station()
    pagerduty_server.trouble = [trouble]
    assert tell(one, message("ESCALATED"), owner="first") == {0: 7.0 if trouble == 429 else 60.0}
    one.clock.forward(91)
    assert tell(one, message("ESCALATED"), owner="next") == {}
    assert [alert["state"] for alert in pagerduty_server.alerts.values()] == ["triggered"]


def test_a_wrong_key_is_a_persons_work_and_stands_in_no_log(station, pagerduty_server, message, caplog, capsys):
    one = station(routing_key="wrong-and-secret")
    assert tell(one, message("ESCALATED")) == {0: 900.0}
    (told,) = [facts["error"] for _, what, facts in one.telemetry.logs if what == "not delivered"]
    assert told == "PagerDuty answered 400: routing_key is invalid"
    shown = (
        json.dumps(list(one.table.rows.values())) + caplog.text + capsys.readouterr().out + str(one.telemetry.logs)
    )
    assert "wrong-and-secret" not in shown


def test_a_secret_without_its_field_names_the_field(station, message):
    one = station(other="x")
    tell(one, message("ESCALATED"))
    (told,) = [facts["error"] for _, what, facts in one.telemetry.logs if what == "not delivered"]
    assert told.startswith('secret shop/pagerduty: no "routing_key" in it')


def test_however_much_is_written_pagerduty_takes_it(station, pagerduty_server, message):
    long = "é" * 9000
    assert tell(station(), message("FAILED", detail=long, reason=long, alarm=long, what=long, do=long)) == {}
    assert len(pagerduty_server.alerts) == 1
