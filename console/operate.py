"""What an operator does: look at remediations, set modes, approve, take back, keep.

Everything goes through the ledger. The round carries a wish out within a minute, so an operator needs no right to
change the service itself.
"""

from __future__ import annotations

import getpass
import sys
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from console import story
from console.show import as_json, counted, listing, mode_lines, now, remediation_json, screen
from deploy import config as configuration
from deploy.synth import names
from remediators import approvals, readiness, registry
from remediators.clients import QUICK, BotocoreAws
from remediators.ledger import Ledger
from sereno import people
from sereno.errors import InvalidInput, Problem, Refused
from sereno.guard import effective_mode
from sereno.incident import Incident
from sereno.lifecycle import Remediation
from sereno.model import Json, Mode
from sereno.service import Play, Service

ConfigOption = Annotated[Path, typer.Option("--config", "-c", metavar="FILE", help="The service's sereno.yaml.")]
JsonOption = Annotated[bool, typer.Option("--json", help="JSON for machines.")]
IdArgument = Annotated[
    str, typer.Argument(metavar="ID", help="A remediation's id, or a beginning of it that only one has.")
]
ByOption = Annotated[str | None, typer.Option("--by", metavar="NAME", help="Who asks (default: your login).")]
DaysOption = Annotated[int, typer.Option("--days", metavar="N", min=1, max=400, help="How many days back.")]
DEFAULT = Path("sereno.yaml")
# How far back the beginning of an id is looked up.
SEARCHED_DAYS = 30
INCIDENT = "incident-"
# How many remediations are looked through for a planned event's thread.
NEWEST = 1000


def add_to(app: typer.Typer) -> None:
    """Puts the commands on the app."""
    app.command(short_help="What is going on.")(status)
    app.command(short_help="What was done and refused, newest first.")(history)
    app.command(short_help="Everything about one remediation.")(why)
    app.command(short_help="Shows the modes, or sets one.")(mode)
    app.command(short_help="Lets a remediation that asked go on.")(approve)
    app.command(short_help="Takes a change back.")(revert)
    app.command(short_help="Keeps a change for good.")(keep)


def status(config: ConfigOption = DEFAULT, json: JsonOption = False) -> None:
    """What is going on: every remediation that is not over."""
    service, ledger = opened(config)
    found = sorted((one for one in ledger.open() if not one.ended), key=lambda one: one.created)
    if json:
        as_json([remediation_json(one) for one in found])
        return
    incidents = [one for one in ledger.incidents.open() if one.is_open]
    _tell_readiness(service, ledger)
    if found:
        listing(found, now(), screen(rows=True))
    elif not incidents:
        screen().print("All calm: no remediation is under way.")
    if incidents:
        _tell_incidents(incidents)


def _tell_incidents(incidents: Sequence[Incident]) -> None:
    """What is open, and who has it: as long as there is any, nothing is calm."""
    screen().print(f"{counted(len(incidents), 'incident')} open (see: sereno incident list)")
    for one in incidents:
        holder = f"{one.owner} has it" if one.owner else "nobody has acknowledged it"
        style = "" if one.owner else "bold yellow"
        screen().print(Text(f"  {one.title}: {one.stage}, {holder}", style=style))


def _tell_readiness(service: Service, ledger: Ledger) -> None:
    """In a line whether every remediator could act; nothing before the first self-test."""
    proved = readiness.read(ledger)
    if proved:
        used = tuple(dict.fromkeys(name for play in service.playbook.values() for name in play.remediators))
        ready, text = readiness.summary(proved, used, now())
        screen().print(Text(text, style="green" if ready else "bold yellow"), soft_wrap=True)


def history(config: ConfigOption = DEFAULT, days: DaysOption = 7, json: JsonOption = False) -> None:
    """What was done, and what was refused, newest first."""
    _, ledger = opened(config)
    found = [one for one in map(ledger.get, _ids(ledger, days)) if one is not None]
    if json:
        as_json([remediation_json(one) for one in found])
    elif not found:
        screen().print(f"Nothing in the last {counted(days, 'day')}.")
    else:
        listing(found, now(), screen(rows=True))


def why(id: IdArgument, config: ConfigOption = DEFAULT, json: JsonOption = False) -> None:
    """Everything about one remediation: signal, gates, values, undo, history. Of an incident, its remediations."""
    _, ledger = opened(config)
    if id.startswith(INCIDENT):
        _tell_incident(ledger, id, json)
        return
    one = _find(ledger, id)
    events = ledger.events(one.id)
    if json:
        as_json({**remediation_json(one), "events": [event.to_json() for event in events]})
    else:
        story.tell(one, events, screen())


def mode(
    remediator: Annotated[
        str | None, typer.Argument(metavar="REMEDIATOR", help="A remediator, or `all` for the whole watch.")
    ] = None,
    value: Annotated[Mode | None, typer.Argument(metavar="MODE", help="off, observe, approve or auto.")] = None,
    config: ConfigOption = DEFAULT,
    by: ByOption = None,
    json: JsonOption = False,
) -> None:
    """Shows the modes, or sets one. `all` sets a bound over every remediator: the strictest counts."""
    if remediator is not None and remediator != "all" and remediator not in registry.names():
        known = ", ".join((*registry.names(), "all"))
        raise InvalidInput(
            "sereno mode", [Problem("REMEDIATOR", remediator, f"is no remediator (there are: {known})")]
        )
    service, ledger = opened(config)
    if remediator is not None and value is not None:
        ledger.set_mode("*" if remediator == "all" else remediator, value, who(by), now())
    modes = ledger.modes()
    plays = [(play, name) for play in service.playbook.values() for name in play.remediators]
    if remediator not in (None, "all"):
        plays = [one for one in plays if one[1] == remediator]
    if json:
        as_json({"set": {name: str(one) for name, one in modes.items()}, "plays": _plays_json(modes, plays)})
        return
    console = screen(rows=True)
    if value is not None:
        console.print(f"{'The whole watch' if remediator == 'all' else remediator} is set to {value}.")
    console.print(mode_lines(modes, plays))
    if "*" in modes:
        console.print(f"Nothing does more than {modes['*']}: that is set for the whole watch.")


def _plays_json(modes: dict[str, Mode], plays: list[tuple[Play, str]]) -> list[Json]:
    return [
        {
            "what": play.what,
            "remediator": name,
            "playbook": str(play.mode),
            "in_force": str(effective_mode(play, modes, name)[0]),
        }
        for play, name in plays
    ]


def approve(
    id: IdArgument,
    config: ConfigOption = DEFAULT,
    by: ByOption = None,
    plan: Annotated[
        str | None, typer.Option("--plan", metavar="DIGEST", help="Only if its plan is this one (see --json of why).")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Approve what is shown without being asked.")] = False,
    json: JsonOption = False,
) -> None:
    """Lets a remediation that asked go on: shows its plan, asks, and the round carries out exactly that plan within a
    minute. A world that has changed by then asks again."""
    _wish("approve", id, config, by, json, plan=plan, yes=yes)


def revert(id: IdArgument, config: ConfigOption = DEFAULT, by: ByOption = None, json: JsonOption = False) -> None:
    """Takes a change back within a minute (a value that someone else has changed stays), or refuses a plan that
    asks for approval."""
    _wish("revert", id, config, by, json)


def keep(id: IdArgument, config: ConfigOption = DEFAULT, by: ByOption = None, json: JsonOption = False) -> None:
    """Keeps a change: it is yours from now on, and no longer taken back."""
    _wish("keep", id, config, by, json)


def _wish(
    verb: str, given: str, config: Path, by: str | None, json: bool, *, plan: str | None = None, yes: bool = True
) -> None:
    service, ledger = opened(config)
    one, asked_by = _find(ledger, given), who(by)
    if verb == "approve":
        seen = one.plan.digest if one.plan else None
        first = approvals.judge(one, service, verb, by=asked_by, plan=plan or seen, now=now())
        if not first.ok:
            raise Refused(first.text)
        plan = plan or _agreed(one, service, json=json, yes=yes)
    answer = approvals.ask(ledger, service, verb, one.id, by=asked_by, plan=plan, now=now())
    if not answer.ok:
        raise Refused(answer.text)
    if json:
        as_json({"id": one.id, "wish": verb, "by": asked_by})
    else:
        screen().print(answer.text, soft_wrap=True)


def _agreed(one: Remediation, service: Service, *, json: bool, yes: bool) -> str | None:
    """The digest of the plan that a person has seen and agreed to. Raises Refused when they do not, and InvalidInput
    when nobody is there to be asked."""
    if not json:
        story.plan_of(one, service, screen())
    if not yes and not sys.stdin.isatty():
        mend = "nobody is there to be asked (write --yes, or --plan with the digest of the plan that was agreed to)"
        raise InvalidInput("sereno approve", [Problem("--yes", None, mend)])
    if not yes and not typer.confirm("Approve this plan?"):
        raise Refused("nothing was approved")
    return one.plan.digest if one.plan else None


def opened(config: Path) -> tuple[Service, Ledger]:
    """The service of a configuration, and its ledger."""
    service = configuration.service(config)
    client = BotocoreAws(service.region, QUICK).client("dynamodb")
    return service, Ledger(client, names.ledger(service), service.name)


def _ids(ledger: Ledger, days: int) -> list[str]:
    today = now()
    return [one for back in range(days) for one in reversed(ledger.day(f"{today - timedelta(days=back):%Y-%m-%d}"))]


def _tell_incident(ledger: Ledger, given: str, json: bool) -> None:
    """All that belongs to an incident, or to a planned event's thread, oldest first."""
    incident = ledger.incidents.get(given)
    found = ledger.incidents.members(incident) if incident else _thread(ledger, given)
    if not found:
        raise Refused(f'no incident "{given}" (see: sereno incident list --all)')
    if json:
        as_json([remediation_json(one) for one in found])
    else:
        listing(found, now(), screen(rows=True))


def _thread(ledger: Ledger, given: str) -> list[Remediation]:
    return [one for one in reversed(ledger.newest(NEWEST, before=now())) if one.incident == given]


def _find(ledger: Ledger, given: str) -> Remediation:
    """A remediation by its id or an unambiguous beginning of it."""
    exact = ledger.get(given) if given else None
    if exact is not None:
        return exact
    found = [one for one in _ids(ledger, SEARCHED_DAYS) if one.startswith(given)]
    if len(found) == 1:
        one = ledger.get(found[0])
        if one is not None:
            return one
    if found:
        shown = "".join(f"\n  {one}" for one in found[:5])
        more = f"\n  and {len(found) - 5} more" if len(found) > 5 else ""
        raise Refused(f'"{given}" is the beginning of {len(found)} remediations:{shown}{more}')
    raise Refused(f'no remediation "{given}" in the last {SEARCHED_DAYS} days (see: sereno history)')


def who(by: str | None) -> str:
    """The name that stands in the history. Raises InvalidInput when there is none."""
    try:
        name = by if by is not None else getpass.getuser()
    except (OSError, KeyError):
        # A container may run as a user that its /etc/passwd does not know.
        name = ""
    if not name.strip():
        raise InvalidInput("sereno", [Problem("--by", None, "say who asks: this machine knows no login (--by NAME)")])
    if wrong := people.fault(name):
        raise InvalidInput("sereno", [Problem("--by", name, wrong)])
    return name.strip()
