"""The report as text: complete, escaped, self-contained and small."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from drills import report
from sereno.errors import InvalidInput

ATTACK = "<script>alert('x')</script><img src=x onerror=alert(1)>\"'"
VOID = {"meta", "link", "input", "br", "path", "img"}


class Page(HTMLParser):
    """Reads a page: its elements, its ids, and whether every element is closed in order."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.ids, self.open = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        self.ids += [value for name, value in attrs if name == "id"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag

    def all(self, tag):
        return [attrs for name, attrs in self.elements if name == tag]


def test_the_page_is_well_formed_and_its_ids_are_its_own(surge):
    page = Page(report.render(surge))
    assert page.open == []
    assert len(page.ids) == len(set(page.ids))
    targets = {attrs["href"][1:] for attrs in page.all("a") if attrs["href"].startswith("#")}
    assert targets <= set(page.ids)


def test_the_page_says_the_verdict_the_numbers_and_how_to_rehearse_it(surge):
    text = report.render(surge)
    assert "requests would have been turned away. With Sereno, none were." in text
    assert "All 4 objectives were met" in text
    assert "120 → 227" in text
    assert "put_function_concurrency(FunctionName=&#39;techmoda-catalogue-read&#39;" in text
    assert "<code>sereno drill surge-ramp --seed 7</code>" in text


def test_the_page_asks_nothing_of_the_network(surge):
    page = Page(report.render(surge))
    addresses = [attrs[name] for _, attrs in page.elements for name in ("href", "src") if name in attrs]
    assert all(address.startswith(("#", "data:")) for address in addresses)
    policy = next(attrs["content"] for attrs in page.all("meta") if "http-equiv" in attrs)
    assert policy.startswith("default-src 'none'")


def _poisoned(value, path=""):
    """Every free text of the result replaced by an attack; what has a form (times, states) stays."""
    if isinstance(value, dict):
        return {key: _poisoned(inner, key) for key, inner in value.items()}
    if isinstance(value, list):
        return [_poisoned(inner, path) for inner in value]
    free = isinstance(value, str) and path not in ("start", "at", "status", "state", "phase", "severity")
    return ATTACK if free else value


def test_text_from_outside_is_never_markup(surge):
    text = report.render(_poisoned(surge))
    page = Page(text)
    assert not page.all("img")
    assert not any(name.startswith("on") for _, attrs in page.elements for name in attrs)
    assert len(page.all("script")) == 2
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert" in text


def test_a_function_name_cannot_end_the_data_block(surge):
    for side in ("with", "without"):
        functions = surge["series"][side]["functions"]
        functions["</script><script>alert(1)</script>"] = functions.pop("techmoda-search")
    assert len(Page(report.render(surge)).all("script")) == 2


def test_a_scenarios_name_is_quoted_for_the_shell(surge):
    surge["scenario"] = "my drill; rm -rf /"
    assert "sereno drill &#39;my drill; rm -rf /&#39; --seed 7" in report.render(surge)


def test_a_missed_drill_says_so_first(surge):
    surge["objectives"][0] |= {"met": False, "measured": 0.98}
    text = report.render(surge)
    assert "1 of 4 objectives was missed: Availability" in text
    assert 'class="verdict missed"' in text


def test_skipped_remediations_are_counted_by_reason_and_folded(surge):
    text = report.render(surge)
    assert "5 remediations were skipped" in text
    assert re.search(r"<code>TARGET_BUSY</code> × 2", text)
    assert "refused: COOLDOWN" in text


def test_a_step_without_undo_is_called_what_it_is(surge):
    assert "none: this cannot be taken back, so it never runs in auto" in report.render(surge)


def test_a_drill_in_which_nothing_happened_is_a_report_too(surge):
    surge |= {"alarms": [], "signals": [], "remediations": [], "notifications": [], "objectives": []}
    surge |= {"raised_s": None, "recovered_s": None}
    del surge["commit"]
    text = report.render(surge)
    assert "Sereno changed nothing in this drill." in text
    assert "This drill sets no objective" in text
    assert Page(text).open == []


def test_the_same_result_gives_the_same_page(surge):
    assert report.render(surge) == report.render(surge)


def test_reports_stay_small(surge, day):
    assert len(report.render(surge).encode()) < 1_500_000
    assert len(report.render(day).encode()) < 3_000_000


def test_writing_makes_the_folder_and_names_the_file(surge, tmp_path):
    path = report.write(surge, tmp_path / "out" / "surge.html")
    assert path.read_text(encoding="utf-8") == report.render(surge)


def test_nothing_is_written_for_a_result_that_cannot_be_shown(surge, tmp_path):
    del surge["series"]
    with pytest.raises(InvalidInput, match="series: is missing"):
        report.write(surge, tmp_path / "surge.html")
    assert not list(tmp_path.iterdir())
