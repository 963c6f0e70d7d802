"""A night's incident through the command: it is seen, taken, silenced, ended, and told the morning after."""

from __future__ import annotations

import pytest

from remediators.items import item

pytestmark = pytest.mark.parametrize("night", ["auto"], indirect=True)


@pytest.fixture
def acted(night):
    return night.alarm()


def test_a_calm_night_has_no_incident(night):
    assert night.sereno("incident", "list") == "All calm: no incident is open.\n"
    assert night.sereno("incident", "list", "--all") == "No incident in the last 60 days.\n"


def test_an_incident_is_seen_taken_and_over_by_itself(night, acted):
    (one,) = night.sereno_json("incident", "list")
    assert (one["id"], one["stage"], one["title"]) == (acted.incident, "OPEN", "shop-read: exhaustion")
    assert acted.incident in night.sereno("incident", "list", columns=160)

    said = night.sereno("incident", "ack", acted.incident[-6:], "--by", "maria")
    assert said == f"{acted.incident} is yours. Everybody is told within a minute.\n"
    night.calm()
    night.round()
    (one,) = night.sereno_json("incident", "list")
    assert (one["stage"], one["owner"]) == ("MITIGATED", "maria")

    for _ in range(25):
        night.forward(minutes=1)
        night.calm()
        night.round()
    assert night.sereno("incident", "list") == "All calm: no incident is open.\n"
    (over,) = night.sereno_json("incident", "list", "--all")
    assert (over["stage"], over["resolved_by"]) == ("RESOLVED", "sereno")


def test_show_tells_everything_in_order(night, acted):
    night.forward(seconds=5)
    night.sereno("incident", "ack", acted.incident, "--by", "maria")
    shown = night.sereno("incident", "show", acted.incident)
    for part in ("ACKNOWLEDGED", "shop-read: exhaustion", "maria", "shop/read/exhaustion", acted.id):
        assert part in shown
    told = night.sereno_json("incident", "show", acted.incident)
    assert told["impact"] is None  # no API is declared
    moments = [line["at"] for line in told["timeline"]]
    assert moments == sorted(moments)
    assert [line["phase"] for line in told["timeline"]][:3] == ["OPENED", "CLAIMED", "PLANNED"]


def test_a_person_ends_it_or_keeps_it_silent(night, acted):
    assert "is silent until 22:45 UTC" in night.sereno("incident", "mute", acted.incident, "--minutes", 45)
    said = night.refused("incident", "resolve", acted.incident, "--by", "maria")
    assert f"cannot be resolved while a change of it is active: {acted.id}" in said
    night.sereno("keep", acted.id, "--by", "maria")
    night.round()
    assert "is resolved" in night.sereno("incident", "resolve", acted.incident, "--by", "maria")
    assert "is RESOLVED" in night.refused("incident", "ack", acted.incident)
    assert 'no incident "incident-2019"' in night.refused("incident", "show", "incident-2019")
    assert 'no incident ""' in night.refused("incident", "show", "")


def test_the_morning_after_a_post_mortem_is_drafted(night, acted, tmp_path):
    night.sereno("keep", acted.id, "--by", "maria")
    night.round()
    night.sereno("incident", "resolve", acted.incident, "--by", "maria")
    text = night.sereno("incident", "export", acted.incident)
    for part in (
        "# shop-read: exhaustion",
        "| taken by | nobody |",
        "by maria |",
        "No API is declared",
        "`raise_concurrency` on shop-read: **KEPT**, reserved concurrency 120 -> ",
        f"Put it into the template, or: sereno revert {acted.id}",
        "| KEPT raise_concurrency on shop-read | kept by maria |",
    ):
        assert part in text
    file = tmp_path / "notes" / "incident.md"
    assert night.sereno("incident", "export", acted.incident, "--out", file).startswith("Written: ")
    assert file.read_text() == text


def test_the_ops_item_of_an_incident_is_shown(night, acted):
    """By its id, which the notifier notes with what it has shown there."""
    text = night.config.read_text(encoding="utf-8")
    assert "OpsItem" not in night.sereno("incident", "show", acted.incident)
    night.config.write_text(f"{text}  opscenter: true\n", encoding="utf-8")
    assert night.sereno_json("incident", "show", acted.incident)["ops_item"] is None
    night.watch.ledger.incidents._call(
        "put_item",
        TableName="sereno-shop-ledger",
        Item=item(f"N#{acted.incident}#opscenter", "THREAD", ref="oi-0123456789ab"),
    )
    assert "OpsItem    oi-0123456789ab" in night.sereno("incident", "show", acted.incident)
    assert night.sereno_json("incident", "show", acted.incident)["ops_item"] == "oi-0123456789ab"
