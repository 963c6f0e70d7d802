"""The report as people meet it: in a browser, on a phone, on paper, with a keyboard."""

from __future__ import annotations

import re
from copy import deepcopy
from itertools import pairwise

import pytest

from drills import report

# One line of text needs this contrast (WCAG 2.1, 1.4.3 AA).
CONTRAST = 4.5
TEXTS = (
    ".brand-what",
    ".meta",
    ".verdict h2",
    ".lead",
    ".stamp",
    ".objectives .small",
    ".objectives b",
    ".story",
    ".comparison td",
    ".chart .small",
    ".level span",
    ".note",
    ".number",
    ".segment b",
    ".axis b",
    ".card .small",
    ".status",
    ".card.act .status",
    ".call span",
    ".gates .met .tick",
    ".gates .missed b",
    ".history span",
    ".kind",
    ".happening time",
    ".alarms td",
    ".command code",
)
# The colour of a text over the first opaque ground beneath it, as a ratio.
MEASURE = """(selector) => {
  const one = document.querySelector(selector);
  if (!one) return null;
  const rgb = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => {
    const linear = (c) => c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
    const [x, y, z] = [r, g, b].map((c) => linear(c / 255));
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  let ground = one;
  const opaque = (node) => (([, , , a = 1]) => a > 0)(rgb(getComputedStyle(node).backgroundColor));
  while (ground.parentElement && !opaque(ground)) ground = ground.parentElement;
  const a = light(rgb(getComputedStyle(one).color));
  const b = light(rgb(getComputedStyle(ground).backgroundColor));
  return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
}"""


@pytest.fixture
def address(surge, tmp_path):
    return report.write(surge, tmp_path / "report.html").as_uri()


@pytest.fixture
def visit(browser, address):
    """Opens the report; afterwards nothing may have gone wrong, nor been asked of the network."""
    opened = []

    def _visit(width=1280, height=900, **settings):
        context = browser.new_context(viewport={"width": width, "height": height}, **settings)
        page = context.new_page()
        faults, asked = [], []
        page.on("console", lambda message: faults.append(message.text))
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(address)
        opened.append((context, faults, asked))
        return page

    yield _visit
    for context, faults, asked in opened:
        context.close()
        assert faults == []
        assert [url for url in asked if not url.startswith("data:")] == [address]


def test_pointing_at_a_chart_reads_the_values_there(visit):
    page = visit()
    plot = page.locator(".plot").first
    width = plot.bounding_box()["width"]
    plot.hover(position={"x": width / 2, "y": 50})
    tooltip = page.locator("#tooltip")
    assert tooltip.is_visible()
    text = tooltip.inner_text()
    assert re.search(r"(59:50|1:00:00|1:00:10) \(10:(29|30):\d\d UTC\)", text)
    assert "120 of 120" in text
    assert "of 227" in text
    assert page.locator(".crosshair").first.is_visible()
    page.keyboard.press("Escape")
    assert not tooltip.is_visible()


def test_the_keyboard_reads_the_same_values(visit):
    page = visit()
    page.locator("#moment").focus()
    assert page.locator("#tooltip").inner_text().startswith("0:00 (09:30:00 UTC)")
    page.keyboard.press("ArrowRight")
    assert page.locator("#moment").get_attribute("aria-valuetext") == "0:10, 09:30:10 UTC"
    page.keyboard.press("End")
    assert page.locator("#tooltip").inner_text().startswith("1:59:50 (11:29:50 UTC)")
    page.keyboard.press("Tab")
    assert not page.locator("#tooltip").is_visible()


def test_a_finger_reads_them_too_and_they_stay_on_the_screen(visit):
    page = visit(360, 780, has_touch=True, is_mobile=True)
    page.locator(".plot").first.tap()
    box = page.locator("#tooltip").bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 360
    assert box["y"] + box["height"] <= 780


def test_the_timeline_can_be_filtered(visit):
    page = visit()
    shown = page.locator(".happening:visible")
    everything = shown.count()
    alarms = page.locator(".happening.alarm").count()
    assert alarms > 0
    page.locator("#show-alarm").uncheck()
    assert shown.count() == everything - alarms
    page.locator("#show-remediation").uncheck()
    page.locator("#show-notification").uncheck()
    page.locator("#show-signal").uncheck()
    assert shown.count() == 0
    page.locator("#show-alarm").check()
    assert shown.count() == alarms


@pytest.mark.parametrize("width", [360, 412, 768, 1280])
def test_the_page_never_scrolls_sideways(visit, width):
    page = visit(width, 780)
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_changes_at_the_very_end_do_not_widen_a_phone(visit, surge, tmp_path):
    crowd = [deepcopy(surge["remediations"][0]) for _ in range(12)]
    for index, one in enumerate(crowd):
        one |= {"id": f"late-{index}", "status": "HOLDING", "events": one["events"][:5]}
        for event in one["events"]:
            event["at_s"] = 7150 + index
    surge["remediations"] = crowd
    report.write(surge, tmp_path / "report.html")
    page = visit(360, 780)
    assert page.locator(".numbers .number").inner_text() == "1–12"
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_labels_of_the_time_axis_do_not_touch_on_a_phone(visit):
    page = visit(360, 780)
    boxes = [one.bounding_box() for one in page.locator(".axis").first.locator(".scale span:visible").all()]
    assert len(boxes) >= 4
    gaps = [after["x"] - before["x"] - before["width"] for before, after in pairwise(boxes)]
    assert min(gaps) > 0
    chart = page.locator("#chart").bounding_box()
    assert chart["x"] <= page.locator(".level span").last.bounding_box()["x"]
    assert boxes[-1]["x"] + boxes[-1]["width"] <= chart["x"] + chart["width"]


def test_everything_can_be_read_without_javascript(visit):
    page = visit(java_script_enabled=False)
    assert page.get_by_role("heading", level=1).inner_text() == "Fashion Week: nine times the traffic"
    assert page.locator("svg.curves").count() == 5
    assert page.locator(".card").count() == 3
    assert not page.locator(".scrubber").is_visible()
    page.locator("#show-alarm").uncheck()
    assert page.locator(".happening.alarm:visible").count() == 0


def test_every_chart_has_an_alternative_in_words(visit):
    page = visit()
    for curves in page.locator("svg.curves, .track").all():
        assert len(curves.get_attribute("aria-label")) > 20
    assert page.locator(".samples").count() == 1


def test_headings_go_down_one_level_at_a_time(visit):
    levels = visit().eval_on_selector_all("h1, h2, h3, h4", "all => all.map((one) => Number(one.tagName[1]))")
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_stand_out_from_their_ground(visit, scheme):
    page = visit(color_scheme=scheme)
    ratios = {selector: page.evaluate(MEASURE, selector) for selector in TEXTS}
    assert None not in ratios.values(), f"not on the page: {ratios}"
    faint = {selector: round(ratio, 2) for selector, ratio in ratios.items() if ratio < CONTRAST}
    assert faint == {}


def test_dark_and_light_follow_the_system(visit):
    grounds = {
        scheme: visit(color_scheme=scheme).evaluate("getComputedStyle(document.body).backgroundColor")
        for scheme in ("light", "dark")
    }
    assert grounds == {"light": "rgb(250, 248, 243)", "dark": "rgb(12, 20, 40)"}


def test_it_prints_on_white_paper_with_its_charts(visit):
    page = visit(color_scheme="dark")
    paper = page.pdf(prefer_css_page_size=True, print_background=True)
    assert paper.startswith(b"%PDF")
    assert 3 <= len(re.findall(rb"/Type /Page\b", paper)) <= 14
    page.emulate_media(media="print", color_scheme="dark")
    for ground in ("body", ".masthead", ".command"):
        painted = page.evaluate(f"getComputedStyle(document.querySelector('{ground}')).backgroundColor")
        assert painted == "rgb(255, 255, 255)"
    assert page.locator("svg.curves").first.is_visible()
    assert page.evaluate("getComputedStyle(document.querySelector('.card')).breakInside") == "avoid"
    assert not page.locator(".filters").is_visible()
