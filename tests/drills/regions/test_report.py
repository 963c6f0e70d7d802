"""The reports of a region's loss and of a year, as text and in a browser."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from drills import report
from drills.verdict import print_verdict
from sereno.errors import InvalidInput
from tests.drills.regions import results
from tests.drills.test_report import ATTACK, Page
from tests.drills.test_report_page import CONTRAST, MEASURE

TEXTS = (
    ".segment.here b",
    ".segment.there b",
    ".parts td",
    ".lane-name",
    ".axis b",
    ".samples td",
    ".note",
    ".lead",
    "#calls p",
    ".level span",
)


@pytest.fixture(name="gray")
def _gray():
    return results.gray()


@pytest.fixture(name="noise")
def _noise():
    return results.noise()


def printed(result):
    out = io.StringIO()
    print_verdict(result, Console(file=out, width=100))
    return out.getvalue()


@pytest.fixture(params=["gray", "noise"])
def result(request):
    return request.getfixturevalue(request.param)


def test_the_page_is_well_formed_and_asks_nothing_of_the_network(result):
    page = Page(report.render(result))
    assert page.open == []
    assert len(page.ids) == len(set(page.ids))
    addresses = [attrs[name] for _, attrs in page.elements for name in ("href", "src") if name in attrs]
    assert all(address.startswith(("#", "data:")) for address in addresses)


def test_each_lost_write_is_listed_with_its_lag(gray):
    text = report.render(gray)
    assert gray["lost_writes"]["count"] == len(gray["lost_writes"]["list"])
    assert all(one["id"] in text for one in gray["lost_writes"]["list"])


def test_a_call_that_was_not_allowed_is_named(gray):
    assert "None went to Route 53, IAM or eu-west-1" in report.render(gray)
    call = {"call": "route53.change_resource_record_sets", "by": "eu-central-1", "at_s": 300.0, "region": "global"}
    gray["calls"]["forbidden"] = [call]
    assert "<code>route53.change_resource_record_sets</code> by eu-central-1 at 5:00" in report.render(gray)


def test_text_from_outside_stays_text(result):
    result["title"] = result["story"] = ATTACK
    assert ATTACK not in report.render(result)


def test_a_result_that_is_none_is_told_with_the_place(gray):
    del gray["requests"]["served_by"]
    gray["outages"][0]["with"]["served_s"] = "soon"
    with pytest.raises(InvalidInput) as told:
        report.render(gray)
    assert {one.path for one in told.value.problems} == {
        "result.requests.served_by",
        "result.outages[0].with.served_s",
    }


def test_the_terminal_says_the_parts_and_sets_both_worlds_side_by_side(gray):
    text = " ".join(printed(gray).split())
    assert "Detection " in text
    assert "; DNS " in text
    assert "Served again after" in text
    assert "Availability while it was out" in text


def test_the_terminal_says_what_a_year_brought(noise):
    text = printed(noise)
    assert "3 of 3 outages found, no false move" in text
    assert "✓ met     Outages missed: 0 (target 0)" in text


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_can_be_read(browser, result, tmp_path, scheme):
    address = report.write(result, tmp_path / "report.html").as_uri()
    context = browser.new_context(viewport={"width": 1280, "height": 900}, color_scheme=scheme)
    page = context.new_page()
    faults = []
    page.on("console", lambda message: faults.append(message.text))
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.goto(address)
    measured = {one: ratio for one in TEXTS if (ratio := page.evaluate(MEASURE, one)) is not None}
    context.close()
    assert len(measured) >= 4
    assert {one: ratio for one, ratio in measured.items() if ratio < CONTRAST} == {}
    assert faults == []


def test_nothing_is_cut_off_on_a_phone(browser, result, tmp_path):
    address = report.write(result, tmp_path / "report.html").as_uri()
    context = browser.new_context(viewport={"width": 390, "height": 800})
    page = context.new_page()
    page.goto(address)
    wide = page.evaluate("document.documentElement.scrollWidth")
    context.close()
    assert wide <= 390
