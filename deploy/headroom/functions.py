"""A function's limits: its concurrency, its calls a second, how long it may run, how fast it may grow."""

from __future__ import annotations

import math
from collections.abc import Iterator

from deploy.account import RATE_PER_EXECUTION, FunctionFacts
from deploy.headroom.finding import RAISE, Finding, Look, State
from sereno.service import Function, Play

TIMEOUT = "timeout"
# An API gives up sooner than some functions do: what it no longer waits for still holds its environment.
# https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html
API_TIMEOUT_S = {"rest": 29, "http": 30}
# A function gets at most so many new environments in ten seconds.
# https://docs.aws.amazon.com/lambda/latest/dg/scaling-behavior.html
ENVIRONMENTS_IN_10_S = 1000


def needed(look: Look, function: Function) -> int | None:
    """The reserved concurrency that holds the surge; None where the normal is not known."""
    # Without a play that raises it, the remediator's usual headroom still says how much is enough.
    plays = look.surge.raising("function") or (Play("surge", ()),)
    sizes = [
        look.paper.executions_needed(RAISE["function"], function.name, play, look.surge.signal) for play in plays
    ]
    return max((one for one in sizes if one is not None), default=None)


def findings(look: Look, function: Function, need: int | None) -> Iterator[Finding]:
    """Everything about one function."""
    facts = look.account.functions[function.name]
    if need is None:
        mend = f"resources.functions.{function.key}.normal: write how many run at once in an ordinary busy hour"
        yield look.unknown(function.key, "concurrency", "executions", facts.reserved, mend)
    else:
        yield _concurrency(look, function, facts, need)
        yield from _calls(look, function, facts, need)
        yield from _growth(look, function, facts, need)
    yield from _patience(look, function, facts)


def _concurrency(look: Look, function: Function, facts: FunctionFacts, need: int) -> Finding:
    what, unit, has = "concurrency", "executions", facts.reserved
    if has is not None and has >= need:
        return look.holds(function.key, what, unit, need, has, whose="reserved", mend="")
    if look.surge.raising("function"):
        return look.ceiling("function", "ceiling", function.key, what, unit, need)
    if has is None:
        whose = "unreserved: it lives on what the account has left"
        return look.holds(function.key, what, unit, need, look.account.unreserved, whose=whose, mend="reserve it")
    mend = f"resources.functions.{function.key}.reserved: {has} -> {need}, or a play with {RAISE['function']}"
    return look.holds(function.key, what, unit, need, has, whose="reserved, no play raises it", mend=mend)


def _calls(look: Look, function: Function, facts: FunctionFacts, need: int) -> Iterator[Finding]:
    """Short calls meet the rate before the concurrency."""
    if facts.rate is None or facts.normal is None:
        return
    calls, most = facts.rate * look.surge.factor, max(need, facts.reserved or 0)
    enough = math.ceil(calls / RATE_PER_EXECUTION) / look.surge.factor
    yield look.holds(
        function.key,
        "calls",
        "a second",
        calls,
        RATE_PER_EXECUTION * most,
        whose=f"ten for each of {most} executions",
        mend=f"resources.functions.{function.key}.normal: {facts.normal:.3g} -> {enough:.3g}",
    )


def _growth(look: Look, function: Function, facts: FunctionFacts, need: int) -> Iterator[Finding]:
    new = need - max(facts.provisioned or 0, facts.normal or 0)
    if new > ENVIRONMENTS_IN_10_S:
        mend = f"a surge in an instant takes {new / ENVIRONMENTS_IN_10_S * 10:.0f} s to be held: provision some"
        whose = "Lambda's rate for each function"
        limit = ENVIRONMENTS_IN_10_S
        yield look.say(State.LOOK, function.key, "new environments", "in 10 s", new, limit, whose, mend)


def _patience(look: Look, function: Function, facts: FunctionFacts) -> Iterator[Finding]:
    kinds = {one.kind for one in look.service.apis.values()}
    if not kinds or facts.timeout_s <= (limit := max(API_TIMEOUT_S[kind] for kind in kinds)):
        return
    mend = (
        f"where an API calls it, a timeout of {facts.timeout_s} s -> {limit} s: what nobody waits for any more still "
        "holds its place"
    )
    whose = "longest that an API waits"
    yield look.say(State.LOOK, function.key, TIMEOUT, "seconds", facts.timeout_s, limit, whose, mend)
