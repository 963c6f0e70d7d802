"""Text from outside is text, wherever it is shown: 30 hostile texts in 20 places, and nothing of them comes alive."""

from __future__ import annotations

import io
import json
import re
import warnings
from dataclasses import replace
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from console import failures, show, story
from dashboards import incident_story
from dashboards.page.app import create
from dashboards.page.security import Door
from dashboards.page.testing import INCIDENT, NOW, Shop
from dashboards.page.testing import shop as service_of_the_shop
from remediators import widget
from remediators.notifier import email, slack_blocks
from remediators.notifier.channels import Ask, Post, State
from sereno.errors import InvalidInput, Problem
from sereno.escape import is_plain
from sereno.model import Event, Status

with warnings.catch_warnings():
    # The client's next library has another name; this one works, and is told at the import.
    warnings.simplefilter("ignore")
    from starlette.testclient import TestClient

HOSTILE = [
    "[bold red]x[/bold red]",
    "[/b]",
    "x[/]",
    "[link=http://evil.example]x[/link]",
    "[@click=app.quit]x",
    "\x1b[2J\x1b[H",
    "\x1b]0;title\x07",
    "\x1b]8;;http://evil.example\x1b\\x\x1b]8;;\x1b\\",
    "\x9b31mx",
    "\rOK  ",
    "x\x08\x08\x08y",
    "a\x00b",
    "\u202egnp.exe",
    "pay\u200bpal",
    "\ufeffx",
    "one\u2028two\u2029three",
    "line\nBcc: all@evil.example\n\nx",
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "</td></tr></table><h1>x",
    "{{ 7 * 7 }}{% raw %}",
    "[x](javascript:alert(1))",
    "![x](http://evil.example/x.png)",
    "http://evil.example www.evil.example ana@evil.example",
    "# x\n| a | b |\n|---|---|\n`code` **bold** <b>x</b>",
    "<!channel> <@U0123456789> <http://evil.example|click>",
    "@here #general *bold* `code` :skull:",
    "&lt;script&gt; &#60;b&#62; &amp;amp;",
    "x" * 5000,
]
CALM = "calm text"
SHOP = Shop()
HELD = SHOP.put("holds", NOW - timedelta(minutes=9), Status.HOLDING)
SHOP.incident(HELD)
THREAD = SHOP.ledger.incidents.get(INCIDENT)
SERVICE = service_of_the_shop()


def touched(text):
    """A remediation whose every outside text is this one."""
    signal = replace(HELD.signal, name=text, reason=text, target=replace(HELD.target, name=text))
    steps = tuple(replace(step, why=text, setting=text, before=text, after=text) for step in HELD.plan.steps)
    plan = replace(HELD.plan, steps=steps, reason=text, risk=text)
    target = replace(HELD.target, name=text)
    return replace(HELD, signal=signal, target=target, plan=plan, detail=text, wish="keep", wish_by=text)


def incident(text):
    return replace(THREAD, title=text, owner=text, alarms=(text,), resolved_by=text)


def post(text):
    state = State(
        text, "page", text, holder=text, facts=(("label", text),), do=text, asks=(Ask(text, ((text, text),)),)
    )
    return Post(
        *(text, text, text, 1, text, "page", text, text, text),
        facts=(("label", text),), do=text, link="https://shop.example/x", state=state,
    )  # fmt: skip


def on_screen(draw, width=200, terminal=False):
    console = show.screen()
    console.file, console.width, console._force_terminal = io.StringIO(), width, terminal
    draw(console)
    said = console.file.getvalue()
    # What the command itself adds on a terminal: colours, and nothing else.
    return re.sub(r"\x1b\[[0-9;]*m", "", said) if terminal else said


def json_on_screen(text):
    written = io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.stdout", written)
        show.as_json({"detail": text})
    assert json.loads(written.getvalue()) == {"detail": text}
    return written.getvalue()


def events(text):
    return [Event(NOW, "HOLDING", text, text)]


def errors_of(text):
    error = InvalidInput(text, [Problem(text, text, text)])
    told, _ = failures.sentence(error)
    return on_screen(lambda console: console.print(told))


def post_mortem(text):
    one = touched(text)
    lines = incident_story.timeline(incident(text), events(text), [one], {one.id: events(text)})
    return incident_story.post_mortem(SERVICE, incident(text), [touched(text)], lines, None, NOW)


def page(path, detail):
    shop = Shop()
    one = shop.put("x", NOW - timedelta(minutes=9), Status.HOLDING, detail)
    shop.incident(one)
    app = create(shop.room(), Door(frozenset({"testserver"}), person="ana"))
    return TestClient(app).get(path.format(one.id)).text


TERMINAL = {
    "listing, narrow": lambda text: on_screen(lambda console: show.listing([touched(text)], NOW, console), 60),
    "listing, wide": lambda text: on_screen(lambda console: show.listing([touched(text)], NOW, console)),
    "listing, colours": lambda text: on_screen(lambda to: show.listing([touched(text)], NOW, to), 60, terminal=True),
    "story": lambda text: on_screen(lambda console: story.tell(touched(text), events(text), console)),
    "plan": lambda text: on_screen(lambda console: story.plan_of(touched(text), SERVICE, console)),
    "error": errors_of,
    "path": lambda text: on_screen(
        lambda console: console.print(f"Written: {Path('/x') / text.replace(chr(0), '')}")
    ),
    "json": json_on_screen,
    "problem": lambda text: str(Problem(text, text, text)),
}
EMAIL = {
    "subject": lambda text: email.subject(post(text)),
    "body": lambda text: email.body(post(text)),
}
MARKDOWN = {"post-mortem": post_mortem}
SLACK = {
    "head": lambda text: slack_blocks.head(post(text).state, post(text), {}, WORDS),
    "reply": lambda text: slack_blocks.reply(post(text), {}, WORDS),
    "alone": lambda text: slack_blocks.alone(post(text), {}),
    "fallback": lambda text: slack_blocks.fallback(text, text, text),
}
HTML = {
    "widget": lambda text: widget.page(SERVICE, [(incident(text), [touched(text)])], [], 1, NOW),
    "widget note": lambda text: widget._note(text, "red"),
    "page": lambda text: page("/", text),
    "remediation": lambda text: page("/remediations/{}", text),
}


class Words(dict):
    """Any word of the catalogue."""

    def __missing__(self, key):
        return key


WORDS = Words()


class Tags(HTMLParser):
    """The tags of a page with the names of their attributes, and its scripts' texts."""

    def __init__(self, text):
        super().__init__()
        self.found = []
        self.feed(re.sub(r'(value|href|data-\w+)="[^"]*"', r'\1=""', text))

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, tuple(name for name, _ in attrs)))


def blocks(tokens):
    """What a Markdown text is made of, without its words."""
    kinds = ("text", "softbreak", "text_special", "html_entity")
    for token in tokens:
        inner = tuple(one.type for one in token.children or () if one.type not in kinds)
        yield (token.type, inner)


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("name", TERMINAL)
def test_nothing_reaches_the_terminal_but_text(name, text):
    shown = TERMINAL[name](text)
    assert is_plain(shown)
    if name.startswith("listing") and text.startswith("["):
        assert text[:3] in shown


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("name", EMAIL)
def test_a_mail_is_plain_text_with_the_lines_that_it_should_have(name, text):
    shown = EMAIL[name](text)
    assert is_plain(shown)
    if name == "subject":
        assert shown.isascii()
        assert shown.isprintable()
        assert 0 < len(shown) < 100
    else:
        # The sentence itself may have lines of its own; a fact or a command has one.
        own = len(text.splitlines()) if "\n" in text else 1
        assert len(shown.split("\n")) - own == len(EMAIL[name](CALM).split("\n")) - 1


@pytest.mark.parametrize("text", HOSTILE)
def test_a_post_mortem_keeps_its_form(text):
    reader = MarkdownIt("commonmark").enable(["table", "strikethrough"])
    shown, calm = MARKDOWN["post-mortem"](text), MARKDOWN["post-mortem"](CALM)
    assert is_plain(shown)
    assert list(blocks(reader.parse(shown))) == list(blocks(reader.parse(calm)))
    # GitHub's own readers make links of bare addresses too.
    assert not re.search(r"(?<!\\)://|\bwww\.|(?<!\\)@", shown)


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("name", SLACK)
def test_slack_makes_no_link_and_no_mention_of_it(name, text):
    shown = SLACK[name](text)
    if isinstance(shown, str):
        assert "<" not in shown
        return
    texts = [part for block in shown for part in walk(block) if part.get("type") in ("mrkdwn", "plain_text")]
    assert texts
    for part in texts:
        assert is_plain(part["text"])
        if part["type"] == "mrkdwn":
            assert part["verbatim"] is True
            assert re.fullmatch(r"<https://shop\.example/x\|[^<>]*>|[^<>]*", part["text"], re.DOTALL), part["text"]


def walk(value):
    """Every object in some blocks."""
    if isinstance(value, dict):
        yield value
        for inner in value.values():
            yield from walk(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from walk(inner)


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("name", HTML)
def test_a_page_has_no_other_tags_than_with_calm_text(name, text):
    assert Tags(HTML[name](text)).found == Tags(HTML[name](CALM)).found


def test_these_are_six_hundred_renderings():
    places = (TERMINAL, EMAIL, MARKDOWN, SLACK, HTML)
    assert sum(map(len, places)) * len(HOSTILE) >= 600
