"""`sereno dashboard` on an account: nothing there, put, seen to be the same, changed by hand, mended."""

from __future__ import annotations

import json

import boto3
import pytest
from typer.testing import CliRunner

from console.main import app
from remediators import widget
from remediators.incidents import IncidentBook

pytestmark = pytest.mark.parametrize("night", ["auto"], indirect=True)


@pytest.fixture
def cloudwatch(night):
    return boto3.client("cloudwatch", region_name="eu-west-1")


def ended(night, code, *arguments):
    """Runs the command, which must end with this exit code, and gives its text."""
    result = CliRunner(env={"NO_COLOR": "1"}).invoke(app, ["dashboard", *arguments, "--config", str(night.config)])
    assert result.exit_code == code, result.output
    return result.stdout


def live(cloudwatch, name="sereno-shop"):
    return json.loads(cloudwatch.get_dashboard(DashboardName=name)["DashboardBody"])


def test_rendering_prints_or_writes_every_dashboard(night, tmp_path):
    printed = json.loads(night.sereno("dashboard", "render"))
    assert list(printed) == ["sereno-shop", "sereno-shop-functions"]
    night.sereno("dashboard", "render", "--out", tmp_path / "new")
    written = {path.stem: json.loads(path.read_text()) for path in (tmp_path / "new").iterdir()}
    assert written == printed


def test_they_are_put_seen_to_be_the_same_changed_by_hand_and_mended(night, cloudwatch):
    assert "+ alarm Alarms" in ended(night, 1, "diff")
    assert "2 dashboards put." in night.sereno("dashboard", "push", "--yes")
    assert night.sereno("dashboard", "diff") == "sereno-shop: as rendered\nsereno-shop-functions: as rendered\n"
    assert "Everything is live already." in night.sereno("dashboard", "push")

    changed = live(cloudwatch)
    changed["widgets"] = [one for one in changed["widgets"] if one["properties"].get("title") != "Rounds"]
    cloudwatch.put_dashboard(DashboardName="sereno-shop", DashboardBody=json.dumps(changed))
    assert "+ metric Rounds" in ended(night, 1, "diff")
    assert "1 dashboard put." in night.sereno("dashboard", "push", "--yes")
    night.sereno("dashboard", "diff")


def test_a_push_draws_the_last_days_remediations(night, cloudwatch):
    acted = night.alarm()
    night.sereno("dashboard", "push", "--yes")
    drawn = [one["properties"].get("annotations", {}).get("vertical") for one in live(cloudwatch)["widgets"]]
    assert acted.remediator in json.dumps(drawn)
    night.sereno("dashboard", "diff")  # the lines are no difference
    night.sereno("dashboard", "push", "--yes", "--days", 0)
    assert "vertical" not in json.dumps(live(cloudwatch))


def test_a_push_that_nobody_confirms_puts_nothing(night, cloudwatch):
    ended(night, 1, "push")
    assert cloudwatch.list_dashboards()["DashboardEntries"] == []


def test_a_dashboard_that_is_rendered_no_more_is_named(night, cloudwatch):
    night.sereno("dashboard", "push", "--yes")
    for name in ("sereno-shop-tables", "sereno-shop-functions-2", "sereno-shopping", "sereno-shop-of-mine"):
        cloudwatch.put_dashboard(DashboardName=name, DashboardBody='{"widgets": []}')
    told = json.loads(ended(night, 1, "diff", "--json"))
    assert told["leftover"] == ["sereno-shop-functions-2", "sereno-shop-tables"]


def test_the_widget_shows_what_the_ledger_holds(night, monkeypatch):
    assert "All calm" in widget._incidents(night.watch, night.watch.clock.now())
    acted = night.alarm()
    shown = widget._incidents(night.watch, night.watch.clock.now())
    for part in (acted.id, acted.incident, "shop-read: exhaustion", "nobody has it yet", str(acted.status)):
        assert part in shown
    # The rule that keeps an incident open over an active change is younger than some incidents.
    monkeypatch.setattr(IncidentBook, "_refuse_over_active", lambda *_: None)
    night.sereno("incident", "resolve", acted.incident, "--by", "maria")
    assert "In force without an open incident" in widget._incidents(night.watch, night.watch.clock.now())
