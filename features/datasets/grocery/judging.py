"""Which products answer a need: told by their place in the catalogue, never by words in common.

"hot dogs" is answered by the shelf of that name and not by dog food, "milk" not by milk chocolate.
"""

from collections.abc import Sequence
from fnmatch import fnmatchcase

import numpy as np
import numpy.typing as npt

from features.datasets.grocery.needs.fresh import FRESH
from features.datasets.grocery.needs.household import HOUSEHOLD
from features.datasets.grocery.needs.pantry import PANTRY

Chosen = npt.NDArray[np.bool_]
NEEDS: dict[str, str] = FRESH | PANTRY | HOUSEHOLD
# Wanted by some shoppers, and sold by no grocery shop of this catalogue.
ABSENT = (
    "laptop", "running shoes", "guitar strings", "car tires", "bicycle helmet", "wedding dress",
    "office chair", "hdmi cable", "power drill", "camping tent", "telescope", "garden hose",
    "violin", "lawn mower", "winter jacket", "smartphone case", "ski goggles", "dining table",
    "wrist watch", "printer ink", "xqzvbn", "wjkrtz",
)  # fmt: skip


def answering(types: str, categories: Sequence[str]) -> Chosen:
    """Which of `categories` (paths, " > " between levels) the need `types` takes, bool (n,).

    `types` lists patterns, "; " between them; "!" before one takes away. A pattern is a level of
    the path or several that follow each other, "*" stands for any letters.
    """
    chosen = {path: _takes(types, path) for path in set(categories)}
    return np.array([chosen[path] for path in categories], bool)


def unmatched(types: str, categories: Sequence[str]) -> list[str]:
    """The patterns of `types` that no category has."""
    paths = [path.split(" > ") for path in set(categories)]
    patterns = [pattern.removeprefix("!") for pattern in types.split("; ")]
    return [one for one in patterns if not any(_within(one, path) for path in paths)]


def _takes(types: str, path: str) -> bool:
    levels = path.split(" > ")
    patterns = types.split("; ")
    taken_away = any(_within(one[1:], levels) for one in patterns if one.startswith("!"))
    return not taken_away and any(_within(one, levels) for one in patterns if one[0] != "!")


def _within(pattern: str, levels: list[str]) -> bool:
    wanted = pattern.split(" > ")
    starts = range(len(levels) - len(wanted) + 1)
    return any(
        all(fnmatchcase(levels[start + place], one) for place, one in enumerate(wanted))
        for start in starts
    )
