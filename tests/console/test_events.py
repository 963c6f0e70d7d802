"""`sereno event`: what is planned, one more, and what one would change and cost."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import time_machine

from deploy import config as configuration
from remediators import flow
from sereno import planned
from sereno.guard import targets_of
from sereno.model import Mode, Status

ROOT = Path(__file__).resolve().parents[2]
FASHION = ROOT / "examples/fashion-week.yaml"

SHOP = """\
service: shop
account: "123456789012"
region: eu-west-1   # Ireland
objectives: {surge: 9x}
resources:
  functions:
    read: {name: shop-read, reserved: 120, normal: 16}
mode: auto
events:
  # The big one.
  - {name: Fashion Week, from: 2026-10-01T09:00:00+02:00, to: 2026-10-08T09:00:00+02:00, factor: 12x, prewarm: 45m}
  - {name: sale, from: 2026-09-01T09:00:00+02:00, to: 2026-09-02T09:00:00+02:00, factor: 2x}
"""
TEN = datetime(2026, 9, 29, 22, 0, tzinfo=UTC)


@pytest.fixture
def shop(tmp_path):
    path = tmp_path / "sereno.yaml"
    path.write_text(SHOP)
    return path


@pytest.fixture
def paris(monkeypatch):
    """A desk in Paris on the evening of 29 September."""
    with time_machine.travel(TEN, tick=False):
        monkeypatch.setenv("TZ", "Europe/Paris")
        __import__("time").tzset()
        yield
        monkeypatch.undo()
        __import__("time").tzset()


@pytest.fixture
def silent(monkeypatch):
    """No ledger can be reached."""
    monkeypatch.setattr("console.events._leases", lambda service: ({}, "what is in force is not shown: offline"))


# -- list


def test_the_list_tells_moments_here_and_in_utc_as_the_events_come(command, shop, paris, silent):
    shown = command("event", "list", "--config", shop, columns=120)
    lines = shown.stdout.splitlines()
    assert shown.exit_code == 0
    assert lines[0].split() == ["event", "factor", "state", "prewarm", "from", "to"]
    assert lines[1].split()[:3] == ["sale", "2x", "over"]
    assert lines[3].startswith(
        "Fashion Week  12x     coming, prewarm in 1d  2026-10-01 08:15 CEST  2026-10-01 09:00 CEST"
    )
    assert lines[4].split() == [
        "2026-10-01",
        "06:15",
        "UTC",
        "2026-10-01",
        "07:00",
        "UTC",
        "2026-10-08",
        "07:00",
        "UTC",
    ]
    assert "note: Fashion Week: 12x is over objectives.surge, 9x" in shown.stdout
    assert "note: what is in force is not shown: offline" in shown.stdout


def test_a_small_screen_gets_a_paragraph_for_each(command, shop, paris, silent):
    shown = command("event", "list", "--config", shop, columns=80)
    assert "\nFashion Week  12x  coming, prewarm in 1d\n" in shown.stdout
    assert "\n  from     2026-10-01 09:00 CEST, 2026-10-01 07:00 UTC\n" in shown.stdout


@pytest.mark.parametrize(
    ("moment", "state"),
    [
        ("2026-10-01T06:14:59Z", "coming"),
        ("2026-10-01T06:15:00Z", "prewarming"),
        ("2026-10-01T07:00:00Z", "running"),
        ("2026-10-08T06:59:59Z", "running"),
        ("2026-10-08T07:00:00Z", "over"),
    ],
)
def test_an_event_goes_from_coming_to_over(command, shop, silent, moment, state):
    with time_machine.travel(datetime.fromisoformat(moment), tick=False):
        told = json.loads(command("event", "list", "--config", shop, "--json").stdout)
    assert {one["name"]: one["state"] for one in told["events"]} == {"sale": "over", "Fashion Week": state}


def test_who_plans_nothing_is_told_how_and_no_ledger_is_asked(command, tmp_path):
    path = tmp_path / "sereno.yaml"
    path.write_text(SHOP.partition("events:")[0])
    assert command("event", "list", "--config", path).stdout == (
        "shop: no event is planned. Add one: sereno event add\n"
    )
    assert command("event", "plan", "--config", path).exit_code == 0


@pytest.mark.parametrize("night", [Mode.AUTO], indirect=True)
def test_what_is_in_force_for_an_event_stands_with_it(command, night, shop):
    service = configuration.service(shop)
    event = next(one for one in service.events if one.name == "Fashion Week")
    night.clock.move_to(planned.begins(event) + timedelta(minutes=1))
    watch = replace(night.watch, service=service)
    signal = planned.signal_of(event, service)
    (target,) = targets_of("function", signal, service)
    done = flow.start(watch, signal, "raise_concurrency", target)
    assert done.status is Status.VERIFYING
    told = json.loads(command("event", "list", "--config", shop, "--json").stdout)
    (lease,) = {one["name"]: one["in_force"] for one in told["events"]}["Fashion Week"]
    assert (lease["id"], lease["status"]) == (done.id, "VERIFYING")
    assert lease["change"] == "reserved concurrency: 120 -> 303"
    shown = command("event", "list", "--config", shop, columns=120).stdout
    assert "Fashion Week  VERIFYING  shop-read  reserved concurrency: 120 -> 303" in shown

    # What it did is what the plan had said before.
    plan = json.loads(command("event", "plan", "Fashion Week", "--config", shop, "--json").stdout)
    (read,) = plan["plans"][0]["targets"]
    assert read["changes"] == [{"setting": "reserved concurrency", "before": "120", "after": "303"}]

    # Begun with what AWS has by now, nothing is left to do.
    live = json.loads(command("event", "plan", "Fashion Week", "--live", "--config", shop, "--json").stdout)
    assert [(one["changes"], one["ok"]) for one in live["plans"][0]["targets"]] == [([], True)]

    night.watch.aws.client("dynamodb").delete_table(TableName="sereno-shop-ledger")
    shown = command("event", "list", "--config", shop)
    assert shown.exit_code == 0
    assert "note: what is in force is not shown: the ledger answered ResourceNotFoundException" in shown.stdout


# -- add

NEXT = ("--from", "2026-12-01T08:00:00+01:00", "--to", "2026-12-02T08:00:00+01:00", "--factor", "5x")
ADDED = (
    "  - {name: Advent, from: 2026-12-01T08:00:00+01:00, to: 2026-12-02T08:00:00+01:00, factor: 5x, prewarm: 1h}\n"
)


def test_an_event_is_added_and_everything_else_in_the_file_stays(command, shop, paris):
    shown = command("event", "add", "Advent", *NEXT, "--prewarm", "1h", "--config", shop)
    assert shown.exit_code == 0
    assert shop.read_text() == SHOP + ADDED
    assert shown.stdout.startswith(f"{shop}: Advent added\n")
    assert "Next: sereno event plan, then sereno deploy." in shown.stdout
    # What was to be known before is not told again.
    assert "note:" not in shown.stdout


def test_what_should_be_known_of_the_new_one_is_told(command, shop):
    shown = command("event", "add", "Advent", *NEXT[:-1], "20x", "--config", shop, "--json")
    told = json.loads(shown.stdout)
    assert (told["file"], told["event"]["name"], told["event"]["factor"]) == (str(shop), "Advent", 20)
    assert told["event"]["prewarm"] == "2026-12-01T06:30:00.000Z"
    assert [note.partition(":")[0] for note in told["notes"]] == ["Advent"]


def test_everything_wrong_with_the_arguments_is_told_at_once_and_nothing_written(command, shop):
    wrong = ("--from", "2026-12-01T08:00", "--to", "soon", "--factor", "5", "--prewarm", "60")
    shown = command("event", "add", "sale", *wrong, "--config", shop)
    assert shown.exit_code == 2
    assert shown.stderr.splitlines() == [
        'sereno event add: NAME: "sale" is planned already (choose another name, or edit the file)',
        'sereno event add: --from: "2026-12-01T08:00" is no moment with a time zone '
        "(write it like 2026-11-24T09:00:00+01:00)",
        'sereno event add: --to: "soon" is no moment with a time zone (write it like 2026-11-24T09:00:00+01:00)',
        'sereno event add: --factor: "5" has no x (write 5x)',
        'sereno event add: --prewarm: "60" has no unit (write 60m)',
    ]
    assert shop.read_text() == SHOP


@pytest.mark.parametrize(
    ("ends", "said"),
    [
        ("2026-12-01T07:00:00+01:00", "events[2].to: "),
        ("2027-12-02T07:00:00+01:00", "at most 31"),
    ],
)
def test_an_event_that_the_file_may_not_hold_is_refused_and_nothing_written(command, shop, ends, said):
    given = ("--from", "2026-12-01T08:00:00+01:00", "--to", ends, "--factor", "5x")
    shown = command("event", "add", "Advent", *given, "--config", shop)
    assert shown.exit_code == 2
    assert said in shown.stderr
    assert shop.read_text() == SHOP


def test_an_event_in_another_one_is_refused(command, shop):
    given = ("--from", "2026-10-02T08:00:00Z", "--to", "2026-10-03T08:00:00Z", "--factor", "5x")
    shown = command("event", "add", "Show", *given, "--config", shop)
    assert shown.exit_code == 2
    assert 'sereno.yaml: events[2].from: "Show" lies in Fashion Week' in shown.stderr


def test_a_file_that_was_wrong_before_is_told_as_such(command, shop):
    shop.write_text(SHOP.replace("9x}", "9}"))
    shown = command("event", "add", "Advent", *NEXT, "--config", shop)
    assert shown.exit_code == 2
    assert 'sereno.yaml: objectives.surge: "9" has no x' in shown.stderr


# -- plan


def test_a_plan_tells_values_times_money_and_who_acts(command):
    shown = command("event", "plan", "Paris Fashion Week", "--config", FASHION)
    assert shown.exit_code == 0
    rows = [" ".join(line.split()) for line in shown.stdout.splitlines()]
    assert "Paris Fashion Week: 12x the normal traffic" in rows
    assert "mode approve: Sereno asks before it raises" in rows
    assert "catalogue-read reserved concurrency 120 303 222.77" in rows
    assert "catalogue-write reserved concurrency 40 76 free" in rows
    assert "catalogue-products read capacity 300 1109 90.59" in rows
    assert "by-category read capacity 150 672" in rows
    assert "total 313.37" in rows
    assert any(
        row.startswith("The traffic itself, which is the service's business: about 1,115.39 USD") for row in rows
    )


@pytest.mark.parametrize("columns", [80, 120])
def test_a_plan_fits_the_screen(command, columns):
    shown = command("event", "plan", "Paris Fashion Week", "--config", FASHION, columns=columns)
    assert max(len(line) for line in shown.stdout.splitlines() if "capacity" in line) <= columns


def test_without_a_name_all_that_are_not_over_are_planned(command, shop, paris):
    told = json.loads(command("event", "plan", "--config", shop, "--json").stdout)
    (plan,) = told["plans"]
    assert (plan["name"], plan["held_to"], plan["usd"]) == ("Fashion Week", "2026-10-08T07:15:00.000Z", 0)


def test_a_plan_that_a_ceiling_cuts_short_exits_with_1(command, shop):
    shop.write_text(SHOP + "playbook: {planned-event: {limits: {ceiling: 200}}}\n")
    shown = command("event", "plan", "Fashion Week", "--config", shop)
    assert shown.exit_code == 1
    assert "OVER_CEILING: 303 is needed, 200 is what the limits allow" in " ".join(shown.stdout.split())
    assert "`sereno check headroom` names the number to change" in shown.stdout


def test_an_unknown_name_is_told_with_those_that_there_are(command, shop):
    shown = command("event", "plan", "Fashion", "--config", shop)
    assert shown.exit_code == 2
    assert 'NAME: "Fashion" is no planned event (there are: Fashion Week, sale)' in shown.stderr
