"""A sign-in ends by itself, by its owner, and cannot be guessed at; and it proves a token, not a person."""

from __future__ import annotations

import re

import pytest
from starlette.testclient import TestClient

from dashboards.page.app import create
from dashboards.page.guard import OPEN_TO_ALL
from dashboards.page.security import TOKEN_LEAST, Door
from dashboards.page.sessions import ADDRESSES, SIGNED_IN_S, TRIES, TRIES_S, Sessions

TOKEN = "t" * TOKEN_LEAST
HERE = {"origin": "https://watch.example"}


class Seconds:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.at = 1_000_000.0

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def clock():
    return Seconds()


@pytest.fixture
def app(shop, clock):
    return create(shop.room(), Door(frozenset({"watch.example"}), token=TOKEN), clock=clock)


@pytest.fixture
def come(app):
    """A browser, from an address."""

    def new(address="10.0.0.1"):
        return TestClient(app, base_url="https://watch.example", client=(address, 5))

    return new


def sign_in(browser, name="maria", token=TOKEN):
    return browser.post("/sign-in", data={"name": name, "token": token}, headers=HERE, follow_redirects=False)


def is_in(browser):
    return browser.get("/", follow_redirects=False).status_code == 200


def test_a_sign_in_ends_after_a_shift(come, clock):
    browser = come()
    answer = sign_in(browser)
    assert f"Max-Age={SIGNED_IN_S}" in answer.headers["set-cookie"]
    clock.at += SIGNED_IN_S - 1
    assert is_in(browser)
    clock.at += 1
    assert not is_in(browser)


def test_signing_out_ends_it_for_a_copied_cookie_too(come):
    browser, thief = come(), come("10.0.0.2")
    sign_in(browser)
    thief.cookies.set("sereno", browser.cookies["sereno"], domain="watch.example")
    assert is_in(thief)
    csrf = re.search(r'action="/sign-out"><input type="hidden" name="csrf" value="(\w+)"', browser.get("/").text)[1]
    assert browser.post("/sign-out", data={"csrf": "0" * 64}, headers=HERE).status_code == 403
    out = browser.post("/sign-out", data={"csrf": csrf}, headers=HERE, follow_redirects=False)
    assert (out.status_code, out.headers["location"]) == (303, "/sign-in")
    assert not is_in(browser)
    assert not is_in(thief)


def test_a_page_that_is_started_anew_asks_anew(shop, clock, come):
    browser = come()
    sign_in(browser)
    again = create(shop.room(), Door(frozenset({"watch.example"}), token=TOKEN), clock=clock)
    cookies = {"sereno": browser.cookies["sereno"]}
    assert not is_in(TestClient(again, base_url="https://watch.example", cookies=cookies))


def test_a_token_can_be_guessed_at_a_few_times_only(come, clock):
    browser, owner = come(), come("10.0.0.2")
    for _ in range(TRIES):
        assert sign_in(browser, token="guess").status_code == 403
    refused = sign_in(browser)
    assert (refused.status_code, refused.headers["retry-after"]) == (429, str(TRIES_S))
    assert "Try again in 300 s" in refused.text
    assert sign_in(owner).status_code == 303
    clock.at += TRIES_S
    assert sign_in(browser).status_code == 303


def test_addresses_that_guess_do_not_fill_the_memory():
    sessions = Sessions()
    for number in range(ADDRESSES + 50):
        sessions.note_wrong(f"10.0.{number // 256}.{number % 256}", float(number))
    assert len(sessions._wrong) == ADDRESSES


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("", "is empty"),
        ("m\u0430ria", "mixes Cyrillic and Latin letters"),
        ("ana (U0123456789)", "ends like a Slack id"),
        ("ana (shared token)", "only the on-call page adds that"),
        ("an\u200ba", "cannot be seen"),
        ("x" * 90, "is longer than 85 characters"),
    ],
)
def test_a_name_that_could_pass_for_anothers_is_refused(come, name, said):
    answer = sign_in(come(), name=name)
    assert answer.status_code == 403
    assert said in answer.text


def test_only_whole_paths_are_open_before_the_token(come):
    browser = come()
    assert {"/static/page.css", "/static/page.js", "/static/theme.js", "/sign-in"} == OPEN_TO_ALL
    for path in OPEN_TO_ALL:
        assert browser.get(path, follow_redirects=False).status_code == 200
    for path in ("/sign-in/x", "/sign-in-now", "/static/", "/static/x", "/static/page.css/x", "/static/%2e%2e/live"):
        answer = browser.get(path, follow_redirects=False)
        assert (answer.status_code, answer.headers.get("location")) == (303, "/sign-in"), path
