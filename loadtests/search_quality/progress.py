"""How far a long step is: a bar in a terminal, a line now and then in a log."""

import time
from collections.abc import Iterable, Iterator, Sized
from typing import Protocol, TypeVar

from rich.console import Console
from rich.progress import track

EVERY_S = 10.0  # between two lines of a log

T_co = TypeVar("T_co", covariant=True)


class _Known(Sized, Iterable[T_co], Protocol[T_co]):
    """What can be walked through and knows how much there is."""


def steps(things: _Known[T_co], what: str, console: Console) -> Iterator[T_co]:
    """Walk through `things` and tell how far it is."""
    if console.is_terminal:
        yield from track(things, what, console=console, transient=True)
        return
    total = len(things)
    told_s = time.monotonic()
    console.print(f"{what}: {total}", markup=False)
    for done, thing in enumerate(things, start=1):
        yield thing
        if time.monotonic() - told_s > EVERY_S:
            told_s = time.monotonic()
            console.print(f"{what}: {done} of {total}", markup=False)
