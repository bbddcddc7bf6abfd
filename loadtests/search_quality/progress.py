"""How far a step of the evaluation is: what is begun stands in a log at once."""

from collections.abc import Iterator, Sequence
from typing import TypeVar

from rich.console import Console

from features.telemetry.progress import tracked

T = TypeVar("T")


def steps(things: Sequence[T], what: str, console: Console) -> Iterator[T]:
    """Walk through `things` and tell how far it is; a bar is gone when it is done."""
    if not console.is_terminal:
        console.print(f"{what}: {len(things)}", markup=False)
    yield from tracked(things, what, console, transient=True)
