"""PagerDuty over HTTP: one alert for one incident, woken by pages only, ended when it is over."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from remediators.notifier.notice import of
from remediators.notifier.pagerduty import ENDPOINTS, PagerDuty, event
from remediators.notifier.secrets import Secrets
from remediators.notifier.wording import Wording
from sereno.escape import is_plain, one_line
from sereno.service import Hours, Notices, Route
from sereno.service import PagerDuty as Declared
from tests.remediators.notifier.hostile import HOSTILE

NOTICES = Notices(pagerduty=Declared("shop/pagerduty"), page_url="https://on-call.example.com")
WORDING = Wording(NOTICES)
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
def test_whatever_fails_the_page_arrives_and_is_one_alert(station, pagerduty_server, message, trouble, monkeypatch):
    if trouble == "hang":
        monkeypatch.setattr("remediators.notifier.pagerduty.TIMEOUT_S", 0.7)
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


def test_nobody_is_woken_by_what_was_over_before_it_could_be_sent(
    station, pagerduty_server, message, incident_message
):
    one = station()
    pagerduty_server.trouble = [503]
    assert tell(one, message("ESCALATED", 3)) == {0: 60.0}  # 12:00
    assert tell(one, incident_message("RESOLVED", 1), owner="over") == {}  # 12:20
    assert tell(one, message("ESCALATED", 3), owner="late") == {}
    assert [alert["state"] for alert in pagerduty_server.alerts.values()] in ([], ["resolved"])
    again = message("ESCALATED", 3, id="r2", key="r2#000003", at="2026-09-29T12:21:00.000Z")
    assert tell(one, again, owner="again") == {}
    assert [alert["state"] for alert in pagerduty_server.alerts.values()] == ["triggered"]


def test_what_is_good_to_know_after_the_end_opens_no_alert_whatever_the_routes_say(
    station, pagerduty_server, message, incident_message
):
    one = station()
    one.notices = replace(NOTICES, routes=(Route(("page", "ticket", "info"), ("pagerduty",)),))
    for news in (message("ESCALATED", 3), incident_message("RESOLVED", 1)):
        assert tell(one, news) == {}
    assert tell(one, message("REVERTED", 4, at="2026-09-29T12:21:00.000Z")) == {}
    assert [alert["state"] for alert in pagerduty_server.alerts.values()] == ["resolved"]


def test_a_page_that_arrived_though_no_answer_came_is_ended_with_its_incident(
    station, pagerduty_server, message, incident_message
):
    one = station()
    pagerduty_server.trouble = ["late"]
    assert tell(one, message("ESCALATED", 3), owner="first") == {0: 60.0}
    assert tell(one, incident_message("RESOLVED", 1), owner="over") == {}
    assert tell(one, message("ESCALATED", 3), owner="again") == {}
    assert [alert["state"] for alert in pagerduty_server.alerts.values()] == ["resolved"]


def test_an_acknowledgement_reaches_the_page_though_nothing_is_loud_any_more(
    station, pagerduty_server, message, incident_message
):
    """The approved change made the incident quiet: its loudest remediation is good to know, and PagerDuty's route is
    for pages."""
    one = station()
    tell(one, message("AWAITING_APPROVAL", 3), message("VERIFYING", 5, by="ana"))
    tell(one, incident_message("ACKNOWLEDGED", 1, severity="info", by="ana"))
    assert [alert["state"] for alert in pagerduty_server.alerts.values()] == ["acknowledged"]


def test_an_acknowledgement_reaches_the_page_after_the_routes_hours(
    station, pagerduty_server, message, incident_message
):
    one = station()
    by_day = Hours((0, 1, 2, 3, 4), 8 * 60, 13 * 60)
    one.notices = replace(NOTICES, routes=(Route(("page",), ("pagerduty",), by_day),))
    tell(one, message("ESCALATED", 3))
    one.clock.forward(2 * 3600)  # 14:00
    tell(one, incident_message("ACKNOWLEDGED", 1, severity="page", by="ana"))
    assert [alert["state"] for alert in pagerduty_server.alerts.values()] == ["acknowledged"]


def test_a_mitigated_incident_that_a_person_takes_is_acknowledged(
    station, pagerduty_server, message, incident_message
):
    one = station()
    tell(one, message("ESCALATED", 3))
    tell(one, incident_message("MITIGATED", 1, owner="ana"))
    assert [alert["state"] for alert in pagerduty_server.alerts.values()] == ["acknowledged"]


def test_after_somebody_resolved_it_in_pagerduty_later_news_opens_no_new_one(
    station, pagerduty_server, message, incident_message
):
    one = station()
    one.notices = replace(NOTICES, routes=(Route(("page", "ticket", "info"), ("pagerduty",)),))
    tell(one, message("ESCALATED", 3))
    (alert,) = pagerduty_server.alerts.values()
    alert["state"] = "resolved"  # by hand, in PagerDuty
    for news in (
        message("SKIPPED", 2, id="r2", key="r2#2"),
        message("VERIFYING", 2, id="r3", key="r3#2"),
        incident_message("MITIGATED", 1, severity="page"),
        incident_message("OPEN", 2, severity="page", phase="MUTED"),
    ):
        assert tell(one, news) == {}
    assert (alert["state"], len(alert["triggers"])) == ("resolved", 1)


def test_only_pages_trigger_whatever_is_routed_there(station, pagerduty_server, message):
    one = station()
    one.notices = replace(NOTICES, routes=(Route(("page", "ticket", "info"), ("pagerduty",)),))
    tell(one, message("VERIFYING", 2), message("SKIPPED", 2, id="r2", key="r2#2"))
    assert pagerduty_server.alerts == {}
    tell(one, message("ESCALATED", 3))
    tell(one, message("HOLDING", 2, id="r4", key="r4#2"))
    assert [len(alert["triggers"]) for alert in pagerduty_server.alerts.values()] == [1]


@pytest.mark.parametrize(("region", "host"), [("us", "events.pagerduty.com"), ("eu", "events.eu.pagerduty.com")])
def test_an_account_of_either_service_region_is_reached_at_its_own_address(region, host):
    declared = Notices.from_json({"pagerduty": {"secret": "shop/pagerduty", "region": region}}).pagerduty
    assert ENDPOINTS[declared.region] == f"https://{host}/v2/enqueue"


@pytest.mark.parametrize("hostile", HOSTILE)
def test_text_from_outside_is_bounded_and_harmless_in_each_field(message, hostile):
    """Summary at most 1,024 characters; no field empty, of two lines, or with what moves a cursor or hides."""
    post = WORDING.post(of(message("ESCALATED", severity="page", what=hostile, alarm=hostile, detail=hostile)))
    post = replace(post, facts=(*post.facts, (hostile, hostile), *(((f"n{one}", hostile)) for one in range(100))))
    sent = event(replace(post, head=hostile, do=hostile, link="https://on-call.example.com"), "R0")
    payload = sent["payload"]
    details = payload["custom_details"]
    fields = [*details, *details.values(), sent["links"][0]["text"], sent["dedup_key"]]
    fields += [payload[name] for name in ("summary", "source", "component", "group", "class")]
    for field in fields:
        assert field == one_line(field) != ""
        assert is_plain(field)
    assert len(payload["summary"]) <= 1024
    assert len(json.dumps(sent).encode()) < 512_000
