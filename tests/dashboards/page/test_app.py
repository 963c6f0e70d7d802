"""What the on-call engineer sees, presses, and what strangers are refused."""

from __future__ import annotations

import json
import re
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from botocore.exceptions import ClientError
from starlette.testclient import TestClient

from dashboards.page.app import create
from dashboards.page.ledger_room import LedgerRoom
from dashboards.page.room import PAGE
from dashboards.page.security import Door
from dashboards.page.testing import INCIDENT, NOW, Shop, StillClock
from dashboards.page.testing import shop as shop_of
from remediators.clients import QUICK, BotocoreAws
from remediators.incidents import Thread
from remediators.ledger import Ledger
from sereno.errors import LedgerUnavailable
from sereno.model import Status

PAGES = ["/", "/timeline", "/incidents", f"/incidents/{INCIDENT}", "/budget", "/scorecard", "/drills"]
WAITS = "20261124T025600-waits"
HOLDS = "20261124T025100-holds"
ORIGIN = {"origin": "http://127.0.0.1:8750"}


def forms(page: str, verb: str) -> list[dict[str, str]]:
    """The forms of a page that ask for a verb, as their fields."""
    found = [dict(re.findall(r'name="(\w+)" value="([^"]*)"', form)) for form in re.findall(r"<form.*?</form>", page)]
    return [form for form in found if form.get("verb") == verb]


def test_now_says_what_waits_what_is_red_and_what_will_be_undone(browser):
    page = browser.get("/").text
    for part in (
        "1 plan waits for your answer",
        "1 incident is open",
        "shop/read/exhaustion",
        "forecast 161 over 84",
        "raise concurrency on shop-holds",
        "raise concurrency on shop-failed",
        "in 12 min",
        "reserved_concurrency",
        "99990 of 100000",
    ):
        assert part in page


@pytest.mark.parametrize("path", [*PAGES, f"/remediations/{HOLDS}", f"/remediations/{WAITS}"])
def test_every_page_answers_whole_and_is_never_kept(browser, path):
    answer = browser.get(path)
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    assert "'unsafe" not in answer.headers["content-security-policy"]
    assert "<script>" not in answer.text
    assert not re.search(r'\son\w+=|\sstyle="', answer.text)


def test_a_remediation_is_told_from_its_signal_to_who_was_told(browser, shop):
    page = browser.get(f"/remediations/{HOLDS}").text
    for part in (
        "161 over 84",
        "600 are free",
        "120",
        "240",
        "put_function_concurrency",
        "undo",
        "No channel has shown it yet",
        INCIDENT,
    ):
        assert part in page
    row = {"pk": {"S": f"N#{INCIDENT}#slack"}, "sk": {"S": f"S#{HOLDS}"}, "shown": {"N": "3"}}
    shop.table.put_item(Item=row)
    assert "<b>slack</b>: up to line 3 of 4" in browser.get(f"/remediations/{HOLDS}").text


def test_an_approval_is_one_press_for_the_plan_that_was_shown(browser, shop):
    (form,) = forms(browser.get("/").text, "approve")
    said = browser.post("/act", data=form, headers=ORIGIN)
    assert "Done. Noted: approve" in said.text
    assert said.text.count("maria asked for approve") == 1
    assert "Done." not in browser.get("/").text
    row = shop.ledger.get(WAITS)
    assert (row.wish, row.wish_by) == ("approve", "maria")
    again = browser.post("/act", data=form, headers=ORIGIN)
    assert "Not done. maria has asked for approve already" in again.text


def test_another_plan_is_not_approved(browser, shop):
    (form,) = forms(browser.get("/").text, "approve")
    assert "Not done." in browser.post("/act", data={**form, "plan": "0" * 16}, headers=ORIGIN).text
    assert shop.ledger.get(WAITS).wish is None


def test_an_incident_is_not_closed_over_an_active_change(browser, shop):
    (form,) = forms(browser.get(f"/incidents/{INCIDENT}").text, "resolve")
    said = browser.post("/act", data=form, headers=ORIGIN).text
    assert "cannot be resolved while a change of it is active" in said
    assert shop.ledger.incidents.get(INCIDENT).is_open


def test_an_incident_is_taken_silenced_and_closed_in_the_name_of_who_pressed(browser, shop):
    members = shop.ledger.incidents.members(shop.ledger.incidents.get(INCIDENT))
    for active in (one for one in members if one.active):
        kept = active.move(Status.KEPT, NOW, "kept by ana", by="ana")
        shop.ledger.save(kept, before=active, published=True, now=NOW)
    for verb, stage in (("acknowledge", "ACKNOWLEDGED"), ("mute", "MUTED"), ("resolve", "RESOLVED")):
        (form,) = forms(browser.get(f"/incidents/{INCIDENT}").text, verb)
        assert "Done." in browser.post("/act", data=form, headers=ORIGIN).text
        last = shop.ledger.incidents.events(INCIDENT)[-1]
        assert (last.phase, last.by) == (stage, "maria")


def test_a_press_from_elsewhere_changes_nothing(browser, shop):
    (form,) = forms(browser.get("/").text, "approve")
    before = json.dumps(sorted((list(key), row) for key, row in shop.table.rows.items()))
    attacks = [
        (form, {"origin": "http://evil.example"}),
        (form, {}),
        (form, {"origin": "null"}),
        (form, {"origin": "http://["}),
        (form, {"origin": "http://127.0.0.1:8750/x"}),
        (form, {"origin": "http://evil.example@127.0.0.1:8750"}),
        (form, {**ORIGIN, "sec-fetch-site": "cross-site"}),
        ({**form, "csrf": "0" * 64}, ORIGIN),
        ({**form, "csrf": ""}, ORIGIN),
        ({**form, "csrf": "é"}, ORIGIN),
    ]
    for fields, headers in attacks:
        assert browser.post("/act", data=fields, headers=headers).status_code == 403
    assert browser.post("/act", content=b"x" * 9000, headers=ORIGIN).status_code == 403
    browser.cookies.clear()
    assert browser.post("/act", data=form, headers=ORIGIN).status_code == 403
    assert json.dumps(sorted((list(key), row) for key, row in shop.table.rows.items())) == before


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8750", "127.0.0.1.evil.example", "", "["])
def test_a_name_that_points_here_from_outside_is_refused(browser, host):
    assert browser.get("/", headers={"host": host}).status_code == 421


def test_after_a_press_the_browser_stays_here(browser):
    page = browser.get("/").text
    backs = ("//evil.example/", "https://evil.example/", "/\\evil.example", "javascript:1", "/\t//evil.example")
    for back in (*backs, "/\t/[", "/a?b", "/\r\nx: y", "/" * 3, "/é", "/" + "a" * 1001, "/%0a\n"):
        (form,) = forms(page, "approve")
        said = browser.post("/act", data={**form, "back": back}, headers=ORIGIN, follow_redirects=False)
        assert (said.status_code, said.headers["location"]) == (303, "/"), back
    (form,) = forms(page, "approve")
    own = f"/incidents/{INCIDENT}"
    said = browser.post("/act", data={**form, "back": own}, headers=ORIGIN, follow_redirects=False)
    assert said.headers["location"] == own


def test_behind_a_proxy_the_person_is_who_it_names(shop):
    app = create(shop.room(), Door(frozenset({"watch.example"}), header="X-Forwarded-User"))
    inside = TestClient(app, base_url="https://watch.example", client=("127.0.0.1", 5))
    assert inside.get("/").status_code == 401
    assert inside.get("/", headers={"x-forwarded-user": "lucia@example.org"}).status_code == 200
    twice = [("x-forwarded-user", "mallory"), ("x-forwarded-user", "lucia@example.org")]
    assert inside.get("/", headers=twice).status_code == 401
    for name in ("m\u0430ria", "ana (U0123456789)", "x" * 101, "maria (shared token)"):
        assert inside.get("/", headers=[(b"x-forwarded-user", name.encode())]).status_code == 401
    outside = TestClient(app, base_url="https://watch.example", client=("10.0.0.9", 5))
    assert outside.get("/", headers={"x-forwarded-user": "lucia@example.org"}).status_code == 401


def test_with_a_token_nothing_is_shown_before_it(shop):
    token = "a secret of the night, long enough"
    app = create(shop.room(), Door(frozenset({"watch.example"}), token=token))
    browser = TestClient(app, base_url="https://watch.example")
    assert "shop-holds" not in browser.get("/").text
    assert browser.get("/live").status_code == 401
    here = {"origin": "https://watch.example"}
    assert browser.post("/act", data={"verb": "approve"}, headers=here).status_code == 401
    wrong = browser.post("/sign-in", data={"name": "maria", "token": "guessed"}, headers=here)
    assert (wrong.status_code, token in wrong.text) == (403, False)
    page = browser.post("/sign-in", data={"name": "maria", "token": token}, headers=here)
    assert "You are maria (shared token)." in page.text
    assert token not in page.text
    (form,) = forms(page.text, "approve")
    browser.post("/act", data=form, headers=here)
    assert shop.ledger.get(WAITS).wish_by == "maria (shared token)"
    for forged in ("00.6d61726961.00", "00.6d61726961.9999999999.00", "00.zz.x.", "...", "", "é", "a.b.c.d.e"):
        fresh = TestClient(app, base_url="https://watch.example")
        page = fresh.get("/", headers=[(b"cookie", f"sereno={forged}".encode())])
        assert "shop-holds" not in page.text


def test_what_comes_from_outside_is_text_and_nothing_else(browser, shop):
    found = shop.put("<script>alert(1)</script>", NOW - timedelta(minutes=1), "HOLDING", '"><img src=x onerror=x>')
    for path in ("/", "/timeline", f"/remediations/{found.id.replace('/', '%2F')}"):
        page = browser.get(path).text
        assert "<script>alert" not in page
        assert "<img" not in page


def test_no_such_thing_is_a_page_too(browser):
    for path in ("/nothing", "/incidents/none", "/remediations/none", "/remediations/" + "x" * 5000):
        answer = browser.get(path)
        assert (answer.status_code, "There is no such" in answer.text) == (404, True)
    for before in ("yesterday", "0001-01-01", "9999-12-31", "2026-11-24"):
        assert browser.get(f"/timeline?before={before}").status_code == 200


def test_a_ledger_out_of_reach_is_told_without_its_secrets(browser, shop, monkeypatch):
    def away(**_):
        raise LedgerUnavailable("query: arn:aws:dynamodb:secret-detail")

    monkeypatch.setattr(shop.ledger, "open", away)
    answer = browser.get("/")
    assert answer.status_code == 503
    assert "cannot be read just now" in answer.text
    assert "secret-detail" not in answer.text


def test_the_first_load_is_small_and_needs_no_other_host(browser):
    page = browser.get("/")
    parts = [one for one in re.findall(r'(?:src|href)="([^"]+)"', page.text) if one.startswith("/static/")]
    assert len(parts) == 3
    assert len(page.content) + sum(len(browser.get(one).content) for one in parts) < 200_000
    assert not re.search(r'(?:src|href)="(?:https?:)?//', page.text)


def test_the_ledger_is_asked_the_same_few_times_however_long_it_is():
    def asked(past: int) -> dict[str, dict[str, int]]:
        shop = Shop(past=past)
        found = {}
        for path in ("/", "/timeline", "/incidents", "/scorecard", f"/remediations/{'20261124T010000-r0'}"):
            browser = TestClient(create(shop.room(), Door(frozenset({"127.0.0.1"}), "maria")), "http://127.0.0.1")
            shop.table.calls.clear()
            assert browser.get(path).status_code == 200
            found[path] = dict(shop.table.calls)
        return found

    few, many = asked(400), asked(1600)
    assert few == many
    assert all("scan" not in calls for calls in many.values())
    assert sum(many["/"].values()) <= 6
    assert sum(many["/timeline"].values()) <= 3
    assert PAGE == 50


def test_many_viewers_cost_what_one_costs(shop):
    room, browsers = shop.room(), []
    app = create(room, Door(frozenset({"127.0.0.1"}), "maria"))
    browsers = [TestClient(app, "http://127.0.0.1") for _ in range(20)]
    shop.table.calls.clear()
    start = time.monotonic()
    for browser in browsers:
        assert browser.get("/").status_code == 200
    spent = time.monotonic() - start
    assert sum(shop.table.calls.values()) <= 6 * (1 + int(spent / 2))


def test_an_incident_of_a_thousand_remediations_is_read_in_a_few_calls_and_stays_small():
    """One call a remediation took 6 s, and the page had 837 kB."""
    shop, thread = Shop(), Thread(INCIDENT, "shop/read", "opens")
    for number in range(1000):
        status = Status.ESCALATED if number == 3 else Status.SKIPPED
        one = shop.put(f"m{number:04d}", NOW - timedelta(seconds=2 * number), status)
        shop.ledger.incidents.join(thread, one, one.created)
    browser = TestClient(create(shop.room(), Door(frozenset({"127.0.0.1"}), "maria")), "http://127.0.0.1")
    shop.table.calls.clear()
    page = browser.get(f"/incidents/{INCIDENT}")
    assert page.status_code == 200
    # The incident, its history, ten times a hundred rows, and the lines of those that are shown.
    assert shop.table.calls["query"] <= 2
    assert sum(shop.table.calls.values()) <= 20
    assert len(page.content) < 300_000
    assert "950 more are not shown" in page.text
    assert "m0003" in page.text, "what is a person's work is never left out"


def test_a_few_remediations_are_shown_with_their_whole_history(browser, shop):
    page = browser.get(f"/incidents/{INCIDENT}").text
    assert "more are not shown" not in page
    assert all(word in page.lower() for word in ("the symptom persists", "planned", "holding", "escalated"))


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("ExpiredTokenException", "credentials of this page have expired"),
        ("InternalError", "cannot be read just now"),
    ],
)
def test_what_keeps_the_page_from_reading_is_named(browser, shop, monkeypatch, code, said):
    def away(**_):
        cause = ClientError({"Error": {"Code": code, "Message": "secret-detail"}}, "Query")
        raise LedgerUnavailable("query") from cause

    monkeypatch.setattr(shop.ledger, "open", away)
    answer = browser.get("/")
    assert (answer.status_code, said in answer.text, "secret-detail" in answer.text) == (503, True, False)


def test_an_endpoint_that_hangs_is_named_within_five_seconds_however_many_look(monkeypatch):
    """Three tries of five seconds each, one viewer after the other, took 45 s."""
    with socket.create_server(("127.0.0.1", 0), backlog=100) as server:  # it takes connections and never answers
        for name, value in (("AWS_ACCESS_KEY_ID", "a"), ("AWS_SECRET_ACCESS_KEY", "b")):
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.getsockname()[1]}")
        aws, clock = BotocoreAws("eu-west-1", QUICK), StillClock()
        room = LedgerRoom(shop_of(), Ledger(aws.client("dynamodb"), "sereno-shop", "shop"), aws, clock)
        app, start = create(room, Door(frozenset({"127.0.0.1"}), "maria")), time.monotonic()
        with ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(lambda _: TestClient(app, "http://127.0.0.1").get("/"), range(4)))
        spent = time.monotonic() - start
    assert {one.status_code for one in answers} == {503}
    assert all("AWS does not answer" in one.text for one in answers)
    assert QUICK.read_timeout * 2 + 1 <= 4, "twice, and at most a second between them"
    assert spent < 15, "one timeout for all, on a machine that may be busy"
