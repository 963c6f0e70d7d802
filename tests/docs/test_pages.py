"""The pages say what is so: links resolve, generated pages are fresh, tables are whole, configurations parse."""

from __future__ import annotations

import re
import struct
import xml.etree.ElementTree as ET

import pytest

from alarms.packs import all_alarms
from console import docs as generated
from deploy import config, golden
from deploy.config_model import Config
from remediators import registry
from sereno.guard import WORTH_A_PERSON
from sereno.lifecycle import ENDED, MOVES
from sereno.model import Reason
from sereno.service import Service

LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")


@pytest.mark.xdist_group("pages")
def test_generated_pages_are_what_the_code_gives():
    """The command names each stale page, so its output is shown where it fails."""
    assert generated.main(["--check"]) == 0


@pytest.mark.xdist_group("pages")
def test_a_stale_page_is_named_and_the_check_fails(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(generated, "FOLDER", tmp_path)
    assert generated.main(["--check"]) == 1
    assert "docs/commands.md: is not what the code gives" in capsys.readouterr().out
    assert generated.main([]) == 0
    assert generated.main(["--check"]) == 0


def test_every_link_leads_somewhere(docs):
    dead = []
    for page in docs.pages():
        for link in LINK.findall(docs.without_code(page.read_text(encoding="utf-8"))):
            if link.startswith(("http://", "https://")):
                continue
            name, _, anchor = link.partition("#")
            found = (page.parent / name).resolve() if name else page
            if not found.exists() or (anchor and anchor not in docs.headings(found)):
                dead.append(f"{page.relative_to(docs.root)}: {link}")
    assert dead == []


def test_every_alarm_leads_to_its_chapter(docs):
    texts = [golden.REGIONS.read_text(encoding="utf-8")]
    texts.append(texts[0].replace("health-switch", "metric-switch"))
    services = [
        Service.from_json(one) for text in texts for one in config.watches(config.compile_config(config.parse(text)))
    ]
    chapters = docs.headings(docs.root / "docs" / "runbook.md")
    links = {spec.runbook for service in services for spec in all_alarms(service)}
    links |= {f"docs/runbook.md#{what}" for what in ("exhaustion-fast", *services[0].playbook)}
    assert {link.partition("#")[0] for link in links} == {"docs/runbook.md"}
    assert {link.partition("#")[2] for link in links} - chapters == set()


def test_each_chapter_says_what_sereno_does_and_how_to_stop_it(docs):
    text = (docs.root / "docs" / "runbook.md").read_text(encoding="utf-8")
    chapters = dict(re.findall(r"^## (\S+)\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL))
    for name, chapter in chapters.items():
        if name not in ("First", "Reasons"):
            parts = re.findall(r"^\*\*([^*]+)\.\*\*", chapter, re.MULTILINE)
            assert parts == ["Means", "Sereno", "Look at", "By hand", "Stop, take back"], name


def test_every_reason_has_its_meaning_and_those_worth_a_person_are_marked(docs):
    rows = docs.table(docs.root / "docs" / "runbook.md", "reason")
    assert [row[0].removesuffix(" (hand)") for row in rows] == [str(reason) for reason in Reason]
    assert {row[0].split()[0] for row in rows if row[0].endswith("(hand)")} == {str(one) for one in WORTH_A_PERSON}
    assert all(row[1] for row in rows)
    assert all(row[2] for row in rows if row[0] != "OK")


def test_the_table_of_statuses_is_the_life_cycle(docs):
    page = docs.root / "docs" / "architecture.md"
    told = {row[0]: set(row[1].split(", ")) for row in docs.table(page, "from")}
    assert told == {str(status): {str(one) for one in after} for status, after in MOVES.items()}
    ends = re.search(r"^(REVERTED, .*?) are ends\.", page.read_text(encoding="utf-8"), re.MULTILINE)
    assert ends
    assert set(re.findall(r"[A-Z]+", ends[1])) == {str(status) for status in ENDED}


def test_the_ten_calls_are_those_that_the_flow_test_counts(docs):
    told = [row[1].strip("`") for row in docs.table(docs.root / "docs" / "architecture.md", "#")]
    counted = (docs.root / "tests" / "remediators" / "test_flow.py").read_text(encoding="utf-8")
    listed = re.search(r"house\.aws\.calls == \[(.*?)\]", counted, re.DOTALL)
    assert listed
    assert told == re.findall(r'"([a-z0-9_.]+)"', listed[1])


def test_every_configuration_in_the_pages_parses(docs):
    found = 0
    for page in docs.pages():
        for text in docs.blocks(page, "yaml"):
            if text.startswith("service:"):
                config.parse(text, page.name)
                found += 1
    assert found >= 5


def test_every_field_of_the_configuration_is_told_with_its_default(docs):
    text = (docs.root / "docs" / "configuration.md").read_text(encoding="utf-8")
    told = set(re.findall(r"`([A-Za-z_0-9.]+)`", " ".join(re.findall(r"^\| (`[^|]+) \|", text, re.MULTILINE))))
    told |= set(re.findall(r"^##+ `([a-z.]+)`", text, re.MULTILINE))
    schema = Config.model_json_schema()
    fields = set(schema["properties"])
    for name, model in schema["$defs"].items():
        if name not in ("LimitsConfig", "BindConfig", "ResourcesConfig", "Mode"):
            fields |= set(model.get("properties", {}))
    assert fields - told - {"resources", "what", "resource"} == set()
    example = Config.model_validate(
        {
            "service": "shop",
            "account": "1" * 12,
            "region": "eu-west-1",
            "resources": {"tables": {"a": {"name": "abc"}}},
        }
    )
    assert (example.objectives.p99, example.objectives.surge, example.objectives.availability) == (1000, 3, 0.999)
    assert "| `p99` | duration | `1000ms` |" in text
    assert "| `availability` | percent, 50% to 99.999% | `99.9%` |" in text


def test_each_usual_play_stands_in_the_table(docs):
    rows = docs.table(docs.root / "docs" / "configuration.md", "what")
    ladders = [(row[0], tuple(tuple(re.findall(r"`(\w+)`", rung)) for rung in row[1].split("then"))) for row in rows]
    told = {what: ladder for whats, ladder in ladders for what in re.findall(r"`([\w-]+)`", whats)}
    assert told == dict(config.USUAL_PLAYS)


def test_the_errors_shown_are_those_that_come(docs):
    shown = docs.blocks(docs.root / "docs" / "configuration.md", "")[-1].strip().splitlines()
    text = (
        'service: shop\naccount: "123456789012"\nregion: eu-west-1\nobjectives: {rpo: 15}\n'
        "resources: {functions: {checkout: {name: shop-checkout}}}\n"
        "playbook: {exhaustion: {remediators: [raise_concurency]}}\n"
    )
    try:
        config.parse(text)
    except config.InvalidInput as error:
        said = str(error).splitlines()
    known = ", ".join(registry.names())
    assert [re.sub(r"there are: [^)]*", f"there are: {known}", line) for line in shown] == said


def test_nothing_speaks_of_the_machine_it_was_written_on(docs):
    for page in docs.pages():
        text = page.read_text(encoding="utf-8")
        assert not re.search(r"/(?:home|root|tmp|work|Users)/", text), page


def test_pictures_are_small_and_whole(docs):
    images = docs.root / "docs" / "img"
    picture = (images / "surge-ramp.png").read_bytes()
    width, _ = struct.unpack(">II", picture[16:24])
    assert width == 1280
    assert len(picture) < 400_000
    drawing = ET.parse(images / "architecture.svg").getroot()
    # A ground of its own, so that it can be read on a dark page.
    assert drawing.find("{http://www.w3.org/2000/svg}rect").get("fill") == "#fbfaf6"
    assert drawing.find("{http://www.w3.org/2000/svg}desc").text
