"""Going through the regions of a service: which one, how far it came, and what is still to do when it stops."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated

import typer

from console.show import errors, screen
from deploy.apply import removal, rollout
from deploy.apply.change_set import CannotBeMade, TookTooLong
from deploy.apply.places import Place
from sereno.errors import Refused

RegionOption = Annotated[
    str | None, typer.Option("--region", metavar="NAME", help="Only this region of a service that has several.")
]
Step = tuple[Place, Callable[[], object]]


class Declined(Refused):
    """A person said no."""

    def __init__(self, where: str = "") -> None:
        super().__init__(f"nothing was changed{where}")


def through(doing: str, steps: Sequence[Step]) -> None:
    """One region after the other. Where there are several each is announced, and whatever ends it early (Ctrl-C too)
    is preceded by how far it came: the error itself tells of one region alone."""
    places = [place for place, _ in steps]
    if len(places) == 1:
        steps[0][1]()
        return
    for number, (place, step) in enumerate(steps, start=1):
        told = f"{doing} {place}, {number} of {len(places)}."
        screen().print(told, style="bold", markup=False, soft_wrap=True)
        try:
            step()
        except BaseException as stopped:
            errors().print(where_it_stands(places, number), style="yellow", markup=False)
            if isinstance(stopped, Declined):
                raise Declined(f" in {place}") from None
            raise


def where_it_stands(places: Sequence[Place], number: int) -> str:
    """What is done, and what is not begun, when it stops at the n-th."""
    done, left = places[: number - 1], places[number:]
    told = [f"Stopped in {places[number - 1]}."]
    told += [f"Done: {_listed(done)}."] if done else []
    told += [f"Not begun: {_listed(left)}."] if left else []
    return " ".join([*told, "The same command goes on from there."])


def _listed(places: Sequence[Place]) -> str:
    return ", ".join(map(str, places))


@contextmanager
def refusals() -> Iterator[None]:
    """What the account refused is no bad input: exit code 1."""
    try:
        yield
    except (rollout.Failed, removal.LeasesInForce, CannotBeMade, TookTooLong) as refused:
        raise Refused(str(refused)) from refused
