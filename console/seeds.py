"""A scenario under many seeds: two processes, results in the order of the seeds, and a summary.

A drill needs a process of its own: it stops the wall clock and stands in for AWS in all of it.
"""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from sereno.model import Json

if TYPE_CHECKING:
    from drills.library import AnyScenario

# A drill takes one core and some 300 MB; more than two at once would take a laptop from its owner.
PROCESSES = 2


def results(
    scenario: AnyScenario, seeds: Sequence[int], config: Path | None, finished: Callable[[], None]
) -> Iterator[Json]:
    """The result of each seed, in their order. `finished` is called as soon as any of them is done.

    Raises what a drill raises.
    """
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(PROCESSES, len(seeds)), mp_context=context, initializer=_deaf) as pool:
        try:
            running = [pool.submit(_one, scenario, seed, config) for seed in seeds]
            for one in running:
                one.add_done_callback(lambda _: finished())
            for one in running:
                yield one.result()
        except BaseException:
            # The others would go on for minutes, and nobody wants their results any more.
            pool.shutdown(wait=False, cancel_futures=True)
            for process in multiprocessing.active_children():
                process.terminate()
            raise


def _deaf() -> None:
    """Ctrl-C goes to the whole process group; only the parent answers it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _one(scenario: AnyScenario, seed: int, config: Path | None) -> Json:
    from drills import library

    return library.run(scenario, seed, config=config)


def missed(result: Json) -> int:
    """How many objectives were missed."""
    return sum(not one["met"] for one in result["objectives"])


def worst(found: Sequence[Json]) -> Json:
    """The result with the most missed objectives; the first of them."""
    return max(found, key=missed)


def line(result: Json) -> Text:
    """One seed in a line."""
    from drills import narrative

    shown = Text(f"seed {result['seed']:>3}  ")
    for number, one in enumerate(result["objectives"]):
        measured = narrative.measure(one["name"], one["measured"])
        shown.append("; " if number else "")
        shown.append(f"{narrative.title(one['name'])}: {measured}", style="" if one["met"] else "bold red")
        shown.append("" if one["met"] else " (missed)")
    return shown


def print_summary(found: Sequence[Json], console: Console) -> None:
    """Least, median and most of every objective's measure over all seeds, and how many seeds met it."""
    from drills import narrative

    table = Table(box=None, pad_edge=False)
    table.add_column(f"{len(found)} seeds")
    for column in ("target", "min", "median", "max", "met"):
        table.add_column(column, justify="right")
    for number, one in enumerate(found[0]["objectives"]):
        lines = [result["objectives"][number] for result in found]
        measured = [each["measured"] for each in lines if isinstance(each["measured"], int | float)]
        met = sum(each["met"] for each in lines)
        shown = [min(measured), median(measured), max(measured)] if measured else [None] * 3
        table.add_row(
            narrative.title(one["name"]),
            "none set" if one["target"] is None else narrative.measure(one["name"], one["target"]),
            *(narrative.measure(one["name"], each) for each in shown),
            Text(f"{met} of {len(found)}", style="green" if met == len(found) else "bold red"),
        )
    console.print()
    console.print(table)
