"""`sereno dr`: both regions, item by item; moving traffic to the standby and back; rehearsing it; the page for it.

Everything is read from and asked of the standby's ledger: when the primary is out there is nobody else to ask.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from console import rehearse
from console.operate import DEFAULT, ByOption, ConfigOption, JsonOption, who
from console.regional_page import page
from console.show import as_json, now, screen
from deploy import config as configuration
from remediators import evidence, parity, registry
from remediators.clients import BotocoreAws
from remediators.evidence import Ask, Rows
from remediators.parity import Parity
from remediators.watch import parameters
from sereno import recovery
from sereno.errors import InvalidInput, Problem, Refused
from sereno.escape import printable
from sereno.model import Json, Plan, Refusal
from sereno.ports import Aws, Context
from sereno.recovery import PROBE_EVERY_S, Witness
from sereno.service import REGION_BACK, REGION_OUT, Play, Recovery, Service

# What a look may take, the interval of the fast health checks and how many of them must say so, and the records' TTL.
# https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/health-checks-creating-values.html
LOOK_S, CHECK_EVERY_S, CHECKS, TTL_S = 3, 10, 4, 20
PlanOption = Annotated[bool, typer.Option("--plan", help="Show what would be done, and do nothing.")]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Without being asked.")]

group = typer.Typer(
    name="dr",
    help="Two regions: how they are, moving traffic and back, rehearsing it.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


def add_to(app: typer.Typer) -> None:
    """Puts the commands on the app."""
    app.add_typer(group, name="dr", short_help="Two regions: how they are, and moving traffic.")


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that must be so before a region can be lost."""

    name: str
    ok: bool | None
    detail: str

    def to_json(self) -> Json:
        return {"name": self.name, "ok": self.ok, "detail": self.detail}


def opened(config: Path) -> tuple[Service, Recovery, Aws]:
    """The service as its standby has it. Raises InvalidInput where there is no second region."""
    service = configuration.service(config)
    if service.recovery is None:
        mend = "is missing: nothing says which region takes over (see docs/regions.md)"
        raise InvalidInput(config.name, [Problem("recovery", None, mend)])
    return service.seen_from(service.recovery.standby), service.recovery, BotocoreAws(service.recovery.standby)


def items_of(rows: Rows, service: Service, wanted: Recovery, at: datetime) -> list[Item]:
    """Readiness, item by item."""
    known = rows.evidence
    if known is None:
        return [Item("prober", False, f"the prober of {wanted.standby} has noted nothing")]
    fresh = (at - known.at).total_seconds()
    told = recovery.opinions(known, at)
    found = [Item("prober", fresh <= 60, f"last try {fresh:.0f} s ago")]
    for witness in (Witness.STANDBY, Witness.THIRD, Witness.HEARTBEAT):
        one = told.get(str(witness))
        said = "nothing yet" if one is None else f"{one.view}{f' ({one.detail})' if one.detail else ''}"
        found.append(Item(f"{wanted.primary} by {witness}", one is not None and one.view == "up", said))
    ready = recovery.standby_ready(known, at, service.objectives.rpo_s)
    found.append(Item(f"{wanted.standby} serves", ready.ok, ready.detail))
    if known.hidden_from is not None:
        hidden = ", ".join(known.hidden_from)
        told_of = f"cannot be read from {hidden} (S3 Block Public Access?)" if hidden else "from each probe location"
        found.append(Item("switch readable", not hidden, told_of))
    lag = known.lag_s
    within = None if lag is None else lag <= service.objectives.rpo_s
    behind = "not measured (recovery.canary)" if lag is None else f"{lag:.1f} s"
    found.append(Item("RPO now", within, f"{behind}, promised {service.objectives.rpo_s} s"))
    back = evidence.behind(rows, at)
    if back is not None:
        found.append(
            Item("the way back", back <= service.objectives.rpo_s, f"{wanted.primary} is {back:.1f} s behind")
        )
    if rows.moved is not None:
        took, promised = rows.moved.took_s, service.objectives.rto_s
        detail = f"{took:.0f} s on {rows.moved.at:%Y-%m-%d}, promised {promised} s"
        found.append(Item("last recovery", took <= promised, detail))
    found.append(Item("customers reach", known.serving == wanted.primary, known.serving or "not known"))
    return found


def parity_items(found: Parity | None, wanted: Recovery, at: datetime) -> list[Item]:
    """Whether the standby is as large as declared, as its round found it last."""
    if found is None:
        return [Item("parity", None, f"the round of {wanted.standby} has not looked yet")]
    age = (at - found.at).total_seconds()
    fresh = [] if age <= 900 else [Item("parity", False, f"last looked at {age / 60:.0f} min ago")]
    return fresh + [Item(one.name, one.ok, one.detail) for one in found.parts]


def estimated_rto(wanted: Recovery) -> dict[str, int]:
    """The parts of a recovery, in seconds, at their longest. The last one is what resolvers keep that honour the
    TTL."""
    tries = recovery.DOWN_FROM * PROBE_EVERY_S + LOOK_S
    return {
        "detection": tries + wanted.confirm_s,
        "decision": PROBE_EVERY_S,
        "switch": CHECK_EVERY_S * CHECKS + LOOK_S,
        "DNS": TTL_S,
    }


@group.command(short_help="Both regions, item by item.")
def status(config: ConfigOption = DEFAULT, json: JsonOption = False) -> None:
    """Shows whether the standby could take over at this moment: who sees the primary, how far the data is behind,
    where customers are, and how long a failover would take. Exit code 1 when something is wanting."""
    service, wanted, aws = opened(config)
    rows = evidence.of(aws, service)
    found, parts = items_of(rows, service, wanted, now()), estimated_rto(wanted)
    found += parity_items(parity.read(aws.client("dynamodb", service.region), service), wanted, now())
    ready = all(one.ok is not False for one in found)
    if json:
        as_json({"ready": ready, "items": [one.to_json() for one in found], "rto_s": parts})
    else:
        _tell(screen(), found, parts, service, wanted)
    if not ready:
        raise typer.Exit(1)


def _tell(console: Console, found: list[Item], parts: dict[str, int], service: Service, wanted: Recovery) -> None:
    console.print(Text(f"{service.name}: {wanted.primary}, standby {wanted.standby}", style="bold"))
    table = Table(box=None, pad_edge=False, show_header=False)
    marks = {True: Text("ok", style="green"), False: Text("no", style="bold red"), None: Text("?", style="yellow")}
    for one in found:
        table.add_row(marks[one.ok], Text(one.name), Text(one.detail))
    console.print(table)
    whole = sum(parts.values())
    shown = " + ".join(f"{name} {seconds} s" for name, seconds in parts.items())
    promised = service.objectives.rto_s
    console.print(f"A failover takes {whole} s at most: {shown} (promised {promised} s).", soft_wrap=True)


@group.command(short_help="Sends customers to the standby.")
def failover(
    config: ConfigOption = DEFAULT, plan: PlanOption = False, by: ByOption = None, yes: YesOption = False
) -> None:
    """Sends customers to the standby region now, whatever the witnesses say: you are the second opinion. The standby
    must serve, and its data must not be further behind than was promised."""
    _move(config, REGION_OUT, "fail_over", plan_only=plan, by=by, yes=yes)


@group.command(short_help="Gives the primary its traffic back.")
def failback(
    config: ConfigOption = DEFAULT, plan: PlanOption = False, by: ByOption = None, yes: YesOption = False
) -> None:
    """Gives the primary region its traffic back, a share at a time, once it has been healthy long enough. Errors stop
    it, and take back what was done."""
    _move(config, REGION_BACK, "fail_back", plan_only=plan, by=by, yes=yes)


def _move(config: Path, what: str, name: str, *, plan_only: bool, by: str | None, yes: bool) -> None:
    service, _, aws = opened(config)
    asked = Ask(what, who(by), now())
    play = service.playbook.get(what)
    if play is None or name not in play.remediators:
        mend = f"does not name {name} (write playbook.{what}.remediators)"
        raise InvalidInput(config.name, [Problem(f"playbook.{what}", None, mend)])
    answer = planned(service, play, name, asked, aws)
    console = screen()
    for gate, verdict in answer.gates:
        mark = Text("ok", style="green") if verdict.ok else Text("no", style="bold red")
        console.print(Text.assemble(mark, f"  {gate}: {verdict.detail or verdict.reason}"), soft_wrap=True)
    if not isinstance(answer, Plan):
        raise Refused(f"{name}: {answer.verdict.reason}: {answer.verdict.detail}")
    for number, step in enumerate(answer.steps, start=1):
        console.print(f"{number}. {step.setting}: {step.before} -> {step.after}  ({step.why})", soft_wrap=True)
    if plan_only:
        return
    if not yes and not sys.stdin.isatty():
        mend = "nobody is there to be asked (write --yes)"
        raise InvalidInput(f"sereno dr {name.replace('_', '')}", [Problem("--yes", None, mend)])
    if not yes and not typer.confirm("Do it?"):
        raise Refused("nothing was asked for")
    evidence.ask(aws.client("dynamodb", service.region), service, asked)
    console.print(f"Asked for by {asked.by}: the standby begins within a minute (sereno status).", soft_wrap=True)


def planned(service: Service, play: Play, name: str, asked: Ask, aws: Aws) -> Plan | Refusal:
    """What the remediator would do at this moment; nothing is changed."""
    remediator = registry.load(name)
    signal = recovery.asked_signal(service, asked.what, asked.at, asked.by)
    context = Context(service, play, signal.target, asked.at, parameters(remediator, play), signal)
    return remediator.plan(remediator.observe(aws, context), context)


@group.command(short_help="Rehearses the loss of a region.")
def drill(
    name: Annotated[str, typer.Argument(metavar="NAME", help="region-outage, gray-failure, partition ...")] = (
        "region-outage"
    ),
    seeds: Annotated[int, typer.Option(metavar="N", min=1, max=1000, help="Run so many seeds.")] = 1,
    report: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the HTML report here.")] = None,
) -> None:
    """Rehearses the loss of a region without an account, as `sereno drill NAME` does."""
    rehearse.drill(
        name,
        config=None,
        seed=1,
        seeds=seeds,
        speed="max",
        report=report,
        record=None,
        serve=False,
        mode=None,
        port=0,
        json=False,
    )


@group.command(short_help="The page for the night on which nothing else works.")
def runbook(config: ConfigOption = DEFAULT) -> None:
    """Prints the runbook of this service's two regions, in Markdown: what to look at, and how to move traffic by
    hand with the AWS CLI when Sereno itself cannot."""
    service, wanted, _ = opened(config)
    typer.echo(printable(page(service, wanted)))
