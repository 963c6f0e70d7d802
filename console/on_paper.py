"""The account that questions are asked in: as declared, or as it is."""

from __future__ import annotations

from console import answering
from console.show import now
from deploy import synth as synthesis
from deploy.account import declared
from deploy.on_paper import Paper
from deploy.synth import boards, functions, notify, prober
from remediators import registry
from sereno.service import Service


def paper_of(service: Service, *, live: bool) -> Paper:
    """A service in its account. With `live` AWS is read; otherwise nothing is asked. Raises InvalidInput."""
    known = registry.all_remediators()
    own = own_concurrency(service)
    if not live:
        return Paper(service, declared(service, sum(own.values())), known, now())
    from deploy import account_live

    account = account_live.read(answering.aws_of(service.region), service, own, now())
    return Paper(service, account, known, now())


def own_concurrency(service: Service) -> dict[str, int]:
    """What Sereno's functions for this service reserve, by their names; nothing where they reserve none. Raises
    InvalidInput."""
    named = synthesis.used_remediators(service, registry.all_remediators())
    if service.own_concurrency != "reserved":
        return {}
    used = named.values()
    codes = [functions.of_remediator(service, one) for one in used]
    codes += [functions.of_round(service, used), notify.notifier(service), boards.widget(service)]
    codes += [notify.buttons(service)] if notify.has_buttons(service) else []
    codes += [prober.of(service, named)] if prober.has(service) else []
    return {code.name: code.concurrency for code in codes}
