"""The loss of a region, with what ships: the probers of three regions run the very zip in processes of their own,
try two real shops over HTTPS, agree that the first is out, and the standby moves customers. A person brings them
back.

Nothing of Sereno is called from here but `sereno dr`; its work is read from where others would see it: the object
that checkers read, where the customers' name leads, records, ledger, mail, and every call on the way of AWS's API.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

import pytest
from proving import regions as two
from proving.regions import CUSTOMERS, PRIMARY, STANDBY, WITNESS, Regions
from proving.stand_in import SETTINGS, StandIn
from proving.ways import Called
from typer.testing import CliRunner, Result

from console import dr
from console.main import app
from deploy.synth import names
from remediators import evidence
from remediators.evidence import Ask
from sereno.model import Json
from sereno.service import REGION_OUT

pytestmark = pytest.mark.xdist_group("proof")

PRODUCT = {"name": "Linen shirt", "category": "shirts", "price": {"cents": 4990, "currency": "EUR"}, "stock": 12}
# Of two steps, the hold and the switch, the first one's end is noted before the second.
LIFE = ["CLAIMED", "PLANNED", "APPLYING", "APPLYING", "VERIFYING", "HOLDING"]


@dataclass(slots=True)
class Story:
    """What was seen, in its order."""

    regions: Regions
    written: dict[str, Json] = field(default_factory=dict)
    read: dict[str, Json] = field(default_factory=dict)
    lost_at: datetime | None = None
    moved_at: datetime | None = None
    served_at: datetime | None = None
    object_text: str | None = None
    calls: list[Called] = field(default_factory=list)
    states: dict[str, Json] = field(default_factory=dict)
    customers: dict[str, str] = field(default_factory=dict)
    health: dict[str, bool] = field(default_factory=dict)
    health_half_dead: dict[str, bool] = field(default_factory=dict)
    said: dict[str, Result] = field(default_factory=dict)
    back: list[tuple[bool, int]] = field(default_factory=list)

    def look(self) -> None:
        """After each try, as somebody outside sees it."""
        now = self.regions.world.emulator.clock.now()
        if self.lost_at and not self.moved_at and self.regions.moved() is not None:
            self.moved_at, self.object_text = now, self.regions.moved()
        if self.lost_at and not self.served_at and self.served_from() == STANDBY:
            self.served_at = now

    def served_from(self) -> str:
        """The region that answers customers at this moment, by its own word."""
        answer = self.regions.ask(CUSTOMERS, "/health")
        return str(json.loads(answer[1])["region"]) if answer and answer[0] == 200 else ""

    def round(self) -> Json:
        """The standby's round, as the minute starts it."""
        return self.regions.invoke(STANDBY, names.round_function(self.regions.service))

    def write(self, host: str, name: str) -> None:
        """A product is created at one region, and read at the other."""
        created = self.regions.ask(host, "/products", "POST", {**PRODUCT, "name": name})
        assert created is not None
        assert created[0] == 201, created
        self.written[name] = json.loads(created[1])

    def find(self, host: str, name: str) -> None:
        """What another region has of it."""
        found = self.regions.ask(host, f"/products/{self.written[name]['id']}")
        assert found is not None
        self.read[name] = json.loads(found[1])

    def command(self, *words: str) -> Result:
        """`sereno dr ...`, as a person in a terminal."""
        given = ["dr", *words, "--config", str(self.regions.config)]
        return CliRunner().invoke(app, given, catch_exceptions=True)


@pytest.fixture(scope="module")
def regions(stand_in: StandIn, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Regions]:
    """Both regions and the witness, on an emulator of their own: its clock is theirs, and one of them dies."""
    place = tmp_path_factory.mktemp("regions")
    with two.world(place, **dict.fromkeys(SETTINGS, stand_in.url)) as world, two.standing(world) as regions:
        yield regions


@pytest.fixture(scope="module")
def story(regions: Regions) -> Iterator[Story]:
    """A calm minute; the primary goes dark; rounds pass; it comes back, and later so do the customers."""
    story = Story(regions)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", regions.world.ways.api)
        patch.setenv("AWS_ACCESS_KEY_ID", "test")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        patch.setattr(dr, "now", regions.world.emulator.clock.now)
        regions.each_try = story.look
        _calm(story)
        _lost(story)
        _asked_again(story)
        _well_again(story)
        _brought_back(story)
        _half_dead(story)
        yield story


def _calm(story: Story) -> None:
    story.write(two.own_host(PRIMARY), "made in the primary")
    story.find(two.own_host(STANDBY), "made in the primary")
    story.regions.minute()
    story.round()
    story.states["calm"] = story.regions.state()
    story.customers["calm"] = story.served_from()


def _lost(story: Story) -> None:
    regions, ways = story.regions, story.regions.world.ways
    ways.called.clear()
    ways.dark.add(PRIMARY)
    story.lost_at = regions.world.emulator.clock.now()
    regions.minute()
    story.round()
    regions.pass_by(60)
    story.round()
    story.calls = [one for one in ways.called if " techmoda-" not in one.who]
    story.states["held"] = regions.state()
    story.customers["held"] = story.served_from()
    story.write(CUSTOMERS, "made in the standby")


def _asked_again(story: Story) -> None:
    """Further rounds, and people who want at this moment what is done already."""
    regions = story.regions
    for _ in range(2):
        regions.pass_by(60)
        story.round()
    story.states["held, two rounds later"] = regions.state()
    story.said["failover"] = story.command("failover", "--yes", "--by", "ana")
    story.said["too early"] = story.command("failback", "--yes", "--by", "ana")
    dynamodb, now = regions.standby.emulator.client("dynamodb"), regions.world.emulator.clock.now()
    evidence.ask(dynamodb, regions.service, Ask(REGION_OUT, "ben", now))
    story.round()
    assert not regions.rows().asks
    story.states["held, asked for again"] = regions.state()


def _well_again(story: Story) -> None:
    """The primary answers again. Nobody is sent there."""
    regions = story.regions
    regions.world.ways.dark.clear()
    for _ in range(2):
        regions.minute()
        story.round()
    story.health = regions.route53.health()
    story.customers["well again"] = story.served_from()
    story.find(two.own_host(PRIMARY), "made in the standby")


def _brought_back(story: Story) -> None:
    regions = story.regions
    story.said["failback"] = story.command("failback", "--yes", "--by", "ana")
    for _ in range(8):
        story.round()
        seen = (regions.moved() is not None, regions.route53.weights()[PRIMARY])
        if not story.back or story.back[-1] != seen:
            story.back.append(seen)
        if seen == (False, 100):
            break
        regions.pass_by(60)
    regions.minute()
    for _ in range(2):
        story.round()
        regions.pass_by(60)
    story.customers["back"] = story.served_from()
    story.states["back"] = regions.state()
    for _ in range(2):
        regions.pass_by(60)
        story.round()
    story.states["back, two rounds later"] = regions.state()


def _half_dead(story: Story) -> None:
    """The primary says that it is healthy, and sells nothing."""
    regions = story.regions
    regions.world.ways.failing[PRIMARY] = "/products"
    for _ in range(2):
        regions.minute()
    story.health_half_dead = regions.route53.health()
    story.customers["half dead"] = story.served_from()


def test_what_is_written_in_one_region_is_read_in_the_other(story):
    assert story.read == story.written
    assert len(story.read) == 2


def test_on_a_calm_day_the_probers_agree_that_all_is_well_and_move_nobody(story):
    assert story.customers["calm"] == PRIMARY
    text, lies = story.states["calm"]["switch"]
    assert text is None
    # The object that is always there shows that the switch could be read.
    assert [one["key"] for one in lies] == ["techmoda/switch-readable"]
    assert story.states["calm"]["ledger"] == {}


def test_two_vantages_agree_and_the_standby_moves_customers_within_the_promised_time(story):
    one, _later = story.regions.ledger("fail_over")
    assert one.signal.source == "evidence"
    assert one.plan.reason.startswith(f"{PRIMARY} is out: out by 2 vantages: standby: ")
    assert "; witness: /health: " in one.plan.reason
    assert "; its heartbeat is silent" in one.plan.reason
    wanted = story.regions.service.recovery
    promised = dr.estimated_rto(wanted)
    assert (story.moved_at - story.lost_at).total_seconds() <= promised["detection"] + 2 * promised["decision"]
    assert (story.served_at - story.lost_at).total_seconds() <= sum(promised.values())
    assert story.customers["held"] == STANDBY


def test_the_switch_is_one_object_that_says_what_the_checkers_search_for(story):
    assert story.object_text == "sereno: primary out\n"
    text, lies = story.states["held"]["switch"]
    assert text == story.object_text
    assert [one["key"] for one in lies] == [
        "techmoda/hold",
        "techmoda/primary-out",
        "techmoda/switch-readable",
    ]


def test_nothing_on_that_way_was_asked_of_the_primary_of_iam_or_of_route_53(story):
    """Every call of the watch, in the standby and in the witness region, from the loss until traffic was held."""
    assert {one.who.split()[0] for one in story.calls} == {STANDBY, WITNESS}
    assert {one.region for one in story.calls} == {STANDBY}
    assert not {one.service for one in story.calls} & {"iam", "sts", "route53"}
    puts = [one for one in story.calls if one.service == "s3" and one.operation.startswith("PUT ")]
    assert {one.who for one in puts} == {f"{STANDBY} {names.prober(story.regions.service)}"}
    # The hold before the switch: from the switch on, only the loss of the standby itself may give traffic back.
    assert [one.operation.rsplit("/", 1)[-1] for one in puts] == ["hold", "primary-out"]


def test_the_ledger_tells_each_phase_and_people_are_told(story):
    out, _later = story.regions.ledger("fail_over")
    phases = [event.phase for event in story.regions.standby.ledger.events(out.id)]
    assert phases[: len(LIFE)] == LIFE
    mail = story.regions.standby.mail()
    told = [one["status"] for one in mail.news if one["remediator"] == "fail_over"]
    assert told[:2] == ["VERIFYING", "HOLDING"]
    subjects = {one["subject"] for one in mail.news}
    assert f"[techmoda] {PRIMARY} VERIFYING: hold none -> held, switch none -> out" in subjects
    assert f"[techmoda] {PRIMARY}: region-out" in {subject for subject, _ in mail.texts}
    said = "\n".join(text for _, text in mail.texts)
    moved = "hold not set → held, switch not set → out"
    elsewhere = f"Customers of {PRIMARY} are served elsewhere: {moved}, until a person brings them back."
    back = f"Customers are back in {PRIMARY}: primary's share 100 → 0, switch out → not set, primary's share 0 → 10, "
    assert said.index(elsewhere) < said.index(back)


def test_further_rounds_change_nothing_more(story):
    held = story.states["held"]
    assert story.states["held, two rounds later"] == held
    assert list(held["ledger"].values()).count("HOLDING") == 1
    assert story.states["back, two rounds later"] == story.states["back"]


def test_who_asks_for_it_once_more_joins_what_is_in_force(story):
    said = story.said["failover"]
    assert said.exit_code == 1
    assert f"NOTHING_TO_DO: traffic goes to {STANDBY} already" in said.output
    before, after = story.states["held"], story.states["held, asked for again"]
    assert {**after, "ledger": None} == {**before, "ledger": None}
    news = {id_: status for id_, status in after["ledger"].items() if id_ not in before["ledger"]}
    assert not [id_ for id_ in news if "fail-over" in id_]
    # Limits are looked at for each who asks; they are as large as they must be.
    assert set(news.values()) <= {"SKIPPED"}


def test_a_primary_that_is_well_again_gets_nobody_by_itself(story):
    """The first check is healthy, and only the switch keeps customers where they are."""
    assert story.health["PrimaryCheck"]
    assert not story.health["SwitchCheck"]
    assert story.customers["well again"] == STANDBY


def test_a_person_who_is_too_early_is_refused(story):
    assert story.said["too early"].exit_code == 1
    assert "fail_back: NO_QUORUM" in story.said["too early"].output


def test_a_person_brings_customers_back_a_share_at_a_time_and_then_the_object_is_gone(story):
    assert story.said["failback"].exit_code == 0, story.said["failback"].output
    assert story.back == [(True, 0), (False, 0), (False, 10), (False, 50), (False, 100)]
    text, lies = story.states["back"]["switch"]
    assert text is None
    assert [one["key"] for one in lies] == ["techmoda/switch-readable"]
    assert story.states["back"]["shares"] == {PRIMARY: 100, STANDBY: 0}
    assert story.customers["back"] == PRIMARY
    (back,) = story.regions.ledger("fail_back")
    assert [event.phase for event in story.regions.standby.ledger.events(back.id)][-1] == "HOLDING"
    assert back.detail.startswith(f"customers reach {PRIMARY}")


def test_a_primary_that_is_half_dead_is_left_by_the_switch_alone(story):
    """It answers its health check, so only those who try what customers do can tell; the next outage is another
    failover."""
    assert story.health_half_dead["PrimaryCheck"]
    assert not story.health_half_dead["SwitchCheck"]
    assert story.customers["half dead"] == STANDBY
    first, second = story.regions.ledger("fail_over")
    assert "/products?limit=1: 500" in second.plan.reason
    assert second.id != first.id


def test_no_event_was_lost(story):
    assert story.regions.standby.dead_letters() == []
