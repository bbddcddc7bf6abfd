"""What a shopper seems to care for, in words: brands and categories, and what speaks for each."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from features.behavior.state_rows import AnyState
from features.catalog.item import CATEGORY_SEPARATOR, ItemFacts

Kind = Literal["brand", "category"]
MOST = 10  # of each kind


@dataclass(frozen=True, slots=True)
class Interest:
    """A brand or a category path.

    share: of the affinity to all brands, or to all categories of its level, 0..1; times: so often
    an item of it was bought, or else taken up, as far as the state keeps it; last_s: when that was
    last, unix seconds; None: only the affinity is left
    """

    kind: Kind
    name: str
    share: float
    times: float = 0.0
    last_s: float | None = None


def interests(state: AnyState, facts: Mapping[str, ItemFacts]) -> list[Interest]:
    """The strongest of each kind, categories first."""
    times: dict[tuple[Kind, str], float] = defaultdict(float)
    last_s: dict[tuple[Kind, str], float] = {}
    for item_id in {**state.recent, **state.bought}:
        item = facts.get(item_id)
        if item is None:
            continue
        often, _, bought_s, _ = state.bought.get(item_id, (1.0, 0.0, 0.0, 0.0))
        seen_s, _ = state.recent.get(item_id, (0.0, 0.0))
        named: list[tuple[Kind, str]] = [("category", level) for level in item.category_levels]
        if item.brand:
            named.append(("brand", item.brand))
        for key in named:
            times[key] += often
            last_s[key] = max(last_s.get(key, 0.0), bought_s, seen_s)
    found = []
    affinities: tuple[tuple[Kind, dict[str, float]], ...] = (
        ("category", state.categories), ("brand", state.brands),
    )  # fmt: skip
    for kind, weights in affinities:
        mass: dict[int, float] = defaultdict(float)
        for name, weight in weights.items():
            mass[name.count(CATEGORY_SEPARATOR)] += weight
        for name in sorted(weights, key=weights.__getitem__, reverse=True)[:MOST]:
            share = weights[name] / (mass[name.count(CATEGORY_SEPARATOR)] or 1.0)
            key = kind, name
            found.append(Interest(kind, name, share, times.get(key, 0.0), last_s.get(key)))
    return found
