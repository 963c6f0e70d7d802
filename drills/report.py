"""The drill's report: one HTML file that asks nothing of the network, and can be read without JavaScript."""

from __future__ import annotations

import base64
import hashlib
import shlex
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import BaseLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from drills import leases, narrative, panels, readouts, timeline, voices
from drills.regions import figure as regional_figure
from drills.regions import narrative as regional_narrative
from drills.regions.narrative import MEANINGS
from sereno.model import Json

_ASSETS = ("report.css", "report.js")


@cache
def _environment() -> Environment:
    """Escapes everything whatever the template's name: alarm reasons carry text from outside."""
    environment = Environment(
        loader=PackageLoader("drills", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "number": narrative.number,
        "percent": narrative.percent,
        "span": narrative.span,
        "elapsed": narrative.elapsed,
        "dollars": narrative.dollars,
        "day": regional_narrative.day,
        "call": narrative.call_text,
        "value": narrative.value_text,
    }
    return environment


@cache
def _asset(name: str) -> Markup:
    """Our own stylesheet or script, to be put into the page as it is."""
    loader = _environment().loader
    assert isinstance(loader, BaseLoader)
    return Markup(loader.get_source(_environment(), name)[0])  # noqa: S704 - ours, not the drill's


def _policy(script: str) -> str:
    """A content security policy that lets nothing in but this one script, by its hash."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return (
        f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )


def render(result: Json) -> str:
    """The report as HTML. Raises InvalidInput when the result is not what the engine writes."""
    voice = voices.of(result)
    checked = voice.check(result)
    style, script = (_asset(name) for name in _ASSETS)
    page = _environment().get_template(voice.template)
    own = _VIEWS[voice.template](checked)
    return page.render(style=style, script=script, policy=_policy(script), **_common(checked), **own)


def write(result: Json, path: Path) -> Path:
    """Writes the report, making the folder if need be, and returns where it is."""
    page = render(result)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page, encoding="utf-8")
    return path


def _common(result: Json) -> dict[str, Any]:
    """What every page shows."""
    start, voice = narrative.started(result), voices.of(result)
    return {
        "result": result,
        "commit": result.get("commit"),
        "day": start.strftime("%-d %B %Y, %H:%M UTC"),
        "passed": narrative.all_met(result),
        "headline": voice.headline(result),
        "tally": narrative.tally(result),
        "lead": voice.lead(result),
        "objectives": narrative.objectives(result),
        "command": f"sereno drill {shlex.quote(result['scenario'])} --seed {result['seed']}",
    }


def _told(result: Json) -> dict[str, Any]:
    """What happened, minute by minute."""
    return {
        "minutes": timeline.minutes(result),
        "kinds": Counter(one.kind for one in timeline.happenings(result)),
    }


def _acted(result: Json) -> dict[str, Any]:
    """What Sereno did."""
    shown = leases.acted(result)
    skipped = [one for one in result["remediations"] if one["status"] == "SKIPPED"]
    return {
        "comparison": voices.of(result).comparison(result),
        "cards": [_card(result, number, one) for number, one in enumerate(shown, start=1)],
        "skipped": [_skipped(result, one) for one in skipped],
        "skip_reasons": Counter(one["reason"] or "no reason recorded" for one in skipped).most_common(),
    }


def _surge(result: Json) -> dict[str, Any]:
    return {
        **_acted(result),
        **_told(result),
        "figure": panels.figure(result),
        "readouts": readouts.readouts(result),
        "samples": readouts.samples(result),
        "alarms": [_alarm(result, one) for one in result["alarms"]],
    }


def _region(result: Json) -> dict[str, Any]:
    outages = result["outages"]
    return {
        **_acted(result),
        **_told(result),
        "figure": regional_figure.whole(result),
        "close": regional_figure.first_minutes(result),
        "parts": regional_narrative.parts(outages[0]["with"]) if outages else [],
        "readouts": readouts.of_regions(result),
        "lost": result["lost_writes"],
        "out_s": outages[0]["from_s"] if outages else 0.0,
    }


def _year(result: Json) -> dict[str, Any]:
    return {"figure": regional_figure.year(result), "meanings": MEANINGS}


_VIEWS = {"report.html.j2": _surge, "region.html.j2": _region, "year.html.j2": _year, "services.html.j2": _acted}


def _card(result: Json, number: int, one: Json) -> Json:
    start = narrative.started(result)
    plan = one.get("plan")
    steps = plan["steps"] if plan else []
    return {
        "number": number,
        "one": one,
        "plan": plan,
        "at": narrative.elapsed(one["at_s"]),
        "clock": narrative.clock(start, one["at_s"]),
        "tone": {"REVERTED": "good", "FAILED": "bad", "ESCALATED": "bad"}.get(one["status"], "act"),
        "is_lease": bool(steps) and all(step.get("undo") for step in steps),
        "history": [
            {
                "at": narrative.elapsed(event["at_s"]),
                "clock": narrative.clock(start, event["at_s"]),
                "phase": event["phase"],
                "detail": event.get("detail") or "",
                "by": event.get("by") or "sereno",
            }
            for event in one["events"]
        ],
    }


def _skipped(result: Json, one: Json) -> Json:
    detail = next((event["detail"] for event in reversed(one["events"]) if event.get("detail")), "")
    return {
        "at": narrative.elapsed(one["at_s"]),
        "clock": narrative.clock(narrative.started(result), one["at_s"]),
        "remediator": one["remediator"],
        "target": one["target"]["name"],
        "reason": one["reason"] or "no reason recorded",
        "detail": detail,
    }


def _alarm(result: Json, one: Json) -> Json:
    """An alarm's row: how often and how long it was in ALARM, and how it ended."""
    changes = sorted(one["transitions"], key=lambda change: change["at_s"])
    duration = result["duration_s"]
    ends = [change["at_s"] for change in changes[1:]] + [duration]
    fired = [(change["at_s"], end) for change, end in zip(changes, ends, strict=False) if change["state"] == "ALARM"]
    return {
        "name": one["name"],
        "what": one["what"],
        "severity": one["severity"],
        "times": len(fired),
        "first": narrative.elapsed(fired[0][0]) if fired else "–",
        "total": narrative.span(sum(max(0.0, end - at) for at, end in fired)) if fired else "–",
        "last": changes[-1]["state"] if changes else "unknown",
    }
